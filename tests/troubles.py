"""What goes wrong between amlguard and Azure: failures before or after their effect, and sudden death."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from shared.ports import AuditFailedError, AzureFailureError, NotYetError, ReadFailedError


class Crashed(BaseException):
    """The process died: nothing of ours may catch it."""


@dataclass
class Troubles:
    """What goes wrong. Kinds: read, write, audit, queue, store.

    `down` fails every call of a kind. `after[kind] = n` lets n calls pass and fails the next one once; `too_late`
    makes that failure come after its effect, as a time-out does. `crash_in` kills the process at that call of any
    kind, and everything stays dead until `restart`.
    """

    down: set[str] = field(default_factory=set)
    after: dict[str, int] = field(default_factory=dict)
    too_late: bool = False
    crash_in: int | None = None
    dead: bool = False

    def heal(self) -> None:
        self.down.clear()
        self.after.clear()
        self.restart()

    def restart(self) -> None:
        self.crash_in, self.dead = None, False

    async def around[T](self, kind: str, effect: Callable[[], T]) -> T:
        await asyncio.sleep(0)
        dies, fails = self._dies(), self._fails(kind)
        early = not self.too_late
        if kind in self.down or (fails and early):
            raise _failure(kind)
        if dies and early:
            raise Crashed
        result = effect()
        if dies:
            raise Crashed
        if fails:
            raise _failure(kind)
        return result

    def _dies(self) -> bool:
        if self.dead:
            raise Crashed
        if self.crash_in is None:
            return False
        self.crash_in -= 1
        self.dead = self.crash_in < 0
        return self.dead

    def _fails(self, kind: str) -> bool:
        if kind not in self.after:
            return False
        self.after[kind] -= 1
        if self.after[kind] >= 0:
            return False
        del self.after[kind]
        return True


@dataclass
class Dies(Troubles):
    """Where it is `armed`, the process dies right after its first write."""

    armed: bool = False

    async def around[T](self, kind: str, effect: Callable[[], T]) -> T:
        result = await super().around(kind, effect)
        if kind == "write" and self.armed:
            self.armed, self.dead = False, True
        return result


def _failure(kind: str) -> AzureFailureError:
    match kind:
        case "read":
            return ReadFailedError("read", "ServiceUnavailable", "Azure answered 503")
        case "audit":
            return AuditFailedError("record", "ServiceUnavailable", "Azure answered 503")
        case "write":
            return NotYetError("write", "ServiceUnavailable", "Azure answered 503")
        case _:
            return AzureFailureError("put work on the queue", "ServiceUnavailable", "Azure answered 503")
