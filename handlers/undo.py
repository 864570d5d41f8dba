"""`amlguard undo RUN…`: shows what would be taken back and who relies on it, and takes it back."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from handlers.services import Services, connected
from shared.access.documents import Document, action, in_words
from shared.access.outcomes import Grant, Removal, Setting
from shared.access.terms import Action as Mode
from shared.access.undo import Step
from shared.audit_rows import Phase, Run
from shared.journal import Journal, Outcome
from shared.ports import AzureFailureError
from shared.undo import Undo, Undoing
from shared.work import Trigger


@dataclass(frozen=True, slots=True)
class Taken:
    """What was found, and (once it was carried out) what came of it. `remembered`: the app will not do it again."""

    undoing: Undoing
    outcomes: tuple[tuple[Step, Outcome], ...] = ()
    run: str = ""
    remembered: bool = True

    @property
    def open_steps(self) -> list[Step]:
        return [one for one in self.undoing.steps if one.action]

    @property
    def exit_code(self) -> int:
        phases = {outcome.phase for _, outcome in self.outcomes}
        return 1 if Phase.FAILED in phases else 0 if phases <= {Phase.UNDONE} else 2

    def document(self) -> Document:
        done = {one.done.action_id: outcome for one, outcome in self.outcomes}
        return {
            "undoes": list(self.undoing.runs),
            "run": self.run,
            "remembered": self.remembered,
            "steps": [
                {
                    "actionId": one.done.action_id,
                    "action": action(one.action) if one.action else None,
                    "reason": one.reason,
                    "reliedOnBy": list(self.undoing.relied_on.get(one.done.action_id, ())),
                    **_came_of(done.get(one.done.action_id)),
                }
                for one in self.undoing.steps
            ],
        }

    def text(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        done = {one.done.action_id: outcome for one, outcome in self.outcomes}
        for one in self.undoing.steps:
            if one.action is None:
                yield f"  nothing to do for {one.done.target}: {one.reason}"
                continue
            outcome = done.get(one.done.action_id)
            yield f"{_sign(one.action)} {outcome.phase if outcome else 'would'}: {in_words(one.action)}"
            if outcome and outcome.phase is not Phase.UNDONE:
                yield f"    {outcome.reason}"
            yield from (f"    ! relied on: {line}" for line in self.undoing.relied_on.get(one.done.action_id, ()))
        if not self.open_steps:
            yield f"Nothing is left to undo of {', '.join(self.undoing.runs)}."
        elif not self.remembered:
            yield "Without a storage account amlguard does it again at its next look, unless the policy stops it."


def _came_of(outcome: Outcome | None) -> Document:
    return {"outcome": str(outcome.phase), "outcomeReason": outcome.reason} if outcome else {}


def _sign(change: Grant | Setting | Removal) -> str:
    return {Grant: "+", Setting: "~", Removal: "-"}[type(change)]


async def prepare(runs: Sequence[str], policy_file: Path | None) -> Taken:
    async with connected(os.environ, policy_file) as services:
        return Taken(await _undo(services).prepare(runs), remembered=services.store is not None)


async def undo(runs: Sequence[str], policy_file: Path | None, *, force: bool) -> Taken:
    """Raises `AzureFailureError`, also when there is no audit log to record it in."""
    async with connected(os.environ, policy_file) as services:
        if services.audit is None:
            reason = (
                "nothing is changed without a record: set AMLGUARD_LOGS_INGESTION_ENDPOINT and AMLGUARD_LOGS_RULE_ID"
            )
            raise AzureFailureError("undo", "NoAuditLog", reason)
        undoing = await _undo(services).prepare(runs)
        mine = Run(Mode.ENFORCE, Trigger(caller_object_id=services.own_object_id))
        outcomes: Sequence[tuple[Step, Outcome]] = await _undo(services).carry_out(undoing, mine, force=force)
        return Taken(undoing, tuple(outcomes), mine.id, services.store is not None)


def _undo(services: Services) -> Undo:
    terms = replace(services.terms, caller_must_hold=False)
    return Undo(services.azure, Journal(services.audit, None), services.store, terms)
