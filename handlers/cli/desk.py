"""The commands that talk to Azure, for a person or a pipeline. They show progress on standard error."""

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from handlers import resource_changed
from handlers.cli.console import scope_of
from handlers.cli.from_snapshot import played, services_of
from handlers.cli.many import FEW, Looks, in_turns
from handlers.cli.progress import Progress
from handlers.cli.version import installed
from handlers.policy_file import is_a_blob, read_policy
from handlers.runtime import Runtime, connected
from shared.access.actions import Plan
from shared.access.report import Report
from shared.access.scope import Scope
from shared.azure.settings import Settings
from shared.pace import in_the_background
from shared.ports import AzureFailureError
from shared.reading.shared_lists import SharedLists
from shared.reconcile import Reconciler
from shared.scopes import Chosen, ScopeError, Scopes

AT_ONCE = 4
MANY_AT_ONCE = 20
_IN_POLICY = "which the policy file names"
type Keys = frozenset[tuple[str, ...]] | None


@dataclass(frozen=True, slots=True)
class Where:
    """What a command was told to look at. With `empty_is_fine` it is not an error if there is no workspace.

    `fresh`: by ARM alone, however many there are. `snapshot` takes the place of Azure.
    """

    scopes: Sequence[str] = ()
    policy_file: Path | None = None
    empty_is_fine: bool = False
    fresh: bool = False
    snapshot: Path | None = None


def where_of(options: argparse.Namespace) -> Where:
    """Raises `UsageError` and `PolicyError`. A snapshot says itself which scopes it is about."""
    for scope in options.scope:
        scope_of(scope)
    snapshot: Path | None = getattr(options, "snapshot", None)
    if snapshot:
        scopes = options.scope or played(snapshot).about["scopes"]
        return Where(scopes, options.policy, options.allow_empty, fresh=True, snapshot=snapshot)
    settings = Settings.read(os.environ)
    if not is_a_blob(options.policy, settings):
        read_policy(options.policy, settings)
    return Where(options.scope, options.policy, options.allow_empty, getattr(options, "fresh", False))


async def plan(where: Where, only: Keys = None) -> Report:
    """Raises `AzureFailureError` when it cannot even find out where to look."""
    async with services_of(where.policy_file, where.snapshot) as services:
        return await planned(where, services, only)


async def planned(where: Where, services: Runtime, only: Keys = None) -> Report:
    """As `plan`, of services that are connected."""
    report = new_report(services, where)
    looks = await looking(where, services, report, only)
    await each(looks.workspaces, looks.preview, report, services)
    return report


async def looking(where: Where, services: Runtime, report: Report, only: Keys = None) -> Looks:
    """At what, and how. Raises as `workspaces` does."""
    found = await workspaces(where, services.scopes, services.terms.scopes, report)
    looks = Looks(at_a_desk(services, only), found, where.fresh)
    if looks.by_resource_graph:
        report.as_of = services.azure.now()
    return looks


async def each(
    found: Sequence[Scope], work: Callable[[Scope], Awaitable[Plan]], report: Report, services: Runtime
) -> None:
    """`work` makes the plan of a workspace, and the report gets it. Many keep below ARM's limits, as a sweep does."""
    progress = Progress(len(found), services.requests)
    if len(found) > FEW:
        with in_the_background():
            await _each(found, work, report, progress, MANY_AT_ONCE)
    else:
        await _each(found, work, report, progress, AT_ONCE)
    report.time = services.azure.now()


async def deliver(events: Sequence[Any], policy_file: Path | None) -> int:
    """Handles the events as the Event Grid trigger does, one by one. Raises the first failure at the end."""
    async with connected(os.environ, policy_file) as services:
        handled = (resource_changed.handle(event, services) for event in events)
        answers = await asyncio.gather(*handled, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return len(answers)


def at_a_desk(services: Runtime, only: Keys) -> Reconciler:
    """Runs without the queue: the command reports what must wait, because there may be no app that would do it later.

    What many workspaces ask for is read once for all of them. The caller need not be known: Azure itself checks whether
    the person may assign roles (ADR 13).
    """
    terms = replace(services.terms, caller_must_hold=False)
    reconciler = services.reconciler
    instructions = replace(reconciler.instructions, by_hand=True, only=only)
    azure = SharedLists(reconciler.azure)
    return replace(reconciler, azure=azure, queue=None, terms=terms, instructions=instructions)


def new_report(services: Runtime, where: Where) -> Report:
    return Report(
        policy=services.policy_name,
        identity=services.own_object_id or None,
        time=services.azure.now(),
        version=installed(),
        scopes=tuple(map(scope_of, where.scopes)) or tuple(services.terms.scopes),
    )


async def workspaces(where: Where, scopes: Scopes, watched: Sequence[Scope], report: Report) -> Sequence[Scope]:
    """Those that both `where` and `watched`, the policy's, choose. If there are none, that is an error in the report.

    Raises `ReadFailedError` if a scope names nothing that can be looked at. That holds for the policy's scopes, too.
    """
    named = [scope_of(text) for text in where.scopes]
    chosen = await _chosen(named or watched, scopes, of_policy=not named)
    found = chosen.workspaces
    if named and watched:
        await _require_all(watched, scopes)
        both = await asyncio.gather(*(scopes.any_chooses(watched, one) for one in found))
        found = tuple(one for one, chosen_by_both in zip(found, both, strict=True) if chosen_by_both)
    for scope in chosen.idle if found else ():
        print(f"no workspace lies in or uses {scope}", file=sys.stderr)
    if not found and not where.empty_is_fine:
        report.errors.append(_nothing(named, watched, chosen))
        print(f"amlguard: {report.errors[-1]}", file=sys.stderr)
    return found


async def _chosen(wanted: Sequence[Scope], scopes: Scopes, *, of_policy: bool) -> Chosen:
    chosen = await scopes.choose(wanted)
    for error in chosen.wrong:
        raise error.named(_IN_POLICY) if of_policy else error
    return chosen


async def _require_all(watched: Sequence[Scope], scopes: Scopes) -> None:
    answers = await asyncio.gather(*map(scopes.require, watched), return_exceptions=True)
    for answer in answers:
        if answer is not None:
            raise answer.named(_IN_POLICY) if isinstance(answer, ScopeError) else answer


def _nothing(named: Sequence[Scope], watched: Sequence[Scope], chosen: Chosen) -> str:
    where = "the identity cannot read any workspace"
    if named or watched:
        where = f"no workspace lies in or uses {', '.join(map(str, named or watched))}"
    if chosen.workspaces:
        where = f"the policy's scopes choose none of the workspaces of {', '.join(map(str, named))}"
    check = "check the scope, the policy and the identity, or add --allow-empty if there may be none"
    return f"nothing was looked at: {where}; {check}"


async def _each(
    scopes: Sequence[Scope],
    work: Callable[[Scope], Awaitable[Plan]],
    report: Report,
    progress: Progress,
    at_once: int,
) -> None:
    """Runs `work` on every workspace, a few at once. One that fails is reported and does not stop the others."""
    limit = asyncio.Semaphore(at_once)
    plans: dict[Scope, Plan] = {}

    async def one(scope: Scope) -> None:
        async with limit:
            try:
                plans[scope] = await work(scope)
            except (AzureFailureError, ValueError) as error:
                report.fail(scope, str(error))
        progress.done += 1

    async with progress.shown():
        await asyncio.gather(*(one(scope) for scope in in_turns(scopes)))
    report.plans += [plans[scope] for scope in scopes if scope in plans]
    report.looked_at += [scope for scope in scopes if scope in plans]
