"""What the demo shows at the end: who holds what and through what, and how long it took."""

from collections.abc import Iterator
from datetime import timedelta
from statistics import median
from typing import Any

from demo.ending import Ending
from demo.places import short
from demo.roles import role_name
from demo.screen import Screen
from demo.story_clock import parsed
from demo.tenant import GROUP, GROUP_NAME, SOMEBODY

type Json = dict[str, Any]

_COLUMNS = ("who", "role", "on", "through", "granted by", "after")
_MILLISECOND = timedelta(milliseconds=1)


def holdings(screen: Screen, ending: Ending) -> None:
    rows: list[tuple[str, ...]] = []
    for who, held in ending.held.items():
        roles = sorted(_rows(ending, held))
        rows += [("" if place else ending.names.of(who), *cells) for place, cells in enumerate(roles)]
    screen.table("Who holds what, and through what", _COLUMNS, rows)


def settings(screen: Screen, ending: Ending) -> None:
    rows = [
        (
            short(registry["id"]),
            "ABAC" if _abac(registry) else "classic",
            "on" if registry["properties"]["adminUserEnabled"] else "off",
            _switched_by(ending, registry["id"]),
        )
        for registry in ending.registries.values()
    ]
    screen.table("Registries", ("registry", "mode", "admin user", "turned off by"), rows)


def deliveries(ending: Ending) -> str:
    events = {attempt["event"]["id"] for attempt in ending.attempts}
    overtaken, latest = 0, ""
    for attempt in ending.attempts:
        overtaken += attempt["event"]["eventTime"] < latest
        latest = max(latest, attempt["event"]["eventTime"])
    twice = len(ending.attempts) - len(events)
    return f"Event Grid delivered {len(events)} events, {twice} of them twice, {overtaken} out of order."


def speed(ending: Ending) -> str:
    """Note that Event Grid and the queue of the local Azure are faster than Azure's own."""
    times = {one["id"]: ending.time_to_grant(one) for one in ending.made_by_app()}
    by_event = sorted(time.passed / _MILLISECOND for time in times.values() if time and time.by_event)
    by_timer = [time.passed / _MILLISECOND for time in times.values() if time and not time.by_event]
    said = "No event led to a grant"
    if by_event:
        said = (
            f"From event to grant: median {_ms(median(by_event))}, longest {_ms(by_event[-1])} ({len(by_event)} grants)"
        )
    return f"{said}; from the timer {_ms(max(by_timer))}." if by_timer else f"{said}."


def _rows(ending: Ending, held: list[Json]) -> Iterator[tuple[str, ...]]:
    for one in held:
        properties = one["properties"]
        time = ending.time_to_grant(one)
        yield (
            role_name(properties["roleDefinitionId"]),
            short(properties["scope"]),
            _through(ending, properties),
            _granted_by(ending, properties),
            _ms(time.passed / _MILLISECOND) if time else "",
        )


def _ms(passed: float) -> str:
    return f"{passed:,.0f} ms"


def _through(ending: Ending, properties: Json) -> str:
    inherited = "/providers/" not in properties["scope"]
    by_group = properties["principalId"].lower() == GROUP
    parts = [f"group {GROUP_NAME}"] if by_group else [] if inherited else ["directly"]
    parts += ["inherited"] if inherited else []
    registry = next((one for one in ending.registries.values() if one["id"] == properties["scope"]), None)
    if registry and _abac(registry) and role_name(properties["roleDefinitionId"]) == "AcrPull":
        parts.append("no effect")
    return ", ".join(parts)


def _abac(registry: Json) -> bool:
    return bool(registry["properties"]["roleAssignmentMode"] == "AbacRepositoryPermissions")


def _granted_by(ending: Ending, properties: Json) -> str:
    creator = properties.get("createdBy")
    if creator == ending.app:
        return str(properties["description"]).partition(", run ")[0]
    if creator == ending.aml:
        return "AML"
    return f"somebody, {parsed(properties['createdOn']).year}" if creator == SOMEBODY else "somebody"


def _switched_by(ending: Ending, registry: str) -> str:
    for row in ending.remediations:
        if row["Outcome"] == "Applied" and row["Property"] == "adminUserEnabled" and row["ResourceId"] == registry:
            return f"amlguard: {row['RuleId']} ({', '.join(row['Requirements'])})"
    return ""
