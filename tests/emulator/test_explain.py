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
)
from wire import Json

GROUP, FAR = group_id("rg-one"), group_id("rg-far")
REGISTRY = child(GROUP, "Microsoft.ContainerRegistry/registries", "acrone")
FOREIGN = child(FAR, "Microsoft.ContainerRegistry/registries", "acrfar")
WORKSPACE = child(GROUP, "Microsoft.MachineLearningServices/workspaces", "ws")
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
    tenant.assign(GROUP, tenant.group("pullers", oid("member")), READER)
    tenant.deny(REGISTRY, oid("denied"), actions=["Microsoft.ContainerRegistry/registries/pull/read"])
    return start_azure(tenant.document(), GRANTS_ONLY, functions=False)


@pytest.fixture(scope="module")
def needs(azure: LocalAzure) -> dict[str, Json]:
    ran = azure.run("explain", REGISTRY.upper(), "--format", "json")
    assert ran.code == 2, ran.err
    assert ran.err == ""
    return {one["resourceId"].rpartition("/")[2]: one for one in ran.document["needs"]}


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
