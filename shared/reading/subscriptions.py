"""Which subscriptions a look is about, and which of them amlguard may read."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace

from shared.access.ask_rules import WorkspaceAsks
from shared.access.model import Estate, Unreadable, Want, Workspace
from shared.access.scope import Scope
from shared.ports import Reads
from shared.reading.facts import read_fact

LOCKS = "Microsoft.Authorization/locks"


async def around(
    asked: Iterable[WorkspaceAsks], known: frozenset[Scope], estate: Estate, azure: Reads
) -> tuple[frozenset[Scope], Estate]:
    """The subscriptions that amlguard may read, of all in which something might change.

    What was read of anybody's access says nothing about a new one. Then `estate` has no access any more.
    """
    subscriptions = _subscriptions(asked)
    estate = await _look_abroad(subscriptions - known, estate, azure)
    subscriptions -= estate.blind
    return subscriptions, estate if subscriptions <= known else replace(estate, access={})


async def _look_abroad(subscriptions: Iterable[Scope], estate: Estate, azure: Reads) -> Estate:
    """Subscriptions to which only a user of the workspace led. If amlguard may not read them, the rest must go on."""
    at_home = {scope.subscription for one in estate.workspaces for scope in (one.id, *named_by(one))}
    abroad = [scope for scope in subscriptions if scope not in at_home and scope not in estate.blind]
    if not abroad:
        return estate
    looks = await asyncio.gather(*(read_fact(Want(scope, LOCKS), azure) for scope in abroad))
    closed = (scope for scope, look in zip(abroad, looks, strict=True) if look is None or isinstance(look, Unreadable))
    return replace(estate, blind=estate.blind.union(closed))


def _subscriptions(asked: Iterable[WorkspaceAsks]) -> frozenset[Scope]:
    """The subscriptions of everything that might change. Most is in those of the workspace and its registry."""
    asked = list(asked)
    targets = [one.scope for each in asked for _, one in each.grants]
    targets += [one.resource for each in asked for _, one in each.settings]
    targets += [scope for each in asked for scope in (each.workspace.id, each.workspace.registry) if scope]
    return frozenset(scope for target in targets if (scope := target.subscription))


def named_by(workspace: Workspace) -> Iterable[Scope]:
    """What the workspace itself depends on, as opposed to what its users name."""
    dependencies = (workspace.registry, workspace.storage, workspace.vault, workspace.app_insights)
    return (scope for scope in dependencies if scope)
