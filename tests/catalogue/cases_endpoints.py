"""Endpoints, people, instances, managed networks, registries' settings and kinds that nobody knows."""

from collections.abc import Callable
from typing import Any

from catalogue.build import (
    READER,
    assign,
    compute,
    connection,
    datastore,
    days_ago,
    endpoint,
    registry,
    resource,
    storage,
    system,
    uai,
    user,
    vault,
    workspace,
)
from catalogue.case import PEOPLE_GROUP, PEOPLE_TAG, Case, Place, Raw, Tenant

from emulator.tenant_builder import role_definition

type Build = Callable[[Place], Tenant]

DATA_SCIENTIST = "f6c7c914-8db3-469d-8ca1-694a8f32e121"
COMPUTE_OPERATOR = "e503ece1-11d0-4e8e-8e2c-7a6c3bf38815"
AI_ADMINISTRATOR = "b78c5d69-af96-48a3-bf8d-a8b4d589de94"
SECRETS_READER = "ea01e6af-a1c1-4350-9563-ad00f8c72ec5"
USER_ACCESS_ADMINISTRATOR = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"
_ONLINE = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"


def _endpoint(mode: str, *, called: float | None = None, table: str = "AmlOnlineEndpointTrafficLog") -> Build:
    """`called` days ago with a key."""

    def build(place: Place) -> Tenant:
        ws = workspace(place)
        one = endpoint(ws, f"infer-{place.unique}", identity=system(place.object_id("infer")), authMode=mode)
        if called is None:
            return Tenant([ws, one])
        row = {
            "TimeGenerated": days_ago(called),
            "EndpointName": one["name"],
            "AuthType": "Key",
            "UserAgent": "python-requests/2.32",
            "_ResourceId": ws["id"].lower(),
        }
        return Tenant([ws, one], logs={table: [row]})

    return build


def _logged(*, at: str = "", category: Raw | None = None) -> Build:
    """A diagnostic setting `at` the workspace or the endpoint."""

    def build(place: Place) -> Tenant:
        ws = workspace(place)
        one = endpoint(ws, "infer", identity=system(place.object_id("infer")))
        parts = [ws, one]
        if at:
            owner = {"workspace": ws, "endpoint": one}[at]["id"]
            identifier = f"{owner}/providers/Microsoft.Insights/diagnosticSettings/logs"
            log = {"enabled": True, **(category or {"categoryGroup": "allLogs"})}
            target = place.id("Microsoft.OperationalInsights/workspaces", "logs")
            settings = {"workspaceId": target, "logs": [log], "metrics": []}
            parts.append(resource(identifier, "Microsoft.Insights/diagnosticSettings", settings))
        return Tenant(parts)

    return build


def _injecting(value: str, *, role: bool = False) -> Build:
    def build(place: Place) -> Tenant:
        ws, one = workspace(place), uai(place, "infer")
        ep = endpoint(ws, "infer", identity=user(one))
        variables = {"endpointComputeType": "Managed", "environmentVariables": {"OPENAI_KEY": value}}
        blue = resource(f"{ep['id']}/deployments/blue", f"{_ONLINE}/deployments", variables)
        named = connection(ws, "openai", "AzureOpenAI", "https://example.openai.azure.com")
        held = [assign(ws["id"], place.object_id("infer"), SECRETS_READER)] if role else []
        return Tenant([ws, one, ep, blue, named], held)

    return build


def _people(tags: dict[str, str]) -> Build:
    return lambda place: Tenant([workspace(place, tags=tags)], groups={PEOPLE_GROUP: [place.object_id("member")]})


def _scored(role: str) -> Build:
    """A group with `role` on the workspace."""

    def build(place: Place) -> Tenant:
        ws, group = workspace(place), place.object_id("group")
        one = endpoint(ws, "infer", identity=system(place.object_id("infer")))
        return Tenant(
            [ws, one], [assign(ws["id"], group, role, kind="Group")], groups={group: [place.object_id("member")]}
        )

    return build


def _custom_role(*actions: str, but: tuple[str, ...] = (), author_role: str | None = None) -> Build:
    def build(place: Place) -> Tenant:
        ws, author = workspace(place), place.object_id("author")
        one = endpoint(ws, "infer", identity=system(place.object_id("infer")))
        block = {"actions": list(actions), "notActions": list(but)}
        by = {"createdBy": author, "updatedBy": author}
        definition = role_definition(f"Scorer {place.name}", place.subscription, block, **by)
        held = [assign(place.subscription, author, author_role, kind="User")] if author_role else []
        people = [{"id": author, "type": "User", "displayName": "author"}]
        return Tenant([ws, one], held, role_definitions=[definition], principals=people)

    return build


def _instance(role: str | None = None, kind: str = "ComputeInstance", **settings: Any) -> Build:
    def build(place: Place) -> Tenant:
        ws, me = workspace(place), place.object_id("ci1")
        one = compute(ws, "ci1", kind, identity=system(me), **settings)
        return Tenant([ws, one], [assign(ws["id"], me, role)] if role else [])

    return build


def _network(mode: str | None, *, role: str | None = None, **more: Any) -> Build:
    def build(place: Place) -> Tenant:
        blobs, kv, acr = storage(place), vault(place), registry(place)
        named = {"storageAccount": blobs["id"], "keyVault": kv["id"], "containerRegistry": acr["id"]}
        network: Raw = {"managedNetwork": {"isolationMode": mode}} if mode else {}
        ws = workspace(place, **named, **network, **more)
        held = [assign(place.group, place.object_id("mlw"), role)] if role else []
        return Tenant([blobs, kv, acr, ws], held, aml=False)

    return build


def _registry(ws: Raw | None = None, **settings: Any) -> Build:
    def build(place: Place) -> Tenant:
        acr = registry(place, **settings)
        return Tenant([acr, workspace(place, containerRegistry=acr["id"], **(ws or {}))])

    return build


def _unknown(what: str) -> Build:
    def build(place: Place) -> Tenant:
        ws = workspace(place, kind="Quantum" if what == "workspace" else "Default")
        parts = {
            "compute": compute(ws, "qpu", "QuantumProcessor"),
            "datastore": datastore(ws, "lake", "store", kind="QuantumLake"),
            "endpoint": endpoint(ws, "infer", identity=system(place.object_id("infer")), kind="Quantum"),
        }
        return Tenant([ws, *([parts[what]] if what in parts else [])])

    return build


_WILDCARD = f"{_ONLINE}/*/action"
_KEYS = (f"{_ONLINE}/listKeys/action", f"{_ONLINE}/regenerateKeys/action")
_SECRET = "${{azureml://connections/openai/credentials/key}}"
_SAFE: Raw = {"sshSettings": {"sshPublicAccess": "Disabled"}, "idleTimeBeforeShutdown": "PT30M"}
_RISKY: Raw = {
    "sshSettings": {"sshPublicAccess": "Enabled"},
    "osImageMetadata": {"currentImageVersion": "24.01.30", "isLatestOsImageVersion": False},
}

CASES: tuple[Case, ...] = (
    Case(
        "endpoint-authentication",
        True,
        "an endpoint with authMode Key that the traffic log shows in use",
        _endpoint("Key", called=3),
        "1 calls in the last 30 days",
        "Finding",
    ),
    Case(
        "endpoint-authentication",
        True,
        "rows of the table under its other name",
        _endpoint("key", called=3, table="AmlOnlineEndpointTrafficLogs"),
        "by python-requests",
    ),
    Case(
        "endpoint-authentication",
        True,
        "an endpoint whose last call with a key is older than the policy looks back",
        _endpoint("Key", called=45),
        "no call with a key in the last 30 days",
    ),
    Case("endpoint-authentication", False, "an endpoint with authMode AADToken", _endpoint("aadToken", called=3)),
    Case(
        "endpoint-traffic-logs",
        True,
        "an endpoint without any diagnostic setting",
        _logged(),
        "diagnostic-settings create",
        "Finding",
    ),
    Case(
        "endpoint-traffic-logs",
        True,
        "a setting that carries another log",
        _logged(at="endpoint", category={"category": "AmlOnlineEndpointConsoleLog"}),
    ),
    Case(
        "endpoint-traffic-logs",
        False,
        "an endpoint of a workspace whose diagnostic setting carries allLogs",
        _logged(at="workspace"),
    ),
    Case(
        "endpoint-traffic-logs",
        False,
        "an endpoint with a diagnostic setting of its own",
        _logged(at="endpoint", category={"category": "AmlOnlineEndpointTrafficLog"}),
    ),
    Case(
        "connection-secrets",
        True,
        "a deployment with a connection's secret in an environment variable, on an endpoint without the role",
        _injecting(_SECRET),
        "Workspace Connection Secrets Reader",
        "Finding",
    ),
    Case("connection-secrets", False, "a deployment without secrets", _injecting("on")),
    Case("connection-secrets", False, "an endpoint that has the role", _injecting(_SECRET, role=True)),
    Case(
        "people",
        True,
        "a workspace with the policy's tag, on which its group holds nothing",
        _people({PEOPLE_TAG: "data-science"}),
        "AzureML Data Scientist",
        "Applied",
    ),
    Case("people", False, "a workspace without the tag", _people({PEOPLE_TAG: "nobody"})),
    Case(
        "endpoint-scorers",
        True,
        "an endpoint with authMode AADToken on a workspace on which no user or group holds a role",
        _scored(READER),
        "az role assignment create",
        "Finding",
    ),
    Case(
        "endpoint-scorers", False, "a group that holds AzureML Data Scientist on the workspace", _scored(DATA_SCIENTIST)
    ),
    Case(
        "custom-role-keys",
        True,
        "a custom role with Microsoft.MachineLearningServices/workspaces/onlineEndpoints/*/action",
        _custom_role(_WILDCARD, author_role=USER_ACCESS_ADMINISTRATOR),
        "regenerating the keys",
        "Finding",
    ),
    Case(
        "custom-role-keys",
        False,
        "a custom role whose notActions exclude listKeys and regenerateKeys",
        _custom_role(_WILDCARD, but=_KEYS),
    ),
    Case(
        "custom-role-authors",
        True,
        "a custom role for AML whose author holds nothing any more",
        _custom_role(f"{_ONLINE}/score/action"),
        "User Access Administrator",
        "Finding",
    ),
    Case(
        "custom-role-authors",
        False,
        "a custom role whose author holds User Access Administrator",
        _custom_role(f"{_ONLINE}/score/action", author_role=USER_ACCESS_ADMINISTRATOR),
    ),
    Case(
        "instance-shuts-down",
        True,
        "an instance with idleTimeBeforeShutdown whose identity holds nothing on the workspace",
        _instance(idleTimeBeforeShutdown="PT30M"),
        "after PT30M idle",
        "Applied",
    ),
    Case(
        "instance-shuts-down",
        False,
        "an instance whose identity holds AzureML Compute Operator on the workspace",
        _instance(COMPUTE_OPERATOR, idleTimeBeforeShutdown="PT30M"),
    ),
    Case("instance-shuts-down", False, "an instance that never shuts down by itself", _instance()),
    Case(
        "compute-settings",
        True,
        "an instance with SSH, without idle shutdown, on an outdated image",
        _instance(**_RISKY),
        "SSH is open; its image (24.01.30) is outdated; it never shuts down",
        "Finding",
    ),
    Case(
        "compute-settings",
        False,
        "a cluster with local authentication disabled",
        _instance(kind="AmlCompute", disableLocalAuth=True),
    ),
    Case("compute-settings", False, "an instance without SSH that shuts down when idle", _instance(**_SAFE)),
    Case("managed-network", True, "a workspace whose isolation mode is Disabled", _network("Disabled"), "Disabled"),
    Case(
        "managed-network",
        False,
        "a workspace that allows only approved outbound traffic",
        _network("AllowOnlyApprovedOutbound"),
    ),
    Case(
        "serverless-network",
        True,
        "a workspace with publicNetworkAccess Disabled and no serverless settings",
        _network(None, publicNetworkAccess="Disabled"),
        "a subnet and no public IP",
        "Finding",
    ),
    Case(
        "serverless-network",
        False,
        "a closed workspace with a managed network: serverless compute runs inside it",
        _network("AllowInternetOutbound", publicNetworkAccess="Disabled"),
    ),
    Case(
        "private-endpoint-approver",
        True,
        "a workspace with a managed network made after 2025-04-30: AML no longer grants the role",
        _network("AllowOnlyApprovedOutbound"),
        "approves the managed network's private endpoint",
        "Applied",
    ),
    Case(
        "private-endpoint-approver",
        False,
        "an identity that holds Azure AI Administrator on the resource group",
        _network("AllowOnlyApprovedOutbound", role=AI_ADMINISTRATOR),
    ),
    Case(
        "registry-settings",
        True,
        "a registry with anonymous pull, and public access although the workspace has none",
        _registry({"publicNetworkAccess": "Disabled"}, anonymousPullEnabled=True),
        "anybody can pull without signing in; public network access is on",
        "Finding",
    ),
    Case(
        "registry-settings",
        False,
        "a registry without anonymous pull beside a workspace that is public itself",
        _registry(),
    ),
    Case(
        "serverless-identity",
        True,
        "serverless settings on a workspace with only a system-assigned identity",
        _registry({"serverlessComputeSettings": {"serverlessComputeNoPublicIP": True}}),
        "it acts as none",
        "Finding",
    ),
    Case("serverless-identity", False, "a workspace without serverless settings", _registry()),
    Case(
        "unknown-kind",
        True,
        "a compute of a type that did not exist when this version of amlguard was made",
        _unknown("compute"),
        "QuantumProcessor",
    ),
    Case("unknown-kind", True, "a kind of workspace", _unknown("workspace"), "quantum", "Finding"),
    Case("unknown-kind", True, "a kind of datastore", _unknown("datastore"), "quantumlake", "Finding"),
    Case("unknown-kind", True, "a kind of endpoint", _unknown("endpoint"), "Quantum", "Finding"),
    Case("unknown-kind", False, "a compute instance", _instance()),
    Case(
        "malformed-id",
        True,
        "a workspace whose storageAccount is the account's name",
        _registry({"storageAccount": "storage"}),
        "properties.storageAccount does not hold the id of a storage account",
        "Finding",
    ),
    Case("malformed-id", False, "a workspace that has no storage account yet", _registry()),
)
