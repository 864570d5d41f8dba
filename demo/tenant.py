"""What exists before the story begins: a workspace from 2023, another team's registry, and the policy."""

import uuid

from demo import places
from demo.roles import role_definition_id
from emulator import tenant_builder as build
from emulator.tenant_builder import Json

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
    held = [
        # hourly: holds everything through a group that has its roles on the resource group
        _assignment(GROUP, "Reader", places.group("forecast"), "Group"),
        _assignment(GROUP, "Storage Blob Data Reader", places.group("forecast"), "Group"),
        # weekly: somebody granted the images and forgot the data
        _assignment(_principal("weekly"), "AcrPull", places.FORECAST_REGISTRY),
        _assignment(_principal("forecast"), "Contributor", places.group("forecast")),
        _assignment(_principal("forecast"), "Storage Blob Data Contributor", places.FORECAST_STORE),
    ]
    people = [
        {"id": GROUP, "type": "Group", "displayName": GROUP_NAME},
        {"id": SOMEBODY, "type": "User", "displayName": "Somebody"},
    ]
    return build.tenant_file(
        TENANT_ID,
        [*_forecast(), *_dependencies()],
        roleAssignments=held,
        groups={GROUP: [_principal("hourly")]},
        principals=people,
    )


def _dependencies() -> list[Json]:
    """What the teams have prepared for the workspaces that they will create."""
    return [
        *(build.storage(one) for one in (places.VISION_STORE, places.FRAUD_STORE, places.PROMO_STORE)),
        *(build.vault(one, TENANT_ID) for one in (places.VISION_VAULT, places.FRAUD_VAULT, places.PROMO_VAULT)),
        build.component(places.VISION_INSIGHTS),
        _registry(places.VISION_REGISTRY),
        _registry(places.FRAUD_REGISTRY, abac=True),
        _registry(places.PAYMENTS_REGISTRY, admin=True),
    ]


def _forecast() -> list[Json]:
    made = build.workspace(
        places.FORECAST,
        _identity("forecast"),
        storageAccount=places.FORECAST_STORE,
        keyVault=places.FORECAST_VAULT,
        containerRegistry=places.FORECAST_REGISTRY,
        systemDatastoresAuthMode="identity",
    )
    return [
        build.storage(places.FORECAST_STORE),
        build.vault(places.FORECAST_VAULT, TENANT_ID),
        _registry(places.FORECAST_REGISTRY, admin=True),
        made | {"systemData": {"createdAt": _BEFORE, "createdByType": "User"}},
        _cluster(places.WEEKLY, "weekly"),
        _cluster(places.HOURLY, "hourly"),
    ]


def _principal(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.forecast.example"))


def _identity(name: str) -> Json:
    return build.system_assigned(_principal(name), TENANT_ID)


def _registry(identifier: str, *, admin: bool = False, abac: bool = False) -> Json:
    return build.registry(identifier, admin=admin, abac=abac, sku="Premium", creationDate=_BEFORE)


def _cluster(identifier: str, name: str) -> Json:
    workspace, _, compute = identifier.rpartition("/computes/")
    when = {"createdOn": _BEFORE, "modifiedOn": _BEFORE}
    return build.compute(workspace, compute, identity=_identity(name), vmSize="STANDARD_D4S_V3", **when)


def _assignment(principal: str, role: str, scope: str, kind: str = "ServicePrincipal") -> Json:
    guid = role_definition_id(role).rpartition("/")[2]
    when = {"createdOn": _BEFORE, "updatedOn": _BEFORE}
    return build.role_assignment(scope, principal, guid, kind=kind, by=SOMEBODY, **when)
