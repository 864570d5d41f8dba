"""An upgrade, and going back: what one version left on the queue, in the storage account and in the log."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from app import App
from fakes import Message
from reliability.host import undo, work_off
from troubles import Dies
from unit.build import NOW, REGISTRY, WORKSPACE, assigned, guid
from versions import before
from versions.story import ASKED_FOR, C1, C2, PASSED, Left, left, tenant

from shared.access.terms import Caps
from shared.ports import ReadFailedError, Stored
from shared.state.approvals import Approvals
from shared.state.failing import Failures
from shared.state.open_runs import OpenRuns
from shared.state.sweep_documents import Tally
from shared.state.sweep_progress import Sweeps

FORMS = sorted((Path(__file__).parent / "forms").iterdir(), key=lambda folder: int(folder.name))
KINDS = {"dependency", "reconcile", "record", "resync", "shard", "sweep"}
every_version = pytest.mark.parametrize("folder", FORMS, ids=lambda folder: str(folder.name))


def _upgraded(folder: Path, *, granted: bool = True, later: bool = False, **policy: Any) -> tuple[App, Left]:
    """The tenant, and this version on what the other left. A `later` one has a field more in each document."""
    found, one = Left.read(folder), tenant(**policy)
    one.azure.advance(PASSED)
    one.azure.logged = True
    holders = {each.id: each for each in (C1, C2)}
    for each in found.grants if granted else ():
        made = assigned(holders[each["principal"]], "AcrPull", REGISTRY)
        one.azure.assignments.append(replace(made, id=each["id"], created_on=NOW, description=each["description"]))
    one.azure.journal += [(row["Table"], row) for row in found.rows]
    documents = {name: _of_later(name, each) if later else each for name, each in found.store.items()}
    one.store.documents = {name: Stored(_bytes(document), name) for name, document in documents.items()}
    return one, found


def _of_later(name: str, document: Any) -> Any:
    if name == "undone":
        return {action: mark | {"added": {"later": 1}} for action, mark in document.items()}
    return document | {"added": {"later": 1}} if isinstance(document, dict) else document


def _bytes(document: object) -> bytes:
    return json.dumps(document).encode()


def _run(found: Left) -> str:
    return str(next(row["RunId"] for row in found.rows if row.get("Outcome") == "Applied"))


@every_version
def test_every_kind_is_on_file(folder: Path) -> None:
    found = Left.read(folder)
    assert {message["type"] for message in found.queue} == KINDS
    assert found.store
    assert found.rows
    assert found.grants


@every_version
async def test_what_waits_on_the_queue_is_done_after_an_upgrade(folder: Path) -> None:
    one, found = _upgraded(folder)
    for at, body in enumerate(found.queue):
        due = one.azure.clock + timedelta(minutes=15 if body["type"] == "reconcile" else 0)
        one.queue.messages.append(Message((str(at), "pop"), _bytes(body), due))
    assert await work_off(one, hours=2) == []
    assert one.poison == []
    assert one.azure.holders("AcrPull", REGISTRY) == {C1.id, C2.id}
    assert not one.azure.admin_user(REGISTRY)
    assert [row["Outcome"] for row in one.audit.rows("Applied") if row.get("Property") == "cachedKeys"]
    assert [row["PrincipalId"] for row in one.audit.rows() if row["RunId"] == guid("recorded late")] == [C2.id]
    ended = [row for kind, row in one.azure.journal if kind == "AmlGuardSweep_CL" and row["Outcome"] == "Completed"]
    assert len(ended) >= 2


@every_version
async def test_what_a_person_took_back_stays_so_after_an_upgrade(folder: Path) -> None:
    one, _ = _upgraded(folder, granted=False)
    await one.event(WORKSPACE)
    assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}
    assert [row["Guard"] for row in one.audit.rows("Withheld") if row["PrincipalId"] == C2.id] == ["undone"]


@every_version
async def test_what_was_changed_this_hour_counts_after_an_upgrade(folder: Path) -> None:
    one, _ = _upgraded(folder, granted=False, caps=Caps(per_hour=2))
    await one.event(WORKSPACE)
    assert one.azure.holders("AcrPull", REGISTRY) == set()
    free, _ = _upgraded(folder, granted=False, caps=Caps(per_hour=3))
    await free.event(WORKSPACE)
    assert free.azure.holders("AcrPull", REGISTRY) == {C1.id}


@every_version
async def test_what_waits_for_a_person_is_released_after_an_upgrade(folder: Path) -> None:
    one, _ = _upgraded(folder)
    approvals = Approvals(one.store)
    (waiting,) = await approvals.waiting(one.azure.now())
    assert waiting.run == ASKED_FOR
    await approvals.approve(waiting, guid("person"), one.azure.now())
    released = await approvals.of(WORKSPACE, one.azure.now())
    assert released
    assert released.approved


@every_version
async def test_a_run_of_another_version_is_taken_back(folder: Path) -> None:
    one, found = _upgraded(folder)
    await undo(one, _run(found))
    assert one.azure.holders("AcrPull", REGISTRY) == set()


class TestOutcomesOnTheQueue:
    """The version before left them there while the log was down."""

    def _left(self) -> tuple[App, tuple[dict[str, Any], ...]]:
        one, found = _upgraded(FORMS[-1])
        (record,) = [body for body in found.queue if body["type"] == "record"]
        one.queue.messages.append(Message(("r", "pop"), _bytes(record), one.azure.clock))
        return one, tuple(record["rows"])

    def _late(self, one: App) -> list[str]:
        return [row["Outcome"] for row in one.audit.rows() if row["RunId"] == guid("recorded late")]

    async def test_what_the_log_took_after_all_is_not_written_again(self) -> None:
        one, rows = self._left()
        one.azure.journal += [("AmlGuardRemediation_CL", row) for row in rows]
        assert await work_off(one, hours=0.1) == []
        assert self._late(one) == ["Applied"]

    async def test_they_wait_for_as_long_as_the_log_is_down(self) -> None:
        one, _ = self._left()
        one.troubles.down = {"audit"}
        assert await work_off(one, hours=3) == []
        assert (self._late(one), one.poison) == ([], [])
        one.troubles.heal()
        await work_off(one, hours=1)
        assert self._late(one) == ["Applied"]


class TestGoingBack:
    """To this version, from one that has a field more in each document."""

    async def test_what_a_person_took_back_stays_so(self) -> None:
        one, _ = _upgraded(FORMS[-1], granted=False, later=True)
        await one.event(WORKSPACE)
        assert [row["Guard"] for row in one.audit.rows("Withheld") if row["PrincipalId"] == C2.id] == ["undone"]

    async def test_what_was_changed_this_hour_counts(self) -> None:
        one, _ = _upgraded(FORMS[-1], granted=False, later=True, caps=Caps(per_hour=2))
        await one.event(WORKSPACE)
        assert one.azure.holders("AcrPull", REGISTRY) == set()

    async def test_what_waits_for_a_person_is_released(self) -> None:
        one, _ = _upgraded(FORMS[-1], later=True)
        approvals = Approvals(one.store)
        (waiting,) = await approvals.waiting(one.azure.now())
        await approvals.approve(waiting, guid("person"), one.azure.now())
        released = await approvals.of(WORKSPACE, one.azure.now())
        assert released
        assert released.approved

    async def test_sweeps_are_as_far_as_they_were(self) -> None:
        (one, _), (same, _) = _upgraded(FORMS[-1], later=True), _upgraded(FORMS[-1])
        shown = [await Sweeps(each.store, None).listed(each.azure.now()) for each in (one, same)]
        assert len(shown[0]) >= 2
        assert shown[0] == shown[1]

    async def test_a_shard_that_is_done_counts(self) -> None:
        one = tenant()
        sweeps = Sweeps(one.store, None)
        await sweeps.begin("2026", NOW, "enforce")
        await sweeps.found("2026", 5, 2, NOW)
        await sweeps.done("2026", "00000", Tally(3, 1, 2, 4), NOW)
        (name,) = await one.store.names("sweeps/2026/done/")
        before, stored = await sweeps.listed(NOW), one.store.documents[name]
        one.store.documents[name] = Stored(_bytes(_of_later(name, json.loads(stored.data))), stored.etag)
        assert before[0].tally.changes == 2
        assert await sweeps.listed(NOW) == before

    async def test_what_a_run_left_open_is_found(self) -> None:
        found = tenant()
        found.azure.troubles = Dies(armed=True)
        one = App(found.terms, found.azure)
        assert not await one.event(WORKSPACE)
        names = await one.store.names("open/")
        assert names
        kept = await OpenRuns(one.store).all()
        for name in names:
            stored = one.store.documents[name]
            one.store.documents[name] = Stored(_bytes(_of_later(name, json.loads(stored.data))), stored.etag)
        assert await OpenRuns(one.store).all() == kept

    async def test_what_fails_is_known(self) -> None:
        one = tenant()
        await Failures(one.store).note(ReadFailedError("read", "ServiceUnavailable", "Azure answered 503"), NOW)
        (name,) = await one.store.names("failing/")
        known = await Failures(one.store).all(NOW)
        stored = one.store.documents[name]
        one.store.documents[name] = Stored(_bytes(_of_later(name, json.loads(stored.data))), stored.etag)
        assert known
        assert await Failures(one.store).all(NOW) == known


async def test_the_version_before_reads_what_this_one_leaves() -> None:
    """After going back: no message ends in the poison queue, and no document stops a run."""
    _, now = await left()
    for body in now.queue:
        read = json.loads(msgspec.json.encode(before.message(_bytes(body))))
        assert body | read == body
    unknown = {name for name, document in now.store.items() if before.document(name, _bytes(document)) is None}
    assert unknown == set()


async def test_the_version_before_finds_its_columns() -> None:
    then, (_, now) = Left.read(FORMS[-2]), await left()
    for table in {row["Table"] for row in then.rows}:
        old, new = (_types(row for row in rows if row["Table"] == table) for rows in (then.rows, now.rows))
        assert {column: kinds & new.get(column, set()) for column, kinds in old.items()} == old


def _types(rows: Iterable[Mapping[str, Any]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in rows:
        for column, value in row.items():
            found.setdefault(column, set()).add(type(value).__name__)
    return found


async def test_todays_forms_are_on_file() -> None:
    """Else the next version is not tested with them: see `versions.story`."""
    filed, (_, now) = Left.read(FORMS[-1]), await left()
    assert _shape(now) == _shape(filed)


def _shape(found: Left) -> dict[str, set[str]]:
    shape = {f"message {body['type']}": set(body) for body in found.queue}
    for name, document in found.store.items():
        part = name if name.count("/") < 2 else name.split("/")[2]
        kind = part if part in ("undone", "sweeps/current") else part.partition("/")[0]
        fixed = isinstance(document, dict) and kind != "undone"
        shape[f"document {kind}"] = set(document) if fixed else set()
    return shape | {f"row {row['Table']}": set(row) for row in found.rows}
