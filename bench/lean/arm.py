"""What a sweep reads of Azure Resource Manager, rendered beforehand by the local Azure's own."""

import json
from collections.abc import Iterator, Mapping

from emulator.arm import routes
from emulator.arm.call import Call
from emulator.clock import Clock
from emulator.ids import ResourcePath
from emulator.made_up import MadeUp
from emulator.rbac import Rbac
from emulator.tenant import Tenant
from emulator.tokens import Caller
from shared.azure.arm import API_VERSIONS

_ML = "Microsoft.MachineLearningServices"
_DIAGNOSTIC_SETTINGS = "Microsoft.Insights/diagnosticSettings"
_OF_WORKSPACES = ("computes", "connections", "datastores")
_OF_SUBSCRIPTIONS = {"locks": {}, "denyAssignments": {}, "roleDefinitions": {"$filter": "type eq 'CustomRole'"}}

type Ask = tuple[str, dict[str, str]]
"""Path and query."""


def rendered(tenant: Tenant, caller: Caller, clock: Clock, made_up: MadeUp) -> dict[str, bytes]:
    """By target, decoded: the answer to each read of a sweep in which nothing is to be changed. All are 200.

    AzureError when the local Azure refuses one of them, with the rights of `caller`.
    """
    arm = routes.build(tenant, Rbac(tenant), clock, made_up, lambda _: None, operation_seconds=0)
    found = {}
    for path, query in _asks(tenant):
        call = Call(
            method="GET",
            path=ResourcePath.parse(path),
            query=query,
            body=None,
            caller=caller,
            correlation_id="",
            base="",
        )
        body = arm.handle(call).body
        if "nextLink" in body:
            raise ValueError(f"{path} has more than one page, which is not known here")
        found[target(path, query)] = json.dumps(body).encode()
    return found


def target(path: str, query: Mapping[str, str]) -> str:
    return "?".join((path, "&".join(f"{name}={value}" for name, value in query.items())))


def _asks(tenant: Tenant) -> Iterator[Ask]:
    for subscription in tenant.subscriptions.values():
        for collection, query in _OF_SUBSCRIPTIONS.items():
            yield _list(subscription["id"], f"Microsoft.Authorization/{collection}", query)
    for workspace in tenant.resources.where("type", f"{_ML}/workspaces".lower()):
        for collection in _OF_WORKSPACES:
            yield f"{workspace['id']}/{collection}", {"api-version": API_VERSIONS[_ML.lower()]}
        yield _list(workspace["id"], _DIAGNOSTIC_SETTINGS)
    for endpoint in tenant.resources.where("type", f"{_ML}/workspaces/onlineEndpoints".lower()):
        yield _list(endpoint["id"], _DIAGNOSTIC_SETTINGS)


def _list(scope: str, collection: str, query: Mapping[str, str] | None = None) -> Ask:
    return f"{scope}/providers/{collection}", {"api-version": API_VERSIONS[collection.lower()], **(query or {})}
