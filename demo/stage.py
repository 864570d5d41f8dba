"""Where a scene is played: people act, time passes, and the audience sees what follows."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from demo.names import Names
from demo.people import People
from demo.places import short
from demo.screen import Screen
from demo.timeline import Entry, Timeline
from demo.world import Watch, World

type Json = dict[str, Any]

_POLL_SECONDS = 0.05
_PATIENCE_SECONDS = 15
_SHORT_PATIENCE_SECONDS = 3  # Once something has failed to come, other things may fail, too.
_MILLISECOND = timedelta(milliseconds=1)
_HORIZON = timedelta(milliseconds=150)  # What is seen late must not appear before what happened earlier.


@dataclass(frozen=True, slots=True)
class Scene:
    title: str
    what: str
    why: str
    play: "Callable[[Stage], Awaitable[None]]"


@dataclass
class Stage:
    """`missed` is what should have been seen and was not. `repeats_wrote` is what a repeated event changed."""

    people: People
    watch: Watch
    timeline: Timeline
    screen: Screen
    names: Names
    app: str
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    missed: list[str] = field(default_factory=list)
    repeats_wrote: int | None = None
    swept_at: datetime | None = None

    @property
    def world(self) -> World:
        return self.watch.world

    async def prepare(self, resources: Mapping[str, Json]) -> None:
        """Creates resources, given by id, all at once. They are not shown one by one."""
        made = await asyncio.gather(*(self.people.put(identifier, body) for identifier, body in resources.items()))
        for resource in made:
            self.names.learn(resource)

    def act(self, text: str) -> None:
        """The milliseconds count from this moment."""
        self.since = datetime.now(UTC)
        self.tell("people", text)

    async def make(self, identifier: str, body: Json, text: str = "") -> Json:
        self.act(text or f"create {short(identifier)}")
        made = await self.people.put(identifier, body)
        self.names.learn(made)
        return made

    def tell(self, who: str, text: str) -> None:
        self.screen.entry(0, Entry(self.since, "", who, text))

    async def let_time_pass(self, by: timedelta) -> None:
        self.since = datetime.now(UTC)
        minutes = round(by.total_seconds() / 60)
        passed = "a minute passes" if minutes == 1 else f"{minutes} minutes pass"
        self.tell("clock", f"{passed}: the local Azure's clock is set forward")
        await self.people.let_time_pass(by)

    async def sweep(self) -> None:
        self.since = datetime.now(UTC)
        self.swept_at = self.since
        self.tell("clock", "amlguard's timer fires")
        await self.people.fire_sweep()

    async def see(self, what: str, happened: Callable[[World], bool] = lambda _: True) -> None:
        """Shows what happens until `happened` is true and nothing moves any more. Notes it if that does not come."""
        patience = _SHORT_PATIENCE_SECONDS if self.missed else _PATIENCE_SECONDS
        deadline = time.monotonic() + patience
        self.watch.start()
        with self.screen.waiting(f"waiting until {what}"):
            while True:
                world = await self.watch.look()
                came = happened(world)
                if came and self.watch.still:
                    break
                if time.monotonic() >= deadline:
                    self._miss(f"{what}: not seen within {patience} s" if not came else f"{what}: events did not end")
                    break
                self._show(datetime.now(UTC) - _HORIZON)
                await asyncio.sleep(_POLL_SECONDS)
        self._show(datetime.now(UTC))

    def _miss(self, what: str) -> None:
        self.missed.append(what)
        self.screen.note(f"! {what}", "bold red")

    def _show(self, until: datetime) -> None:
        for entry in self.timeline.fresh(self.world, self.since, until):
            self.screen.entry((entry.at - self.since) / _MILLISECOND, entry)
