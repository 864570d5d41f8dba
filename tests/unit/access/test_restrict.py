"""`apply --plan FILE` does what the document names, and nothing else that would be right as well."""

from unit.build import REGISTRY, STORAGE, VAULT, WORKSPACE, guid, registry_id, sai, uai, workspace_id

from shared.access.actions import Grant, Plan, Removal, Setting
from shared.access.asks import Property
from shared.access.needs import PULL, PUSH, READ_BLOBS
from shared.access.plan_json import action, key, restrict
from shared.access.scope import Scope

C1, C2, ME = sai("cpu1"), sai("cpu2"), uai("me")


def _grant(who: object, role: object, at: Scope) -> Grant:
    return Grant(who, role, at, WORKSPACE, "r", (), "why", "s")  # type: ignore[arg-type]  # shorter to call


def _setting(what: Property, on: Scope, who: object = None) -> Setting:
    return Setting(on, what, "x", "y", "r", (), "why", "s", who)  # type: ignore[arg-type]  # shorter to call


def _removal(name: str) -> Removal:
    assignment = REGISTRY.child("providers", "Microsoft.Authorization", "roleAssignments", guid(name))
    return Removal(assignment, REGISTRY, C1.id, PULL.role_id, WORKSPACE, "r", (), "why", "s")


GRANTS = (
    _grant(C1, PULL, REGISTRY),
    _grant(C2, PULL, REGISTRY),
    _grant(C1, PUSH, REGISTRY),
    _grant(C1, PULL, registry_id("other")),
    _grant(C1, READ_BLOBS, STORAGE),
)
OFF, OTHER_OFF = _setting(Property.ADMIN_USER, REGISTRY), _setting(Property.ADMIN_USER, registry_id("other"))
KEYS = (_setting(Property.CACHED_KEYS, WORKSPACE), _setting(Property.CACHED_KEYS, workspace_id("other")))
POLICIES = (_setting(Property.ACCESS_POLICY, VAULT, ME), _setting(Property.ACCESS_POLICY, VAULT, C1))
REMOVALS = (_removal("a"), _removal("b"))
ALL = Plan(GRANTS, (OFF, OTHER_OFF, *POLICIES, *KEYS), removals=REMOVALS)


def _left(*named: Grant | Setting | Removal) -> set[str]:
    return {one.action_id for one in restrict(ALL, frozenset(key(action(one)) for one in named)).actions}


def test_each_action_alone() -> None:
    for one in (*GRANTS, *POLICIES, *REMOVALS, *KEYS):
        assert _left(one) == {one.action_id}


def test_nothing() -> None:
    assert _left() == set()


def test_a_switch_off_keeps_its_resyncs_and_no_other_setting_does() -> None:
    assert _left(OFF) == {one.action_id for one in (OFF, *KEYS)}


def test_what_is_found_withheld_and_told_stays() -> None:
    made = restrict(Plan(GRANTS, satisfied=3), frozenset())
    assert (made.grants, made.satisfied) == ((), 3)
