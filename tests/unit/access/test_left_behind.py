"""Which of amlguard's own grants are taken back, and which stay because somebody may need them."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from unit.build import GROUP, REGISTRY, STORAGE, WORKSPACE, estate, guid, sai, terms, workspace

from shared.access.actions import Plan, Removal, Withheld
from shared.access.ask_rules import WorkspaceAsks
from shared.access.asks import Finding, NotReady, RequiredGrant, RequiredRemoval
from shared.access.ids import NoId
from shared.access.model import Estate, Unreadable, Want
from shared.access.needs import PULL, READ_BLOBS
from shared.access.plan import plan
from shared.access.removals import removals
from shared.access.rules import RULES
from shared.access.scope import Scope
from shared.access.terms import Caps, Exemption, RuleMode, RuleTerms, Terms

RULE = next(rule for rule in RULES if rule.name == "own-grants")
ON = terms(on=["AML-80"])
GONE = WORKSPACE.child("computes", "gone")


def _left(scope: Scope, who: str, role: str = PULL.role_id) -> RequiredRemoval:
    at = scope.child("providers", "Microsoft.Authorization", "roleAssignments", guid(f"{who} {role}"))
    return RequiredRemoval(at, scope, guid(who), role, GONE, RULE.requirements, "no rule asks for it")


PULLS, READS = _left(REGISTRY, "one"), _left(STORAGE, "two", READ_BLOBS.role_id)


def _judged(
    said: Terms = ON,
    seen: Estate | None = None,
    *,
    asks: tuple[RequiredGrant, ...] = (),
    beside: tuple[RequiredGrant, ...] = (),
    not_ready: tuple[NotReady, ...] = (),
) -> tuple[list[Removal], list[Withheld], list[Finding]]:
    seen = seen or estate(workspace())
    grants, others = (tuple((RULE, one) for one in some) for some in (asks, beside))
    left = tuple((RULE, one) for one in (PULLS, READS))
    asked = [WorkspaceAsks(seen.subject, grants, (), left, (), (), not_ready, ())]
    asked += [WorkspaceAsks(workspace(), others, (), (), (), (), (), ())]
    return removals(asked, seen, said)


def _taken(*args: Any, **more: Any) -> set[Scope]:
    taken, withheld, findings = _judged(*args, **more)
    assert (withheld, findings) == ([], [])
    return {one.assignment for one in taken}


BOTH = {PULLS.assignment, READS.assignment}


def test_what_no_rule_asks_for_is_taken_back() -> None:
    assert _taken() == BOTH
    (first, _), _, _ = _judged()
    assert (first.scope, first.principal_id, first.role_id, first.on) == (
        PULLS.scope,
        PULLS.principal_id,
        PULLS.role_id,
        GONE,
    )
    assert (first.rule, first.requirements, first.reason, first.source) == (
        "own-grants",
        ("AML-80",),
        PULLS.reason,
        RULE.source,
    )


def _need(**more: Any) -> RequiredGrant:
    one = RequiredGrant(replace(sai("x"), id=PULLS.principal_id), PULL, REGISTRY, GONE, (), "it pulls")
    return replace(one, **more)


@pytest.mark.parametrize(
    "one",
    [
        _need(),
        _need(principal=replace(sai("x"), id=PULLS.principal_id.upper())),
        _need(need=replace(PULL, role_id=PULL.role_id.upper())),
    ],
    ids=["the same", "another case", "another case of the role"],
)
def test_what_a_rule_of_any_workspace_asks_for_stays(one: RequiredGrant) -> None:
    assert _taken(asks=(one,)) == {READS.assignment}
    assert _taken(beside=(one,)) == {READS.assignment}


@pytest.mark.parametrize(
    "one", [_need(principal=sai("y")), _need(scope=GROUP), _need(need=READ_BLOBS)], ids=["whose", "where", "what"]
)
def test_what_a_rule_asks_for_otherwise_does_not_keep_it(one: RequiredGrant) -> None:
    assert _taken(asks=(one,)) == BOTH


@pytest.mark.parametrize(
    "seen",
    [
        estate(workspace(), blind=frozenset({STORAGE})),
        estate(workspace(), facts={Want(WORKSPACE, "jobs"): Unreadable.FORBIDDEN}),
        estate(workspace(), facts={Want(REGISTRY): Unreadable.MISSHAPEN}),
        estate(workspace(no_ids=(NoId(WORKSPACE, "storageAccount", "text", "it is none"),))),
    ],
    ids=["a closed scope", "a closed list", "a misshapen resource", "no id"],
)
def test_in_the_dark_nothing_is_taken_back(seen: Estate) -> None:
    assert _judged(seen=seen) == ([], [], [])


def test_while_something_is_being_made_nothing_is_taken_back() -> None:
    assert _judged(not_ready=(NotReady(GONE, "being created"),)) == ([], [], [])


def test_until_the_policy_says_so_each_is_reported_with_the_command() -> None:
    taken, withheld, findings = _judged(terms())
    assert (taken, withheld) == ([], [])
    assert {one.resource for one in findings} == BOTH
    assert findings[0].message == "no rule asks for it."
    assert (findings[0].rule, findings[0].requirements, findings[0].severity) == ("own-grants", ("AML-80",), "low")
    assert f"az role assignment delete --ids {PULLS.assignment}" in findings[0].remedy
    assert "rules: {AML-80: {enabled: true}} in the policy" in findings[0].remedy


def test_who_turned_it_off_hears_nothing() -> None:
    assert _judged(terms(off=["AML-80"])) == ([], [], [])


def test_a_guard_withholds_it() -> None:
    exempt = Exemption(REGISTRY, frozenset({"aml-80"}), date(2030, 1, 1), "because")
    taken, (withheld,), _ = _judged(replace(ON, exemptions=(exempt,)))
    assert {one.assignment for one in taken} == {READS.assignment}
    assert isinstance(withheld.action, Removal)
    assert withheld.action.assignment == PULLS.assignment
    assert (withheld.refusal.guard, withheld.refusal.reason) == ("exemption", "exempt until 2030-01-01: because")


def test_what_a_person_released_is_taken_back() -> None:
    asking = replace(ON, rules={"aml-80": RuleTerms(enabled=True, mode=RuleMode.APPROVE)})
    taken, withheld, _ = _judged(asking)
    assert (taken, {one.refusal.guard for one in withheld}) == ([], {"approval"})
    released = replace(asking, approved=frozenset({withheld[0].action.action_id}))
    (one,), (other,), _ = _judged(released)
    assert (one, other) == (withheld[0].action, withheld[1])


class TestInAPlan:
    """Removals come with everything else that a plan says: within the cap, and with what stays and why."""

    def _plan(self, said: Terms = ON) -> Plan:
        left = replace(RULE, examine=lambda _, __: iter((PULLS, READS)))
        return plan(estate(workspace()), replace(said, table=(left,)))

    def test_they_are_made(self) -> None:
        made = self._plan()
        assert {one.assignment for one in made.removals} == BOTH
        assert (made.grants, made.settings, made.withheld, made.findings) == ((), (), (), ())

    def test_the_cap_counts_them(self) -> None:
        made = self._plan(replace(ON, caps=Caps(per_run=1)))
        (one,), (over,) = made.removals, made.withheld
        assert over.refusal.guard == "cap"
        assert isinstance(over.action, Removal)
        assert {one.assignment, over.action.assignment} == BOTH

    def test_what_is_withheld_is_said(self) -> None:
        exempt = Exemption(REGISTRY, frozenset({"aml-80"}), date(2030, 1, 1), "because")
        made = self._plan(replace(ON, exemptions=(exempt,)))
        assert {one.assignment for one in made.removals} == {READS.assignment}
        assert [one.refusal.guard for one in made.withheld] == ["exemption"]

    def test_what_the_policy_does_not_let_it_take_back_is_a_finding(self) -> None:
        made = self._plan(terms())
        assert (made.removals, {one.resource for one in made.findings}) == ((), BOTH)

    def test_of_what_is_exempt_there_is_no_finding(self) -> None:
        exempt = Exemption(REGISTRY, frozenset({"aml-80"}), date(2030, 1, 1), "because")
        made = self._plan(replace(terms(), exemptions=(exempt,)))
        assert {one.resource for one in made.findings} == {READS.assignment}
