"""The truth table of what is held already, through each of the three ways in: webhook, timer, `amlguard apply`."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from event_grid import event
from local_azure import Json, LocalAzure, Start
from truth_cases import CASES, Case, Need, built

WAYS = ("webhook", "timer", "apply")
POLICY = "mode: enforce\n"


@dataclass
class World:
    """The tenant before and after the app has looked at all of it. `printed` is what `apply` said."""

    azure: LocalAzure
    needs: dict[str, Need]
    before: dict[str, set[tuple[str, str]]]
    printed: Json = field(default_factory=dict)

    def rows(self, need: Need) -> list[Json]:
        return [
            row
            for row in self.all_rows
            if row["PrincipalId"] == need.principal and row["Scope"].lower() == need.scope.lower()
        ]

    def __post_init__(self) -> None:
        self.all_rows = self.azure.rows()


def _webhook(azure: LocalAzure, needs: dict[str, Need]) -> Json:
    answer = azure.deliver(*(event(need.workspace) for need in needs.values()))
    assert answer.status_code == 202, answer.text
    azure.until_quiet()
    return {}


def _timer(azure: LocalAzure, needs: dict[str, Need]) -> Json:
    azure.sweep_all(need.workspace for need in needs.values())
    return {}


def _apply(azure: LocalAzure, needs: dict[str, Need]) -> Json:
    del needs
    ran = azure.run("apply", "--yes", "--format", "json")
    assert ran.code == 2, (ran.code, ran.err)  # 2: something is withheld
    return ran.document


_THROUGH: dict[str, Callable[[LocalAzure, dict[str, Need]], Json]] = {
    "webhook": _webhook,
    "timer": _timer,
    "apply": _apply,
}


@pytest.fixture(scope="module")
def worlds(start_azure: Start) -> Callable[[str], World]:
    """Each way has a local Azure of its own with all cases in it."""
    made: dict[str, World] = {}

    def through(way: str) -> World:
        if way not in made:
            tenant, needs = built()
            azure = start_azure(tenant.document(), POLICY, functions=way != "apply")
            before = {name: azure.grants(need.principal, need.scope) for name, need in needs.items()}
            printed = _THROUGH[way](azure, needs)
            made[way] = World(azure, needs, before, printed)
        return made[way]

    return through


@pytest.mark.parametrize(
    ("way", "case"),
    [
        pytest.param(way, case, id=f"{way}-{case.name}", marks=pytest.mark.xdist_group(f"truth table {way}"))
        for way in WAYS
        for case in CASES
    ],
)
def test_truth_table(way: str, case: Case, worlds: Callable[[str], World]) -> None:
    world = worlds(way)
    need, before = world.needs[case.name], world.before[case.name]
    after, rows = world.azure.grants(need.principal, need.scope), world.rows(need)
    outcomes = sorted(row["Outcome"] for row in rows)
    match case.outcome:
        case "held":
            assert after == before
            assert rows == []
        case "granted":
            assert after == before | {(need.scope.lower(), need.role)}
            assert outcomes == ["Applied", "Planned"]
        case _:
            assert after == before
            assert outcomes == ["Withheld"]
            assert rows[0]["Guard"] == need.guard
            assert rows[0]["Reason"]
            if way == "apply":
                assert _withheld(world.printed, need) == [need.guard]


def _withheld(printed: Json, need: Need) -> list[str]:
    return [
        one["guard"]
        for one in printed["withheld"]
        if one["action"]["principalId"] == need.principal and one["action"]["scope"].lower() == need.scope.lower()
    ]
