"""Where a person's changes are recorded: the app's audit log, a file, or both."""

import asyncio
import shlex
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from handlers.runtime import Runtime
from shared.access.intents import OPEN_AFTER
from shared.audit_file import AuditFile
from shared.ports import AuditFailedError, AuditLog, AzureFailureError, Row

_NOWHERE = (
    "amlguard changes nothing without a record: set AMLGUARD_LOGS_INGESTION_ENDPOINT and AMLGUARD_LOGS_RULE_ID "
    "(outputs of the app's deployment), or record in a file with --audit-file FILE"
)
_REMEDY = (
    "nothing was changed. AMLGUARD_LOGS_INGESTION_ENDPOINT and AMLGUARD_LOGS_RULE_ID must name the app's audit log, "
    "and you need Monitoring Metrics Publisher on its data collection rule (docs/deploy.md). To record in a file "
    "instead, unset both and use --audit-file FILE"
)


@dataclass(frozen=True, slots=True)
class Both:
    """Every record goes to both. It counts when both have accepted it."""

    file: AuditLog
    log: AuditLog

    async def record(self, table: str, rows: Sequence[Row]) -> None:
        await _in_full(self.file.record(table, rows), self.log.record(table, rows))

    async def check(self) -> None:
        await self.file.check()
        await self.log.check()


async def _in_full(*parts: Awaitable[None]) -> None:
    """One may accept what the other refuses. Waits for both, then raises the first failure."""
    for answer in await asyncio.gather(*parts, return_exceptions=True):
        if answer is not None:
            raise answer


def finds_out() -> str:
    """Who writes the outcomes that this command could not, and when."""
    at = datetime.now(UTC) + OPEN_AFTER
    return f"the next `amlguard apply` or `undo` there, or the app's next sweep, finds out, from {at:%H:%M} UTC on"


def undo_command(runs: Sequence[str], audit_file: Path | None) -> str:
    """Quoted, so that people can paste it into a shell."""
    return shlex.join(["amlguard", "undo", *runs, *(["--audit-file", str(audit_file)] if audit_file else [])])


async def audit_log(command: str, services: Runtime, file: AuditFile | None) -> AuditLog:
    """Raises `AzureFailureError`, which says what to set, when nothing can be recorded."""
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
    return Both(file, log) if file and log else file or log  # type: ignore[return-value] # one of them exists
