"""The audit log: azure-monitor-ingestion writes rows, azure-monitor-query reads them back."""

import uuid
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.core.rest import HttpRequest
from azure.monitor.ingestion.aio import LogsIngestionClient

from shared.access.quoting import kql, query
from shared.audit_rows import REMEDIATIONS
from shared.azure.errors import reading, recording
from shared.azure.retries import Retries
from shared.azure.session import Cloud, policies
from shared.ports import Raw, ReadFailedError, Row

if TYPE_CHECKING:
    from azure.monitor.query.aio import LogsQueryClient


_API_VERSION = "2023-01-01"
_TAKEN, _BAD_BODY = 204, 400


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
            endpoint, credential, transport=transport, policies=policies(credential, cloud.ingestion_scope)
        )

    async def record(self, table: str, rows: Sequence[Row]) -> None:
        with recording(f"record in {table}"):
            await self._ingestion.upload(self._rule_id, f"Custom-{table}", [dict(row) for row in rows])

    async def check(self) -> None:
        """Sends an empty list, so that nothing is stored. Azure still checks the id of the rule and the right.

        For a wrong rule it answers 404 (the SDKs' own tests), for a missing right 403 (OperationFailed: the SDKs'
        troubleshooting guide), and for a body that is not a list of records 204 without a row (azure-docs issues
        106266, 112669, 118163). No source says how Azure answers an empty list. A 400 is about the body, so the right
        was there.
        https://github.com/Azure/azure-sdk-for-python/blob/main/sdk/monitor/azure-monitor-ingestion/TROUBLESHOOTING.md
        """
        url = f"/dataCollectionRules/{query(self._rule_id)}/streams/Custom-{REMEDIATIONS}"
        request = HttpRequest("POST", url, params={"api-version": _API_VERSION}, json=[])
        with recording("ask whether the audit log takes records"):
            answer = await self._ingestion.send_request(request)
            if answer.status_code not in (_TAKEN, _BAD_BODY):
                raise HttpResponseError(response=answer)


class AuditReader:
    """Reads the audit tables. Rows appear there minutes after they were accepted."""

    def __init__(
        self,
        endpoint: str,
        workspace_id: str,
        cloud: Cloud,
        credential: AsyncTokenCredential,
        transport: AsyncHttpTransport[Any, Any],
    ) -> None:
        self._workspace_id = workspace_id
        self._endpoint, self._cloud = endpoint, cloud
        self._credential, self._transport = credential, transport

    @cached_property
    def _client(self) -> "LogsQueryClient":
        from azure.monitor.query.aio import LogsQueryClient  # noqa: PLC0415 - rarely needed: not at a cold start

        audience = self._cloud.logs_scope.removesuffix("/.default")
        return LogsQueryClient(
            self._credential,
            endpoint=self._endpoint,
            audience=audience,
            transport=self._transport,
            retry_policy=Retries(),
        )

    async def phases(self, run_id: str) -> frozenset[tuple[str, str]]:
        """(ActionId, Outcome) of every row of a run that the log shows.

        Raises `ReadFailedError`, and `ValueError` for an id that amlguard did not make, because it goes into a query.
        """
        asked = f"{REMEDIATIONS} | where RunId == {kql(uuid.UUID(run_id))} | project ActionId, Outcome"
        return frozenset((str(row["ActionId"]), str(row["Outcome"])) for row in await self.rows(asked))

    async def rows(self, kql: str) -> Sequence[Raw]:
        """By column name. The query limits its own time. Raises `ReadFailedError`, also for a partial answer."""
        from azure.monitor.query import LogsQueryStatus  # noqa: PLC0415 - see _client

        with reading("query the logs", "Log Analytics Data Reader"):
            answer = await self._client.query_workspace(self._workspace_id, kql, timespan=None)
            if answer.status != LogsQueryStatus.SUCCESS:
                raise ReadFailedError("query the logs", "PartialResult", "the answer is not complete")
            if not answer.tables:  # an answer without rows has a table without rows
                raise ValueError("the answer has no table")
            return [dict(zip(table.columns, row, strict=True)) for table in answer.tables for row in table.rows]
