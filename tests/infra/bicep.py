"""What infra/ deploys, read from the Bicep itself."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from typing import Any

from pycep import BicepParser

from infra.check import INFRA

type Json = dict[str, Any]

_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?")


@cache
def parsed(path: str) -> Json:
    """pycep's reading of a file below infra/."""
    return {**BicepParser().parse(text=(INFRA / path).read_text("utf-8"))}


def resources(path: str, kind: str) -> list[Json]:
    """Properties and all of the resources of a type that the file makes, also those of a loop (once)."""
    made = [one for one in parsed(path)["resources"].values() if one["type"] == kind and not one["existing"]]
    return [one["config"].get("config", one["config"]) for one in made]


def items(path: str, resource: str) -> list[Any]:
    """What the loop of a resource runs over, where that is written out."""
    listed: list[Any] = parsed(path)["resources"][resource]["config"]["loop_type"]["detail"]["array_name"]
    return listed


def alerts() -> dict[str, Json]:
    """The log alerts of modules/alerts.bicep by name; each with the path of its query below infra/."""
    listed = parsed("modules/alerts.bicep")["variables"]["alerts"]["value"]
    return {one["name"]: {**one, "query": loaded(one["query"])} for one in listed}


def loaded(call: Json) -> str:
    """The path below infra/ that a load…Content of a module names."""
    path: str = call["function"]["parameters"]["file_path"]
    return path.removeprefix("../")


def duration(text: str) -> timedelta:
    found = _DURATION.fullmatch(text)
    assert found, text
    days, hours, minutes = (int(part or 0) for part in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes)


def access() -> Json:
    """app_access.json with those of its role assignments that the Bicep deploys.

    A file deploys those on a place when it has a loop over `filter(access.roleAssignments, one => one.on == 'place')`.
    """
    file: Json = json.loads((INFRA / "app_access.json").read_text("utf-8"))
    places = {place for path in _rights_files() for place in _places(path)}
    return {**file, "roleAssignments": [one for one in file["roleAssignments"] if one["on"] in places]}


def _rights_files() -> list[str]:
    return ["modules/own-access.bicep", "modules/watched-subscription.bicep"]


def _places(path: str) -> Iterator[str]:
    document = parsed(path)
    assert loaded(document["variables"]["access"]["value"]) == "app_access.json"
    for one in document["resources"].values():
        if one["type"] == "Microsoft.Authorization/roleAssignments":
            listed = one["config"]["loop_type"]["detail"]["array_name"]["function"]
            assert listed["type"] == "filter"
            chosen = listed["parameters"]["expression"]["operator"]["operands"]["operand_2"]["operator"]
            assert (one["config"].get("condition") is not None) == (chosen["operands"]["operand_2"] == "changed")
            assert (chosen["type"], chosen["operands"]["operand_1"]) == ("equals", "on")
            yield chosen["operands"]["operand_2"]
