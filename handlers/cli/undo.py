"""`amlguard undo RUN…` shows what it would take back and who relies on it, and then takes it back."""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from handlers.cli.formats.names import called, in_short
from handlers.cli.formats.screen import Block, Line, Screen
from handlers.cli.formats.view import does
from handlers.cli.interrupt import Heard, heeding
from handlers.cli.present import came_of
from handlers.cli.recording import audit_log, finds_out, undo_command
from handlers.runtime import Runtime, connected
from shared.access.actions import Grant, Removal, Setting
from shared.access.plan_json import Document, action
from shared.access.terms import RunMode
from shared.access.undo_steps import Step
from shared.audit_file import AuditFile
from shared.audit_rows import Outcome, Phase, Run
from shared.messages import Trigger
from shared.ports import AuditLog, AzureFailureError
from shared.stop import Stop
from shared.undo import ALL_THE_SAME, Undo, Undoing, run_ids
from shared.writing.journal import Journal

_FORGOTTEN = (
    "No storage account is set, so the app does not know of this: it makes the change again when it next looks, unless "
    "the policy stops it."
)


@dataclass(slots=True)
class Taken:
    """What was found and, once it was carried out, the outcomes. `remembered`: the app will not do it again.

    `forced` overrules everything except a guard. `notes` are about the record. `error` is what went wrong after the
    first change.
    """

    undoing: Undoing
    outcomes: list[tuple[Step, Outcome]] = field(default_factory=list)
    run: str = ""
    remembered: bool = True
    forced: bool = False
    notes: tuple[str, ...] = ()
    error: str = ""
    heard: Heard = field(default_factory=Heard)

    @property
    def open_steps(self) -> list[Step]:
        return [one for one in self.undoing.steps if one.action]

    @property
    def exit_code(self) -> int:
        if self.heard.number:
            return self.heard.exit_code
        phases = {outcome.phase for _, outcome in self.outcomes}
        if self.error or Phase.FAILED in phases:
            return 1
        return 0 if phases <= {Phase.UNDONE} and not self.undoing.refused else 2

    def document(self) -> Document:
        done = {one.done.action_id: outcome for one, outcome in self.outcomes}
        return {
            "undoes": list(self.undoing.runs),
            "run": self.run,
            "remembered": self.remembered,
            "stopped": bool(self.heard.number),
            "steps": [
                {
                    "actionId": one.done.action_id,
                    "action": action(one.action) if one.action else None,
                    "reason": one.reason,
                    "reliedOnBy": list(self.undoing.kept.get(one.done.action_id, ())),
                    "guard": guarded.guard if (guarded := self.undoing.withheld.get(one.done.action_id)) else "",
                    **(came_of(outcome) if (outcome := done.get(one.done.action_id)) else {}),
                }
                for one in self.undoing.steps
            ],
            "refused": list(self.undoing.refused),
            "notes": list(self.notes),
            "errors": [self.error] if self.error else [],
        }

    def text(self, screen: Screen) -> str:
        return screen.text(self._blocks())

    def _blocks(self) -> Iterator[Block]:
        done = {one.done.action_id: outcome for one, outcome in self.outcomes}
        for one in self.undoing.steps:
            yield from self._step(one, done.get(one.done.action_id))
        yield from (Line((("! ", "magenta"), in_short(said))) for said in (*self.undoing.refused, *self.notes))
        if self.error:
            yield Line((("✗ error: ", "bold red"), self.error))
        if not self.open_steps:
            yield Line((f"Nothing is left to undo of {', '.join(self.undoing.runs)}.",))
        elif not self.remembered:
            yield Line((_FORGOTTEN,))

    def _step(self, one: Step, outcome: Outcome | None) -> Iterator[Block]:
        kept = self.undoing.kept.get(one.done.action_id, ())
        guarded = self.undoing.withheld.get(one.done.action_id)
        if one.action is None:
            yield Line((f"nothing to do for {called(str(one.done.target))}: {in_short(one.reason)}",), 2)
            return
        goes = self.undoing.takes_back(one, force=self.forced)
        said = str(outcome.phase) if outcome else "would" if goes else "would stay"
        yield Line(((f"{_sign(one.action)} {said}: ", "green" if goes else "magenta"), does(action(one.action))))
        if outcome and outcome.phase is not Phase.UNDONE:
            yield Line((in_short(outcome.reason),), 4)
        elif guarded:
            yield Line((in_short(f"{guarded.guard}: {guarded.reason}"),), 4)
        elif kept and not outcome and not self.forced:
            yield Line((ALL_THE_SAME,), 4)
        yield from (Line((("! ", "magenta"), in_short(f"relied on: {line}")), 4) for line in kept)


def _sign(change: Grant | Setting | Removal) -> str:
    return {Grant: "+", Setting: "~", Removal: "-"}[type(change)]


async def prepare(runs: Sequence[str], policy_file: Path | None, audit_file: Path | None, *, force: bool) -> Taken:
    """Raises as `Undo.prepare` does."""
    runs = run_ids(runs)
    async with connected(os.environ, policy_file) as services:
        file = _file(audit_file)
        await audit_log("undo", services, file)
        undoing = await _undo(services, file, None, Stop()).prepare(runs)
        return Taken(undoing, remembered=services.store is not None, forced=force, notes=_notes(file))


async def undo(runs: Sequence[str], policy_file: Path | None, audit_file: Path | None, *, force: bool) -> Taken:
    """Raises as `take_back` does, and `ValueError` before it asks anybody."""
    runs = run_ids(runs)
    async with connected(os.environ, policy_file) as services:
        return await take_back(runs, services, audit_file, force=force)


async def take_back(runs: Sequence[str], services: Runtime, audit_file: Path | None, *, force: bool) -> Taken:
    """Raises `AzureFailureError` only before the first change, also if the change could not be recorded."""
    stop, file = Stop(), _file(audit_file)
    mine = Run(RunMode.ENFORCE, Trigger(caller_object_id=services.own_object_id))
    audit = await audit_log("undo", services, file)
    earlier = replace(services.leftovers, file=file)
    await earlier.settle(runs=runs)
    undoing_by = replace(_undo(services, file, audit, stop), written=earlier.written)
    undoing = await undoing_by.prepare(runs)
    taken = Taken(undoing, [], mine.id, services.store is not None, force, _notes(file))
    with heeding(stop, lambda: f"stopped at once; to go on, run: {undo_command(runs, audit_file)}") as taken.heard:
        try:
            await undoing_by.carry_out(undoing, mine, force=force, outcomes=taken.outcomes)
        except AzureFailureError as error:
            if not taken.outcomes:
                raise
            taken.error = f"{error}; this says what was done, and its outcome is not on record: {finds_out()}"
    if earlier.failed:
        taken.notes += (f"what earlier runs left open stays open: {earlier.failed}",)
    if any(outcome.unclear for _, outcome in taken.outcomes):
        taken.notes += (f"not all of it has an outcome on record: {finds_out()}",)
    if taken.heard.number:
        print(f"amlguard: stopped; to go on, run: {undo_command(runs, audit_file)}", file=sys.stderr)
    return taken


def _file(path: Path | None) -> AuditFile | None:
    return AuditFile(path, must_be_there=True) if path else None


def _notes(file: AuditFile | None) -> tuple[str, ...]:
    return tuple(file.passed_over) if file else ()


def _undo(services: Runtime, file: AuditFile | None, audit: AuditLog | None, stop: Stop) -> Undo:
    terms = replace(services.terms, caller_must_hold=False)
    return Undo(services.azure, Journal(audit), services.store, terms, file, stop)
