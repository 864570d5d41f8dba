"""`amlguard status`: what fails and since when, what waits, what was given up, what is open, and the sweeps."""

import os
from collections import Counter
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from handlers.cli.console import counted
from handlers.cli.formats.names import in_short, utc
from handlers.cli.formats.screen import Block, Line, Piece, Screen
from handlers.cli.sweeps import sweeps_blocks, sweeps_document
from handlers.runtime import Runtime, connected
from shared.access.intents import workspaces_of
from shared.access.plan_json import Document
from shared.messages import MalformedWorkError, decode
from shared.ports import AzureFailureError, GivenUp
from shared.state.approvals import Approvals
from shared.state.failing import Failure, Failures
from shared.state.open_runs import OpenRun, OpenRuns
from shared.state.sweep_documents import Summary
from shared.state.sweep_progress import Sweeps
from shared.writing.leftovers import open_in_log

_WRONG: Piece = ("✗ ", "bold red")
_OPEN: Piece = ("! ", "magenta")


@dataclass(slots=True)
class Status:
    """As of `now`. `errors` say what could not be found out. `open_in_log` is None where nobody can read the log."""

    now: datetime
    failing: Sequence[Failure] = ()
    sweeps: Sequence[Summary] = ()
    waiting: int | None = None
    approvals: int = 0
    given_up: Sequence[GivenUp] = ()
    runs: Sequence[OpenRun] = ()
    open_in_log: int | None = None
    errors: list[str] = field(default_factory=list)

    @property
    def open_runs(self) -> list[OpenRun]:
        """The others are under way."""
        return [one for one in self.runs if one.is_ripe(self.now)]

    @property
    def exit_code(self) -> int:
        if self.errors:
            return 1
        return 2 if self.failing or self.given_up or self.open_runs or self.open_in_log else 0

    def document(self) -> Document:
        return {
            "failing": [
                {"dependency": one.dependency, "since": _iso(one.since), "last": _iso(one.last), "reason": one.said}
                for one in self.failing
            ],
            "waiting": {"messages": self.waiting, "approvals": self.approvals},
            "givenUp": [{"kind": _kind(one), "at": _iso(one.at)} for one in self.given_up],
            "open": [
                {
                    "run": one.run,
                    "since": _iso(one.began),
                    "intents": len(one.intents),
                    "outcomesNotOnRecord": len(one.outcomes),
                    "workspaces": sorted(map(str, workspaces_of((*one.intents, *one.outcomes)))),
                }
                for one in self.open_runs
            ],
            "openInLog": self.open_in_log,
            "underWay": len(self.runs) - len(self.open_runs),
            "sweeps": sweeps_document(self.sweeps),
            "errors": self.errors,
        }

    def text(self, screen: Screen) -> str:
        return screen.text(self._blocks())

    def _blocks(self) -> Iterator[Block]:
        for each in self.failing:
            said = f"{each.dependency} fails since {utc(each.since)}, last at {utc(each.last)}: {each.said}"
            yield Line((_WRONG, in_short(said)))
        if not self.failing:
            yield Line(("nothing has failed in the last hour",))
        if self.waiting is not None:
            waiting = counted(self.waiting, "message")
            yield Line((f"{waiting} on the queue, {counted(self.approvals, 'workspace')} waiting for approval",))
        yield from (Line((_OPEN, said)) for said in self._left())
        yield from (Line((_WRONG, f"error: {one}")) for one in self.errors)
        yield Line()
        yield from sweeps_blocks(self.sweeps)

    def _left(self) -> Iterator[str]:
        """What was given up, and what is open."""
        for kind, number in Counter(map(_kind, self.given_up)).items():
            first = min(one.at for one in self.given_up if _kind(one) == kind)
            yield f"given up: {number} of kind {kind}, the first at {utc(first)} (docs/runbooks/poison-work.md)"
        for one in self.open_runs:
            much = f"{counted(len(one.intents), 'intent')} open, {counted(len(one.outcomes), 'outcome')} not on record"
            yield f"run {one.run} of {utc(one.began)}: {much}; the next sweep sees to it"
        if self.open_in_log:
            yield f"the audit log shows {counted(self.open_in_log, 'intent')} without an outcome"


def _kind(one: GivenUp) -> str:
    try:
        return type(decode(one.message)).__name__.casefold()
    except MalformedWorkError:
        return "unknown"


async def status(policy_file: Path | None) -> Status:
    """Raises `AzureFailureError` only if nobody can sign in, or without a storage account."""
    async with connected(os.environ, policy_file, by_policy=False) as services:
        return await found(services)


async def found(services: Runtime) -> Status:
    """What cannot be found out does not keep back the rest: it is what people want to know."""
    if services.store is None:
        name = "AzureWebJobsStorage or AzureWebJobsStorage__blobServiceUri"
        raise AzureFailureError("status", "NoStore", f"the app's storage account tells: set {name}")
    told = Status(datetime.now(UTC))
    told.failing = await _or(Failures(services.store).all(told.now), (), told)
    told.sweeps = await _or(Sweeps(services.store, None).listed(told.now), (), told)
    told.approvals = len(await _or(Approvals(services.store).waiting(told.now), (), told))
    told.runs = [one.run for one in await _or(OpenRuns(services.store).all(), (), told)]
    logged = await _or(open_in_log(services.azure), None, told)
    told.open_in_log = None if logged is None else len(logged)
    if services.queue:
        told.waiting = await _or(services.queue.length(), None, told)
        told.given_up = await _or(services.queue.given_up(), (), told)
    return told


async def _or[T, S](reading: Awaitable[T], otherwise: S, told: Status) -> T | S:
    try:
        return await reading
    except AzureFailureError as error:
        told.errors.append(str(error))
        return otherwise


def _iso(moment: datetime) -> str:
    return moment.isoformat()
