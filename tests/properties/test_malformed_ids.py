"""Whatever is written in the place of an id: the plan is made, it says so, and no other workspace hears of it."""

import asyncio
import copy
from functools import cache
from typing import Any

import pytest
import raw
from app import App
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.build import GROUP, REGISTRY, WORKSPACE, assigned, guid, registry_id, resource, sai, terms, uai, workspace_id

from shared.access.actions import Plan
from shared.access.asks import Finding
from shared.access.ids import REGISTRY as NAMED_REGISTRY
from shared.access.ids import an_id
from shared.access.rules.malformed import MALFORMED
from shared.access.scope import InvalidScopeError, Scope
from shared.reading.from_resource_graph import ResourceGraphReads

BYSTANDER = workspace_id("bystander")
BYSTANDERS_OWN = registry_id("bystanderacr")
ME = uai("mlw-id")
SUBNET = str(resource("Microsoft.Network/virtualNetworks", "vnet").child("subnets", "nodes"))
ENDPOINT = str(resource("Microsoft.Network/privateEndpoints", "pe"))

type Path = tuple[str | int, ...]

# Each field that holds an id, by where it is in which resource; the whole of what is around it is well-formed.
FIELDS: dict[str, tuple[str, Path]] = {
    "registry": ("mlw", ("properties", "containerRegistry")),
    "storage": ("mlw", ("properties", "storageAccount")),
    "vault": ("mlw", ("properties", "keyVault")),
    "insights": ("mlw", ("properties", "applicationInsights")),
    "primary": ("mlw", ("properties", "primaryUserAssignedIdentity")),
    "hub": ("mlw", ("properties", "hubResourceId")),
    "key vault": ("mlw", ("properties", "encryption", "keyVaultProperties", "keyVaultArmId")),
    "key identity": ("mlw", ("properties", "encryption", "identity", "userAssignedIdentity")),
    "serverless subnet": ("mlw", ("properties", "serverlessComputeSettings", "serverlessComputeCustomSubnet")),
    "outbound rule": (
        "mlw",
        ("properties", "managedNetwork", "outboundRules", "r", "destination", "serviceResourceId"),
    ),
    "private endpoint": (
        "mlw",
        ("properties", "privateEndpointConnections", 0, "properties", "privateEndpoint", "id"),
    ),
    "endpoint's subnet": (
        "mlw",
        ("properties", "privateEndpointConnections", 0, "properties", "privateEndpoint", "subnetArmId"),
    ),
    "principal": ("cpu1", ("identity", "principalId")),
    "cluster": ("aks", ("properties", "resourceId")),
    "machine": ("vm", ("properties", "resourceId")),
    "subnet": ("cpu1", ("properties", "properties", "subnet", "id")),
    "endpoint's principal": ("serve1", ("identity", "principalId")),
    "account": ("blobs", ("properties", "accountName")),
    "account's subscription": ("blobs", ("properties", "subscriptionId")),
    "account's group": ("blobs", ("properties", "resourceGroup")),
    "connection's registry": ("images", ("properties", "metadata", "ResourceId")),
    "connection's identity": ("images", ("properties", "credentials", "resourceId")),
}
# Names of an object are ids as well.
BLOCKS = {"mlw": "identities", "cpu2": "identities of a cluster", "serve2": "identities of an endpoint"}


def tenant() -> App:
    one = App(terms(on=("AML-80",)))
    one.azure.have(
        *(raw.registry(each, admin_user=False, roleAssignmentMode="Legacy") for each in (REGISTRY, BYSTANDERS_OWN)),
        raw.storage(),
        raw.vault(),
        raw.cluster(),
        raw.user_identity(ME),
        workspace(),
        *children(),
        raw.workspace(sai("bystander"), on=BYSTANDER, registry=BYSTANDERS_OWN),
        raw.compute("cpu", sai("bystander/c"), on=BYSTANDER),
        raw.workspace(sai("third"), on=workspace_id("third"), registry=None),
    )
    one.azure.assignments = [assigned(sai("bystander/c"), "Reader", GROUP)]
    return one


def workspace() -> raw.Raw:
    endpoint = {"id": ENDPOINT, "subnetArmId": SUBNET}
    approved = {"privateEndpoint": endpoint, "privateLinkServiceConnectionState": {"status": "Approved"}}
    rule = {"type": "PrivateEndpoint", "destination": {"serviceResourceId": SUBNET}}
    return raw.workspace(
        ME,
        applicationInsights=str(resource("microsoft.insights/components", "appi")),
        primaryUserAssignedIdentity=str(ME.resource),
        encryption={
            "status": "Enabled",
            "keyVaultProperties": {"keyVaultArmId": str(resource("Microsoft.KeyVault/vaults", "kvml"))},
            "identity": {"userAssignedIdentity": str(ME.resource)},
        },
        serverlessComputeSettings={"serverlessComputeCustomSubnet": SUBNET},
        managedNetwork={"outboundRules": {"r": rule}},
        privateEndpointConnections=[{"properties": approved}],
    )


def children() -> list[raw.Raw]:
    images = {
        "category": "ContainerRegistry",
        "authType": "ManagedIdentity",
        "target": "acrml.azurecr.io",
        "metadata": {"ResourceId": str(REGISTRY)},
        "credentials": {"resourceId": str(ME.resource), "clientId": guid("client")},
    }
    blobs = {"datastoreType": "AzureBlob", "accountName": "store", "credentials": {"credentialsType": "None"}}
    return [
        raw.compute("cpu1", sai("cpu1"), properties={"subnet": {"id": SUBNET}}),
        raw.compute("cpu2", uai("cpu2")),
        raw.compute("aks", kind="AKS", resourceId=str(resource("Microsoft.ContainerService/managedClusters", "aks"))),
        raw.compute("vm", kind="VirtualMachine", resourceId=str(resource("Microsoft.Compute/virtualMachines", "vm"))),
        raw.endpoint("serve1", sai("serve1")),
        raw.endpoint("serve2", uai("serve2")),
        raw.resource(WORKSPACE.child("datastores", "blobs"), blobs),
        raw.resource(WORKSPACE.child("connections", "images"), images),
    ]


def place(name: str) -> Scope:
    kinds = {
        "mlw": "",
        "blobs": "datastores",
        "images": "connections",
        "serve1": "onlineEndpoints",
        "serve2": "onlineEndpoints",
    }
    kind = kinds.get(name, "computes")
    return WORKSPACE.child(kind, name) if kind else WORKSPACE


def write(one: App, name: str, path: Path, value: object) -> None:
    target: Any = copy.deepcopy(one.azure.resources[place(name)])
    one.azure.resources[place(name)] = target
    for step in path[:-1]:
        target = target.setdefault(step, {}) if isinstance(target, dict) else target[step]
    target[path[-1]] = value


def plan_of(one: App, scope: Scope) -> Plan:
    return asyncio.run(one.services.reconciler.preview(scope))


def glance_at(one: App) -> list[Plan | None]:
    """All workspaces in one shard, the bystander first."""

    async def glances() -> list[Plan | None]:
        scopes = [BYSTANDER, WORKSPACE, workspace_id("third")]
        shard = await ResourceGraphReads.read(scopes, one.services.azure)
        return [await one.services.reconciler.evaluate(scope, shard) for scope in scopes]

    return asyncio.run(glances())


@cache
def undisturbed() -> tuple[Plan, Plan | None]:
    """What is planned for the bystander, and what a sweep sees of it, while all is well-formed."""
    one = tenant()
    return plan_of(one, BYSTANDER), glance_at(one)[0]


def said(plan: Plan, on: Scope, name: str = "") -> list[Finding]:
    return [one for one in plan.findings if one.rule == MALFORMED and one.resource == on and name in one.message]


NOTHING = ("", None)
ODD_TEXTS = (
    "acrml",
    "..",
    "/",
    "//",
    "/subscriptions/..",
    f"{REGISTRY}/..",
    f"{GROUP}//providers/Microsoft.ContainerRegistry/registries/acrml",
    f"{GROUP}/providers/Microsoft.ContainerRegistry/registries/acrml?x=1",
    f"{GROUP}/providers/Microsoft.ContainerRegistry/registries/acrml' or '1'=='1",
    f"{GROUP}/providers/Microsoft.Contoso/things/acrml",
    str(REGISTRY).replace("/providers", "\uff0fproviders"),
    "/subscriptions/me/resourceGroups/rg/providers/Microsoft.ContainerRegistry/registries/acrml",
    f"{GROUP}./providers/Microsoft.ContainerRegistry/registries/acrml",
    "x" * 5000,
    f"{REGISTRY}{'y' * 2000}",
    "\x00",
    "\ud800",
    "<script>alert(1)</script>",
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.sampled_from(ODD_TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def is_none_of_it(name: str, value: object) -> bool:
    """Judged without the table of fields: no text that could be meant (the tests hand in none that is right)."""
    if name.startswith("account"):
        return not isinstance(value, str) or not value.isalnum()
    if name.endswith("principal"):
        return not isinstance(value, str) or not value.isascii() or not value.replace("-", "").isalnum()
    return not isinstance(value, str) or not value.startswith("/subscriptions/1111")


@pytest.mark.parametrize("name", FIELDS)
@given(value=JSON)
@settings(max_examples=15)
def test_the_plan_is_made_and_says_so(name: str, value: object) -> None:
    one, (where, path) = tenant(), FIELDS[name]
    write(one, where, path, value)
    made = plan_of(one, WORKSPACE)
    assert (plan_of(one, BYSTANDER), glance_at(one)[0]) == undisturbed()
    last = next(step for step in reversed(path) if isinstance(step, str))
    if value not in NOTHING and is_none_of_it(name, value):
        (finding,) = said(made, place(where), last if where != "images" else "resourceid")
        assert len(finding.message) < 700
        assert not made.removals
    if value in NOTHING:
        assert not said(made, place(where))


@pytest.mark.parametrize("name", BLOCKS)
@given(keys=st.lists(st.text() | st.sampled_from(ODD_TEXTS), min_size=1, max_size=3), value=JSON)
@settings(max_examples=15)
def test_a_block_of_identities_that_are_none_is_not_no_identity(name: str, keys: list[str], value: object) -> None:
    one = tenant()
    write(one, name, ("identity",), {"type": "UserAssigned", "userAssignedIdentities": dict.fromkeys(keys, value)})
    made = plan_of(one, WORKSPACE)
    assert plan_of(one, BYSTANDER) == undisturbed()[0]
    assert said(made, place(name), "userAssignedIdentities.{}")
    about = [finding.message for finding in made.findings if finding.resource == place(name)]
    assert not [message for message in about if "has no identity" in message or "has no managed identity" in message]


@pytest.mark.parametrize("name", ["mlw", "cpu1", "aks", "serve1", "blobs", "images"])
@given(value=JSON, key=st.sampled_from(["properties", "identity", "tags", "kind", "location", "id", "name"]))
@settings(max_examples=15)
def test_nothing_that_is_written_anywhere_stops_the_plan(name: str, key: str, value: object) -> None:
    one = tenant()
    write(one, name, (key,), value)
    plan_of(one, WORKSPACE)
    assert (plan_of(one, BYSTANDER), glance_at(one)[0]) == undisturbed()


@given(value=JSON)
@settings(max_examples=30)
def test_a_registry_that_a_neighbour_may_use_keeps_its_admin_user(value: object) -> None:
    """In the registry's subscription all count whose own is none; and none that has none."""
    one = tenant()
    one.azure.have(raw.registry(BYSTANDERS_OWN, admin_user=True))
    assert [str(each.name) for each in plan_of(one, BYSTANDER).settings] == ["adminUserEnabled", "cachedKeys"]
    write(one, "mlw", ("properties", "containerRegistry"), value)
    made = plan_of(one, BYSTANDER)
    withheld = [each for each in made.withheld if each.refusal.guard == MALFORMED]
    assert bool(withheld) is NAMED_REGISTRY.malformed(value)
    assert bool(made.settings) is not bool(withheld)
    assert all(str(WORKSPACE) in each.refusal.reason for each in withheld)


@given(text=st.text() | st.sampled_from(ODD_TEXTS))
def test_what_is_taken_for_an_id_can_be_asked_for(text: str) -> None:
    try:
        found = an_id("microsoft.containerregistry/registries")(text)
    except InvalidScopeError:
        return
    assert found.resource_group
    assert str(found).isprintable()
