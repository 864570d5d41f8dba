"""What goes wrong at the seam, as it is armed: failures and deaths at a call of a kind, before or after its effect.

Several processes of amlguard may run at once. A death takes the one whose call it is, and no other.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum

from troubles import Crashed, Troubles

from shared.memory import Memory
from shared.ports import (
    AuditFailedError,
    AzureFailureError,
    ConflictError,
    NotYetError,
    ReadFailedError,
    WriteRefusedError,
)

KINDS = ("read", "write", "audit", "queue", "store")


class At(StrEnum):
    """Before a request is sent, after its effect, after its answer."""

    SENT = "before it is sent"
    EFFECT = "after its effect"
    ANSWER = "after its answer"


class UnheardOf(RuntimeError):  # noqa: N818 - what no code expects is no error of ours
    """An exception that nobody thought of."""


@dataclass
class Process:
    """One instance of the app, or a command on somebody's desk."""

    name: str
    memory: Memory = field(default_factory=Memory)
    dead: bool = False

    def restart(self) -> None:
        """A new process remembers nothing."""
        if self.dead:
            self.memory, self.dead = Memory(), False


_RUNNING: ContextVar[Process | None] = ContextVar("running", default=None)


@contextmanager
def running(process: Process) -> Iterator[None]:
    token = _RUNNING.set(process)
    try:
        yield
    finally:
        _RUNNING.reset(token)


@dataclass
class Fault:
    """Strikes the `nth` call of its kind from when it is armed (0 is the next), `times` in a row.

    `error` is a name of `ERRORS`. `change` happens to the tenant, with or without an error.
    """

    kind: str
    nth: int = 0
    error: str = ""
    at: At = At.SENT
    times: int = 1
    dies: bool = False
    change: Callable[[], object] | None = None

    @property
    def name(self) -> str:
        what = "death" if self.dies else self.error or "change"
        return f"{self.kind}: {what} {self.at}"

    def strikes(self, kind: str) -> bool:
        if kind != self.kind or self.times <= 0:
            return False
        self.nth -= 1
        if self.nth >= 0:
            return False
        self.times -= 1
        return True


def _fails(kind: str) -> AzureFailureError:
    what = ("ServiceUnavailable", "Azure answered 503")
    match kind:
        case "read":
            return ReadFailedError("read", *what)
        case "audit":
            return AuditFailedError("record", *what)
        case "write":
            return NotYetError("write", *what)
        case _:
            return AzureFailureError(kind, *what)


ERRORS: dict[str, Callable[[str], Exception]] = {
    "fails": _fails,
    "forbidden": lambda _: ReadFailedError("read", "AuthorizationFailed", "Azure answered 403", forbidden=True),
    "unreadable": lambda _: ReadFailedError("read", "InvalidAnswer", "Azure's answer was no JSON object"),
    "refused": lambda _: WriteRefusedError("write", "Conflict", "Azure answered 409"),
    "conflict": lambda kind: ConflictError(kind, "Conflict", "another instance changed it meanwhile"),
    "unheard of": lambda _: UnheardOf("no code expects this"),
}


@dataclass
class Weather(Troubles):
    """`armed` faults strike once each; `struck` counts by name what did, and `calls` what was asked."""

    armed: list[Fault] = field(default_factory=list)
    struck: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    deaths: Counter[str] = field(default_factory=Counter)

    def heal(self) -> None:
        super().heal()
        self.armed.clear()

    async def around[T](self, kind: str, effect: Callable[[], T]) -> T:
        await asyncio.sleep(0)
        process = _RUNNING.get()
        if process and process.dead:
            raise Crashed
        self.calls[kind] += 1
        if kind in self.down:
            self.struck[f"{kind}: down"] += 1
            raise _fails(kind)
        fault = next((one for one in self.armed if one.strikes(kind)), None)
        if fault is None:
            return effect()
        if not fault.dies:
            self.struck[fault.name] += 1
        if fault.at is At.SENT:
            self._befalls(fault, kind, process)
            return effect()
        result = effect()
        self._befalls(fault, kind, process)
        return result

    def _befalls(self, fault: Fault, kind: str, process: Process | None) -> None:
        if fault.change:
            fault.change()
        if fault.dies and process:
            process.dead = True
            self.deaths[fault.name] += 1
            if fault.at is not At.ANSWER:
                raise Crashed
        if fault.error:
            raise ERRORS[fault.error](kind)
