"""A tenant with amlguard on it: instances that share a queue, a store and a log, and people with commands.

Azure is the fakes', and it notes at each write what must never be (`invariants`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from app import App
from event_grid import event
from fakes import FakeAzure, Message
from reliability.weather import Process, Weather, running
from troubles import Crashed

from handlers import resource_changed, sweep, work_queue
from handlers.runtime import Runtime
from shared.access.scope import Scope
from shared.access.terms import RunMode, Terms
from shared.audit_rows import Run
from shared.instructions import Instructions
from shared.messages import Reconcile, Trigger, encode
from shared.ports import AzureFailureError
from shared.reconcile import Reconciler
from shared.state.approvals import Approvals
from shared.undo import Undo
from shared.writing.journal import Journal

MOST_TRIES = 5
"""host.json: maxDequeueCount."""
_AGAIN = timedelta(seconds=30)
_LEASE = timedelta(minutes=10)
PERSON = "5a0f3c1e-0000-4000-8000-00000000000b"

type Work = Callable[[Runtime], Awaitable[object]]


@dataclass
class World:
    """`told` are events that wait to be delivered; `runs` those that a person may undo."""

    app: App
    weather: Weather
    processes: Sequence[Process]
    told: list[Scope] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, azure: FakeAzure, terms: Terms, instances: int = 1) -> "World":
        weather = Weather()
        azure.troubles, azure.logged = weather, True
        return cls(App(terms, azure), weather, [Process(f"instance {number}") for number in range(instances)])

    @property
    def azure(self) -> FakeAzure:
        return self.app.azure

    def services(self, process: Process) -> Runtime:
        return replace(self.app.services, memory=process.memory)

    async def does(self, process: Process, work: Work) -> bool:
        """Whether it ended well. A process that died is another one by the next time."""
        process.restart()
        with running(process):
            try:
                await work(self.services(process))
            except AzureFailureError:
                return False
            except Crashed:
                return False
            except Exception as error:  # noqa: BLE001 - as the Functions host does
                self.unexpected.append(f"{type(error).__name__}: {error}")
                return False
        return not process.dead

    # The app

    async def delivery(self, process: Process, workspace: Scope) -> bool:
        """One of Event Grid; what fails is delivered again."""
        done = await self.does(process, lambda services: resource_changed.handle(event(str(workspace)), services))
        if not done:
            self.told.append(workspace)
        return done

    async def timer(self, process: Process) -> bool:
        return await self.does(process, sweep.handle)

    async def work(self, process: Process) -> bool:
        """Takes one message that is due; False when there is none."""
        message = self.app.queue.take()
        if message is None:
            return False
        await self._try(process, message)
        return True

    async def _try(self, process: Process, message: Message) -> None:
        tries = message.tries + 1
        done = await self.does(process, lambda services: work_queue.handle(message.body, services, tries))
        if done:
            return
        if tries >= MOST_TRIES:
            self.app.poison.append(message.body)
            return
        pause = _LEASE if process.dead else _AGAIN
        self.app.queue.put_back(replace(message, due=self.azure.clock + pause))

    # People with commands

    def at_a_desk(self, services: Runtime) -> Reconciler:
        """What `amlguard apply` works with: nothing is left to a queue."""
        return replace(services.reconciler, queue=None, instructions=Instructions(by_hand=True))

    async def apply(self, process: Process, workspace: Scope) -> bool:
        run = Run(RunMode.ENFORCE)
        return await self.does(process, lambda services: self.at_a_desk(services).run(workspace, run))

    async def approve(self, process: Process) -> bool:
        """Releases all that waits, as `amlguard approve RUN` does."""

        async def release(services: Runtime) -> None:
            assert services.store
            assert services.queue
            approvals = Approvals(services.store)
            for one in await approvals.waiting(services.azure.now()):
                await approvals.approve(one, PERSON, services.azure.now())
                await services.queue.put(encode(Reconcile((one.workspace,), Trigger())), timedelta())

        return await self.does(process, release)

    async def undo(self, process: Process, run: str) -> bool:
        async def take_back(services: Runtime) -> None:
            earlier = services.leftovers
            await earlier.settle(runs=[run])
            undoing = Undo(
                services.azure, Journal(services.audit), services.store, self.app.terms, written=earlier.written
            )
            await undoing.carry_out(
                await undoing.prepare([run]), Run(RunMode.ENFORCE, Trigger(caller_object_id=PERSON))
            )

        return await self.does(process, take_back)

    # Time

    async def work_off(self, *, hours: float = 1) -> None:
        """Lets the queue work, all instances at once, until nothing waits any more or the time is over."""
        until = self.azure.clock + timedelta(hours=hours)
        while self.app.queue.messages:
            due = min(each.due for each in self.app.queue.messages)
            if due > until:
                return
            if due > self.azure.clock:
                self.azure.advance(due - self.azure.clock)
            await asyncio.gather(*(self.work(process) for process in self.processes))

    async def redeliver(self) -> None:
        """Event Grid tries again what was not acknowledged."""
        for _ in range(30):
            waiting, self.told = self.told, []
            for workspace in waiting:
                await self.delivery(self.processes[0], workspace)
            if not self.told:
                return
            self.azure.advance(timedelta(minutes=1))

    async def calm(self, *, sweeps: int = 1) -> None:
        """Nothing goes wrong any more; what waited is tried again, and the timer fires."""
        self.weather.heal()
        await self.redeliver()
        await self.work_off(hours=2)
        for _ in range(sweeps):
            self.azure.advance(timedelta(hours=6))
            await self.timer(self.processes[0])
            await self.work_off(hours=2)

    def rows(self, *outcomes: str) -> list[Mapping[str, Any]]:
        return list(self.app.audit.rows(*outcomes))

    def run_ids(self) -> list[str]:
        """Runs that changed something, oldest first."""
        return list(dict.fromkeys(row["RunId"] for row in self.rows("Applied") if not row["Found"]))
