"""What single answers, events and settings come to: each field as it was said, each failure under its own name."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import azure.functions as func
import pytest
from azure.core.exceptions import HttpResponseError
from event_grid import TIME, cloud_event, event
from unit.build import WORKSPACE
from unit.scripted import ARM, Answer, Credential, Transport

from handlers.delivery import raw_event
from shared.azure.azure import LiveAzure
from shared.azure.errors import finishing, reading, recording, storing, telling, writing
from shared.azure.events import MalformedEventError, read
from shared.azure.session import PUBLIC, quiet_sdk_logging
from shared.azure.settings import Settings
from shared.azure.store import LiveStore
from shared.ports import AzureFailureError, ConflictError, ReadFailedError

type Asking = Callable[[str], AbstractContextManager[None]]

ALL = [reading, recording, storing, telling, writing, finishing]
AT = datetime(2026, 11, 20, 9, 30, 0, 123456, UTC)


def _raised(asking: Asking, error: Exception) -> AzureFailureError:
    with pytest.raises(AzureFailureError) as caught, asking("ask"):
        raise error
    return caught.value


def _refused(status: int | None, code: str = "ANewOne") -> HttpResponseError:
    error = HttpResponseError(message="no")
    error.status_code, error.error = status, SimpleNamespace(code=code)  # type: ignore[assignment]  # all of it that is read
    return error


@pytest.mark.parametrize("asking", ALL)
@pytest.mark.parametrize("status", [None, 403, 404, 503])
def test_a_failure_says_what_azure_answered_or_that_it_did_not(asking: Asking, status: int | None) -> None:
    reason = _raised(asking, _refused(status)).reason
    assert reason
    assert "None" not in reason
    assert (f"answered {status}" in reason) or status in (None, 403)


@pytest.mark.parametrize("asking", ALL)
def test_what_is_none_of_azures_answers_has_one_name(asking: Asking) -> None:
    assert _raised(asking, ValueError("not JSON")).code == "MalformedAnswer"


def test_who_may_not_record_is_told_which_role_is_missing() -> None:
    assert "Monitoring Metrics Publisher" in _raised(recording, _refused(403)).reason


@pytest.mark.parametrize(("status", "forbidden"), [(403, True), (404, False), (500, False)])
def test_only_what_may_not_be_read_is_forbidden(status: int, forbidden: bool) -> None:
    error = _raised(reading, _refused(status))
    assert isinstance(error, ReadFailedError)
    assert error.forbidden is forbidden


@pytest.mark.parametrize("made", [event, cloud_event])
def test_when_it_happened_is_read_from_either_schema(made: Callable[[str], dict[str, Any]]) -> None:
    found = read(made(str(WORKSPACE)))
    assert found
    assert (found.time, found.scope) == (AT, WORKSPACE)


def test_a_cloud_event_that_is_none_is_called_one() -> None:
    with pytest.raises(MalformedEventError, match="CloudEvents"):
        read({"specversion": "1.0"})


def test_the_functions_library_delivers_what_event_grid_sent() -> None:
    one = event(str(WORKSPACE))
    delivered = func.EventGridEvent(
        id=one["id"],
        data=one["data"],
        topic=one["topic"],
        subject=one["subject"],
        event_type=one["eventType"],
        event_time=AT,
        data_version=one["dataVersion"],
    )
    assert read(raw_event(delivered)) == read(one)


def test_and_cloud_events_as_well() -> None:
    one = cloud_event(str(WORKSPACE))
    named = {key: one[key] for key in ("id", "source", "type", "specversion", "subject", "data")}
    assert read(raw_event(func.CloudEvent(**named, time=AT))) == read(one)
    assert one["time"] == TIME


async def test_the_logs_are_asked_where_there_are_some() -> None:
    class Logs:
        async def rows(self, kql: str) -> list[dict[str, str]]:
            return [{"asked": kql}]

    credential: Any = Credential()
    wire: Any = Transport()
    logs: Any = Logs()
    assert await LiveAzure(ARM, PUBLIC, credential, wire, logs).logs("T") == [{"asked": "T"}]
    assert await LiveAzure(ARM, PUBLIC, credential, wire, None).logs("T") is None


def test_a_policy_is_a_blob_or_a_file() -> None:
    where = {"AzureWebJobsStorage__blobServiceUri": "https://st.blob.core.windows.net"}
    blob = Settings.read({"AMLGUARD_POLICY": "blob:policy.yaml", **where})
    assert (blob.policy_blob, blob.policy_file) == ("policy.yaml", None)
    file = Settings.read({"AMLGUARD_POLICY": "policy.yaml", **where})
    assert (file.policy_blob, file.policy_file) == (None, "policy.yaml")


async def test_whoever_loses_a_race_for_a_document_hears_why() -> None:
    lost = Answer(412, "<Error/>", {"Content-Type": "application/xml", "x-ms-error-code": "ConditionNotMet"})

    class Wire:
        async def send(self, request: Any, **_: Any) -> Answer:
            lost.request = request
            return lost

    credential: Any = Credential()
    wire: Any = Wire()
    settings = Settings.read({"AzureWebJobsStorage__blobServiceUri": "https://store.blob.core.windows.net"})
    with pytest.raises(ConflictError) as caught:
        await LiveStore(settings, credential, wire).write("caps/1", b"{}", "an-etag")
    assert (caught.value.operation, caught.value.code) == ("write caps/1", "Conflict")
    assert caught.value.reason


@pytest.fixture
def _loggers() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("", "azure", "msal")]
    levels = [one.level for one in loggers]
    yield
    for one, level in zip(loggers, levels, strict=True):
        one.setLevel(level)


@pytest.mark.usefixtures("_loggers")
def test_the_sdks_are_quiet_and_nobody_else_is() -> None:
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    quiet_sdk_logging()
    assert not logging.getLogger("azure.core").isEnabledFor(logging.INFO)
    assert not logging.getLogger("msal").isEnabledFor(logging.INFO)
    assert logging.getLogger("amlguard").isEnabledFor(logging.INFO)
