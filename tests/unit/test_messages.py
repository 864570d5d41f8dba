"""What goes on the work queue comes back as it was; anything else is refused."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from unit.build import guid

from shared.messages import (
    Dependency,
    MalformedWorkError,
    Reconcile,
    Record,
    Resync,
    Sweep,
    Trigger,
    Work,
    decode,
    encode,
)

TRIGGER = Trigger(guid("correlation"), guid("caller"), datetime(2026, 1, 2, tzinfo=UTC))


@pytest.mark.parametrize(
    "work",
    [
        Reconcile(("/subscriptions/a", "/subscriptions/b"), TRIGGER, 3),
        Reconcile(()),
        Dependency("/subscriptions/a", TRIGGER),
        Sweep(TRIGGER),
        Sweep(),
        Resync(("/subscriptions/a",), TRIGGER),
        Record("AmlGuardRemediation_CL", ({"RunId": "r", "DurationMs": None, "Requirements": ["AML-18"]},)),
    ],
)
def test_there_and_back(work: Work) -> None:
    assert decode(encode(work)) == work
    assert decode(encode(work).decode()) == work


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"not json",
        b"null",
        b"[]",
        b"{}",
        b'{"type":"unheard-of"}',
        b'{"type":"reconcile"}',
        b'{"type":"reconcile","workspaces":"one"}',
        b'{"type":"reconcile","workspaces":[1]}',
        b'{"type":"reconcile","workspaces":[],"attempt":"many"}',
        b'{"type":"record","table":"t","rows":[1]}',
        b"\xff\xfe",
        b'{"type":"dependency","scope":"\xff"}',
        b'{"type":"resync","workspaces":["a"',
    ],
)
def test_what_is_not_ours_is_refused(message: bytes) -> None:
    with pytest.raises(MalformedWorkError):
        decode(message)


def test_a_later_versions_extra_keys_do_no_harm() -> None:
    assert decode(b'{"type":"sweep","since":"2027"}') == Sweep()


def test_no_more_than_object_ids_is_kept_of_who_set_it_off() -> None:
    assert set(Trigger.__struct_fields__) == {"correlation_id", "caller_object_id", "event_time", "resource"}


def test_the_runbook_names_the_key_that_tells_the_kind() -> None:
    said = (Path(__file__).parents[2] / "docs" / "runbooks" / "poison-work.md").read_text(encoding="utf-8")
    (key,) = re.findall(r"Its key `(\w+)`", said)
    assert json.loads(encode(Resync(("/subscriptions/a",), TRIGGER)))[key] == "resync"


def test_a_version_that_does_not_know_of_runs_takes_the_message_for_a_look() -> None:
    """After going back: fields that a version does not know are passed over."""
    new = encode(Reconcile(("/subscriptions/a",), TRIGGER, run="74be27de-1e4e-49d9-b579-fe0b331d3641"))
    known = {"type", "workspaces", "trigger", "attempt"}
    old = {name: value for name, value in json.loads(new).items() if name in known}
    assert decode(json.dumps(old)) == Reconcile(("/subscriptions/a",), TRIGGER)


@pytest.mark.parametrize(
    "text", ["Jane Doe, jane@example.com", "../../x", "a" * 36, "\n", f"{guid('x')} or so"], ids=ascii
)
def test_an_id_that_is_none_ends_at_the_door(text: str) -> None:
    """A version before took any text that a sender had made up."""
    body = {"type": "resync", "workspaces": [], "trigger": {"correlation_id": text, "caller_object_id": text}}
    assert decode(json.dumps(body)) == Resync(())
    assert text not in encode(decode(json.dumps(body))).decode()
