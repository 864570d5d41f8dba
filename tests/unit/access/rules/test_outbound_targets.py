"""AML-92: what the private-endpoint outbound rules of a managed network lead to."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from unit.build import (
    FOREIGN,
    GROUP,
    ROLES,
    STORAGE,
    WORKSPACE,
    assigned,
    estate,
    granted,
    guards,
    resource,
    sai,
    terms,
    workspace,
    workspace_id,
)

from shared.access.approver import APPROVE
from shared.access.ask_rules import asks_of
from shared.access.asks import Finding
from shared.access.model import Estate, Fact, Unreadable, Want, Workspace
from shared.access.plan import plan
from shared.access.rules import RULES
from shared.access.scope import Scope

RULE = {rule.name: rule for rule in RULES}
APPROVER = "Azure AI Enterprise Network Connection Approver"
SEARCH = resource("Microsoft.Search/searchServices", "srch")
OPENAI = resource("Microsoft.CognitiveServices/accounts", "oai")
ME = sai("mlw")


def leading_to(*targets: Scope | str, mode: str = "AllowOnlyApprovedOutbound", **more: Any) -> Workspace:
    rules = {
        f"rule{number}": {"type": "PrivateEndpoint", "destination": {"serviceResourceId": str(target)}}
        for number, target in enumerate(targets)
    }
    rules["web"] = {"type": "FQDN", "destination": "pypi.org"}
    raw = {"properties": {"managedNetwork": {"isolationMode": mode, "outboundRules": rules}}}
    return workspace(raw=raw, storage=None, registry=None, **more)


def seen(one: Workspace, fact: Fact = None, *targets: Scope, **more: Any) -> Estate:
    """Of a workspace without what AML gives on its resource group, which covers all that lies there."""
    return replace(estate(one, aml=False, **more), facts={Want(target): fact for target in targets})


def there(*targets: Scope, **more: Any) -> Estate:
    return seen(leading_to(*targets), {"id": "there"}, *targets, **more)


@pytest.mark.parametrize("kind", APPROVE)
def test_the_role_has_the_action_of_every_type_in_the_table(kind: str) -> None:
    """As the service returns the role."""
    block = ROLES[APPROVER].permissions[0]
    assert all(any(one.action.casefold() == a.casefold() for a in block.actions) for one in APPROVE[kind].permissions)
    assert APPROVE[kind].resource_type == kind


def test_the_table_has_every_type_of_which_the_role_has_the_action() -> None:
    actions = [action.casefold() for action in ROLES[APPROVER].permissions[0].actions]
    assert {a.split("/privateendpointconnectionsapproval/")[0] for a in actions if "approval/" in a} == set(APPROVE)


@pytest.mark.parametrize("on", ["AML-75", "AML-92", "outbound-target-approver"])
def test_the_role_is_granted_where_it_has_the_action(on: str) -> None:
    sql = resource("Microsoft.Sql/servers", "sql")
    cosmos = Scope.parse(
        str(resource("Microsoft.DocumentDb/DatabaseAccounts", "cosmos")).upper().replace("/SUB", "/sub")
    )
    made = plan(there(SEARCH, sql, cosmos), terms(on=[on]))
    assert granted(made) == {("mlw", APPROVER, name) for name in ("srch", "sql", cosmos.name)}
    assert all({"AML-75", "AML-92"} <= set(one.requirements) for one in made.grants)


def test_off_it_is_a_finding() -> None:
    made = plan(there(SEARCH), terms())
    assert granted(made) == set()
    assert [f.rule for f in made.findings if "srch" in f.message] == ["outbound-target-approver"]


def test_where_the_role_has_no_action_a_finding_says_so() -> None:
    apim = resource("Microsoft.ApiManagement/service", "apim")
    made = plan(there(OPENAI, apim), terms(on=["AML-75"]))
    assert granted(made) == set()
    found = {f.rule: f for f in made.findings if "no action" in f.message}
    assert "microsoft.apimanagement/service" in " ".join(f.message for f in made.findings)
    assert '--role "Cognitive Services Contributor"' in " ".join(f.remedy for f in made.findings)
    assert found.keys() == {"outbound-targets"}


@pytest.mark.parametrize(
    ("target", "role"),
    [(SEARCH, "Contributor"), (SEARCH, APPROVER), (OPENAI, "Azure AI Administrator"), (OPENAI, "Contributor")],
)
def test_who_may_approve_already_gets_nothing(target: Scope, role: str) -> None:
    made = plan(there(target, held=[assigned(ME, role, GROUP)]), terms(on=["AML-75"]))
    assert granted(made) == set()
    assert not [f for f in made.findings if target.name in f.message]


@pytest.mark.parametrize(
    "one",
    [
        leading_to(SEARCH, mode="Disabled"),
        leading_to(SEARCH, hub=workspace_id("hub")),
        leading_to("no id at all", "/subscriptions/x"),
        leading_to(),
        replace(leading_to(), raw={"properties": {"managedNetwork": {"isolationMode": "A", "outboundRules": None}}}),
    ],
    ids=["no managed network", "its hub's network", "no ARM id", "host names only", "no rules"],
)
def test_what_leads_nowhere(one: Workspace) -> None:
    for name in ("outbound-target-approver", "outbound-targets"):
        assert list(asks_of(RULE[name], one, seen(one, {"id": "there"}, SEARCH))) == []
        assert list(RULE[name].wants(one, estate(one))) == []


def test_dependencies_are_those_of_aml_75() -> None:
    one = replace(leading_to(STORAGE), storage=STORAGE)
    assert list(asks_of(RULE["outbound-target-approver"], one, seen(one, {"id": "there"}, STORAGE))) == []


def findings(one: Estate) -> Iterator[Finding]:
    yield from (ask for ask in asks_of(RULE["outbound-targets"], one.subject, one) if isinstance(ask, Finding))


@pytest.mark.parametrize(
    ("fact", "says"), [(None, "does not exist"), (Unreadable.FORBIDDEN, "could not be read")], ids=["gone", "closed"]
)
def test_what_is_not_there_or_closed_gets_nothing(fact: Fact, says: str) -> None:
    one = seen(leading_to(SEARCH), fact, SEARCH)
    assert granted(plan(one, terms(on=["AML-75"]))) == set()
    assert [says in found.message for found in findings(one)] == [True]


@pytest.mark.parametrize(
    ("fact", "says"), [(None, "does not exist"), (Unreadable.FORBIDDEN, "could not be read")], ids=["gone", "closed"]
)
def test_where_the_role_has_no_action_it_is_looked_for_as_well(fact: Fact, says: str) -> None:
    """A role on what is gone cannot be given."""
    one = seen(leading_to(OPENAI), fact, OPENAI)
    assert list(RULE["outbound-targets"].wants(one.subject, one)) == [Want(OPENAI)]
    assert [says in found.message for found in findings(one)] == [True]
    advised = " ".join(found.remedy for found in plan(one, terms(on=["AML-75"])).findings)
    assert "Cognitive Services Contributor" not in advised


def test_a_type_that_nobody_knows_is_not_looked_for() -> None:
    new = resource("Microsoft.Novel/things", "new")
    one = estate(leading_to(new))
    assert list(RULE["outbound-targets"].wants(one.subject, one)) == []
    assert [ask for ask in asks_of(RULE["outbound-targets"], one.subject, one) if not isinstance(ask, Finding)]


def test_the_name_of_a_rule_is_quoted_in_the_command() -> None:
    raw = leading_to(SEARCH).raw
    rules = raw["properties"]["managedNetwork"]["outboundRules"]
    rules["$(reboot)"] = rules.pop("rule0")
    (found,) = findings(seen(replace(leading_to(), raw=raw), None, SEARCH))
    assert "--rule '$(reboot)'" in found.remedy
    assert WORKSPACE.name in found.remedy


def test_outside_the_boundary_the_policy_has_to_allow_it() -> None:
    far = resource("Microsoft.Search/searchServices", "far", FOREIGN)
    assert guards(plan(there(far), terms(on=["AML-75"]))) == {"target-outside-boundary"}
    assert granted(plan(there(far), terms(on=["AML-75"], allow=(FOREIGN,)))) == {("mlw", APPROVER, "far")}
