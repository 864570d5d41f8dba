"""Azure Resource Graph: KQL over what the caller may read, in pages, within a quota.

https://learn.microsoft.com/azure/governance/resource-graph/concepts/paging-results
https://learn.microsoft.com/azure/governance/resource-graph/concepts/guidance-for-throttled-requests
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from emulator.clock import Clock
from emulator.history import History
from emulator.kql.core import Dialect, Environment, Row, Table
from emulator.kql.errors import KqlError
from emulator.kql.evaluate import operators_of, run
from emulator.kql.values import Type, timespan_text, to_dynamic
from emulator.resource_graph.errors import access_denied, refused, throttled
from emulator.resource_graph.request import Json, Page, Question, Request, skip_token
from emulator.resource_graph.tables import GraphTables, View
from emulator.tenant import Tenant

_QUOTA = 15
_WIDE_QUOTA = 1000 * _QUOTA
_WINDOW = 5.0
_KEPT_RESULTS = 16

# The subset of KQL that Resource Graph accepts:
# https://learn.microsoft.com/azure/governance/resource-graph/concepts/query-language#supported-kql-language-elements
DIALECT = Dialect(
    "Azure Resource Graph",
    operators=frozenset(
        {"count", "distinct", "extend", "join", "mv-expand", "order", "project", "project-away"}
        | {"summarize", "take", "top", "union", "where"}
    ),
    join_kinds=frozenset({"innerunique", "inner", "leftouter", "fullouter"}),
    default_table="resources",
    lets=False,
    most_joins=3,
    most_expansions=3,
    expansion_rows=128,
    most_expansion_rows=2000,
)
_TABLE_TYPES = {
    Type.BOOL: "boolean",
    Type.DATETIME: "datetime",
    Type.DYNAMIC: "object",
    Type.INT: "integer",
    Type.LONG: "integer",
    Type.REAL: "number",
}


class ResourceGraph:
    """`can_read(principal_id, resource_id)` says whether the caller may see a row.

    With `throttles` a caller has 15 queries in 5 seconds of real time; else so many that it never waits. By the
    `history`, it sees changes late.
    """

    def __init__(
        self,
        tenant: Tenant,
        can_read: Callable[[str, str], bool],
        clock: Clock | None = None,
        *,
        throttles: bool = True,
        seconds: Callable[[], float] = time.monotonic,
        history: History | None = None,
    ) -> None:
        self._tenant = tenant
        self._tables = GraphTables(tenant)
        self._history = history
        self._can_read = can_read
        self._clock = clock or Clock()
        self._quotas = _Quotas(seconds, _QUOTA if throttles else _WIDE_QUOTA)
        self._results: OrderedDict[Question, Table] = OrderedDict()

    def query(self, principal_id: str, body: object, *, as_table: bool = False) -> tuple[Json, dict[str, str]]:
        """The answer to a `POST …/resources` body and its quota headers. Raises GraphError for what Azure refuses.

        `as_table` is what the body may say otherwise.
        """
        now = self._clock.now()
        headers = self._quotas.spend(principal_id.lower(), now)
        request = Request(body, now)
        question = request.question(principal_id)
        page = request.page(question, as_table=as_table)
        table = self._results.get(question) if page.by_token else None
        if table is None:
            table = self.run(question, now)
            self._keep(question, table)
        return _answer(table, question, page), headers

    def run(self, question: Question, now: datetime) -> Table:
        """All rows. A stand-in for a single client may know a quicker way."""

        def can_read(resource_id: str) -> bool:
            return self._can_read(question.principal_id, resource_id)

        known = self._history.in_graph() if self._history else self._tenant
        tables = self._tables if known is self._tenant else GraphTables(known)
        view = View(question.scopes, can_read, question.scope_filter)
        environment = Environment(lambda name: tables.table(name, view), now, DIALECT)
        try:
            table = run(question.query, environment)
        except KqlError as error:
            raise refused(now, error) from error
        if not table.rows and question.scopes and not tables.any_readable(view):
            raise access_denied(now)
        return table

    def _keep(self, question: Question, table: Table) -> None:
        """For the next pages: they all show the tenant as it was for the first page."""
        self._results[question] = table
        self._results.move_to_end(question)
        while len(self._results) > _KEPT_RESULTS:
            self._results.popitem(last=False)


def _answer(table: Table, question: Question, page: Page) -> Json:
    """`resultTruncated` is only said of rows to which no skip token leads."""
    offset = page.offset if page.skip is None or _takes(question) else page.skip
    rows = table.rows[offset : offset + page.size]
    end = offset + len(rows)
    more = end < len(table.rows)
    pageable = more and table.index("id") is not None and not _takes(question)
    answer: Json = {
        "totalRecords": len(table.rows),
        "count": len(rows),
        "data": _as_table(table, rows) if page.as_table else _as_objects(table, rows),
        "facets": [],
        "resultTruncated": "true" if more and not pageable else "false",
    }
    if pageable:
        answer["$skipToken"] = skip_token(question, end, page.size)
    return answer


def _takes(question: Question) -> bool:
    return "take" in operators_of(question.query)


def _as_objects(table: Table, rows: Sequence[Row]) -> list[Json]:
    names = [column.name for column in table.columns]
    return [dict(zip(names, map(to_dynamic, row), strict=True)) for row in rows]


def _as_table(table: Table, rows: Sequence[Row]) -> Json:
    columns = [{"name": c.name, "type": _TABLE_TYPES.get(c.type, "string")} for c in table.columns]
    return {"columns": columns, "rows": [list(map(to_dynamic, row)) for row in rows]}


class _Quotas:
    """A caller's window opens with its first query and closes five seconds later."""

    def __init__(self, seconds: Callable[[], float], quota: int) -> None:
        self._seconds = seconds
        self._quota = quota
        self._windows: dict[str, tuple[float, int]] = {}

    def spend(self, caller: str, now: datetime) -> dict[str, str]:
        started, spent = self._windows.get(caller, (0.0, 0))
        at = self._seconds()
        if not spent or at - started >= _WINDOW:
            started, spent = at, 0
        if spent == self._quota:
            raise throttled(now, self._headers(started, spent))
        self._windows[caller] = started, spent + 1
        return self._headers(started, spent + 1)

    def _headers(self, started: float, spent: int) -> dict[str, str]:
        left = math.ceil(started + _WINDOW - self._seconds())
        return {
            "x-ms-user-quota-remaining": str(self._quota - spent),
            "x-ms-user-quota-resets-after": timespan_text(timedelta(seconds=left)),
        }
