"""Sweeps as all instances see them: one at a time, in shards, with an end and a progress that people can see.

sweeps/current            the sweep that began last
sweeps/ID/started         that this is on record
sweeps/ID/shards          which workspaces are in which shard
sweeps/ID/found           how much it found
sweeps/ID/done/N          the result of shard N: it is done once, however often its message comes
sweeps/ID/ended           the summary
"""

import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from shared.audit_rows import SWEEPS, sweep_row
from shared.ports import AuditLog, ConflictError, Store
from shared.state.sweep_documents import Begun, Found, Summary, Tally, known

_ROOT = "sweeps/"
_CURRENT = f"{_ROOT}current"
# A sweep that takes longer has lost a message. The next one, six hours later, must not wait for it.
_STALE = timedelta(hours=5)
# Nor must it wait for a sweep of which no shard was done for so long: its messages, or the processes that had them, are
# gone. A shard has five tries of at most ten minutes, and other shards are done meanwhile.
_SILENT = timedelta(minutes=30)
_KEPT = 8

type Shards = Sequence[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Sweeps:
    """Raises `AzureFailureError` if the store or the audit log fails. `tell` hears of the end of a sweep."""

    store: Store
    audit: AuditLog | None
    tell: Callable[[Summary], Awaitable[None]] | None = None

    async def begin(self, sweep: str, now: datetime, mode: str) -> bool:
        """Records the beginning once, however often it is tried.

        False if another sweep is under way, or this one has ended.
        """
        begun, etag = await self._current()
        if await self.store.read(_name(sweep, "ended")):
            return False
        if begun is None or begun.id != sweep:
            if begun and await self._under_way(begun, now):
                return False
            if begun:
                await self._close(begun, now, again=True)
            begun = Begun(sweep, now, mode)
            await self.store.write(_CURRENT, msgspec.json.encode(begun), etag)
        await self._started(begun)
        return True

    async def _under_way(self, begun: Begun, now: datetime) -> bool:
        """The instance that did the last shard may have failed to record the end.

        One that began hours from now was begun by a clock that was wrong, and keeps nothing out.
        """
        if await self.store.read(_name(begun.id, "ended")):
            return False
        await self._end_if_done(begun.id, now, again=True)
        if abs(now - begun.started) >= _STALE or await self.store.read(_name(begun.id, "ended")):
            return False
        tally, _ = await self._so_far(begun.id)
        return abs(now - (tally.at or begun.started)) < _SILENT

    async def abandoned(self, sweep: str, now: datetime) -> Shards | None:
        """What is left of a sweep before `sweep` on which nobody works any more.

        Empty if it did not even find its workspaces.
        """
        begun, _ = await self._current()
        if begun is None or begun.id == sweep or await self._under_way(begun, now):
            return None
        if await self.store.read(_name(begun.id, "ended")):
            return None
        shards = await self._read(begun.id, "shards", list[tuple[str, ...]]) or []
        done = {name.rpartition("/")[2] for name in await self.store.names(_name(begun.id, "done/"))}
        return [some for number, some in enumerate(shards) if shard_number(number) not in done]

    async def _started(self, begun: Begun) -> None:
        if await self.store.read(_name(begun.id, "started")):
            return
        await self._record(Summary(begun.id, begun.started, begun.mode, "Started", 0, 0, 0, Tally(), 0))
        await self._once(_name(begun.id, "started"), begun)
        await self._forget_old()

    async def shards(self, sweep: str, found: Shards) -> Shards:
        """`found`, or what an earlier try found. If a number meant other workspaces now, some would be missed."""
        if await self._once(_name(sweep, "shards"), found):
            return found
        return await self._read(sweep, "shards", list[tuple[str, ...]]) or found

    async def lost(self, sweep: str, now: datetime) -> None:
        """The sweep ends as Incomplete, unless all its shards are on the queue: then they end it."""
        begun, _ = await self._current()
        if begun and begun.id == sweep and await self._found(sweep) is None:
            await self._close(begun, now, again=True)

    async def found(self, sweep: str, workspaces: int, shards: int, now: datetime, *, whole: bool = True) -> None:
        first = await self._once(_name(sweep, "found"), Found(workspaces, shards, whole))
        await self._end_if_done(sweep, now, again=not first)

    async def is_done(self, sweep: str, shard: str, now: datetime) -> bool:
        """Also ends the sweep, if the instance that did the last shard could not."""
        if await self.store.read(_name(sweep, f"done/{shard}")) is None:
            return False
        await self._end_if_done(sweep, now, again=True)
        return True

    async def done(self, sweep: str, shard: str, tally: Tally, now: datetime) -> None:
        await self._once(_name(sweep, f"done/{shard}"), msgspec.structs.replace(tally, at=now))
        found = await self._found(sweep)
        if found and await self._completes(sweep, shard, found.shards):
            await self._end_if_done(sweep, now)

    async def _completes(self, sweep: str, shard: str, shards: int) -> bool:
        """Whether all of its ten are done, then all of its hundred, and so on.

        Listing all of them for each shard would take longer and longer.
        """
        for block, expected in _blocks(shard, shards):
            if len(await self.store.names(_name(sweep, f"done/{block}"))) < expected:
                return False
        return True

    async def listed(self, now: datetime) -> Sequence[Summary]:
        """The newest first."""
        ids = {name.split("/")[1] for name in await self.store.names(_ROOT) if name.count("/") > 1}
        current, _ = await self._current()
        ids |= {current.id} if current else set()
        found = []
        for one in sorted(ids, reverse=True):
            ended = await self._read(one, "ended", Summary)
            if ended:
                found.append(ended)
            elif current and one == current.id:
                found.append(await self._summary(current, now, "Started"))
        return found

    async def _end_if_done(self, sweep: str, now: datetime, *, again: bool = False) -> None:
        begun, _ = await self._current()
        found = await self._found(sweep)
        if begun is None or begun.id != sweep or found is None:
            return
        if len(await self.store.names(_name(sweep, "done/"))) >= found.shards:
            await self._close(begun, now, again=again)

    async def _close(self, begun: Begun, now: datetime, *, again: bool = False) -> None:
        """Two instances may do the last shards at once, and only one records the end.

        `again`: the one that began to may have died.
        """
        if await self.store.read(_name(begun.id, "ended")):
            return
        if not await self._once(_name(begun.id, "ending"), begun) and not again:
            return
        so_far = await self._summary(begun, now, "Completed")
        found = await self._found(begun.id)
        whole = found is not None and found.whole and so_far.done >= found.shards and not so_far.tally.failed
        summary = so_far if whole else msgspec.structs.replace(so_far, outcome="Incomplete")
        await self._record(summary)
        if self.tell:  # first, because nobody would tell of a sweep that has ended; the same event may come twice
            await self.tell(summary)
        await self._once(_name(begun.id, "ended"), summary)

    async def _summary(self, begun: Begun, now: datetime, outcome: str) -> Summary:
        found = await self._found(begun.id)
        tally, done = await self._so_far(begun.id)
        passed = int((now - begun.started).total_seconds() * 1000)
        shards, workspaces = (found.shards, found.workspaces) if found else (0, 0)
        return Summary(begun.id, begun.started, begun.mode, outcome, shards, done, workspaces, tally, passed)

    async def _so_far(self, sweep: str) -> tuple[Tally, int]:
        """What is done so far, with the number of finished shards."""
        tally, done = Tally(), 0
        for name in await self.store.names(_name(sweep, "done/")):
            tally += await self._read(sweep, f"done/{name.rpartition('/')[2]}", Tally) or Tally()
            done += 1
        return tally, done

    async def _current(self) -> tuple[Begun | None, str | None]:
        """The document and its ETag."""
        stored = await self.store.read(_CURRENT)
        return (known(_CURRENT, stored.data, Begun), stored.etag) if stored else (None, None)

    async def _found(self, sweep: str) -> Found | None:
        return await self._read(sweep, "found", Found)

    async def _read[T](self, sweep: str, part: str, kind: type[T]) -> T | None:
        stored = await self.store.read(_name(sweep, part))
        return known(part, stored.data, kind) if stored else None

    async def _once(self, name: str, document: Any) -> bool:
        """False if it was recorded already."""
        try:
            await self.store.write(name, msgspec.json.encode(document), None)
        except ConflictError:
            return False
        return True

    async def _record(self, summary: Summary) -> None:
        if self.audit:
            tally = summary.tally
            row = sweep_row(
                summary.id,
                summary.outcome,
                summary.mode,
                workspaces=summary.found,
                shards=summary.shards,
                failed=tally.failed,
                changes=tally.changes,
                findings=tally.findings,
                duration_ms=summary.duration_ms,
            )
            await self.audit.record(SWEEPS, [row])

    async def _forget_old(self) -> None:
        names = [name for name in await self.store.names(_ROOT) if name != _CURRENT]
        ids = sorted({name.split("/")[1] for name in names})
        for name in names:
            if name.split("/")[1] in ids[:-_KEPT]:
                await self.store.delete(name)


def new_sweep(now: datetime) -> str:
    """A new id. Ids sort in the order in which their sweeps began."""
    return f"{now:%Y-%m-%dT%H-%M-%S}-{uuid.uuid4().hex[:6]}"


def shard_number(number: int) -> str:
    """A shard's number as messages and documents write it."""
    return f"{number:05}"


def _blocks(shard: str, shards: int) -> Iterator[tuple[str, int]]:
    """How the numbers of its ten, its hundred and so on begin, and how many of `shards` these are. Not all shards."""
    for digits in range(1, len(shard)):
        size, block = 10**digits, shard[:-digits]
        if size >= shards or not block.isdecimal():
            return
        yield block, min(size, shards - int(block) * size)


def _name(sweep: str, part: str) -> str:
    return f"{_ROOT}{sweep}/{part}"
