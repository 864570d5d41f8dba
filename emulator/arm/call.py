"""One call of Azure Resource Manager and its answer, free of HTTP."""

import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from emulator.arm.manners import Manner
from emulator.errors import AzureError
from emulator.identity.tokens import Caller
from emulator.ids import ResourcePath
from emulator.names import encoded

type Json = dict[str, Any]
type Finish = Callable[[str], None]
"""What happens when an operation ends. It gets the end: Succeeded, Failed or Canceled."""

PAGE = 100


@dataclass(frozen=True, slots=True)
class Call:
    method: str
    path: ResourcePath
    query: Mapping[str, str]
    """Names in lower case, because ARM ignores their case."""
    body: Any
    """Parsed JSON. None if the request has no body."""
    caller: Caller
    correlation_id: str
    base: str
    """The scheme and authority under which the caller reaches ARM."""
    ends: str | None = None
    """The end that a fault sets for the operation that this call begins."""

    @property
    def url(self) -> str:
        return f"{self.base}{encoded(self.path.text)}?{urlencode(self.query)}"

    @property
    def api_version(self) -> str:
        return self.query["api-version"]

    def object_body(self) -> Json:
        """Refuses with 400 if the body is not a JSON object, or its properties or tags are not."""
        body = self.body
        if not isinstance(body, dict) or not all(
            isinstance(body.get(key), dict | None) for key in ("properties", "tags")
        ):
            message = "The request content was invalid and could not be deserialized."
            raise AzureError(400, "InvalidRequestContent", message)
        return body


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    finish: Finish | None = None
    """What must happen when the operation that this answer began is done. None if it is done already."""
    manner: Manner | None = None
    """How the type answers this write. Not needed for what is done at once and gives no headers."""
    created: bool = False
    """The answer is about something new. The status does not say so."""
    said: Any = None
    """What its operation has to say when it is done, where that is not the resource. Of an action it is the body."""


def page(call: Call, items: Iterable[Json]) -> Answer:
    """The page of a list that the call asks for, with the link to the next one."""
    everything = list(items)
    size = _number(call.query.get("$top"), PAGE)
    start = _offset(call.query.get("$skiptoken"))
    body: Json = {"value": everything[start : start + size]}
    if start + size < len(everything):
        token = base64.urlsafe_b64encode(str(start + size).encode()).decode()
        query = {**call.query, "$skiptoken": token}
        query["$skipToken"] = query.pop("$skiptoken")
        body["nextLink"] = f"{call.base}{encoded(call.path.text)}?{urlencode(query)}"
    return Answer(200, body)


def _number(text: str | None, default: int) -> int:
    if text is None:
        return default
    if not text.isdecimal() or not 0 < int(text) <= 1000:
        raise AzureError(400, "InvalidTopQueryString", f"The value '{text}' of $top must be between 1 and 1000.")
    return int(text)


def _offset(token: str | None) -> int:
    try:
        return int(base64.urlsafe_b64decode(token or "MA==").decode())
    except ValueError:
        raise AzureError(400, "InvalidSkipToken", f"The skip token '{token}' is invalid.") from None
