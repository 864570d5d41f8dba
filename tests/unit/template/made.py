"""Snapshots as the compiler writes them, small: a workspace, a cluster with an identity, and who may pull."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shared.access.actions import Plan
from shared.access.plan_json import Document
from shared.access.report import Report
from shared.access.scope import Scope
from shared.access.terms import Terms
from shared.azure.built_in_roles import built_in_roles
from shared.policy import Policy
from shared.prepare import prepare
from shared.template.estate import estate
from shared.template.reads import TemplateReads
from shared.template.snapshot import snapshot

type Raw = dict[str, Any]

SUBSCRIPTION = "/subscriptions/aaaaaaaa-0000-4000-8000-000000000001"
GROUP = f"{SUBSCRIPTION}/resourceGroups/rg-demo"
WORKSPACE = f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/demo"
CLUSTER = f"{WORKSPACE}/computes/train"
REGISTRY = f"{GROUP}/providers/Microsoft.ContainerRegistry/registries/crdemo"
STORAGE = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/stdemo"
VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/kv-demo"
IDENTITY = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-train"
ELSEWHERE = f"{SUBSCRIPTION}/resourceGroups/rg-other/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-old"
PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
PUSH = "8311e382-0749-4cb8-b61a-304f252e45ec"
READ_BLOBS = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
OBJECT_ID = "bbbbbbbb-0000-4000-8000-000000000002"
_ROLES = built_in_roles()
_TERMS = Policy().terms()


def resource(scope: str, properties: Raw | None = None, **more: Any) -> Raw:
    at = Scope.parse(scope)
    parts = scope.rpartition("/providers/")[2].split("/")
    kind = "/".join((parts[0], *parts[1::2]))
    return {
        "id": scope,
        "type": kind,
        "name": at.name,
        "apiVersion": "2025-01-01",
        "properties": properties or {},
        **more,
    }


def system() -> Raw:
    return {"identity": {"type": "SystemAssigned"}}


def user(*ids: str) -> Raw:
    return {"identity": {"type": "UserAssigned", "userAssignedIdentities": {one: {} for one in ids or (IDENTITY,)}}}


def registry(**properties: Any) -> Raw:
    return resource(REGISTRY, {"adminUserEnabled": False, **properties})


def workspace(**properties: Any) -> Raw:
    named: Raw = {"storageAccount": STORAGE, "keyVault": VAULT, "containerRegistry": REGISTRY, **properties}
    return resource(WORKSPACE, {name: one for name, one in named.items() if one is not None}, **system())


def cluster(identity: Raw | None = None, **properties: Any) -> Raw:
    return resource(CLUSTER, {"computeType": "AmlCompute", "properties": {}, **properties}, **(identity or user()))


def base() -> list[Raw]:
    """All but the cluster and who may pull."""
    return [
        resource(STORAGE),
        resource(VAULT, {"enableRbacAuthorization": True}),
        registry(),
        workspace(),
        resource(IDENTITY),
    ]


def role(role_id: str, form: str = SUBSCRIPTION) -> str:
    return f"{form}/providers/Microsoft.Authorization/roleDefinitions/{role_id}"


def assigned(principal: str, role_id: str = PULL, at: str = REGISTRY, **more: Any) -> Raw:
    named = f"{at}/providers/Microsoft.Authorization/roleAssignments/{OBJECT_ID[:-1]}f"
    made = {"principalId": principal, "roleDefinitionId": role(role_id)}
    return {
        "id": named,
        "type": "Microsoft.Authorization/roleAssignments",
        "name": "x",
        "apiVersion": "2022-04-01",
        "properties": made,
        **more,
    }


def of_identity(scope: str = IDENTITY) -> str:
    return f"[reference('{scope}', '2023-01-31').principalId]"


def of_system(scope: str) -> str:
    return f"[reference('{scope}', '2025-06-01', 'full').identity.principalId]"


@dataclass(frozen=True, slots=True)
class Outcome:
    document: Document
    plans: Sequence[Plan]
    incomplete: Sequence[str]

    @property
    def missing(self) -> set[tuple[str, str, str]]:
        grants = [*self.document["grants"], *(one["action"] for one in self.document["withheld"])]
        return {(one["principal"], one["roleName"], one["scope"]) for one in grants if "roleName" in one}

    @property
    def unknown(self) -> str:
        return "\n".join(f"{one['resourceId']}: {one['what']}: {one['reason']}" for one in self.document["unknown"])

    def pull(self) -> str:
        """Whether the cluster may pull: held, missing or unknown."""
        if any(what == "AcrPull" for _, what, _ in self.missing):
            return "missing"
        asked = [
            one for one in self.document["unknown"] if one["resourceId"] == CLUSTER and "holds AcrPull" in one["what"]
        ]
        return "unknown" if asked else "held"


def planned(
    resources: Sequence[Raw],
    *,
    identities: Mapping[str, str] | None = None,
    diagnostics: Sequence[Any] = (),
    terms: Terms | None = None,
) -> Outcome:
    """The plan of all workspaces of a snapshot."""
    document = {"predictedResources": list(resources), "diagnostics": list(diagnostics)}
    known = {Scope.parse(name): one for name, one in (identities or {}).items()}
    seen = estate([snapshot(document, "demo.snapshot.json")], known, _ROLES)
    reads = TemplateReads(seen, _ROLES, datetime(2026, 6, 1, tzinfo=UTC), "cccccccc-0000-4000-8000-000000000003")
    report = Report()

    async def all_of_them() -> None:
        for scope in seen.workspaces:
            prepared = await prepare(scope, reads, terms or _TERMS)
            assert prepared
            report.plans.append(prepared.plan)
            report.looked_at.append(scope)

    asyncio.run(all_of_them())
    report.unknown += [*seen.unknown, *reads.not_shown()]
    return Outcome(seen.symbols.told(report.document()), report.plans, seen.incomplete)


def with_pull(*assignments: Raw, identity: Raw | None = None, **more: Any) -> Outcome:
    return planned([*base(), cluster(identity), *assignments], **more)
