"""Answers of Azure as they arrive if something on the way spoils them, and lists that never end."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from emulator.faults.act import PAGES

_JSON, _HTML, _TEXT = "application/json", "text/html", "text/plain"
_PAGE = "<html>\r\n<head><title>Error</title></head>\r\n<body>\r\n<h1>We are not available now</h1></body></html>\r\n"
_MARK = "fault-page"
_TOKENS = ("again", "and-again")


@dataclass(frozen=True, slots=True)
class Spoilt:
    body: bytes
    content_type: str


_WAYS: Mapping[str, Callable[[bytes, str], Spoilt]] = {
    "truncated": lambda body, kind: Spoilt(body[: len(body) // 2], kind),
    "empty": lambda _, kind: Spoilt(b"", kind),
    "null": lambda _, __: Spoilt(b"null", _JSON),
    "list": lambda body, _: Spoilt(b"[" + body + b"]", _JSON),
    "text": lambda body, _: Spoilt(json.dumps(body.decode("utf-8", "replace")).encode(), _JSON),
    "number": lambda _, __: Spoilt(b"7", _JSON),
    "notUtf8": lambda body, kind: Spoilt(body.replace(b'"', b'"\xff', 1), kind),
    "notJson": lambda body, kind: Spoilt(body + b"}", kind),
    "html": lambda _, __: Spoilt(_PAGE.encode(), _HTML),
    "plainText": lambda body, _: Spoilt(body, _TEXT),
}


def spoilt(kind: str, body: bytes, content_type: str) -> Spoilt:
    """As one of `act.SPOILT` says."""
    return _WAYS[kind](body, content_type)


@dataclass(slots=True)
class EndlessPages:
    """Next links that lead to the wrong place. ARM's are URLs, Resource Graph's are tokens in the next question.

    What a token leads to is remembered here, because the local Azure itself does not know it.
    """

    _behind: dict[str, bytes] = field(default_factory=dict)

    def known(self, asked: Any) -> bytes | None:
        """The page that a question to Resource Graph names by a token of this class."""
        options = asked.get("options") if isinstance(asked, Mapping) else None
        token = options.get("$skipToken") if isinstance(options, Mapping) else None
        return self._behind.get(token) if isinstance(token, str) else None

    def spoilt(self, kind: str, body: bytes, url: str) -> bytes:
        """The page in place of the one in `body`, which was asked for by `url`. Unchanged if it is not a list."""
        assert kind in PAGES
        try:
            page = json.loads(body)
        except ValueError:
            return body
        if isinstance(page, dict) and isinstance(page.get("value"), list):
            return json.dumps(_arm(kind, page, url)).encode()
        if isinstance(page, dict) and isinstance(page.get("data"), list):
            return json.dumps(self._graph(kind, page)).encode()
        return body

    def _graph(self, kind: str, page: dict[str, Any]) -> dict[str, Any]:
        first, second = _TOKENS
        if kind == "emptyPage":
            self._behind[first] = json.dumps(page).encode()
            return {**page, "count": 0, "data": [], "$skipToken": first}
        back = first if kind == "pageRepeats" else second
        self._behind[first] = json.dumps({**page, "$skipToken": back}).encode()
        self._behind[second] = json.dumps({**page, "$skipToken": first}).encode()
        return {**page, "$skipToken": first}


def _arm(kind: str, page: dict[str, Any], url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    plain = "&".join(part for part in parts.query.split("&") if part and not part.startswith(_MARK))
    first, second = (
        urlunsplit(parts._replace(query="&".join(filter(None, (plain, mark))))) for mark in ("", f"{_MARK}=2")
    )
    on_second = _MARK in parts.query
    match kind:
        case "pageRepeats":
            return {**page, "nextLink": url}
        case "pagesLoop":
            return {**page, "nextLink": first if on_second else second}
        case _:
            return page if on_second else {"value": [], "nextLink": second}
