"""Every rule where it acts and where it does not: all cases in one tenant, one sweep through the real host."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from az.parse import faults, remedies_commands
from catalogue.gathered import Placed, document, placed, policy, requirements, told_twice
from local_azure import FINDINGS, LocalAzure
from wire import Json

from docs import fidelity
from shared.access.guards import Guard
from shared.access.rules import RULES, RuleKind

PLACED = placed()
_SWEEP_SECONDS = 420


@dataclass
class Swept:
    """The local Azure after the sweep; rows by the case's subscription, and the types of what it was asked."""

    sent: set[str]
    rows: dict[str, list[Json]] = field(default_factory=dict)

    def add(self, row: Json) -> None:
        places = {_place(row.get(column) or "") for column in ("ResourceId", "Scope")}
        for place in places - {""}:
            self.rows.setdefault(place, []).append(row)

    def of(self, one: Placed) -> list[Json]:
        """The rows in which the case's rule acts."""
        return [row for row in self.rows.get(one.place.subscription.lower(), []) if _in_the_name_of(one.case.rule, row)]


def _place(scope: str) -> str:
    return "/".join(scope.lower().split("/")[:3])


_ACTING = {rule.name: {rule.name, *rule.through} for rule in RULES}


def _in_the_name_of(rule: str, row: Json) -> bool:
    """A merged grant names all of its rules; what a guard holds back carries the guard's name as well.

    What a rule leaves to others (`Rule.through`) they do in their own names.
    """
    return bool(_ACTING[rule] & {*row["RuleId"].split(", "), row.get("Guard")})


def _outcome(row: Json) -> str:
    return str(row.get("Outcome") or "Finding")


def _text(row: Json) -> str:
    return " ".join(str(row.get(column) or "") for column in ("Reason", "Message", "Remedy"))


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swept]:
    tenant = document(one.case.build(one.place) for one in PLACED)
    azure = LocalAzure.start(tmp_path_factory.mktemp("catalogue"), tenant, policy())
    try:
        _sweep(azure)
        _tell(azure)
        seen = Swept(azure.sent())
        for row in (*azure.rows(), *azure.rows(FINDINGS)):
            seen.add(row)
        yield seen
    finally:
        azure.stop()


def _sweep(azure: LocalAzure) -> None:
    """Waits until the sweep says that it has seen every workspace, and until what it left to the queue is done."""
    azure.sweep()
    azure.until(lambda: _ended(azure), "the sweep comes to its end", _SWEEP_SECONDS)
    azure.until_quiet(_SWEEP_SECONDS)
    azure.until(lambda: not _under_way(azure.rows()), "what was planned has its outcome", _SWEEP_SECONDS)
    azure.until_quiet(_SWEEP_SECONDS)
    assert azure.poisoned_work() == []


def _ended(azure: LocalAzure) -> bool:
    ends = [row["Outcome"] for row in azure.rows("AmlGuardSweep_CL") if row["Outcome"] != "Started"]
    assert set(ends) <= {"Completed"}
    return bool(ends)


def _under_way(rows: list[Json]) -> set[tuple[str, str]]:
    """Turning an admin user off takes seconds in which the app asks nothing."""
    phases = {(row["RunId"], row["ActionId"], row["Outcome"] == "Planned") for row in rows}
    return {(run, action) for run, action, planned in phases if planned and (run, action, False) not in phases}


def _tell(azure: LocalAzure) -> None:
    """Delivers the cases' events, and waits for what follows."""
    events = [one.case.event(one.place) for one in PLACED if one.case.event]
    if events:
        assert azure.deliver(*events).ok
        azure.until_quiet(_SWEEP_SECONDS)


@pytest.mark.parametrize("one", PLACED, ids=lambda one: one.id)
def test_case(one: Placed, swept: Swept) -> None:
    rows, case = swept.of(one), one.case
    if not case.acts:
        assert rows == []
        return
    fitting = [row for row in rows if not case.outcome or _outcome(row) == case.outcome]
    assert [row for row in fitting if case.says in _text(row)], rows or swept.rows.get(one.place.subscription.lower())
    assert all(row["Remedy"] for row in fitting if _outcome(row) == "Finding")


def test_it_asks_for_what_the_papers_list(swept: Swept) -> None:
    assert fidelity.listed("catalogue/test_catalogue.py") <= swept.sent


def test_every_guard_is_one_that_the_papers_name(swept: Swept) -> None:
    said = {row["Guard"] for rows in swept.rows.values() for row in rows if row.get("Guard")}
    assert said <= {*Guard} | {rule.name for rule in RULES if rule.is_guard}
    assert len(said) > len(RuleKind)


def test_every_command_is_one_that_the_azure_cli_takes(swept: Swept) -> None:
    """As it is printed, in remedies, messages and reasons: what it names, its options and values, and where it ends."""
    texts = {_text(row) for rows in swept.rows.values() for row in rows}
    commands = {command for text in texts for command in remedies_commands(text)}
    assert len(commands) > len(RULES)
    assert faults(commands) == {}


def test_no_two_findings_on_a_resource_give_the_same_remedy(swept: Swept) -> None:
    """One change is advised once, whichever rules want it."""
    findings = {row["FindingId"]: row for rows in swept.rows.values() for row in rows if row.get("Remedy")}
    assert told_twice((row["ResourceId"], row["Remedy"], row["RuleId"]) for row in findings.values()) == []


def _cases_of(rule: str, *, acts: bool) -> list[str]:
    return [one.case.title for one in PLACED if one.case.rule == rule and one.case.acts is acts]


@pytest.mark.parametrize("rule", [rule.name for rule in RULES])
@pytest.mark.parametrize("acts", [True, False], ids=["acts", "leaves"])
def test_every_rule_has_a_case(rule: str, *, acts: bool) -> None:
    assert _cases_of(rule, acts=acts)


def test_every_case_is_of_a_rule() -> None:
    assert {one.case.rule for one in PLACED} <= {rule.name for rule in RULES}


def test_entries_without_a_say_of_their_own_name_the_rules_that_have_it() -> None:
    known = {rule.name for rule in RULES}
    for rule in RULES:
        assert set(rule.through) <= known
        assert rule.mode is not RuleKind.INPUT or rule.through


def test_every_requirement_is_in_the_catalogue_in_its_modes() -> None:
    modes: dict[str, set[str]] = {}
    for rule in RULES:
        for name in rule.requirements:
            modes.setdefault(name, set()).add(str(rule.mode))
    table = requirements()
    assert {name: frozenset(modes.get(name, ())) for name in table} == table
    # What is not in the table is an id that comes after all of it: any other is a slip.
    assert all(_number(name) > max(map(_number, table)) for name in modes.keys() - table.keys())


def _number(requirement: str) -> int:
    return int(requirement.removeprefix("AML-"))
