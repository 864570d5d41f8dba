"""The tag of a resource group with which people stop amlguard there. A tag never allows anything."""

import asyncio
from collections.abc import Sequence

from shared.access.actions import Refusal
from shared.access.caps import Change, target
from shared.access.guards import Guard
from shared.access.raw import tags
from shared.access.scope import Scope
from shared.ports import Reads

TAG = "amlguard"
_GOES_ON = "on"


async def stopped_by_tag(actions: Sequence[Change], workspace: Scope, azure: Reads) -> dict[str, Refusal]:
    """The refusals, by action id, of changes in a resource group whose tag says stop, or for a workspace in one."""
    groups = {scope: scope.resource_group for scope in (workspace, *map(target, actions))}
    wanted = sorted({group for group in groups.values() if group}, key=str)
    raws = await asyncio.gather(*(azure.resource(group) for group in wanted))
    stopped = {
        group: value
        for group, raw in zip(wanted, raws, strict=True)
        if (value := tags(raw).get(TAG, _GOES_ON)).casefold() != _GOES_ON
    }
    refusals = {}
    for action in actions:
        for group in (groups[workspace], groups[target(action)]):
            if group in stopped:
                reason = f"resource group {group.name} carries the tag {TAG}={stopped[group]}: without it this goes on"
                refusals[action.action_id] = Refusal(Guard.KILL_SWITCH, reason)
    return refusals
