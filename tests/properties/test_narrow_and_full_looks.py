"""A look at what an event touched makes what the full look makes of it: no grant less, and nothing besides.

Three kinds of tenants: small ones at random, those of teams and an attacker, and every case of the catalogue.
"""

import asyncio
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pytest
from catalogue.gathered import document, placed
from catalogue.gathered import policy as catalogue_policy
from fakes import FakeAzure
from hypothesis import given, settings
from hypothesis import strategies as st
from properties.hostile_tenants import attack, tenant
from properties.tenants_at_random import WORKSPACES, tenants
from raw import Raw
from unit.build import REGISTRY, terms

from shared import policy
from shared.access import denies, parse
from shared.access.actions import Grant, Plan
from shared.access.ask_rules import ask_all
from shared.access.asks import Ask, Objection
from shared.access.model import Estate
from shared.access.plan import decide
from shared.access.rules import RULES, List, Rule
from shared.access.scope import Scope
from shared.access.terms import Terms
from shared.access.touched import about, decided
from shared.access.unasked import NOT_ASKED
from shared.prepare import prepare
from shared.reading.cached import CachedReads
from shared.reading.estate import observe

TENANTS = 40
ATTRIBUTES = {
    List.COMPUTES: "computes",
    List.ENDPOINTS: "endpoints",
    List.DATASTORES: "datastores",
    List.CONNECTIONS: "connections",
}
_KIND = "microsoft.machinelearningservices/workspaces"


@dataclass(frozen=True)
class Looks:
    """One workspace in full (`whole`), and by one list: `few` rules are asked, `narrow` is what they decide alone."""

    touched: List
    few: Terms
    whole: Estate
    estate: Estate
    narrow: Plan | None
    full: Plan

    def touches(self, scope: Scope) -> bool:
        return scope.parent == self.estate.subject.id and scope.resource_type == f"{_KIND}/{self.touched}".lower()

    def grants(self, made: Plan) -> set[str]:
        return {one.action_id for one in made.grants if any(map(self.touches, (one.on, *one.others)))}


async def _looks(workspace: Scope, azure: FakeAzure, said: Terms) -> list[Looks]:
    full = await prepare(workspace, azure, said)
    if full is None:
        return []
    found = []
    for touched in (name for name in List if name.of(full.estate.subject)):
        few = about(said, touched)
        at = await observe(workspace, CachedReads(azure), few)
        assert at
        narrow = decided(decide(at), at.asked[0], at.estate, few)
        found.append(Looks(touched, few, full.estate, at.estate, narrow, full.plan))
        taken = await prepare(workspace, azure, said, touched=touched)
        assert taken
        assert taken.plan == (narrow or full.plan)
    return found


def looks(workspace: Scope, azure: FakeAzure, said: Terms) -> list[Looks]:
    return asyncio.run(_looks(workspace, azure, said))


def holds(one: Looks) -> None:
    if one.narrow is None:
        return  # then everything was looked at
    every = {action.action_id for action in one.full.actions}
    assert one.grants(one.narrow) == one.grants(one.full)
    assert {action.action_id for action in one.narrow.actions} <= every
    assert one.full.switch_off is None
    assert [each for each in one.full.removals if one.touches(each.on)] == []
    names = {rule.name for rule in one.few.table}
    for withheld in one.full.withheld:
        if isinstance(withheld.action, Grant) and one.touches(withheld.action.on):
            assert names.isdisjoint(withheld.action.rule.split(", "))
    assert _told(one.narrow) <= _told(one.full)


def _told(made: Plan) -> set[tuple[str, str, str]]:
    return {(one.resource.key, one.rule, one.message) for one in made.findings}


def _of_a_team(seed: int) -> tuple[FakeAzure, Terms]:
    one = tenant(seed)
    for _ in range(one.random.choice((0, 0, 1, 3))):
        one.azure.have(*attack(one))
    return one.azure, one.terms


def _workspaces(azure: FakeAzure) -> list[Scope]:
    return [scope for scope in azure.resources if scope.resource_type == _KIND]


@pytest.mark.parametrize("shard", range(2))
def test_for_teams_and_an_attacker(shard: int) -> None:
    alone = granted = 0
    for seed in range(shard * TENANTS, (shard + 1) * TENANTS):
        azure, said = _of_a_team(seed)
        for workspace in _workspaces(azure):
            for one in looks(workspace, azure, said):
                holds(one)
                alone += one.narrow is not None
                granted += bool(one.narrow and one.narrow.grants)
    assert alone > TENANTS // 2, "too few looks end with what was touched: nothing is tried"
    assert granted, "no look at what was touched grants anything"


def test_what_the_rules_asked_last_they_ask_of_all_that_was_read() -> None:
    for seed in range(TENANTS):
        azure, said = _of_a_team(seed)
        for workspace in _workspaces(azure):
            at = asyncio.run(observe(workspace, CachedReads(azure), said))
            assert at
            assert at.asked == ask_all(at.estate, said)


@given(tenants(), st.booleans())
@settings(max_examples=40)
def test_for_small_tenants(azure: FakeAzure, keeps: bool) -> None:
    if keeps:
        azure.resources[REGISTRY]["properties"]["adminUserEnabled"] = False
    for workspace in WORKSPACES:
        for one in looks(workspace, azure, terms()):
            holds(one)


def _azure(document: Raw) -> FakeAzure:
    azure = FakeAzure()
    azure.have(*document["resources"], aml=False)
    found = map(parse.role_assignment, document["roleAssignments"])
    azure.assignments = [one for one in found if one]
    azure.denies = [one for one in map(denies.deny_assignment, document["denyAssignments"]) if one]
    azure.locks = list(document["locks"])
    azure.roles |= {one.role_id: one for one in map(parse.role_definition, document["roleDefinitions"])}
    azure.groups = {group: set(members) for group, members in document["groups"].items()}
    return azure


CASES = {one.id: one for one in placed()}
DEFAULT = Terms(table=RULES)
EVERYTHING = policy.parse(catalogue_policy()).terms()


@cache
def _cases(name: str) -> list[Looks]:
    """Of each workspace of a case, by the policy as it is by default, and with every rule on."""
    one = CASES[name]
    azure = _azure(document([one.case.build(one.place)]))
    return [
        each
        for said in (DEFAULT, EVERYTHING)
        for workspace in _workspaces(azure)
        for each in looks(workspace, azure, said)
    ]


@pytest.mark.parametrize("name", CASES)
def test_for_every_case(name: str) -> None:
    found = _cases(name)
    for one in found:
        holds(one)
    for seen in found[:1]:
        for rule in RULES:
            looks_at_what_it_says(rule, seen.whole)


def looks_at_what_it_says(rule: Rule, seen: Estate) -> None:
    """It runs without the lists that it does not name, and only then does `about` know what it needs."""
    closed = {name for name in List if not rule.looks_at(name)}
    asked = _asks(rule, seen, closed)
    assert asked == _asks(rule, seen, set())
    assert rule.objects_to_grants or not any(isinstance(one, Objection) and one.setting is None for one in asked)
    for name in rule.each:  # of its members it says the same where the others were not asked for
        alone = _asks(rule, seen, closed | ({*rule.each} - {name}))
        assert [*map(repr, alone)] == [repr(one) for one in asked if repr(one) in map(repr, alone)]
        assert [one for one in asked if _is_about(one, name, seen)] == [
            one for one in alone if _is_about(one, name, seen)
        ]


def _asks(rule: Rule, seen: Estate, closed: set[List]) -> list[Ask]:
    lists: dict[str, Any] = {ATTRIBUTES[name]: NOT_ASKED for name in closed}
    subject = replace(seen.subject, **lists)
    return list(rule.asks(subject, replace(seen, subject=subject)))


def _is_about(one: Ask, name: List, seen: Estate) -> bool:
    scope = getattr(one, "resource", None) or getattr(one, "on", None)
    below = f"{seen.subject.id.resource_type}/{name}".casefold()
    return isinstance(scope, Scope) and scope.resource_type == below
