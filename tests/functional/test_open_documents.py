"""Documents of open runs: each is found as it was written, by its own run, and only if it is amlguard's."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from fake_store import FakeStore
from troubles import Troubles
from unit.build import NOW, REGISTRY, WORKSPACE, guid, sai

from shared.access.actions import Grant
from shared.access.intents import OPEN_AFTER
from shared.access.needs import PULL
from shared.access.terms import RunMode
from shared.audit_rows import Outcome, Phase, Run, remediation
from shared.ports import ConflictError, Stored
from shared.state.open_runs import OpenRun, OpenRuns

GRANT = Grant(sai("cpu1"), PULL, REGISTRY, WORKSPACE.child("computes", "cpu1"), "compute-pull", (), "why", "source")
MINE, OTHER = Run(RunMode.ENFORCE), Run(RunMode.ENFORCE)


def _row(phase: Phase = Phase.PLANNED, run: Run = MINE) -> dict[str, Any]:
    return remediation(run, Outcome(GRANT, phase, "why")) | {"TimeGenerated": NOW.isoformat()}


def _begun(run: Run = MINE, *outcomes: dict[str, Any]) -> OpenRun:
    return OpenRun(run.id, NOW, (_row(run=run),), outcomes)


def _documents() -> OpenRuns:
    return OpenRuns(FakeStore(Troubles()))


async def test_a_document_is_found_as_it_was_written() -> None:
    """What is kept in memory is what another instance reads."""
    documents = _documents()
    kept = await documents.begin(_begun())
    assert await documents.all() == [kept]
    assert kept.run == _begun()
    again = await documents.replace(kept, _begun(MINE, _row(Phase.APPLIED)))
    assert again.name == kept.name
    assert await documents.all() == [again]
    assert [row["Outcome"] for row in again.run.outcomes] == ["Applied"]


async def test_a_run_has_a_document_for_each_of_its_workspaces_and_none_of_another_run() -> None:
    documents = _documents()
    mine = [await documents.begin(_begun()) for _ in range(2)]
    other = await documents.begin(_begun(OTHER))
    assert {one.name for one in await documents.all(MINE.id)} == {one.name for one in mine}
    assert await documents.all(OTHER.id) == [other]
    assert len(await documents.all()) == 3
    await documents.end(mine[0])
    assert [one.name for one in await documents.all(MINE.id)] == [mine[1].name]


async def test_what_another_instance_changed_meanwhile_is_not_written_over() -> None:
    documents = _documents()
    kept = await documents.begin(_begun())
    newer = await documents.replace(kept, _begun(MINE, _row(Phase.APPLIED)))
    with pytest.raises(ConflictError):
        await documents.replace(kept, _begun())
    assert await documents.all() == [newer]


@pytest.mark.parametrize(
    "odd",
    [
        {"run": "no guid"},
        {"intents": ["no row"]},
        {"intents": [{}]},
        {"intents": [_row() | {"Action": "Wait"}]},
        {"intents": [_row() | {"RoleAssignmentId": "no id"}]},
        {"intents": [_row() | {"Outcome": "Guessed"}]},
        {"intents": [{name: value for name, value in _row().items() if name != "Outcome"}]},
        {"outcomes": [{}]},
        {"outcomes": [_row(Phase.APPLIED) | {"Action": "Wait"}]},
        {"outcomes": [_row(Phase.APPLIED) | {"Outcome": "Guessed"}]},
        {"began": "2026-11-02T12:00:00"},
    ],
    ids=[
        "a run without an id",
        "an intent that is no row",
        "an empty intent",
        "an intent of another kind",
        "an intent at no place",
        "an intent with no word of ours",
        "an intent without a word",
        "an empty outcome",
        "an outcome of another kind",
        "an outcome with no word of ours",
        "a time without a zone",
    ],
)
async def test_a_document_that_amlguard_did_not_write_hides_no_other(odd: dict[str, Any]) -> None:
    """Whatever it says, nobody acts on it: the log shows that run, too."""
    documents = _documents()
    kept = await documents.begin(_begun())
    body = msgspec.json.decode(msgspec.json.encode(_begun(OTHER)))
    store = documents.store
    await store.write(f"open/{OTHER.id}/{guid('right')}", msgspec.json.encode(body), None)
    await store.write(f"open/{OTHER.id}/{guid('odd')}", msgspec.json.encode(body | odd), None)
    await store.write(f"open/{OTHER.id}/{guid('torn')}", msgspec.json.encode(body)[:-1], None)
    found = await documents.all()
    assert kept in found
    assert {one.name for one in found} == {kept.name, f"open/{OTHER.id}/{guid('right')}"}


async def test_a_document_that_goes_while_they_are_read_is_none() -> None:
    class _Going(FakeStore):
        async def read(self, name: str) -> Stored | None:
            self.documents.clear()
            return await super().read(name)

    documents = OpenRuns(_Going(Troubles()))
    await documents.begin(_begun())
    assert await documents.all() == []


def test_a_run_is_over_when_nobody_will_still_write_its_outcome() -> None:
    one, moment = _begun(), timedelta(microseconds=1)
    assert not one.is_over(NOW + OPEN_AFTER - moment)
    assert one.is_over(NOW + OPEN_AFTER)
    assert one.is_over(NOW - OPEN_AFTER)  # by a clock that was wrong
    assert not one.is_ripe(NOW)
    assert one.is_ripe(NOW + OPEN_AFTER)


def test_what_is_known_can_be_recorded_at_once() -> None:
    one = _begun(MINE, _row(Phase.APPLIED))
    assert one.is_ripe(NOW)
    assert not one.is_over(NOW)
