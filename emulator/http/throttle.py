"""ARM's throttling: a token bucket for each subscription, caller and kind of request.

Follows real time, because a client that paces itself goes by its own clock.
https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from emulator.errors import AzureError


@dataclass(frozen=True, slots=True)
class Limit:
    capacity: float
    refill: float
    """Tokens for each second."""


LIMITS: Mapping[str, Limit] = {"reads": Limit(250, 25), "writes": Limit(200, 10), "deletes": Limit(200, 10)}
WIDE: Mapping[str, Limit] = {kind: Limit(1000 * limit.capacity, 1000 * limit.refill) for kind, limit in LIMITS.items()}
"""So far away that nobody reaches them. The answers say so: a client that paces itself does not wait, either."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class Throttle:
    def __init__(self, monotonic: Callable[[], float], limits: Mapping[str, Limit] = LIMITS) -> None:
        self._monotonic = monotonic
        self._limits = limits
        self._buckets: dict[tuple[str, str, str], _Bucket] = {}

    def take(self, method: str, subscription: str | None, caller: str) -> dict[str, str]:
        """The header that says how many such requests remain. Refuses with 429 if none did."""
        kind = {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}.get(method, "writes")
        limit = self._limits[kind]
        now = self._monotonic()
        bucket = self._buckets.setdefault((subscription or "", caller, kind), _Bucket(limit.capacity, now))
        bucket.tokens = min(limit.capacity, bucket.tokens + (now - bucket.filled_at) * limit.refill)
        bucket.filled_at = now
        header = f"x-ms-ratelimit-remaining-{'subscription' if subscription else 'tenant'}-{kind}"
        if bucket.tokens < 1:
            raise self._refused(kind, subscription, caller, math.ceil((1 - bucket.tokens) / limit.refill), header)
        bucket.tokens -= 1
        return {header: str(int(bucket.tokens))}

    def _refused(self, kind: str, subscription: str | None, caller: str, wait: int, header: str) -> AzureError:
        where = f"subscription '{subscription}'" if subscription else "the tenant"
        return AzureError(
            429,
            "SubscriptionRequestsThrottled" if subscription else "TenantRequestsThrottled",
            f"Number of '{kind}' requests for {where} actor '{caller}' exceeded. Please try again after '{wait}' "
            "seconds after additional tokens are available. "
            "Refer to https://aka.ms/arm-throttling for additional information.",
            {"Retry-After": str(wait), header: "0"},
        )
