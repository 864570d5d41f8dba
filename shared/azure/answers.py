"""What an answer must be before amlguard believes it. What cannot be an answer of Azure is unknown, never empty.

In recordings of ARM (the tests of the Azure CLI, Azure Service Operator, Cloud Custodian) every resource and every list
is `application/json`, and every 404 of a GET is an object that has `error` or `code`. Gateways answer in other ways.
"""

import json
import math
import re
from collections.abc import Sequence
from typing import Any, NoReturn
from urllib.parse import urljoin, urlsplit

from azure.core.rest import AsyncHttpResponse

from shared.ports import Raw, ReadFailedError

_JSON = re.compile(r"(application|text)/([0-9a-z+.-]+\+)?json", re.IGNORECASE)
# Half of a UTF-16 pair. JSON can spell it, but UTF-8 cannot hold it, so no record and no queue accepts it.
_SPELLED = re.compile(r"\\u[dD][89a-fA-F]")
_REPLACEMENT = "\ufffd"
_PORTS = {"https": 443}
# A list may begin with empty pages that lead on for a while. Nobody waits without end for the first row.
_MOST_EMPTY_PAGES = 20
_MOST_PAGES = 2000


class MalformedAnswerError(ValueError):
    """Nothing can be told from the answer. The message quotes nothing from it."""


def document(answer: AsyncHttpResponse) -> dict[str, Any]:
    """The JSON object of an answer. Raises `ValueError` for anything else."""
    kind = str(answer.headers.get("Content-Type") or "application/json").partition(";")[0].strip()
    if not _JSON.fullmatch(kind):
        raise MalformedAnswerError("the answer says that it is not JSON")
    found = parsed(answer.content)
    if not isinstance(found, dict):
        raise MalformedAnswerError("the answer is not a JSON object")
    return found


def resource(answer: AsyncHttpResponse) -> dict[str, Any]:
    """The resource in the answer.

    Everything that ARM answers for an id has an id. Raises `ValueError` for anything else.
    """
    found = document(answer)
    if not isinstance(found.get("id"), str):
        raise MalformedAnswerError("the answer is not a resource")
    return found


def is_not_there(answer: Any) -> bool:
    """A 404 of Azure's own. A 404 from a gateway says nothing about what exists."""
    if answer.status_code != 404:
        return False
    try:
        return bool({"error", "code"} & document(answer).keys())
    except ValueError:
        return False


def parsed(data: bytes) -> Any:
    """JSON. Half of a UTF-16 pair, which an author may have written anywhere, is replaced. Raises `ValueError`."""
    text = data.decode("utf-8-sig")
    try:
        found = json.loads(text, parse_constant=_no_number, parse_float=_number)
    except RecursionError:
        raise MalformedAnswerError("the answer is nested too deeply") from None
    return _whole(found) if _SPELLED.search(text) else found


def _number(told: str) -> float:
    found = float(told)
    return found if math.isfinite(found) else _no_number(told)


def _no_number(_: str) -> NoReturn:
    raise MalformedAnswerError("NaN and Infinity are not JSON")


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_whole(one) for one in value]
    return {_whole(name): _whole(one) for name, one in value.items()} if isinstance(value, dict) else value


class Pages:
    """One list, page by page. It must come to an end. Otherwise it counts as not read.

    ARM's links lead to ARM itself, some with its port (VictoriaMetrics issue 6912). A link to any other host is not
    followed, because the request would take amlguard's token there.
    """

    def __init__(self, operation: str, endpoint: str) -> None:
        self._operation, self._endpoint = operation, endpoint
        self._led: set[str] = set()
        self._seen: set[str] = set()
        self._in_vain = 0

    def rows(self, page: Raw | None, key: str = "value") -> Sequence[Raw]:
        """Raises `ReadFailedError`."""
        found = page.get(key) if page else None
        wrong = page is not None and bool(page.get("error"))
        if wrong or not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
            raise ReadFailedError(self._operation, "PartialPage", "a page of the answer is missing or malformed")
        ids = {str(row.get("id", row)) for row in found}
        self._in_vain = 0 if ids - self._seen else self._in_vain + 1
        self._seen |= ids
        return found

    def link(self, page: Raw | None, key: str = "nextLink") -> str | None:
        """Where the list continues. Raises `ReadFailedError`."""
        told = self.token(page, key)
        if told is None:
            return None
        link = urljoin(self._endpoint, told)
        if not is_at(self._endpoint, link):
            raise self._wrong("ForeignPage", "its next page is not at Azure Resource Manager")
        return link

    def token(self, page: Raw | None, key: str) -> str | None:
        """What the next request must say. Raises `ReadFailedError` if it leads nowhere."""
        told = page.get(key) if page else None
        if told is None or told == "":
            return None
        if not isinstance(told, str):
            raise self._wrong("PartialPage", "a page of the answer is missing or malformed")
        if told in self._led or self._in_vain > _MOST_EMPTY_PAGES or len(self._led) >= _MOST_PAGES:
            raise self._wrong("EndlessPages", "its pages lead nowhere")
        self._led.add(told)
        return told

    def _wrong(self, code: str, reason: str) -> ReadFailedError:
        return ReadFailedError(self._operation, code, reason)


def is_at(endpoint: str, link: str) -> bool:
    """Whether the link leads to the endpoint's own host."""
    return _host(urljoin(endpoint, link)) == _host(endpoint)


def _host(url: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return "", None, None
