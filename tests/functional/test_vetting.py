"""Which steps of an undo the guards allow now: what comes back is judged for a workspace that has to do with it."""

from dataclasses import replace
from typing import Any

import pytest
import raw
from app import App, app
from unit.build import (
    FOREIGN,
    GROUP,
    LOOKALIKE,
    MANAGEMENT_GROUP,
    REGISTRY,
    ROLES,
    VAULT,
    WORKSPACE,
    guid,
    registry_id,
    sai,
    workspace_id,
)

from shared.access.actions import Grant
from shared.access.asks import Property
from shared.access.model import Principal
from shared.access.own_assignments import assignment_name, description
from shared.access.scope import Scope
from shared.access.undo_steps import Done, Step, step
from shared.ports import ReadFailedError
from shared.reading.cached import CachedReads
from shared.vetted import Vet, Vetted

C1, COMPUTE = sai("cpu1"), WORKSPACE.child("computes", "cpu1")
PULL = ROLES["AcrPull"].role_id
RUN, NEXT = guid("run"), workspace_id("next", LOOKALIKE)


def _grant(scope: Scope = REGISTRY, on: Scope = COMPUTE, *, removed: bool = True) -> Done:
    at = scope.child("providers", "Microsoft.Authorization", "roleAssignments", assignment_name(scope, C1.id, PULL))
    return Done(RUN, "r", (), on, C1.id, PULL, at, scope, removed=removed)


def _setting(name: Property, on: Scope, before: str, after: str, **more: Any) -> Done:
    return Done(RUN, "r", (), on, more.pop("who", ""), setting=name, before=before, after=after, **more)


def _off(registry: Scope = REGISTRY) -> Step:
    return step(_setting(Property.ADMIN_USER, registry, "true", "false"), {"properties": {"adminUserEnabled": False}})


OFF = _off()
ON_AGAIN = step(OFF.done, {"properties": {"adminUserEnabled": True}})
AGAIN = step(_grant(), None)
KEYS = step(_setting(Property.CACHED_KEYS, WORKSPACE, "cached", "resynced"), {})
NEXT_KEYS = replace(KEYS, done=replace(KEYS.done, on=NEXT))


def _world(*raws: raw.Raw, **policy: Any) -> App:
    one = app(raw.compute("cpu1", C1), *raws, **policy)
    one.azure.resources[REGISTRY]["properties"]["adminUserEnabled"] = False
    return one


async def _vet(one: App, *steps: Step) -> Vetted:
    return await Vet(CachedReads(one.azure), one.terms).vet(steps)


async def _refused(one: App, given: Step, *others: Step) -> tuple[str, str]:
    """The guard and its reason. The step stays as it was."""
    found = await _vet(one, given, *others)
    assert found.steps[0] == given
    said = found.withheld[given.done.action_id]
    return said.guard, said.reason


async def test_what_is_taken_away_is_judged_by_nobody() -> None:
    """Azure itself shows that it is the run's. Nor is what there is nothing to do about."""
    made = {
        "id": str(_grant().target),
        "properties": {
            "scope": str(REGISTRY),
            "principalId": C1.id,
            "roleDefinitionId": f"/x/{PULL}",
            "description": description("r", (), RUN, COMPUTE, None),
        },
    }
    goes = step(_grant(removed=False), made)
    assert goes.action is not None
    assert await _vet(App(), goes, ON_AGAIN) == Vetted((goes, ON_AGAIN), {})


@pytest.mark.parametrize("kind", ["AmlCompute", "Databricks"])
async def test_a_grant_comes_back_as_the_plan_would_make_it(kind: str) -> None:
    """Also for what no rule asks about any more, and of which nothing was read until then."""
    one = _world(raw.compute("cpu1", C1, kind=kind))
    found = await _vet(one, AGAIN)
    ((made,), refused) = found.steps, found.withheld
    assert refused == {}
    assert made.done == AGAIN.done
    assert isinstance(made.action, Grant)
    assert (made.action.principal, made.action.scope) == (Principal(C1.id, made.action.principal.label), REGISTRY)
    assert made.action.rule != AGAIN.done.rule


async def test_an_admin_user_comes_back_with_the_keys_of_those_that_use_it() -> None:
    one = _world(raw.workspace(sai("next"), on=NEXT, registry=registry_id("theirs", LOOKALIKE)))
    found = await _vet(one, OFF, KEYS, NEXT_KEYS)
    assert found.steps == (OFF, KEYS, NEXT_KEYS)
    assert {name: said.guard for name, said in found.withheld.items()} == {NEXT_KEYS.done.action_id: "not-asked-for"}


async def test_no_keys_are_new_where_no_admin_user_comes_back() -> None:
    """It is on already; or the workspace has to do with something else that comes back."""
    one = _world()
    assert (await _refused(one, KEYS, ON_AGAIN))[0] == "not-asked-for"
    me = one.azure.resources[WORKSPACE]["identity"]["principalId"]
    held = {"accessPolicies": [{"objectId": me, "permissions": {"keys": ["get"]}}]}
    done = _setting(Property.ACCESS_POLICY, VAULT, "absent", "present", who=me, added=frozenset({"keys/get"}))
    policy = step(done, {"id": str(VAULT), "properties": held})
    found = await _vet(one, policy, KEYS)
    assert found.steps == (policy, KEYS)
    assert found.withheld.keys() == {KEYS.done.action_id}


@pytest.mark.parametrize("chosen", [WORKSPACE, NEXT], ids=["the first", "the second"])
async def test_one_of_the_workspaces_that_use_it_is_enough(chosen: Scope) -> None:
    """Whatever is said for the other one."""
    one = _world(raw.workspace(sai("next"), on=NEXT), scopes=(chosen.resource_group or chosen,), allow=(GROUP,))
    assert await _vet(one, OFF) == Vetted((OFF,), {})


async def test_a_workspace_at_which_the_policy_does_not_look_brings_nothing_back() -> None:
    one = _world(scopes=(LOOKALIKE,))
    for given in (AGAIN, OFF):
        guard, reason = await _refused(one, given)
        assert guard == "not-asked-for"
        assert f"do not choose {WORKSPACE}" in reason


async def test_a_policy_may_choose_it_by_a_management_group() -> None:
    one = _world(scopes=(MANAGEMENT_GROUP,))
    assert (await _vet(one, AGAIN, OFF)).withheld == {}


async def test_a_workspace_that_is_gone_brings_nothing_back() -> None:
    one = _world()
    one.azure.lose(WORKSPACE)
    for given in (AGAIN, OFF):
        guard, reason = await _refused(one, given)
        assert guard == "not-asked-for"
        assert "acrml: no workspace that amlguard can see" in reason


async def test_nor_does_what_is_no_part_of_a_workspace() -> None:
    guard, reason = await _refused(_world(), step(_grant(on=REGISTRY), None))
    assert guard == "not-asked-for"
    assert "a grant on acrml" in reason


async def test_what_the_guards_of_a_plan_hold_back_stays() -> None:
    one = _world()
    one.azure.locks.append(raw.lock(REGISTRY))
    assert (await _refused(one, AGAIN))[0] == "lock"
    assert (await _refused(one, OFF))[0] == "lock"


@pytest.mark.parametrize("group", [GROUP, FOREIGN], ids=["the workspace's", "the registry's"])
async def test_a_tag_of_either_group_stops_it(group: Scope) -> None:
    far = registry_id("farther", FOREIGN)
    one = _world(raw.registry(far, admin_user=False), raw.workspace(sai("mlw"), registry=far), allow=(FOREIGN,))
    off, again = _off(far), step(_grant(far), None)
    assert (await _vet(one, off, again)).withheld == {}
    one.azure.group_tags[group] = {"amlguard": "off"}
    for given in (off, again):
        guard, reason = await _refused(one, given)
        assert guard == "kill-switch"
        assert group.name in reason


async def test_where_nobody_may_look_it_stays_and_the_reason_says_at_what() -> None:
    one = _world()
    one.azure.unreadable.add("computes")
    guard, reason = await _refused(one, AGAIN)
    assert guard == "unreadable"
    assert "computes" in reason


async def test_that_nobody_can_look_now_stops_all_of_it() -> None:
    one = _world()
    one.troubles.after["read"] = 5
    with pytest.raises(ReadFailedError):
        await _vet(one, AGAIN)
