"""How many changes an hour allows, for all instances together, and which changes of a plan exceed that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from shared.access.actions import Grant, Plan, Refusal, Removal, Setting, Wait, Withheld
from shared.access.asks import Property
from shared.access.guards import Guard
from shared.access.scope import Scope
from shared.access.terms import Caps

type Change = Grant | Setting | Removal


@dataclass(frozen=True, slots=True)
class Spent:
    """The changes that this hour's runs have begun to make. `targets` counts them by the scope's key."""

    total: int = 0
    targets: Mapping[str, int] = field(default_factory=dict)


def target(action: Change) -> Scope:
    return action.resource if isinstance(action, Setting) else action.scope


def counted(action: Change | Wait) -> bool:
    """Whether a cap counts the action.

    A resync of keys follows the switch-off of an admin user, so it does not count.
    """
    return not (isinstance(action, Setting) and action.name is Property.CACHED_KEYS)


def allot(spent: Spent, actions: Sequence[Change], caps: Caps, until: str) -> tuple[Spent, dict[str, Refusal]]:
    """What is spent if the `actions` within the caps are made, and the refusals of the others by action id.

    `until` tells people when the next hour begins.
    """
    refusals: dict[str, Refusal] = {}
    for action in filter(counted, actions):
        key = target(action).key
        there = spent.targets.get(key, 0)
        if spent.total >= caps.per_hour:
            refusals[action.action_id] = _over(Guard.CAP_HOUR, caps.per_hour, "", until)
        elif there >= caps.per_target:
            name = f" at {target(action).name}"
            refusals[action.action_id] = _over(Guard.CAP_TARGET, caps.per_target, name, until)
        else:
            spent = Spent(spent.total + 1, {**spent.targets, key: there + 1})
    return spent, refusals


def _over(guard: Guard, cap: int, where: str, until: str) -> Refusal:
    reason = f"the policy allows {cap} changes an hour{where} ({guard.in_policy(cap)}); after {until} amlguard goes on"
    return Refusal(guard, reason)


def with_what_follows(made: Plan, refusals: Mapping[str, Refusal]) -> dict[str, Refusal]:
    """Without the switch-off there is nothing to resync."""
    stays_on = refusals.get(made.switch_off.action_id) if made.switch_off else None
    if stays_on is None:
        return dict(refusals)
    resyncs = (one.action_id for one in made.settings if one.name is Property.CACHED_KEYS)
    return {**dict.fromkeys(resyncs, stays_on), **refusals}


def without(made: Plan, refusals: Mapping[str, Refusal]) -> Plan:
    """`made`, with the refused actions withheld."""
    return replace(
        made,
        grants=tuple(one for one in made.grants if one.action_id not in refusals),
        settings=tuple(one for one in made.settings if one.action_id not in refusals),
        removals=tuple(one for one in made.removals if one.action_id not in refusals),
        withheld=(
            *made.withheld,
            *(Withheld(one, refusals[one.action_id]) for one in made.actions if one.action_id in refusals),
        ),
    )
