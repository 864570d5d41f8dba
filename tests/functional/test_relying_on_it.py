"""For whom undo looks whether they rely on what would go, and what it says of what nobody can tell."""

from typing import Any

import pytest
import raw
from app import App
from fakes import FakeAzure
from unit.build import (
    GROUP,
    OTHER_SUBSCRIPTION,
    REGISTRY,
    ROLES,
    VAULT,
    WORKSPACE,
    guid,
    registry_id,
    sai,
    terms,
    uai,
    workspace_id,
)

from shared.access.model import Principal
from shared.access.needs import VAULT_PERMISSIONS
from shared.access.own_assignments import assignment_name, description
from shared.access.permissions import RoleAssignment
from shared.access.scope import Scope
from shared.access.terms import RunMode
from shared.audit_rows import Phase, Run
from shared.ports import ReadFailedError
from shared.undo import Undo, Undoing
from shared.writing.journal import Journal

RUN = guid("some run")
C1, COMPUTE = sai("cpu1"), WORKSPACE.child("computes", "cpu1")
NEXT = workspace_id("next")
PULL = ROLES["AcrPull"].role_id
ABROAD = registry_id("abroad", OTHER_SUBSCRIPTION.child("resourceGroups", "rg"))


class _Azure(FakeAzure):
    """`closed` is a list that does not answer now, or that the person may not read."""

    closed = ""
    forbidden_to_read = False

    async def children(self, parent: Scope, collection: str, *, pages: int | None = None) -> Any:
        if collection == self.closed:
            raise ReadFailedError(f"list {collection}", "X", "no answer", forbidden=self.forbidden_to_read)
        return await super().children(parent, collection, pages=pages)


def _world(*raws: raw.Raw, **policy: Any) -> tuple[App, _Azure]:
    azure = _Azure(logged=True)
    azure.have(raw.workspace(sai("mlw")), raw.registry(admin_user=False), raw.storage(), raw.vault())
    azure.have(raw.compute("cpu1", C1), *raws)
    return App(terms(**policy), azure), azure


def _granted(one: App, holder: Principal = C1, scope: Scope = REGISTRY, **columns: Any) -> str:
    """The run granted it for the compute, and it is on record. Returns the action's id."""
    name = assignment_name(scope, holder.id, PULL)
    at = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"
    said = description("compute-pull", ("AML-18",), RUN, COMPUTE, holder.resource)
    one.azure.assignments.append(RoleAssignment(at, scope, holder.id, PULL, description=said))
    _on_record(one, RoleDefinitionId=f"/x/{PULL}", RoleAssignmentId=at, PrincipalId=holder.id, **columns)
    return name


def _on_record(one: App, **columns: Any) -> None:
    at = str(columns.get("RoleAssignmentId")).partition("/providers/Microsoft.Authorization")[0]
    row = {"RunId": RUN, "ActionId": guid(str(columns)), "Action": "Grant", "RuleId": "compute-pull", "Scope": at}
    row |= {"ResourceId": str(COMPUTE), "Outcome": "Applied", "Reason": "why"}
    one.azure.journal.append(("AmlGuardRemediation_CL", row | columns))


def _switched_off(one: App, outcome: str = "Applied") -> None:
    said = {"Action": "Setting", "Property": "adminUserEnabled", "From": "true", "To": "false"}
    _on_record(one, **said, ResourceId=str(REGISTRY), PrincipalId="", Outcome=outcome)


async def _prepared(one: App) -> Undoing:
    return await Undo(one.azure, Journal(one.audit), one.store, one.terms).prepare([RUN])


async def test_for_whom_it_was_made_nobody_relies_on_it() -> None:
    one, _ = _world()
    _granted(one, From="false")
    assert (await _prepared(one)).kept == {}


@pytest.mark.parametrize("registry", [REGISTRY, ABROAD], ids=["of the registry", "of the identity"])
async def test_another_workspace_that_has_come_to_hold_it_does(registry: Scope) -> None:
    """It is found as a user of the registry; or, where Resource Graph does not know it yet, as one of the identity."""
    both = uai("both")
    one, azure = _world(raw.registry(ABROAD, admin_user=False), allow=(ABROAD,))
    azure.have(*(raw.workspace(sai(at.name), on=at, registry=registry) for at in (WORKSPACE, NEXT)))
    azure.have(raw.compute("cpu1", both), raw.compute("cpu9", both, on=NEXT))
    azure.hidden = {WORKSPACE, NEXT}
    name = _granted(one, both, registry, From="false")
    (said,) = (await _prepared(one)).kept[name]
    assert f"from {registry.name} (" in said
    azure.lose(NEXT.child("computes", "cpu9"))
    assert (await _prepared(one)).kept == {}


async def test_a_workspace_of_the_run_is_asked_even_if_nothing_leads_to_it_any_more() -> None:
    """Resource Graph is late, and the registry lies in another subscription."""
    one, azure = _world(
        raw.workspace(sai("mlw"), registry=ABROAD), raw.registry(ABROAD, admin_user=False), allow=(ABROAD,)
    )
    azure.hidden = {WORKSPACE}
    name = _granted(one, scope=ABROAD, From="true")
    (said,) = (await _prepared(one)).kept[name]
    assert said.endswith("the admin user of abroad is off")
    azure.closed, azure.forbidden_to_read = "computes", True
    assert (await _prepared(one)).kept == {}
    azure.forbidden_to_read = False
    with pytest.raises(ReadFailedError):
        await _prepared(one)


async def test_a_user_of_the_registry_that_may_not_be_read_stops_all_of_it() -> None:
    """Nobody can tell whether it relies on the grant."""
    one, azure = _world()
    _granted(one, From="false")
    azure.closed, azure.forbidden_to_read = "computes", True
    with pytest.raises(ReadFailedError):
        await _prepared(one)


async def test_another_workspace_with_the_identity_relies_on_its_access_policy() -> None:
    me = uai("mine")
    primary: dict[str, Any] = {"primaryUserAssignedIdentity": str(me.resource)}
    one, azure = _world(raw.workspace(me, **primary), raw.workspace(me, on=NEXT, **primary))
    kinds: dict[str, list[str]] = {}
    for each in sorted(VAULT_PERMISSIONS):
        kinds.setdefault(each.partition("/")[0], []).append(each.partition("/")[2])
    azure.resources[VAULT]["properties"]["accessPolicies"] = [{"objectId": me.id, "permissions": kinds}]
    said = {"Action": "Setting", "Property": "accessPolicies", "From": "absent", "To": "present"}
    added = {"AddedPermissions": sorted(VAULT_PERMISSIONS), "NeededBy": [str(WORKSPACE)]}
    _on_record(one, **said, **added, ResourceId=str(VAULT), PrincipalId=me.id, RuleId="workspace-vault-policies")
    ((why,),) = (await _prepared(one)).kept.values()
    assert "kvml" in why


class TestWhatMayNotHaveBeenDone:
    """The intent is on record, and no outcome."""

    async def test_that_an_admin_user_is_off_may_be_anybodys_doing(self) -> None:
        one, azure = _world()
        name = _granted(one, From="true")
        _switched_off(one, "Planned")
        found = await _prepared(one)
        assert [each.done.action_id for each in found.steps if each.done.action_id in found.unclear] == [
            each.done.action_id for each in found.steps if each.done.setting
        ]
        assert found.kept.keys() == {name, *found.unclear}
        outcomes = await Undo(one.azure, Journal(one.audit), one.store, one.terms).carry_out(
            found, Run(RunMode.ENFORCE)
        )
        assert [outcome.phase for _, outcome in outcomes] == [Phase.WITHHELD] * 2
        assert not azure.admin_user(REGISTRY)

    async def test_what_is_as_it_was_before_is_not_unclear(self) -> None:
        one, azure = _world()
        _switched_off(one, "Planned")
        azure.resources[REGISTRY]["properties"]["adminUserEnabled"] = True
        found = await _prepared(one)
        assert (found.kept, found.unclear) == ({}, frozenset())

    async def test_a_grant_shows_itself_that_the_run_made_it(self) -> None:
        one, _ = _world()
        _granted(one, From="false", Outcome="Planned")
        found = await _prepared(one)
        assert (found.kept, found.unclear) == ({}, frozenset())


async def test_an_admin_user_that_comes_back_serves_those_that_lose_the_grant() -> None:
    one, _ = _world()
    _granted(one, From="true")
    _switched_off(one)
    assert (await _prepared(one)).kept == {}


async def test_one_that_a_guard_keeps_back_does_not() -> None:
    one, azure = _world()
    name = _granted(one, From="true")
    _switched_off(one)
    azure.group_tags[GROUP] = {"amlguard": "off"}
    found = await _prepared(one)
    assert found.kept.keys() == {name}
    assert [said.guard for said in found.withheld.values()] == ["kill-switch"]
