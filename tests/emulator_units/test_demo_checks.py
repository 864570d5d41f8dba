"""The demo's judgement of its own end: silent when all is as it should be, and each check able to object."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from demo import expected, places
from demo.checks import checks
from demo.ending import Ending
from demo.names import Names
from demo.roles import role_definition_id
from demo.story_clock import StoryClock

type Json = dict[str, Any]

APP, AML = "app", "aml"
AML_REGISTRY = places.place(places.Kind.REGISTRY, "churn", "0123456789abcdef0123456789abcdef")
START = datetime(2026, 11, 21, 10, tzinfo=UTC)
LATER = timedelta(minutes=15)
MOMENT = timedelta(milliseconds=5)


def row(outcome: str, at: datetime, **columns: str) -> Json:
    empty = dict.fromkeys(("RoleAssignmentId", "Scope", "Property", "Guard", "RuleId", "PrincipalId"), "")
    return {
        **empty,
        "TimeGenerated": at,
        "Outcome": outcome,
        "RunId": "run",
        "Reason": "because",
        "Found": False,
        "EventTime": START,
        "Requirements": [],
        **columns,
    }


def request(method: str, path: str, at: datetime) -> Json:
    url = f"{path}?api-version=2022-04-01"
    return {"method": method, "path": url, "caller": APP, "status": 200, "time": at.isoformat()}


class Story:
    """Writes with their rows; what happens after `let_time_pass` happens later for Azure only."""

    def __init__(self) -> None:
        self.clock = StoryClock()
        self.now = START
        self.writes: list[Json] = []
        self.rows: list[Json] = []

    def let_time_pass(self) -> None:
        self.clock.advanced(self.clock.azure(self.now) + LATER, LATER)
        self.now += timedelta(seconds=1)

    def change(self, method: str, path: str, **columns: str) -> None:
        self.rows.append(row("Planned", self.now - MOMENT, **columns))
        self.writes.append(request(method, path, self.clock.azure(self.now)))
        self.rows.append(row("Applied", self.now + MOMENT, **columns))
        self.now += timedelta(seconds=1)


def good() -> Ending:
    story, names, assignments = Story(), Names(), []
    for number, (who, role, known) in enumerate(sorted(expected.GRANTS)):
        scope = AML_REGISTRY if known == expected.AML_REGISTRY else known
        names.call(who.encode().hex(), who)
        name = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{number}"
        properties = {
            "principalId": who.encode().hex(),
            "roleDefinitionId": role_definition_id(role),
            "scope": scope,
            "createdBy": APP,
            "updatedBy": APP,
        }
        assignments.append({"id": name, "properties": properties})
        story.change("PUT", name, Action="Grant", ResourceId=scope, RoleAssignmentId=name, Scope=scope)
    others = {"principalId": "1", "roleDefinitionId": role_definition_id("Reader"), "scope": places.SUBSCRIPTION}
    assignments.append({"id": "/other", "properties": others | {"createdBy": AML, "updatedBy": AML}})
    story.let_time_pass()
    for known, workspace in expected.SWITCHED_OFF.items():
        registry = AML_REGISTRY if known == expected.AML_REGISTRY else known
        story.change("PATCH", registry, Action="Setting", Property="adminUserEnabled", ResourceId=registry)
        story.change("POST", f"{workspace}/resyncKeys", Action="Setting", Property="cachedKeys", ResourceId=workspace)
    withheld = [
        row("Withheld", story.now, Action="Grant", ResourceId=resource, RuleId=rule, Guard=guard, Reason=f"… {words}")
        for (resource, rule, guard), words in expected.WITHHELD.items()
    ]
    findings = [
        {"ResourceId": resource, "RuleId": rule, "Message": f"… {words} …", "RunId": "run"}
        for (resource, rule), words in expected.FINDINGS.items()
    ]
    registries = {
        known: {"id": known, "properties": {"adminUserEnabled": on}} for known, on in expected.ADMIN_USERS.items()
    }
    return Ending(
        app=APP,
        aml=AML,
        clock=story.clock,
        names=names,
        aml_registry=AML_REGISTRY,
        registries=registries,
        assignments=assignments,
        held={},
        requests=story.writes,
        writes=story.writes,
        attempts=[{"status": 202, "event": {"subject": places.CHURN}}],
        remediations=[*story.rows, *withheld],
        findings=findings,
        missed=(),
        repeats_wrote=0,
        swept_at=None,
    )


def differing(ending: Ending) -> set[str]:
    return {title for title, differences in checks(ending) if differences}


def test_all_is_well() -> None:
    assert [each for each in checks(good()) if each[1]] == []


def changed_first(rows: Any, **values: Any) -> list[Json]:
    first, *rest = deepcopy(list(rows))
    return [first | values, *rest]


def without_outcome(ending: Ending) -> Ending:
    return replace(ending, remediations=[r for r in ending.remediations if r["Outcome"] != "Applied"])


def planned_too_late(ending: Ending) -> Ending:
    first = ending.remediations[0]
    return replace(
        ending, remediations=[first | {"TimeGenerated": first["TimeGenerated"] + 3 * MOMENT}, *ending.remediations[1:]]
    )


def resynced_too_early(ending: Ending) -> Ending:
    swapped = deepcopy(ending.writes)
    swapped[-1]["time"], swapped[-2]["time"] = swapped[-2]["time"], swapped[-1]["time"]
    return replace(ending, writes=swapped)


def switched_off_too_early(ending: Ending) -> Ending:
    writes = deepcopy(ending.writes)
    off = next(write for write in writes if write["method"] == "PATCH")
    off["time"] = (datetime.fromisoformat(off["time"]) - timedelta(minutes=1)).isoformat()
    return replace(ending, writes=writes)


def somebody_elses_changed(ending: Ending) -> Ending:
    *own, other = deepcopy(ending.assignments)
    other["properties"]["updatedBy"] = APP
    return replace(ending, assignments=[*own, other])


def admin_user_on(ending: Ending) -> Ending:
    registries = deepcopy(ending.registries)
    registries[places.FRAUD_REGISTRY]["properties"]["adminUserEnabled"] = True
    return replace(ending, registries=registries)


def another_finding(ending: Ending) -> Ending:
    return replace(ending, findings=[*ending.findings, dict(ending.findings[0], RuleId="other")])


@pytest.mark.parametrize(
    ("spoil", "title"),
    [
        pytest.param(lambda e: replace(e, missed=["it"]), "seen to happen", id="missed"),
        pytest.param(lambda e: replace(e, assignments=e.assignments[1:]), "granted exactly", id="not granted"),
        pytest.param(
            lambda e: replace(e, assignments=[*e.assignments, e.assignments[0]]), "granted exactly", id="granted twice"
        ),
        pytest.param(somebody_elses_changed, "left alone", id="touched what others granted"),
        pytest.param(
            lambda e: replace(e, writes=[*e.writes, request("DELETE", "/other", e.clock.azure(START))]),
            "left alone",
            id="deleted",
        ),
        pytest.param(admin_user_on, "admin users are off", id="admin user on"),
        pytest.param(switched_off_too_early, "within 15 minutes", id="no time to settle"),
        pytest.param(lambda e: replace(e, writes=e.writes[:-1]), "resynced", id="not resynced"),
        pytest.param(resynced_too_early, "resynced", id="resynced too early"),
        pytest.param(lambda e: replace(e, findings=e.findings[1:]), "reported", id="not reported"),
        pytest.param(another_finding, "reported", id="reported too much"),
        pytest.param(
            lambda e: replace(e, findings=changed_first(e.findings, Message="")), "reported", id="other words"
        ),
        pytest.param(lambda e: replace(e, remediations=e.remediations[:-1]), "withheld", id="not withheld"),
        pytest.param(without_outcome, "on record", id="no outcome"),
        pytest.param(planned_too_late, "on record", id="planned too late"),
        pytest.param(lambda e: replace(e, remediations=e.remediations[1:]), "on record", id="not planned"),
        pytest.param(
            lambda e: replace(e, remediations=changed_first(e.remediations, RunId="other")), "on record", id="other run"
        ),
        pytest.param(lambda e: replace(e, repeats_wrote=1), "repeated events", id="repeats wrote"),
        pytest.param(lambda e: replace(e, repeats_wrote=None), "repeated events", id="nothing repeated"),
        pytest.param(
            lambda e: replace(e, attempts=changed_first(e.attempts, status=500)), "nothing failed", id="event refused"
        ),
        pytest.param(
            lambda e: replace(e, attempts=changed_first(e.attempts, status=None)), "nothing failed", id="unanswered"
        ),
        pytest.param(
            lambda e: replace(e, requests=changed_first(e.requests, status=429)), "nothing failed", id="throttled"
        ),
        pytest.param(
            lambda e: replace(e, remediations=changed_first(e.remediations, Reason="ada@contoso.example")),
            "no name or address",
            id="personal",
        ),
    ],
)
def test_whatever_differs_is_said(spoil: Callable[[Ending], Ending], title: str) -> None:
    spoilt = differing(spoil(good()))
    assert any(title in one for one in spoilt), spoilt


def test_azure_time_and_real_time_are_each_others_inverse() -> None:
    clock = StoryClock()
    moments = []
    for minute in range(3):
        real = START + timedelta(minutes=minute)
        clock.advanced(clock.azure(real) + LATER, LATER)
        moments.append(real + timedelta(seconds=1))
    assert [clock.azure(moment) - moment for moment in moments] == [LATER, 2 * LATER, 3 * LATER]
    assert [clock.real(clock.azure(moment)) for moment in moments] == moments
    assert clock.real(START - LATER) == START - LATER


def test_ids_are_cut_to_what_tells_them_apart() -> None:
    said = f'pulls from {AML_REGISTRY}, see "{places.CHURN}"'
    assert places.readable(said) == 'pulls from …/registries/01234567…, see "…/workspaces/churn"'
    assert places.short(AML_REGISTRY) == "registry 01234567…"
    assert places.short(places.group("churn")) == "resource group churn"
