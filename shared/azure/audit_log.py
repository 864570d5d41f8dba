"""The audit log: rows go in through azure-monitor-ingestion and are read back through azure-monitor-query."""

import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.monitor.ingestion.aio import LogsIngestionClient
from azure.monitor.query import LogsQueryStatus
from azure.monitor.query.aio import LogsQueryClient

from shared.audit_rows import REMEDIATIONS
from shared.azure.errors import reading, recording
from shared.azure.session import RETRY, Cloud
from shared.ports import ReadFailedError, Row


class LiveAuditLog:
    def __init__(
        self,
        endpoint: str,
        rule_id: str,
        cloud: Cloud,
        credential: AsyncTokenCredential,
        transport: AsyncHttpTransport[Any, Any],
    ) -> None:
        self._rule_id = rule_id
        self._ingestion = LogsIngestionClient(
            endpoint, credential, credential_scopes=[cloud.ingestion_scope], transport=transport, **RETRY
        )

    async def record(self, table: str, rows: Sequence[Row]) -> None:
        with recording(f"record in {table}"):
            await self._ingestion.upload(self._rule_id, f"Custom-{table}", [dict(row) for row in rows])


class AuditReader:
    """Reads the audit tables; rows appear there minutes after they were accepted."""

    def __init__(
        self,
        endpoint: str,
        workspace_id: str,
        cloud: Cloud,
        credential: AsyncTokenCredential,
        transport: AsyncHttpTransport[Any, Any],
    ) -> None:
        self._workspace_id = workspace_id
        scope = cloud.logs_scope.removesuffix("/.default")
        self._client = LogsQueryClient(credential, endpoint=endpoint, audience=scope, transport=transport, **RETRY)

    async def phases(self, run_id: str) -> frozenset[tuple[str, str]]:
        """(ActionId, Outcome) of every row of a run that the log shows.

        Raises `ReadFailedError`, and `ValueError` for an id that is none of ours (it goes into a query).
        """
        kql = f"{REMEDIATIONS} | where RunId == '{uuid.UUID(run_id)}' | project ActionId, Outcome"
        with reading("read the audit log"):
            answer = await self._client.query_workspace(self._workspace_id, kql, timespan=timedelta(days=2))
        if answer.status != LogsQueryStatus.SUCCESS:
            raise ReadFailedError("read the audit log", "PartialResult", "the answer is not whole")
        return frozenset((str(row[0]), str(row[1])) for table in answer.tables for row in table.rows)
