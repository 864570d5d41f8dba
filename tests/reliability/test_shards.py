"""One broken workspace, or a shard that dies, holds up no other workspace and no other sweep."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
import raw
from app import App, app
from event_grid import event
from fakes import FakeAzure
from reliability.host import MOST_TRIES, calm, deliver, work_off
from reliability.on_record import given
from unit.build import REGISTRY, WORKSPACE, registry_id, sai, terms, uai, workspace_id

from handlers import sweep
from handlers.look import look_now
from shared.access.scope import Scope
from shared.messages import Reconcile, Trigger, decode, encode
from shared.ports import AzureFailureError

SHARED = uai("shared")
type Broken = Callable[[object], tuple[raw.Raw, ...]]

OTHERS = ("second", "third", "fourth")


def _estate(*broken: raw.Raw, azure: FakeAzure | None = None) -> App:
    """Four workspaces, each with a registry of its own and a cluster that may not pull from it; `broken` is in one."""
    one = App(terms(settle=timedelta()), azure or FakeAzure())
    one.azure.have(
        raw.workspace(sai("mlw")), raw.registry(), raw.compute("cpu", sai("cpu")), raw.storage(), raw.vault()
    )
    for name in OTHERS:
        on, registry = workspace_id(name), registry_id(f"acrml{name}")
        one.azure.have(raw.workspace(sai(name), on=on, registry=registry), raw.registry(registry))
        one.azure.have(raw.compute("cpu", sai(f"{name}/cpu"), on=on))
    one.azure.have(*broken)
    return one


def _attached(shape: object) -> tuple[raw.Raw, ...]:
    body = raw.endpoint("odd")
    return (body | {"identity": {"type": "UserAssigned", "userAssignedIdentities": shape}},)


def _datastore(shape: object) -> tuple[raw.Raw, ...]:
    return ({"id": f"{WORKSPACE}/datastores/odd", "name": "odd", "properties": shape},)


def _connection(shape: object) -> tuple[raw.Raw, ...]:
    return ({"id": f"{WORKSPACE}/connections/odd", "name": "odd", "properties": shape},)


def _identity(shape: object) -> tuple[raw.Raw, ...]:
    """An identity whose own properties are none, and an endpoint that says no more than that it has it."""
    attached = {"type": "UserAssigned", "userAssignedIdentities": {str(SHARED.resource): {}}}
    properties = {"id": str(SHARED.resource), "name": "shared", "properties": shape}
    return raw.endpoint("odd") | {"identity": attached}, properties


def _registry(shape: object) -> tuple[raw.Raw, ...]:
    return ({"id": str(REGISTRY), "name": REGISTRY.name, "properties": shape},)


async def _swept(*broken: raw.Raw) -> App:
    one = _estate(*broken)
    await sweep.handle(one.services)
    await work_off(one)
    return one


def _is_looked_at(one: App) -> bool:
    return all(one.azure.holders("AcrPull", registry_id(f"acrml{name}")) for name in OTHERS)


def _found(one: App) -> bool:
    """Whether a finding is about the broken workspace or what it uses."""
    about = tuple(str(scope).lower() for scope in (WORKSPACE, REGISTRY, SHARED.resource))
    rows = [row for row in one.audit.findings() if row["RuleId"] != "endpoint-traffic-logs"]
    return any(row["ResourceId"].lower().startswith(about) for row in rows)


@pytest.mark.parametrize("shape", [[1], "x", 5])
@pytest.mark.parametrize(
    "broken",
    [
        _attached,
        _datastore,
        _identity,
        _connection,
        _registry,
    ],
)
async def test_what_has_no_shape_costs_its_workspace_a_finding(broken: Broken, shape: object) -> None:
    """misshapen_identity_fails_a_whole_shard.py: AttributeError, and the whole shard failed with it, five times."""
    one = await _swept(*broken(shape))
    assert _is_looked_at(one)
    assert one.poison == []
    assert _found(one)


@pytest.mark.parametrize("shape", [[1], "x", 5])
@pytest.mark.parametrize("broken", [_attached, _datastore])
async def test_an_event_about_what_has_no_shape_finds_it(broken: Broken, shape: object) -> None:
    one = _estate(*broken(shape))
    assert await deliver(event(str(WORKSPACE)), one) is None
    assert _found(one)


class _Faulty(FakeAzure):
    """A mistake of amlguard's own, of a kind that nobody expects, about one workspace."""

    async def children(self, parent: Scope, collection: str, *, pages: int | None = None) -> Sequence[raw.Raw] | None:
        if (parent, collection) == (WORKSPACE, "computes"):
            raise AttributeError("'list' object has no attribute 'get'")
        return await super().children(parent, collection, pages=pages)


async def test_a_mistake_about_one_workspace_costs_no_other_of_the_shard() -> None:
    one = _estate(azure=_Faulty())
    await sweep.handle(one.services)
    await work_off(one)
    assert _is_looked_at(one)
    told = [Scope.parse(row["ResourceId"]) for row in one.audit.findings() if row["RuleId"] == "poison-work"]
    assert told == [WORKSPACE]
    assert len(one.poison) == 1


class _GivenUp(FakeAzure):
    """What one workspace waits for is given up by somebody else."""

    async def children(self, parent: Scope, collection: str, *, pages: int | None = None) -> Sequence[raw.Raw] | None:
        if (parent, collection) == (WORKSPACE, "computes"):
            raise asyncio.CancelledError
        return await super().children(parent, collection, pages=pages)


async def test_a_cancellation_that_nobody_asked_for_is_a_failure() -> None:
    """No `Exception`, it would go through Microsoft's worker, which would then never answer the host."""
    one = _estate(azure=_GivenUp())
    with pytest.raises(AzureFailureError, match="Cancelled"):
        await look_now([WORKSPACE], one.services, Trigger())
    await sweep.handle(one.services)
    await work_off(one)
    assert _is_looked_at(one)


async def test_a_mistake_about_one_workspace_costs_no_other_of_the_message() -> None:
    one = _estate(azure=_Faulty())
    scopes = (WORKSPACE, *map(workspace_id, OTHERS))
    await one.queue.put(encode(Reconcile(tuple(map(str, scopes)))), timedelta())
    await work_off(one)
    assert _is_looked_at(one)
    assert [decode(each) for each in one.poison] == [Reconcile((str(WORKSPACE),))]


async def _dead_shard() -> App:
    """Each try of the sweep's one shard ends with its process, so that nothing of amlguard's sees it being given up."""
    one = app(raw.compute("cpu1", sai("cpu1")))
    await sweep.handle(one.services)
    given(await one.work(), "the workspaces are found, and one shard is on the queue")
    for _ in range(MOST_TRIES):
        one.troubles.crash_in = 2
        given(await one.work(), "the shard is tried")
        one.azure.advance(timedelta(minutes=1))
    one.restart()
    one.troubles.heal()
    given(one.poison and not one.queue.messages, "the host gave the shard up")
    return one


@pytest.mark.parametrize("hours", [1, 4])
async def test_a_sweep_that_a_person_fires_after_a_shard_died_looks(hours: int) -> None:
    one = await _dead_shard()
    one.azure.advance(timedelta(hours=hours))
    await sweep.handle(one.services)
    await work_off(one)
    assert one.azure.holders("AcrPull", REGISTRY) == {sai("cpu1").id}


async def test_a_shard_that_died_is_on_record() -> None:
    one = await _dead_shard()
    await calm(one)
    assert "poison-work" in {row["RuleId"] for row in one.audit.findings()}


async def test_a_sweep_after_one_that_is_done_looks() -> None:
    one = app()
    await sweep.handle(one.services)
    await work_off(one)
    one.azure.have(raw.compute("cpu1", sai("cpu1")))
    one.azure.advance(timedelta(hours=1))
    await sweep.handle(one.services)
    await work_off(one)
    assert one.azure.holders("AcrPull", REGISTRY) == {sai("cpu1").id}
