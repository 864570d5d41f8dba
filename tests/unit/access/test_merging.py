"""One grant for what several rules ask for, and whom it speaks for."""

from dataclasses import replace

from unit.build import GROUP, REGISTRY, ROLES, WORKSPACE, estate, registry, sai, workspace

from shared.access.actions import Grant, Refusal, Withheld
from shared.access.asks import RequiredGrant
from shared.access.guards import Guard
from shared.access.merge import fewest, grant, instead_of, once
from shared.access.needs import CONTROL_REGISTRY, PULL, Need
from shared.access.rules import RULES
from shared.access.scope import Scope

C1, C2 = sai("cpu1"), sai("cpu2")
X, Y, Z = (WORKSPACE.child("computes", name) for name in "xyz")
RULE = next(rule for rule in RULES if rule.name == "compute-pull")


def _grant(need: Need = PULL, on: Scope = X, where: Scope = REGISTRY, rule: str = "narrow") -> Grant:
    gives = next(role.permissions for role in ROLES.values() if role.role_id == need.role_id)
    return Grant(C1, need, where, on, rule, (f"AML-{rule}",), f"{rule} needs it", "s", gives=gives)


def test_a_grant_at_a_registry_remembers_its_admin_user() -> None:
    asking = [(RULE, RequiredGrant(C1, PULL, REGISTRY, X, ("AML-18",), "it pulls"))]
    for part, said in ((registry(admin_user=True), "true"), (registry(), "false"), (None, "")):
        made = grant(asking, asking, estate(workspace(), *([part] if part else [])))
        assert (made.before, made.on, made.others) == (said, X, ())
        assert (made.rule, made.source, made.requirements) == (RULE.name, RULE.source, ("AML-18",))


def test_a_grant_knows_what_its_role_gives_as_far_as_azure_told() -> None:
    asking = [(RULE, RequiredGrant(C1, PULL, REGISTRY, X, ("AML-18",), "it pulls"))]
    seen = estate(workspace(), registry())
    assert grant(asking, asking, seen).gives == _grant().gives
    assert grant(asking, asking, replace(seen, roles={})).gives == ()


def test_a_wider_role_speaks_for_a_narrower_one() -> None:
    narrow = replace(_grant(on=Y), others=(X, Z))
    wide = replace(_grant(CONTROL_REGISTRY, X, rule="wide"), others=(Z,))
    for some in ([narrow, wide], [wide, narrow]):
        (one,) = fewest(some)
        assert (one.need, one.rule, one.requirements) == (
            CONTROL_REGISTRY,
            "wide, narrow",
            ("AML-narrow", "AML-wide"),
        )
        assert one.reason == "wide needs it; narrow needs it"
        assert one.others == (Z, Y)
        assert one.instead == (narrow,)


def test_a_grant_speaks_for_what_it_covers_only() -> None:
    """Another grant of the same identity has nothing to do with what was left out."""
    narrow, wide, elsewhere = _grant(on=Y), _grant(CONTROL_REGISTRY, rule="wide"), _grant(where=WORKSPACE, rule="other")
    one, other = fewest([narrow, wide, elsewhere])
    assert (one.rule, one.instead) == ("wide, narrow", (narrow,))
    assert other == elsewhere


def test_each_grant_is_withheld_once_and_none_that_is_made() -> None:
    first, second, made = _grant(), _grant(where=WORKSPACE), _grant(CONTROL_REGISTRY)
    why, again = Refusal(Guard.LOCK, "why"), Refusal(Guard.TARGET_TYPE, "again")
    withheld = [Withheld(first, why), Withheld(second, why), Withheld(first, again), Withheld(made, why)]
    assert once(withheld, [made]) == [Withheld(first, why), Withheld(second, why)]


def test_of_the_same_role_at_two_scopes_the_upper_one_stays() -> None:
    below, above = _grant(), _grant(where=GROUP, rule="wide")
    (one,) = fewest([below, above])
    assert (one.scope, one.instead) == (GROUP, (below,))


def test_of_two_that_give_the_same_the_first_stays() -> None:
    first, second = _grant(), _grant(on=Y, rule="other")
    (one,) = fewest([first, second])
    assert (one.on, one.rule, one.others, one.instead) == (X, "narrow, other", (Y,), ())


def test_what_has_nothing_to_do_with_each_other_stays_as_it_is() -> None:
    apart = [_grant(), replace(_grant(CONTROL_REGISTRY), principal=C2), _grant(where=WORKSPACE)]
    assert fewest(apart) == apart


def test_what_a_failed_grant_made_needless_is_made_instead_unless_something_covers_it() -> None:
    narrow, wide = _grant(), _grant(CONTROL_REGISTRY, rule="wide")
    (failed,) = fewest([narrow, wide])
    assert instead_of([failed], []) == [narrow]
    assert instead_of([failed], [replace(wide, scope=GROUP)]) == []
    assert instead_of([narrow], []) == []
