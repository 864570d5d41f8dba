"""What a run leaves for later: when the first of it could go on."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from shared.access.actions import Deferred, Grant, Plan, Setting
from shared.access.guards import Guard
from shared.audit_rows import Outcome, Phase

_MOST_ATTEMPTS = 50
_SOON = timedelta(seconds=2)
_RETRY = timedelta(minutes=1)
_MOST_DOUBLINGS = 5
_HOURLY = (Guard.CAP_HOUR, Guard.CAP_TARGET)
_NEXT_HOUR = timedelta(hours=1)


def follows_at_once(made: Plan, outcomes: Sequence[Outcome], now: datetime) -> bool:
    """Whether a setting waited only for the grants that were just made (no settle time)."""
    return any(one.until <= now + _SOON for one in _settings(made, outcomes))


def delay(made: Plan, outcomes: Sequence[Outcome], now: datetime, attempt: int) -> timedelta | None:
    """Until the earliest moment at which something that waits could go on; None when nothing waits.

    What Azure could not do yet is tried less often each time, and not for ever.
    """
    if attempt >= _MOST_ATTEMPTS:
        return None
    backoff = _RETRY * 2 ** min(attempt, _MOST_DOUBLINGS)
    delays = [max(backoff, one.wait) for one in outcomes if one.phase is Phase.DEFERRED]
    delays += [backoff for one in made.deferred if not isinstance(one.action, Setting)]
    delays += [max(one.until - now, timedelta()) for one in _settings(made, outcomes)]
    delays += [_NEXT_HOUR - timedelta(minutes=now.minute) for one in outcomes if one.guard in _HOURLY]
    return min(delays, default=None)


def _settings(made: Plan, outcomes: Sequence[Outcome]) -> list[Deferred]:
    """Settings for which time has to pass, and no more: the grants that they waited for were made."""
    open_targets = {o.action.scope for o in outcomes if isinstance(o.action, Grant) and o.phase is not Phase.APPLIED}
    waiting = [one for one in made.deferred if isinstance(one.action, Setting)]
    return [one for one in waiting if one.action.resource not in open_targets]
