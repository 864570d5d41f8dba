"""How long a request waits for Azure: no longer than a handler may. If Azure asks for more, the caller is told."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from azure.core.pipeline import PipelineResponse
from azure.core.pipeline.policies import AsyncRetryPolicy
from azure.core.rest import AsyncHttpResponse, HttpRequest

# Enough for a short outage within the handler's deadline. Event Grid or the queue retries after a longer one.
_SECONDS = 12
_RETRY: Mapping[str, Any] = {
    "retry_total": 3,
    "retry_backoff_factor": 0.4,
    "retry_backoff_max": 4,
    "timeout": _SECONDS,
}
LONGEST = timedelta(hours=6)
"""The most that an answer can ask for: by then the next sweep comes."""


def asked_to_wait(headers: Mapping[str, str]) -> timedelta:
    """Zero if an answer asks for no wait, or if what it asks is invalid: a word, or a time that has passed.

    A date is compared with the answer's own date, because a worker's clock may be wrong.
    """
    for name, per_second in (("Retry-After", 1), ("retry-after-ms", 1000), ("x-ms-retry-after-ms", 1000)):
        told = str(headers.get(name) or "").strip()
        if told:
            number = _number(told)
            seconds = _until(told, headers.get("Date")) if number is None else number / per_second
            return timedelta(seconds=min(max(seconds, 0.0), LONGEST.total_seconds()))
    return timedelta()


def _number(told: str) -> float | None:
    try:
        number = float(told)
    except ValueError:
        return None
    return 0.0 if math.isnan(number) else number


def _until(told: str, date: str | None) -> float:
    try:
        at = _date(told)
    except ValueError:
        return 0.0
    try:
        now = _date(date or "")
    except ValueError:
        now = datetime.now(UTC)
    return (at - now).total_seconds()


def _date(text: str) -> datetime:
    found = parsedate_to_datetime(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


class Retries(AsyncRetryPolicy[HttpRequest, AsyncHttpResponse]):
    """azure-core's own policy would sleep for however long an answer asks, and fail on what is not a time.

    If Azure asks to wait for longer than a request may take, its answer is the result.
    """

    def __init__(self) -> None:
        super().__init__(**_RETRY)

    def get_retry_after(self, response: PipelineResponse[Any, Any]) -> float | None:
        return asked_to_wait(response.http_response.headers).total_seconds() or None

    def is_retry(self, settings: dict[str, Any], response: PipelineResponse[Any, Any]) -> bool:
        if not super().is_retry(settings, response):
            return False
        settings["asked"] = settings.get("asked", 0.0) + (self.get_retry_after(response) or 0.0)
        return bool(settings["asked"] < _SECONDS)
