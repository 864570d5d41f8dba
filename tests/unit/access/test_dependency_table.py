"""By what a workspace uses a resource: what names what, and that no field that holds an id is forgotten."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from unit.build import GROUP, INSIGHTS, REGISTRY, STORAGE, SUBSCRIPTION, VAULT, WORKSPACE, identity_id

from shared.access import connections, ids
from shared.access.dependencies import (
    DEPENDENCIES,
    NOWHERE,
    Namer,
    Sought,
    leading,
    leads_to,
    resource_of,
)
from shared.access.ids import Field
from shared.access.rules import RULES
from shared.access.scope import Scope
from shared.access.users import is_used
from shared.azure.arm import api_version

UAI = identity_id("me")
OWN = {"id": str(WORKSPACE), "properties": {"storageAccount": str(STORAGE)}}
AKS = GROUP.child("providers", "Microsoft.ContainerService", "managedClusters", "aks")
ARC = GROUP.child("providers", "Microsoft.Kubernetes", "connectedClusters", "arc")
RELAY = GROUP.child("providers", "Microsoft.Relay", "namespaces", "azgnrelay")
AML = GROUP.child("providers", "Microsoft.MachineLearningServices", "registries", "Shared")
DATA = GROUP.child("providers", "Microsoft.Storage", "storageAccounts", "data")
ELSEWHERE = Scope.parse("/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/rg")
NAMESAKE = ELSEWHERE.child("providers", "Microsoft.Storage", "storageAccounts", "data")
CONTAINER = DATA.child("blobServices", "default", "containers", "c")
HOST = f"{REGISTRY.name}.azurecr.io"


def _outbound(target: object) -> dict[str, Any]:
    return {"properties": {"managedNetwork": {"outboundRules": {"a": {"destination": target}}}}}


def _of(namer: Namer, raw: object, *, sought: Sought) -> bool:
    return leads_to(namer, sought, raw, OWN)  # type: ignore[arg-type]  # ARM may answer anything


def _properties(**values: object) -> dict[str, Any]:
    return {"properties": values}


NAMED: list[tuple[Namer, Any, Scope]] = [
    (Namer.WORKSPACE, _properties(containerRegistry=f"{REGISTRY}/"), REGISTRY),
    (Namer.WORKSPACE, _properties(storageAccount=str(STORAGE).upper()), STORAGE),
    (Namer.WORKSPACE, _properties(keyVault=str(VAULT)), VAULT),
    (Namer.WORKSPACE, _properties(applicationInsights=str(INSIGHTS)), INSIGHTS),
    (Namer.WORKSPACE, _properties(primaryUserAssignedIdentity=str(UAI)), UAI),
    (Namer.WORKSPACE, _properties(encryption={"keyVaultProperties": {"keyVaultArmId": str(VAULT)}}), VAULT),
    (Namer.WORKSPACE, _properties(encryption={"identity": {"userAssignedIdentity": str(UAI)}}), UAI),
    (Namer.WORKSPACE, _outbound({"serviceResourceId": str(STORAGE)}), STORAGE),
    (Namer.WORKSPACE, {"identity": {"userAssignedIdentities": {str(UAI).upper(): {}}}}, UAI),
    (Namer.COMPUTE, {"identity": {"userAssignedIdentities": {str(UAI): None}}}, UAI),
    (Namer.COMPUTE, _properties(computeType="aks", resourceId=str(AKS).upper()), AKS),
    (Namer.COMPUTE, _properties(computeType="Kubernetes", resourceId=str(ARC)), ARC),
    (Namer.COMPUTE, _properties(computeType="Kubernetes", resourceId=str(ARC)), RELAY),
    (Namer.ENDPOINT, {"identity": {"userAssignedIdentities": {str(UAI): {}}}}, UAI),
    (Namer.DATASTORE, _properties(accountName="DATA"), DATA),
    (Namer.DATASTORE, _properties(accountName="data"), CONTAINER),
    (Namer.DATASTORE, _properties(accountName="data", subscriptionId=ELSEWHERE.segments[1].upper()), NAMESAKE),
    (Namer.DATASTORE, _properties(accountName="data", resourceGroup=GROUP.name.upper()), DATA),
    (Namer.DATASTORE, _properties(accountName=STORAGE.name), STORAGE),
    (Namer.CONNECTION, _properties(category="ACR", metadata={"RESOURCEID": str(REGISTRY)}), REGISTRY),
    (Namer.CONNECTION, _properties(category="AppInsights", target=str(INSIGHTS)), INSIGHTS),
    (Namer.CONNECTION, _properties(category="AzureBlob", target=str(CONTAINER)), DATA),
    (Namer.CONNECTION, _properties(target=f"https://user:secret@{HOST.upper()}/v2"), REGISTRY),
    (Namer.CONNECTION, _properties(target="https://data.dfs.core.windows.net/c?sig=x"), DATA),
    (Namer.CONNECTION, _properties(credentials={"resourceID": str(UAI)}), UAI),
    (Namer.CONNECTION, _properties(value=json.dumps({"ResourceId": str(UAI)})), UAI),
    (Namer.DEPLOYMENT, _properties(model="azureml://registries/shared/models/m/versions/1"), AML),
    (Namer.DEPLOYMENT, _properties(model={"assetId": f"azureml:{AML}/models/m/versions/1"}), AML),
    (Namer.ENVIRONMENT, _properties(image=f"{HOST}/team/train:1"), REGISTRY),
]
STRANGE: list[tuple[Namer, Any]] = [
    (Namer.WORKSPACE, _properties(containerRegistry="no id", keyVault=None, storageAccount=5)),
    (Namer.WORKSPACE, {"properties": {"managedNetwork": {"outboundRules": None}}, "identity": None}),
    (Namer.WORKSPACE, {"identity": {"userAssignedIdentities": [str(UAI)]}}),
    (Namer.WORKSPACE, {"properties": {"managedNetwork": {"outboundRules": ["odd"]}}}),
    (Namer.WORKSPACE, _outbound("pypi.org")),
    (Namer.WORKSPACE, _properties(containerRegistry=str(GROUP))),
    (Namer.WORKSPACE, _properties(containerRegistry=str(SUBSCRIPTION))),
    (Namer.WORKSPACE, _properties(containerRegistry=str(VAULT), keyVault=str(REGISTRY))),
    (Namer.WORKSPACE, None),
    (Namer.COMPUTE, _properties(computeType="AKS", resourceId=str(REGISTRY))),
    (Namer.DATASTORE, _properties(accountName="not an account")),
    (Namer.DATASTORE, _properties(accountName="other", resourceGroup=GROUP.name)),
    (Namer.DATASTORE, _properties(accountName=["data"])),
    (Namer.CONNECTION, _properties(target="", metadata=[], credentials="none", value="{")),
    (Namer.CONNECTION, _properties(target=f"https://{REGISTRY.name}.example.org")),
    (Namer.CONNECTION, _properties(target=f"https://{REGISTRY.name}x.azurecr.io")),
    (Namer.DEPLOYMENT, _properties(environmentId="azureml://registries/azureml/environments/e/versions/1")),
    (Namer.ENVIRONMENT, _properties(image="mcr.microsoft.com/azureml/base:1")),
    (Namer.ENVIRONMENT, _properties(image=f"{REGISTRY.name}.azurecr.io")),
]
ALL = (REGISTRY, STORAGE, DATA, NAMESAKE, VAULT, INSIGHTS, UAI, AKS, ARC, RELAY, AML)


@pytest.mark.parametrize(("namer", "raw", "resource"), NAMED)
def test_what_names_a_resource_leads_to_it_and_to_no_other(namer: Namer, raw: Any, resource: Scope) -> None:
    assert _of(namer, raw, sought=Sought(resource))
    assert leading(namer, Sought(resource))
    same = {resource_of(resource), *((ARC, RELAY) if resource in (ARC, RELAY) else ())}
    same |= {NAMESAKE} if "windows.net" in str(raw) else set()  # a server has one name in all of Azure
    assert not [one for one in ALL if one not in same and _of(namer, raw, sought=Sought(one))]


@pytest.mark.parametrize(("namer", "raw", "resource"), NAMED)
def test_a_scope_above_a_resource_holds_it(namer: Namer, raw: Any, resource: Scope) -> None:
    """Of servers and AML registries only who lists the scope knows what is in it."""
    known = frozenset({HOST}), frozenset({"shared"})
    assert resource.resource_group
    if "windows.net" not in str(raw):
        assert _of(namer, raw, sought=Sought(resource.resource_group, *known))
    assert not _of(namer, raw, sought=Sought(resource.resource_group.child("providers", "M.X", "y", "z")))


@pytest.mark.parametrize(("namer", "raw"), STRANGE)
def test_what_is_no_name_leads_nowhere(namer: Namer, raw: Any) -> None:
    assert not [one for one in ALL if _of(namer, raw, sought=Sought(one))]


def test_a_role_in_a_part_of_a_resource_concerns_who_uses_the_resource() -> None:
    repository = REGISTRY.child("scopeMaps", "pull")
    assert _of(Namer.WORKSPACE, _properties(containerRegistry=str(REGISTRY)), sought=Sought(repository))
    other = DATA.child("blobServices", "default", "containers", "d")
    assert not _of(Namer.CONNECTION, _properties(target=str(CONTAINER)), sought=Sought(other))


def test_a_login_server_that_is_known_is_the_registrys_only_name() -> None:
    """With a domain name label its server is not called as the registry is."""
    sought = Sought(REGISTRY, frozenset({f"{REGISTRY.name}-abc123.azurecr.io"}))
    assert not _of(Namer.ENVIRONMENT, _properties(image=f"{HOST}/x:1"), sought=sought)
    assert _of(Namer.ENVIRONMENT, _properties(image=f"{REGISTRY.name}-abc123.azurecr.io/x:1"), sought=sought)


def test_the_registry_of_an_aml_registry_is_used_by_who_deploys_from_that() -> None:
    raw = _properties(environmentId="azureml://registries/SHARED/environments/e/versions/1")
    assert _of(Namer.DEPLOYMENT, raw, sought=Sought(REGISTRY, frozenset({HOST}), frozenset({"shared"})))
    assert not _of(Namer.DEPLOYMENT, raw, sought=Sought(REGISTRY, frozenset({HOST}), frozenset({"other"})))


def _fields() -> Iterator[str]:
    """Every field of `shared.access.ids`, wherever in that module it stands, and those of connections."""
    for value in vars(ids).values():
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, Field):
                yield one.name
    yield ids.attachment({}).name
    odd = {"metadata": {"ResourceId": "x"}, "credentials": {"resourceId": "x"}}
    yield from (one.name for one in connections.of_connection(_properties(**odd), WORKSPACE))


def test_every_field_that_holds_an_id_is_in_the_table_or_leads_nowhere_for_a_reason() -> None:
    listed = {field for one in DEPENDENCIES for field in one.fields}
    known = set(_fields())
    assert len(known) > 20
    assert known - listed - NOWHERE.keys() == set()
    assert NOWHERE.keys() <= known, "of what is no field nothing need be said"
    assert not NOWHERE.keys() & listed
    assert all(NOWHERE.values())


def test_everything_in_the_table_can_be_read() -> None:
    for one in DEPENDENCIES:
        assert api_version(f"microsoft.machinelearningservices/workspaces/{one.namer}".rstrip("/"))
        assert all(map(api_version, one.types))


def test_events_that_rules_want_lead_to_workspaces() -> None:
    """Of what is neither a workspace nor below one, the table says whose it is."""
    watched = {kind.casefold() for rule in RULES for kind in rule.watches}
    elsewhere = {kind for kind in watched if not kind.startswith("microsoft.machinelearningservices/workspaces")}
    assert elsewhere
    assert elsewhere <= {kind for one in DEPENDENCIES for kind in one.types}


def test_what_rules_grant_on_leads_back_to_workspaces() -> None:
    """So that a role that somebody deletes there is missed before the next sweep."""
    granted = {need.resource_type for rule in RULES for need in rule.grants}
    others = {kind for kind in granted if kind != "microsoft.machinelearningservices/workspaces"}
    any_type = [one for one in DEPENDENCIES if not one.types]
    named = {kind for one in DEPENDENCIES for kind in one.types}
    outbound = {
        kind
        for rule in RULES
        if rule.name == "outbound-target-approver"
        for kind in (need.resource_type for need in rule.grants)
    }
    assert any(one.kind == "target of an outbound rule" for one in any_type)
    assert others - outbound <= named


@pytest.mark.parametrize("scope", [REGISTRY, STORAGE, VAULT, INSIGHTS, UAI])
def test_what_chooses_workspaces_is_in_the_table(scope: Scope) -> None:
    assert is_used(scope)
    assert scope.resource_type in {kind for one in DEPENDENCIES for kind in one.types}
