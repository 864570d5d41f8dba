"""`amlguard status`: what fails and since when, what waits, what was given up, and what is open."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import raw
from app import App, app, waiting
from fakes import FakeAzure
from reliability.on_record import given
from unit.build import REGISTRY, SUBSCRIPTION, WORKSPACE, assigned, guid, sai

from handlers import sweep, work_queue
from handlers.cli.formats.screen import Screen
from handlers.cli.status import Status, found
from shared.access.intents import OPEN_AFTER
from shared.access.scope import Scope
from shared.messages import Dependency, Reconcile, Resync, Trigger, encode
from shared.ports import AuditFailedError, AzureFailureError, NotYetError, ReadFailedError, Stored
from shared.state.failing import Failures

C1 = sai("cpu1")
NOW = datetime.now(UTC)


def _calm() -> App:
    one = app(raw.compute("cpu1", C1))
    one.azure.assignments.append(assigned(C1, "AcrPull", REGISTRY))
    return one


class _Busy(FakeAzure):
    async def children(self, parent: Scope, collection: str, *, pages: int | None = None) -> Sequence[raw.Raw] | None:  # noqa: ARG002 - as the port has it
        raise ReadFailedError(f"list {collection} of {parent}", "TooManyRequests", "429", wait=timedelta(minutes=1))


async def _status(one: App) -> Status:
    return await found(one.services)


async def test_where_all_is_well_nothing_is_told() -> None:
    one = _calm()
    await sweep.handle(one.services)
    await one.settle()
    told = await _status(one)
    assert told.exit_code == 0
    assert [each.outcome for each in told.sweeps] == ["Completed"]
    document = told.document()
    assert (document["failing"], document["givenUp"], document["open"]) == ([], [], [])
    assert "nothing has failed" in told.text(Screen())


async def test_a_log_that_is_down_fails_since_then_and_its_outcomes_are_open() -> None:
    one = app(raw.compute("cpu1", C1))
    one.troubles.after["audit"] = 1
    await one.run()
    one.troubles.down = {"audit"}
    await one.settle(hours=0.1)
    one.troubles.heal()
    told = await _status(one)
    (failing,) = told.document()["failing"]
    assert failing["dependency"] == "audit-log"
    assert datetime.fromisoformat(failing["since"]) <= datetime.fromisoformat(failing["last"])
    (left,) = told.document()["open"]
    assert (left["intents"], left["outcomesNotOnRecord"], left["workspaces"]) == (0, 1, [str(WORKSPACE)])
    assert told.document()["waiting"]["messages"] == len(one.queue.messages) > 0
    assert told.exit_code == 2


async def test_what_was_given_up_is_told_by_its_kind() -> None:
    one = _calm()
    one.poison += [encode(Resync((str(WORKSPACE),))), encode(Reconcile((str(WORKSPACE),), Trigger())), b"{"]
    told = await _status(one)
    assert [each["kind"] for each in told.document()["givenUp"]] == ["resync", "reconcile", "unknown"]
    assert told.exit_code == 2


async def test_a_read_that_fails_is_told_and_a_calm_hour_ends_it() -> None:
    one = _calm()
    one.troubles.down = {"read"}
    with pytest.raises(AzureFailureError):
        await work_queue.handle(encode(Reconcile((str(WORKSPACE),))), one.services)
    assert await Failures(one.store).all(NOW + timedelta(hours=2)) == []
    one.troubles.heal()
    assert [each.dependency for each in (await _status(one)).failing] == ["reading-azure"]


async def test_a_dependency_that_asks_to_wait_fails_as_well() -> None:
    """Its work comes again for as long as it takes, and never to the poison queue."""
    one = App(azure=_Busy())
    await work_queue.handle(encode(Dependency(str(SUBSCRIPTION))), one.services, 5)
    given([each for each in waiting(one) if isinstance(each, Dependency)], "it comes again")
    assert [each.dependency for each in (await _status(one)).failing] == ["reading-azure"]


async def test_a_failure_goes_on_as_long_as_it_comes_again_within_the_hour() -> None:
    one = _calm()
    failures = Failures(one.store)
    for minutes in (0, 50, 100):
        await failures.note(AuditFailedError("record", "X", "y"), NOW + timedelta(minutes=minutes))
    (known,) = await failures.all(NOW + timedelta(minutes=101))
    assert (known.since, known.last) == (NOW, NOW + timedelta(minutes=100))
    assert await failures.all(NOW - timedelta(days=365)) == []  # noted by a clock that was wrong
    await failures.note(AuditFailedError("record", "X", "y"), NOW + timedelta(hours=4))
    (again,) = await failures.all(NOW + timedelta(hours=4))
    assert again.since == NOW + timedelta(hours=4)


@pytest.mark.parametrize(
    ("error", "dependency"),
    [
        (ReadFailedError("read", "x", "y"), "reading-azure"),
        (NotYetError("write", "x", "y"), "changing-azure"),
        (AzureFailureError("put", "x", "y"), "storage-account"),
    ],
)
async def test_each_dependency_fails_on_its_own(error: AzureFailureError, dependency: str) -> None:
    one = _calm()
    await Failures(one.store).note(error, NOW)
    assert [each.dependency for each in await Failures(one.store).all(NOW)] == [dependency]


async def test_a_run_that_is_under_way_is_not_open() -> None:
    one = app(raw.compute("cpu1", C1))
    one.troubles.after["write"], one.troubles.too_late = 0, False
    await one.run()
    told = await _status(one)
    told.now = one.azure.clock
    assert (len(told.open_runs), told.document()["underWay"]) == (0, 1)
    told.now = one.azure.clock + OPEN_AFTER
    assert (len(told.open_runs), told.document()["underWay"]) == (1, 0)
    told = replace(told, failing=(), given_up=(), open_in_log=0)
    assert told.exit_code == 2
    assert replace(told, runs=()).exit_code == 0


async def test_what_cannot_be_read_keeps_nothing_else_back() -> None:
    one = _calm()
    one.poison.append(b"{")
    one.azure.logged = True
    one.troubles.down = {"read", "store"}
    told = await _status(one)
    assert len(told.given_up) == 1
    assert told.errors
    assert told.exit_code == 1


@pytest.mark.parametrize("time", ["2026-11-02T12:00:00", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:00"])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sweeps/current", '{{"id": "one", "started": "{0}", "mode": "enforce"}}'),
        ("sweeps/one/done/1", '{{"at": "{0}"}}'),
        (f"open/{guid('run')}/1", f'{{{{"run": "{guid("run")}", "began": "{{0}}", "intents": []}}}}'),
        ("approvals/x", '{{"run": "", "workspace": "/", "actions": {{}}, "asked_at": "{0}", "lapses_at": "{0}"}}'),
        ("failing/audit-log", '{{"dependency": "audit-log", "since": "{0}", "last": "{0}", "said": ""}}'),
    ],
)
async def test_no_time_in_a_document_ends_the_status_or_a_sweep(name: str, text: str, time: str) -> None:
    """One without a zone cannot be compared, and to one at the end of time nothing can be added."""
    one = _calm()
    one.store.documents["sweeps/current"] = Stored(b'{"id": "one", "started": "2026-11-02T12:00:00Z", "mode": ""}', "")
    one.store.documents[name] = Stored(text.format(time).encode(), "")
    await _status(one)
    assert await one.sweep()
    await one.settle()
    assert not one.poison
