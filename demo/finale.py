"""The end: everything that amlguard did is taken back, and the tenant is as if amlguard had never been there."""

import asyncio
import json
from asyncio.subprocess import PIPE
from collections.abc import Iterator, Mapping
from typing import Any

from demo.ending import Ending
from demo.expected import SWITCHED_OFF
from demo.local_azure import AMLGUARD, Ready
from demo.places import short
from demo.stage import Stage

type Json = dict[str, Any]


async def take_back(stage: Stage, ready: Ready, end: Ending, at_first: Mapping[str, Json]) -> list[str]:
    """What differs at the end from the tenant without amlguard: role assignments and registry settings.

    `at_first` are the registries as the story found them. A registry that was made since must be as it is now, except
    for its admin user. Of the role assignments, those that others made must remain.
    """
    runs = list(dict.fromkeys(row["RunId"] for row in end.remediations if row["Outcome"] == "Applied"))
    stage.act(f"amlguard undo, with the ids of its {len(runs)} runs")
    document = await _undo(runs, ready)
    done = [one["outcome"] for one in document["steps"] if one.get("outcome")]
    stage.screen.note(f"{len(done)} changes taken back: admin users first, then grants.")
    await stage.sweep()
    await stage.see("the sweep finds that people took it back, and leaves it alone")
    assignments = await stage.people.assignments()
    registries = {known: _settings(await stage.people.get(one["id"])) for known, one in end.registries.items()}
    others = [one for one in end.assignments if one["properties"].get("createdBy") != end.app]
    before = {known: _settings(at_first.get(known) or _before(known, one)) for known, one in end.registries.items()}
    left = [one for one in document["steps"] if one["action"] and one.get("outcome") != "Undone"]
    return [
        *_differing("role assignment", _by_id(others), _by_id(assignments)),
        *_differing("registry", before, registries),
        *(f"a change was not taken back: {one['outcome']}: {one['outcomeReason']}" for one in left),
    ]


async def _undo(runs: list[str], ready: Ready) -> Json:
    process = await asyncio.create_subprocess_exec(
        AMLGUARD, "undo", *runs, "--yes", "--format", "json", env=ready.env, stdout=PIPE, stderr=PIPE
    )
    out, err = await process.communicate()
    if process.returncode not in {0, 2}:
        return {"steps": [{"action": {}, "reason": err.decode(errors="replace").strip(), "outcome": "Failed"}]}
    answer: Json = json.loads(out)
    return answer


def _before(known: str, registry: Json) -> Json:
    properties = registry["properties"]
    on = known in SWITCHED_OFF or properties["adminUserEnabled"]
    return {**registry, "properties": {**properties, "adminUserEnabled": on}}


def _settings(registry: Json) -> Json:
    """All settings except systemData, which says who wrote last."""
    return {key: registry[key] for key in sorted(registry) if key != "systemData"}


def _by_id(raws: list[Json]) -> dict[str, Json]:
    return {raw["id"]: raw for raw in raws}


def _differing(kind: str, before: Mapping[str, Json], after: Mapping[str, Json]) -> Iterator[str]:
    for name in sorted(before.keys() | after.keys()):
        if json.dumps(before.get(name)) != json.dumps(after.get(name)):
            yield f"{kind} {short(name)} is not as before"
