"""The commands that talk to Azure, run at a desk or in a pipeline, with progress on standard error."""

import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from handlers import resource_changed
from handlers.services import Services, connected
from shared.access.documents import Report
from shared.access.outcomes import Plan
from shared.access.scope import Scope
from shared.discover import all_workspaces, workspaces_at
from shared.ports import AzureFailureError, ReadFailedError
from shared.reconcile import Reconciler

AT_ONCE = 4
type Keys = frozenset[tuple[str, ...]] | None


async def plan(scopes: Sequence[str], policy_file: Path | None, only: Keys = None) -> Report:
    """Raises `AzureFailureError` when it cannot even find out where to look."""
    report = Report()
    async with connected(os.environ, policy_file) as services:
        reconciler = at_a_desk(services, only)
        await _each(await workspaces(scopes, services), reconciler.preview, report)
    return report


async def deliver(events: Sequence[Any], policy_file: Path | None) -> int:
    """Handles the events as the Event Grid trigger does, each on its own; raises the first failure at the end."""
    async with connected(os.environ, policy_file) as services:
        handled = (resource_changed.handle(event, services) for event in events)
        answers = await asyncio.gather(*handled, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return len(answers)


def at_a_desk(services: Services, only: Keys) -> Reconciler:
    """Without the queue: what must wait is told, not left to an app that may not be there.

    Nor does a caller have to be known: Azure itself asks whether the person at the desk may assign roles (ADR 13).
    """
    terms = replace(services.terms, caller_must_hold=False)
    return replace(services.reconciler, queue=None, terms=terms, by_hand=True, only=only)


async def workspaces(scopes: Sequence[str], services: Services) -> list[Scope]:
    if not scopes:
        return [scope async for scope in all_workspaces(services.azure, services.terms)]
    found: dict[Scope, None] = {}
    for scope in map(Scope.parse, scopes):
        at = await workspaces_at(scope, services.azure)
        if at == [scope] and await services.azure.resource(scope) is None:
            raise ReadFailedError("find workspaces", "ResourceNotFound", f"there is no workspace {scope}")
        group = scope.resource_group
        if not at and group and await services.azure.resource(group) is None:
            raise ReadFailedError("find workspaces", "ResourceGroupNotFound", f"there is no resource group {group}")
        if not at:
            print(f"no workspace lies in or uses {scope}", file=sys.stderr)
        found.update(dict.fromkeys(at))
    return list(found)


async def _each(scopes: Sequence[Scope], work: Any, report: Report) -> None:
    """Runs `work` on every workspace, a few at once; a workspace that fails is reported and holds up no other."""
    limit = asyncio.Semaphore(AT_ONCE)
    plans: dict[Scope, Plan] = {}

    async def one(scope: Scope) -> None:
        async with limit:
            try:
                plans[scope] = await work(scope)
            except (AzureFailureError, ValueError) as error:
                report.errors.append(f"{scope}: {error}")
        progress(len(plans) + len(report.errors), len(scopes))

    await asyncio.gather(*(one(scope) for scope in scopes))
    report.plans += [plans[scope] for scope in scopes if scope in plans]


def progress(done: int, of: int) -> None:
    if sys.stderr.isatty() and of > 1:
        end = "\n" if done == of else ""
        print(f"\r{done} of {of} workspaces", end=end, file=sys.stderr, flush=True)
