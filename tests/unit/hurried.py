"""An event loop that never waits: its clock moves to whatever is next."""

import asyncio
from collections.abc import Coroutine
from typing import Any, NoReturn

_TICK = 1e-6  # whoever waits for less than the clock can tell would wait for ever
_PATIENCE = 60.0


class _Hurried(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        super().__init__()
        self._seconds = 0.0
        selector: Any = vars(self)["_selector"]
        select = selector.select

        def at_once(timeout: float | None = None) -> Any:
            if timeout is None:  # nothing is planned, so only another thread could go on
                return select(_PATIENCE) or _fail("everybody waits, and nobody for a time")
            self._seconds += timeout + _TICK
            return select(0)

        selector.select = at_once

    def time(self) -> float:
        return self._seconds

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as asyncio has it
        """Threads end in real time, so this loop's clock would be too quick for them."""
        del timeout
        await super().shutdown_default_executor()


def _fail(why: str) -> NoReturn:
    raise AssertionError(why)


def run(work: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=_Hurried) as runner:
        runner.run(work)


def seconds() -> float:
    """Since the loop began."""
    return asyncio.get_running_loop().time()
