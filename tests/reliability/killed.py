"""Workers of the app that die by SIGKILL: Microsoft's worker library on the local Azure, with Azurite; no fakes.

Each case is an event about a team whose clusters cannot pull yet; the worker dies at a named point of its work.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from event_grid import event
from local_azure import LocalAzure
from reliability.on_record import open_intents
from reliability.wired import Team
from tenants import ACR_PULL, Tenant
from wire import Json

_POLICY = """
mode: enforce
settle_minutes: 0
rules: {managed-network: {enabled: false}, compute-settings: {enabled: false}}
"""
_TRIES = 8
_NEVER = "9999-12-31T00:00:00+00:00"
_HOURS = 7
_SECONDS = 240
_POINTS: dict[str, Json] = {
    "the read of the workspace": {"method": "GET", "path": "{group}/.*/workspaces/mlw\\?"},
    "the read of the clusters": {"method": "GET", "path": "{group}/.*/computes"},
    "the intent": {"endpoint": "ingestion"},
    "the outcome": {"endpoint": "ingestion", "nth": 3},
    "the document of the run": {"endpoint": "blob", "method": "PUT"},
    "the message on the queue": {"endpoint": "queue", "method": "POST"},
    "the first grant": {"method": "PUT", "path": "{group}/.*/roleAssignments/"},
    "the second grant": {"method": "PUT", "path": "{group}/.*/roleAssignments/", "nth": 2},
    "the switch-off": {"method": "PATCH", "path": "{group}/.*/registries/"},
    "the resync": {"method": "POST", "path": "{group}/.*/resyncKeys"},
}
_MOMENTS = {"before": "before it is sent", "effect": "after its effect", "answer": "after its answer"}


def points() -> list[tuple[str, Json]]:
    """Where a worker can die: what to call it, and the fault; `{group}` stands for the team's."""
    return [
        (f"{name}, {said}", {**match, "times": 1, "kill": "worker", "when": when})
        for name, match in _POINTS.items()
        for when, said in _MOMENTS.items()
    ]


@dataclass
class Killed:
    """Figures of a run."""

    cases: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    writes: int = 0
    records: int = 0
    violations: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        yield (
            f"{self.cases:,} cases, {self.kills.total():,} workers killed, {self.writes:,} writes, "
            f"{self.records:,} records, {len(self.violations):,} violations"
        )
        yield "  killed at: " + (", ".join(f"{n} {name}" for name, n in sorted(self.kills.items())) or "none")
        yield from (f"  VIOLATION: {one}" for one in self.violations)


def play(folder: Path, at: Sequence[tuple[str, Json]], told: Killed, until: float = float("inf")) -> None:
    """One local Azure, and on it a team and a death for each of `at`, until `until` (of `time.monotonic()`)."""
    tenant = Tenant()
    teams = [Team(f"k{number}").build(tenant) for number in range(len(at))]
    azure = LocalAzure.start(folder, tenant.document(), _POLICY)
    try:
        played = []
        for team, (name, fault) in zip(teams, at, strict=True):
            if time.monotonic() > until:
                break
            if _dies(azure, team, fault):
                told.kills[name] += 1
            played.append((team, name))
        _calm_down(azure)
        told.cases += len(played)
        told.violations += [f"{one} (at {folder.name})" for one in _wrong(azure, played)]
        told.writes += len(azure.writes())
        told.records += len(azure.rows())
    finally:
        azure.stop()


def _dies(azure: LocalAzure, team: Team, fault: Json) -> bool:
    """Whether the delivery, or the queue after it, died of it. Event Grid delivers again what was not acknowledged."""
    azure.faults({key: _of(team, value) for key, value in fault.items()})
    first = _delivered(azure, team)
    if first < 300:
        return False
    for _ in range(_TRIES):
        if _delivered(azure, team) < 300:
            break
    azure.faults()
    return True


def _delivered(azure: LocalAzure, team: Team) -> int:
    return azure.deliver(event(team.workspace)).status_code


def _of(team: Team, value: Any) -> Any:
    return value.replace("{group}", f"/resourceGroups/{team.name}") if isinstance(value, str) else value


def _calm_down(azure: LocalAzure) -> None:
    """What was taken from the queue is visible again, what is open is old enough, and sweeps come."""
    azure.faults()
    for _ in range(2):
        azure.advance(_HOURS * 3600)
        azure.until_quiet(_SECONDS)
        azure.sweep()
        azure.until_quiet(_SECONDS)


def _wrong(azure: LocalAzure, teams: Sequence[tuple[Team, str]]) -> Iterator[str]:
    rows = azure.rows()
    yield from (f"an intent without an outcome: {one}" for one in open_intents(rows))
    told = {str(row["RoleAssignmentId"]).lower() for row in rows if row["Outcome"] in ("Applied", "Undone")}
    asked = azure.asked()
    for one in azure.writes():
        path = one["path"].partition("?")[0].lower()
        if "/roleassignments/" in path and one["status"] == 201 and path not in told:
            yield f"written, and no outcome says so: {path}"
    for team, name in teams:
        yield from (f"{team.name} ({name}): {one}" for one in _of_team(azure, team, asked))


def _of_team(azure: LocalAzure, team: Team, asked: Sequence[Json]) -> Iterator[str]:
    if not team.all_pull(azure):
        yield "a cluster cannot pull"
    if any(roles - {ACR_PULL} for roles in team.roles(azure).values()):
        yield "a cluster may do more than pull"
    if azure.admin_user(team.registry):
        yield "the admin user is on"
    if not _all_could_pull(azure, team, _switched_off(asked, team)):
        yield "the admin user went off before all could pull"
    if not team.resyncs(azure):
        yield "the cached keys were never resynced"


def _switched_off(asked: Sequence[Json], team: Team) -> str:
    """When it was first tried, in ISO 8601; what a death cut short has no status."""
    tries = (one for one in asked if one["method"] == "PATCH" and one["path"].lower().startswith(team.registry.lower()))
    return min((str(one["time"]) for one in tries), default=_NEVER)


def _all_could_pull(azure: LocalAzure, team: Team, then: str) -> bool:
    listed = azure.get(f"{team.registry}/providers/Microsoft.Authorization/roleAssignments")["value"]
    held = [one["properties"] for one in listed]
    since = {one["principalId"]: one["createdOn"] for one in held if one["roleDefinitionId"].lower().endswith(ACR_PULL)}
    return all(datetime.fromisoformat(since.get(one, _NEVER)) <= datetime.fromisoformat(then) for one in team.clusters)
