"""A local ARM without HTTP: `Azure(document)` and short ways to ask it."""

import uuid
from typing import Any
from urllib.parse import parse_qsl

from emulator.arm import routes
from emulator.arm.call import Answer, Call
from emulator.clock import Clock
from emulator.errors import AzureError
from emulator.identity.rbac import Rbac
from emulator.identity.tokens import Caller
from emulator.ids import ResourcePath
from emulator.seeded_values import SeededValues
from emulator.tenant import Tenant

SUB = "/subscriptions/aaaaaaaa-0000-0000-0000-000000000001"
RG = f"{SUB}/resourceGroups/rg"
WORKSPACE = f"{RG}/providers/Microsoft.MachineLearningServices/workspaces/mlw"
REGISTRY = f"{RG}/providers/Microsoft.ContainerRegistry/registries/regml"
STORAGE = f"{RG}/providers/Microsoft.Storage/storageAccounts/sto"
VAULT = f"{RG}/providers/Microsoft.KeyVault/vaults/kvml"
UAI = f"{RG}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/uai"

ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
BLOB_READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
RBAC_ADMINISTRATOR = "f58310d9-a9f6-439a-9e8d-f62e7b41a168"

OPERATOR = Caller("00000000-0000-0000-0000-00000000aaaa", "operator", "Operator", "User", operator=True)


def principal(number: int) -> str:
    return f"99999999-0000-0000-0000-{number:012}"


def resource(identifier: str, **more: Any) -> dict[str, Any]:
    required = (
        {"sku": {"name": "Basic"}} if identifier.rpartition("/")[0].endswith("ContainerRegistry/registries") else {}
    )
    return {"id": identifier, "location": "westeurope", "properties": {}, **required, **more}


def held(scope: str, role: str, to: str, **properties: Any) -> dict[str, Any]:
    name = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{scope}{role}{to}"))
    role_id = f"/providers/Microsoft.Authorization/roleDefinitions/{role}"
    return {
        "id": f"{scope.rstrip('/')}/providers/Microsoft.Authorization/roleAssignments/{name}",
        "name": name,
        "properties": {"scope": scope, "roleDefinitionId": role_id, "principalId": to, **properties},
    }


class Azure:
    """Everything of ARM below HTTP; `events` holds what Event Grid would hear."""

    def __init__(self, document: dict[str, Any] | None = None, *, operation_seconds: float = 0.01) -> None:
        self.tenant = Tenant(document)
        self.clock = Clock()
        self.events: list[dict[str, Any]] = []
        made_up = SeededValues(7)
        self.arm = routes.build(
            self.tenant,
            Rbac(self.tenant),
            self.clock,
            made_up,
            self.events.append,
            operation_seconds=operation_seconds,
        )

    def ask(self, method: str, target: str, body: Any = None, *, caller: Caller = OPERATOR) -> Answer:
        path, _, query = target.partition("?")
        asked = {name.lower(): value for name, value in parse_qsl(query)}
        call = Call(method, ResourcePath.parse(path), asked, body, caller, "correlation", "https://127.0.0.1:1")
        return self.arm.handle(call)

    def refusal(self, method: str, target: str, body: Any = None, *, caller: Caller = OPERATOR) -> AzureError:
        """The error with which ARM refuses; fails when it does not."""
        try:
            answer = self.ask(method, target, body, caller=caller)
        except AzureError as error:
            return error
        raise AssertionError(f"{method} {target} answered {answer.status}")

    def assign(
        self, scope: str, role: str, to: str, *, name: str | None = None, caller: Caller = OPERATOR, **properties: Any
    ) -> Answer:
        return self.ask("PUT", assignment_url(scope, name), assignment(role, to, **properties), caller=caller)

    def assignments(self, scope: str, *, filter_: str = "") -> list[dict[str, Any]]:
        query = f"&$filter={filter_}" if filter_ else ""
        url = f"{scope.rstrip('/')}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01{query}"
        items: list[dict[str, Any]] = self.ask("GET", url).body["value"]
        return items

    def roles_of(self, to: str, scope: str) -> set[str]:
        """The GUIDs of the roles that `to` holds at exactly this scope."""
        return {
            item["properties"]["roleDefinitionId"].rpartition("/")[2]
            for item in self.tenant.role_assignments.values()
            if item["properties"]["principalId"] == to and item["properties"]["scope"].lower() == scope.lower()
        }


def caller(object_id: str) -> Caller:
    return Caller(object_id, object_id, "someone")


def assignment_url(scope: str, name: str | None = None) -> str:
    name = name or str(uuid.uuid4())
    return f"{scope.rstrip('/')}/providers/Microsoft.Authorization/roleAssignments/{name}?api-version=2022-04-01"


def assignment(role: str, to: str, **properties: Any) -> dict[str, Any]:
    role_id = f"{SUB}/providers/Microsoft.Authorization/roleDefinitions/{role}"
    return {"properties": {"roleDefinitionId": role_id, "principalId": to, **properties}}
