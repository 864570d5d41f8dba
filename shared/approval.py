"""Approval as a step of a run: it asks a person to release changes, and finds what a person has released."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.access.actions import Plan, Withheld
from shared.access.guards import Guard
from shared.access.plan_json import in_words
from shared.access.scope import Scope
from shared.audit_rows import Outcome, Phase, Run
from shared.ports import Store
from shared.progress import Progress
from shared.state.approvals import Approvals, Pending

_NOBODY = "nobody can, set AzureWebJobsStorage or AzureWebJobsStorage__blobServiceUri to keep what waits"


@dataclass(frozen=True, slots=True)
class Approval:
    """Without a store nothing can be released. Methods raise `AzureFailureError`."""

    store: Store | None
    lapses: timedelta

    async def of(self, made: Plan, workspace: Scope, run: Run, now: datetime) -> tuple[Plan, Pending | None]:
        """What a person has released. If there is something, the plan must be made again with it.

        If nothing is released, this asks for a release, and the plan says how to release each change that waits.
        """
        asked = {
            one.action.action_id: in_words(one.action) for one in made.withheld if one.refusal.guard is Guard.APPROVAL
        }
        if not asked:
            return made, None
        if self.store is None:
            return _saying(made, _NOBODY), None
        approvals = Approvals(self.store)
        known = await approvals.of(workspace, now)
        if known and known.approved:
            return made, known
        known = await approvals.ask(workspace, run.id, asked, now, self.lapses)
        return _saying(made, f"amlguard approve {known.run}"), None

    async def used(self, one: Progress, outcomes: Iterable[Outcome]) -> None:
        """A release counts once: it ends with the record of a change that it released, whatever becomes of the run.

        What the run asks for after that is another request, and stays.
        """
        applied = {each.action.action_id for each in outcomes if each.phase is Phase.APPLIED}
        if one.released and self.store and not one.is_used and not applied.isdisjoint(one.released.actions):
            await Approvals(self.store).done(one.workspace)
            one.is_used = True


def _saying(made: Plan, how: str) -> Plan:
    return replace(made, withheld=tuple(_said(one, how) for one in made.withheld))


def _said(one: Withheld, how: str) -> Withheld:
    if one.refusal.guard is not Guard.APPROVAL:
        return one
    return replace(one, refusal=replace(one.refusal, reason=f"{one.refusal.reason}: {how}"))
