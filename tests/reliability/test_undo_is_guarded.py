"""A row is a claim: undo makes and changes only what a plan's guards would allow now."""

from collections.abc import Mapping
from copy import deepcopy
from datetime import date
from typing import Any

import pytest
import raw
from app import App, app
from fakes import FakeAzure
from reliability.host import undo
from unit.build import (
    FOREIGN,
    GROUP,
    LOOKALIKE,
    OTHER_SUBSCRIPTION,
    REGISTRY,
    ROLES,
    SUBSCRIPTION,
    VAULT,
    WORKSPACE,
    assigned,
    denied,
    guid,
    registry_id,
    resource,
    sai,
    terms,
    uai,
    workspace_id,
)

from shared.access.own_assignments import assignment_name, ours
from shared.access.scope import Scope
from shared.access.terms import Exemption, RuleMode, RuleTerms, RunMode
from shared.audit_rows import Run
from shared.ports import ReadFailedError
from shared.state.undone import Undone
from shared.undo import Undo
from shared.writing.journal import Journal

C1, STRANGER = sai("cpu1"), guid("stranger")
RUN = guid("some run")
ABROAD = registry_id("abroad", FOREIGN)
NEARBY = registry_id("nearby", LOOKALIKE)


def _app(**policy: Any) -> App:
    """The registries of two other groups are none of this workspace's."""
    one = app(
        raw.compute("cpu1", C1),
        raw.registry(ABROAD, admin_user=False),
        raw.registry(NEARBY, admin_user=False),
        **policy,
    )
    one.azure.resources[REGISTRY]["properties"]["adminUserEnabled"] = False
    one.azure.logged = True
    return one


def _claim(one: App, **columns: Any) -> None:
    """A row that somebody who may write to the log has put there."""
    row = {
        "TimeGenerated": "2026-11-28T00:00:00Z",
        "RunId": RUN,
        "ActionId": guid("some action"),
        "Requirements": [],
        "ResourceId": str(WORKSPACE),
        "Outcome": "Applied",
        "Reason": "x",
    }
    one.azure.journal.append(("AmlGuardRemediation_CL", row | columns))


def _removed(principal: str, role: str, scope: Scope, name: str = "") -> dict[str, Any]:
    role_id = ROLES[role].role_id
    name = name or assignment_name(scope, principal, role_id)
    return {
        "Action": "Removal",
        "RuleId": "own-grants",
        "PrincipalId": principal,
        "RoleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{role_id}",
        "RoleAssignmentId": f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}",
        "Scope": str(scope),
    }


def _switched_off(registry: Scope) -> dict[str, Any]:
    return {
        "Action": "Setting",
        "RuleId": "registry-admin-user",
        "ResourceId": str(registry),
        "Property": "adminUserEnabled",
        "From": "true",
        "To": "false",
        "Scope": str(registry),
        "PrincipalId": "",
    }


def _held(one: App, principal: str) -> list[tuple[str, str]]:
    return [
        (one.azure.roles[a.role_id].name, a.scope.name) for a in one.azure.assignments if a.principal_id == principal
    ]


async def test_what_a_run_may_have_removed_comes_again() -> None:
    """So that the rows below are refused for what they ask for, and not for a column."""
    one = _app()
    _claim(one, **_removed(C1.id, "AcrPull", REGISTRY))
    await undo(one, RUN)
    assert _held(one, C1.id) == [("AcrPull", REGISTRY.name)]


async def test_an_admin_user_that_a_run_may_have_turned_off_comes_again() -> None:
    one = _app()
    _claim(one, **_switched_off(REGISTRY))
    await undo(one, RUN)
    assert one.azure.admin_user(REGISTRY)


@pytest.mark.parametrize(
    ("role", "scope", "name"),
    [
        ("Owner", SUBSCRIPTION, guid("x")),
        ("Owner", SUBSCRIPTION, ""),
        ("Contributor", GROUP, ""),
        ("AcrPull", GROUP, ""),
    ],
)
async def test_no_row_makes_what_no_rule_gives(role: str, scope: Scope, name: str) -> None:
    """undo_grants_what_a_row_says.py: no guard looked at what a row 'Removal, Applied' names."""
    one = _app()
    _claim(one, **_removed(STRANGER, role, scope, name))
    await undo(one, RUN)
    assert _held(one, STRANGER) == []


@pytest.mark.parametrize("registry", [ABROAD, NEARBY], ids=["abroad", "nearby"])
async def test_no_row_makes_a_grant_beyond_the_boundary(registry: Scope) -> None:
    one = _app()
    _claim(one, **_removed(STRANGER, "AcrPull", registry))
    await undo(one, RUN)
    assert _held(one, STRANGER) == []


async def test_no_row_makes_a_grant_where_the_policy_does_not_look() -> None:
    one = _app(scopes=(LOOKALIKE,))
    _claim(one, **_removed(STRANGER, "AcrPull", REGISTRY))
    await undo(one, RUN)
    assert _held(one, STRANGER) == []


async def test_no_row_makes_a_grant_where_people_turned_amlguard_off() -> None:
    one = _app()
    one.azure.group_tags[GROUP] = {"amlguard": "off"}
    _claim(one, **_removed(STRANGER, "AcrPull", REGISTRY))
    await undo(one, RUN)
    assert _held(one, STRANGER) == []


@pytest.mark.parametrize("registry", [ABROAD, NEARBY], ids=["abroad", "nearby"])
async def test_no_row_turns_on_the_admin_user_of_any_registry(registry: Scope) -> None:
    one = _app()
    _claim(one, **_switched_off(registry))
    await undo(one, RUN)
    assert not one.azure.admin_user(registry)


OTHERS = workspace_id("theirs", LOOKALIKE)


def _guards(one: App) -> list[tuple[str, str]]:
    return [(row["Outcome"], row["Guard"]) for row in one.audit.rows() if row["RunId"] != RUN]


async def _refused(one: App, **columns: Any) -> tuple[str, ...]:
    """The guards that keep back what the row claims, and why a row is none of amlguard's. Nothing is changed."""
    before = deepcopy((one.azure.resources, one.azure.assignments))
    _claim(one, **columns)
    undoing = await Undo(one.azure, Journal(one.audit), one.store, one.terms).prepare([RUN])
    await undo(one, RUN, force=True)
    assert (one.azure.resources, one.azure.assignments) == before
    assert [each for each in _guards(one) if each[0] != "Planned"] == [
        ("Withheld", said.guard) for said in undoing.withheld.values()
    ]
    assert all(said.reason for said in undoing.withheld.values())
    return (*(said.guard for said in undoing.withheld.values()), *undoing.refused)


class TestGrants:
    async def test_a_stranger_gets_nothing_inside_the_boundary_either(self) -> None:
        assert await _refused(_app(), **_removed(STRANGER, "AcrPull", REGISTRY)) == ("not-asked-for",)

    async def test_a_user_assigned_identity_from_outside_is_none_of_the_workspaces(self) -> None:
        far = uai("far", LOOKALIKE)
        one = _app()
        one.azure.have(raw.compute("cpu2", far))
        assert await _refused(one, **_removed(far.id, "AcrPull", REGISTRY)) == ("identity-outside-boundary",)

    async def test_an_identity_of_another_workspace_is_none_of_this_one(self) -> None:
        one, theirs = _app(), sai("cpu9")
        one.azure.have(raw.workspace(sai("theirs"), on=OTHERS, registry=NEARBY), raw.compute("cpu9", theirs, on=OTHERS))
        assert await _refused(one, **_removed(theirs.id, "AcrPull", REGISTRY)) == ("not-asked-for",)

    async def test_what_only_the_row_names_has_to_be_allowed_by_name(self) -> None:
        """It lies in the workspace's own group, and the workspace does not depend on it."""
        beside = registry_id("beside")
        for allow, guards in (((), ("target-outside-boundary",)), ((beside,), ())):
            one = _app(allow=allow)
            one.azure.have(raw.registry(beside, admin_user=False))
            _claim(one, **_removed(C1.id, "AcrPull", beside))
            await undo(one, RUN)
            assert tuple(guard for outcome, guard in _guards(one) if outcome == "Withheld") == guards
            assert (C1.id in one.azure.holders("AcrPull", beside)) is (not guards)

    async def test_another_tenants_registry_no_policy_opens(self) -> None:
        abroad = registry_id("abroad", OTHER_SUBSCRIPTION.child("resourceGroups", "rg"))
        one = _app(allow=(abroad,))
        one.azure.tenants[OTHER_SUBSCRIPTION] = guid("their tenant")
        one.azure.have(raw.registry(abroad))
        assert await _refused(one, **_removed(C1.id, "AcrPull", abroad)) == ("cross-tenant",)

    async def test_a_role_whose_rule_is_off(self) -> None:
        one = _app()
        one.azure.have(raw.workspace(uai("mine"), primaryUserAssignedIdentity=str(uai("mine").resource)))
        row = _removed(uai("mine").id, "Contributor", REGISTRY)
        assert await _refused(one, **row) == ("not-asked-for",)

    @pytest.mark.parametrize("word", ["lock", "deny-assignment", "exemption", "report-mode", "conditional-assignment"])
    async def test_what_keeps_a_plan_from_it_keeps_undo_from_it(self, word: str) -> None:
        exempt = Exemption(REGISTRY, frozenset({"compute-pull"}), date(2030, 1, 1), "because")
        reports = {"compute-pull": RuleTerms(mode=RuleMode.REPORT)}
        said: dict[str, dict[str, Any]] = {
            "exemption": {"exemptions": (exempt,)},
            "report-mode": {"rules": reports},
        }
        one = _app(**said.get(word, {}))
        if word == "lock":
            one.azure.locks.append(raw.lock(REGISTRY))
        if word == "deny-assignment":
            one.azure.denies.append(denied("*", at=REGISTRY))
        if word == "conditional-assignment":
            one.azure.assignments.append(assigned(C1, "AcrPull", REGISTRY, condition="@Resource[x]"))
        assert await _refused(one, **_removed(C1.id, "AcrPull", REGISTRY)) == (word,)

    async def test_who_has_to_release_it_is_who_runs_undo(self) -> None:
        one = _app(rules={"compute-pull": RuleTerms(mode=RuleMode.APPROVE)})
        _claim(one, **_removed(C1.id, "AcrPull", REGISTRY))
        await undo(one, RUN)
        assert _held(one, C1.id) == [("AcrPull", REGISTRY.name)]

    async def test_it_carries_amlguards_marks_and_not_the_rows_words(self) -> None:
        """A line break in a rule's name would make it nobody's, so that it stayed for ever."""
        one = _app()
        _claim(one, **_removed(C1.id, "AcrPull", REGISTRY) | {"RuleId": "x\ny", "Requirements": ["x\ny"]})
        await undo(one, RUN)
        (made,) = [each for each in one.azure.assignments if each.principal_id == C1.id]
        assert ours(made)

    async def test_nothing_for_a_workspace_that_is_being_deleted(self) -> None:
        one = _app()
        leaving = raw.workspace(sai("mlw"), provisioningState="Deleting")
        one.azure.have(leaving, raw.compute("cpu1", C1, kind="Databricks"))
        assert await _refused(one, **_removed(C1.id, "AcrPull", REGISTRY)) == ("not-asked-for",)

    @pytest.mark.parametrize("name", ["cpu2", "cpu3"])
    async def test_it_says_for_whom_it_is_as_before(self, name: str) -> None:
        """Both have the identity. Neither pulls any more."""
        one, shared = _app(), uai("shared")
        one.azure.have(*(raw.compute(each, shared, kind="Databricks") for each in ("cpu2", "cpu3")))
        row = _removed(shared.id, "AcrPull", REGISTRY) | {"ResourceId": str(WORKSPACE.child("computes", name))}
        _claim(one, **row)
        await undo(one, RUN)
        (made,) = [each for each in one.azure.assignments if each.principal_id == shared.id]
        assert f"for {WORKSPACE.child('computes', name)}, as {shared.resource}" in str(made.description)

    async def test_a_workspace_that_nobody_may_read_is_a_refusal_and_no_failure(self) -> None:
        one = _app()
        _claim(one, **_removed(C1.id, "AcrPull", REGISTRY))
        closed = {"ResourceId": str(OTHERS), "ActionId": guid("other")}
        _claim(one, **_removed(STRANGER, "AcrPull", NEARBY) | closed)
        one.azure = _closed(one.azure, OTHERS)
        await undo(one, RUN)
        assert _held(one, C1.id) == [("AcrPull", REGISTRY.name)]
        assert ("Withheld", "unreadable") in _guards(one)

    async def test_that_azure_does_not_answer_is_a_failure(self) -> None:
        one = _app()
        _claim(one, **_removed(C1.id, "AcrPull", REGISTRY))
        one.troubles.down.add("read")
        with pytest.raises(ReadFailedError):
            await Undo(one.azure, Journal(one.audit), one.store, one.terms).prepare([RUN])

    async def test_that_the_workspace_cannot_be_read_now_is_a_failure_as_well(self) -> None:
        """Nobody has forbidden it: the next try may know."""
        one = _app()
        _claim(one, **_removed(C1.id, "AcrPull", REGISTRY))
        one.azure = _silent(one.azure, "computes")
        with pytest.raises(ReadFailedError):
            await Undo(one.azure, Journal(one.audit), one.store, one.terms).prepare([RUN])

    async def test_what_a_row_names_where_nobody_may_read_keeps_no_other_from_being_taken_back(self) -> None:
        one = _app()
        _claim(one, **_removed(C1.id, "AcrPull", REGISTRY))
        _claim(one, **_switched_off(ABROAD) | {"ActionId": guid("other")})
        one.azure = _closed(one.azure, ABROAD)
        undoing = await Undo(one.azure, Journal(one.audit), one.store, one.terms).prepare([RUN])
        await undo(one, RUN)
        assert _held(one, C1.id) == [("AcrPull", REGISTRY.name)]
        assert [str(ABROAD) in said and "may not be read" in said for said in undoing.refused] == [True]

    async def test_what_a_guard_keeps_back_is_not_remembered_as_undone(self) -> None:
        """Otherwise a forged row would keep the app from a change that is right."""
        one = _app(rules={"compute-pull": RuleTerms(mode=RuleMode.REPORT)})
        row = _removed(C1.id, "AcrPull", REGISTRY)
        assert await _refused(one, **row) == ("report-mode",)
        assert await Undone(one.store).marks() == {}


class TestTakingAway:
    """What a run made goes only by what Azure shows of it."""

    async def _made(self) -> tuple[App, str, Mapping[str, Any]]:
        one = _app()
        run = (await one.run()).run.id
        (row,) = [row for row in one.audit.rows("Applied") if row["Action"] == "Grant"]
        assert _held(one, C1.id) == [("AcrPull", REGISTRY.name)]
        return one, run, row

    @pytest.mark.parametrize(
        "forged",
        [
            {"Scope": str(GROUP)},
            {"PrincipalId": STRANGER},
            {"RoleDefinitionId": f"/x/{ROLES['Reader'].role_id}"},
            {"ResourceId": str(WORKSPACE.child("computes", "cpu2"))},
            {"RoleAssignmentId": str(REGISTRY)},
            {"RoleAssignmentId": str(WORKSPACE)},
        ],
        ids=["scope", "principal", "role", "resource", "no assignment", "a workspace"],
    )
    async def test_a_row_that_says_something_else_of_it_takes_nothing(self, forged: Mapping[str, str]) -> None:
        one, run, row = await self._made()
        one.azure.journal[:] = [("AmlGuardRemediation_CL", {**row, **forged})]
        before = deepcopy(one.azure.resources)
        await undo(one, run, force=True)
        assert _held(one, C1.id) == [("AcrPull", REGISTRY.name)]
        assert one.azure.resources == before

    async def test_a_resource_that_looks_like_an_assignment_is_none(self) -> None:
        """Whoever makes a resource writes its properties, and its id may be shown as any other's."""
        one = _app()
        name = assignment_name(REGISTRY, STRANGER, ROLES["AcrPull"].role_id)
        trap = WORKSPACE.child("datastores", name)
        one.azure.resources[trap] = {
            "id": str(trap),
            "properties": {
                "scope": str(REGISTRY),
                "principalId": STRANGER,
                "roleDefinitionId": f"/x/{ROLES['AcrPull'].role_id}",
                "description": f"amlguard: x (y), run {RUN}, for {WORKSPACE}",
            },
        }
        grant = {**_removed(STRANGER, "AcrPull", REGISTRY), "Action": "Grant", "RoleAssignmentId": str(trap)}
        (refused,) = await _refused(one, **grant)
        assert "is not a role assignment" in refused

    @pytest.mark.parametrize("together", [False, True])
    async def test_a_run_takes_nothing_that_another_run_made(self, together: bool) -> None:
        one, run, row = await self._made()
        one.azure.journal[:] = [("AmlGuardRemediation_CL", {**row, "RunId": RUN})]
        other = {**row, "ActionId": guid("x"), "RoleAssignmentId": str(REGISTRY), "RunId": run}
        one.azure.journal += [("AmlGuardRemediation_CL", other)] if together else []
        undoing = Undo(one.azure, Journal(one.audit), one.store, one.terms)
        prepared = await undoing.prepare([RUN, run] if together else [RUN])
        assert [each for each in prepared.steps if each.action] == []
        await undoing.carry_out(prepared, Run(RunMode.ENFORCE), force=True)
        assert _held(one, C1.id) == [("AcrPull", REGISTRY.name)]

    async def test_who_is_said_to_have_reverted_it_makes_no_difference(self) -> None:
        one, run, row = await self._made()
        one.azure.journal[:] = [("AmlGuardRemediation_CL", {**row, "ReversedBy": STRANGER})]
        await undo(one, run)
        assert _held(one, C1.id) == []

    async def test_another_action_of_the_rows_choice_is_not_held_back_from_now_on(self) -> None:
        """What was undone is not done again by itself: that must be what was undone, and not what a row names."""
        one, run, row = await self._made()
        other = assignment_name(REGISTRY, sai("cpu2").id, ROLES["AcrPull"].role_id)
        one.azure.journal[:] = [("AmlGuardRemediation_CL", {**row, "ActionId": other})]
        await undo(one, run)
        one.azure.have(raw.compute("cpu2", sai("cpu2")))
        one.restart()
        await one.run()
        assert _held(one, C1.id) == []
        assert _held(one, sai("cpu2").id) == [("AcrPull", REGISTRY.name)]


class TestSettings:
    async def test_a_registry_of_a_workspace_at_which_the_policy_does_not_look(self) -> None:
        one = _app(scopes=(GROUP,))
        one.azure.have(raw.workspace(sai("theirs"), on=OTHERS, registry=NEARBY))
        assert await _refused(one, **_switched_off(NEARBY)) == ("not-asked-for",)

    async def test_a_registry_outside_the_boundary_of_the_workspace_that_uses_it(self) -> None:
        one = _app()
        one.azure.have(raw.workspace(sai("mlw"), registry=NEARBY))
        assert await _refused(one, **_switched_off(NEARBY)) == ("target-outside-boundary",)

    async def test_another_tenants_registry(self) -> None:
        abroad = registry_id("abroad", OTHER_SUBSCRIPTION.child("resourceGroups", "rg"))
        one = _app(allow=(abroad,))
        one.azure.tenants[OTHER_SUBSCRIPTION] = guid("their tenant")
        one.azure.have(raw.registry(abroad, admin_user=False), raw.workspace(sai("mlw"), registry=abroad))
        assert await _refused(one, **_switched_off(abroad)) == ("cross-tenant",)

    @pytest.mark.parametrize("word", ["lock", "kill-switch"])
    async def test_what_forbids_any_change_forbids_this_one(self, word: str) -> None:
        one = _app()
        if word == "lock":
            one.azure.locks.append(raw.lock(REGISTRY))
        else:
            one.azure.group_tags[GROUP] = {"amlguard": "off"}
        assert await _refused(one, **_switched_off(REGISTRY)) == (word,)

    async def test_an_exemption_from_the_switch_off_does_not_keep_its_end_back(self) -> None:
        """Who exempts a registry wants the admin user on."""
        exempt = Exemption(REGISTRY, frozenset({"registry-admin-user"}), date(2030, 1, 1), "because")
        one = _app(exemptions=(exempt,))
        _claim(one, **_switched_off(REGISTRY))
        await undo(one, RUN)
        assert one.azure.admin_user(REGISTRY)

    async def test_while_its_admin_user_is_kept_back_the_grants_at_a_registry_stay(self) -> None:
        one = _app()
        one.azure.resources[REGISTRY]["properties"]["adminUserEnabled"] = True
        run = (await one.run()).run.id
        one.azure.resources[REGISTRY]["properties"]["adminUserEnabled"] = False
        _claim(one, **_switched_off(REGISTRY) | {"RunId": run})
        one.azure.group_tags[GROUP] = {"amlguard": "off"}
        await undo(one, run)
        assert not one.azure.admin_user(REGISTRY)
        assert _held(one, C1.id) == [("AcrPull", REGISTRY.name)]

    async def test_no_keys_are_resynced_but_of_workspaces_that_use_the_registry(self) -> None:
        one = _app()
        one.azure.have(raw.workspace(sai("theirs"), on=OTHERS, registry=NEARBY))
        one.azure.stale_keys = {OTHERS}
        _claim(one, **_switched_off(REGISTRY))
        for number, workspace in enumerate((WORKSPACE, OTHERS)):
            keys = {"Property": "cachedKeys", "From": "cached", "To": "resynced", "ResourceId": str(workspace)}
            _claim(one, **_switched_off(REGISTRY) | keys | {"ActionId": guid(f"keys {number}")})
        await undo(one, RUN)
        assert one.azure.admin_user(REGISTRY)
        assert one.azure.stale_keys == {OTHERS}


class TestAccessPolicies:
    ME = uai("mine")

    def _app(self) -> App:
        one = _app()
        one.azure.have(raw.workspace(self.ME, primaryUserAssignedIdentity=str(self.ME.resource)))
        return one

    def _may(self, one: App, who: str, **kinds: list[str]) -> None:
        one.azure.resources[VAULT]["properties"]["accessPolicies"].append({"objectId": who, "permissions": kinds})

    def _row(self, who: str, *added: str, **more: Any) -> dict[str, Any]:
        return {
            "Action": "Setting",
            "RuleId": "workspace-vault-policies",
            "ResourceId": str(VAULT),
            "Property": "accessPolicies",
            "From": f"missing: {', '.join(added)}",
            "To": "every permission except purge",
            "Scope": str(VAULT),
            "PrincipalId": who,
            "NeededBy": [str(WORKSPACE)],
            "AddedPermissions": list(added),
            **more,
        }

    async def test_what_it_may_have_added_goes_and_nothing_else(self) -> None:
        one = self._app()
        self._may(one, self.ME.id, keys=["get", "list"], secrets=["get"])
        _claim(one, **self._row(self.ME.id, "keys/list", "secrets/get"))
        await undo(one, RUN)
        (left,) = one.azure.resources[VAULT]["properties"]["accessPolicies"]
        assert left["permissions"] == {"keys": ["get"], "secrets": []}

    async def test_a_persons_permissions_stay(self) -> None:
        one = self._app()
        self._may(one, STRANGER, keys=["get"])
        assert await _refused(one, **self._row(STRANGER, "keys/get")) == ("not-asked-for",)

    @pytest.mark.parametrize("added", [("keys/purge",), ("keys/get", "storage/get"), ("", "keys/get")])
    async def test_what_amlguard_never_adds_it_did_not_add(self, added: tuple[str, ...]) -> None:
        one = self._app()
        self._may(one, self.ME.id, keys=["get", "purge"])
        (said,) = await _refused(one, **self._row(self.ME.id, *added))
        assert "no such permission" in said

    @pytest.mark.parametrize("reverse", [False, True])
    async def test_a_second_row_takes_no_more_than_the_first(self, reverse: bool) -> None:
        one = self._app()
        self._may(one, self.ME.id, keys=["get"], secrets=["get"])
        rows = [self._row(self.ME.id, "keys/get"), self._row(self.ME.id, "keys/get", "secrets/get")]
        for number, row in enumerate(reversed(rows) if reverse else rows):
            _claim(one, **row | {"ActionId": guid(f"{number}")})
        await undo(one, RUN)
        (left,) = one.azure.resources[VAULT]["properties"]["accessPolicies"]
        assert left["permissions"] == {"keys": [], "secrets": ["get"]}

    async def test_of_an_identity_from_outside_the_boundary(self) -> None:
        """It is attached to the workspace, by whoever may write that; the policy does not trust it."""
        one, far = self._app(), uai("far", LOOKALIKE)
        one.azure.have(raw.workspace(far, primaryUserAssignedIdentity=str(far.resource)))
        self._may(one, far.id, keys=["get"])
        assert await _refused(one, **self._row(far.id, "keys/get")) == ("identity-outside-boundary",)

    async def test_a_vault_outside_the_boundary(self) -> None:
        one, far = self._app(), resource("Microsoft.KeyVault/vaults", "far", LOOKALIKE)
        me = raw.workspace(self.ME, primaryUserAssignedIdentity=str(self.ME.resource), keyVault=str(far))
        one.azure.have(me, raw.vault(far))
        one.azure.resources[far]["properties"]["accessPolicies"] = [
            {"objectId": self.ME.id, "permissions": {"keys": ["get"]}}
        ]
        row = self._row(self.ME.id, "keys/get", ResourceId=str(far), Scope=str(far))
        assert await _refused(one, **row) == ("target-outside-boundary",)

    @pytest.mark.parametrize("word", ["lock", "kill-switch", "not-asked-for"])
    async def test_what_forbids_any_change_forbids_this_one(self, word: str) -> None:
        one = self._app()
        self._may(one, self.ME.id, keys=["get"])
        if word == "lock":
            one.azure.locks.append(raw.lock(VAULT))
        elif word == "kill-switch":
            one.azure.group_tags[GROUP] = {"amlguard": "off"}
        else:
            one.terms = terms(scopes=(LOOKALIKE,))
        assert await _refused(one, **self._row(self.ME.id, "keys/get")) == (word,)

    async def test_a_vault_that_the_workspace_does_not_use(self) -> None:
        one = self._app()
        other = resource("Microsoft.KeyVault/vaults", "theirs")
        one.azure.have(raw.vault(other))
        one.azure.resources[other]["properties"]["accessPolicies"] = [
            {"objectId": self.ME.id, "permissions": {"keys": ["get"]}}
        ]
        row = self._row(self.ME.id, "keys/get", ResourceId=str(other), Scope=str(other))
        assert await _refused(one, **row) == ("not-asked-for",)


@pytest.mark.parametrize(
    "odd",
    [
        {"ResourceId": 7},
        {"ResourceId": None},
        {"ActionId": "../.."},
        {"Action": []},
        {"Action": "Wait"},
        {"Action": "Setting", "Property": {}},
        {"NeededBy": "["},
        {"NeededBy": "[" * 100_000},
        {"NeededBy": ["nowhere"]},
        {"NeededBy": '{"a": 1}'},
        {"Requirements": 7},
        {"Scope": "/subscriptions/x/../y"},
        {"Scope": "x" * 100_000},
        {"RoleAssignmentId": "/"},
        {"RoleDefinitionId": None},
        {"PrincipalId": {"a": 1}},
    ],
    ids=lambda odd: str(odd)[:40],
)
async def test_what_no_row_holds_is_refused_and_said(odd: Mapping[str, Any]) -> None:
    one = _app()
    assert len(await _refused(one, **{**_removed(C1.id, "AcrPull", REGISTRY), **odd})) == 1


def _silent(azure: FakeAzure, collection: str) -> FakeAzure:
    """It does not answer to this list."""
    known = azure.children

    async def listed(parent: Scope, asked: str, *, pages: int | None = None) -> Any:
        if asked == collection:
            raise ReadFailedError(f"list {asked}", "ServiceUnavailable", "Azure answered 503")
        return await known(parent, asked, pages=pages)

    azure.children = listed  # type: ignore[method-assign, assignment]  # as above
    return azure


def _closed(azure: FakeAzure, scope: Scope) -> FakeAzure:
    """Whoever runs undo may not read there."""
    known = azure.resource

    async def read(one: Scope) -> Any:
        if scope.contains(one):
            raise ReadFailedError(f"read {one}", "AuthorizationFailed", "Azure answered 403", forbidden=True)
        return await known(one)

    azure.resource = read  # type: ignore[method-assign, assignment]  # rights of a person, which the fake does not have
    return azure
