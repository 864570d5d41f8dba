"""Faults on demand: which calls fail, how and how often."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from emulator.errors import AzureError

_KEYS = {"method": str, "path": str, "status": int, "code": str, "message": str, "times": int, "delayMs": int}
_KEYS |= {"caller": str, "drop": bool, "html": bool, "operation": str, "after": bool, "body": str, "headers": dict}
_ENDS = ("Succeeded", "Failed", "Canceled")


class FaultsError(ValueError):
    """The list of faults cannot be used; the message names the place in it."""


@dataclass(slots=True)
class Fault:
    """Answers matching calls with `status` (or closes the connection, or only delays them), `times` times.

    `html`: as a gateway answers. `operation`: a matching PATCH begins a long-running operation, and this one, or that
    which any other write begins, ends so. `after`: the call has its effect first. `body` is sent as it stands, as UTF-8
    (U+DC80 to U+DCFF are single bytes that are none), `headers` instead of those that the answer would have.
    """

    path: re.Pattern[str]
    method: str | None
    caller: str | None
    status: int | None
    code: str
    message: str
    times: int | None
    delay_ms: int
    drop: bool
    html: bool
    operation: str | None
    after: bool
    body: bytes | None
    headers: dict[str, str]

    @classmethod
    def parse(cls, place: int, raw: Any) -> Self:
        if not isinstance(raw, dict):
            raise FaultsError(f"faults[{place}] is not an object")
        for key, value in raw.items():
            if key not in _KEYS:
                raise FaultsError(f"faults[{place}].{key} is unknown; known: {', '.join(_KEYS)}")
            if value is not None and type(value) is not _KEYS[key]:
                raise FaultsError(f"faults[{place}].{key} is not a {_KEYS[key].__name__}")
        try:
            path = re.compile(raw.get("path") or "", re.IGNORECASE)
        except re.error as error:
            raise FaultsError(f"faults[{place}].path is not a regular expression: {error}") from error
        _check_answer(f"faults[{place}]", raw)
        return cls(
            path,
            (raw.get("method") or "").upper() or None,
            (raw.get("caller") or "").lower() or None,
            raw.get("status"),
            raw.get("code") or "InternalServerError",
            raw.get("message") or "The server encountered an internal error. Please retry the request.",
            raw.get("times"),
            raw.get("delayMs") or 0,
            bool(raw.get("drop")),
            bool(raw.get("html")),
            raw.get("operation"),
            bool(raw.get("after")),
            _bytes(f"faults[{place}].body", raw.get("body")),
            raw.get("headers") or {},
        )

    def error(self) -> AzureError | None:
        if self.status is None:
            return None
        headers = {"Retry-After": "1"} if self.status in (429, 503) else {}
        return AzureError(self.status, self.code, self.message, headers | self.headers)


def _bytes(place: str, text: str | None) -> bytes | None:
    try:
        return None if text is None else text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise FaultsError(
            f"{place} has half of a character at {error.start}: a single byte is U+DC80 to U+DCFF"
        ) from error


def _check_answer(place: str, raw: Mapping[str, Any]) -> None:
    status, headers = raw.get("status"), raw.get("headers") or {}
    if status is not None and not 200 <= status <= 599:
        raise FaultsError(f"{place}.status {status} is not an HTTP status")
    if raw.get("operation") not in (None, *_ENDS):
        raise FaultsError(f"{place}.operation is none of {', '.join(_ENDS)}")
    if not all(isinstance(value, str) for value in headers.values()):
        raise FaultsError(f"{place}.headers has a value that is no text")
    if status is None and (raw.get("body") is not None or headers):
        raise FaultsError(f"{place} has a body or headers and no status to send them with")
    if status is None and not any(raw.get(key) for key in ("drop", "delayMs", "operation")):
        raise FaultsError(f"{place} does nothing: give it a status, drop, delayMs or operation")


class Faults:
    def __init__(self, raw: Any = ()) -> None:
        self.replace(raw)

    @classmethod
    def load(cls, file: Path | None) -> Self:
        if file is None:
            return cls()
        try:
            return cls(json.loads(file.read_text(encoding="utf-8-sig")))
        except OSError as error:
            raise FaultsError(f"{file}: {error.strerror}") from error
        except ValueError as error:
            raise FaultsError(f"{file}: {error}") from error

    def replace(self, raw: Any) -> None:
        if not isinstance(raw, list | tuple):
            raise FaultsError("faults are a JSON list")
        self._faults = [Fault.parse(place, item) for place, item in enumerate(raw)]

    def strike(self, method: str, path: str, caller: str) -> Iterator[Fault]:
        """Every fault that hits this call, used up once, until one that answers it."""
        for fault in self._faults:
            if (
                fault.times != 0
                and fault.method in (None, method)
                and fault.caller in (None, caller.lower())
                and fault.path.search(path)
            ):
                if fault.times is not None:
                    fault.times -= 1
                yield fault
                if fault.status is not None or fault.drop:
                    return
