"""The reconciler over the fakes: the main job, mode report, the trust boundary."""

from typing import Any

import pytest
import raw
from app import C1, C2, SETTLE, WITHOUT_SETTLING, App, app, outcomes, waiting
from fakes import FakeAzure
from unit.build import (
    FOREIGN,
    NOW,
    REGISTRY,
    SUBSCRIPTION,
    VAULT,
    WORKSPACE,
    assigned,
    guid,
    registry_id,
    sai,
    terms,
    uai,
    workspace_id,
)

from shared.access.actions import Setting
from shared.access.needs import VAULT_PERMISSIONS
from shared.access.terms import Boundary, RunMode
from shared.audit_rows import Phase
from shared.messages import Reconcile
from shared.ports import ReadFailedError


class TestTheMainJob:
    async def test_a_cluster_gets_acrpull_then_the_admin_user_goes_off_and_the_keys_are_resynced(self) -> None:
        one = app(raw.compute("cpu1", C1))
        await one.run()
        assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}
        assert one.azure.admin_user(REGISTRY)
        await one.settle()
        assert not one.azure.admin_user(REGISTRY)
        assert one.azure.stale_keys == set()
        assert one.azure.clock >= NOW + SETTLE
        assert one.queue.messages == []

    async def test_every_write_has_its_planned_row_before_and_one_outcome_after(self) -> None:
        one = app(raw.compute("cpu1", C1), raw.compute("cpu2", C2))
        await one.run()
        await one.settle()
        kinds = [
            (kind, entry.action_id if kind in ("grant", "setting") else entry) for kind, entry in one.azure.journal
        ]
        writes = [(at, entry) for at, (kind, entry) in enumerate(kinds) if kind in ("grant", "setting")]
        assert len(writes) == 4
        for at, written in writes:
            before = [
                entry["Outcome"] for _, entry in kinds[:at] if isinstance(entry, dict) and entry["ActionId"] == written
            ]
            after = [
                entry["Outcome"] for _, entry in kinds[at:] if isinstance(entry, dict) and entry["ActionId"] == written
            ]
            assert before[-1:] == ["Planned"]
            assert after == ["Applied"]

    async def test_a_second_run_changes_and_records_nothing(self) -> None:
        one = app(raw.compute("cpu1", C1))
        await one.run()
        await one.settle()
        before = list(one.azure.journal)
        await one.run()
        assert one.azure.journal == before

    async def test_without_a_settle_time_all_is_done_in_one_run(self) -> None:
        one = app(raw.compute("cpu1", C1), **WITHOUT_SETTLING)
        result = await one.run()
        assert not one.azure.admin_user(REGISTRY)
        assert [o.phase for o in result.outcomes] == [Phase.APPLIED] * 3
        assert one.queue.messages == []

    async def test_a_grant_says_why_it_is_there(self) -> None:
        one = app(raw.compute("cpu1", C1))
        result = await one.run()
        (made,) = one.azure.assignments
        on = f"{WORKSPACE}/computes/cpu1"
        assert made.description == f"amlguard: compute-pull (AML-18), run {result.run.id}, for {on}"

    async def test_a_workspace_that_is_not_there_needs_nothing(self) -> None:
        one = app()
        result = await one.run(workspace_id("gone"))
        assert result.outcomes == ()
        assert one.azure.journal == []

    async def test_an_access_policy_is_added_to_those_that_are_there(self) -> None:
        me = uai("mlw-id")
        one = App(terms(on=["AML-07"]))
        vault = raw.vault()
        vault["properties"]["accessPolicies"] = [{"objectId": guid("theirs"), "permissions": {"secrets": ["get"]}}]
        properties: raw.Raw = {"primaryUserAssignedIdentity": str(me.resource)}
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

        me = uai("mlw-id")
        one = App(terms(on=["AML-07"]), azure=Unreadable())
        properties: raw.Raw = {"primaryUserAssignedIdentity": str(me.resource)}
        one.azure.have(raw.workspace(me, registry=None, **properties), raw.vault(), raw.storage())
        await one.run()
        assert outcomes(one)[-3:] == [("Grant", "Applied"), ("Grant", "Applied"), ("Setting", "Deferred")]
        assert waiting(one) == [Reconcile((str(WORKSPACE),), attempt=1)]

    async def test_a_user_assigned_identity_of_which_arm_says_nothing_is_looked_up(self) -> None:
        holder = uai("uami")
        compute = raw.compute("cpu1", holder)
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
        reporting = app(raw.compute("cpu1", C1), raw.compute("cpu2"), mode=RunMode.REPORT)
        enforcing = app(raw.compute("cpu1", C1), raw.compute("cpu2"))
        reported, enforced = await reporting.run(), await enforcing.run()
        assert reported.plan == enforced.plan
        assert reporting.azure.assignments == []
        assert not [kind for kind, _ in reporting.azure.journal if kind in ("grant", "setting")]
        assert reporting.queue.messages == []
        assert {row["Mode"] for row in reporting.audit.rows()} == {"report"}


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
        ws = raw.workspace(sai("mlw"), registry=self.THEIRS)
        one.azure.have(ws, raw.registry(self.THEIRS), raw.compute("cpu1", C1))
        one.azure.automatic += [assigned(sai("mlw"), "Contributor", self.THEIRS)]
        await one.run()
        assert bool(one.azure.holders("AcrPull", self.THEIRS)) is granted
        assert bool(one.audit.rows("Withheld")) is not granted

    async def test_a_registry_that_is_gone_is_withheld(self) -> None:
        one = app(raw.compute("cpu1", C1))
        one.azure.lose(REGISTRY)
        await one.run()
        assert {row["Guard"] for row in one.audit.rows("Withheld")} == {"target-missing"}


async def test_the_sweep_reaches_what_events_would() -> None:
    one = app(raw.compute("cpu1", C1))
    await one.sweep()
    await one.settle()
    assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}
    assert not one.azure.admin_user(REGISTRY)
