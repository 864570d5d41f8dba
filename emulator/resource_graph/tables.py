"""The tables of Azure Resource Graph as rows over the tenant.

Which types `resources` has:
https://learn.microsoft.com/azure/governance/resource-graph/reference/supported-tables-resources
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import Any

from emulator.ids import ROOT, guid_at_end, key_of
from emulator.kql.core import Column, Row, Table
from emulator.kql.values import Type
from emulator.tenant import Tenant

type Json = dict[str, Any]

_COLUMNS = (
    *(Column(name, Type.STRING) for name in ("id", "name", "type", "tenantId", "kind", "location")),
    *(Column(name, Type.STRING) for name in ("resourceGroup", "subscriptionId", "managedBy")),
    *(Column(name, Type.DYNAMIC) for name in ("sku", "plan", "properties", "tags", "identity", "zones")),
    Column("extendedLocation", Type.DYNAMIC),
)
_ML = "microsoft.machinelearningservices/workspaces/"
_TRACKED = frozenset(
    _ML + child
    for child in (
        *("onlineendpoints", "batchendpoints", "serverlessendpoints"),
        *("onlineendpoints/deployments", "batchendpoints/deployments"),
    )
)
_ELSEWHERE = (
    "microsoft.resources/subscriptions",
    "microsoft.resources/deployments",
    "microsoft.authorization/",
    "microsoft.management/",
)
# The same as in ARM's lists of them.
_WITHOUT_CONFIGURATION = ("microsoft.web/sites", "microsoft.web/sites/slots")
_GROUPS = "/providers/Microsoft.Management/managementGroups/"


class ScopeFilter(StrEnum):
    """Which authorization objects are seen from the queried subscriptions and management groups."""

    AND_BELOW = "AtScopeAndBelow"
    AND_ABOVE = "AtScopeAndAbove"
    ABOVE_AND_BELOW = "AtScopeAboveAndBelow"
    EXACT = "AtScopeExact"


@dataclass(frozen=True, slots=True)
class View:
    """What one query sees. `scopes` are lower-case scope ids, empty for the whole tenant."""

    scopes: tuple[str, ...]
    can_read: Callable[[str], bool]
    scope_filter: ScopeFilter = ScopeFilter.AND_BELOW


class GraphTables:
    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant
        self._rows: dict[str, tuple[Json, Row | None]] = {}

    def table(self, name: str, view: View) -> Table | None:
        """None for a table that does not exist here. Names are compared without regard to case."""
        if name.lower() == "authorizationresources":
            return Table(_COLUMNS, list(self._authorization(view)))
        rows = {"resources": self._resources, "resourcecontainers": self._containers}.get(name.lower())
        return None if rows is None else Table(_COLUMNS, list(rows(view)), lambda row: view.can_read(row[0]))

    def any_readable(self, view: View) -> bool:
        """Whether the caller may read a scope of the view, or anything inside."""
        rows = chain(self._containers(view), self._resources(view))
        return any(map(view.can_read, view.scopes)) or any(view.can_read(row[0]) for row in rows)

    def _resources(self, view: View) -> Iterator[Row]:
        covered = self._covered_subscriptions(view.scopes)
        for known in sorted(self._tenant.resources.values_of("type")):
            type_ = known.lower()
            if (type_.startswith(_ML) and type_ not in _TRACKED) or type_.startswith(_ELSEWHERE):
                continue
            for raw in self._tenant.resources.where("type", known):
                row = self._resource(type_, raw)
                if row is not None and (covered is None or row[7] in covered):
                    yield row

    def _resource(self, type_: str, raw: Json) -> Row | None:
        """The row, made once for as long as the store has this very object."""
        known = self._rows.get(raw["id"])
        if known is None or known[0] is not raw:
            known = self._rows[raw["id"]] = raw, self._tracked(type_, raw)
        return known[1]

    def _tracked(self, type_: str, raw: Json) -> Row | None:
        """Tracked child types have a location of their own. Extensions of other resources are never tracked."""
        parts = raw["id"].split("/")
        extension = [part.lower() for part in parts[1::2]].count("providers") > 1
        child = type_.count("/") > 1 and type_ not in _TRACKED and not raw.get("location")
        if extension or child or len(parts) < 5 or parts[1].lower() != "subscriptions":
            return None
        group = parts[4] if parts[3].lower() == "resourcegroups" else None
        if type_ in _WITHOUT_CONFIGURATION:
            raw = {**raw, "properties": {**(raw.get("properties") or {}), "siteConfig": None}}
        return self._row(raw, type_, parts[2], group)

    def _row(self, raw: Json, type_: str, subscription: str | None, group: str | None) -> Row:
        return (
            raw["id"],
            str(raw.get("name") or raw["id"].rpartition("/")[2]),
            type_,
            self._tenant.tenant_id,
            _text(raw.get("kind")),
            _text(raw.get("location")).replace(" ", "").lower(),
            _text(group).lower(),
            _text(subscription).lower(),
            _text(raw.get("managedBy")),
            *(raw.get(name) for name in ("sku", "plan", "properties", "tags", "identity", "zones")),
            raw.get("extendedLocation"),
        )

    def _covered_subscriptions(self, scopes: Collection[str]) -> set[str] | None:
        """Those at or below the scopes. None means all."""
        if not scopes:
            return None
        contains, every = self._tenant.hierarchy.contains, self._tenant.subscriptions
        return {name for name in every if any(contains(scope, f"/subscriptions/{name}") for scope in scopes)}

    def _containers(self, view: View) -> Iterator[Row]:
        covered = self._covered_subscriptions(view.scopes)
        for row in (*self._subscriptions(), *self._resource_groups()):
            if covered is None or row[7] in covered:
                yield row
        contains = self._tenant.hierarchy.contains
        for row in self._management_groups():
            if not view.scopes or any(contains(scope, row[0]) for scope in view.scopes):
                yield row

    def _subscriptions(self) -> Iterator[Row]:
        for name, raw in self._tenant.subscriptions.items():
            ancestors = self._tenant.hierarchy.lineage(f"/subscriptions/{name}")[1:-1]
            chain = [{"name": guid_at_end(scope), "displayName": guid_at_end(scope)} for scope in ancestors]
            properties = {
                "state": raw.get("state"),
                "managementGroupAncestorsChain": chain,
                **(raw.get("properties") or {}),
            }
            shown = {"id": raw["id"], "name": raw.get("displayName"), "tags": raw.get("tags"), "properties": properties}
            yield self._row(shown, "microsoft.resources/subscriptions", name, None)

    def _resource_groups(self) -> Iterator[Row]:
        for key in sorted(self._tenant.resources.values_of("group")):
            parts = key.split("/")
            if len(parts) == 5 and parts[3] == "resourcegroups":
                raw = self._tenant.resources.get(key) or self._implied_group(key)
                yield self._row(raw, "microsoft.resources/subscriptions/resourcegroups", parts[2], raw["name"])

    def _implied_group(self, key: str) -> Json:
        """A group that the tenant file does not list, cased as its resources write it."""
        resource = next(self._tenant.resources.where("group", key))
        identifier = "/".join(resource["id"].split("/")[:5])
        return {"id": identifier, "name": identifier.rpartition("/")[2], "location": resource.get("location")}

    def _management_groups(self) -> Iterator[Row]:
        for group in self._tenant.management_groups:
            parent = group.get("parent")
            details = {"parent": {"name": guid_at_end(parent)}} if parent else {}
            name = guid_at_end(group["name"])
            properties = {"displayName": group.get("displayName", name), "details": details}
            raw = {"id": _GROUPS + group["name"], "name": group["name"], "properties": properties}
            yield self._row(raw, "microsoft.management/managementgroups", None, None)

    def _authorization(self, view: View) -> Iterator[Row]:
        for raw in self._tenant.role_assignments.values():
            scope = key_of(raw["properties"]["scope"])
            if self._shows(view, [scope]) and self._may_see(view, raw, scope):
                yield self._authorization_row(raw, scope)
        for raw in self._tenant.role_definitions.values():
            properties = raw.get("properties") or {}
            scopes = [key_of(scope) for scope in properties.get("assignableScopes") or [ROOT]]
            if ROOT in scopes or self._shows(view, scopes):
                yield self._authorization_row(raw, scopes[0])

    def _authorization_row(self, raw: Json, scope: str) -> Row:
        parts = scope.split("/")
        subscription = parts[2] if len(parts) > 2 and parts[1] == "subscriptions" else None
        group = parts[4] if len(parts) > 4 and parts[3] == "resourcegroups" else None
        return self._row({"location": "global", **raw}, _type_of(raw), subscription, group)

    def _shows(self, view: View, held_at: Iterable[str]) -> bool:
        contains, wanted = self._tenant.hierarchy.contains, view.scope_filter
        below = wanted in {ScopeFilter.AND_BELOW, ScopeFilter.ABOVE_AND_BELOW}
        above = wanted in {ScopeFilter.AND_ABOVE, ScopeFilter.ABOVE_AND_BELOW}
        return any(
            held == scope or (below and contains(scope, held)) or (above and contains(held, scope))
            for held in held_at
            for scope in view.scopes or (ROOT,)
        )

    def _may_see(self, view: View, raw: Json, scope: str) -> bool:
        """Whoever may read assignments at a queried scope also sees there what is inherited from above."""
        contains = self._tenant.hierarchy.contains
        inherited = [queried for queried in view.scopes if queried != scope and contains(scope, queried)]
        places = [raw["id"], *(f"{at}/providers/{raw['type']}/{raw['name']}" for at in inherited)]
        return any(view.can_read(place) for place in places)


def _type_of(raw: Json) -> str:
    return str(raw["type"]).lower()


def _text(value: Any) -> str:
    return "" if value is None else str(value)
