"""`amlguard plan` for people: a headline, the worst first, the same thing once, and never more than a screen or two."""

import re
from collections.abc import Callable
from functools import cache

import pytest
from plans import every_rule_breached, everything
from unit.build import workspace_id

from handlers.cli.console import UsageError
from handlers.cli.formats.choose import Choice, chosen, exit_code, require_rules
from handlers.cli.formats.screen import Screen
from handlers.cli.formats.text import MOST_LINES
from handlers.cli.formats.view import in_common
from handlers.cli.present import render, result_document
from handlers.cli.progress import Progress
from shared.access.plan_json import Document
from shared.access.report import Report
from shared.access.rules import RULES

ALL = result_document(everything())


# Made when the first test asks: every process of a run loads this module, and one runs it.
@cache
def many() -> Document:
    return result_document(every_rule_breached(10_000, each=2))


@cache
def all_bad() -> Document:
    return result_document(every_rule_breached(60))


def text(document: Document, *, full: bool = False, width: int | None = None) -> str:
    return render(document, "text", Screen(width), full=full)


@pytest.mark.parametrize("made", [many, all_bad], ids=["ten thousand", "every rule in each"])
def test_however_bad_it_is_it_fits_a_hundred_lines_of_120_columns(made: Callable[[], Document]) -> None:
    """Of the 10,000, two rules each, in turns: every rule is breached by many."""
    document = made()
    assert {rule.name for rule in RULES} <= {one["rule"] for one in document["findings"]}
    lines = text(document).splitlines()
    assert len(lines) <= MOST_LINES
    assert max(map(len, lines)) <= 120
    assert "--full" in "\n".join(lines), "how to see the rest"
    worst = [at for at, line in enumerate(lines) if "high" in line.split()]
    assert worst[0] < 8


def test_asked_for_it_tells_all_of_it() -> None:
    lines = text(all_bad(), full=True).splitlines()
    assert len(lines) > 10 * MOST_LINES
    assert all(any(one["message"] in line for line in lines) for one in all_bad()["findings"][:200])


def test_the_headline_says_how_much_and_what() -> None:
    first, second, third, *_ = text(ALL).splitlines()
    assert first.startswith("looked at 2 workspaces in 1 subscription, by policy file policy.yaml, as ")
    assert second == "would change: 3 grants, 1 setting, 1 removal; 2 withheld; 2 deferred; 3 unknown"
    assert third == "findings: 1 high, 1 low"


def test_nothing_wrong_is_said_in_three_lines() -> None:
    said = text(result_document(Report(looked_at=[workspace_id()]))).splitlines()
    assert said[1:] == [
        "would change: nothing",
        "0 grants, 0 settings, 0 findings, 0 withheld, 0 deferred; 0 needs already satisfied",
    ]


def test_the_worst_workspace_comes_first_and_things_have_names() -> None:
    said = text(ALL)
    assert said.index("workspace other") < said.index("workspace lost") < said.index("● workspace mlw")
    assert "grant AcrPull on registry acrml to scorer" in said
    assert "set adminUserEnabled true → false on registry acrml" in said
    assert "also in mlw" in said
    titles = [line for line in said.splitlines() if re.match(r" {2}\S", line)]
    assert titles
    assert not [line for line in titles if "/subscriptions/" in line or re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-", line)]


def test_the_same_finding_is_told_once_with_a_count() -> None:
    lines = text(many()).splitlines()
    title = next(rule.title for rule in RULES if rule.name == "compute-identity")[:40]
    (told,) = [line for line in lines if title in line]
    places = sum(one["rule"] == "compute-identity" for one in many()["findings"])
    assert f"{places}×" in told
    assert places > 50


@pytest.mark.parametrize("width", [60, 200])
def test_a_terminal_has_its_own_width(width: int) -> None:
    assert max(map(len, text(many(), width=width).splitlines())) <= width
    assert max(map(len, text(ALL, width=width).splitlines())) <= width


def test_colours_only_where_they_are_seen() -> None:
    assert "\x1b[" in render(ALL, "text", Screen(100, styled=True))
    assert "\x1b" not in render(ALL, "text", Screen(100))


@pytest.mark.parametrize(
    ("choice", "kept"),
    [
        (Choice(rules=["aml-21"]), {"settings": 1, "withheld": 2, "deferred": 1}),
        (Choice(rules=["workspace-identity"], severities=["high"]), {"findings": 1}),
        (Choice(severities=["medium"]), {}),
        (Choice(workspaces=["LOST"]), {"unknown": 1}),
        (Choice(workspaces=["l*", "nobody"]), {"unknown": 1}),
        (Choice(workspaces=[str(workspace_id("lost")).upper()]), {"unknown": 1}),
        (Choice(statuses=["change"]), {"grants": 3, "settings": 1, "removals": 1}),
        (Choice(statuses=["deferred", "finding"]), {"deferred": 2, "findings": 2}),
        (Choice(statuses=["unknown"], workspaces=["other"]), {"unknown": 2}),
    ],
)
def test_a_choice_keeps_what_meets_all_of_it(choice: Choice, kept: dict[str, int]) -> None:
    made = chosen(ALL, choice)
    lists = ("grants", "settings", "removals", "findings", "withheld", "deferred", "unknown")
    assert {name: len(made[name]) for name in lists if made[name]} == kept
    assert made["counts"]["grants"] == len(made["grants"])
    assert made["errors"] == ALL["errors"], "nobody chooses not to hear of errors"
    assert "shown is only what you asked for" in " ".join(text(made).split())


@pytest.mark.parametrize(
    ("titles", "common"),
    [
        (["grant AcrPull on registry a to x", "grant AcrPull on registry b to y"], "grant AcrPull on registry … to …"),
        (["Account a, of mlw-1, refuses keys", "Account b, of mlw-2, refuses keys"], "Account …, of …, refuses keys"),
        (["one two three four", "one two three and more"], "one two three …"),
        (["nothing in common", "whatever else there is"], ""),
    ],
)
def test_several_things_are_called_what_they_have_in_common(titles: list[str], common: str) -> None:
    assert in_common(titles) == common


def test_no_choice_changes_nothing() -> None:
    assert chosen(ALL, Choice()) is ALL
    assert "shown is only" not in text(ALL)


def test_a_rule_that_is_not_there_is_an_error_that_names_one_that_is() -> None:
    require_rules(["AML-21", "compute-pull"], RULES)
    with pytest.raises(UsageError, match="did you mean compute-pull"):
        require_rules(["compute-pul"], RULES)
    with pytest.raises(UsageError, match="amlguard rules"):
        require_rules(["zzzzzz"], RULES)


def _only(**lists: object) -> Document:
    empty: Document = {name: [] for name in ("grants", "settings", "removals", "findings", "withheld", "deferred")}
    return {**empty, "errors": [], **lists}


@pytest.mark.parametrize(
    ("document", "fail_on", "code"),
    [
        (_only(), None, 0),
        (_only(grants=[1]), None, 2),
        (_only(withheld=[1]), None, 2),
        (_only(deferred=[1]), None, 2),
        (_only(findings=[{"severity": "informational"}]), None, 2),
        (_only(grants=[1], findings=[{"severity": "high"}]), "never", 0),
        (_only(errors=["x"]), "never", 1),
        (_only(findings=[{"severity": "high"}], withheld=[1], deferred=[1]), "grant", 0),
        (_only(settings=[1]), "grant", 2),
        (_only(removals=[1]), "grant", 2),
        (_only(findings=[{"severity": "low"}]), "medium", 0),
        (_only(findings=[{"severity": "high"}]), "medium", 2),
        (_only(findings=[{"severity": "medium"}]), "medium", 2),
        (_only(grants=[1]), "high", 2),
        (_only(withheld=[1]), "informational", 0),
        (_only(errors=["x"], grants=[1]), "high", 1),
    ],
)
def test_what_makes_it_fail(document: Document, fail_on: str | None, code: int) -> None:
    assert exit_code(document, fail_on) == code


def test_progress_says_how_much_is_done_and_left() -> None:
    seconds = iter([0.0, 30.0, 90.0])
    one = Progress(4, lambda: 17, lambda: next(seconds))
    assert one.line() == "0 of 4 workspaces, 17 requests"
    one.done = 1
    assert one.line() == "1 of 4 workspaces, 17 requests, about 2 minutes left"
    one.done = 3
    assert one.line() == "3 of 4 workspaces, 17 requests, about 30 seconds left"
    one.done = 4
    assert one.line() == "4 of 4 workspaces, 17 requests"
