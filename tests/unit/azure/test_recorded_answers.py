"""What amlguard makes of each answer of Azure in tests/answers, through its own clients.

`read` in these files is what amlguard is to understand of an answer. A recorded answer may be of an older api-version
than amlguard's: docs/fidelity.md says of which.
"""

import json
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from unit.azure.understood import understood
from unit.build import WORKSPACE
from unit.hurried import run
from unit.scripted import Answer, Credential, Open, live

from checks import shapes
from docs.fidelity import Known, known, request_type, unknown
from infra.compiler import Bicep
from shared.access.actions import Grant, Removal, Setting
from shared.access.asks import Property
from shared.access.model import Principal
from shared.access.needs import PULL
from shared.access.scope import Scope
from shared.azure.audit_log import AuditReader, LiveAuditLog
from shared.azure.azure import LiveAzure
from shared.azure.session import PUBLIC, discover

_CREDENTIAL: Any = Credential()
_HOLDER = Principal("00000000-1111-4222-8333-444444444444", "holder")
_OTHER = ("rule", ("AML-08",), "why", "source")


class Told(Answer):
    def raise_for_status(self) -> None:
        assert self.status_code < 400


class Recorded(Open):
    """Azure that knows the answers of tests/answers, by the type of the request. `first` goes before others."""

    def __init__(self, first: Known) -> None:
        self._answers = {one.type: one for one in known()} | {first.type: first}
        self.asked: list[str] = []

    async def send(self, request: Any, **_: Any) -> Answer:
        url = urlsplit(request.url)
        kind = request_type(request.method, unquote(f"{url.path}?{url.query}"))
        self.asked.append(kind)
        one = self._answers[kind]
        answer = Told(one.status, one.answer, one.headers)
        answer.request = request
        return answer


def came_of(one: Known) -> Any:
    """What amlguard understands of the answer."""
    said: list[Any] = []
    transport: Any = Recorded(one)

    async def ask() -> None:
        how = _read if one.method == "GET" else _changed
        said.append(await how(one, live(transport), transport))

    run(ask())
    assert one.type in transport.asked
    return json.loads(json.dumps(said[0]))


async def _read(one: Known, azure: LiveAzure, transport: Any) -> Any:
    path, narrowed = urlsplit(one.path).path, one.path.partition("&")[2]
    if path.startswith("/metadata"):
        return (await discover("https://arm.local", transport)).logs_endpoint
    if "OperationsStatus" in path:
        return await _changed(next(each for each in known() if "resyncKeys" in each.path), azure, transport)
    if "value" not in one.answer:
        raw = await azure.resource(Scope.parse(path))
        assert raw is not None
        return understood(one.type, raw)
    parent, collection = _list(path)
    if collection.endswith("denyAssignments"):
        principal = narrowed.partition("assignedTo('")[2][:36] or None
        denies = await azure.deny_assignments(parent, principal)
        return [{"scope": str(deny.scope), "principals": sorted(deny.principals)} for deny in denies]
    rows = await azure.children(parent, collection + (f"?{narrowed}" if narrowed else ""))
    return [understood(one.type, row) for row in rows or ()]


def _list(path: str) -> tuple[Scope, str]:
    """The scope that is asked for a list, and the list's name."""
    head, found, tail = path.rpartition("/providers/")
    if found and tail.count("/") == 1:
        return Scope.parse(head or "/"), tail
    parent, _, name = path.rpartition("/")
    return Scope.parse(parent or "/"), name


async def _changed(one: Known, azure: LiveAzure, transport: Any) -> Any:
    """Of what amlguard sends to change something, or to read by POST."""
    path = urlsplit(one.path).path
    if "roleAssignments" in path:
        at = Scope.parse(path.rpartition("/providers/")[0])
        if one.method == "PUT":
            return await azure.grant(Grant(_HOLDER, PULL, at, at, *_OTHER), "why")
        return await azure.revoke(Removal(Scope.parse(path), at, _HOLDER.id, PULL.role_id, at, *_OTHER))
    if "ResourceGraph" in path:
        return [row["id"] async for row in azure.query("resources")]
    if "/streams/" in path:
        log = LiveAuditLog("https://logs", "dcr-1", PUBLIC, _CREDENTIAL, transport)
        return await log.record("AmlGuardFinding_CL", [{"RunId": "one"}])
    if path.startswith("/v1"):
        reader = AuditReader("https://logs/v1", WORKSPACE.name, PUBLIC, _CREDENTIAL, transport)
        return list(await reader.rows("AmlGuardFinding_CL"))
    of, _, what = path.rpartition("/")
    name = {"resyncKeys": Property.CACHED_KEYS, "add": Property.ACCESS_POLICY}.get(what)
    scope = Scope.parse(of.removesuffix("/accessPolicies") if name else path)
    return await azure.change(Setting(scope, name or Property.ADMIN_USER, "true", "false", *_OTHER, _HOLDER))


def _label(one: Known) -> str:
    return f"{one.type} {one.source}"


@pytest.mark.parametrize("one", known(), ids=_label)
def test_it_is_understood(one: Known) -> None:
    assert came_of(one) == one.read


def test_no_type_has_an_answer_and_none() -> None:
    assert not {one.type for one in known()} & {one.type for one in unknown()}


def test_what_azure_only_said_to_be_empty_is_told() -> None:
    filled = {one.type for one in known() if not isinstance(one.answer, dict) or one.answer.get("value") != []}
    assert {one.type for one in known()} - filled <= {one.type for one in known() if one.lacks}


def test_what_nobody_recorded_is_of_microsofts_types(bicep: Bicep) -> None:
    typed = [one for one in known() if one.source.startswith("published type: ")]
    rows = [row for one in typed for row in one.answer.get("value", [one.answer])]
    versions = [one.path.partition("api-version=")[2][:10] for one in typed for _ in one.answer.get("value", [0])]
    held = [{**row, "apiVersion": version} for row, version in zip(rows, versions, strict=True)]
    assert [str(found) for found in shapes.differences(held, bicep)] == []
