"""Whatever a tenant holds: from its snapshot come the plan, the explanations and the report of the connection."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from app import App
from fakes import FakeAzure
from hypothesis import given
from properties.tenants_at_random import tenants
from unit.build import terms

from handlers.cli.desk import Where, planned
from handlers.cli.explain import explained_by
from handlers.cli.from_snapshot import opened
from handlers.cli.report import posture_by
from handlers.cli.snapshot import taken_by
from handlers.runtime import Runtime
from shared.access.scope import Scope
from shared.azure.built_in_roles import built_in_roles
from shared.ports import AzureFailureError
from shared.snapshot.played import Played

_WHERE = Where(fresh=True)


def _services(azure: FakeAzure) -> Runtime:
    azure = replace(azure.copy(), logged=True)
    return replace(App(terms(), azure).services, own_object_id="me", tenant_id="here")


def _again(text: str, services: Runtime) -> Runtime:
    """The snapshot, from its file."""
    played = Played.of(json.loads(text), "tenant.json", built_in_roles())
    return replace(opened(played, None), terms=services.terms)


def _resources(azure: FakeAzure) -> Iterator[Scope]:
    yield from azure.resources
    for raw in azure.resources.values():
        block = raw.get("identity") or {}
        yield from map(Scope.parse, block.get("userAssignedIdentities") or {})


async def _all(services: Runtime, resources: list[Scope]) -> dict[str, Any]:
    """Everything that the commands say."""
    report = await planned(_WHERE, services)
    posture = await posture_by(_WHERE, services, None)
    told = {"plan": report.document(), "report": json.loads(posture.json())}
    for one in resources:
        try:
            told[str(one)] = (await explained_by(one, services)).document()
        except AzureFailureError as error:
            told[str(one)] = {"failed": error.code}
    return told


@given(tenants())
def test_a_snapshot_says_what_the_connection_said(azure: FakeAzure) -> None:
    async def both() -> tuple[dict[str, Any], dict[str, Any]]:
        services, resources = _services(azure), list(dict.fromkeys(_resources(azure)))
        taken = await taken_by(services, Where(), None)
        return await _all(services, resources), await _all(_again(taken.text(), services), resources)

    there, then = asyncio.run(both())
    for name, said in there.items():
        assert then[name] == said, name
