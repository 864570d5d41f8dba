"""A tenant for tests of scopes: workspaces in nested management groups, in groups with like names, on one registry.

    TENANT ─ company ─┬─ ml ──┬─ A: rg/one, rg-prod/prod, empty
             │        │       └─ ml-prod ─ B: far/nested (on the registry of `one`)
             │        └─ others ─ C: elsewhere/other (its cluster is `shared/runner`)
             └─ closed ─ D: shut/closed                      E: of another tenant

Every workspace's cluster lacks AcrPull on the registry.
"""

from dataclasses import dataclass

from held import held
from local_azure import LocalAzure
from tenants import READER, Json, Tenant, child, group_id, oid, system_assigned, user_assigned

A, B, C, D, E = (f"{letter * 8}-0000-4000-8000-000000000000" for letter in "abcde")
UNKNOWN = "99999999-0000-4000-8000-000000000000"
RG, PROD, EMPTY = group_id("rg", A), group_id("rg-prod", A), group_id("empty", A)
SHARED, FAR, ELSEWHERE, SHUT = group_id("shared", A), group_id("far", B), group_id("elsewhere", C), group_id("shut", D)
POLICY = f"""mode: enforce
contested_after: 1000
trust: {{allow: [{SHARED}]}}
rules: {{registry-admin-user: {{enabled: false}}, compute-settings: {{enabled: false}}}}
"""


def management_group(name: str) -> str:
    return f"/providers/Microsoft.Management/managementGroups/{name}"


def workspace(group: str, name: str) -> str:
    return child(group, "Microsoft.MachineLearningServices/workspaces", name)


HOMES = {"one": RG, "prod": PROD, "nested": FAR, "other": ELSEWHERE, "closed": SHUT}
WORKSPACES = {name: workspace(group, name) for name, group in HOMES.items()}
FOREIGN = workspace(group_id("abroad", E), "foreign")
READABLE = (*WORKSPACES.values(), FOREIGN)
REGISTRY = child(SHARED, "Microsoft.ContainerRegistry/registries", "acrshared")
RUNNER = child(SHARED, "Microsoft.ManagedIdentity/userAssignedIdentities", "runner")


def storage(name: str) -> str:
    return child(HOMES[name], "Microsoft.Storage/storageAccounts", f"st{name}")


def registry(name: str) -> str:
    shared = name in {"one", "nested"}
    return REGISTRY if shared else child(HOMES[name], "Microsoft.ContainerRegistry/registries", f"acrml{name}")


def leads_to(name: str) -> set[str]:
    """What the workspace leads to, and who else uses its registry."""
    neighbours = {WORKSPACES[other] for other in HOMES if registry(other) == registry(name)}
    return {WORKSPACES[name], storage(name), registry(name), *neighbours, *({RUNNER} if name == "other" else ())}


def principal(name: str) -> str:
    """Of the workspace's cluster."""
    return oid(RUNNER) if name == "other" else oid(name)


def _document() -> Json:
    tenant = Tenant()
    tenant.registry(SHARED, "acrshared", admin=True)
    runner = tenant.uai(SHARED, "runner")
    for name, group in HOMES.items():
        if registry(name) != REGISTRY:
            tenant.registry(group, f"acrml{name}")
        tenant.storage(group, f"st{name}")
        made = tenant.workspace(group, name, containerRegistry=registry(name), storageAccount=storage(name))
        identity = user_assigned(runner) if name == "other" else system_assigned(name)
        tenant.compute(made, "cluster", identity=identity)
    tenant.workspace(group_id("abroad", E), "foreign")
    tenant.add({"id": f"/subscriptions/{E}", "subscriptionId": E, "tenantId": oid("another tenant")})
    tenant.storage(EMPTY, "stidle")
    tenant.management_group("company")
    tenant.management_group("ml", A, parent="company")
    tenant.management_group("ml-prod", B, parent="ml")
    tenant.management_group("others", C, parent="company")
    tenant.management_group("closed", D)
    return tenant.document()


@dataclass(frozen=True)
class World:
    azure: LocalAzure

    def restore(self) -> None:
        """Takes back what was granted."""
        for one in held(self.azure, map(principal, HOMES)):
            self.azure.delete(one["id"])
        self.azure.forget_requests()

    def changed(self) -> set[str]:
        """Workspaces whose clusters hold something now."""
        holding = {one["properties"]["principalId"] for one in held(self.azure, map(principal, HOMES))}
        return {name for name in HOMES if principal(name) in holding}

    def strays(self, allowed: set[str], *, lists: tuple[str, ...] = ()) -> list[str]:
        """What the app asked that neither lies in `allowed` nor is above any of it, and rows it was shown that do.

        `lists` below workspaces may be read of all, to find out who uses something, and workspaces be shown.
        """
        asked = [one for one in self.azure.asked() if one["caller"] == self.azure.app]
        looked = [one for one in asked if not (one["method"] == "GET" and _is_search(_path(one), lists))]
        arm = [
            path
            for path in map(_path, looked)
            if path.lower().startswith(("/subscriptions/", "/providers/microsoft.management"))
        ]
        graph = [one["resourceGraph"] for one in asked if "resourceGraph" in one]
        known = {one.lower() for one in READABLE} if lists else set()
        shown = [row for one in graph for row in one["rows"] if row.lower() not in known]
        shown += [f"/subscriptions/{name}" for one in graph for name in one["subscriptions"]]
        return [path for path in (*arm, *shown) if not any(_related(_subject(path), one) for one in allowed)]


def searches(scope: str) -> tuple[str, ...]:
    """The lists below workspaces that have to be read to find who uses the scope: nothing else tells (ADR 23)."""
    kind = scope.lower().partition("/providers/")[2].rpartition("/")[0]
    return {
        "microsoft.containerregistry/registries": ("connections", "onlineEndpoints", "environments"),
        "microsoft.storage/storageaccounts": ("datastores", "connections"),
        "microsoft.managedidentity/userassignedidentities": ("computes", "onlineEndpoints", "connections"),
    }.get(kind, ())


def _path(asked: Json) -> str:
    return str(asked["path"]).partition("?")[0]


def _is_search(path: str, lists: tuple[str, ...]) -> bool:
    return path.lower() in {f"{one}/{name}".lower() for one in READABLE for name in lists}


def _subject(path: str) -> str:
    """What a list or an extension resource is asked of."""
    before, _, after = path.lower().rpartition("/providers/")
    extension = after.startswith("microsoft.authorization/") or (after.count("/") == 1 and before)
    return before if extension else path.lower()


def _related(one: str, other: str) -> bool:
    mine, theirs = one.lower().strip("/").split("/"), other.lower().strip("/").split("/")
    shorter = min(len(mine), len(theirs))
    return mine[:shorter] == theirs[:shorter]


def begin(azure: LocalAzure) -> World:
    """The app reads `company` and what is below it; of `closed` it reads the subscription only."""
    name = "00000000-0000-4000-8000-0000000000aa"
    path = f"{management_group('company')}/providers/Microsoft.Authorization/roleAssignments/{name}"
    role = f"/providers/Microsoft.Authorization/roleDefinitions/{READER}"
    azure.put(path, {"properties": {"roleDefinitionId": role, "principalId": azure.app}})
    return World(azure)


DOCUMENT = _document()
