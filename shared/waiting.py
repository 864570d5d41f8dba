"""What a run leaves for later, and when the first of it can go on."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from shared.access.actions import Deferred, Grant, Plan, Setting
from shared.access.guards import Guard
from shared.audit_rows import Outcome, Phase

MOST_ATTEMPTS = 50
_SOON = timedelta(seconds=2)
_RETRY = timedelta(minutes=1)
_MOST_DOUBLINGS = 5
# ARM may say for a moment that something is not there. After seven minutes it is believed until the next event.
_SEEN_AGAIN = 3
_HOURLY = (Guard.CAP_HOUR, Guard.CAP_TARGET)
_NEXT_HOUR = timedelta(hours=1)


def follows_at_once(made: Plan, outcomes: Sequence[Outcome], now: datetime) -> bool:
    """Whether a setting waited only for the grants that were just made (no settle time)."""
    return any(one.until <= now + _SOON for one in _settings(made, outcomes))


def delay(made: Plan, outcomes: Sequence[Outcome], now: datetime, attempt: int) -> timedelta | None:
    """The time until something that waits can go on at the earliest. None if nothing waits.

    What Azure could not do yet is tried less and less often, and not without end.
    """
    if attempt >= MOST_ATTEMPTS:
        return None
    later = backoff(attempt)
    delays = [max(later, one.wait) for one in outcomes if one.phase is Phase.DEFERRED]
    delays += [later for one in made.deferred if not isinstance(one.action, Setting)]
    delays += [max(one.until - now, timedelta()) for one in _settings(made, outcomes)]
    delays += [later] if made.missing and attempt < _SEEN_AGAIN else []
    delays += [_NEXT_HOUR - timedelta(minutes=now.minute) for one in outcomes if one.guard in _HOURLY]
    return min(delays, default=None)


def backoff(attempt: int) -> timedelta:
    doublings: int = 2 ** min(attempt, _MOST_DOUBLINGS)
    return _RETRY * doublings


def _settings(made: Plan, outcomes: Sequence[Outcome]) -> list[Deferred]:
    """Settings that only have to wait for time to pass, because the grants that they waited for were made."""
    open_targets = {o.action.scope for o in outcomes if isinstance(o.action, Grant) and o.phase is not Phase.APPLIED}
    waiting = [one for one in made.deferred if isinstance(one.action, Setting)]
    return [one for one in waiting if one.action.resource not in open_targets]
