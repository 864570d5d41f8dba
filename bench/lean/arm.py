"""Azure Resource Manager: the local Azure renders each answer once, and this looks it up when it is asked again."""

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from emulator.arm import routes
from emulator.arm.call import Answer, Call
from emulator.clock import Clock
from emulator.errors import AzureError
from emulator.identity.rbac import Rbac
from emulator.identity.tokens import Caller
from emulator.ids import ResourcePath
from emulator.seeded_values import SeededValues
from emulator.tenant import Tenant
from shared.azure.arm import API_VERSIONS

_ML = "Microsoft.MachineLearningServices"
_DIAGNOSTIC_SETTINGS = "Microsoft.Insights/diagnosticSettings"
_ROLE_ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"
_OF_WORKSPACES = ("computes", "connections", "datastores", "environments")
_OF_SUBSCRIPTIONS = {"locks": {}, "denyAssignments": {}, "roleDefinitions": {"$filter": "type eq 'CustomRole'"}}

type Ask = tuple[str, dict[str, str]]
"""The path with the query."""


class RememberedArm:
    """Answers what a sweep asks in a tenant in which nothing must change.

    If `live`, answers everything, changes included.

    What a sweep asks, and what an event asks if `live`, is rendered in advance with the rights of `caller`.
    """

    def __init__(self, tenant: Tenant, caller: Caller, clock: Clock, made_up: SeededValues, *, live: bool) -> None:
        """Raises AzureError if the local Azure refuses what is rendered in advance."""
        self._arm = routes.build(tenant, Rbac(tenant), clock, made_up, lambda _: None, operation_seconds=0)
        self._caller, self._live = caller, live
        self._known: dict[str, bytes] = {}
        for path, query in (*_asked_by_sweeps(tenant), *(_asked_by_events(tenant) if live else ())):
            self._read(path, query)

    def answer(self, method: str, target: str, body: Any) -> tuple[int, bytes]:
        """Status and JSON. Raises AzureError for what ARM refuses, and 501 for what it does not know."""
        text = unquote(target)
        known = self._known.get(text) if method == "GET" else None
        if known is not None:
            return 200, known
        if not self._live:
            raise AzureError(501, "NotImplemented", f"No sweep is known to ask {method} {target}")
        path, _, query = text.partition("?")
        if method == "GET":
            return 200, self._read(path, dict(parse_qsl(query)))
        answer = self._handle(method, path, dict(parse_qsl(query)), body)
        self._forget(path, body)
        return answer.status, json.dumps(answer.body).encode()

    def _read(self, path: str, query: Mapping[str, str]) -> bytes:
        body = self._handle("GET", path, query, None).body
        if "nextLink" in body:
            raise ValueError(f"{path} has more than one page, which is not known here")
        target = "?".join((path, "&".join(f"{name}={value}" for name, value in query.items())))
        self._known[target] = found = json.dumps(body).encode()
        return found

    def _handle(self, method: str, path: str, query: Mapping[str, str], body: Any) -> Answer:
        call = Call(
            method=method,
            path=ResourcePath.parse(path),
            query={name.lower(): value for name, value in query.items()},
            body=body,
            caller=self._caller,
            correlation_id="",
            base="",
        )
        return self._arm.handle(call)

    def _forget(self, path: str, body: Any) -> None:
        """Forgets all answers of the resource group. For a role assignment, only the lists that contain it."""
        group, grants = "/".join(path.split("/")[:5]) + "/", _ROLE_ASSIGNMENTS in path
        principal = str(body["properties"]["principalId"]) if grants and body else None
        for target in [one for one in self._known if not grants or _ROLE_ASSIGNMENTS in one]:
            if target.startswith(group) or (principal and principal in target):
                del self._known[target]


def _asked_by_sweeps(tenant: Tenant) -> Iterator[Ask]:
    for subscription in tenant.subscriptions.values():
        for collection, query in _OF_SUBSCRIPTIONS.items():
            yield _list(subscription["id"], f"Microsoft.Authorization/{collection}", query)
    for workspace in tenant.resources.where("type", f"{_ML}/workspaces".lower()):
        for collection in _OF_WORKSPACES:
            yield f"{workspace['id']}/{collection}", {"api-version": API_VERSIONS[_ML.lower()]}
        yield _list(workspace["id"], _DIAGNOSTIC_SETTINGS)
    for endpoint in tenant.resources.where("type", f"{_ML}/workspaces/onlineEndpoints".lower()):
        yield _list(endpoint["id"], _DIAGNOSTIC_SETTINGS)


def _asked_by_events(tenant: Tenant) -> Iterator[Ask]:
    """What events ask in the bench's tenants: a workspace, its resource group, its dependencies, and the grants."""
    for kind in (f"{_ML}/workspaces", "Microsoft.ContainerRegistry/registries", "Microsoft.Storage/storageAccounts"):
        version = {"api-version": API_VERSIONS[kind.lower().partition("/")[0]]}
        for resource in tenant.resources.where("type", kind.lower()):
            yield resource["id"], version
    for workspace in tenant.resources.where("type", f"{_ML}/workspaces".lower()):
        group = workspace["id"].partition("/providers/")[0]
        yield f"{workspace['id']}/onlineEndpoints", {"api-version": API_VERSIONS[_ML.lower()]}
        yield group, {"api-version": API_VERSIONS["microsoft.resources"]}
        yield _list(group, _ROLE_ASSIGNMENTS)
    for compute in tenant.resources.where("type", f"{_ML}/workspaces/computes".lower()):
        subscription = "/".join(compute["id"].split("/")[:3])
        principal = compute["identity"]["principalId"]
        yield _list(subscription, _ROLE_ASSIGNMENTS, {"$filter": f"assignedTo('{principal}')"})


def _list(scope: str, collection: str, query: Mapping[str, str] | None = None) -> Ask:
    return f"{scope}/providers/{collection}", {"api-version": API_VERSIONS[collection.lower()], **(query or {})}
