"""The report in a real Chromium: it fetches nothing, complains of nothing, and shows all that the plan holds."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from plans import HOSTILE, every_rule_breached, everything, poisoned
from unit.build import workspace_id

from bench.browser import Browser, Visit, found
from handlers.cli.formats.screen import Screen
from handlers.cli.formats.view import view
from handlers.cli.page.build import Besides, page
from handlers.cli.present import render, result_document
from shared.access.plan_json import Document
from shared.access.report import Report

CHROMIUM = found()
pytestmark = pytest.mark.skipif(
    CHROMIUM is None and "CI" not in os.environ, reason="no Chromium on this machine; set AMLGUARD_CHROMIUM"
)

SMALL = result_document(everything())
WORKSPACE = SMALL["grants"][0]["workspace"]
EDGES = [
    {"identity": name, "need": need, "role": role, "target": target, "kind": kind, "through": "at the registry"}
    for name, need, role, target, kind in (
        ("mlw/computes/train", "pull images", "AcrPull", "acrml (registries)", "held"),
        ("scorer", "pull images", "AcrPull", "acrml (registries)", "missing"),
        ("scorer", "read blobs", "Owner", "store (storageaccounts)", "broad"),
        ("mlw", "read secrets", "Key Vault Secrets User", "kvml (vaults)", "unknown"),
    )
]
PAST = [
    {
        "time": f"2026-11-0{day} 10:00:00",
        "outcome": "Applied",
        "what": f"compute-pull on registry acrml{day}",
        "run": "r1",
    }
    | {"reason": f"reason {day}"}
    for day in (1, 2)
]
WAITING = [{"run": "run-7", "workspace": WORKSPACE, "state": "has waited", "actions": ["grant AcrPull on acrml"]}]
WHOLE = Besides({WORKSPACE: EDGES}, PAST, WAITING, "nothing", "nothing", whole=True)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert CHROMIUM, "CI has a Chromium"
    with Browser(CHROMIUM, keep_tabs=True) as one:  # the page stores nothing
        yield one


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    made = {
        "small": render(SMALL, "html", Screen()),
        "whole": page(view(SMALL), WHOLE),
        "empty": render(result_document(Report()), "html", Screen()),
        "bad": render(result_document(every_rule_breached(6)), "html", Screen()),
        "many": render(result_document(every_rule_breached(30)), "html", Screen()),
        **{name: render(poisoned(SMALL, evil), "html", Screen()) for name, evil in HOSTILE.items()},
    }
    for name, text in made.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in made}


def quiet(visit: Visit) -> Visit:
    assert visit.console == []
    assert visit.requests == []
    return visit


@pytest.mark.parametrize(
    ("name", "theme"), [("whole", "light"), ("whole", "dark"), ("empty", "light"), ("bad", "dark")]
)
def test_no_part_says_or_asks_anything_and_axe_finds_nothing(
    browser: Browser, pages: Mapping[str, Path], name: str, theme: str
) -> None:
    parts = ("#/", "#/findings", "#/workspaces", "#/w/0", *(("#/past", "#/waiting") if name == "whole" else ()))
    steps = [step for part in parts for step in (("go", part), ("axe",))]
    visit = quiet(browser.visit(pages[name], *steps, bypass=True, theme=theme))
    assert [found for found in visit.seen[1::2] if found] == []


def test_nothing_looked_at_is_not_said_to_be_well() -> None:
    """Law 14; also in the part of the page that needs no script."""
    nothing = render(result_document(Report()), "html", Screen())
    assert "Nothing was looked at" in nothing
    well = render(result_document(Report(looked_at=[workspace_id()])), "html", Screen())
    assert "Nothing is left to do or to look at." in well
    assert "Nothing was looked at" not in well


def test_the_policy_of_the_page_holds(browser: Browser, pages: Mapping[str, Path]) -> None:
    """With the policy in force the page works; a script of somebody else's does not."""
    quiet(browser.visit(pages["whole"], ("go", "#/findings"), ("go", "#/w/0"), ("go", "#/past")))
    evil = (
        "(() => { const s = document.createElement('script'); s.text = 'window.hit = 1'; document.body.append(s); })()"
    )
    visit = browser.visit(
        pages["whole"],
        ("evaluate", f"(() => {{ try {{ {evil} }} catch (e) {{ return String(e) }} }})()"),
        ("evaluate", "String(window.hit)"),
    )
    assert visit.seen[1] == "undefined"


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_runs_nothing(browser: Browser, pages: Mapping[str, Path], name: str) -> None:
    parts = (("go", "#/findings"), ("click", ".row"), ("go", "#/workspaces"), ("go", "#/w/0"))
    visit = quiet(
        browser.visit(
            pages[name],
            *parts,
            ("evaluate", "String(window.hit)"),
            ("evaluate", "document.querySelectorAll('img,iframe,object,embed,[onerror],[onload]').length"),
        )
    )
    assert visit.seen[-2:] == ["undefined", 0]


def _texts(document: Document) -> list[str]:
    lists: dict[str, Any] = {
        "grants": lambda one: f"{one['roleName']} {one['principalId']} {one['scope']}",
        "settings": lambda one: f"{one['property']} {one['resourceId']}",
        "removals": lambda one: f"{one['principalId']} {one['scope']}",
        "findings": lambda one: f"{one['message']} {one['rule']}",
        "withheld": lambda one: f"{one['guard']} {one['reason']}",
        "deferred": lambda one: f"{one['reason']} {one['until']}",
        "unknown": lambda one: f"{one['what']} {one['reason']}",
    }
    return [told(one) for name, told in lists.items() for one in document[name]]


def test_everything_of_the_plan_is_found_by_search(browser: Browser, pages: Mapping[str, Path]) -> None:
    for name, document in (("small", SMALL), ("bad", result_document(every_rule_breached(6)))):
        texts = _texts(document)
        visit = browser.visit(pages[name], ("go", "#/findings"), ("search", [*texts, "no such words anywhere"]))
        left = visit.seen[1]["left"]
        assert min(left[:-1]) >= 1, texts[left.index(min(left[:-1]))]
        assert left[-1] == 0
    counted = browser.visit(pages["small"], ("go", "#/findings"), ("search", ["lost", "scorer", "deferred wait"]))
    assert counted.seen[1]["left"] == [1, 2, 1], "and nothing else is"


def test_filters_and_sorting(browser: Browser, pages: Mapping[str, Path]) -> None:
    first = "document.querySelector('.row[aria-rowindex=\"2\"]').innerText"
    visit = browser.visit(
        pages["small"],
        ("go", "#/findings"),
        ("text", "#total"),
        ("evaluate", "[...document.querySelectorAll('select')].map((one) => one.options.length)"),
        ("evaluate", f"{first}"),
        ("click", ".heads button >> nth=0"),
        ("click", ".heads button >> nth=0"),
        ("evaluate", f"{first}"),
        ("evaluate", "document.querySelector('.heads [role=columnheader]').getAttribute('aria-sort')"),
        ("select", "select >> nth=0", "deferred"),
        ("text", "#total"),
        ("select", "select >> nth=0", ""),
        ("select", "select >> nth=1", "high"),
        ("text", "#total"),
    )
    every = sum(len(SMALL[name]) for name in ("grants", "settings", "removals", "findings", "withheld", "deferred"))
    assert visit.seen[1] == f"{every + 3} of {every + 3}"
    assert visit.seen[2][0] == 6
    assert visit.seen[3].startswith("high")
    assert visit.seen[6].startswith("low")
    assert visit.seen[7] == "descending"
    assert visit.seen[9].startswith("2 of")
    assert visit.seen[12].startswith("1 of")


def test_the_keyboard_reaches_everything(browser: Browser, pages: Mapping[str, Path]) -> None:
    visit = browser.visit(
        pages["small"],
        ("press", "Tab"),
        ("focused",),
        ("press", "/"),
        ("evaluate", "new Promise((done) => setTimeout(() => done(document.activeElement.id), 200))"),
        ("press", "d"),
        ("press", "e"),
        ("press", "f"),
        ("text", "#total"),
        ("press", "Escape"),
        ("evaluate", "document.querySelector('.row[tabindex=\"0\"]').focus()"),
        ("press", "ArrowDown"),
        ("evaluate", "document.activeElement.getAttribute('aria-rowindex')"),
        ("press", "End"),
        ("evaluate", "document.activeElement.getAttribute('aria-rowindex')"),
        ("press", "Enter"),
        ("evaluate", "document.activeElement.className"),
        ("text", ".detail"),
    )
    assert visit.seen[1][1] == "Skip to the content"
    assert visit.seen[3] == "search"
    assert visit.seen[7].startswith("2 of")
    assert visit.seen[11] == "3"
    assert visit.seen[13] == str(int(visit.seen[7].split()[-1]) + 1)
    assert visit.seen[15] == "detail"
    assert "requirements" in visit.seen[16]


def test_the_theme_turns(browser: Browser, pages: Mapping[str, Path]) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    for theme in ("light", "dark"):
        visit = browser.visit(
            pages["small"], ("evaluate", colour), ("click", "#theme"), ("evaluate", colour), theme=theme
        )
        assert visit.seen[0] != visit.seen[2]


def test_a_workspace_has_its_page_and_its_map(browser: Browser, pages: Mapping[str, Path]) -> None:
    at = f"data.workspaces.findIndex((place) => data.strings[place] === '{WORKSPACE}')"
    place = f"(() => {{ const data = JSON.parse(document.getElementById('data').textContent); return {at}; }})()"
    number = browser.visit(pages["whole"], ("evaluate", place)).seen[0]
    visit = quiet(
        browser.visit(
            pages["whole"],
            ("go", f"#/w/{number}"),
            (
                "evaluate",
                "[...document.querySelectorAll('svg[role=img] .edge')].map((one) => one.getAttribute('class'))",
            ),
            ("text", "#view table"),
            ("evaluate", "document.querySelector('#view svg[role=img]').textContent"),
            ("go", "#/past"),
            ("text", "#view"),
            ("go", "#/waiting"),
            ("text", "#view"),
        )
    )
    assert {one.split()[1] for one in visit.seen[1]} == {"held", "missing", "broad", "unknown"}
    assert all(edge["identity"] in visit.seen[2] for edge in EDGES)
    assert "Key Vault Secrets User" in visit.seen[3]
    assert "compute-pull on registry acrml1" in visit.seen[5]
    assert "amlguard approve run-7" in visit.seen[7]


def test_print_shows_the_whole_list(browser: Browser, pages: Mapping[str, Path]) -> None:
    visit = browser.visit(
        pages["many"],
        ("go", "#/findings"),
        ("evaluate", "dispatchEvent(new Event('beforeprint'))"),
        ("print",),
        ("evaluate", "document.querySelectorAll('.row').length"),
        ("evaluate", "getComputedStyle(document.querySelector('nav')).display"),
    )
    assert visit.seen[3] == 3000
    assert visit.seen[4] == "none"
