"""Resources held against Microsoft's published types: what is found, and what has a source."""

import json
from pathlib import Path
from typing import Any

from checks import shapes
from emulator import tenant_builder as build
from emulator.http.seen import Seen
from infra.compiler import Bicep

GROUP = build.group("11111111-1111-4111-8111-111111111111", "rg")
WORKSPACE = build.below(GROUP, build.WORKSPACES, "one")


def _found(bicep: Bicep, *made: dict[str, Any]) -> list[str]:
    return [one.said.partition(" ")[0] for one in shapes.differences(made, bicep)]


def test_what_the_builder_makes_is_of_the_types(bicep: Bicep) -> None:
    """Also two of one name, which no template may have."""
    account = build.storage(build.below(GROUP, build.STORAGE_ACCOUNTS, "account"))
    group = build.resource_group(GROUP)
    assert _found(bicep, build.workspace(WORKSPACE, None), account, account, group) == []


def test_what_cannot_be_is_found(bicep: Bicep) -> None:
    account = build.storage(build.below(GROUP, build.STORAGE_ACCOUNTS, "account"))
    del account["sku"]
    short = {**build.workspace(WORKSPACE, None), "id": build.below(GROUP, build.WORKSPACES, "ws")}
    misspelt = build.workspace(WORKSPACE, None, friendlyname="x")
    typed = build.workspace(WORKSPACE, None, hbiWorkspace="no")
    assert _found(bicep, account, short, misspelt, typed) == ["BCP035", "BCP416", "BCP037", "BCP036"]


def test_what_has_a_source_is_none(bicep: Bicep) -> None:
    """GET never returns the secrets that a template must have."""
    store = build.datastore(WORKSPACE, "data", credentials="AccountKey", accountName="account", containerName="data")
    assert _found(bicep, store) == []
    del store["properties"]["credentials"]
    assert _found(bicep, store) == ["BCP035"]


def test_a_local_azure_writes_down_what_it_answered(tmp_path: Path) -> None:
    """Of each shape one, from all local Azures together."""
    folder, one = tmp_path / "seen", build.workspace(WORKSPACE, None)
    other = build.workspace(build.below(GROUP, build.WORKSPACES, "other"), None, friendlyName="https://other/1")
    wrong = build.workspace(WORKSPACE, None, publicNetworkAccess="Off")
    typed = build.workspace(WORKSPACE, None, hbiWorkspace="no")
    bodies: list[Any] = [one, one, {"value": [one, {"id": "x"}, 7]}, {"value": 7}, {"error": {}}, [one], other]
    for body in bodies:
        Seen(folder).note(json.dumps(body).encode(), "2025-12-01")
    seen = Seen(folder)
    for body in (*bodies, wrong, typed):
        seen.note(json.dumps(body).encode(), "2025-12-01")
    seen.note(b"<html>", "2025-12-01")
    found = [found["properties"] for found in shapes.resources(folder)]
    assert len(found) == 4, "the workspace, one whose name has slashes, and those that differ in a word and in a type"
    assert {"Off", "no"} <= {value for properties in found for value in properties.values()}
