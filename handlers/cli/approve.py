"""`amlguard approve`: lists what waits for a person, and releases it."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from handlers.cli.console import counted
from handlers.cli.formats.names import in_short, utc
from handlers.cli.formats.screen import Block, Line, Screen
from handlers.cli.formats.text import place
from handlers.runtime import Runtime, connected
from shared.access.plan_json import Document
from shared.access.scope import Scope
from shared.messages import Reconcile, Trigger, encode
from shared.ports import AzureFailureError
from shared.state.approvals import Approvals, Pending


@dataclass(frozen=True, slots=True)
class Waiting:
    """As of `now`. `released` is the run that this command released."""

    now: datetime
    pending: Sequence[Pending]
    released: str = ""

    def document(self) -> Document:
        return {"released": self.released, "pending": [msgspec.to_builtins(one) for one in self.pending]}

    def text(self, screen: Screen) -> str:
        return screen.text(self._blocks())

    def _blocks(self) -> Iterator[Block]:
        if self.released:
            yield Line((f"run {self.released} is released: the app makes these changes when it next looks",))
        else:
            changes = counted(sum(len(one.actions) for one in self.pending), "change")
            much = f"{changes} of {counted(len(self.pending), 'run')}" if self.pending else "nothing"
            yield Line((f"waiting for approval: {much}",))
        for one in self.pending:
            yield Line()
            yield Line((("● ", "bold"), *place(one.workspace), f"  run {one.run}"))
            yield from (Line((("! ", "magenta"), in_short(said)), 2) for said in one.actions.values())
            yield Line(((self.state(one), "dim"),), 6)
        if self.pending and not self.released:
            yield Line()
            yield Line(("To release one, run: amlguard approve RUN_ID",))

    def state(self, one: Pending) -> str:
        if self.now >= one.lapses_at:
            return f"lapsed at {utc(one.lapses_at)}; amlguard asks again if the change is still needed"
        if one.approved_at:
            return f"released by {one.approved_by or 'a person'} at {utc(one.approved_at)}"
        return f"has waited since {utc(one.asked_at)}, lapses at {utc(one.lapses_at)}"


async def pending(policy_file: Path | None) -> Waiting:
    async with connected(os.environ, policy_file, by_policy=False) as services:
        approvals, now = await _approvals(services)
        return Waiting(now, await approvals.waiting(now))


async def approve(run: str, policy_file: Path | None) -> Waiting:
    """`run` may also be the id of an action that waits: it stands for the run that asks for it.

    Raises `AzureFailureError` for a run that is not on the list, or that has lapsed.
    """
    async with connected(os.environ, policy_file, by_policy=False) as services:
        return await approve_by(run, services)


async def approve_by(run: str, services: Runtime) -> Waiting:
    """As `approve`, of services that are connected."""
    approvals, now = await _approvals(services)
    asked = run.strip().casefold()
    found = [one for one in await approvals.waiting(now) if one.run == asked or asked in one.actions]
    if not found:
        raise AzureFailureError(
            "approve",
            "NotPending",
            f"nothing waits for approval under run {run}: run `amlguard approve` for the list",
        )
    one, *_ = found
    if now >= one.lapses_at:
        reason = f"it lapsed at {utc(one.lapses_at)}; amlguard asks again if the change is still needed"
        raise AzureFailureError("approve", "Lapsed", reason)
    await approvals.approve(one, services.own_object_id, now)
    if services.queue:
        await services.queue.put(encode(Reconcile((one.workspace,), Trigger())), timedelta())
    return Waiting(now, [each for each in await approvals.waiting(now) if each.run == one.run], one.run)


async def _approvals(services: Runtime) -> tuple[Approvals, datetime]:
    """The approvals, and the time by Azure's clock, which the app also uses."""
    if services.store is None:
        settings = "AzureWebJobsStorage or AzureWebJobsStorage__blobServiceUri"
        raise AzureFailureError(
            "approve", "NoStore", f"the app's storage account holds what waits for approval: set {settings}"
        )
    await services.azure.children(Scope.parse("/"), "subscriptions")
    return Approvals(services.store), services.azure.now()
