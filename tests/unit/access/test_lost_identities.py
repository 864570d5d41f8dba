"""AML-98: identities that are gone while something has them, and workspaces that are being deleted."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from unit.build import (
    GROUP,
    REGISTRY,
    WORKSPACE,
    assigned,
    cluster,
    compute,
    endpoint,
    estate,
    guards,
    identity,
    identity_id,
    registry,
    sai,
    terms,
    uai,
    workspace,
    workspace_id,
)

from shared.access import parse
from shared.access.ask_rules import asks_of
from shared.access.asks import Cover, Finding, Property, RegistryUser
from shared.access.losses import Loss
from shared.access.lost import without_lost
from shared.access.model import ComputeType, Estate, Fact, Identity, Unreadable, Want, Workspace
from shared.access.plan import plan
from shared.access.rules import RULES, List

RULE = {rule.name: rule for rule in RULES}
DEAD, LIVING = uai("dead"), uai("living")
assert DEAD.resource is not None
assert LIVING.resource is not None
THERE = {"properties": {"principalId": LIVING.id.upper()}}
ANEW = {"properties": {"principalId": "00000000-0000-4000-8000-00000000beef"}}
FACTS: dict[str, Fact] = {"deleted": None, "anew": ANEW}


def block(*names: str, recorded: bool = True) -> Mapping[str, Any]:
    """An identity block as ARM gives it, `recorded` with object ids."""
    known = {str(one.resource): one.id for one in (DEAD, LIVING)}
    listed = {name: {"principalId": known[name]} if recorded else {} for name in names}
    return {"identity": {"type": "UserAssigned", "userAssignedIdentities": listed}}


def settled(one: Identity, fact: Fact) -> Identity:
    facts: dict[Want, Fact] = {Want(identity_id("dead")): fact, Want(identity_id("living")): THERE}
    return without_lost(workspace(identity=one), facts).identity


def lost(one: Workspace, fact: Fact, *parts: Any, **more: Any) -> Estate:
    facts: dict[Want, Fact] = {Want(identity_id("dead")): fact, Want(identity_id("living")): THERE}
    seen = estate(without_lost(one, facts), *parts, **more)
    return replace(seen, facts={**seen.facts, **facts})


@pytest.mark.parametrize("recorded", [True, False], ids=["object ids recorded", "object ids left out"])
@pytest.mark.parametrize(
    ("order", "default"), [(("dead", "living"), None), (("living", "dead"), "living"), (("dead",), None)]
)
def test_aml_takes_the_first_and_nobody_stands_in_for_it(
    order: tuple[str, ...], default: str | None, *, recorded: bool
) -> None:
    raw = block(*(str(identity_id(name)) for name in order), recorded=recorded)
    known = {identity_id("living"): LIVING.id}
    found = settled(parse.identity(raw, "cpu1", known), None)
    assert (found.default.label if found.default else None) == default
    assert [(one.id, one.how) for one in found.lost] == [(identity_id("dead"), Loss.DELETED)]
    assert found.unresolved == ()
    assert not found.empty


@pytest.mark.parametrize(
    ("fact", "how"),
    [
        (None, Loss.DELETED),
        (ANEW, Loss.MADE_ANEW),
        ({"properties": {"principalId": DEAD.id.upper()}}, None),
        ({"properties": {"principalId": DEAD.id.replace("-", "")}}, None),
        ({"properties": {}}, None),
        (Unreadable.FORBIDDEN, None),
    ],
)
def test_what_is_gone_by_what_the_identity_itself_says(fact: Fact, how: Loss | None) -> None:
    found = settled(identity(DEAD), fact)
    assert [one.how for one in found.lost] == ([how] if how else [])
    assert (found.default is None) == (how is not None)


def test_what_was_not_read_is_not_gone() -> None:
    one = workspace(identity=identity(DEAD))
    assert without_lost(one, {}) is one


@pytest.mark.parametrize("fact", FACTS.values(), ids=FACTS)
@pytest.mark.parametrize(
    "one",
    [
        workspace(cluster("cpu1", DEAD), storage_by_identity=True),
        workspace(compute("i", ComputeType.COMPUTE_INSTANCE, DEAD)),
        workspace(compute("k", ComputeType.KUBERNETES, DEAD)),
        workspace(endpoint("serve", DEAD)),
        workspace(identity=identity(DEAD), primary=DEAD.resource),
    ],
    ids=["cluster", "instance", "kubernetes", "endpoint", "workspace"],
)
@pytest.mark.parametrize("covered", [True, False])
def test_nothing_is_granted_and_the_admin_user_stays_on(one: Workspace, fact: Fact, *, covered: bool) -> None:
    """What the dead one still holds covers nobody."""
    held = [assigned(DEAD, "AcrPull", REGISTRY)] if covered else []
    made = plan(lost(one, fact, registry(admin_user=True), held=held), terms(on=["AML-03", "AML-08"]))
    assert made.grants == ()
    assert made.settings == ()
    assert "lost-identity-pulls" in guards(made)
    (found,) = [finding for finding in made.findings if finding.rule == "lost-identity"]
    assert "was deleted" in found.message
    said = " ".join(f"{finding.message} {finding.remedy}" for finding in made.findings)
    assert "has no identity" not in said
    assert DEAD.id not in said


def test_what_is_there_goes_off_as_ever() -> None:
    one = workspace(cluster("cpu1", LIVING))
    made = plan(lost(one, None, registry(admin_user=True), held=[assigned(LIVING, "AcrPull", REGISTRY)]), terms())
    assert [setting.name for setting in made.settings if setting.name is Property.ADMIN_USER]
    assert not [finding for finding in made.findings if finding.rule == "lost-identity"]


def test_one_that_may_not_be_read_is_unknown() -> None:
    one = workspace(cluster("cpu1", DEAD))
    held = [assigned(DEAD, "AcrPull", REGISTRY)]
    made = plan(lost(one, Unreadable.FORBIDDEN, registry(admin_user=True), held=held), terms())
    assert guards(made) == {"lost-identity-pulls"}
    (found,) = [finding for finding in made.findings if finding.rule == "lost-identity"]
    assert "could not be read" in found.message


def test_no_command_attaches_what_was_deleted() -> None:
    """Whichever rule gives the advice; what was made anew may be attached again."""
    wrong = cluster("cpu1", sai("cpu1"), DEAD, LIVING)
    one = workspace(wrong, identity=identity(DEAD, LIVING), primary=DEAD.resource, serverless=True)
    for fact, attaches in ((None, False), (ANEW, True)):
        seen = lost(one, fact, registry())
        remedies = [
            ask.remedy
            for rule in RULES
            for ask in asks_of(rule, seen.subject, seen)
            if isinstance(ask, Finding)
            and ('"userAssignedIdentities"' in ask.remedy or "--identity-type" in ask.remedy)
        ]
        assert remedies
        assert all(str(LIVING.resource) in remedy for remedy in remedies)
        assert any(str(DEAD.resource) in remedy for remedy in remedies) is attaches


def test_an_identity_of_the_workspace_that_is_not_primary_is_taken_off() -> None:
    (found,) = [
        ask
        for seen in [lost(workspace(identity=identity(sai("mlw"), DEAD)), None)]
        for ask in asks_of(RULE["lost-identity"], seen.subject, seen)
    ]
    assert isinstance(found, Finding)
    assert f'"{DEAD.resource}": null' in found.remedy


class TestAWorkspaceThatIsBeingDeleted:
    RAW: ClassVar[dict[str, Any]] = {
        "id": str(WORKSPACE),
        "properties": {"provisioningState": "Deleting", "containerRegistry": str(REGISTRY)},
    }

    def test_nothing_is_granted_to_it_or_for_it(self) -> None:
        one = replace(workspace(cluster("cpu1", sai("cpu1")), endpoint("serve", sai("serve"))), leaving=True)
        made = plan(estate(one, registry(admin_user=True)), terms())
        assert (made.grants, made.settings, made.withheld, made.deferred) == ((), (), (), ())
        (found,) = made.findings
        assert (found.rule, "is being deleted" in found.message) == ("lost-identity", True)

    @pytest.mark.parametrize("leaving", [True, False])
    def test_a_neighbour_keeps_the_admin_user_on(self, *, leaving: bool) -> None:
        beside = replace(workspace(id=workspace_id("beside")), leaving=leaving)
        made = plan(estate(workspace(), registry(admin_user=True), beside), terms())
        assert guards(made) == ({"lost-identity-pulls"} if leaving else set())

    def test_arm_says_so(self) -> None:
        found = parse.workspace(self.RAW, dict.fromkeys(List, ()), {})
        assert found.leaving
        asked = asks_of(RULE["lost-identity-pulls"], found, estate(found))
        (one,) = [ask for ask in asked if isinstance(ask, RegistryUser)]
        assert (one.registry, one.cover) == (REGISTRY, Cover.UNKNOWN)
        assert found.id.resource_group == GROUP
