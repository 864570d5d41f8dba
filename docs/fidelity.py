"""docs/fidelity.md: every type of request that amlguard sends, and what is known of Azure's answer to it.

tests/answers holds the answers. A request's type is its method, the template of its path, the filter and the
api-version. Two tests hold the list to what amlguard really sends.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

type Json = dict[str, Any]

_FOLDER = Path(__file__).parents[1] / "tests" / "answers"
# These extend any scope, so the scope says nothing about the type.
_EXTENSIONS = ("microsoft.authorization/", "microsoft.insights/diagnosticsettings")
_WORDS = ("add", "remove", "web")  # in a name's place, but Azure's own words
_QUOTED = re.compile(r"'[^']*'")
# The local Azure serves Logs Ingestion below this.
_INGESTION = "/ingestion/"

_PAGE = """\
# What amlguard asks of Azure, and how its answers are known

<!-- Generated from tests/answers by `make docs`. -->

Every type of request that amlguard sends. `{{scope}}` is a resource, a resource group, a subscription or a management
group. tests/answers holds an answer for each type, and `tests/unit/azure/test_recorded_answers.py` reads each through
amlguard's own clients. Every local Azure of the tests checks, when it stops, that amlguard sent it nothing that is not
in this list. Each row has a test (`sentBy`) in which amlguard still sends it.

- **recorded**: what the real Azure answered to a real client, and in which api-version.
- **example**: an example of Microsoft's REST API specifications.
- **published type**: Microsoft's type of that api-version, to which its own compiler holds the answer
  (`tests/unit/azure/test_recorded_answers.py`). Nobody here has seen Azure answer it.
- **page**: a page of Microsoft's documentation.

{recorded} of the {all} types have a recorded answer, {documented} a documented one.

| request | api-version | answer |
| --- | --- | --- |
"""
_EMPTY = """
## Of which no filled list can be had

| request | api-version | what is known |
| --- | --- | --- |
"""
_NONE = """
## Of which no answer can be had

| request | api-version | why |
| --- | --- | --- |
"""
_END = """
## Besides

The storage account (state, policy and the work queue) is asked through Microsoft's storage SDKs. In tests it is
Azurite, Microsoft's own emulator of it. Tokens come from azure-identity, and events go to a topic through
azure-eventgrid. Where a long write is followed, Azure says (`operationStatuses`, `operationResults`).
"""


@dataclass(frozen=True)
class Known:
    """One answer of tests/answers. `path` has the query. `sent_by` is the file of tests in which amlguard sends it.

    `lacks` is there if Azure was never seen to answer with more than an empty list.
    """

    method: str
    path: str
    source: str
    status: int
    answer: Any
    headers: Mapping[str, str]
    read: Any
    recorded_in: str | None
    sent_by: str
    lacks: str

    @property
    def type(self) -> str:
        return request_type(self.method, self.path)


@dataclass(frozen=True)
class Unknown:
    """A type of request without an answer. `path` has the query."""

    method: str
    path: str
    why: str
    sent_by: str

    @property
    def type(self) -> str:
        return request_type(self.method, self.path)


def request_type(method: str, url: str) -> str:
    """`METHOD template?filter version`, in lower case but for the method."""
    parts = urlsplit(url)
    query = {name.lower(): value for name, value in parse_qsl(parts.query)}
    asked = f"?$filter={_filter(query['$filter'])}" if "$filter" in query else ""
    return f"{method} {_template(unquote(parts.path).lower())}{asked} {query.get('api-version', '-')}".replace(
        " -", "", 1
    )


def _filter(text: str) -> str:
    """Which principal a filter names says nothing about the type. Which type of role or resource does."""
    return _QUOTED.sub("'{}'", text) if "assignedTo" in text else text


def _template(path: str) -> str:
    path = "/" + path.removeprefix(_INGESTION).removeprefix("/")
    if path.startswith(("/providers/microsoft.resourcegraph/", "/metadata/")):
        return path
    if path.startswith("/v1/"):
        return f"/v1{_named(path.removeprefix('/v1'))}"
    head, found, tail = path.rpartition("/providers/")
    if not found:
        return _named(path)
    namespace, *rest = tail.split("/")
    kind = f"{namespace}/{rest[0] if rest else ''}"
    scope = "{scope}" if kind.startswith(_EXTENSIONS) else _named(head)
    return f"{scope}/providers/{namespace}{_named('/' + '/'.join(rest))}"


def _named(path: str) -> str:
    """Names become `{}`."""
    parts = path.strip("/").split("/") if path.strip("/") else []
    return "".join(f"/{part if at % 2 == 0 or part in _WORDS else '{}'}" for at, part in enumerate(parts))


@cache
def known() -> tuple[Known, ...]:
    rows = [row for file in sorted(_FOLDER.glob("*.json")) for row in json.loads(file.read_text("utf-8"))]
    return tuple(
        Known(
            row["method"],
            row["path"],
            row["source"],
            row["answer"]["status"],
            row["answer"]["body"],
            row["answer"].get("headers", {}),
            row.get("read"),
            row.get("recordedIn"),
            row["sentBy"],
            row.get("lacks", ""),
        )
        for row in rows
        if "answer" in row
    )


@cache
def unknown() -> tuple[Unknown, ...]:
    rows = [row for file in sorted(_FOLDER.glob("*.json")) for row in json.loads(file.read_text("utf-8"))]
    return tuple(Unknown(row["method"], row["path"], row["why"], row["sentBy"]) for row in rows if "why" in row)


def listed(by: str | None = None) -> frozenset[str]:
    """The types of the page, or those of them that a file of tests shows to be sent."""
    rows: list[Known | Unknown] = [*known(), *unknown()]
    return frozenset(one.type for one in rows if by in (None, one.sent_by))


def page() -> str:
    types = {one.type for one in known()}
    recorded = {one.type for one in known() if one.recorded_in}
    counts = {"all": len(listed()), "recorded": len(recorded), "documented": len(types - recorded)}
    rows = "".join(_row(one.method, one.path, _source(one)) for one in _ordered(known()))
    empty = "".join(_row(one.method, one.path, one.lacks) for one in _ordered(known()) if one.lacks)
    without = "".join(_row(one.method, one.path, one.why) for one in _ordered(unknown()))
    return _PAGE.format(**counts) + rows + _EMPTY + empty + _NONE + without + _END


def _ordered[T: (Known, Unknown)](rows: Iterable[T]) -> list[T]:
    return sorted(rows, key=lambda one: (one.type.partition(" ")[2], one.method))


def _source(one: Known) -> str:
    kind, _, what = one.source.partition(": ")
    return f"**{kind}**: {what}" + (f" ({one.recorded_in})" if one.recorded_in else "")


def _row(method: str, path: str, told: str) -> str:
    _, template, version = _shown(method, path)
    return f"| `{method} {template}` | {version} | {told} |\n"


def _shown(method: str, path: str) -> tuple[str, str, str]:
    """As `request_type`, in Azure's spelling."""
    kind = request_type(method, path)
    spelled = {word.lower(): word for word in re.split(r"[/?]", urlsplit(path).path)}
    template, _, version = kind.partition(" ")[2].rpartition(" ")
    template, asked, rest = template.partition("?")
    return method, "/".join(spelled.get(word, word) for word in template.split("/")) + asked + rest, version
