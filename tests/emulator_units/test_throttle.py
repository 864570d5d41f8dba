"""ARM's token buckets."""

import pytest

from emulator.errors import AzureError
from emulator.http.throttle import WIDE, Throttle


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_reads_run_out_and_come_back() -> None:
    time = Time()
    throttle = Throttle(time)
    for left in reversed(range(250)):
        assert throttle.take("GET", "s", "me") == {"x-ms-ratelimit-remaining-subscription-reads": str(left)}
    with pytest.raises(AzureError) as refused:
        throttle.take("GET", "s", "me")
    assert (refused.value.status, refused.value.headers["Retry-After"]) == (429, "1")
    for kind, subscription, who in (
        ("PUT", "s", "me"),
        ("GET", "other", "me"),
        ("GET", "s", "you"),
        ("DELETE", "s", "me"),
    ):
        assert throttle.take(kind, subscription, who)
    time.now = 1.0
    for _ in range(25):
        throttle.take("GET", "s", "me")
    with pytest.raises(AzureError):
        throttle.take("GET", "s", "me")


def test_writes_are_fewer() -> None:
    throttle = Throttle(Time())
    for _ in range(200):
        throttle.take("PUT", None, "me")
    with pytest.raises(AzureError) as refused:
        throttle.take("POST", None, "me")
    assert refused.value.code == "TenantRequestsThrottled"


def test_wide_limits_say_that_nobody_has_to_wait() -> None:
    throttle = Throttle(Time(), WIDE)
    for taken in range(1, 1000):
        assert throttle.take("GET", "s", "me") == {"x-ms-ratelimit-remaining-subscription-reads": str(250_000 - taken)}
