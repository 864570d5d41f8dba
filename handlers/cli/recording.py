"""Where the changes of a person at a desk go on record: the app's audit log, a file, or both."""

import asyncio
import shlex
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from pathlib import Path

from handlers.runtime import Runtime
from shared.audit_file import AuditFile
from shared.ports import AuditFailedError, AuditLog, AzureFailureError, Row

_NOWHERE = (
    "nothing is changed without a record: set AMLGUARD_LOGS_INGESTION_ENDPOINT and AMLGUARD_LOGS_RULE_ID (outputs of "
    "the app's deployment), or record in a file: --audit-file FILE"
)
_REMEDY = (
    "nothing was changed. AMLGUARD_LOGS_INGESTION_ENDPOINT and AMLGUARD_LOGS_RULE_ID must name the app's audit log, "
    "and whoever is signed in needs Monitoring Metrics Publisher on its data collection rule (docs/deploy.md). Without "
    "these two settings --audit-file FILE records in a file"
)


@dataclass(frozen=True, slots=True)
class Both:
    """Every record goes to both, and counts once both have accepted it."""

    file: AuditLog
    log: AuditLog

    async def record(self, table: str, rows: Sequence[Row]) -> None:
        await _in_full(self.file.record(table, rows), self.log.record(table, rows))

    async def check(self) -> None:
        await self.file.check()
        await self.log.check()


async def _in_full(*parts: Awaitable[None]) -> None:
    """What one does not take, the other may: the first failure is raised when both have come to their end."""
    for answer in await asyncio.gather(*parts, return_exceptions=True):
        if answer is not None:
            raise answer


def undo_command(runs: Sequence[str], audit_file: Path | None) -> str:
    """To be pasted into a shell."""
    return shlex.join(["amlguard", "undo", *runs, *(["--audit-file", str(audit_file)] if audit_file else [])])


async def audit_log(command: str, services: Runtime, file: AuditFile | None) -> AuditLog:
    """Raises `AzureFailureError`, with what to set, when nothing could be put on record."""
    log = services.audit
    if log is None and file is None:
        raise AzureFailureError(command, "NoAuditLog", _NOWHERE)
    if file:
        await file.check()
    if log:
        try:
            await log.check()
        except AuditFailedError as error:
            reason = f"{error.reason}; {_REMEDY}"
            raise AuditFailedError(command, error.code, reason, lacks_right=error.lacks_right) from error
    return Both(file, log) if file and log else file or log  # type: ignore[return-value]  # one of them is there
