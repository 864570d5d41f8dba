"""What one process remembers between runs. It saves double work and decides nothing by itself.

Other instances do not know it and need not know it, because doing something twice is harmless (law 1).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from typing import Any
from weakref import WeakValueDictionary

from shared.access.asks import Finding
from shared.access.scope import Scope
from shared.ports import Stored

_MOST_REMEMBERED = 10_000
_NOTED_SECONDS = 60
_CLOSE = timedelta(seconds=30)

type _Subject = tuple[Scope, str]


class Memory:
    """`groups` are the subscriptions below management groups, and when they were read (`shared.scopes`)."""

    def __init__(self) -> None:
        self.groups: dict[Scope, tuple[float, frozenset[Scope]]] = {}
        self._locks: WeakValueDictionary[Scope, asyncio.Lock] = WeakValueDictionary()
        self._noted: dict[str, float] = {}
        self._wakes: dict[Scope, datetime] = {}
        self._documents: dict[str, Stored] = {}
        self._waiting: dict[Hashable, asyncio.Future[Any]] = {}
        self._going_on: set[asyncio.Future[Any]] = set()
        self._told: dict[_Subject, frozenset[Finding]] = {}
        self._told_on: date | None = None
        self._said: dict[Hashable, tuple[object, date]] = {}

    @asynccontextmanager
    async def exclusively(self, scope: Scope) -> AsyncIterator[None]:
        """One run at a time for each scope: the second of two equal events finds that the work is done."""
        lock = self._locks.setdefault(scope, asyncio.Lock())
        async with lock:
            yield

    async def shared[T](self, key: Hashable, work: Callable[[Callable[[], None]], Awaitable[T]]) -> T:
        """A caller that comes while equal work still waits for its turn gets the result of that work.

        `work` calls what it is given when its turn has come. A caller that comes later gets work of its own.
        """
        waiting = self._waiting.get(key)
        if waiting is None:

            def begin() -> None:
                if self._waiting.get(key) is waiting:
                    del self._waiting[key]

            self._waiting[key] = waiting = asyncio.ensure_future(work(begin))
            waiting.add_done_callback(lambda _: begin())
        answer: T = await asyncio.shield(waiting)
        return answer

    def keep(self, work: asyncio.Future[Any]) -> None:
        """For work that goes on although nobody waits for it any more. How it ends is on record, or on the queue."""
        self._going_on.add(work)
        work.add_done_callback(self._going_on.discard)
        work.add_done_callback(lambda ended: ended.cancelled() or ended.exception())

    async def ended(self) -> None:
        """Returns when nothing goes on any more."""
        while self._going_on:
            await asyncio.wait(self._going_on)

    def is_noted(self, failure: str) -> bool:
        """Whether this process said within the last minute that it fails; if not, it does now."""
        now = time.monotonic()
        known, self._noted[failure] = self._noted.get(failure), now
        return known is not None and now - known < _NOTED_SECONDS

    def wake_is_due(self, scope: Scope, at: datetime, now: datetime) -> bool:
        """Whether the queue already holds a look at `scope` for `at` or a little earlier."""
        known = self._wakes.get(scope)
        return known is not None and now < known <= at + _CLOSE

    def forget_wake(self, scope: Scope) -> None:
        """A queued look has arrived, perhaps a moment early by ARM's clock."""
        self._wakes.pop(scope, None)

    def remember_wake(self, scope: Scope, at: datetime) -> None:
        if len(self._wakes) >= _MOST_REMEMBERED:
            self._wakes.clear()
        self._wakes[scope] = at

    def news(self, found: Sequence[Finding], today: date) -> list[Finding]:
        """Those that this process did not record today as they are, by resource and rule."""
        if today != self._told_on:
            self._told, self._told_on = {}, today
        groups = _by_subject(found)
        return [one for one in found if self._told.get(_subject(one)) != groups[_subject(one)]]

    def remember_told(self, found: Sequence[Finding]) -> None:
        if len(self._told) >= _MOST_REMEMBERED:
            self._told.clear()
        self._told |= _by_subject(found)

    def is_untold(self, about: Hashable, said: object, today: date) -> bool:
        """Whether this process did not say the same of it today; if so, it does now."""
        if len(self._said) >= _MOST_REMEMBERED:
            self._said.clear()
        news = self._said.get(about) != (said, today)
        self._said[about] = said, today
        return news

    def recall(self, name: str) -> Stored | None:
        """The last version of a shared document that this process wrote.

        Only the ETag tells whether it is still the newest.
        """
        return self._documents.get(name)

    def remember(self, name: str, stored: Stored) -> None:
        folder = name.rpartition("/")[0]
        self._documents = {one: known for one, known in self._documents.items() if one.rpartition("/")[0] != folder}
        self._documents[name] = stored


def _subject(one: Finding) -> _Subject:
    return one.resource, one.rule


def _by_subject(found: Sequence[Finding]) -> Mapping[_Subject, frozenset[Finding]]:
    groups: dict[_Subject, set[Finding]] = {}
    for one in found:
        groups.setdefault(_subject(one), set()).add(one)
    return {subject: frozenset(ones) for subject, ones in groups.items()}
