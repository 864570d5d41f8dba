"""What exists before the story begins: a workspace from 2023, another team's registry, and the policy."""

import uuid
from typing import Any

from demo import places
from demo.roles import role_definition_id

type Json = dict[str, Any]

TENANT_ID = "22222222-2222-4222-8222-222222222222"
SETTLE_MINUTES = 15
GROUP = "33333333-3333-4333-8333-333333333333"
GROUP_NAME = "ml-jobs"
SOMEBODY = "44444444-4444-4444-8444-444444444444"
_BEFORE = "2023-05-04T09:00:00.0000000Z"

POLICY = f"""\
mode: enforce
settle_minutes: {SETTLE_MINUTES}
trust:
  boundary: resource_group
  allow: [{places.group("shared-ml")}]
rules:
  AML-04: {{enabled: true}}
  AML-06: {{enabled: true}}
  # Audits that this story leaves out: managed networks, SSH accounts, who scores, traffic logs, who attached what.
  managed-network: {{enabled: false}}
  compute-settings: {{enabled: false}}
  endpoint-scorers: {{enabled: false}}
  endpoint-traffic-logs: {{enabled: false}}
  identity-attached-by: {{enabled: false}}
"""


def tenant() -> Json:
    """The content of the tenant file."""
    return {
        "tenantId": TENANT_ID,
        "resources": [*_forecast(), *_dependencies()],
        "roleAssignments": [
            # hourly: holds everything through a group that has its roles on the resource group
            _assignment(GROUP, "Group", "Reader", places.group("forecast")),
            _assignment(GROUP, "Group", "Storage Blob Data Reader", places.group("forecast")),
            # weekly: somebody granted the images and forgot the data
            _assignment(_principal("weekly"), "ServicePrincipal", "AcrPull", places.FORECAST_REGISTRY),
            _assignment(_principal("forecast"), "ServicePrincipal", "Contributor", places.group("forecast")),
            _assignment(
                _principal("forecast"), "ServicePrincipal", "Storage Blob Data Contributor", places.FORECAST_STORE
            ),
        ],
        "groups": {GROUP: [_principal("hourly")]},
        "principals": [
            {"id": GROUP, "type": "Group", "displayName": GROUP_NAME},
            {"id": SOMEBODY, "type": "User", "displayName": "Somebody"},
        ],
    }


def _dependencies() -> list[Json]:
    """What the teams have prepared for the workspaces that they will create."""
    return [
        *(_resource(one) for one in (places.VISION_STORE, places.FRAUD_STORE, places.PROMO_STORE)),
        *(_vault(one) for one in (places.VISION_VAULT, places.FRAUD_VAULT, places.PROMO_VAULT)),
        _resource(places.VISION_INSIGHTS),
        _registry(places.VISION_REGISTRY, admin_user=False),
        _registry(places.FRAUD_REGISTRY, admin_user=False, mode="AbacRepositoryPermissions"),
        _registry(places.PAYMENTS_REGISTRY),
    ]


def _forecast() -> list[Json]:
    return [
        _resource(places.FORECAST_STORE),
        _vault(places.FORECAST_VAULT),
        _registry(places.FORECAST_REGISTRY),
        _resource(
            places.FORECAST,
            {
                "storageAccount": places.FORECAST_STORE,
                "keyVault": places.FORECAST_VAULT,
                "containerRegistry": places.FORECAST_REGISTRY,
                "systemDatastoresAuthMode": "identity",
            },
            _principal("forecast"),
        )
        | {"systemData": {"createdAt": _BEFORE}},
        _cluster(places.WEEKLY, _principal("weekly")),
        _cluster(places.HOURLY, _principal("hourly")),
    ]


def _principal(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.forecast.example"))


def _resource(identifier: str, properties: Json | None = None, principal: str | None = None) -> Json:
    body: Json = {
        "id": identifier,
        "location": "westeurope",
        "properties": {"provisioningState": "Succeeded", **(properties or {})},
    }
    if principal:
        body["identity"] = {"type": "SystemAssigned", "principalId": principal, "tenantId": TENANT_ID}
    return body


def _vault(identifier: str) -> Json:
    return _resource(identifier, {"tenantId": TENANT_ID, "enableRbacAuthorization": True})


def _registry(identifier: str, *, admin_user: bool = True, mode: str = "LegacyRegistryPermissions") -> Json:
    name = identifier.rpartition("/")[2]
    properties = {
        "loginServer": f"{name}.azurecr.io",
        "creationDate": _BEFORE,
        "adminUserEnabled": admin_user,
        "roleAssignmentMode": mode,
    }
    return _resource(identifier, properties) | {"sku": {"name": "Premium", "tier": "Premium"}}


def _cluster(identifier: str, principal: str) -> Json:
    properties = {"computeType": "AmlCompute", "createdOn": _BEFORE, "properties": {"vmSize": "STANDARD_D4S_V3"}}
    return _resource(identifier, properties, principal)


def _assignment(principal: str, kind: str, role: str, scope: str) -> Json:
    return {
        "properties": {
            "scope": scope,
            "roleDefinitionId": places.SUBSCRIPTION + role_definition_id(role),
            "principalId": principal,
            "principalType": kind,
            "createdOn": _BEFORE,
            "updatedOn": _BEFORE,
            "createdBy": SOMEBODY,
            "updatedBy": SOMEBODY,
        }
    }
