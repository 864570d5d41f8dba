"""A process believes its cloud, its identity and its settings for half a day, and what it remembers stays."""

from dataclasses import replace
from typing import Any

import pytest
from app import app

from handlers.runtime import BELIEVED_SECONDS, Kept, Runtime
from shared.ports import ReadFailedError


class _Opened:
    def __init__(self) -> None:
        self.closed = False

    async def __aexit__(self, *_: object) -> None:
        self.closed = True
        raise OSError("it does not close")


class _Process:
    def __init__(self) -> None:
        self.clock, self.down, self.tries = 0.0, False, 0
        self.failure: Exception = OSError("no network")
        self.made: list[_Opened] = []
        self.kept = Kept(self.connect, lambda: self.clock)

    async def connect(self) -> Runtime:
        self.tries += 1
        if self.down:
            raise self.failure
        self.made.append(_Opened())

        opened: Any = (self.made[-1],)
        return replace(app().services, opened=opened)


async def test_it_is_made_anew_in_time_and_remembers_what_it_did() -> None:
    one = _Process()
    first = await one.kept.get()
    one.clock = BELIEVED_SECONDS - 1
    assert await one.kept.get() is first
    one.clock = BELIEVED_SECONDS
    second = await one.kept.get()
    assert second is not first
    assert second.memory is first.memory
    assert [each.closed for each in one.made] == [False, False]  # some may still work with the first
    one.clock = 2 * BELIEVED_SECONDS
    third = await one.kept.get()
    assert [each.closed for each in one.made] == [True, False, False]
    assert await one.kept.get() is third  # how the first one closed is nobody's business any more


async def test_a_failure_is_not_kept() -> None:
    one = _Process()
    one.down = True
    with pytest.raises(OSError, match="no network"):
        await one.kept.get()
    one.down = False
    assert await one.kept.get() is await one.kept.get()


async def test_while_azure_does_not_answer_the_old_one_goes_on_and_not_for_ever() -> None:
    one = _Process()
    first = await one.kept.get()
    one.failure, one.down = ReadFailedError("sign in", "ServiceUnavailable", "Azure answered 503"), True
    one.clock = BELIEVED_SECONDS
    assert await one.kept.get() is first
    assert one.tries == 2
    assert await one.kept.get() is first
    assert one.tries == 2, "nobody waits for the same failure again at once"
    one.clock += 600
    one.down = False
    assert await one.kept.get() is not first
    one.down = True
    one.clock += 2 * BELIEVED_SECONDS
    with pytest.raises(ReadFailedError):
        await one.kept.get()
