"""The end state: read once more from ARM and the audit log when nothing moves any more."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from demo import places
from demo.audit import Row
from demo.expected import ADMIN_USERS, AML_REGISTRY
from demo.names import Names
from demo.stage import Stage
from demo.story_clock import StoryClock, parsed
from demo.timeline import caller, made_by_aml

type Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TimeToGrant:
    """The time from the event, or from the timer, to the grant, both on ARM's clock."""

    passed: timedelta
    by_event: bool


@dataclass(frozen=True, slots=True)
class Ending:
    """`registries` maps the ids of expected.py to what ARM shows. `held` is what each identity holds, by its id.

    `swept_at` is a time on the local Azure's clock.
    """

    app: str
    aml: str
    clock: StoryClock
    names: Names
    aml_registry: str
    registries: dict[str, Json]
    assignments: list[Json]
    held: dict[str, list[Json]]
    requests: list[Json]
    writes: list[Json]
    attempts: list[Json]
    remediations: Sequence[Row]
    findings: Sequence[Row]
    missed: Sequence[str]
    repeats_wrote: int | None
    swept_at: datetime | None

    def known_as(self, scope: str) -> str:
        """The name that expected.py uses for a scope."""
        return AML_REGISTRY if self.aml_registry and scope.lower() == self.aml_registry.lower() else scope

    def made_by_app(self) -> list[Json]:
        return [one for one in self.assignments if one["properties"].get("createdBy") == self.app]

    def time_to_grant(self, assignment: Json) -> TimeToGrant | None:
        """None if amlguard did not make the grant, or if nobody can tell."""
        rows = [
            row
            for row in self.remediations
            if row["Outcome"] == "Applied" and str(row["RoleAssignmentId"]).lower() == assignment["id"].lower()
        ]
        since = (rows[-1]["EventTime"] or self.swept_at) if rows else None
        granted = parsed(assignment["properties"]["createdOn"])
        # If a timer fired by itself, it was earlier than the one that the story fired, and nobody knows how much.
        known = since is not None and since <= granted
        return TimeToGrant(granted - since, by_event=bool(rows[-1]["EventTime"])) if since and known else None


async def read(stage: Stage, clock: StoryClock) -> Ending:
    world = await stage.watch.look()
    churn = await stage.people.get(places.CHURN)
    aml_registry = churn["properties"].get("containerRegistry") or ""
    ids = {known: aml_registry if known == AML_REGISTRY else known for known in ADMIN_USERS}
    return Ending(
        app=stage.app,
        aml=_aml(world.attempts),
        clock=clock,
        names=stage.names,
        aml_registry=aml_registry,
        registries={known: await stage.people.get(real) for known, real in ids.items() if real},
        assignments=await stage.people.assignments(),
        held={who: await stage.people.assignments(who) for who in stage.names.identities()},
        requests=world.requests,
        writes=world.writes(stage.app),
        attempts=world.attempts,
        remediations=world.remediations,
        findings=world.findings,
        missed=stage.missed,
        repeats_wrote=stage.repeats_wrote,
        swept_at=stage.swept_at and clock.azure(stage.swept_at),
    )


def _aml(attempts: list[Json]) -> str:
    """AML's own object id, as the events about its writes name it."""
    return next((caller(one["event"]) for one in attempts if made_by_aml(one["event"])), "")
