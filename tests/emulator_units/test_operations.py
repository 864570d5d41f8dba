"""Writes that take a while, each as its service was recorded: status, headers, body, and what a poll answers."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from emulator_units.arm_calls import OPERATOR, REGISTRY, WORKSPACE, Azure, resource

from emulator.arm.call import Answer, Call
from emulator.ids import ResourcePath

ACR = "?api-version=2025-11-01"
AML = "?api-version=2025-12-01"
HERE = "https://127.0.0.1:1"


def azure() -> Azure:
    registry = resource(REGISTRY, properties={"adminUserEnabled": True, "provisioningState": "Succeeded"})
    return Azure({"resources": [registry, resource(WORKSPACE)]})


def poll(one: Azure, url: str) -> Answer:
    return one.ask("GET", url.removeprefix(HERE))


def patch(one: Azure, change: dict[str, Any], *, ends: str | None = None) -> Answer:
    path = ResourcePath.parse(REGISTRY)
    call = Call("PATCH", path, {"api-version": "2025-11-01"}, {"properties": change}, OPERATOR, "c", HERE)
    return one.arm.handle(replace(call, ends=ends))


def state(one: Azure) -> tuple[bool, str]:
    properties = one.ask("GET", f"{REGISTRY}{ACR}").body["properties"]
    return properties["adminUserEnabled"], properties["provisioningState"]


@pytest.mark.parametrize("change", [{"adminUserEnabled": False}, {"publicNetworkAccess": "Disabled"}])
def test_a_registry_changes_at_once(change: dict[str, Any]) -> None:
    answer = patch(azure(), change)
    assert (answer.status, answer.headers) == (200, {})
    assert answer.body["properties"].items() >= {**change, "provisioningState": "Succeeded"}.items()


async def test_a_registry_changes_slowly() -> None:
    one = azure()
    answer = patch(one, {"anonymousPullEnabled": True})
    assert answer.status == 201
    assert answer.body["properties"].items() >= {"anonymousPullEnabled": True, "provisioningState": "Updating"}.items()
    assert answer.headers.keys() == {"Azure-AsyncOperation"}
    status = answer.headers["Azure-AsyncOperation"]
    assert status.startswith(f"{HERE}{REGISTRY}/operationStatuses/registries-")
    assert poll(one, status).body == {"status": "Updating"}
    await asyncio.sleep(0.05)
    done = poll(one, status)
    assert (done.status, done.body) == (200, {"status": "Succeeded"})
    assert done.headers.keys() == {"Azure-AsyncOperation"}
    assert state(one) == (True, "Succeeded")


@pytest.mark.parametrize(
    ("end", "after"),
    [("Succeeded", (False, "Succeeded")), ("Failed", (True, "Failed")), ("Canceled", (True, "Canceled"))],
)
async def test_an_operation_that_a_fault_ends(end: str, after: tuple[bool, str]) -> None:
    one = azure()
    answer = patch(one, {"adminUserEnabled": False}, ends=end)
    assert answer.status == 201
    assert state(one) == (False, "Updating")
    await asyncio.sleep(0.05)
    body = poll(one, answer.headers["Azure-AsyncOperation"]).body
    assert body["status"] == end
    assert ("error" in body) == (end != "Succeeded")
    assert state(one) == after


async def test_resynced_keys() -> None:
    one = azure()
    answer = one.ask("POST", f"{WORKSPACE}/resyncKeys{AML}")
    assert (answer.status, answer.body) == (202, None)
    assert answer.headers.keys() == {"Azure-AsyncOperation", "Location"}
    status, location = answer.headers["Azure-AsyncOperation"], answer.headers["Location"]
    assert "/workspaceOperationsStatus/" in status
    assert status.removesuffix("&type=async") == location.removesuffix("&type=location")
    assert poll(one, status).body == {"status": "InProgress"}
    assert poll(one, location).status == 202
    await asyncio.sleep(0.05)
    assert poll(one, status).body == {"status": "Succeeded", "percentComplete": 100.0}
    done = poll(one, location)
    assert (done.status, done.body["id"]) == (200, WORKSPACE)


def test_what_was_never_begun_is_not_found() -> None:
    one = azure()
    known = f"{REGISTRY}/operationStatuses/registries-x{ACR}"
    assert one.refusal("GET", known).status == 404
    assert one.refusal("GET", f"{WORKSPACE.rpartition('/')[0]}/x/operationResults/y{AML}").status == 404
