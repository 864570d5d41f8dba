"""What rows say was done, and what one step back does, given what is there now."""

from dataclasses import replace
from typing import Any

import pytest
from unit.build import REGISTRY, ROLES, STORAGE, VAULT, WORKSPACE, guid, identity_id, role, sai, terms

from shared.access.actions import Grant, Removal, Setting
from shared.access.asks import Property
from shared.access.intents import ENDED_EARLY
from shared.access.model import Principal
from shared.access.needs import Need
from shared.access.own_assignments import assignment_name, description
from shared.access.preferences import People
from shared.access.scope import Scope
from shared.access.undo_steps import SOURCE, Done, Step, past, step

C1 = sai("cpu1")
COMPUTE = WORKSPACE.child("computes", "cpu1")
PULL = ROLES["AcrPull"].role_id
NAME = assignment_name(REGISTRY, C1.id, PULL)
AT = REGISTRY.child("providers", "Microsoft.Authorization", "roleAssignments", NAME)
FIRST, SECOND = guid("first run"), guid("second run")


def _row(action: str = "Grant", run: str = FIRST, outcome: str = "Applied", **more: Any) -> dict[str, Any]:
    return {
        "RunId": run,
        "ActionId": NAME,
        "RuleId": "compute-pull",
        "Action": action,
        "ResourceId": str(COMPUTE),
        "PrincipalId": C1.id,
        "RoleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{PULL}",
        "RoleAssignmentId": str(AT),
        "Scope": str(REGISTRY),
        "Outcome": outcome,
        "Reason": "it pulls",
    } | more


def _policy_row(run: str = FIRST, **more: Any) -> dict[str, Any]:
    return {
        "RunId": run,
        "ActionId": guid("policy"),
        "RuleId": "workspace-vault-policies",
        "Action": "Setting",
        "ResourceId": str(VAULT),
        "Property": "accessPolicies",
        "PrincipalId": C1.id,
        "From": "absent",
        "To": "present",
        "AddedPermissions": ["secrets/get", "secrets/list"],
        "Outcome": "Applied",
        "Reason": "why",
    } | more


def _done(*rows: dict[str, Any]) -> tuple[Done, ...]:
    known = past(rows, terms())
    assert known.refused == ()
    return known.done


class TestRows:
    def test_a_change_has_the_id_that_the_run_gave_it(self) -> None:
        """A row could name any other."""
        (grant,) = _done(_row(ActionId=guid("another")))
        assert grant.action_id == NAME
        (removal,) = _done(_row("Removal"))
        assert removal.action_id == Removal(AT, REGISTRY, C1.id, PULL, COMPUTE, "r", (), "w", "s").action_id
        assert (grant.rule, removal.rule) == ("compute-pull", "compute-pull")
        (policy,) = _done(_policy_row())
        made = Setting(VAULT, Property.ACCESS_POLICY, "absent", "present", "r", (), "w", "s", Principal(C1.id, "cpu1"))
        assert policy.action_id == made.action_id

    def test_what_was_taken_away_and_made_again_is_two_changes(self) -> None:
        assert len(_done(_row("Removal"), _row("Grant", SECOND))) == 2

    def test_of_each_row_it_is_known_whom_it_served(self) -> None:
        known = past([_row(NeededBy=[str(WORKSPACE)]), _policy_row(), _row(ResourceId=str(STORAGE))], terms())
        assert known.served == {COMPUTE, WORKSPACE, VAULT, STORAGE}

    @pytest.mark.parametrize(
        "broken",
        [
            {"Requirements": "{}"},
            {"Requirements": {"a": 1}},
            {"NeededBy": "no list"},
            {"NeededBy": ["no id"]},
            {"Action": "Wait"},
            {"Scope": None},
            {"Extra": "\ud800"},
        ],
        ids=str,
    )
    def test_a_row_of_another_shape_is_refused_and_named(self, broken: dict[str, Any]) -> None:
        known = past([_row() | broken, _policy_row(SECOND)], terms())
        assert [one.run for one in known.done] == [SECOND]
        (said,) = known.refused
        assert said.startswith(f"a row of run {FIRST} is not as amlguard writes them, and is left alone: ")

    def test_a_row_without_end_is_refused(self) -> None:
        deep: Any = []
        for _ in range(200_000):
            deep = [deep]
        known = past([_row(Extra=deep), _policy_row()], terms())
        assert (len(known.done), len(known.refused)) == (1, 1)
        while deep:  # piece by piece, because what is nested so deeply cannot be freed at once
            deep = deep.pop()

    def test_columns_that_are_empty_say_nothing(self) -> None:
        """Log Analytics has an empty text for what nobody wrote."""
        (done,) = _done(_row(Requirements="", NeededBy=None, PrincipalId=None, From=None))
        assert (done.requirements, done.principal_id, done.before, done.after) == ((), "", "", "")
        (policy,) = _done(_policy_row(From=None, To=None))
        assert (policy.before, policy.after) == ("", "")

    def test_requirements_may_be_a_text(self) -> None:
        assert _done(_row(Requirements='["AML-18"]'))[0].requirements == ("AML-18",)

    def test_a_list_of_permissions_must_be_one(self) -> None:
        """The older form has its own words before it."""
        known = past([_policy_row(AddedPermissions=[], From="secrets/get")], terms())
        assert (known.done, len(known.refused)) == ((), 1)

    @pytest.mark.parametrize(("name", "known"), [("Reader", True), ("Owner", False)])
    def test_what_the_policy_gives_to_people_on_a_workspace_may_come_again(self, name: str, known: bool) -> None:
        """Whatever the policy says, nobody gets a role that hands out access."""
        given = role(name).role_id
        at = WORKSPACE.child(
            "providers", "Microsoft.Authorization", "roleAssignments", assignment_name(WORKSPACE, C1.id, given)
        )
        row = _row("Removal", RoleDefinitionId=f"/x/{given}", Scope=str(WORKSPACE), RoleAssignmentId=str(at))
        people = terms(people=(People((C1.id,), given.upper(), name),))
        assert bool(past([row], people).done) is known
        assert past([row], replace(people, people=())).done == ()

    def test_that_a_role_which_hands_out_access_is_known_to_a_rule_does_not_help(self) -> None:
        owner = role("Owner").role_id
        at = REGISTRY.child(
            "providers", "Microsoft.Authorization", "roleAssignments", assignment_name(REGISTRY, C1.id, owner)
        )
        policy = terms()
        table = tuple(
            replace(rule, grants=tuple(replace(need, role_id=owner) for need in rule.grants)) for rule in policy.table
        )
        row = _row("Removal", RoleDefinitionId=f"/x/{owner}", RoleAssignmentId=str(at))
        assert past([row], replace(policy, table=table)).done == ()


class TestSeveralRows:
    def test_an_intent_is_open_until_its_own_run_wrote_an_outcome(self) -> None:
        assert [one.open for one in _done(_policy_row(Outcome="Planned"))] == [True]
        other = _policy_row(Outcome="Failed")
        assert [one.open for one in _done(_row(outcome="Planned"), other)] == [True]
        assert [one.open for one in _done(_row(outcome="Planned"))] == [True]
        assert [one.open for one in _done(_row(outcome="Planned"), _row())] == [False]
        assert _done(_row(outcome="Planned"), _row(outcome="Failed")) == ()
        (left,) = _done(
            _row(outcome="Planned"), _row(run=SECOND, outcome="Planned"), _row(run=SECOND, outcome="Failed")
        )
        assert (left.run, left.open) == (FIRST, True)

    def test_what_was_there_already_was_not_made_unless_its_run_ended_early(self) -> None:
        assert _done(_row(Found=True)) == ()
        assert len(_done(_row(Found=True, Code=ENDED_EARLY))) == 1
        assert _done(_row(Found=True, Code="Conflict")) == ()

    def test_of_a_registry_both_rows_must_say_the_same(self) -> None:
        """Whether the admin user was on decides what depends on the grant."""
        for one, other, both in (("false", "false", "false"), ("false", "true", ""), ("true", "false", "")):
            (done,) = _done(_row(From=one), _row(run=SECOND, From=other))
            assert (done.run, done.before) == (SECOND, both)

    def test_of_an_access_policy_counts_what_both_rows_say_was_added(self) -> None:
        later = _policy_row(SECOND, From="missing: secrets/get", AddedPermissions=["secrets/get", "keys/get"])
        (done,) = _done(_policy_row(), later)
        assert done.added == {"secrets/get"}
        assert done.before == "missing: secrets/get"


OFF = Done(
    FIRST, "registry-admin-user", ("AML-21",), REGISTRY, "", setting=Property.ADMIN_USER, before="true", after="false"
)
POLICY = Done(
    FIRST,
    "r",
    (),
    VAULT,
    C1.id,
    setting=Property.ACCESS_POLICY,
    before="absent",
    after="present",
    added=frozenset({"secrets/get"}),
)
GRANTED = Done(FIRST, "compute-pull", ("AML-18",), COMPUTE, C1.id, PULL, AT, REGISTRY)
TAKEN = replace(GRANTED, removed=True)
WHY = f"undoes run {FIRST}"


def _assignment(**properties: Any) -> dict[str, Any]:
    said = description("compute-pull", ("AML-18",), FIRST, COMPUTE, None)
    found = {"scope": str(REGISTRY), "principalId": C1.id, "roleDefinitionId": f"/x/{PULL}", "description": said}
    return {"id": str(AT), "properties": found | properties}


class TestSteps:
    """`WHY` is what people and the record read."""

    def test_an_admin_user_is_turned_on_where_it_is_off(self) -> None:
        made = Setting(REGISTRY, Property.ADMIN_USER, "false", "true", OFF.rule, OFF.requirements, WHY, SOURCE)
        assert step(OFF, {"properties": {"adminUserEnabled": False}}) == Step(OFF, made, WHY)

    @pytest.mark.parametrize(
        ("now", "said"),
        [
            (None, "acrml does not exist any more"),
            ({"properties": {"adminUserEnabled": True}}, "it is as it was before: adminUserEnabled true"),
        ],
    )
    def test_else_there_is_nothing_to_turn_on(self, now: Any, said: str) -> None:
        assert step(OFF, now) == Step(OFF, None, said)

    def test_an_access_policy_loses_what_was_added(self) -> None:
        now = {
            "id": str(VAULT),
            "properties": {"accessPolicies": [{"objectId": C1.id, "permissions": {"secrets": ["get", "set"]}}]},
        }
        said = (VAULT, Property.ACCESS_POLICY, "present", "absent", POLICY.rule, POLICY.requirements, WHY, SOURCE)
        made = Setting(*said, Principal(C1.id, C1.id), takes=("secrets/get",))
        assert step(POLICY, now) == Step(POLICY, made, WHY)

    @pytest.mark.parametrize("now", [None, {"id": str(VAULT), "properties": {"accessPolicies": []}}])
    def test_else_there_is_nothing_to_lose(self, now: Any) -> None:
        assert step(POLICY, now) == Step(POLICY, None, "the access policy no longer has what the run added")

    def test_keys_have_nothing_to_go_back_to(self) -> None:
        keys = Done(FIRST, "r", (), WORKSPACE, "", setting=Property.CACHED_KEYS, before="cached", after="resynced")
        assert step(keys, {"id": str(WORKSPACE)}) == Step(keys, None, "cached keys follow the admin user")

    @pytest.mark.parametrize("shared", [None, identity_id("shared")])
    def test_a_grant_goes_where_it_was_made(self, shared: Scope | None) -> None:
        made = Removal(AT, REGISTRY, C1.id, PULL, COMPUTE, GRANTED.rule, GRANTED.requirements, WHY, SOURCE)
        text = description("compute-pull", ("AML-18",), FIRST, COMPUTE, shared)
        assert step(GRANTED, _assignment(description=text)) == Step(GRANTED, made, WHY, shared)

    @pytest.mark.parametrize(
        ("now", "said"),
        [
            (None, "it is gone already"),
            (
                _assignment(description="somebody's"),
                "the assignment that is there now is not the one that the run made: it stays",
            ),
            (
                _assignment(description=description("r", (), SECOND, COMPUTE, None)),
                "the assignment that is there now is not the one that the run made: it stays",
            ),
            (
                _assignment(description=description("r", (), FIRST, WORKSPACE, None)),
                "the row does not say the same about the assignment as Azure: it stays",
            ),
        ],
        ids=["gone", "a person's", "another run's", "for another"],
    )
    def test_else_it_stays_and_the_reason_says_why(self, now: Any, said: str) -> None:
        assert step(GRANTED, now) == Step(GRANTED, None, said)

    def test_a_grant_comes_again_where_it_was(self) -> None:
        need = Need("hold it as before", (), PULL, PULL)
        made = Grant(Principal(C1.id, C1.id), need, REGISTRY, COMPUTE, TAKEN.rule, TAKEN.requirements, WHY, SOURCE)
        assert step(TAKEN, None) == Step(TAKEN, made, WHY)
        assert made.name == NAME

    def test_a_grant_that_is_there_again_is_left(self) -> None:
        assert step(TAKEN, _assignment()) == Step(TAKEN, None, "it is there again")


@pytest.mark.parametrize(
    ("done", "target", "at"), [(OFF, REGISTRY, REGISTRY), (GRANTED, AT, REGISTRY)], ids=["setting", "grant"]
)
def test_what_is_looked_at_and_where(done: Done, target: Scope, at: Scope) -> None:
    assert (done.target, done.at) == (target, at)
