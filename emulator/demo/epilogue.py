"""What is shown when the story is over: who holds what and through what, and how long it took."""

from collections.abc import Iterator
from datetime import timedelta
from statistics import median
from typing import Any

from emulator.demo.ending import Ending
from emulator.demo.places import short
from emulator.demo.roles import role_name
from emulator.demo.screen import Screen
from emulator.demo.story_clock import parsed
from emulator.demo.tenant import GROUP, GROUP_NAME, SOMEBODY

type Json = dict[str, Any]

_COLUMNS = ("who", "role", "on", "through", "granted by", "event to grant, ms")
_MILLISECOND = timedelta(milliseconds=1)


def holdings(screen: Screen, ending: Ending) -> None:
    rows = [row for who, held in ending.held.items() for row in sorted(_rows(ending, who, held))]
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
    times = [time / _MILLISECOND for one in ending.made_by_app() if (time := ending.time_to_grant(one))]
    if not times:
        return "Nothing was granted."
    return (
        f"From event to grant, {len(times)} grants: median {median(times):.0f} ms, longest {max(times):.0f} ms "
        "(in Azure add Event Grid's own delay of a second or so)."
    )


def _rows(ending: Ending, who: str, held: list[Json]) -> Iterator[tuple[str, ...]]:
    for one in held:
        properties = one["properties"]
        time = ending.time_to_grant(one) if properties.get("createdBy") == ending.app else None
        yield (
            ending.names.of(who),
            role_name(properties["roleDefinitionId"]),
            short(properties["scope"]),
            _through(ending, properties),
            _granted_by(ending, properties),
            f"{time / _MILLISECOND:.0f}" if time else "",
        )


def _through(ending: Ending, properties: Json) -> str:
    inherited = "/providers/" not in properties["scope"]
    by_group = properties["principalId"].lower() == GROUP
    parts = [f"group {GROUP_NAME}"] if by_group else [] if inherited else ["directly"]
    parts += ["inherited"] if inherited else []
    registry = next((one for one in ending.registries.values() if one["id"] == properties["scope"]), None)
    if registry and _abac(registry) and role_name(properties["roleDefinitionId"]) == "AcrPull":
        parts.append("without effect (ABAC)")
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
