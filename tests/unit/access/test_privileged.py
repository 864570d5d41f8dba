"""No policy makes amlguard grant a role that hands out access, and its own condition names none."""

import itertools
from dataclasses import replace

import pytest
from unit.build import ROLES, WORKSPACE, custom, estate, guid, registry, terms, workspace

from shared import policy
from shared.access.condition import assignable, condition, for_groups
from shared.access.model import Estate
from shared.access.permissions import Access, RoleDefinition
from shared.access.plan import plan
from shared.access.preferences import People
from shared.access.privileged import PRIVILEGED, privileged
from shared.access.rules import RULES, Rule
from shared.access.scope import Scope
from shared.access.terms import Boundary, RuleTerms, Terms
from shared.policy import PolicyError

GROUP_ID = guid("scientists")
# What nobody may get from amlguard: written down here again, not taken from the product.
NEVER = {
    "Owner": "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
    "User Access Administrator": "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
    "Role Based Access Control Administrator": "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
}
HANDING_OUT = ("*", "Microsoft.Authorization/*", "Microsoft.Authorization/roleAssignments/*", "*/write")


def people(role_id: str, name: str = "") -> tuple[People, ...]:
    return (People((GROUP_ID,), role_id, name or role_id, (WORKSPACE,), ()),)


def wished(role: RoleDefinition, *, known: bool = True) -> Estate:
    one = estate(workspace(), registry(), people=people(role.role_id, role.name))
    return replace(one, roles={role.role_id: role} if known else {}, access={**one.access, GROUP_ID: Access()})


def terms_for(role: RoleDefinition) -> Terms:
    return terms(on=["AML-44"], people=people(role.role_id))


@pytest.mark.parametrize("role_id", [*NEVER.values(), "b24988ac-6180-42a0-ab88-20f7382dd24c"])
@pytest.mark.parametrize("spell", [str, str.upper])
def test_the_policy_file_may_not_name_one(role_id: str, spell: type[str]) -> None:
    text = f"people: [{{groups: [{GROUP_ID}], role: {spell(role_id)}, tags: {{a: b}}}}]"
    with pytest.raises(PolicyError, match=r"people\[0\].role"):
        policy.parse(text)


def test_the_policy_file_may_name_another() -> None:
    assert policy.parse(f"people: [{{groups: [{GROUP_ID}], role: {guid('scorer')}, tags: {{a: b}}}}]").terms().people


@pytest.mark.parametrize("action", HANDING_OUT)
def test_a_role_that_hands_out_access_is_withheld_whatever_it_is_called(action: str) -> None:
    role = custom(action)
    (withheld,) = plan(wished(role), terms_for(role)).withheld
    assert withheld.refusal.guard == "privileged-role"


@pytest.mark.parametrize(
    "action",
    [
        "Microsoft.Authorization/roleAssignments/write",
        "Microsoft.Authorization/roleDefinitions/write",
        "Microsoft.Authorization/elevateAccess/action",
        "Microsoft.Authorization/roleAssignmentScheduleRequests/write",
        "Microsoft.Authorization/roleEligibilityScheduleRequests/write",
        "Microsoft.Authorization/roleManagementPolicies/write",
        "Microsoft.ManagedServices/registrationAssignments/write",
    ],
)
def test_each_way_to_hand_out_access_is_one(action: str) -> None:
    assert privileged(custom(action))
    assert not privileged(custom(action.replace("/write", "/read").replace("/action", "/read")))


@pytest.mark.parametrize("name", NEVER)
def test_those_that_hand_out_access_are_known_by_their_ids_whatever_azure_shows_of_them(name: str) -> None:
    role = replace(custom("Microsoft.X/y/read"), role_id=NEVER[name], name="harmless")
    assert privileged(role)
    (withheld,) = plan(wished(role), terms_for(role)).withheld
    assert withheld.refusal.reason == f"{name} hands out access: amlguard grants it to nobody"


def test_a_condition_on_the_role_or_what_it_leaves_out_does_not_make_it_harmless() -> None:
    assert privileged(custom("*", condition="sometimes"))
    assert privileged(custom("Microsoft.Authorization/*", but=["Microsoft.Authorization/roleAssignments/delete"]))
    assert not privileged(custom("*", but=["Microsoft.Authorization/*", "Microsoft.ManagedServices/*"]))


def test_a_role_that_could_not_be_read_is_withheld() -> None:
    role = custom("Microsoft.MachineLearningServices/workspaces/onlineEndpoints/score/action")
    assert [one.refusal.guard for one in plan(wished(role, known=False), terms_for(role)).withheld] == [
        "privileged-role"
    ]
    assert [grant.need.role_id for grant in plan(wished(role), terms_for(role)).grants] == [role.role_id]


@pytest.mark.parametrize("name", sorted(ROLES))
def test_of_all_built_in_roles_a_group_gets_none_that_may_write_role_assignments(name: str) -> None:
    role = ROLES[name]
    made = plan(wished(role), terms_for(role))
    assert not (made.grants and hands_out(role))
    assert bool(made.withheld) is not bool(made.grants)


def hands_out(role: RoleDefinition) -> bool:
    """The plain way: is there a block whose actions reach the operation, and whose notActions do not?"""
    reaching = {"*", "*/write", "microsoft.authorization/*", "microsoft.authorization/*/write"}
    reaching |= {"microsoft.authorization/roleassignments/*", "microsoft.authorization/roleassignments/write"}
    return any(
        reaching & {action.casefold() for action in block.actions}
        and not reaching & {action.casefold() for action in block.not_actions}
        for block in role.permissions
    )


def test_the_plain_way_knows_who_hands_out_access() -> None:
    assert {name for name, role in ROLES.items() if hands_out(role)} >= NEVER.keys()
    assert {name for name, role in ROLES.items() if hands_out(role)} <= {
        name for name, role in ROLES.items() if privileged(role)
    }


def switched(on: tuple[str, ...] | None) -> Terms:
    """Every rule on and everything allowed, or only `on`."""
    names = [rule.name for rule in RULES] if on is None else list(on)
    said = {name: RuleTerms(enabled=True) for name in names}
    return Terms(table=RULES, rules=said, allow=(Scope.parse("/"),), boundary=Boundary.SUBSCRIPTION)


@pytest.mark.parametrize("rule", [None, *RULES], ids=lambda rule: rule.name if rule else "all of them")
def test_whatever_the_policy_turns_on_no_privileged_role_can_be_assigned(rule: Rule | None) -> None:
    """Each rule alone, and all at once; with every boundary, and with groups for every built-in role."""
    on = None if rule is None else (rule.name,)
    for boundary, role in itertools.product(Boundary, (None, *ROLES.values())):
        wished_for = people(role.role_id) if role and role.role_id not in PRIVILEGED else ()
        said = replace(switched(on), boundary=boundary, people=wished_for)
        text = condition(said).casefold()
        assert not {name for name, role_id in NEVER.items() if role_id in text}
        needs = assignable(said)
        assert {need.role_id for need in needs}.isdisjoint(NEVER.values())
        assert not [need for need in needs if need.role_name in ROLES and hands_out(ROLES[need.role_name])]


def test_no_rule_may_ever_grant_one() -> None:
    """Not even those that only audit: what they would have people grant is said with a warning."""
    granting = {(rule.name, need.role_name) for rule in RULES for need in rule.grants if need.role_id in NEVER.values()}
    assert granting == set()


def test_groups_get_only_the_roles_of_the_policys_groups() -> None:
    scorer = guid("scorer")
    assert for_groups(terms(on=["people"], people=people(scorer))) == (scorer,)
    assert for_groups(terms(people=people(scorer))) == ()
