"""What senders and tenants may write ends at the door: it fails no look, and is on no record as they wrote it."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import raw
from app import App, app
from event_grid import cloud_event, event
from reliability.host import deliver
from reliability.on_record import given
from unit.build import REGISTRY, WORKSPACE, guid, sai

from shared.azure import events

C1 = sai("cpu1")


def _app() -> App:
    return app(raw.compute("cpu1", C1), settle=timedelta(minutes=15))


async def test_an_event_as_azure_sends_it_leads_to_a_grant() -> None:
    """Its correlation id is kept as it is: people look for it in the activity log."""
    correlation = guid("correlation")
    for make in (event, cloud_event):
        one = _app()
        assert await deliver(make(str(WORKSPACE), correlation=correlation), one) is None
        assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}
        assert {row["CorrelationId"] for row in one.audit.rows()} == {correlation}
        assert one.audit.findings() == []


_OF_NO_SHAPE: tuple[object, ...] = ([], {}, False, 0)


@pytest.mark.parametrize(
    "time",
    [
        *("true", "T", "now", "12:00", [1]),
        *_OF_NO_SHAPE,
        *("2026-11-28", "20261128T120000Z", "2026-W48-6T10:00:00Z", "2026-11-28T12:00:00"),
        *("2026-13-45T99:99:99Z", "2026-11-20", "09:30:00Z", "yesterday at noon", "Z", 5, {"at": "noon"}),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    ("make", "key"), [(cloud_event, "time"), (event, "eventTime")], ids=["CloudEvent", "Event Grid"]
)
async def test_an_event_whose_time_is_none_is_malformed(make: Any, key: str, time: object) -> None:
    one = _app()
    given(await deliver(make(str(WORKSPACE)) | {key: time}, one) is None, "it is taken")
    assert [row["RuleId"] for row in one.audit.findings()] == ["malformed-event"]
    assert one.azure.assignments == []


_NOBODYS_ID = ["Jane Doe, jane@example.com, 203.0.113.77", "../../x", "a" * 128, "DROP\nTABLE", "\x00", "{}"]


@pytest.mark.parametrize("make", [event, cloud_event])
@pytest.mark.parametrize("text", _NOBODYS_ID, ids=ascii)
async def test_a_correlation_id_is_a_guid_or_is_replaced(text: str, make: Any) -> None:
    one = _app()
    given(await deliver(make(str(WORKSPACE), correlation=text), one) is None, "the event leads to a look")
    rows = [*one.audit.rows(), *one.audit.findings()]
    given(rows and one.queue.messages, "there are rows, and a message for what has to settle")
    assert all(_is_guid(row["CorrelationId"]) for row in rows)
    assert not [message for message in one.queue.messages if json.dumps(text).encode() in message.body]


@pytest.mark.parametrize("text", ["\ud800", "jane\udfff"], ids=ascii)
async def test_a_lone_surrogate_fails_nothing(text: str) -> None:
    one = _app()
    assert await deliver(event(str(WORKSPACE), correlation=text), one) is None
    assert all(_is_guid(row["CorrelationId"]) for row in one.audit.rows())


def _is_guid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


@pytest.mark.parametrize(("make", "key"), [(cloud_event, "source"), (cloud_event, "type"), (event, "eventType")])
async def test_an_event_that_lacks_what_its_schema_asks_for_is_malformed(make: Any, key: str) -> None:
    one = _app()
    whole = make(str(WORKSPACE))
    given(key in whole, "it has it otherwise")
    assert await deliver({name: value for name, value in whole.items() if name != key}, one) is None
    assert [row["RuleId"] for row in one.audit.findings()][:1] == ["malformed-event"]


async def test_a_cloud_event_with_two_bodies_is_malformed() -> None:
    one = _app()
    assert await deliver(cloud_event(str(WORKSPACE)) | {"data_base64": "eyJ9"}, one) is None
    assert [row["RuleId"] for row in one.audit.findings()] == ["malformed-event"]


@pytest.mark.parametrize("text", _NOBODYS_ID, ids=ascii)
def test_a_caller_is_an_object_id_or_nobody(text: str) -> None:
    known = event(str(WORKSPACE))
    known["data"]["claims"] = {"http://schemas.microsoft.com/identity/claims/objectidentifier": text}
    known["data"].pop("authorization", None)
    read = events.read(known)
    assert read is not None
    assert read.caller == ""
