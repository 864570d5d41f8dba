"""Application Insights in the local Azure: what the host tells, and who may."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from azure.core.credentials import AccessToken
from emulator_units.arm_calls import RG, held, principal, resource

from emulator.clock import Clock
from emulator.functions.channel import InvocationError
from emulator.functions.telemetry import Telemetry
from emulator.identity.rbac import Rbac
from emulator.identity.tokens import Caller, Tokens
from emulator.logs.telemetry import TelemetryFront
from emulator.tenant import Tenant

COMPONENT = f"{RG}/providers/Microsoft.Insights/components/app"
ME = Caller(principal(1), "me", "me")
TOKENS = Tokens("tenant", app=ME, operator=Caller(principal(2), "operator", "Operator", "User", operator=True))
PUBLISHER = "3913510d-42f4-4e42-8a64-420c390055eb"
MONITOR, ARM = "https://monitor.azure.com", "https://management.azure.com"


class Identity:
    def __init__(self, audience: str) -> None:
        self._audience = audience

    async def get_token(self, *_: str, **__: Any) -> AccessToken:
        return AccessToken(TOKENS.issue(ME, self._audience)["access_token"], 2**40)

    async def close(self) -> None: ...

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...


@asynccontextmanager
async def insights(rows: dict[str, list[Any]], *assignments: Any) -> AsyncIterator[str]:
    """The connection string of one whose workspace has `rows`."""
    rbac = Rbac(Tenant({"resources": [resource(COMPONENT)], "roleAssignments": list(assignments)}))
    app = web.Application()
    app.add_routes(TelemetryFront(rows, Clock(), TOKENS, rbac, COMPONENT).routes())
    async with TestServer(app) as server:
        yield f"InstrumentationKey=key;IngestionEndpoint={server.make_url('/')}"


async def tell(connection: str, error: InvocationError | None = None, audience: str = MONITOR) -> None:
    telemetry = Telemetry({"APPLICATIONINSIGHTS_CONNECTION_STRING": connection}, Identity(audience))
    telemetry.ended("sweep", 1.5, error)
    await telemetry.close()


async def test_a_request_each_and_the_exception_of_a_failure() -> None:
    rows: dict[str, list[Any]] = {}
    async with insights(rows, held(COMPONENT, PUBLISHER, ME.object_id)) as connection:
        await tell(connection)
        await tell(connection, InvocationError("ReadFailedError: no", "at line 1"))
    assert [(row["Name"], row["Success"], row["DurationMs"]) for row in rows["AppRequests"]] == [
        ("sweep", True, 1500),
        ("sweep", False, 1500),
    ]
    (failure,) = rows["AppExceptions"]
    assert failure["OperationName"] == "sweep"
    assert failure["InnermostMessage"] == "Result: Failure\nException: ReadFailedError: no\nStack: at line 1"
    assert failure["_ResourceId"] == COMPONENT.lower()


@pytest.mark.parametrize("audience", [MONITOR, ARM])
async def test_without_the_right_or_its_token_nothing_arrives(audience: str) -> None:
    rows: dict[str, list[Any]] = {}
    given = [] if audience == MONITOR else [held(COMPONENT, PUBLISHER, ME.object_id)]
    async with insights(rows, *given) as connection:
        await tell(connection, audience=audience)
    assert rows == {}


async def test_an_app_without_application_insights_tells_nobody() -> None:
    rows: dict[str, list[Any]] = {}
    async with insights(rows, held(COMPONENT, PUBLISHER, ME.object_id)):
        await tell("")
    assert rows == {}
