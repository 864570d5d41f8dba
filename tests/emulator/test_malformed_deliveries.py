"""Deliveries that no Azure would send: acknowledged or refused as Event Grid expects, on record, and without effect."""

import json
import uuid
from typing import Any

import pytest
from event_grid import CANARY, cloud_event, event
from local_azure import FINDINGS, REMEDIATIONS, LocalAzure, Start
from tenants import Tenant, group_id, oid, system_assigned
from wire import Json

GROUP = group_id("rg-trap")
WORKSPACE = f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/mlw"
_PERSON = {"ipaddr": CANARY, "name": CANARY, "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn": CANARY}


@pytest.fixture(scope="module")
def azure(start_azure: Start) -> LocalAzure:
    """A workspace that needs a grant, which no delivery of this module may lead to."""
    tenant = Tenant()
    registry = tenant.registry(GROUP, "acrtrap", admin=True)
    workspace = tenant.workspace(GROUP, containerRegistry=registry["id"])
    tenant.compute(workspace, "cluster", identity=system_assigned("cluster"))
    return start_azure(tenant.document(), "mode: enforce\n")


_NOTIFICATION = {"eventType": "Microsoft.ResourceNotifications.Resources.CreatedOrUpdated"}


def _without(*keys: str) -> Json:
    return {key: value for key, value in event(WORKSPACE).items() if key not in keys}


def _with(**changes: Any) -> Json:
    return {**event(WORKSPACE), **changes}


def _about(resource: object, **data: Any) -> Json:
    """An event whose data names `resource`, as does its subject where that is text."""
    base = event(WORKSPACE)
    subject = resource if isinstance(resource, str) else "/"
    return {**base, "subject": subject, "data": {**base["data"], "resourceUri": resource, **data}}


REFUSED = {
    "nothing": b"",
    "not JSON": f"<html>{CANARY}</html>".encode(),
    "not UTF-8": b'{"id": "\xff\xfe"}',
    "half of it": json.dumps([event(WORKSPACE)]).encode()[:-40],
    "a number": b"5",
    "text": b'"event"',
    "null": b"null",
    "numbers": b"[1, 2]",
    "an event and a number": json.dumps([event(WORKSPACE), 1]).encode(),
    "arrays in arrays": json.dumps([[event(WORKSPACE)]]).encode(),
    "nested too deeply": b"[" * 50_000 + b"]" * 50_000,
    "1 MB of junk": b"x" * 1024 * 1024,
}
MALFORMED = {
    "empty": {},
    "without type": _without("eventType"),
    "without data": _without("data"),
    "without subject and resource": {**_without("subject"), "data": {}},
    "type is a number": _with(eventType=5),
    "type is an object": _with(eventType={"name": CANARY}),
    "data is text": _with(data=CANARY),
    "data is a list": _with(data=[CANARY, 1]),
    "data is null": _with(data=None),
    "data is a number": _with(data=7),
    "id and topic are numbers": {**_about(CANARY), "id": 5, "topic": 6, "dataVersion": 7},
    "a cloud event of another version": {**cloud_event(WORKSPACE), "specversion": "0.3", "type": None},
    "subject is an object, data empty": _with(subject={"id": WORKSPACE}, data={}),
    "resource is a number": _about(12),
    "resource is a list": _about([WORKSPACE]),
    "resource is an object": _about({"id": WORKSPACE}),
    "traversal": _about(f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/x/../mlw"),
    "traversal of the scope": _about(f"/subscriptions/../..{WORKSPACE}"),
    "encoded traversal": _about(WORKSPACE.replace("/workspaces/mlw", "/workspaces/%2e%2e/mlw")),
    "encoded slash": _about(WORKSPACE.replace("/workspaces/mlw", "/workspaces%2Fws")),
    "encoded slash in a name": _about(f"{GROUP}/providers/Microsoft.Insights/components/a%2F..%2Fb"),
    "encoded twice": _about(f"{GROUP}/providers/Microsoft.Insights/components/a%2520b"),
    "encoded for no reason": _about(WORKSPACE.replace("/workspaces/mlw", "/workspaces/w%73")),
    "encoded, but not as UTF-8": _about(f"{GROUP}/providers/Microsoft.Insights/components/a%C0%AFb"),
    "encoded quote": _about(f"{WORKSPACE}%27"),
    "reversed": _about(f"{GROUP}/providers/Microsoft.Insights/components/\u202eb"),
    "a slash that is none": _about(f"{GROUP}/providers/Microsoft.Insights/components/a\u2215b"),
    "wildcard": _about(WORKSPACE.replace("rg-trap", "*")),
    "question mark": _about(f"{WORKSPACE}?api-version=2020-01-01"),
    "fragment": _about(f"{WORKSPACE}#x"),
    "single quote": _about(f"{WORKSPACE}' or 1==1 or 'a'=='"),
    "double quote": _about(f'{WORKSPACE}"'),
    "KQL": _about(f"{GROUP}/providers/Microsoft.ContainerRegistry/registries/another' | project id //"),
    "newline": _about(f"{WORKSPACE}\nX-Header: y"),
    "NUL": _about(f"{WORKSPACE}\u0000"),
    "blank": _about(f"{WORKSPACE} "),
    "empty segment": _about(WORKSPACE.replace("/workspaces/mlw", "/workspaces//mlw")),
    "no leading slash": _about(WORKSPACE[1:]),
    "a URL": _about(f"https://management.azure.com{WORKSPACE}"),
    "a name": _about(CANARY),
    "odd shape": _about(f"{GROUP}/providers/Microsoft.MachineLearningServices"),
    "3,000 characters": _about(f"{WORKSPACE}{'s' * 3000}"),
    "1 MB long": {**_about(f"{WORKSPACE}{'s' * 1_000_000}"), "subject": WORKSPACE},
    "a cloud event without subject and resource": {**cloud_event(WORKSPACE, "write"), "subject": "", "data": {}},
    "a cloud event with data of text": {**cloud_event(WORKSPACE), "data": CANARY},
    "a notification without id": {**_about(""), **_NOTIFICATION, "data": {"resourceInfo": {"name": CANARY}}},
}
LOST_ON_THE_WAY = {
    "time is no time": _with(eventTime=CANARY),
    "time is a number": _with(eventTime=1763630000),
    "a cloud event whose time is no time": {**cloud_event(WORKSPACE), "time": CANARY},
}
"""What Microsoft's library fails at before the app sees it: Event Grid would try again, and then dead-letter it."""
IGNORED = {
    "unknown type": _with(eventType="Microsoft.Storage.BlobCreated"),
    "a made-up type": _with(eventType=CANARY),
    "failure": _with(eventType="Microsoft.Resources.ResourceWriteFailure"),
    "cancellation": _with(eventType="Microsoft.Resources.ResourceDeleteCancel"),
    "action": event(WORKSPACE, "action"),
    "another kind of resource": event(f"{GROUP}/providers/Microsoft.Compute/virtualMachines/vm"),
    "a job": event(f"{WORKSPACE}/jobs/job1"),
    "an unknown provider": event(f"{GROUP}/providers/Contoso.Things/things/thing"),
    "a role assignment that was written": event(
        f"{GROUP}/providers/Microsoft.Authorization/roleAssignments/{uuid.UUID(int=1)}"
    ),
    "a workspace that is not there": event(f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/gone"),
    "a workspace of a foreign subscription": event(WORKSPACE.replace("11111111", "99999999")),
    "a registry that nobody uses": event(f"{GROUP}/providers/Microsoft.ContainerRegistry/registries/unused"),
    "a registry of a foreign subscription": event(
        f"{GROUP}/providers/Microsoft.ContainerRegistry/registries/foreign".replace("11111111", "99999999")
    ),
}


_IS_MALFORMED = "RuleId == 'malformed-event'"


def _findings(azure: LocalAzure, where: str = "true") -> int:
    """How many there are: to read them all before and after each delivery takes longer than the delivery."""
    (row,) = azure.query(f"{FINDINGS} | where {where} | count")
    return int(row["Count"])


@pytest.fixture
def unchanged(azure: LocalAzure) -> Any:
    """Nothing was written or planned by the end of the test, and the trap's identity holds what it held: nothing."""
    yield
    azure.until_quiet(still=0.1)
    assert azure.writes() == []
    assert azure.rows(REMEDIATIONS) == []
    assert azure.grants(oid("cluster"), GROUP) == set()
    assert CANARY not in json.dumps(azure.rows(FINDINGS), default=str)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", REFUSED)
def test_refused(azure: LocalAzure, name: str) -> None:
    before = _findings(azure, _IS_MALFORMED)
    assert azure.deliver(raw=REFUSED[name]).status_code in {400, 413}
    assert _findings(azure, _IS_MALFORMED) == before


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", MALFORMED)
def test_acknowledged_and_on_record(azure: LocalAzure, name: str) -> None:
    before = _findings(azure, _IS_MALFORMED)
    answer = azure.deliver(MALFORMED[name])
    assert answer.status_code == 202, answer.text
    rows = azure.rows(FINDINGS, _IS_MALFORMED)
    assert len(rows) == before + 1
    for row in rows:
        assert row["Message"].startswith("An event could not be read")
        assert WORKSPACE not in json.dumps(row, default=str)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", IGNORED)
def test_acknowledged_and_ignored(azure: LocalAzure, name: str) -> None:
    before = _findings(azure)
    answer = azure.deliver(IGNORED[name])
    assert answer.status_code == 202, answer.text
    assert _findings(azure) == before


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", LOST_ON_THE_WAY)
def test_failed_before_the_app(azure: LocalAzure, name: str) -> None:
    assert azure.deliver(LOST_ON_THE_WAY[name]).status_code == 500


@pytest.mark.usefixtures("unchanged")
def test_too_large(azure: LocalAzure) -> None:
    assert azure.deliver(raw=json.dumps([_with(topic="x" * 2_000_000)]).encode()).status_code == 413


@pytest.mark.usefixtures("unchanged")
def test_an_empty_delivery(azure: LocalAzure) -> None:
    assert azure.deliver(raw=b"[]").status_code == 202


@pytest.mark.usefixtures("unchanged")
def test_another_function_or_no_kind(azure: LocalAzure) -> None:
    url = f"{azure.ready['functions']}/runtime/webhooks/EventGrid"
    headers = {"aeg-event-type": "Notification"}
    delivery = [event(WORKSPACE)]
    assert azure.http.post(f"{url}?functionName=nothing", json=delivery, headers=headers).status_code == 404
    assert azure.http.post(f"{url}?functionName=sweep", json=delivery, headers=headers).status_code == 404
    assert azure.http.post(f"{url}?functionName=resource_changed", json=delivery).status_code == 400


def test_handshakes(azure: LocalAzure) -> None:
    code = {"validationCode": "512d38b6-c7b8-40c8-89fe-f46f9e9622b6", "validationUrl": "https://rp.eventgrid.example"}
    asked = {**event(WORKSPACE), "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "data": code}
    answer = azure.deliver(asked, kind="SubscriptionValidation")
    assert (answer.status_code, answer.json()) == (200, {"validationResponse": code["validationCode"]})
    url = f"{azure.ready['functions']}/runtime/webhooks/EventGrid?functionName=resource_changed"
    options = azure.http.options(url, headers={"WebHook-Request-Origin": "eventgrid.azure.net"})
    assert options.status_code == 200
    assert options.headers["WebHook-Allowed-Origin"] == "eventgrid.azure.net"


_WRONG: list[Any] = [None, 5, True, "text", [], ["x"], {}, {"a": {"b": [CANARY]}}]


@pytest.mark.parametrize("wrong", _WRONG, ids=repr)
def test_wrong_types_beside_the_resource_do_no_harm(azure: LocalAzure, wrong: Any) -> None:
    """The event is about a resource that nothing depends on, and everything else in it is nonsense."""
    told = event(f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/gone")
    kept = {"resourceUri": told["data"]["resourceUri"]}
    for data in ({**told["data"], key: wrong} for key in told["data"] if key != "resourceUri"):
        assert azure.deliver({**told, "data": data}).status_code == 202
    assert azure.deliver({**told, "data": {**kept, "claims": {**_PERSON, "extra": wrong}}}).status_code == 202
    nested = {"evidence": wrong, "scope": wrong, "action": wrong}
    assert azure.deliver({**told, "data": {**kept, "authorization": nested}}).status_code == 202
    assert CANARY not in json.dumps(azure.rows(FINDINGS), default=str)
    assert azure.writes() == []
