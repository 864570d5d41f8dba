"""What Azure Machine Learning does by itself, and where it stops.

It grants roles only when something is created through the API, only to system-assigned identities, and only on what
exists by then. It makes a workspace's registry, with the admin user on, when the first job needs one.
"""

import uuid
from collections.abc import Mapping
from typing import Any

from emulator.arm.announcer import Announcer
from emulator.arm.behaviour import Behaviour, Plain
from emulator.arm.role_assignments import RoleAssignments
from emulator.arm.store import ResourceStore
from emulator.clock import Clock
from emulator.errors import AzureError
from emulator.identity.tokens import Caller
from emulator.ids import ResourcePath, key_of
from emulator.seeded_values import SeededValues
from emulator.tenant import Tenant

type Json = dict[str, Any]

_TYPE = "microsoft.machinelearningservices/workspaces"
_ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
_AI_ADMINISTRATOR = "b78c5d69-af96-48a3-bf8d-a8b4d589de94"
_BLOB_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
_BLOB_READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
_METRICS_WRITER = "635dd51f-9968-44d3-b7fb-6d9a6bd613ae"
# learn.microsoft.com/azure/templates/microsoft.machinelearningservices/workspaces/jobs (2025-12-01)
_JOB_TYPES = ("AutoML", "Command", "Pipeline", "Spark", "Sweep")
_FIRST_PARTY_APP = "0736f41a-0425-4b46-bdb5-1563eff02385"


class AzureMachineLearning:
    """AML's own service principal at work."""

    def __init__(
        self,
        tenant: Tenant,
        clock: Clock,
        made_up: SeededValues,
        store: ResourceStore,
        role_assignments: RoleAssignments,
        announcer: Announcer,
    ) -> None:
        self._tenant = tenant
        self._clock = clock
        self._made_up = made_up
        self._store = store
        self._role_assignments = role_assignments
        self._announcer = announcer
        self.caller = Caller(made_up.guid("azure machine learning"), _FIRST_PARTY_APP, "Azure Machine Learning")

    def behaviours(self) -> Mapping[str, Behaviour]:
        return {
            _TYPE: _Workspace(self),
            f"{_TYPE}/computes": _Compute(self, self._clock),
            f"{_TYPE}/onlineendpoints": _OnlineEndpoint(self),
            f"{_TYPE}/batchendpoints": _BatchEndpoint(),
            f"{_TYPE}/jobs": _Job(self),
        }

    def workspace_of(self, resource: Json) -> Json:
        return self._tenant.resources[key_of("/".join(resource["id"].split("/")[:9]))]

    def dependency(self, workspace: Json, name: str) -> str | None:
        """The id of a resource that the workspace names, if it exists."""
        identifier = (workspace.get("properties") or {}).get(name)
        return identifier if identifier and key_of(identifier) in self._tenant.resources else None

    def exists(self, identifier: str) -> bool:
        return key_of(identifier) in self._tenant.resources

    def grant(self, resource: Json, role: str, scope: str | None) -> None:
        """Grants to the resource's system-assigned identity, unless it has none or the scope does not exist."""
        principal = (resource.get("identity") or {}).get("principalId")
        if not principal or scope is None or self._role_assignments.holds(scope, principal, role):
            return
        name = self._made_up.guid(f"{scope} {principal} {role}")
        path = ResourcePath.parse(f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}")
        properties = {"principalId": principal, "roleDefinitionId": role, "principalType": "ServicePrincipal"}
        self._role_assignments.create(path, properties, self.caller)
        self._announce(path, "Microsoft.Authorization/roleAssignments/write")

    def make_registry(self, workspace: Json) -> None:
        """As the first job does if the workspace has no registry."""
        if (workspace.get("properties") or {}).get("containerRegistry"):
            return
        group = "/".join(workspace["id"].split("/")[:5])
        name = uuid.uuid5(uuid.NAMESPACE_URL, key_of(workspace["id"])).hex
        path = ResourcePath.parse(f"{group}/providers/Microsoft.ContainerRegistry/registries/{name}")
        body = {
            "location": workspace.get("location"),
            "sku": {"name": "Standard", "tier": "Standard"},
            "tags": {},
            "properties": {"adminUserEnabled": True},
        }
        self._store.replace(path, body, self.caller)
        self._announce(path, "Microsoft.ContainerRegistry/registries/write")
        here = ResourcePath.parse(workspace["id"])
        self._store.merge(here, {"properties": {"containerRegistry": path.text}}, self.caller)
        self._announce(here, "Microsoft.MachineLearningServices/workspaces/write")

    def _announce(self, path: ResourcePath, operation: str) -> None:
        evidence = {
            "role": "Azure Machine Learning",
            "principalId": self.caller.object_id.replace("-", ""),
            "principalType": "ServicePrincipal",
        }
        self._announcer.announce(path, operation, self.caller, evidence, self._made_up.another("correlation"))


class _Workspace(Behaviour):
    keeps_when_replaced = ("containerRegistry", "storageAccount", "keyVault", "applicationInsights")

    def __init__(self, aml: AzureMachineLearning) -> None:
        self._aml = aml

    def settled(self, resource: Json, *, created: bool) -> None:
        if created:
            group = "/".join(resource["id"].split("/")[:5])
            if (resource.get("properties") or {}).get("allowRoleAssignmentOnRG") is not False:
                self._aml.grant(resource, _AI_ADMINISTRATOR, group)
            self._aml.grant(resource, _BLOB_CONTRIBUTOR, self._aml.dependency(resource, "storageAccount"))


class _Compute(Behaviour):
    def __init__(self, aml: AzureMachineLearning, clock: Clock) -> None:
        self._aml = aml
        self._clock = clock

    def shaped(self, resource: Json, before: Json | None, caller: Caller) -> Json:
        del caller
        now = self._clock.now().strftime("%Y-%m-%dT%H:%M:%S.%f0+00:00")
        created = ((before or {}).get("properties") or {}).get("createdOn", now)
        properties = {**(resource.get("properties") or {}), "createdOn": created, "modifiedOn": now}
        return {**resource, "properties": properties}

    def settled(self, resource: Json, *, created: bool) -> None:
        if created:
            workspace = self._aml.workspace_of(resource)
            self._aml.grant(resource, _ACR_PULL, self._aml.dependency(workspace, "containerRegistry"))


class _OnlineEndpoint(Behaviour):
    identity_comes_late = True
    identity_is_fixed = True

    def __init__(self, aml: AzureMachineLearning) -> None:
        self._aml = aml

    def settled(self, resource: Json, *, created: bool) -> None:
        if created:
            workspace = self._aml.workspace_of(resource)
            self._aml.grant(resource, _ACR_PULL, self._aml.dependency(workspace, "containerRegistry"))
            self._aml.grant(resource, _BLOB_READER, self._aml.dependency(workspace, "storageAccount"))
            self._aml.grant(resource, _METRICS_WRITER, workspace["id"])


class _BatchEndpoint(Behaviour):
    identity_is_fixed = True


class _Job(Plain):
    newest_first = True

    def __init__(self, aml: AzureMachineLearning) -> None:
        self._aml = aml

    def shaped(self, resource: Json, before: Json | None, caller: Caller) -> Json:
        """A job without `computeId` runs on serverless compute. A compute that a job names must exist."""
        del before, caller
        properties = resource.get("properties") or {}
        if properties.get("jobType") not in _JOB_TYPES:
            raise AzureError(400, "UserError", f"The job type must be one of {', '.join(_JOB_TYPES)}.")
        compute = properties.get("computeId")
        if compute and "/computes/" in compute.lower() and not self._aml.exists(compute):
            raise AzureError(400, "UserError", f"The compute '{compute}' was not found.")
        return resource

    def settled(self, resource: Json, *, created: bool) -> None:
        if created:
            self._aml.make_registry(self._aml.workspace_of(resource))
