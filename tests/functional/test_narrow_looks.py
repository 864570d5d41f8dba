"""Events, from the delivery to what is done: where what was touched decides, and where everybody is asked."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import raw
from app import C1, C2, App
from event_grid import event
from fakes import FakeAzure
from unit.build import FOREIGN, REGISTRY, WORKSPACE, assigned, registry_id, sai, terms, uai

from handlers import resource_changed
from shared.access.permissions import DenyAssignment
from shared.access.scope import Scope
from shared.memory import Memory
from shared.ports import AuditFailedError, ReadFailedError

E = sai("mlw/onlineEndpoints/serve")
COMPUTE, ENDPOINT = WORKSPACE.child("computes", "cpu1"), WORKSPACE.child("onlineEndpoints", "serve")


@dataclass(repr=False)
class Watched(FakeAzure):
    """`read` names what was read, by the last part of its address."""

    read: list[str] = field(default_factory=list)

    async def children(self, parent: Scope, collection: str, *, pages: int | None = None) -> Sequence[raw.Raw] | None:
        self.read.append(collection.rpartition("/")[2])
        return await super().children(parent, collection, pages=pages)

    async def resource(self, scope: Scope) -> raw.Raw | None:
        self.read.append(scope.resource_type.rpartition("/")[2])
        return await super().resource(scope)

    async def deny_assignments(self, subscription: Scope, principal_id: str | None) -> Sequence[DenyAssignment]:
        self.read.append("denyAssignments")
        return await super().deny_assignments(subscription, principal_id)


def place(*raws: raw.Raw, admin_user: bool = False, **policy: Any) -> tuple[App, Watched]:
    azure = Watched()
    one = App(terms(**policy), azure=azure)
    azure.have(raw.workspace(sai("mlw")), raw.registry(admin_user=admin_user), raw.storage(), raw.vault(), *raws)
    return one, azure


async def deliver(one: App, scope: Scope, verb: str = "write") -> None:
    await resource_changed.handle(event(str(scope), verb), one.services)


async def test_an_event_about_a_compute_reads_that_and_grants() -> None:
    one, azure = place(raw.compute("cpu1", C1), raw.endpoint("serve", E))
    await deliver(one, COMPUTE)
    assert azure.holders("AcrPull", REGISTRY) == {C1.id}
    lists = {"computes", "datastores", "onlineEndpoints", "connections", "deployments", "environments"}
    assert lists & {*azure.read} == {"computes", "datastores"}
    assert "diagnosticSettings" not in azure.read


async def test_with_nothing_to_do_it_takes_eight_requests() -> None:
    """docs/performance.md has the number: five computes and two endpoints, each with an identity of its own."""
    names = [f"computes/cpu{number}" for number in range(5)] + [f"onlineEndpoints/serve{number}" for number in range(2)]
    holders = {name: sai(name) for name in names}
    one, azure = place(
        *(raw.compute(name.rpartition("/")[2], holders[name]) for name in names[:5]),
        *(raw.endpoint(name.rpartition("/")[2], holders[name]) for name in names[5:]),
    )
    azure.assignments = [assigned(holder, "AcrPull", REGISTRY) for holder in holders.values()]
    await deliver(one, WORKSPACE.child("computes", "cpu0"))
    alike = {"workspaces", "computes", "datastores", "registries", "storageaccounts"}
    assert sorted(azure.read) == sorted([*alike, "roleAssignments", "locks", "denyAssignments"])
    assert one.audit.rows() == []


async def test_what_it_did_not_touch_is_for_the_sweep() -> None:
    one, azure = place(raw.compute("cpu1", C1), raw.endpoint("serve", E))
    await deliver(one, COMPUTE)
    assert await one.sweep()
    await one.settle(hours=1)
    assert azure.holders("AcrPull", REGISTRY) == {C1.id, E.id}


@pytest.mark.parametrize(
    ("touched", "verb"),
    [
        (WORKSPACE, "write"),
        (WORKSPACE.child("batchEndpoints", "batch"), "write"),
        (ENDPOINT.child("deployments", "d"), "write"),
        (COMPUTE, "delete"),
        (ENDPOINT, "delete"),
        (REGISTRY, "write"),
    ],
    ids=str,
)
async def test_whatever_else_changed_asks_everybody(touched: Scope, verb: str) -> None:
    one, azure = place(raw.compute("cpu1", C1), raw.endpoint("serve", E))
    await deliver(one, touched, verb)
    assert azure.holders("AcrPull", REGISTRY) == {C1.id, E.id}


async def test_all_computes_are_looked_at_so_that_a_burst_is_one_look() -> None:
    one, azure = place(raw.compute("cpu1", C1), raw.compute("cpu2", C2))
    await asyncio.gather(
        *(deliver(one, WORKSPACE.child("computes", name)) for name in ("cpu1", "cpu2", "cpu1", "cpu2"))
    )
    assert azure.holders("AcrPull", REGISTRY) == {C1.id, C2.id}
    assert azure.read.count("computes") == 1


async def test_a_burst_about_computes_and_endpoints_forgets_neither() -> None:
    one, azure = place(raw.compute("cpu1", C1), raw.endpoint("serve", E))
    await asyncio.gather(*(deliver(one, scope) for scope in (COMPUTE, ENDPOINT, COMPUTE, ENDPOINT)))
    assert azure.holders("AcrPull", REGISTRY) == {C1.id, E.id}


async def test_an_identity_that_others_have_asks_everybody() -> None:
    one, azure = place(raw.compute("cpu1", uai("one")), raw.endpoint("serve", uai("one")))
    await deliver(one, COMPUTE)
    assert azure.holders("AcrPull", REGISTRY) == {uai("one").id}
    assert "onlineEndpoints" in azure.read
    (row,) = [row for row in one.audit.rows("Applied") if row["Scope"] == str(REGISTRY)]
    assert sorted(row["NeededBy"]) == sorted([str(COMPUTE), str(ENDPOINT)])


async def test_an_identity_that_others_have_and_that_lacks_nothing_asks_nobody_else() -> None:
    one, azure = place(raw.compute("cpu1", uai("one")), raw.endpoint("serve", uai("one")))
    azure.assignments = [assigned(uai("one"), "AcrPull", REGISTRY)]
    await deliver(one, COMPUTE)
    assert "onlineEndpoints" not in azure.read


async def test_whoever_attached_an_identity_is_told_of() -> None:
    """AML-14: only the event knows who did it, so that no sweep tells later."""
    one, azure = place(raw.compute("cpu1", uai("one")))
    azure.assignments = [assigned(uai("one"), "AcrPull", REGISTRY)]
    await deliver(one, COMPUTE)
    assert "onlineEndpoints" not in azure.read
    assert "identity-attached-by" in {row["RuleId"] for row in one.audit.findings()}


async def test_an_admin_user_that_would_go_off_asks_everybody() -> None:
    """Law 15: the endpoint, which the event is not about, may be living on it."""
    one, azure = place(raw.compute("cpu1", C1), raw.endpoint("serve"), admin_user=True, settle=timedelta())
    await deliver(one, COMPUTE)
    assert "onlineEndpoints" in azure.read
    assert azure.admin_user(REGISTRY)


async def test_an_admin_user_that_nobody_needs_goes_off_after_an_event_about_a_compute() -> None:
    one, azure = place(raw.compute("cpu1", C1), admin_user=True, settle=timedelta())
    await deliver(one, COMPUTE)
    await one.settle(hours=1)
    assert not azure.admin_user(REGISTRY)


async def test_what_is_taken_back_asks_everybody() -> None:
    """The role that an endpoint needs was granted for it: the rules for computes would find nobody who asks for it."""
    one, azure = place(raw.compute("cpu1", C1), raw.endpoint("serve", E), on=["own-grants"])
    await deliver(one, WORKSPACE)
    assert azure.holders("AcrPull", REGISTRY) == {C1.id, E.id}
    azure.read.clear()
    await deliver(one, COMPUTE)
    assert azure.holders("AcrPull", REGISTRY) == {C1.id, E.id}
    azure.lose(ENDPOINT)
    await deliver(one, COMPUTE)
    assert azure.holders("AcrPull", REGISTRY) == {C1.id}


async def test_a_grant_that_the_allow_list_opens_asks_everybody() -> None:
    private = registry_id("private", FOREIGN)
    one, azure = place(raw.compute("cpu1", C1), raw.registry(private, admin_user=False), allow=(private,))
    named = {"category": "ContainerRegistry", "target": "private.azurecr.io", "metadata": {"ResourceId": str(private)}}
    azure.have(raw.resource(WORKSPACE.child("connections", "private"), named))
    await deliver(one, COMPUTE)
    assert azure.holders("AcrPull", private) == {C1.id}
    assert {"connections", "onlineEndpoints"} <= {*azure.read}


async def test_what_waits_is_looked_at_as_a_whole() -> None:
    """Two events put off one look: it must be about both."""
    one, azure = place(
        raw.compute("cpu1", provisioningState="Creating"), raw.endpoint("serve", provisioningState="Creating")
    )
    await deliver(one, COMPUTE)
    await deliver(one, ENDPOINT)
    azure.have(raw.compute("cpu1", C1), raw.endpoint("serve", E))
    azure.advance(timedelta(minutes=2))
    await one.settle(hours=1)
    assert azure.holders("AcrPull", REGISTRY) == {C1.id, E.id}


async def test_what_cannot_be_read_is_not_empty() -> None:
    one, azure = place(raw.compute("cpu1", C1))
    azure.unreadable.add("datastores")
    with pytest.raises(ReadFailedError):
        await deliver(one, COMPUTE)
    assert azure.holders("AcrPull", REGISTRY) == set()


async def test_a_finding_is_recorded_once_a_day_by_events_and_by_every_sweep() -> None:
    one, azure = place(raw.compute("cpu1"))
    for _ in range(3):
        await deliver(one, COMPUTE)
    assert [row["RuleId"] for row in one.audit.findings()] == ["compute-identity"]
    await deliver(one, WORKSPACE.child("computes", "another"))
    assert len(one.audit.findings()) == 1
    assert await one.sweep()
    await one.settle(hours=0.5)
    assert len(one.audit.findings()) == 2
    azure.advance(timedelta(days=1))
    await deliver(one, COMPUTE)
    assert len(one.audit.findings()) == 3


async def test_a_finding_that_changes_is_recorded_again() -> None:
    one, azure = place(raw.compute("cpu1"), raw.compute("cpu2"))
    await deliver(one, COMPUTE)
    azure.have(raw.compute("cpu1", C1))
    azure.lose(WORKSPACE.child("computes", "cpu2"))
    await deliver(one, COMPUTE)
    azure.have(raw.compute("cpu1", kind="ComputeInstance"))
    await deliver(one, COMPUTE)
    about = [row["Message"] for row in one.audit.findings() if row["ResourceId"] == str(COMPUTE)]
    assert len(about) == len(set(about)) == 2


async def test_what_another_process_recorded_is_not_known() -> None:
    one, _ = place(raw.compute("cpu1"))
    await deliver(one, COMPUTE)
    one.memory = Memory()
    await deliver(one, COMPUTE)
    assert len(one.audit.findings()) == 2


async def test_a_finding_that_the_log_did_not_take_is_recorded_by_the_next_event() -> None:
    one, _ = place(raw.compute("cpu1"))
    one.troubles.down = {"audit"}
    with pytest.raises(AuditFailedError):
        await deliver(one, COMPUTE)
    one.troubles.heal()
    await deliver(one, COMPUTE)
    assert [row["RuleId"] for row in one.audit.findings()] == ["compute-identity"]
