"""`amlguard apply` reconciles workspaces for a person. However it ends, it says what was done and what was not."""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from handlers.cli.console import counted
from handlers.cli.desk import AT_ONCE, Keys, Where, at_a_desk, new_report, workspaces
from handlers.cli.interrupt import Heard, heeding
from handlers.cli.progress import Progress
from handlers.cli.recording import audit_log, finds_out, undo_command
from handlers.runtime import Runtime, connect, connected
from shared.access.actions import Plan
from shared.access.report import Report
from shared.access.scope import Scope
from shared.access.terms import RunMode
from shared.audit_file import AuditFile
from shared.audit_rows import Outcome, Phase, Run
from shared.ports import AuditFailedError, AzureFailureError
from shared.progress import Result
from shared.reconcile import Reconciler
from shared.stop import Stop, StoppedError

_MADE = "change made"


@dataclass(slots=True)
class Applied:
    """What `apply` did. `report` is the last plan, `results` has its actions with their outcomes.

    `made` are the outcomes as they came, including those of workspaces that failed later.
    """

    run: str
    audit_file: Path | None = None
    report: Report = field(default_factory=Report)
    results: list[Result] = field(default_factory=list)
    made: list[Outcome] = field(default_factory=list)
    heard: Heard = field(default_factory=Heard)

    @property
    def exit_code(self) -> int:
        if self.heard.number:
            return self.heard.exit_code
        outcomes = [outcome.phase for result in self.results for outcome in result.outcomes]
        if self.report.errors or Phase.FAILED in outcomes:
            return 1
        left = any(plan.withheld or plan.deferred for plan in self.report.plans)
        return 2 if left or Phase.DEFERRED in outcomes or Phase.WITHHELD in outcomes else 0

    @property
    def changed(self) -> bool:
        """Whether there is anything to undo. A change that Azure did not answer may have been made."""
        return any(_counts(one) for one in self.made)

    @property
    def undo(self) -> str:
        return undo_command([self.run], self.audit_file)

    def in_short(self) -> str:
        """What was done, what was not, and the next step."""
        counts = Counter({_MADE: 0})
        counts.update(_said(one) for one in self.made)
        counts["action withheld"] += sum(len(plan.withheld) for plan in self.report.plans)
        counts["action waiting"] += sum(len(plan.deferred) for plan in self.report.plans)
        counts["error"] += len(self.report.errors)
        told = ", ".join(counted(count, said) for said, count in counts.items() if count) or "nothing to do"
        back = f"; to take this back, run: {self.undo}" if self.changed else "; nothing was changed"
        return f"run {self.run}{' was stopped' if self.heard.number else ''}: {told}{back}{self._open()}"

    def _open(self) -> str:
        number = sum(one.unclear for one in self.made)
        return f"; {counted(number, 'change')} has no outcome on record yet: {finds_out()}" if number else ""

    def cut_off(self) -> str:
        made = sum(_counts(one) for one in self.made)
        return (
            f"run {self.run} was stopped at once: {counted(made, 'change')} made, and what was under way has no "
            f"outcome on record: {finds_out()}; to take all of it back, run: {self.undo}"
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """`only` and `again` are as in `Instructions`. `stop` is how the person ends the command."""

    only: Keys = None
    again: bool = False
    stop: Stop = field(default_factory=Stop)


def _counts(one: Outcome) -> bool:
    return one.unclear or (one.phase is Phase.APPLIED and not one.found)


def _said(one: Outcome) -> str:
    if one.unclear:
        return "change not told of yet"
    if one.phase is Phase.APPLIED:
        return _MADE if _counts(one) else "change found made already"
    return "change refused by Azure" if one.phase is Phase.FAILED else "change not made"


async def can_record(policy_file: Path | None, audit_file: Path | None) -> None:
    """Raises `AzureFailureError`, which says what to set, when `apply` could not record its changes."""
    async with connected(os.environ, policy_file) as services:
        await audit_log("apply", services, AuditFile(audit_file) if audit_file else None)


async def apply(
    where: Where,
    only: Keys = None,
    *,
    again: bool = False,
    audit_file: Path | None = None,
) -> Applied:
    """Raises `AzureFailureError` if nothing could begin. Everything that goes wrong later is in the result."""
    run, stop = Run(RunMode.ENFORCE), Stop()
    applied = Applied(run.id, audit_file)
    print(f"amlguard: run {run.id}", file=sys.stderr)
    with heeding(stop, applied.cut_off) as applied.heard:
        try:
            services = await stop.unless(connect(os.environ, policy_file=where.policy_file))
        except StoppedError:
            return applied
        try:
            services = await stop.unless(services.current(records=False))
            await carry_out(where, services, run, applied, Asked(only, again, stop))
        except StoppedError:
            return applied
        finally:
            if services.teller:
                await replace(services.teller, queue=None).by_hand(run.id, applied.results)
            await services.close()
    return applied


async def carry_out(where: Where, services: Runtime, run: Run, applied: Applied, asked: Asked) -> None:
    """Raises `AzureFailureError` if nothing could begin, and `StoppedError`."""
    applied.report = new_report(services, where)
    file = AuditFile(applied.audit_file) if applied.audit_file else None
    audit = await asked.stop.unless(audit_log("apply", services, file))
    watched = services.terms.scopes
    found = await asked.stop.unless(workspaces(where, services.scopes, watched, applied.report))
    desk = at_a_desk(services, asked.only)
    instructions = replace(desk.instructions, file=file, again=asked.again, stop=asked.stop)
    earlier = replace(services.leftovers, file=file)
    reconciler = replace(desk, audit=audit, instructions=instructions, leftovers=earlier)
    await _each(found, reconciler, run, applied, Progress(len(found), services.requests))
    if earlier.failed:
        print(f"amlguard: what earlier runs left open stays open: {earlier.failed}", file=sys.stderr)


async def _each(
    scopes: Sequence[Scope], reconciler: Reconciler, run: Run, applied: Applied, progress: Progress
) -> None:
    """A few at once. A workspace that fails is reported with what was done there, and does not stop the others."""
    limit, plans = asyncio.Semaphore(AT_ONCE), dict[Scope, Plan]()

    async def one(scope: Scope) -> None:
        async with limit:
            made: list[Outcome] = []
            try:
                result = await _one(scope, reconciler, run, made, applied)
                plans[scope] = result.plan
                applied.results.append(result)
            except Exception as error:  # noqa: BLE001 - what was done in other workspaces must still be reported
                applied.results.append(Result(scope, run, outcomes=tuple(made)))
                applied.report.fail(scope, _why(error, made))
            progress.done += 1

    async with progress.shown():
        await asyncio.gather(*(one(scope) for scope in scopes))
    applied.report.plans += [plans[scope] for scope in scopes if scope in plans]
    applied.report.looked_at += [scope for scope in scopes if scope in plans]


async def _one(scope: Scope, reconciler: Reconciler, run: Run, made: list[Outcome], applied: Applied) -> Result:
    if reconciler.instructions.asked_to_stop:
        raise StoppedError("the command was stopped before it was looked at")

    def told(outcome: Outcome) -> None:
        made.append(outcome)
        applied.made.append(outcome)

    return await replace(reconciler, instructions=replace(reconciler.instructions, told=told)).run(scope, run)


def _why(error: Exception, made: Sequence[Outcome]) -> str:
    if isinstance(error, AuditFailedError) and made:
        return f"{error}; this says what was done there, and its outcome is not on record: {finds_out()}"
    if isinstance(error, AzureFailureError | StoppedError | ValueError):
        return str(error)
    return f"{type(error).__name__}: {error}"
