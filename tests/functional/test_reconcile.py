"""The reconciler over the fakes: what is in Azure, on the log and on the queue afterwards."""

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
import raw
from app import App
from fakes import FakeAzure
from unit.build import (
    FOREIGN,
    GROUP,
    MANAGEMENT_GROUP,
    NOW,
    OTHER_SUBSCRIPTION,
    REGISTRY,
    ROLES,
    STORAGE,
    SUBSCRIPTION,
    VAULT,
    WORKSPACE,
    assigned,
    custom,
    denied,
    guid,
    registry_id,
    resource,
    sai,
    terms,
    uai,
    workspace_id,
)

from shared.access.asks import Property
from shared.access.guardrails import Action, Boundary
from shared.access.needs import VAULT_PERMISSIONS
from shared.access.outcomes import Setting
from shared.access.scope import Scope
from shared.audit_rows import Phase
from shared.ports import AuditFailedError, AzureFailureError, ReadFailedError
from shared.work import Reconcile, Record, Resync, decode

C1, C2 = sai("ws/computes/c1"), sai("ws/computes/c2")
SETTLE = timedelta(minutes=15)
WITHOUT_SETTLING = {"settle": timedelta()}


def app(*raws: raw.Raw, **policy: Any) -> App:
    """A workspace, its registry with the admin user on, storage and vault; and what else is given."""
    one = App(terms(**policy))
    one.azure.have(raw.workspace(sai("ws")), raw.registry(), raw.storage(), raw.vault(), *raws)
    return one


def outcomes(one: App) -> list[tuple[str, str]]:
    return [(row["Action"], row["Outcome"]) for row in one.audit.rows()]


def waiting(one: App) -> list[object]:
    return [decode(message.body) for message in one.queue.messages]


class TestTheMainJob:
    async def test_a_cluster_gets_acrpull_then_the_admin_user_goes_off_and_the_keys_are_resynced(self) -> None:
        one = app(raw.compute("c1", C1))
        await one.run()
        assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}
        assert one.azure.admin_user(REGISTRY)
        await one.settle()
        assert not one.azure.admin_user(REGISTRY)
        assert one.azure.stale_keys == set()
        assert one.azure.clock >= NOW + SETTLE
        assert one.queue.messages == []

    async def test_every_write_has_its_planned_row_before_and_one_outcome_after(self) -> None:
        one = app(raw.compute("c1", C1), raw.compute("c2", C2))
        await one.run()
        await one.settle()
        kinds = [
            (kind, entry.action_id if kind in ("grant", "setting") else entry) for kind, entry in one.azure.journal
        ]
        writes = [(at, entry) for at, (kind, entry) in enumerate(kinds) if kind in ("grant", "setting")]
        assert len(writes) == 4
        for at, action in writes:
            before = [
                entry["Outcome"] for _, entry in kinds[:at] if isinstance(entry, dict) and entry["ActionId"] == action
            ]
            after = [
                entry["Outcome"] for _, entry in kinds[at:] if isinstance(entry, dict) and entry["ActionId"] == action
            ]
            assert before[-1:] == ["Planned"]
            assert after == ["Applied"]

    async def test_a_second_run_changes_and_records_nothing(self) -> None:
        one = app(raw.compute("c1", C1))
        await one.run()
        await one.settle()
        before = list(one.azure.journal)
        await one.run()
        assert one.azure.journal == before

    async def test_without_a_settle_time_all_is_done_in_one_run(self) -> None:
        one = app(raw.compute("c1", C1), **WITHOUT_SETTLING)
        result = await one.run()
        assert not one.azure.admin_user(REGISTRY)
        assert [o.phase for o in result.outcomes] == [Phase.APPLIED] * 3
        assert one.queue.messages == []

    async def test_a_grant_says_why_it_is_there(self) -> None:
        one = app(raw.compute("c1", C1))
        result = await one.run()
        (made,) = one.azure.assignments
        on = f"{WORKSPACE}/computes/c1"
        assert made.description == f"amlguard: compute-pull (AML-18, AML-19), run {result.run.id}, for {on}"

    async def test_a_workspace_that_is_not_there_needs_nothing(self) -> None:
        one = app()
        result = await one.run(workspace_id("gone"))
        assert result.outcomes == ()
        assert one.azure.journal == []

    async def test_an_access_policy_is_added_to_those_that_are_there(self) -> None:
        me = uai("ws-id")
        one = App(terms(on=["AML-07"]))
        vault = raw.vault()
        vault["properties"]["accessPolicies"] = [{"objectId": guid("theirs"), "permissions": {"secrets": ["get"]}}]
        properties = {"primaryUserAssignedIdentity": str(me.resource)}
        one.azure.have(raw.workspace(me, registry=None, **properties), vault, raw.storage())
        await one.run()
        assert [p["objectId"] for p in vault["properties"]["accessPolicies"]] == [guid("theirs"), me.id]
        added = vault["properties"]["accessPolicies"][1]["permissions"]
        assert {f"{kind}/{name}" for kind, names in added.items() for name in names} == VAULT_PERMISSIONS
        assert one.azure.holders("Contributor", VAULT) == {me.id}

    async def test_a_change_that_fails_to_read_first_is_put_off_and_the_rest_is_recorded(self) -> None:
        class Unreadable(FakeAzure):
            async def change(self, setting: Setting) -> None:
                raise ReadFailedError(f"read {setting.resource.name}", "ServiceUnavailable", "Azure answered 503")

        me = uai("ws-id")
        one = App(terms(on=["AML-07"]), azure=Unreadable())
        properties = {"primaryUserAssignedIdentity": str(me.resource)}
        one.azure.have(raw.workspace(me, registry=None, **properties), raw.vault(), raw.storage())
        await one.run()
        assert outcomes(one)[-3:] == [("Grant", "Applied"), ("Grant", "Applied"), ("Setting", "Deferred")]
        assert waiting(one) == [Reconcile((str(WORKSPACE),), attempt=1)]

    async def test_a_user_assigned_identity_of_which_arm_says_nothing_is_looked_up(self) -> None:
        holder = uai("id")
        compute = raw.compute("c1", holder)
        compute["identity"]["userAssignedIdentities"] = {str(holder.resource): {}}
        one = app(compute, raw.user_identity(holder))
        await one.run()
        assert one.azure.holders("AcrPull", REGISTRY) == {holder.id}

    async def test_an_aks_cluster_pulls_as_its_kubelet(self) -> None:
        one = app(raw.cluster(), raw.compute("aks", kind="AKS", resourceId=raw.cluster()["id"]))
        await one.run()
        assert one.azure.holders("AcrPull", REGISTRY) == {guid("kubelet")}


class TestReportMode:
    async def test_writes_nothing_and_yields_the_same_plan(self) -> None:
        reporting = app(raw.compute("c1", C1), raw.compute("c2"), mode=Action.REPORT)
        enforcing = app(raw.compute("c1", C1), raw.compute("c2"))
        reported, enforced = await reporting.run(), await enforcing.run()
        assert reported.plan == enforced.plan
        assert reporting.azure.assignments == []
        assert not [kind for kind, _ in reporting.azure.journal if kind in ("grant", "setting")]
        assert reporting.queue.messages == []
        assert {row["Mode"] for row in reporting.audit.rows()} == {"report"}


class TestUnknownIsNotEmpty:
    @pytest.mark.parametrize("reads", range(12))
    async def test_a_read_that_fails_stops_the_run_before_anything_is_written(self, reads: int) -> None:
        one = app(raw.compute("c1", C1))
        one.azure.assignments = [assigned(C1, "AcrPull", GROUP)]
        one.azure.advance(timedelta(days=1))
        one.troubles.after["read"] = reads
        with pytest.raises(ReadFailedError):
            await one.run()
        assert one.azure.journal == []
        assert one.azure.admin_user(REGISTRY)

    async def test_a_dependency_that_is_no_arm_id_is_a_failed_read(self) -> None:
        one = app(raw.workspace(registry=None, containerRegistry="no id"))
        with pytest.raises(ReadFailedError):
            await one.run()

    async def test_what_is_held_through_a_nested_group_is_held(self) -> None:
        one = app(raw.compute("c1", C1))
        one.azure.groups = {guid("inner"): {C1.id}, guid("outer"): {guid("inner")}}
        one.azure.assignments = [assigned("outer", "AcrPull", REGISTRY)]
        await one.run()
        assert one.azure.holders("AcrPull", REGISTRY) == {guid("outer")}

    async def test_what_a_management_group_above_gives_is_held(self) -> None:
        one = app(raw.compute("c1", C1))
        one.azure.assignments = [assigned(C1, "Reader", MANAGEMENT_GROUP)]
        await one.run()
        assert one.azure.holders("AcrPull", REGISTRY) == set()
        assert not one.azure.admin_user(REGISTRY)

    async def test_a_workspace_that_goes_while_it_is_read_is_a_failed_read(self) -> None:
        class Vanishing(FakeAzure):
            async def children(
                self, parent: Scope, collection: str, *, first_page: bool = False
            ) -> Sequence[raw.Raw] | None:
                rows = await super().children(parent, collection, first_page=first_page)
                return None if parent == WORKSPACE else rows

        one = App(azure=Vanishing())
        one.azure.have(raw.workspace(), raw.registry(), raw.storage(), raw.compute("c1", C1))
        with pytest.raises(ReadFailedError):
            await one.run()
        assert one.azure.admin_user(REGISTRY)

    async def test_a_role_that_is_gone_gives_nothing(self) -> None:
        one = app(raw.compute("c1", C1))
        one.azure.assignments = [assigned(C1, custom("*"), REGISTRY)]
        await one.run()
        assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}

    async def test_a_custom_role_gives_what_it_says(self) -> None:
        mine = custom("Microsoft.ContainerRegistry/registries/pull/read")
        one = app(raw.compute("c1", C1))
        one.azure.roles[mine.role_id] = mine
        one.azure.assignments = [assigned(C1, mine, GROUP)]
        await one.run()
        assert one.azure.holders("AcrPull", REGISTRY) == set()

    async def test_a_deny_is_withheld_and_an_exclusion_from_it_counts(self) -> None:
        for excluded, holders in ((frozenset[str](), set[str]()), (frozenset({C1.id}), {C1.id})):
            one = app(raw.compute("c1", C1))
            deny = denied("*/read", at=GROUP)
            one.azure.denies = [
                type(deny)(deny.id, deny.name, deny.scope, deny.blocks, frozenset({guid("pullers")}), excluded)
            ]
            one.azure.groups = {guid("pullers"): {C1.id}}
            await one.run()
            assert one.azure.holders("AcrPull", REGISTRY) == holders
            assert ("Grant", "Withheld") in outcomes(one) or holders

    async def test_a_lock_is_seen_even_where_nobody_needs_a_grant(self) -> None:
        for level, stays in (("ReadOnly", True), ("CanNotDelete", False)):
            one = app()
            one.azure.locks = [raw.lock(GROUP, level)]
            await one.run()
            assert one.azure.admin_user(REGISTRY) is stays


class TestAcrossSubscriptions:
    """The registry is in another subscription, which the policy allows."""

    ACR = registry_id("acr", OTHER_SUBSCRIPTION.child("resourceGroups", "shared"))

    def app(self) -> App:
        one = App(terms(allow=(OTHER_SUBSCRIPTION,), **WITHOUT_SETTLING))
        one.azure.have(raw.workspace(registry=self.ACR), raw.registry(self.ACR), raw.storage(), raw.compute("c1", C1))
        return one

    async def test_a_management_group_above_the_one_says_nothing_of_the_other(self) -> None:
        one = self.app()
        one.azure.have(raw.compute("c2", C2), raw.endpoint("e", C2))  # brings the workspace's subscription in as well
        one.azure.assignments = [assigned(C2, "Reader", MANAGEMENT_GROUP)]
        await one.run()
        assert one.azure.holders("AcrPull", self.ACR) == {C1.id, C2.id}

    async def test_a_custom_role_is_read_where_it_is_known(self) -> None:
        mine = custom("*/pull/read")
        one = self.app()
        one.azure.have(raw.endpoint("e", C1))
        one.azure.roles[mine.role_id] = mine
        one.azure.assignable[mine.role_id] = OTHER_SUBSCRIPTION
        one.azure.assignments = [assigned(C1, mine, self.ACR)]
        await one.run()
        assert one.azure.holders("AcrPull", self.ACR) == set()

    async def test_its_locks_are_seen(self) -> None:
        one = self.app()
        one.azure.lose(WORKSPACE.child("computes", "c1"))
        one.azure.locks = [raw.lock(self.ACR)]
        await one.run()
        assert one.azure.admin_user(self.ACR)

    async def test_what_is_held_in_the_subscription_of_a_vault_that_turns_up_late_is_held(self) -> None:
        me = uai("ws-id")
        theirs = resource("Microsoft.KeyVault/vaults", "kv", OTHER_SUBSCRIPTION.child("resourceGroups", "shared"))
        one = App(terms(on=["AML-06"], allow=(OTHER_SUBSCRIPTION,)))
        properties = {"primaryUserAssignedIdentity": str(me.resource), "keyVault": str(theirs)}
        one.azure.have(raw.workspace(me, registry=None, **properties), raw.vault(theirs, rbac=True), raw.storage())
        one.azure.assignments = [
            assigned(me, "Contributor", OTHER_SUBSCRIPTION),
            assigned(me, "Key Vault Administrator", theirs),
        ]
        await one.run()
        assert one.azure.holders("Contributor", theirs) == set()


class TestTheRecord:
    async def test_a_log_that_is_down_stops_every_write(self) -> None:
        one = app(raw.compute("c1", C1), **WITHOUT_SETTLING)
        one.troubles.down = {"audit"}
        with pytest.raises(AuditFailedError):
            await one.run()
        assert one.azure.assignments == []
        assert one.azure.admin_user(REGISTRY)
        assert one.azure.journal == []

    async def test_afterwards_all_is_done_and_recorded_once(self) -> None:
        one = app(raw.compute("c1", C1), **WITHOUT_SETTLING)
        one.troubles.down = {"audit"}
        assert not await one.event(WORKSPACE)
        one.troubles.heal()
        assert await one.event(WORKSPACE)
        assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}
        assert outcomes(one).count(("Grant", "Planned")) == outcomes(one).count(("Grant", "Applied")) == 1

    async def test_an_outcome_that_the_log_does_not_take_waits_on_the_queue_and_is_not_lost(self) -> None:
        one = app(raw.compute("c1", C1))
        one.troubles.after["audit"] = 1
        await one.run()
        assert ("Grant", "Applied") not in outcomes(one)
        assert [type(work) for work in waiting(one)] == [Record, Reconcile]
        await one.settle(hours=0.1)
        assert outcomes(one).count(("Grant", "Applied")) == 1

    async def test_an_outcome_that_the_log_took_although_it_said_no_is_there_once(self) -> None:
        one = app(raw.compute("c1", C1))
        one.troubles.after["audit"], one.troubles.too_late = 1, True
        await one.run()
        assert ("Grant", "Applied") in outcomes(one)
        await one.settle(hours=0.1)
        assert outcomes(one).count(("Grant", "Applied")) == 1

    async def test_the_outcomes_of_a_whole_run_fit_on_the_queue(self) -> None:
        computes = [raw.compute(f"cluster-{i}", sai(f"cluster-{i}")) for i in range(50)]
        one = app(*computes)
        one.troubles.after["audit"] = 1
        await one.run()
        await one.settle(hours=0.2)
        assert outcomes(one).count(("Grant", "Applied")) == 50

    async def test_without_a_log_nothing_is_written(self) -> None:
        one = app(raw.compute("c1", C1))
        reconciler = one.services.reconciler
        blind = type(reconciler)(one.azure, None, one.queue, one.terms)
        with pytest.raises(AuditFailedError):
            await blind.run(WORKSPACE, (await one.run(workspace_id("gone"))).run)
        assert one.azure.assignments == []

    async def test_findings_are_recorded_in_their_own_table(self) -> None:
        one = app(raw.compute("c2"), raw.registry(admin_user=False))
        await one.run()
        assert [(row["RuleId"], row["Severity"]) for row in one.audit.findings()] == [("compute-identity", "high")]
        assert one.audit.rows() == []


class TestRefusals:
    async def test_one_refused_grant_does_not_stop_the_others(self) -> None:
        one = app(raw.compute("c1", C1), raw.endpoint("e", C2))
        one.azure.forbidden = {ROLES["Storage Blob Data Reader"].role_id}
        result = await one.run()
        assert one.azure.holders("AcrPull", REGISTRY) == {C1.id, C2.id}
        assert one.azure.holders("Storage Blob Data Reader", STORAGE) == set()
        (failed,) = [o for o in result.outcomes if o.phase is Phase.FAILED]
        assert "AuthorizationFailed" in failed.reason
        assert one.audit.rows("Failed")[0]["Reason"] == failed.reason

    @pytest.mark.parametrize("settle", [timedelta(), SETTLE])
    async def test_a_refused_pull_keeps_the_admin_user_on_and_is_not_tried_again_blindly(
        self, settle: timedelta
    ) -> None:
        one = app(raw.compute("c1", C1), settle=settle)
        one.azure.forbidden = {ROLES["AcrPull"].role_id}
        await one.run()
        assert one.queue.messages == []
        assert outcomes(one).count(("Grant", "Failed")) == 1
        assert one.azure.admin_user(REGISTRY)

    async def test_an_identity_that_has_not_replicated_is_waited_for(self) -> None:
        one = app(raw.compute("c1", C1))
        one.azure.unborn = {C1.id}
        result = await one.run()
        assert [o.phase for o in result.outcomes] == [Phase.DEFERRED]
        assert waiting(one) == [Reconcile((str(WORKSPACE),), attempt=1)]
        one.azure.unborn = set()
        await one.settle()
        assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}
        assert not one.azure.admin_user(REGISTRY)

    @pytest.mark.parametrize("settle", [timedelta(), SETTLE])
    async def test_the_wait_grows_and_ends_at_last(self, settle: timedelta) -> None:
        one = app(raw.compute("c1", C1), settle=settle)
        one.azure.unborn = {C1.id}
        await one.run()
        assert one.queue.messages[0].due == NOW + timedelta(minutes=1)
        await one.run(attempt=3)
        assert one.queue.messages[-1].due == NOW + timedelta(minutes=8)
        await one.settle(hours=48)
        assert one.queue.messages == []

    async def test_what_is_still_being_made_is_looked_at_again(self) -> None:
        one = app(raw.endpoint("e", provisioningState="Creating"))
        await one.run()
        assert waiting(one) == [Reconcile((str(WORKSPACE),), attempt=1)]
        one.azure.have(raw.endpoint("e", C2))
        await one.settle()
        assert one.azure.holders("AcrPull", REGISTRY) == {C2.id}

    async def test_a_wake_that_comes_a_moment_early_is_put_off_again(self) -> None:
        one = app(raw.compute("c1", C1))
        await one.run()
        (message,) = one.queue.messages
        one.queue.messages = []
        one.azure.clock = message.due - timedelta(seconds=1)
        await one.run(attempt=1)
        assert len(one.queue.messages) == 1

    async def test_a_cap_a_run(self) -> None:
        one = app(*(raw.compute(f"c{i}", sai(f"c{i}")) for i in range(5)), per_run=3)
        await one.run()
        assert len(one.azure.assignments) == 3
        assert {row["Guard"] for row in one.audit.rows("Withheld")} == {"cap"}
        await one.run()
        assert len(one.azure.assignments) == 5


class TestTheSwitchOff:
    def settled(self, *raws: raw.Raw) -> App:
        one = app(raw.compute("c1", C1), *raws)
        one.azure.assignments = [assigned(C1, "AcrPull", GROUP)]
        return one

    async def test_waits_for_the_settle_time_to_the_second(self) -> None:
        one = app(raw.compute("c1", C1))
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
        await one.run()
        assert not one.azure.admin_user(REGISTRY)
        assert one.azure.stale_keys == set()

    async def test_waits_for_a_neighbour_that_resource_graph_does_not_know_yet(self) -> None:
        other = workspace_id("other")
        one = self.settled(raw.workspace(sai("other"), on=other), raw.compute("n1", C2, on=other))
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
        one.azure.have(raw.endpoint("e", on=other, provisioningState="Creating"))
        one.azure.remembered = [raw.workspace(sai("other"), on=other)]
        await one.run()
        assert not one.azure.admin_user(REGISTRY)
        assert one.azure.admin_user(theirs)

    async def test_a_resync_that_fails_keeps_its_reminder_until_it_is_done(self) -> None:
        one = self.settled()
        one.troubles.after["write"] = 1
        await one.run()
        assert not one.azure.admin_user(REGISTRY)
        assert one.azure.stale_keys == {WORKSPACE}
        assert Resync((str(WORKSPACE),)) in waiting(one)
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
        one = self.settled(raw.endpoint("e", C2, provisioningState="Succeeded"))
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
        one = self.settled(raw.resource(group, {"containers": [{"properties": {"image": "acr.azurecr.io/m:1"}}]}))
        await one.run()
        assert one.azure.admin_user(REGISTRY)
        one.azure.lose(group)
        await one.run()
        assert not one.azure.admin_user(REGISTRY)

    async def test_rules_that_are_off_do_not_make_it_blind(self) -> None:
        # AML-21 and AML-42 are off, AML-22 is not: the endpoints still have to be read.
        one = app(raw.endpoint("e", C2), off=["AML-21", "AML-42"], **WITHOUT_SETTLING)
        one.azure.have(
            raw.workspace(sai("ws")) | {"systemData": {"createdAt": "2026-02-02T00:00:00Z"}},
            raw.registry(creationDate="2026-01-01T00:00:00Z"),
        )
        await one.run()
        assert one.azure.admin_user(REGISTRY)

    async def test_a_workspace_that_could_not_be_resynced_keeps_it_on(self) -> None:
        one = self.settled()
        one.azure.locks = [raw.lock(WORKSPACE)]
        await one.run()
        assert one.azure.admin_user(REGISTRY)


class TestTheDeadline:
    async def test_that_has_passed_is_a_timeout_before_anything_is_recorded(self) -> None:
        one = app(raw.compute("c1", C1))
        with pytest.raises(TimeoutError):
            await one.run(deadline=time.monotonic() - 1)
        assert one.azure.journal == []

    async def test_that_passes_while_azure_is_slow_leaves_the_rest_to_the_queue(self) -> None:
        one = app(raw.compute("c1", C1))
        deadline = time.monotonic() + 0.2
        inner = one.audit.record

        class Slow:
            async def record(self, table: str, rows: Any) -> None:
                await inner(table, rows)
                time.sleep(max(0.0, deadline - time.monotonic()))  # noqa: ASYNC251 - the log takes its time

        one.audit = Slow()  # type: ignore[assignment] - a log that is slow
        result = await one.run(deadline=deadline)
        assert [o.phase for o in result.outcomes] == [Phase.DEFERRED]
        assert one.azure.assignments == []
        assert waiting(one) == [Reconcile((str(WORKSPACE),), attempt=1)]


class TestTheBoundary:
    THEIRS = registry_id("theirs", FOREIGN)

    @pytest.mark.parametrize(
        ("policy", "granted"),
        [
            ({}, False),
            ({"allow": (FOREIGN,)}, True),
            ({"boundary": Boundary.SUBSCRIPTION}, True),
            ({"allow": (SUBSCRIPTION.child("resourceGroups", "other"),)}, False),
        ],
    )
    async def test_another_teams_registry(self, policy: dict[str, Any], granted: bool) -> None:
        one = App(terms(**policy))
        one.azure.have(raw.workspace(registry=self.THEIRS), raw.registry(self.THEIRS), raw.compute("c1", C1))
        await one.run()
        assert bool(one.azure.holders("AcrPull", self.THEIRS)) is granted
        assert bool(one.audit.rows("Withheld")) is not granted

    async def test_a_registry_that_is_gone_is_withheld(self) -> None:
        one = app(raw.compute("c1", C1))
        one.azure.lose(REGISTRY)
        await one.run()
        assert {row["Guard"] for row in one.audit.rows("Withheld")} == {"target-missing"}


async def test_the_sweep_reaches_what_events_would() -> None:
    one = app(raw.compute("c1", C1))
    await one.sweep()
    await one.settle()
    assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}
    assert not one.azure.admin_user(REGISTRY)


async def test_a_queue_that_is_down_fails_the_delivery_so_that_it_comes_again() -> None:
    one = app(raw.compute("c1", C1))
    one.troubles.down = {"queue"}
    with pytest.raises(AzureFailureError):
        await one.run()
    assert outcomes(one)[-1] == ("Grant", "Applied")
