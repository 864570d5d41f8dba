"""Writes that take a while, as Azure was recorded to answer them and as it may: never Applied before Azure has done it,
and what cannot be told is not told. Time is the loop's own."""

import asyncio
from typing import Any

import pytest
from azure.core.exceptions import ServiceRequestError
from unit.build import REGISTRY, VAULT, WORKSPACE, guid
from unit.hurried import run, seconds
from unit.scripted import ARM, OPERATION, RESULT, Answer, Transport, live

from shared.access.actions import Setting
from shared.access.asks import Property
from shared.access.model import Principal
from shared.access.terms import RunMode
from shared.audit_rows import Outcome, Phase, Run
from shared.writing.apply import Changes

HTML = "<html>\r\n<head><title>500 Internal Server Error</title></head>\r\n</html>\r\n"  # recorded of a poll


def setting(name: Property) -> Setting:
    resource = {Property.ADMIN_USER: REGISTRY, Property.CACHED_KEYS: WORKSPACE, Property.ACCESS_POLICY: VAULT}[name]
    holder = Principal(guid("holder"), "holder")
    return Setting(resource, name, "true", "false", "rule", ("AML-20",), "why", "source", holder)


def change(name: Property, transport: Transport) -> str:
    """What came of it: `done`, or how it ended and the code."""
    ended: list[Outcome] = []

    async def carry_out() -> None:
        async with asyncio.timeout(10_000):  # of the loop's time: what never ends is a failure, and no test that hangs
            ended.append(await Changes(live(transport), None).apply(setting(name), Run(RunMode.ENFORCE), None))
        assert seconds() < 300  # the host would have ended the function

    run(carry_out())
    (outcome,) = ended
    said = {Phase.APPLIED: "done", Phase.DEFERRED: f"later: {outcome.code}", Phase.FAILED: f"failed: {outcome.code}"}
    return said[outcome.phase]


def registry(state: str = "Succeeded", *, admin: bool = False) -> dict[str, Any]:
    return {"id": str(REGISTRY), "properties": {"adminUserEnabled": admin, "provisioningState": state}}


def by_operation(status: int = 202, body: Any = None) -> Answer:
    return Answer(status, body, {"Azure-AsyncOperation": OPERATION})


def at(state: str, **more: Any) -> Answer:
    return Answer(200, {"status": state, **more})


UPDATING = registry("Updating")
BROKEN = Answer(500, HTML)
GONE = Answer(404, {"error": {"code": "NotFound", "message": "no such operation"}})
UNREACHABLE = ServiceRequestError("no connection")
FAILED = at("Failed", error={"code": "Conflict", "message": "somebody"})
IN_AN_HOUR = Answer(200, {"status": "Updating"}, {"Retry-After": "3600"})
OFF, ON = Answer(200, registry()), Answer(200, registry(admin=True))

SWITCH_OFF: dict[str, tuple[str, dict[str, list[Any]]]] = {
    "at once": ("done", {"write": [OFF]}),
    "slowly": (
        "done",
        {"write": [by_operation(201, UPDATING)], "operation": [at("Updating"), at("Succeeded")], "look": [OFF]},
    ),
    "its operation is named without the host": (
        "done",
        {
            "write": [Answer(202, None, {"Azure-AsyncOperation": OPERATION.removeprefix(ARM)})],
            "operation": [at("InProgress"), at("Succeeded")],
            "look": [OFF],
        },
    ),
    "slowly, without a header": ("done", {"write": [Answer(201, UPDATING)], "look": [Answer(200, UPDATING), OFF]}),
    "accepted": ("done", {"write": [by_operation()], "operation": [at("InProgress"), at("Succeeded")], "look": [OFF]}),
    "by its result": (
        "done",
        {"write": [Answer(202, None, {"Location": RESULT})], "result": [Answer(202), OFF], "look": [OFF]},
    ),
    "a gateway fails in between": (
        "done",
        {"write": [by_operation(201, UPDATING)], "operation": [at("Updating"), BROKEN, at("Succeeded")], "look": [OFF]},
    ),
    "failed": ("failed: Conflict", {"write": [by_operation(201, UPDATING)], "operation": [FAILED], "look": [ON]}),
    "canceled": ("failed: ", {"write": [by_operation(201, UPDATING)], "operation": [at("Canceled")], "look": [ON]}),
    "failed at once": ("failed: ", {"write": [Answer(200, registry("Failed", admin=True))], "look": [ON]}),
    "refused": ("failed: ScopeLocked", {"write": [Answer(409, {"error": {"code": "ScopeLocked", "message": ""}})]}),
    "busy": (
        "later: AnotherOperationInProgress",
        {"write": [Answer(409, {"error": {"code": "AnotherOperationInProgress", "message": ""}})]},
    ),
    "gone for a moment": (
        "later: ResourceNotFound",
        {"write": [Answer(404, {"error": {"code": "ResourceNotFound", "message": ""}})]},
    ),
    "vanished, and done": ("done", {"write": [by_operation(201, UPDATING)], "operation": [GONE], "look": [OFF]}),
    "vanished, not done": (
        "later: NotFound",
        {"write": [by_operation(201, UPDATING)], "operation": [GONE], "look": [ON]},
    ),
    "vanished, under way": (
        "later: NotFound",
        {"write": [by_operation(201, UPDATING)], "operation": [GONE], "look": [Answer(200, UPDATING)]},
    ),
    "vanished, and nobody knows": (
        "later: NotFound",
        {"write": [by_operation(201, UPDATING)], "operation": [GONE], "look": [BROKEN]},
    ),
    "a gateway fails for good": (
        "later: ",
        {"write": [by_operation(201, UPDATING)], "operation": [BROKEN], "look": [ON]},
    ),
    "unreachable": (
        "later: ServiceRequestError",
        {"write": [by_operation(201, UPDATING)], "operation": [UNREACHABLE], "look": [ON]},
    ),
    "never ends": (
        "later: Timeout",
        {"write": [by_operation(201, UPDATING)], "operation": [at("Updating")], "look": [Answer(200, UPDATING)]},
    ),
    "asks to come back in an hour": (
        "later: HttpResponseError",
        {"write": [by_operation(201, UPDATING)], "operation": [IN_AN_HOUR], "look": [ON]},
    ),
    "ends late": ("done", {"write": [by_operation(201, UPDATING)], "operation": [at("Updating")], "look": [OFF]}),
}

RESYNC: dict[str, tuple[str, dict[str, list[Any]]]] = {
    "recorded": (
        "done",
        {
            "write": [Answer(202, None, {"Azure-AsyncOperation": OPERATION, "Location": RESULT})],
            "operation": [at("InProgress"), at("Succeeded", percentComplete=100.0)],
        },
    ),
    "at once": ("done", {"write": [Answer(200)]}),
    "nothing to say": ("done", {"write": [Answer(204)]}),
    "by its result": (
        "done",
        {"write": [Answer(202, None, {"Location": RESULT})], "result": [Answer(202), Answer(200, {"id": "mlw"})]},
    ),
    "a gateway fails in between": (
        "done",
        {"write": [by_operation()], "operation": [BROKEN, at("InProgress"), BROKEN, BROKEN, at("Succeeded")]},
    ),
    "a gateway fails for good": ("later: ", {"write": [by_operation()], "operation": [BROKEN]}),
    "failed": ("failed: Conflict", {"write": [by_operation()], "operation": [at("InProgress"), FAILED]}),
    "canceled": ("failed: ", {"write": [by_operation()], "operation": [at("Canceled")]}),
    "vanished": ("later: NotFound", {"write": [by_operation()], "operation": [at("InProgress"), GONE]}),
    "never ends": ("later: Timeout", {"write": [by_operation()], "operation": [at("InProgress")]}),
    "no way to follow it": ("later: ", {"write": [Answer(202)]}),
    "refused": (
        "failed: AuthorizationFailed",
        {"write": [Answer(403, {"error": {"code": "AuthorizationFailed", "message": ""}})]},
    ),
    "not there": (
        "later: ResourceNotFound",
        {"write": [Answer(404, {"error": {"code": "ResourceNotFound", "message": ""}})]},
    ),
    "an answer that is none": ("later: ", {"write": [by_operation()], "operation": [Answer(200, "no JSON")]}),
    "an answer that is a list": ("later: ", {"write": [by_operation()], "operation": [Answer(200, [1])]}),
    "a status that is none": ("later: ", {"write": [by_operation()], "operation": [Answer(200, {"state": "?"})]}),
}

A_VAULT = Answer(200, {"id": str(VAULT), "properties": {"tenantId": guid("tenant"), "accessPolicies": []}})
POLICY: dict[str, tuple[str, dict[str, list[Any]]]] = {
    "recorded": ("done", {"write": [Answer(200, {"id": f"{VAULT}/accessPolicies/", "properties": {}})]}),
    "documented": ("done", {"write": [Answer(201, {"id": f"{VAULT}/accessPolicies/add", "properties": {}})]}),
    "slowly": ("done", {"write": [by_operation(201, {})], "operation": [at("InProgress"), at("Succeeded")]}),
    "accepted": ("later: NotFound", {"write": [by_operation()], "operation": [GONE]}),
    "failed": ("failed: Conflict", {"write": [by_operation()], "operation": [FAILED]}),
}


def _played(answers: dict[str, list[Any]]) -> Transport:
    return Transport(**answers)


@pytest.mark.parametrize(("said", "answers"), SWITCH_OFF.values(), ids=SWITCH_OFF)
def test_the_admin_user(said: str, answers: dict[str, list[Any]]) -> None:
    transport = _played(answers)
    assert change(Property.ADMIN_USER, transport).startswith(said)
    assert transport.asked.count("write") == 1


@pytest.mark.parametrize(("said", "answers"), RESYNC.values(), ids=RESYNC)
def test_cached_keys(said: str, answers: dict[str, list[Any]]) -> None:
    transport = _played(answers)
    assert change(Property.CACHED_KEYS, transport).startswith(said)
    assert transport.asked.count("write") == 1
    assert "look" not in transport.asked


@pytest.mark.parametrize(("said", "answers"), POLICY.values(), ids=POLICY)
def test_an_access_policy(said: str, answers: dict[str, list[Any]]) -> None:
    assert change(Property.ACCESS_POLICY, _played({**answers, "look": [A_VAULT]})).startswith(said)
