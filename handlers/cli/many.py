"""The plans of many workspaces: resources by Resource Graph, what is assigned to whom by ARM.

Resource Graph gives the resources of fifty workspaces at once, and is late by seconds or minutes. Whatever a plan would
change is read again through ARM, and so is what only ARM knows: lists below a workspace, and role assignments.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import batched, zip_longest

from shared.access.actions import Grant, Plan
from shared.access.plan_json import restrict
from shared.access.scope import Scope
from shared.access.terms import RunMode
from shared.audit_rows import Run
from shared.prepare import Prepared, prepare
from shared.reading.from_resource_graph import ResourceGraphReads
from shared.reading.shared_lists import SharedLists
from shared.reconcile import Reconciler

FEW = 20
"""So many of a subscription are read through ARM alone. Its bucket holds enough for them, and each subscription has its
own. All of a tenant share the quota of Resource Graph, which takes three queries a second from one caller.
https://learn.microsoft.com/azure/governance/resource-graph/concepts/guidance-for-throttled-requests"""
_PER_SHARD = 50


@dataclass(slots=True)
class Looks:
    """How a command looks at `workspaces`. Where there are many, shards of one subscription each are read together.

    A shard is read when the first of its workspaces is. `fresh`: by ARM alone, however many there are.
    """

    reconciler: Reconciler
    workspaces: Sequence[Scope]
    fresh: bool = False
    _of: dict[Scope, tuple[Scope, ...]] = field(init=False)
    _begun: dict[tuple[Scope, ...], "asyncio.Future[ResourceGraphReads]"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shards = () if self.fresh else _shards(self.workspaces)
        self._of = {one: shard for shard in shards for one in shard}

    @property
    def by_resource_graph(self) -> bool:
        """Whether Resource Graph shows some of them."""
        return bool(self._of)

    async def prepare(self, workspace: Scope) -> Prepared | None:
        """By Resource Graph, where the plan would change nothing but roles; else by ARM. Raises `ReadFailedError`."""
        reads, terms = await self._reads(workspace), self.reconciler.terms
        if reads:
            prepared = await prepare(workspace, reads, terms, frugal=True, listed=True)
            if prepared and _grants_only(prepared.plan):
                return prepared
        return await prepare(workspace, self.reconciler.azure, terms)

    async def preview(self, workspace: Scope) -> Plan:
        """As `Reconciler.preview`."""
        prepared = await self.prepare(workspace)
        made, only = prepared.plan if prepared else Plan(), self.reconciler.instructions.only
        made = made if only is None else restrict(made, only)
        return await self.braked(made, workspace)

    async def braked(self, made: Plan, workspace: Scope) -> Plan:
        """As `Reconciler.braked`, with the tags that Resource Graph shows."""
        brakes = self.reconciler.brakes
        brakes = replace(brakes, azure=await self._reads(workspace) or brakes.azure)
        return (await brakes.held(made, workspace, Run(RunMode.REPORT), reserve=False)).allows(made)

    async def _reads(self, workspace: Scope) -> ResourceGraphReads | None:
        shard = self._of.get(workspace)
        if shard is None:
            return None
        if shard not in self._begun:
            azure = SharedLists(self.reconciler.azure)
            reading = ResourceGraphReads.read(shard, azure, assignments=False)
            self._begun[shard] = asyncio.ensure_future(reading)
        return await self._begun[shard]


def _grants_only(made: Plan) -> bool:
    waits = all(isinstance(one.action, Grant) for one in made.deferred)
    return waits and not made.settings and not made.removals


def in_turns(workspaces: Iterable[Scope]) -> list[Scope]:
    """One of each subscription after another, so that no bucket is idle while there is work for it."""
    turns = zip_longest(*_by_subscription(workspaces))
    return [one for turn in turns for one in turn if one is not None]


def _by_subscription(workspaces: Iterable[Scope]) -> Iterable[list[Scope]]:
    found: dict[Scope | None, list[Scope]] = {}
    for one in workspaces:
        found.setdefault(one.subscription, []).append(one)
    return found.values()


def _shards(workspaces: Iterable[Scope]) -> Iterable[tuple[Scope, ...]]:
    for some in _by_subscription(workspaces):
        if len(some) > FEW:
            yield from batched(some, _PER_SHARD, strict=False)
