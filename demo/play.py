"""Plays the scenes, then shows the end and checks it."""

import time
from collections.abc import Sequence

from demo import ending, epilogue, finale, places
from demo.audit import AuditLog
from demo.checks import Check, checks
from demo.ending import Ending
from demo.expected import ADMIN_USERS
from demo.local_azure import Ready
from demo.names import Names
from demo.people import People
from demo.scenes import SCENES
from demo.screen import Heading, Screen
from demo.stage import Scene, Stage
from demo.story_clock import StoryClock
from demo.timeline import Timeline
from demo.world import Watch

_LEGEND = (
    "All that follows really happens. Times count from the event that starts a scene. What amlguard “will” do is the "
    "intent that its audit log has accepted. What it “has” done is the outcome. Both are read back from Log Analytics."
)

_UNDONE = "amlguard undo brought role assignments and registries back, byte for byte"
_BACK = Heading(
    len(SCENES) + 1,
    len(SCENES) + 1,
    "And back again",
    "The people who run amlguard take back everything that it did.",
    "Whoever gives away the right to assign roles wants a way back. Admin users come on again before grants go.",
)


async def play(screen: Screen, ready: Ready, started: float) -> bool:
    """True if the story ended as it must. `started` is in `time.monotonic()` seconds."""
    clock, names = StoryClock(), Names()
    async with People(ready, clock) as people, AuditLog(ready) as audit:
        app = await audit.own_object_id()
        stage = Stage(people, Watch(people, audit, app), Timeline(clock, names, app), screen, names, app)
        for identifier in (places.FORECAST, places.WEEKLY, places.HOURLY):
            names.learn(await people.get(identifier))
        screen.line(f"A local Azure, with amlguard running on it, is ready after {_seconds(started)}.", "bold")
        screen.line(_LEGEND, "dim")
        at_first = {known: found for known in ADMIN_USERS if (found := await people.find(known))}
        for number, scene in enumerate(SCENES, 1):
            screen.heading(Heading(number, len(SCENES) + 1, scene.title, scene.what, scene.why))
            await _play(stage, scene)
        end = await ending.read(stage, clock)
        _tell(screen, end)
        screen.heading(_BACK)
        results = [*checks(end), (_UNDONE, await finale.take_back(stage, ready, end, at_first))]
    return _close(screen, results, started)


async def _play(stage: Stage, scene: Scene) -> None:
    events, attempts = len(stage.world.event_ids()), len(stage.world.attempts)
    reads, writes = stage.world.reads(stage.app), len(stage.world.writes(stage.app))
    await scene.play(stage)
    events = len(stage.world.event_ids()) - events
    attempts = len(stage.world.attempts) - attempts
    reads, writes = stage.world.reads(stage.app) - reads, len(stage.world.writes(stage.app)) - writes
    again = f", {attempts - events} of them twice" if attempts > events else ""
    stage.screen.note(f"{events} events{again}; amlguard read {reads} times and made {_changes(writes)}.")


def _tell(screen: Screen, end: Ending) -> None:
    epilogue.holdings(screen, end)
    epilogue.settings(screen, end)
    screen.line()
    screen.line(epilogue.deliveries(end))
    screen.line(epilogue.speed(end))


def _close(screen: Screen, results: Sequence[Check], started: float) -> bool:
    screen.line()
    screen.line("Is it as it should be?", "bold")
    for title, differences in results:
        screen.check(title, differences)
    failed = sum(bool(differences) for _, differences in results)
    verdict = f"{failed} of {len(results)} checks failed" if failed else f"All {len(results)} checks hold"
    screen.line()
    screen.line(f"{verdict}. {_seconds(started)} in all.", "bold red" if failed else "bold green")
    return not failed


def _changes(count: int) -> str:
    return {0: "no change", 1: "1 change"}.get(count, f"{count} changes")


def _seconds(started: float) -> str:
    return f"{time.monotonic() - started:.1f} s"
