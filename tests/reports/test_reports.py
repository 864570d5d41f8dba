"""Tenants of the kinds that people reported, each in several variants: by plan, by event and by sweep, in any casing.

What is looked at is the state of the world: which roles are assigned, whether the admin user is on, what is on record.
"""

import importlib
import json
from collections.abc import Iterable
from itertools import batched
from pathlib import Path

import pytest
from catalogue.case import ALLOWED_GROUP
from catalogue.gathered import document, workspaces
from event_grid import event
from local_azure import REMEDIATIONS, LocalAzure
from reports.casings import CASINGS, references
from reports.played import Parts, answer, done, held, planned, was_on
from reports.report import Answer, Report
from wire import Json

from docs import fidelity
from shared.access.rules import RULES

REPORTS: tuple[Report, ...] = tuple(
    one
    for path in sorted(Path(__file__).parent.glob("of_*.py"))
    for one in importlib.import_module(f"reports.{path.stem}").REPORTS
)
TOGETHER = {one.place.name: one for one in REPORTS if not one.alone}
ALONE = [one for one in REPORTS if one.alone]
POLICY = {
    "mode": "enforce",
    "settle_minutes": 0,
    "rules": {"AML-75": {"enabled": True}},
    "trust": {"allow": [ALLOWED_GROUP]},
    "caps": {"per_run": 1000, "per_hour": 100000},
}
WAYS = (("plan", "as it is"), ("event", "upper"), ("sweep", "mixed"))
_SECONDS = 300
_BATCH = 8
_ATTEMPTS = 3

type Answers = dict[str, Answer]


@pytest.fixture(scope="module", params=WAYS, ids=lambda way: f"{way[0]}-{way[1]}".replace(" ", "-"))
def answers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """Of every report, by the name of its place: how it is looked at, and how ids are written."""
    way, casing = request.param
    tenant = references(document(one.build(one.place) for one in TOGETHER.values()), CASINGS[casing])
    folder = tmp_path_factory.mktemp("reports")
    azure = LocalAzure.start(folder, tenant, json.dumps(POLICY), functions=way != "plan")
    try:
        azure.faults(*(fault for one in TOGETHER.values() for fault in one.faults(azure.app)))
        if way == "plan":
            parts = planned(azure)
            return {name: answer(one, parts) for name, one in TOGETHER.items()}
        before = held(azure)
        if way == "event":
            _tell(azure, TOGETHER.values(), casing)
        else:
            _sweep(azure)
        asked = azure.sent()  # settling forgets what was asked before
        _settle(azure)
        assert fidelity.listed("reports/test_reports.py") <= asked | azure.sent()
        parts = done(azure, before)
        return {name: answer(one, parts) for name, one in TOGETHER.items()}
    finally:
        azure.stop()


def _tell(azure: LocalAzure, reports: Iterable[Report], casing: str) -> None:
    """Of every workspace, as Event Grid does: in batches, and once more where the app could not take one."""
    told: dict[bool, list[Json]] = {}
    for one in reports:
        scopes = workspaces(document([one.build(one.place)]))
        told.setdefault(one.fails, []).extend(event(CASINGS[casing](scope)) for scope in scopes)
    for batch in batched(told[False], _BATCH, strict=False):
        assert any(azure.deliver(*batch).ok for _ in range(_ATTEMPTS))
    assert not told.get(True) or not azure.deliver(*told[True]).ok


def _sweep(azure: LocalAzure) -> None:
    azure.sweep()
    ended = "Outcome != 'Started'"
    azure.until(lambda: azure.rows("AmlGuardSweep_CL", ended), "the sweep ends", _SECONDS)


def _settle(azure: LocalAzure) -> None:
    """Until what was left to the queue is done, and what was planned has its outcome."""
    azure.forget_requests()
    azure.until_quiet(_SECONDS)
    azure.until(lambda: not _under_way(azure), "what was planned has its outcome", _SECONDS)
    azure.until_quiet(_SECONDS)
    assert azure.poisoned_work() == []


def _under_way(azure: LocalAzure) -> set[tuple[str, str]]:
    phases = {(row["RunId"], row["ActionId"], row["Outcome"] == "Planned") for row in azure.rows(REMEDIATIONS)}
    return {(run, action) for run, action, begun in phases if begun and (run, action, False) not in phases}


@pytest.mark.parametrize("name", TOGETHER)
def test_right_answer(answers: Answers, name: str) -> None:
    report, found = TOGETHER[name], answers[name]
    said = " ".join(found.findings.values())
    assert found.failed in (report.fails, None)
    assert found.grants == report.grants
    assert found.withheld == report.withheld
    assert {rule for rule in found.findings if rule in report.about} == set(report.finds)
    assert [text for rule, text in report.finds.items() if text not in found.findings[rule]] == [], said
    assert [text for text in report.never if text in said] == [], said
    was = was_on(report)
    after = was if report.stays_on is None else bool(report.stays_on)
    assert (found.admin, found.guard) == (after, report.stays_on or "")


def test_what_cannot_be_read_anywhere_keeps_it_on(tmp_path_factory: pytest.TempPathFactory) -> None:
    tenant = document(one.build(one.place) for one in ALONE)
    azure = LocalAzure.start(tmp_path_factory.mktemp("alone"), tenant, json.dumps(POLICY))
    try:
        azure.faults(*(fault for one in ALONE for fault in one.faults(azure.app)))
        before = held(azure)
        _as_they_should_be(planned(azure))
        _tell(azure, ALONE, "as it is")
        _settle(azure)
        _as_they_should_be(done(azure, before))
        _sweep(azure)
        _settle(azure)
        _as_they_should_be(done(azure, before))
    finally:
        azure.stop()


def _as_they_should_be(parts: Parts) -> None:
    for one in ALONE:
        found = answer(one, parts)
        assert (found.admin, found.guard) == (True, one.stays_on)


def test_each_kind_has_its_variants() -> None:
    """Another type, the unreadable and the missing besides what was reported; the casing comes with the way."""
    variants: dict[str, int] = {}
    for one in REPORTS:
        variants[one.kind] = variants.get(one.kind, 0) + 1
    assert min(variants.values()) >= 4, variants
    assert len({one.place.name for one in REPORTS}) == len(REPORTS)
    assert {rule for one in REPORTS for rule in one.about} <= {rule.name for rule in RULES}
