"""A Resource Graph request body, checked as Azure checks it, and the skip tokens."""

import base64
import hashlib
import json
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any

from emulator.resource_graph.errors import bad_request
from emulator.resource_graph.tables import ScopeFilter

type Json = dict[str, Any]

_MOST_ROWS = 1000
_MOST_SUBSCRIPTIONS = 1000
_MOST_MANAGEMENT_GROUPS = 10
_GROUPS = "/providers/microsoft.management/managementgroups/"
_OUR_CLUSTERS = ".arg.localhost"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and by whom: a skip token is bound to it. `scopes` are lower-case ids; without any, the tenant."""

    principal_id: str
    query: str
    scopes: tuple[str, ...]
    scope_filter: ScopeFilter

    def fingerprint(self) -> str:
        return hashlib.sha256(json.dumps(astuple(self)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Page:
    size: int
    offset: int
    skip: int | None
    """`$skip`, which replaces the offset, except in a query with `take`."""
    by_token: bool
    as_table: bool


def skip_token(question: Question, offset: int, size: int) -> str:
    """In the form of recorded tokens (azure-cli-extensions, resource-graph, test_skip_token_query)."""
    cluster = f"https://{question.fingerprint()}{_OUR_CLUSTERS}"
    token = json.dumps({"$id": "1", "MaxRows": size, "RowsToSkip": offset, "KustoClusterUrl": cluster}, indent=2)
    return base64.b64encode(token.encode()).decode()


class Request:
    """Every method raises GraphError for what Azure refuses."""

    def __init__(self, body: object, now: datetime) -> None:
        self._now = now
        self._body: Json = self._typed({"body": body}, "body", dict, {})
        self._options: Json = self._typed(self._body, "options", dict, {})

    def question(self, principal_id: str) -> Question:
        query = self._body.get("query")
        if not isinstance(query, str) or not query.strip():
            raise bad_request(self._now, "InvalidQuery", "The query is missing.")
        if self._body.get("facets"):
            raise bad_request(self._now, "InvalidFacets", "Facets are not known here.")
        return Question(principal_id.lower(), query, self._scopes(), self._scope_filter())

    def page(self, question: Question, *, as_table: bool = False) -> Page:
        result_format = self._options.get("resultFormat", "table" if as_table else "objectArray")
        if result_format not in {"objectArray", "table"}:
            raise bad_request(self._now, "InvalidResultFormat", f"'{result_format}' is not a result format.")
        token = self._options.get("$skipToken")
        offset, size = self._unpacked(token, question) if token else (0, _MOST_ROWS)
        return Page(
            size=self._number("$top", 1, _MOST_ROWS) or size,
            offset=offset,
            skip=self._number("$skip", 0, None),
            by_token=bool(token),
            as_table=result_format == "table",
        )

    def _scopes(self) -> tuple[str, ...]:
        subscriptions = self._names("subscriptions", _MOST_SUBSCRIPTIONS)
        groups = self._names("managementGroups", _MOST_MANAGEMENT_GROUPS)
        return tuple(sorted({f"/subscriptions/{s}" for s in subscriptions} | {_GROUPS + g for g in groups}))

    def _names(self, key: str, most: int) -> list[str]:
        names: list[Any] = self._typed(self._body, key, list, [])
        if not all(isinstance(name, str) and name for name in names):
            raise bad_request(self._now, "InvalidRequestBody", f"{key} must be a list of names.")
        if len(names) > most:
            message = f"The number of {key} ({len(names)}) exceeds the limit of {most}."
            raise bad_request(self._now, "TooManyScopes", message)
        return [name.lower() for name in names]

    def _scope_filter(self) -> ScopeFilter:
        wanted = self._options.get("authorizationScopeFilter") or ScopeFilter.AND_BELOW
        for known in ScopeFilter:
            if str(wanted).lower() == known.lower():
                return known
        message = f"'{wanted}' is not an authorization scope filter."
        raise bad_request(self._now, "InvalidAuthorizationScopeFilter", message)

    def _unpacked(self, token: Any, question: Question) -> tuple[int, int]:
        """A token of Azure's own only says where to go on, as recorded. One that was made here is held to its query."""
        try:
            told = json.loads(base64.b64decode(str(token)))
            offset, size, cluster = int(told["RowsToSkip"]), int(told["MaxRows"]), str(told["KustoClusterUrl"])
        except (ValueError, TypeError, KeyError):
            offset = size = -1
            cluster = ""
        of = cluster.removeprefix("https://").removesuffix(_OUR_CLUSTERS)
        foreign = not cluster.endswith(_OUR_CLUSTERS)
        if offset < 0 or not 1 <= size <= _MOST_ROWS or not (foreign or of == question.fingerprint()):
            message = "The skip token is not one of this query and these scopes."
            raise bad_request(self._now, "InvalidSkipToken", message)
        return offset, size

    def _number(self, key: str, least: int, most: int | None) -> int | None:
        value = self._options.get(key)
        if value is None:
            return None
        if type(value) is not int or value < least or (most is not None and value > most):
            limits = f"between {least} and {most}" if most else f"{least} or more"
            raise bad_request(self._now, "InvalidOptions", f"{key} must be {limits}.")
        return value

    def _typed[T](self, holder: Json, key: str, kind: type[T], default: T) -> T:
        value = holder.get(key)
        if value is not None and not isinstance(value, kind):
            raise bad_request(self._now, "InvalidRequestBody", f"{key} is of the wrong type.")
        return default if value is None else value
