"""A sweep ends with its last shard, whichever that is, and finding that out costs little however many there are."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import msgspec
import pytest
from fake_store import FakeStore
from hypothesis import given as drawn
from hypothesis import strategies as st
from reliability.on_record import given
from troubles import Crashed, Troubles

from shared.state.sweep_documents import Summary, Tally
from shared.state.sweep_progress import Sweeps, new_sweep

NOW = datetime(2026, 11, 21, tzinfo=UTC)


class _Counting(FakeStore):
    listed: int = 0

    async def names(self, prefix: str) -> Sequence[str]:
        found = await super().names(prefix)
        self.listed += len(found)
        return found


async def _begun(store: FakeStore) -> tuple[Sweeps, str]:
    sweeps = Sweeps(store, None)
    sweep = new_sweep(NOW)
    assert await sweeps.begin(sweep, NOW, "enforce")
    return sweeps, sweep


def _ended(store: FakeStore, sweep: str) -> Summary | None:
    stored = store.documents.get(f"sweeps/{sweep}/ended")
    return msgspec.json.decode(stored.data, type=Summary) if stored else None


@drawn(st.integers(1, 230), st.randoms(use_true_random=False))
def test_it_ends_with_the_last_shard_and_not_before(shards: int, random: Random) -> None:
    async def sweep() -> None:
        store = FakeStore(Troubles())
        sweeps, name = await _begun(store)
        await sweeps.found(name, shards * 50, shards, NOW)
        numbers = [f"{number:05}" for number in range(shards)]
        random.shuffle(numbers)
        for number in numbers:
            assert _ended(store, name) is None
            await sweeps.done(name, number, Tally(50), NOW)
        ended = _ended(store, name)
        assert ended
        assert (ended.outcome, ended.done, ended.tally.workspaces) == ("Completed", shards, shards * 50)

    asyncio.run(sweep())


@drawn(st.integers(1, 60), st.integers(0, 59), st.randoms(use_true_random=False))
def test_shards_that_are_done_before_all_are_counted_count(shards: int, early: int, random: Random) -> None:
    async def sweep() -> None:
        store = FakeStore(Troubles())
        sweeps, name = await _begun(store)
        numbers = [f"{number:05}" for number in range(shards)]
        random.shuffle(numbers)
        for number in numbers[:early]:
            await sweeps.done(name, number, Tally(), NOW)
        assert _ended(store, name) is None
        await sweeps.found(name, shards, shards, NOW)
        for number in numbers[early:]:
            assert _ended(store, name) is None
            await sweeps.done(name, number, Tally(), NOW)
        assert _ended(store, name)

    asyncio.run(sweep())


def test_what_is_listed_grows_with_the_shards_and_not_with_their_square() -> None:
    async def sweep() -> None:
        store = _Counting(Troubles())
        sweeps, name = await _begun(store)
        await sweeps.found(name, 2000, 1000, NOW)
        for number in range(1000):
            await sweeps.done(name, f"{number:05}", Tally(), NOW)
        assert _ended(store, name)
        assert store.listed < 20 * 1000

    asyncio.run(sweep())


@pytest.mark.parametrize(
    "begun", [NOW + timedelta(days=365), NOW - timedelta(hours=5)], ids=["by a wrong clock", "old"]
)
async def test_a_sweep_that_began_at_another_time_keeps_no_other_out(begun: datetime) -> None:
    store = FakeStore(Troubles())
    sweeps = Sweeps(store, None)
    given(await sweeps.begin("other", begun, "enforce"), "another sweep is under way")
    assert await sweeps.begin("next", NOW, "enforce")
    ended = _ended(store, "other")
    assert ended
    assert ended.outcome == "Incomplete"


async def test_clocks_of_instances_may_differ_by_a_little() -> None:
    store = FakeStore(Troubles())
    sweeps = Sweeps(store, None)
    given(await sweeps.begin("other", NOW + timedelta(minutes=2), "enforce"), "it is under way")
    assert not await sweeps.begin("next", NOW, "enforce")


async def test_one_whose_end_nobody_recorded_is_ended_by_the_next_and_keeps_it_not_out() -> None:
    store = FakeStore(Troubles())
    sweeps, name = await _begun(store)
    await sweeps.found(name, 50, 1, NOW)
    assert [(one.id, one.outcome) for one in await sweeps.listed(NOW)] == [(name, "Started")]
    await store.write(f"sweeps/{name}/done/00000", msgspec.json.encode(Tally(50, at=NOW)), None)
    given(_ended(store, name) is None, "the process died before it recorded the end")
    assert await sweeps.begin("next", NOW + timedelta(minutes=1), "enforce")
    ended = _ended(store, name)
    assert ended
    assert (ended.outcome, ended.tally.workspaces) == ("Completed", 50)


async def test_what_ends_is_told_although_the_process_dies_with_it() -> None:
    """Nobody would tell of a sweep that has ended."""

    class Dies(FakeStore):
        async def write(self, name: str, data: bytes, etag: str | None) -> str:
            written = await super().write(name, data, etag)
            if name.endswith("/ended"):
                raise Crashed
            return written

    told: list[Summary] = []

    async def tell(one: Summary) -> None:
        told.append(one)

    store = Dies(Troubles())
    sweeps = Sweeps(store, None, tell)
    await sweeps.begin("one", NOW, "enforce")
    with pytest.raises(Crashed):
        await sweeps.found("one", 0, 0, NOW)
    await Sweeps(store, None, tell).begin("two", NOW, "enforce")
    assert [one.id for one in told] == ["one"]


async def test_the_shards_are_those_that_the_first_try_found() -> None:
    sweeps, name = await _begun(FakeStore(Troubles()))
    assert await sweeps.shards(name, [("a", "b"), ("c",)]) == [("a", "b"), ("c",)]
    assert [*map(tuple, await sweeps.shards(name, [("b",), ("c",)]))] == [("a", "b"), ("c",)]
