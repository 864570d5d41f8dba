"""amlguard over the fakes: the real handlers and reconciler on a little Azure."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import raw
from fake_store import FakeStore
from fakes import FakeAuditLog, FakeAzure, FakeQueue
from troubles import Crashed, Troubles
from unit.build import WORKSPACE, sai, terms

from handlers import sweep, work_queue
from handlers.look import look_now
from handlers.runtime import Runtime
from shared.access.scope import Scope
from shared.access.terms import Terms
from shared.audit_rows import Run
from shared.memory import Memory
from shared.messages import Trigger, Work, decode
from shared.ports import AzureFailureError, Topic
from shared.progress import Look, Result

C1, C2 = sai("mlw/computes/cpu1"), sai("mlw/computes/cpu2")
SETTLE = timedelta(minutes=15)
WITHOUT_SETTLING: dict[str, Any] = {"settle": timedelta()}
_MOST_TRIES = 5


@dataclass
class App:
    """One tenant, one policy, one process at a time; `poison` are messages that were given up."""

    terms: Terms = field(default_factory=terms)
    azure: FakeAzure = field(default_factory=FakeAzure)
    memory: Memory = field(default_factory=Memory)
    poison: list[bytes] = field(default_factory=list)
    stopped: bool = False
    topic: Topic | None = None

    def __post_init__(self) -> None:
        self.audit = FakeAuditLog(self.azure)
        self.queue = FakeQueue(self.azure, self.azure.troubles, poison=self.poison)
        self.store = FakeStore(self.azure.troubles)

    @property
    def troubles(self) -> Troubles:
        return self.azure.troubles

    @property
    def services(self) -> Runtime:
        log: Any = self.audit  # the fake log answers as its reader
        return Runtime(
            self.azure,
            log,
            log,
            self.queue,
            self.store,
            self.terms,
            "",
            20,
            self.memory,
            stopped=self.stopped,
            pause=self._pause,
            topic=self.topic,
        )

    async def _pause(self, seconds: float) -> None:
        self.azure.advance(timedelta(seconds=seconds))

    async def run(self, workspace: Scope = WORKSPACE, *, deadline: float | None = None, attempt: int = 0) -> Result:
        reconciler = self.services.reconciler
        return await reconciler.run(workspace, Run(self.terms.mode), Look(deadline, attempt))

    async def event(self, workspace: Scope) -> bool:
        """One delivery; False when it failed and Event Grid would try again."""
        try:
            await look_now([workspace], self.services, Trigger())
        except AzureFailureError:
            return False
        except Crashed:
            self.restart()
            return False
        return True

    async def sweep(self) -> bool:
        try:
            await sweep.handle(self.services)
        except AzureFailureError:
            return False
        except Crashed:
            self.restart()
            return False
        return True

    async def work(self) -> bool:
        """Takes one message that is due; False when there is none."""
        message = self.queue.take()
        if message is None:
            return False
        try:
            await work_queue.handle(message.body, self.services, message.tries + 1)
        except (AzureFailureError, Crashed):
            self.restart()
            if message.tries + 1 < _MOST_TRIES:
                self.queue.put_back(message)
            else:
                self.poison.append(message.body)
        return True

    def restart(self) -> None:
        """A new process remembers nothing."""
        if self.troubles.dead:
            self.troubles.restart()
            self.memory = Memory()

    async def settle(self, *, hours: float = 2) -> None:
        """Lets time pass, and the queue work, until nothing waits any more or the time is over."""
        until = self.azure.clock + timedelta(hours=hours)
        while self.queue.messages and self.azure.clock <= until:
            while await self.work():
                pass
            self.azure.advance(timedelta(minutes=1))


def app(*raws: raw.Raw, **policy: Any) -> App:
    """A workspace, its registry with the admin user on, storage and vault; and what else is given."""
    one = App(terms(**policy))
    one.azure.have(raw.workspace(sai("mlw")), raw.registry(), raw.storage(), raw.vault(), *raws)
    return one


def outcomes(one: App) -> list[tuple[str, str]]:
    return [(row["Action"], row["Outcome"]) for row in one.audit.rows()]


def waiting(one: App) -> list[Work]:
    return [decode(message.body) for message in one.queue.messages]
