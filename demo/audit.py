"""Reads the audit log back as an auditor would, with azure-monitor-query."""

import base64
import json
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, Self

from azure.core.exceptions import AzureError
from azure.identity.aio import ManagedIdentityCredential
from azure.monitor.query import LogsQueryStatus
from azure.monitor.query.aio import LogsQueryClient

from demo.local_azure import Ready

type Row = dict[str, Any]

REMEDIATIONS = "AmlGuardRemediation_CL"
FINDINGS = "AmlGuardFinding_CL"
_AUDIENCE = "https://api.loganalytics.io"


class AuditUnreadableError(Exception):
    """Log Analytics did not give a whole answer."""


class AuditLog:
    """Needs IDENTITY_ENDPOINT and IDENTITY_HEADER of the ready line in the environment of this process."""

    def __init__(self, ready: Ready) -> None:
        self._ready = ready
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._credential = credential = await self._open.enter_async_context(ManagedIdentityCredential())
        endpoint = self._ready.env["AMLGUARD_LOGS_QUERY_ENDPOINT"]
        self._client = await self._open.enter_async_context(
            LogsQueryClient(credential, endpoint=endpoint, audience=_AUDIENCE, connection_verify=self._ready.ca)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def own_object_id(self) -> str:
        """The object id of the identity that amlguard runs as: the token's `oid`."""
        token = await self._credential.get_token("https://management.azure.com/.default")
        payload = token.token.split(".")[1]
        return str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["oid"])

    async def rows(self, table: str) -> list[Row]:
        """All rows of the table, oldest first."""
        workspace = self._ready.env["AMLGUARD_LOG_WORKSPACE_ID"]
        kql = f"{table} | order by TimeGenerated asc"
        try:
            answer = await self._client.query_workspace(workspace, kql, timespan=timedelta(days=2))
        except AzureError as error:
            raise AuditUnreadableError(f"{table}: {error}") from error
        if answer.status != LogsQueryStatus.SUCCESS:
            raise AuditUnreadableError(f"{table}: {answer.partial_error}")
        return [_row(each.columns, row) for each in answer.tables for row in each.rows]


def _row(columns: Sequence[str], values: Iterable[Any]) -> Row:
    row = dict(zip(columns, values, strict=True))
    return row | {"Requirements": json.loads(row["Requirements"] or "[]")}  # a dynamic column arrives as JSON
