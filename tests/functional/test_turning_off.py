"""Grant before revoke: the switch-off of the admin user and the resync of the keys (law 5)."""

from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from datetime import timedelta
from typing import Self

import pytest
import raw
from app import C1, C2, SETTLE, WITHOUT_SETTLING, App, app, outcomes, waiting
from fakes import FakeAzure
from unit.build import (
    FOREIGN,
    GROUP,
    REGISTRY,
    ROLES,
    STORAGE,
    WORKSPACE,
    assigned,
    custom,
    registry_id,
    resource,
    sai,
    terms,
    workspace_id,
)

from handlers.look import look_now
from shared.access.asks import Property
from shared.access.permissions import RoleDefinition
from shared.access.plan_json import action, key
from shared.access.scope import Scope
from shared.access.terms import RunMode
from shared.audit_rows import Run
from shared.instructions import Instructions
from shared.messages import Resync, Trigger


class TestTheSwitchOff:
    def settled(self, *raws: raw.Raw) -> App:
        one = app(raw.compute("cpu1", C1), *raws)
        one.azure.assignments = [assigned(C1, "AcrPull", GROUP)]
        return one

    async def test_waits_for_the_settle_time_to_the_second(self) -> None:
        one = app(raw.compute("cpu1", C1))
        await one.run()
        one.azure.advance(SETTLE - timedelta(seconds=1))
        await one.run()
        assert one.azure.admin_user(REGISTRY)
        one.azure.advance(timedelta(seconds=1))
        await one.run()
        assert not one.azure.admin_user(REGISTRY)

    async def test_is_followed_by_the_resync_and_leaves_no_reminder(self) -> None:
        one = self.settled()
        await one.run()
        assert [entry.name for kind, entry in one.azure.journal if kind == "setting"] == [
            "adminUserEnabled",
            "cachedKeys",
        ]
        assert one.azure.stale_keys == set()
        assert one.queue.messages == []

    async def test_resyncs_every_workspace_on_the_registry_wherever_it_is(self) -> None:
        other = workspace_id("other", FOREIGN)
        one = self.settled(raw.workspace(sai("other"), on=other))
        one.azure.assignments += [assigned(sai("other"), "Contributor", REGISTRY)]
        await one.run()
        assert not one.azure.admin_user(REGISTRY)
        assert one.azure.stale_keys == set()

    async def test_happens_once_when_two_workspaces_on_the_registry_come_to_it_at_once(self) -> None:
        other = workspace_id("other")
        one = self.settled(raw.workspace(sai("other"), on=other))
        await look_now([WORKSPACE, other, WORKSPACE], one.services, Trigger())
        off = [entry for kind, entry in one.azure.journal if kind == "setting" and entry.name == "adminUserEnabled"]
        assert len(off) == 1
        assert len(one.audit.rows("Planned")) == len(one.audit.rows("Applied")) == 3

    async def test_waits_for_a_neighbour_that_resource_graph_does_not_know_yet(self) -> None:
        other = workspace_id("other")
        one = self.settled(raw.workspace(sai("other"), on=other), raw.compute("new", C2, on=other))
        one.azure.hidden = {other}
        await one.run()
        assert one.azure.admin_user(REGISTRY)
        await one.run(other)
        await one.settle()
        assert one.azure.holders("AcrPull", REGISTRY) == {C2.id}
        assert not one.azure.admin_user(REGISTRY)

    async def test_does_not_wait_for_a_workspace_that_left_the_registry(self) -> None:
        other, theirs = workspace_id("other"), registry_id("theirs")
        one = self.settled(raw.registry(theirs), raw.workspace(sai("other"), on=other, registry=theirs))
        one.azure.have(raw.endpoint("serve", on=other, provisioningState="Creating"))
        one.azure.remembered = [raw.workspace(sai("other"), on=other)]
        await one.run()
        assert not one.azure.admin_user(REGISTRY)
        assert one.azure.admin_user(theirs)

    async def test_a_reminder_that_cannot_be_taken_back_does_no_harm(self) -> None:
        one = self.settled()
        one.troubles.after["queue"] = 2
        result = await one.run()
        assert outcomes(one).count(("Setting", "Applied")) == 2
        assert waiting(one) == [Resync((str(WORKSPACE),), run=result.run.id)]
        await one.settle()
        assert one.queue.messages == []

    async def test_of_a_plan_document_brings_the_resync_of_a_workspace_that_came_later(self) -> None:
        one = self.settled()
        document = action((await one.services.reconciler.prepare(WORKSPACE)).settings[0])
        one.azure.have(raw.workspace(sai("other"), on=workspace_id("other")))
        only = replace(one.services.reconciler, instructions=Instructions(only=frozenset({key(document)})))
        await only.run(WORKSPACE, Run(RunMode.ENFORCE))
        assert not one.azure.admin_user(REGISTRY)
        assert one.azure.stale_keys == set()

    async def test_a_resync_that_fails_keeps_its_reminder_until_it_is_done(self) -> None:
        one = self.settled()
        one.troubles.after["write"] = 1
        result = await one.run()
        assert not one.azure.admin_user(REGISTRY)
        assert one.azure.stale_keys == {WORKSPACE}
        assert Resync((str(WORKSPACE),), run=result.run.id) in waiting(one)
        await one.settle()
        assert one.azure.stale_keys == set()
        assert one.queue.messages == []

    async def test_a_switch_off_that_azure_refuses_leaves_the_keys_and_no_reminder(self) -> None:
        one = self.settled()
        one.azure.forbidden = {Property.ADMIN_USER}
        await one.run()
        assert one.azure.admin_user(REGISTRY)
        assert outcomes(one) == [
            ("Setting", "Planned"),
            ("Setting", "Planned"),
            ("Setting", "Failed"),
            ("Setting", "Withheld"),
        ]
        assert one.queue.messages == []

    async def test_a_switch_off_that_azure_did_without_saying_so_is_followed_by_the_resync(self) -> None:
        one = self.settled()
        one.troubles.after["write"], one.troubles.too_late = 0, True
        await one.run()
        assert not one.azure.admin_user(REGISTRY)
        await one.settle()
        assert one.azure.stale_keys == set()

    async def test_a_queue_that_cannot_remember_the_resync_keeps_the_admin_user_on(self) -> None:
        one = self.settled(raw.endpoint("serve", C2, provisioningState="Succeeded"))
        one.azure.assignments += [assigned(C2, "AcrPull", GROUP)]
        one.troubles.down = {"queue"}
        assert not await one.event(WORKSPACE)
        assert one.azure.admin_user(REGISTRY)
        assert one.azure.holders("Storage Blob Data Reader", STORAGE) == {C2.id}
        assert ("Grant", "Applied") in outcomes(one)
        one.troubles.heal()
        assert await one.event(WORKSPACE)
        assert not one.azure.admin_user(REGISTRY)

    async def test_a_crash_between_the_switch_off_and_the_resync_is_made_good(self) -> None:
        one = self.settled()
        calls = 0
        while one.azure.admin_user(REGISTRY):
            one.troubles.crash_in = calls
            await one.event(WORKSPACE)
            calls += 1
        assert one.azure.stale_keys == {WORKSPACE}
        await one.settle()
        assert one.azure.stale_keys == set()

    async def test_is_not_tried_while_container_instances_depend_on_it(self) -> None:
        group = resource("Microsoft.ContainerInstance/containerGroups", "scoring", FOREIGN)
        one = self.settled(raw.resource(group, {"containers": [{"properties": {"image": "acrml.azurecr.io/m:1"}}]}))
        await one.run()
        assert one.azure.admin_user(REGISTRY)
        one.azure.lose(group)
        await one.run()
        assert not one.azure.admin_user(REGISTRY)

    async def test_rules_that_are_off_do_not_make_it_blind(self) -> None:
        # AML-21 and AML-42 are off, AML-22 is not: the endpoints still have to be read.
        one = app(raw.endpoint("serve", C2), off=["AML-21", "AML-42"], **WITHOUT_SETTLING)
        one.azure.have(
            raw.workspace(sai("mlw")) | {"systemData": {"createdAt": "2026-02-02T00:00:00Z"}},
            raw.registry(creationDate="2026-01-01T00:00:00Z"),
        )
        await one.run()
        assert one.azure.admin_user(REGISTRY)

    async def test_a_workspace_that_could_not_be_resynced_keeps_it_on(self) -> None:
        one = self.settled()
        one.azure.locks = [raw.lock(WORKSPACE)]
        await one.run()
        assert one.azure.admin_user(REGISTRY)


class _Believing(FakeAzure):
    """What was read before says that a custom role gives the pull. Read anew, it gives nothing."""

    anew = False

    def fresh(self) -> Self:
        other = copy(self)
        other.anew = True
        return other

    async def role_definitions(self, role_ids: frozenset[str], scope: Scope) -> Mapping[str, RoleDefinition]:
        known = dict(await super().role_definitions(role_ids, scope))
        mine = [one for one, role in known.items() if role.name.startswith("custom")]
        return known if self.anew else known | {one: replace(ROLES["AcrPull"], role_id=one) for one in mine}


@pytest.mark.parametrize("gives", [True, False])
async def test_a_switch_off_is_decided_by_what_is_read_anew(gives: bool) -> None:
    mine = custom("Microsoft.ContainerRegistry/registries/pull/read" if gives else "Microsoft.Compute/*/read")
    one = App(terms(settle=SETTLE), _Believing())
    one.azure.have(raw.workspace(sai("mlw")), raw.registry(), raw.storage(), raw.vault(), raw.compute("cpu1", C1))
    one.azure.roles[mine.role_id] = mine
    one.azure.assignments = [assigned(C1, mine, REGISTRY)]
    await one.run()
    assert one.azure.admin_user(REGISTRY) is not gives
