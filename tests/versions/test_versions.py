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
from unit.build import NOW, REGISTRY, WORKSPACE, assigned, guid
from versions import before
from versions.story import ASKED_FOR, C1, C2, PASSED, Left, left, tenant

from shared.access.terms import Caps
from shared.ports import Stored
from shared.state.approvals import Approvals

FORMS = sorted((Path(__file__).parent / "forms").iterdir(), key=lambda folder: int(folder.name))
KINDS = {"dependency", "reconcile", "record", "resync", "shard", "sweep"}
every_version = pytest.mark.parametrize("folder", FORMS, ids=lambda folder: str(folder.name))


def _upgraded(folder: Path, *, granted: bool = True, **policy: Any) -> tuple[App, Left]:
    """The tenant, and this version on what the other left."""
    found, one = Left.read(folder), tenant(**policy)
    one.azure.advance(PASSED)
    one.azure.logged = True
    holders = {each.id: each for each in (C1, C2)}
    for each in found.grants if granted else ():
        made = assigned(holders[each["principal"]], "AcrPull", REGISTRY)
        one.azure.assignments.append(replace(made, id=each["id"], created_on=NOW, description=each["description"]))
    one.azure.journal += [(row["Table"], row) for row in found.rows]
    one.store.documents = {name: Stored(_bytes(document), name) for name, document in found.store.items()}
    return one, found


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
