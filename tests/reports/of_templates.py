"""What Microsoft's quickstart templates for AML make, as far as it matters here, once they are deployed.

Azure/azure-quickstart-templates, quickstarts/microsoft.machinelearningservices, read on 2026-11-28. Their registries
have the admin user on; AML gives system-assigned identities of computes AcrPull, as the registry is there first.
"""

from typing import Any

from catalogue.build import (
    ACR_PULL,
    BLOB_CONTRIBUTOR,
    CONTRIBUTOR,
    KEY_VAULT_ADMINISTRATOR,
    assign,
    compute,
    connection,
    insights,
    resource,
    system,
    uai,
    user,
    vault,
)
from catalogue.case import Place, Raw, Tenant
from reports.report import Build, Grant, Report, beside, team

_AI_SERVICES = "Microsoft.CognitiveServices/accounts"
_AKS = "Microsoft.ContainerService/managedClusters"
_DATA_SCIENTIST = "f6c7c914-8db3-469d-8ca1-694a8f32e121"
_FILES = "69566ab7-960f-475b-8e7c-b3118f30c6bd"
_ABOUT = frozenset(
    (
        "image-builder",
        "workspace-registry",
        "workspace-control",
        "workspace-insights",
        "storage-without-keys",
        "keys-refused",
        "encryption-key-access",
        "outbound-targets",
        "lost-identity",
    )
)


def _end_to_end_secure(place: Place) -> Tenant:
    """machine-learning-end-to-end-secure: a cluster builds images, and an AKS cluster is attached the old way."""
    acr, ws, tenant = team(place, imageBuildCompute="cluster", publicNetworkAccess="Disabled")
    kubelet: Raw = {"identityProfile": {"kubeletidentity": {"objectId": place.object_id("aks")}}}
    aks = resource(place.id(_AKS, "aks"), _AKS, kubelet)
    attached = compute(ws, "attached", "AKS", resourceId=aks["id"], isAttachedCompute=True)
    instance = compute(ws, "ci1", "ComputeInstance", identity=system(place.object_id("ci1")))
    return beside(tenant, aks, attached, instance, held=[assign(acr["id"], place.object_id("ci1"), ACR_PULL)])


def _hub(place: Place, sign_in: str, **more: Any) -> tuple[Tenant, Raw]:
    """Without computes; with a connection to AI services."""
    _, hub, tenant = team(place, kind="Hub", **more)
    services = resource(place.id(_AI_SERVICES, f"ai{place.unique}"), _AI_SERVICES, {})
    metadata = {"ApiType": "Azure", "ResourceId": services["id"]}
    link = connection(hub, "services", "AIServices", "https://ai.example", authType=sign_in, metadata=metadata)
    kept = [one for one in tenant.resources if not one["type"].endswith("/computes")]
    return Tenant([*kept, services, link], tenant.role_assignments), hub


def _passthrough(place: Place) -> Tenant:
    """aifoundry-entraid-passthrough: storage by identity, and one user with all that it takes."""
    tenant, hub = _hub(place, "AAD", systemDatastoresAuthMode="identity")
    storage, me = hub["properties"]["storageAccount"], place.object_id("me")
    held = [(hub["id"], _DATA_SCIENTIST), (storage, BLOB_CONTRIBUTOR), (storage, _FILES)]
    return beside(tenant, held=[assign(scope, me, role, kind="User") for scope, role in held])


def _network_restricted(place: Place) -> Tenant:
    """aistudio-network-restricted: the isolation mode in a spelling of its own."""
    network = {"isolationMode": "AllowInternetOutBound"}
    return _hub(place, "ApiKey", publicNetworkAccess="Disabled", managedNetwork=network)[0]


def _with_own_key(place: Place) -> Tenant:
    """aistudio-cmk: encrypted with a key of another vault, as the hub's own identity."""
    keys = vault(place, name=f"cmk{place.unique}")
    key = f"https://{keys['name']}.vault.azure.net/keys/key/1"
    properties = {"keyVaultArmId": keys["id"], "keyIdentifier": key}
    tenant, _ = _hub(place, "ApiKey", encryption={"status": "Enabled", "keyVaultProperties": properties})
    return beside(tenant, keys)


def _as_uai(place: Place) -> Tenant:
    """machine-learning-workspace with a user-assigned identity: roles on dependencies, none on the workspace."""
    one, component = uai(place), insights(place)
    who = place.object_id("uami")
    more: Raw = {
        "identity": user(one),
        "primaryUserAssignedIdentity": one["id"],
        "applicationInsights": component["id"],
    }
    acr, ws, tenant = team(place, **more)
    storage, secrets = ws["properties"]["storageAccount"], ws["properties"]["keyVault"]
    held = [(storage, CONTRIBUTOR), (storage, BLOB_CONTRIBUTOR), (acr["id"], CONTRIBUTOR)]
    held += [(secrets, CONTRIBUTOR), (secrets, KEY_VAULT_ADMINISTRATOR)]
    return beside(tenant, one, component, held=[assign(scope, who, role) for scope, role in held])


def _report(variant: str, build: Build, stays_on: str, finds: dict[str, str], *grants: Grant) -> Report:
    return Report("template", variant, build, stays_on, frozenset(grants), finds, _ABOUT)


REPORTS = (
    _report(
        "end to end secure",
        _end_to_end_secure,
        "uncovered-builder",
        {"image-builder": "cluster builds images"},
        ("aks", ACR_PULL, "acrml"),
    ),
    _report("entra id passthrough", _passthrough, "", {}),
    _report("network restricted", _network_restricted, "", {}),
    _report(
        "with a key of its own",
        _with_own_key,
        "",
        {"encryption-key-access": "Key Vault Crypto Service Encryption User"},
    ),
    _report(
        "with a user-assigned identity",
        _as_uai,
        "",
        {"workspace-control": "must control the workspace", "workspace-insights": "must control Application Insights"},
    ),
)
