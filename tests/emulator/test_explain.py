"""`amlguard explain`: who needs what on a resource, who holds it and through what, and why."""

import pytest
from local_azure import LocalAzure, Start
from tenants import (
    ACR_PULL,
    GRANTS_ONLY,
    READER,
    Tenant,
    child,
    group_id,
    oid,
    system_assigned,
    user_assigned,
)
from wire import Json

from emulator import tenant_builder

GROUP, FAR, WIDE = group_id("rg-one"), group_id("rg-far"), group_id("rg-wide")
REGISTRY = child(GROUP, "Microsoft.ContainerRegistry/registries", "acrone")
FOREIGN = child(FAR, "Microsoft.ContainerRegistry/registries", "acrfar")
WORKSPACE = child(GROUP, "Microsoft.MachineLearningServices/workspaces", "mlw")
WIDE_WORKSPACE = child(WIDE, "Microsoft.MachineLearningServices/workspaces", "wide")
AWAY = child(GROUP, "Microsoft.MachineLearningServices/workspaces", "away")


@pytest.fixture(scope="module")
def azure(start_azure: Start) -> LocalAzure:
    tenant = Tenant()
    one = tenant.workspace(GROUP, containerRegistry=tenant.registry(GROUP, "acrone", admin=True)["id"])
    for name in ("direct", "member", "without", "denied"):
        tenant.compute(one, name, identity=system_assigned(name))
    away = tenant.workspace(GROUP, "away", containerRegistry=tenant.registry(FAR, "acrfar")["id"])
    tenant.compute(away, "far", identity=system_assigned("far"))
    tenant.assign(REGISTRY, oid("direct"), ACR_PULL)
    _services(tenant)
    tenant.assign(GROUP, tenant.group("pullers", oid("member")), READER)
    tenant.deny(REGISTRY, oid("denied"), actions=["Microsoft.ContainerRegistry/registries/pull/read"])
    _far_and_wide(tenant)
    return start_azure(tenant.document(), GRANTS_ONLY, functions=False)


def _far_and_wide(tenant: Tenant) -> None:
    """A workspace with a bit of everything; one identity of two computes of two workspaces; a storage nobody uses."""
    store = tenant.storage(WIDE, "stwide")
    shared = tenant.uai(WIDE, "shared")
    tenant.uai(WIDE, "idle")
    acr = tenant.registry(WIDE, "acrwide")
    wide = tenant.workspace(
        WIDE, "wide", containerRegistry=acr["id"], storageAccount=store["id"], systemDatastoresAuthMode="identity"
    )
    tenant.compute(wide, "by-shared", identity=user_assigned(shared))
    tenant.endpoint(wide, "scorer", system_assigned("scorer"))
    tenant.compute(wide, "nobody")
    blobs = {"datastoreType": "AzureBlob", "accountName": "stwide", "credentials": {"credentialsType": "AccountKey"}}
    tenant.add({"id": f"{wide['id']}/datastores/blobs", "name": "blobs", "properties": blobs})
    other = tenant.workspace(WIDE, "other", containerRegistry=acr["id"])
    tenant.compute(other, "too", identity=user_assigned(shared))
    tenant.storage(WIDE, "stidle")
    tenant.assign(acr["id"], oid(shared["id"]), ACR_PULL)


def _services(tenant: Tenant) -> None:
    """A container app that pulls with its identity, and a site that does not."""
    named = {"server": "acrone.azurecr.io", "identity": "system"}
    app = {"configuration": {"registries": [named]}}
    tenant.add(tenant_builder.resource(child(FAR, "Microsoft.App/containerApps", "chat"), app))
    site = {"siteConfig": {"linuxFxVersion": "DOCKER|acrone.azurecr.io/portal:1"}}
    tenant.add(tenant_builder.resource(child(FAR, "Microsoft.Web/sites", "portal"), site, kind="app,linux,container"))


@pytest.fixture(scope="module")
def needs(azure: LocalAzure) -> dict[str, Json]:
    ran = azure.run("explain", REGISTRY.upper(), "--format", "json")
    assert ran.code == 2, ran.err
    assert ran.err == ""
    pulls = [one for one in ran.document["needs"] if one["need"] == "pull images"]
    return {one["resourceId"].rpartition("/")[2]: one for one in pulls}


def test_all_who_need_something_on_a_registry_are_named(needs: dict[str, Json]) -> None:
    assert needs.keys() == {"direct", "member", "without", "denied"}
    for name, one in needs.items():
        assert one["principalId"] == oid(name)
        assert one["scope"].lower() == REGISTRY.lower()
        assert one["why"][0].endswith("pulls images from acrone")
        assert one["rules"] == ["compute-pull"]
        assert one["sources"][0].startswith("learn.microsoft.com/")


def test_what_is_held_is_held_through_something(needs: dict[str, Json]) -> None:
    (direct,) = needs["direct"]["heldThrough"]
    assert (direct["roleName"], direct["scope"].lower(), direct["group"]) == ("AcrPull", REGISTRY.lower(), None)
    (member,) = needs["member"]["heldThrough"]
    assert (member["roleName"], member["scope"].lower()) == ("Reader", GROUP.lower())
    assert member["group"] is not None
    assert {needs[name]["verdict"] for name in ("direct", "member")} == {"held"}


def test_what_is_not_held_says_what_amlguard_would_do(needs: dict[str, Json]) -> None:
    without, denied = needs["without"], needs["denied"]
    assert without["verdict"] == "to be granted"
    assert without["missing"] == ["Microsoft.ContainerRegistry/registries/pull/read"]
    assert without["heldThrough"] == []
    assert denied["verdict"] == "withheld (deny-assignment)"
    assert len(denied["deniedBy"]) == 1


def test_a_setting_says_why_it_waits(azure: LocalAzure) -> None:
    (setting,) = azure.run("explain", REGISTRY, "--format", "json").document["settings"]
    assert (setting["property"], setting["from"], setting["to"]) == ("adminUserEnabled", "true", "false")
    assert "cannot pull from acrone" in setting["verdict"]


def test_everybody_who_uses_a_registry_is_listed_whatever_keeps_its_admin_user_on(azure: LocalAzure) -> None:
    ran = azure.run("explain", REGISTRY, "--format", "json")
    users = {one["user"]: one for one in ran.document["users"]}
    covers = {name: (one["kind"], one["cover"]) for name, one in users.items()}
    assert {name: cover for name, cover in covers.items() if cover[0] == "puller"} == {
        "mlw/computes/direct (direct)": ("puller", "covered"),
        "mlw/computes/member (member)": ("puller", "covered"),
        "mlw/computes/without (without)": ("puller", "uncovered"),
        "mlw/computes/denied (denied)": ("puller", "uncovered"),
    }
    assert covers["workspace mlw (mlw)"] == ("builder", "covered")
    assert covers["serverless compute of mlw"] == ("serverless", "covered")
    assert covers["App Service or Functions app portal"] == ("service", "uncovered")
    assert covers["Container App chat"] == ("service", "covered")
    assert covers["acrone's own name"] == ("sign-in", "covered")
    assert users["App Service or Functions app portal"]["keepsAdminUserOn"] is True
    assert users["App Service or Functions app portal"]["resourceId"].endswith("/sites/portal")
    assert all(one["reason"] and one["source"] for one in users.values())


def test_all_workspaces_on_a_registry_are_in_the_list_also_when_its_admin_user_is_off(azure: LocalAzure) -> None:
    acr = child(WIDE, "Microsoft.ContainerRegistry/registries", "acrwide")
    users = {(one["kind"], one["user"]) for one in azure.run("explain", acr, "--format", "json").document["users"]}
    assert {("builder", "workspace wide (wide)"), ("builder", "workspace other (other)")} <= users
    assert {("puller", "shared (by-shared)"), ("puller", "shared (too)")} <= users
    assert not {kind for kind, _ in users} & {"service", "sign-in"}


def test_the_list_is_for_people_as_well(azure: LocalAzure) -> None:
    said = azure.run("explain", REGISTRY).out
    assert "✗ service App Service or Functions app portal: uncovered" in said
    assert "✓ builder workspace mlw (mlw): covered, holds Contributor" in said


def test_a_compute_shows_what_its_identity_needs(azure: LocalAzure) -> None:
    ran = azure.run("explain", f"{WORKSPACE}/computes/direct")
    assert ran.code == 0, ran.err
    assert "✓ " in ran.out
    assert "AcrPull at" in ran.out
    assert "without" not in ran.out


def test_what_the_policy_keeps_closed_says_the_line_that_opens_it(azure: LocalAzure) -> None:
    ran = azure.run("explain", FOREIGN)
    assert ran.code == 2
    assert "target-outside-boundary" in ran.out
    assert "trust: {allow:" in ran.out


def explain(azure: LocalAzure, resource: str, code: int) -> Json:
    ran = azure.run("explain", resource, "--format", "json")
    assert ran.code == code, (ran.out, ran.err)
    return ran.document


def pairs(document: Json) -> set[tuple[str, str, str]]:
    """(whose identity, what it needs, on what)"""
    return {(one["identity"], one["need"], one["scope"].rpartition("/")[2]) for one in document["needs"]}


_IN_WIDE = {
    ("shared", "pull images", "acrwide"),
    ("shared", "read blobs", "stwide"),
    ("shared", "read and write blobs", "stwide"),
    ("wide/onlineEndpoints/scorer", "pull images", "acrwide"),
    ("wide/onlineEndpoints/scorer", "read blobs", "stwide"),
}


def test_a_workspace_explains_itself_and_its_children(azure: LocalAzure) -> None:
    document = explain(azure, WIDE_WORKSPACE.upper().replace("/SUBSCRIPTIONS", "/subscriptions"), 2)
    assert pairs(document) >= _IN_WIDE
    assert {one["resourceId"].rpartition("/")[2] for one in document["findings"]} >= {"nobody", "blobs"}
    assert document["workspaces"] == [one["resourceId"] for one in document["lookedAt"]]
    (looked,) = document["lookedAt"]
    assert (looked["computes"], looked["endpoints"], looked["datastores"], looked["connections"]) == (2, 1, 1, 0)


@pytest.mark.parametrize(
    ("child_of_it", "wanted"),
    [
        ("computes/by-shared", {one for one in _IN_WIDE if one[0] == "shared"}),
        ("onlineEndpoints/scorer", {one for one in _IN_WIDE if one[0] != "shared"}),
    ],
)
def test_a_child_explains_what_its_identity_needs_wherever_that_is(
    azure: LocalAzure, child_of_it: str, wanted: set[tuple[str, str, str]]
) -> None:
    assert pairs(explain(azure, f"{WIDE_WORKSPACE}/{child_of_it}", 2)) == wanted


def test_an_identity_explains_what_it_needs_and_where(azure: LocalAzure) -> None:
    document = explain(azure, f"{WIDE}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/shared", 2)
    assert sorted(one.rpartition("/")[2] for one in document["workspaces"]) == ["other", "wide"]
    assert pairs(document) == {one for one in _IN_WIDE if one[0] == "shared"}
    assert {one["need"]: one["verdict"] for one in document["needs"]} == {
        "pull images": "held",
        "read blobs": "to be granted",
        "read and write blobs": "missing",
    }


def test_a_storage_account_explains_who_reads_it(azure: LocalAzure) -> None:
    document = explain(azure, f"{WIDE}/providers/Microsoft.Storage/storageAccounts/stwide", 2)
    assert pairs(document) == {one for one in _IN_WIDE if one[2] == "stwide"}


def test_a_finding_on_a_resource_is_told_with_it_and_not_elsewhere(azure: LocalAzure) -> None:
    ran = azure.run("explain", f"{WIDE_WORKSPACE}/computes/nobody")
    assert ran.code == 2
    assert "has no identity" in ran.out
    assert "keeps a credential" not in ran.out
    assert "keeps a credential" in azure.run("explain", f"{WIDE_WORKSPACE}/datastores/blobs").out


@pytest.mark.parametrize(
    ("resource", "looked"),
    [
        ("Microsoft.Storage/storageAccounts/stidle", "looked at: no workspace is, lies in or uses it"),
        ("Microsoft.ManagedIdentity/userAssignedIdentities/idle", "looked at: no workspace is, lies in or uses it"),
    ],
)
def test_what_is_there_and_nobody_needs_says_so_and_what_was_looked_at(
    azure: LocalAzure, resource: str, looked: str
) -> None:
    ran = azure.run("explain", f"{WIDE}/providers/{resource}")
    assert ran.code == 0, ran.err
    assert "nothing to do: the resource exists, and no rule asks for anything here" in ran.out
    assert looked in ran.out


def test_what_was_looked_at_is_said(azure: LocalAzure) -> None:
    ran = azure.run("explain", AWAY)
    assert f"looked at: workspace {AWAY} (1 compute, 0 endpoints, 0 datastores, 0 connections)" in ran.out


@pytest.mark.parametrize(
    ("resource", "said"),
    [
        pytest.param(f"{WORKSPACE}/computes/gone", "there is no compute", id="a compute that is not there"),
        pytest.param(f"{WORKSPACE}/onlineEndpoints/gone", "there is no online endpoint", id="an endpoint"),
        pytest.param(f"{WORKSPACE}/datastores/gone", "there is no datastore", id="a datastore"),
        pytest.param(f"{WORKSPACE}/marvels/gone", "there is no resource", id="a child of no known type"),
        pytest.param(f"{REGISTRY}x", "there is no registry", id="a registry"),
        pytest.param(
            f"{GROUP}/providers/Microsoft.Storage/storageAccounts/gone", "there is no storage account", id="storage"
        ),
        pytest.param(
            f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/gone",
            "there is no user-assigned identity",
            id="an identity",
        ),
        pytest.param(f"{GROUP}/providers/Contoso.Things/things/thing", "does not read this kind", id="no known type"),
        pytest.param(f"{WORKSPACE}-gone/computes/cpu", "there is no compute", id="a compute of no workspace"),
    ],
)
def test_what_is_not_there_is_an_error_that_names_it(azure: LocalAzure, resource: str, said: str) -> None:
    ran = azure.run("explain", resource)
    assert ran.code == 1, ran.out
    assert ran.out == ""
    assert said in ran.err
    assert resource in ran.err
    assert len(ran.err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("resource", "said"),
    [
        pytest.param(f"{WORKSPACE}-gone", "there is no workspace", id="a workspace that is not there"),
        pytest.param(group_id("rg-empty"), "no workspace is, lies in or uses", id="a group without workspaces"),
        pytest.param("acrone", "an ARM id starts with /", id="no ARM id"),
    ],
)
def test_what_cannot_be_explained_is_an_error(azure: LocalAzure, resource: str, said: str) -> None:
    ran = azure.run("explain", resource)
    assert ran.code == 1
    assert ran.out == ""
    assert said in ran.err


def test_explaining_changes_nothing(azure: LocalAzure) -> None:
    azure.forget_requests()
    azure.run("explain", AWAY)
    assert azure.asked()
    assert azure.writes() == []
