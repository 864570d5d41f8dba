"""The app's own deployment in the local Azure: its identity, its resources, and the roles that `infra/` gives it."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.identity.tokens import Caller
from emulator.roles import as_resource
from emulator.seeded_values import SeededValues
from emulator.tenant import Tenant

type Json = dict[str, Any]

_INFRA = Path(__file__).parents[1] / "infra"
ACCESS = _INFRA / "app_access.json"
_GROUPS = "/providers/Microsoft.Management/managementGroups/"
_DERIVED = _INFRA / "generated" / "derived.json"


class AccessFileError(Exception):
    """The file of the app's role assignments cannot be used."""


@dataclass(frozen=True, slots=True)
class Deployment:
    app: Caller
    rule_resource: str
    """The ARM id of the data collection rule."""
    rule_id: str
    """Its immutable id, which the Logs Ingestion API uses."""
    workspace_resource: str
    workspace_id: str
    """The log workspace's own GUID, which log queries use."""
    storage_resource: str
    topic_resource: str
    insights_resource: str
    insights_key: str
    """Application Insights' instrumentation key.

    It is a name and not a secret, because the component accepts only tokens.
    """


def deploy(
    tenant: Tenant, made_up: SeededValues, access: Path, condition: str | None, watched: Collection[str] | None = None
) -> Deployment:
    """In the tenant's first subscription; `watched` are GUIDs of subscriptions and names of management groups, None for
    all subscriptions.

    `condition` is what the access file's `{condition}` stands for; None for the one that `infra/` deploys.
    """
    group = f"/subscriptions/{next(iter(tenant.subscriptions))}/resourceGroups/amlguard"
    deployment = Deployment(
        app=Caller(made_up.guid("app"), made_up.guid("app client"), "amlguard"),
        rule_resource=f"{group}/providers/Microsoft.Insights/dataCollectionRules/amlguard",
        rule_id="dcr-" + made_up.guid("rule").replace("-", ""),
        workspace_resource=f"{group}/providers/Microsoft.OperationalInsights/workspaces/amlguard",
        workspace_id=made_up.guid("log workspace"),
        storage_resource=f"{group}/providers/Microsoft.Storage/storageAccounts/amlguard",
        topic_resource=f"{group}/providers/Microsoft.EventGrid/topics/amlguard",
        insights_resource=f"{group}/providers/Microsoft.Insights/components/amlguard",
        insights_key=made_up.guid("application insights"),
    )
    _make(tenant, deployment)
    app = deployment.app
    named = {"id": app.object_id, "type": "ServicePrincipal", "displayName": app.name}
    tenant.principals[app.object_id] = named
    looked_at = [f"/subscriptions/{name}" for name in tenant.subscriptions if watched is None or name in watched]
    looked_at += [_GROUPS + one["name"] for one in tenant.management_groups if one["name"].lower() in (watched or ())]
    scopes = {
        "watched": looked_at,
        "changed": looked_at,
        "dataCollectionRule": [deployment.rule_resource],
        "logAnalyticsWorkspace": [deployment.workspace_resource],
        "storageAccount": [deployment.storage_resource],
        "applicationInsights": [deployment.insights_resource],
        "topic": [deployment.topic_resource],
    }
    text = condition or json.loads(_DERIVED.read_text("utf-8"))["condition"]
    _grant(tenant, made_up, app.object_id, _read(access), scopes, text)
    return deployment


def _make(tenant: Tenant, deployment: Deployment) -> None:
    _add(tenant, deployment.rule_resource, {"immutableId": deployment.rule_id})
    _add(tenant, deployment.workspace_resource, {"customerId": deployment.workspace_id})
    account = {"kind": "StorageV2", "sku": {"name": "Standard_LRS", "tier": "Standard"}}
    _add(tenant, deployment.storage_resource, {"allowSharedKeyAccess": False}, **account)
    _add(tenant, deployment.topic_resource, {"inputSchema": "CloudEventSchemaV1_0", "disableLocalAuth": True})
    _add(tenant, deployment.insights_resource, {"DisableLocalAuth": True})


def _read(access: Path) -> Json:
    try:
        document = json.loads(access.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AccessFileError(f"{access}: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("roleAssignments"), list):
        raise AccessFileError(f"{access} holds no roleAssignments")
    return document


def _add(tenant: Tenant, identifier: str, properties: Json, **more: Any) -> None:
    parts = identifier.split("/")
    tenant.resources[identifier.lower()] = {
        "id": identifier,
        "name": parts[-1],
        "type": "/".join(parts[-3:-1]),
        "location": "westeurope",
        "properties": {"provisioningState": "Succeeded", **properties},
        **more,
    }


def _grant(
    tenant: Tenant, made_up: SeededValues, principal: str, access: Json, scopes: dict[str, list[str]], condition: str
) -> None:
    if isinstance(access.get("roleDefinition"), dict):
        own = {"assignableScopes": scopes["watched"], **access["roleDefinition"]}
        tenant.role_definitions[own["name"].lower()] = as_resource(own, "CustomRole")
    roles = {role["properties"]["roleName"]: guid for guid, role in tenant.role_definitions.items()}
    for place, wanted in enumerate(access["roleAssignments"]):
        if wanted.get("role") not in roles or wanted.get("on") not in scopes:
            raise AccessFileError(f"roleAssignments[{place}] names an unknown role or place: {wanted}")
        for scope in scopes[wanted["on"]]:
            name = made_up.guid(f"{wanted['role']} {scope}")
            subscription = "" if scope.startswith(_GROUPS) else "/".join(scope.split("/")[:3])
            role = f"{subscription}/providers/Microsoft.Authorization/roleDefinitions/{roles[wanted['role']]}"
            text = (wanted.get("condition") or "").replace("{condition}", condition)
            identifier = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"
            tenant.role_assignments[identifier.lower()] = {
                "id": identifier,
                "name": name,
                "type": "Microsoft.Authorization/roleAssignments",
                "properties": {
                    "roleDefinitionId": role,
                    "principalId": principal,
                    "principalType": "ServicePrincipal",
                    "scope": scope,
                    **({"condition": text, "conditionVersion": "2.0"} if text else {}),
                },
            }
