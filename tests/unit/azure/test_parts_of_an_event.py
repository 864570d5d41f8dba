"""What is read from an event, part by part."""

from datetime import datetime
from typing import Any

import pytest
from event_grid import TIME, cloud_event, cloud_notification, event, notification
from unit.build import GROUP, STORAGE, WORKSPACE, guid

from shared.azure.events import MalformedEventError, ResourceEvent, read

WHERE = str(WORKSPACE)
CLAIM = "http://schemas.microsoft.com/identity/claims/objectidentifier"
SOMEONE, OTHER = guid("someone"), guid("other")
RESOURCE = {"id": WHERE, "name": "mlw", "type": "t", "location": "westeurope", "properties": {}}


def told(raw: Any) -> ResourceEvent:
    found = read(raw)
    assert found
    return found


def of_data(**data: Any) -> ResourceEvent:
    return told(event(WHERE) | {"data": {"resourceUri": WHERE, **data}})


@pytest.mark.parametrize("make", [event, cloud_event])
@pytest.mark.parametrize("verb", ["write", "delete"])
def test_an_event_in_either_schema_is_read_whole(make: Any, verb: str) -> None:
    raw = make(WHERE, verb, caller=SOMEONE, correlation=guid("c"))
    time = datetime.fromisoformat(TIME)
    assert told(raw) == ResourceEvent(verb, WORKSPACE, SOMEONE, guid("c"), time)


@pytest.mark.parametrize("make", [notification, cloud_notification])
@pytest.mark.parametrize(("said", "kind"), [("CreatedOrUpdated", "write"), ("Deleted", "delete")])
def test_a_notification_tells_a_change_and_nobody(make: Any, said: str, kind: str) -> None:
    raw = make(RESOURCE)
    raw["type" if "specversion" in raw else "eventType"] = f"Microsoft.ResourceNotifications.Resources.{said}"
    found = told(raw)
    assert (found.kind, found.scope, found.caller, found.correlation_id) == (kind, WORKSPACE, "", "")


@pytest.mark.parametrize("name", ["Microsoft.Resources.ResourceActionSuccess", "x" * 128])
def test_other_types_are_none_of_ours(name: str) -> None:
    assert read(event(WHERE) | {"eventType": name}) is None


class TestTheResource:
    def test_is_what_the_notification_is_about_before_all_else(self) -> None:
        data = {"resourceInfo": {"id": WHERE}, "resourceUri": str(STORAGE)}
        assert told(event(str(STORAGE)) | {"data": data}).scope == WORKSPACE

    def test_is_what_was_written_before_the_subject(self) -> None:
        assert told(event(str(STORAGE)) | {"data": {"resourceUri": WHERE}}).scope == WORKSPACE

    @pytest.mark.parametrize("data", [{}, {"resourceInfo": {}}, {"resourceInfo": "text"}])
    def test_is_the_subject_where_nothing_else_names_it(self, data: dict[str, Any]) -> None:
        assert told(event(WHERE) | {"data": data}).scope == WORKSPACE

    def test_may_be_spelt_as_a_url(self) -> None:
        assert told(event(f"{GROUP}/providers/microsoft.insights/components/my%20app")).scope.name == "my app"


class TestTheCaller:
    def test_is_the_one_of_the_claims(self) -> None:
        found = of_data(claims={CLAIM: SOMEONE.upper()}, authorization={"evidence": {"principalId": OTHER}})
        assert found.caller == SOMEONE

    @pytest.mark.parametrize("claims", [None, [], "text", {}, {CLAIM: "jane"}, {CLAIM: None}, {CLAIM: [SOMEONE]}])
    def test_else_the_one_whose_role_allowed_it(self, claims: Any) -> None:
        evidence = {"principalId": OTHER.replace("-", "")}
        assert of_data(claims=claims, authorization={"evidence": evidence}).caller == OTHER

    @pytest.mark.parametrize("authorization", [None, "text", {}, {"evidence": "text"}, {"evidence": {}}])
    def test_else_nobody(self, authorization: Any) -> None:
        assert of_data(authorization=authorization).caller == ""


class TestTheCorrelation:
    def test_is_what_azure_said(self) -> None:
        assert of_data(correlationId=guid("c")).correlation_id == guid("c")

    @pytest.mark.parametrize("said", [None, ""])
    def test_is_empty_where_there_is_none(self, said: Any) -> None:
        assert of_data(correlationId=said).correlation_id == ""

    @pytest.mark.parametrize("said", ["text", 5, [guid("c")]])
    def test_is_another_one_where_it_is_no_guid(self, said: Any) -> None:
        first, second = (of_data(correlationId=said).correlation_id for _ in range(2))
        assert len({first, second, str(said)}) == 3
        assert (len(first), first.count("-")) == (36, 4)


def test_the_time_may_be_left_out() -> None:
    assert told({key: part for key, part in cloud_event(WHERE).items() if key != "time"}).time is None


@pytest.mark.parametrize(("make", "key"), [(event, "eventTime"), (cloud_event, "time")])
@pytest.mark.parametrize("zone", ["z", "+00:00"])
def test_the_time_may_have_small_letters_or_a_zone(make: Any, key: str, zone: str) -> None:
    assert told(make(WHERE) | {key: TIME.lower().replace("z", zone)}).time == datetime.fromisoformat(TIME)


BROKEN: dict[str, tuple[Any, str]] = {
    "no object": (["x"], "an event is an object"),
    "no type": (event(WHERE) | {"eventType": "x" * 129}, "the event names no type"),
    "a type that is no text": (event(WHERE) | {"eventType": 5}, "the event names no type"),
    "no data": (event(WHERE) | {"data": "text"}, "the event's data is not an object"),
    "no resource": (event("mlw"), "the event names no resource: "),
    "a resource that is no text": (event(WHERE) | {"data": {"resourceUri": 5}}, "the event names no resource: "),
    "not UTF-8": (event(f"{WHERE}%ff"), "the event names no resource: it is encoded, but not as UTF-8"),
    "a letter encoded": (event(f"{WHERE}%61"), "it encodes a character that needs no encoding, or a separator"),
    "a dot encoded": (event(f"{WHERE}%2e"), "it encodes a character that needs no encoding, or a separator"),
    "a separator encoded": (event(f"{WHERE}%2Fx"), "it encodes a character that needs no encoding, or a separator"),
    "no time of this world": (
        event(WHERE) | {"eventTime": "0001-01-01T00:00:00+23:59"},
        "not an event of the Event Grid schema",
    ),
    "half a CloudEvent": ({"specversion": "1.0"}, "not an event of the CloudEvents schema"),
    "no time": (event(WHERE) | {"eventTime": "noon"}, "the time of the event is not a time"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_said_and_nothing_of_it_quoted(name: str) -> None:
    raw, said = BROKEN[name]
    with pytest.raises(MalformedEventError) as caught:
        read(raw)
    assert said in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
