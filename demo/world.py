"""What can be seen from outside: ARM's role assignments, the audit rows, and what the local Azure has logged."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from demo.audit import FINDINGS, REMEDIATIONS, AuditLog, Row
from demo.people import People
from demo.roles import role_name

type Json = dict[str, Any]

_WRITES = {"PUT", "PATCH", "POST", "DELETE"}
_NOT_ARM = ("/ingestion/", "/v1/", "/msi/", "/providers/microsoft.resourcegraph/")
STILL_SECONDS = 0.35


@dataclass(slots=True)
class World:
    """`assignments` is by lower-case id and keeps deleted ones. `current` names those that still exist."""

    requests: list[Json] = field(default_factory=list)
    attempts: list[Json] = field(default_factory=list)
    assignments: dict[str, Json] = field(default_factory=dict)
    current: frozenset[str] = frozenset()
    remediations: list[Row] = field(default_factory=list)
    findings: list[Row] = field(default_factory=list)

    def writes(self, app: str) -> list[Json]:
        """What the app changed in ARM. Reads by POST (Resource Graph) and audit records are not changes."""
        return [
            one
            for one in self.requests
            if one["caller"] == app
            and one["method"] in _WRITES
            and one["status"] < 300
            and not one["path"].lower().startswith(_NOT_ARM)
        ]

    def reads(self, app: str) -> int:
        return sum(one["caller"] == app and one["method"] == "GET" for one in self.requests)

    def event_ids(self) -> list[str]:
        return list(dict.fromkeys(attempt["event"]["id"] for attempt in self.attempts))

    def held(self, principal: str, role: str, scope: str) -> Json | None:
        """The assignment of a role, given by its name, at exactly this scope."""
        for one in (self.assignments[key] for key in self.current):
            properties = one["properties"]
            if (
                properties["principalId"].lower() == principal.lower()
                and role_name(properties["roleDefinitionId"]) == role
                and properties["scope"].lower() == scope.lower()
            ):
                return one
        return None

    def holds(self, principal: str, role: str, scope: str) -> bool:
        return self.held(principal, role, scope) is not None

    def about(self, resource: str) -> bool:
        """Whether any audit row is about `resource` or something below it."""
        return any(row["ResourceId"].lower().startswith(resource.lower()) for row in self.remediations)

    def recorded(self, outcome: str, resource: str, name: str = "") -> bool:
        """An audit row about `resource` (or a role at it), and about this property if one is given."""
        return any(
            row["Outcome"] == outcome
            and resource.lower() in (row["ResourceId"].lower(), row["Scope"].lower())
            and name in ("", row["Property"])
            for row in self.remediations
        )

    def found(self, resource: str, rule: str) -> bool:
        return any(row["ResourceId"].lower() == resource.lower() and row["RuleId"] == rule for row in self.findings)


class Watch:
    """Looks again and again, and reads roles and audit rows anew only if something has changed."""

    def __init__(self, people: People, audit: AuditLog, app: str) -> None:
        self.world = World()
        self._people = people
        self._audit = audit
        self._app = app
        self._seen: tuple[int, int, int] = (0, 0, 0)
        self._moved = time.monotonic()

    @property
    def still(self) -> bool:
        """Nothing has changed for a moment, and no event is on its way."""
        return not self._seen[2] and time.monotonic() - self._moved >= STILL_SECONDS

    def start(self) -> None:
        """Begins to wait for stillness: what was just done needs a moment to show."""
        self._moved = time.monotonic()

    async def look(self) -> World:
        world = self.world
        world.requests, world.attempts = await asyncio.gather(
            self._people.control("requests"), self._people.control("events")
        )
        seen = (
            sum(one["caller"] == self._app and not one["path"].startswith("/v1/") for one in world.requests),
            len(world.attempts),
            sum(attempt["status"] is None for attempt in world.attempts),
        )
        if seen != self._seen:
            await self._read()
            self._seen, self._moved = seen, time.monotonic()
        return world

    async def _read(self) -> None:
        assignments, self.world.remediations, self.world.findings = await asyncio.gather(
            self._people.assignments(), self._audit.rows(REMEDIATIONS), self._audit.rows(FINDINGS)
        )
        here = {one["id"].lower(): one for one in assignments}
        self.world.assignments |= here
        self.world.current = frozenset(here)
