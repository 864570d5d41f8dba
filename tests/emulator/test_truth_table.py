"""The truth table of what is held already, through each way in: webhook, timer, `amlguard plan` and `apply`."""

from dataclasses import dataclass, field
from functools import cached_property
from itertools import batched

import pytest
from event_grid import event
from local_azure import LocalAzure, Start
from truth_cases import built
from truth_needs import CASES, Case, Need
from wire import Json

from docs import fidelity

POLICY = "mode: enforce\n"
_DELIVERY = 20  # more at once get in each other's way at the caps, and Event Grid would have to come again


@dataclass
class World:
    """The tenant before and after the app has looked at all of it. `planned` and `printed` are what `plan` and `apply`
    said."""

    azure: LocalAzure
    needs: dict[str, Need]
    before: dict[str, set[tuple[str, str]]]
    planned: Json = field(default_factory=dict)
    printed: Json = field(default_factory=dict)

    @cached_property
    def recorded(self) -> list[Json]:
        return self.azure.rows()

    def rows(self, name: str) -> list[Json]:
        need = self.needs[name]
        return [
            row
            for row in self.recorded
            if row["PrincipalId"] == need.principal and row["Scope"].lower() == need.scope.lower()
        ]

    def until_done(self) -> None:
        """Waits until every case that leaves a record has left it, and the rest was looked at."""
        expected = {self.needs[case.name].about for case in CASES if case.outcome != "held"}

        def recorded() -> set[tuple[str, str]]:
            rows = self.azure.rows(where="Outcome in ('Applied', 'Withheld')")
            return {(row["PrincipalId"], (row["Scope"] or "").lower()) for row in rows}

        self.azure.until(lambda: expected <= recorded(), "of each case it is recorded what came of it", 300)
        self.azure.until_quiet()


def _world(start_azure: Start, *, functions: bool = True) -> World:
    tenant, needs = built()
    azure = start_azure(tenant.document(), POLICY, functions=functions)
    return World(azure, needs, {name: azure.grants(need.principal, need.scope) for name, need in needs.items()})


def _assert_truth(case: Case, world: World) -> None:
    need, before, rows = world.needs[case.name], world.before[case.name], world.rows(case.name)
    after = world.azure.grants(need.principal, need.scope)
    outcomes = sorted(row["Outcome"] for row in rows)
    match case.outcome:
        case "held":
            assert after == before
            assert rows == []
        case "granted":
            assert after == before | {(need.scope.lower(), need.role)}
            # Put off and planned anew where others were quicker at the caps.
            assert set(outcomes) - {"Deferred"} == {"Applied", "Planned"}
            assert outcomes.count("Applied") == 1
        case _:
            assert after == before
            assert outcomes == ["Withheld"]
            assert rows[0]["Guard"] == need.guard
            assert rows[0]["Reason"]


_every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@pytest.fixture(scope="module")
def through_webhook(start_azure: Start) -> World:
    world = _world(start_azure)
    for needs in batched(world.needs.values(), _DELIVERY, strict=False):
        answer = world.azure.deliver(*(event(need.workspace) for need in needs))
        assert answer.status_code == 202, answer.text
    world.until_done()
    return world


@pytest.fixture(scope="module")
def through_timer(start_azure: Start) -> World:
    world = _world(start_azure)
    world.azure.sweep_all(need.workspace for need in world.needs.values())
    world.until_done()
    return world


@pytest.fixture(scope="module")
def through_apply(start_azure: Start) -> World:
    world = _world(start_azure, functions=False)
    for command in ("plan", "apply --yes"):
        ran = world.azure.run(*command.split(), "--format", "json")
        assert ran.code == 2, ran.err  # 2: something is withheld
        world.planned, world.printed = world.planned or ran.document, ran.document
    return world


# Each way has a local Azure of its own with all cases in it, and a class, which pytest-xdist gives to one worker.


class TestWebhook:
    @_every_case
    def test_truth(self, case: Case, through_webhook: World) -> None:
        _assert_truth(case, through_webhook)


class TestTimer:
    @_every_case
    def test_truth(self, case: Case, through_timer: World) -> None:
        _assert_truth(case, through_timer)


class TestApply:
    @_every_case
    def test_truth(self, case: Case, through_apply: World) -> None:
        _assert_truth(case, through_apply)
        need = through_apply.needs[case.name]
        for said in (through_apply.planned, through_apply.printed):
            grants = [one for one in said["grants"] if _is_about(need, one)]
            withheld = [one["guard"] for one in said["withheld"] if _is_about(need, one["action"])]
            assert len(grants) == (case.outcome == "granted")
            assert withheld == ([need.guard] if case.outcome == "withheld" else [])

    def test_it_asks_for_what_the_papers_list(self, through_apply: World) -> None:
        assert fidelity.listed("emulator/test_truth_table.py") <= through_apply.azure.sent()


def _is_about(need: Need, action: Json) -> bool:
    return bool(action["principalId"] == need.principal and action["scope"].lower() == need.scope.lower())
