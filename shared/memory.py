"""What one process remembers between runs: it saves double work and decides nothing.

Other instances remember nothing of it, and need not: everything that is done twice is harmless (law 1).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from weakref import WeakValueDictionary

from shared.access.scope import Scope

_MOST_REMEMBERED = 10_000
_CLOSE = timedelta(seconds=30)


class Memory:
    def __init__(self) -> None:
        self._locks: WeakValueDictionary[Scope, asyncio.Lock] = WeakValueDictionary()
        self._wakes: dict[Scope, datetime] = {}

    @asynccontextmanager
    async def alone(self, scope: Scope) -> AsyncIterator[None]:
        """One at a time, for each scope: the second of two equal events finds the work done."""
        lock = self._locks.setdefault(scope, asyncio.Lock())
        async with lock:
            yield

    def wake_is_due(self, scope: Scope, at: datetime, now: datetime) -> bool:
        """Whether a look at `scope` is queued already for `at` or a little earlier."""
        known = self._wakes.get(scope)
        return known is not None and now < known <= at + _CLOSE

    def forget_wake(self, scope: Scope) -> None:
        """A queued look has come, perhaps a moment early by ARM's clock."""
        self._wakes.pop(scope, None)

    def remember_wake(self, scope: Scope, at: datetime) -> None:
        if len(self._wakes) >= _MOST_REMEMBERED:
            self._wakes.clear()
        self._wakes[scope] = at
