"""What a fault does to one call: to its answer, the way that the answer takes, the tenant, the processes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any, Self

from emulator.errors import AzureError
from emulator.faults.errors import FaultsError

KEYS: Mapping[str, type | tuple[type, ...]] = {
    "status": int,
    "code": str,
    "message": str,
    "body": str,
    "headers": dict,
    "html": bool,
    "answer": str,
    "connection": str,
    "stallMs": int,
    "delayMs": int,
    "drop": bool,
    "operation": str,
    "after": bool,
    "when": str,
    "tokenSeconds": int,
    "skewSeconds": int,
    "change": dict,
    "kill": str,
}
SPOILT = ("truncated", "empty", "null", "list", "text", "number", "notUtf8", "notJson", "html", "plainText")
PAGES = ("pageRepeats", "pagesLoop", "emptyPage")
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "answer": SPOILT + PAGES,
    "connection": ("reset", "stall", "slow"),
    "operation": ("Succeeded", "Failed", "Canceled"),
    "when": ("before", "effect", "answer"),
    "kill": ("worker", "host"),
}
_DOES = (
    *("status", "drop", "delayMs", "operation", "answer", "connection"),
    *("tokenSeconds", "skewSeconds", "change", "kill"),
)
_CHANGES = ("put", "delete", "remake")
_BUSY = (429, 503)
_CODE = "InternalServerError"
_MESSAGE = "The server encountered an internal error. Please retry the request."
_STALL_MS = 60_000
_NOW = "{now"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """`when` is before the call is handled, after its effect, or after its answer. An empty act lets the call pass."""

    status: int | None = None
    code: str = _CODE
    message: str = _MESSAGE
    body: bytes | None = None
    headers: Mapping[str, str | None] = field(default_factory=dict)
    html: bool = False
    answer: str = ""
    connection: str = ""
    stall_ms: int = _STALL_MS
    delay_ms: int = 0
    drop: bool = False
    operation: str | None = None
    when: str = "before"
    token_seconds: int | None = None
    skew: timedelta = timedelta()
    change: Mapping[str, Any] | None = None
    kill: str = ""

    @property
    def answers(self) -> bool:
        """Whether no other fault can change what the caller gets."""
        return self.status is not None or self.drop or bool(self.answer or self.connection or self.kill)

    @property
    def after(self) -> bool:
        return self.when != "before"

    @classmethod
    def parse(cls, place: str, raw: Mapping[str, Any], *, may_pass: bool = False) -> Self:
        """`may_pass`: an act that does nothing is part of a sequence and lets a call pass."""
        _check(place, raw, may_pass=may_pass)
        status = raw.get("status")
        unauthorised = "ExpiredAuthenticationToken" if status == 401 else ""
        return cls(
            status=status,
            code=raw.get("code") or unauthorised or _CODE,
            message=raw.get("message") or _MESSAGE,
            body=_bytes(f"{place}.body", raw.get("body")),
            headers=raw.get("headers") or {},
            html=bool(raw.get("html")),
            answer=raw.get("answer") or "",
            connection=raw.get("connection") or "",
            stall_ms=raw["stallMs"] if raw.get("stallMs") is not None else _STALL_MS,
            delay_ms=raw.get("delayMs") or 0,
            drop=bool(raw.get("drop")),
            operation=raw.get("operation"),
            when=raw.get("when") or ("effect" if raw.get("after") else "before"),
            token_seconds=raw.get("tokenSeconds"),
            skew=timedelta(seconds=raw.get("skewSeconds") or 0),
            change=raw.get("change"),
            kill=raw.get("kill") or "",
        )

    def error(self, now: Callable[[], datetime]) -> AzureError | None:
        """With a Retry-After if Azure sends one, and with a challenge for a 401."""
        if self.status is None:
            return None
        given: dict[str, str | None] = {"Retry-After": "1"} if self.status in _BUSY else {}
        if self.status == 401:
            given["WWW-Authenticate"] = f'Bearer error="invalid_token", error_description="{self.message}"'
        return AzureError(self.status, self.code, self.message, self.sent(given, now))

    def sent(self, given: Mapping[str, str | None], now: Callable[[], datetime]) -> dict[str, str]:
        """`given`, with what the fault says instead. null leaves a header out, `{now+30}` is a date by the clock."""
        both = {**given, **self.headers}
        return {name: _dated(value, now()) for name, value in both.items() if value is not None}


def _dated(value: str, now: datetime) -> str:
    if not value.startswith(_NOW):
        return value
    return format_datetime(now + timedelta(seconds=int(value.removeprefix(_NOW).rstrip("}") or 0)), usegmt=True)


def _bytes(place: str, text: str | None) -> bytes | None:
    """UTF-8. U+DC80 to U+DCFF are single bytes that are not UTF-8."""
    try:
        return None if text is None else text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise FaultsError(
            f"{place} has half of a character at {error.start}: a single byte is U+DC80 to U+DCFF"
        ) from error


def _check(place: str, raw: Mapping[str, Any], *, may_pass: bool) -> None:
    status, headers = raw.get("status"), raw.get("headers") or {}
    if status is not None and not 200 <= status <= 599:
        raise FaultsError(f"{place}.status {status} is not an HTTP status")
    for key, choices in _CHOICES.items():
        if raw.get(key) not in (None, *choices):
            raise FaultsError(f"{place}.{key} is none of {', '.join(choices)}")
    for key in ("delayMs", "stallMs"):
        if (raw.get(key) or 0) < 0:
            raise FaultsError(f"{place}.{key} is negative")
    _check_headers(f"{place}.headers", headers)
    if raw.get("after") and raw.get("when") not in (None, "effect"):
        raise FaultsError(f'{place} says both after and when: "after": true is "when": "effect"')
    if raw.get("change") is not None:
        _check_change(f"{place}.change", raw["change"])
    _check_does(place, raw, may_pass=may_pass)


def _check_does(place: str, raw: Mapping[str, Any], *, may_pass: bool) -> None:
    """An act that says something must do something."""
    status, headers = raw.get("status"), raw.get("headers") or {}
    if status is None and (raw.get("body") is not None or headers):
        raise FaultsError(f"{place} has a body or headers and no status to send them with")
    if any(raw.get(key) not in (None, False, 0, "") for key in _DOES) or raw.get("tokenSeconds") == 0:
        return
    if not may_pass:
        raise FaultsError(f"{place} does nothing: give it one of {', '.join((*_DOES, 'sequence'))}")
    if raw:
        raise FaultsError(f"{place} does nothing: leave it empty to let the call through")


def _check_headers(place: str, headers: Mapping[str, Any]) -> None:
    for name, value in headers.items():
        if not isinstance(value, str | None):
            raise FaultsError(f"{place} has a value that is no text: {name}")
        if value and value.startswith(_NOW):
            try:
                int(value.removeprefix(_NOW).rstrip("}") or 0)
            except ValueError:
                raise FaultsError(
                    f"{place}.{name} {value} is not {{now}}, {{now+SECONDS}} or {{now-SECONDS}}"
                ) from None


def _check_change(place: str, change: Mapping[str, Any]) -> None:
    if len(change) != 1 or next(iter(change)) not in _CHANGES:
        raise FaultsError(f"{place} is not one of {', '.join(_CHANGES)}, with what it is about")
    kind, about = next(iter(change.items()))
    if kind == "put" and not (isinstance(about, dict) and _is_id(about.get("id"))):
        raise FaultsError(f"{place}.put is not an ARM object with an id, as in a tenant file")
    if kind != "put" and not _is_id(about):
        raise FaultsError(f"{place}.{kind} is not a resource id")


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("/")
