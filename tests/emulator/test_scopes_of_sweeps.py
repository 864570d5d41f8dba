"""A sweep looks at what the policy's scopes choose, and says so when they choose nothing (laws 13 and 14)."""

from dataclasses import dataclass

import pytest
from event_grid import event
from local_azure import FINDINGS, Start
from scope_world import (
    DOCUMENT,
    EMPTY,
    HOMES,
    POLICY,
    REGISTRY,
    RG,
    RUNNER,
    WORKSPACES,
    A,
    E,
    begin,
    leads_to,
    management_group,
    searches,
    storage,
)

CLOSED, TYPO = management_group("closed"), f"{RG}-pro"
NOBODY, ABROAD = management_group("nobody"), f"/subscriptions/{E}"


@dataclass(frozen=True)
class Swept:
    scopes: tuple[str, ...]
    changed: frozenset[str]
    outcome: str = "Completed"
    findings: frozenset[tuple[str, str]] = frozenset()


def _wrong(scope: str) -> Swept:
    """The only scope of the policy, and it names nothing that can be looked at."""
    return Swept((scope,), frozenset(), "Incomplete", frozenset({("policy-scope", scope), ("nothing-looked-at", "/")}))


CASES = {
    "management group": Swept((management_group("ml"),), frozenset({"one", "prod", "nested"})),
    "nested group": Swept((management_group("ml-prod"),), frozenset({"nested"})),
    "subscription": Swept((f"/subscriptions/{A}",), frozenset({"one", "prod"})),
    "rg beside rg-prod": Swept((RG,), frozenset({"one"})),
    "workspace": Swept((WORKSPACES["prod"],), frozenset({"prod"})),
    "registry": Swept((REGISTRY,), frozenset({"one", "nested"})),
    "identity of a compute": Swept((RUNNER,), frozenset({"other"})),
    "storage account": Swept((storage("prod"),), frozenset({"prod"})),
    "typo": _wrong(TYPO),
    "unknown": _wrong(NOBODY),
    "other tenant's": _wrong(ABROAD),
    "one right, two wrong": Swept(
        (RG, TYPO, CLOSED),
        frozenset({"one"}),
        "Incomplete",
        frozenset({("policy-scope", TYPO), ("policy-scope", CLOSED)}),
    ),
    "no workspace": Swept((EMPTY,), frozenset(), "Incomplete", frozenset({("nothing-looked-at", EMPTY)})),
}


@pytest.mark.parametrize("what", CASES)
def test_a_sweep_looks_at_what_the_policy_names(start_own_azure: Start, what: str) -> None:
    """An event about another workspace does nothing before; or fails, where it cannot be known whether it should."""
    case, unread = CASES[what], {CLOSED, NOBODY}
    world = begin(start_own_azure(DOCUMENT, f"{POLICY}scopes: [{', '.join(case.scopes)}]\n"))
    for name in HOMES.keys() - case.changed:
        assert world.azure.deliver(event(WORKSPACES[name])).status_code == (500 if unread & {*case.scopes} else 202)
    assert world.changed() == set()
    world.azure.forget_requests()
    world.azure.sweep()
    ended = "AmlGuardSweep_CL | where Outcome in ('Completed', 'Incomplete')"
    world.azure.until(lambda: world.azure.query(ended), "the sweep ends")
    world.azure.until_quiet()
    assert world.changed() == case.changed
    allowed = {*case.scopes, *(one for name in case.changed for one in leads_to(name))}
    assert world.strays(allowed, lists=searches(case.scopes[0])) == []
    (end,) = world.azure.query(ended)
    assert (end["Outcome"], end["Workspaces"]) == (case.outcome, len(case.changed))
    found = world.azure.rows(FINDINGS, "RuleId in ('policy-scope', 'nothing-looked-at')")
    assert {(row["RuleId"], row["ResourceId"]) for row in found} == case.findings
    assert world.azure.poisoned_work() == []
