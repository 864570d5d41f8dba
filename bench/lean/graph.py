"""Resource Graph for a sweep: answers its few queries from an index instead of interpreting KQL.

Quota, paging and errors are the local Azure's own.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from emulator.clock import Clock
from emulator.errors import AzureError
from emulator.kql.core import Column, Row, Table
from emulator.resource_graph.graph import ResourceGraph
from emulator.resource_graph.request import Question
from emulator.resource_graph.tables import GraphTables, View
from emulator.tenant import Tenant

_END = r" \| project (?P<columns>[\w, ]+) \| order by id asc"
_NAMES = r"""\((?P<{}>(?:'[^']*'|"[^"]*")(?:, (?:'[^']*'|"[^"]*"))*)\)"""
_BY_TYPE = re.compile(r"resources \| where type =~ '(?P<type>[^']*)'" + _END)
_BY_GROUP = re.compile(
    rf"resources \| where type in~ {_NAMES.format('types')} and resourceGroup in~ {_NAMES.format('groups')}{_END}"
)
_ASSIGNED = re.compile(
    r"authorizationresources \| where type =~ 'microsoft\.authorization/roleassignments' "
    r"\| extend parts = split\(tolower\(tostring\(properties\.scope\)\), '/'\) "
    r"\| where array_length\(parts\) < 5 or tostring\(parts\[3\]\) != 'resourcegroups' "
    rf"or tostring\(parts\[4\]\) in {_NAMES.format('groups')}{_END}"
)
_CONTAINERS = re.compile(
    r"resourcecontainers \| where type =~ 'microsoft\.resources/subscriptions/resourcegroups' "
    rf"and name in~ {_NAMES.format('groups')}{_END}"
)
_QUOTED = re.compile(r"""['"]([^'"]*)['"]""")
_ASSIGNMENT = "microsoft.authorization/roleassignments"
_ID, _TYPE, _GROUP, _SUBSCRIPTION = 0, 2, 6, 7
"""The position of these columns in a row of `GraphTables`."""

type Place = tuple[str, str]
"""Subscription and resource group, in lower case. The group is empty for a row about the whole subscription."""


class SweptGraph(ResourceGraph):
    """Raises AzureError 501 for any other query.

    For tenants without management groups in which the caller may read everything.
    """

    def __init__(self, tenant: Tenant, clock: Clock, *, throttles: bool) -> None:
        super().__init__(tenant, lambda _, __: True, clock, throttles=throttles)
        tables, everything = GraphTables(tenant), View((), lambda _: True)
        self._columns, resources = _all(tables.table("resources", everything))
        _, authorization = _all(tables.table("authorizationresources", everything))
        assigned = [row for row in authorization if row[_TYPE] == _ASSIGNMENT]
        if any(not row[_SUBSCRIPTION] for row in assigned):
            raise ValueError("an assignment above the subscriptions is not known here")
        self._by_type = _index(resources, lambda row: str(row[_TYPE]))
        self._by_group = _index(resources, _place)
        self._assigned = _index(assigned, _place)
        _, containers = _all(tables.table("resourcecontainers", everything))
        self._groups = _index((row for row in containers if row[_GROUP]), _place)

    def run(self, question: Question, now: datetime) -> Table:  # noqa: ARG002 - no answer depends on it
        if found := _BY_TYPE.fullmatch(question.query):
            rows = self._by_type.get(found["type"].lower(), [])
            if question.scopes:
                rows = [row for row in rows if row[_SUBSCRIPTION] == _subscription(question)]
        elif found := _BY_GROUP.fullmatch(question.query):
            types, places = set(_quoted(found["types"])), _places(question, _quoted(found["groups"]))
            rows = [row for place in places for row in self._by_group.get(place, ()) if row[_TYPE] in types]
        elif found := _ASSIGNED.fullmatch(question.query):
            places = [(_subscription(question), ""), *_places(question, _quoted(found["groups"]))]
            rows = [row for place in places for row in self._assigned.get(place, ())]
        elif found := _CONTAINERS.fullmatch(question.query):
            places = _places(question, _quoted(found["groups"]))
            rows = [row for place in places for row in self._groups.get(place, ())]
        else:
            raise AzureError(501, "NotImplemented", f"No sweep is known to ask this query: {question.query}")
        return self._projected(sorted(rows, key=_id), found["columns"].split(", "))

    def _projected(self, rows: Sequence[Row], names: Sequence[str]) -> Table:
        at = [next(i for i, column in enumerate(self._columns) if column.name == name) for name in names]
        return Table(tuple(self._columns[i] for i in at), [[row[i] for i in at] for row in rows])


def _all(table: Table | None) -> tuple[Sequence[Column], Sequence[Row]]:
    if table is None:
        raise LookupError("the local Azure's Resource Graph lacks a table")
    return table.columns, table.rows


def _index[K](rows: Iterable[Row], key: Callable[[Row], K]) -> dict[K, list[Row]]:
    found: dict[K, list[Row]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found


def _place(row: Row) -> Place:
    return str(row[_SUBSCRIPTION]), str(row[_GROUP])


def _places(question: Question, groups: Iterable[str]) -> list[Place]:
    return [(_subscription(question), group) for group in dict.fromkeys(groups)]


def _subscription(question: Question) -> str:
    (scope,) = question.scopes
    return scope.rpartition("/")[2]


def _quoted(text: str) -> list[str]:
    return [name.lower() for name in _QUOTED.findall(text)]


def _id(row: Row) -> str:
    return str(row[_ID])
