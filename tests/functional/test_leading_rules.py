"""The rules that lead are asked until all is read that they need; all others once, at the end."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest
import raw
from app import App, app
from unit.build import STORAGE, WORKSPACE, assigned, sai

from shared.access.actions import Plan
from shared.access.asks import Ask, Found, RequiredGrant, Severity
from shared.access.model import Estate, Workspace
from shared.access.needs import READ_BLOBS
from shared.access.rules import Rule, RuleKind

CPU = sai("cpu1")


def _rule(asks: Ask, asked: Counter[str], *, name: str = "finds") -> Rule:
    def examine(_: Workspace, __: Estate) -> Iterator[Ask]:
        asked[name] += 1
        yield asks

    return Rule(
        name=name,
        requirements=("AML-06",),
        mode=RuleKind.AUDIT,
        title="The test says so.",
        source="this test",
        examine=examine,
        acts="any workspace",
        leaves="none",
        severity=Severity.LOW,
        remedy="None.",
    )


NEEDS = RequiredGrant(CPU, READ_BLOBS, STORAGE, WORKSPACE, ("AML-06",), "the test says so")
FINDS = Found(WORKSPACE, "The test says so.")


async def _plan(one: App, *rules: Rule) -> Plan:
    return await replace(one.services.reconciler, terms=replace(one.terms, table=rules)).prepare(WORKSPACE)


@pytest.mark.parametrize("advises", [True, False])
async def test_whoever_asks_for_a_grant_without_saying_so_is_told_what_is_held(advises: bool) -> None:
    rule = replace(_rule(NEEDS, Counter()), advises=advises)
    one = app(raw.compute("cpu1", CPU))
    assert [found.needs for found in (await _plan(one, rule)).findings] == [(NEEDS,)]
    one.azure.automatic += [assigned(CPU, "Storage Blob Data Reader", STORAGE)]
    held = await _plan(one, rule)
    assert (held.findings, held.satisfied) == ((), 1)


async def test_what_leads_nowhere_is_asked_once() -> None:
    asked: Counter[str] = Counter()
    finds = _rule(FINDS, asked)
    leads = replace(_rule(NEEDS, asked, name="leads"), advises=True)
    made = await _plan(app(raw.compute("cpu1", CPU)), leads, finds)
    assert len(made.findings) == 2
    assert asked["finds"] == 1 < asked["leads"]
