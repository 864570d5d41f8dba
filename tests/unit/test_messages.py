"""What goes on the work queue comes back as it was; anything else is refused."""

from datetime import UTC, datetime

import pytest

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

TRIGGER = Trigger("correlation", "caller", datetime(2026, 1, 2, tzinfo=UTC))


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
