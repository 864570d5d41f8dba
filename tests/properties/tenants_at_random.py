"""Small random tenants of raw ARM objects, and what a registry's admin user is still needed for, as Azure sees it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import raw
from fakes import FakeAzure
from hypothesis import strategies as st
from unit.build import (
    FOREIGN,
    GROUP,
    LONG_AGO,
    MANAGEMENT_GROUP,
    NOW,
    OTHER_SUBSCRIPTION,
    REGISTRY,
    SUBSCRIPTION,
    WORKSPACE,
    assigned,
    denied,
    guid,
    registry_id,
    resource,
    sai,
    uai,
    workspace_id,
)

from shared.access.model import Principal
from shared.access.permissions import EVERYONE
from shared.access.scope import Scope

OTHER = workspace_id("other")
THEIRS = registry_id("theirs", FOREIGN)
WORKSPACES = (WORKSPACE, OTHER)
SETTLE = timedelta(minutes=15)
HOLDERS: dict[str, list[Principal]] = {
    "none": [],
    "sai": [sai("s")],
    "uai": [uai("one")],
    "two": [uai("one"), uai("two")],
    "both": [sai("s"), uai("one")],
    "stranger": [uai("stranger", FOREIGN)],
}
PEOPLE = {p.id: p for holders in HOLDERS.values() for p in holders}
ROLE_NAMES = ["AcrPull", "Reader", "Owner", "Container Registry Repository Reader", "Storage Blob Data Reader"]
PLACES = [REGISTRY, GROUP, SUBSCRIPTION, MANAGEMENT_GROUP, FOREIGN, REGISTRY.child("scopeMaps", "x")]

who = st.sampled_from(["none", "sai", "sai", "uai", "uai", "two", "both", "stranger"])
kinds = st.sampled_from(["AmlCompute"] * 5 + ["ComputeInstance", "VirtualMachine", "Databricks"])
where = st.sampled_from(WORKSPACES)


def compute(name: str, holder: str, kind: str, on: Scope) -> raw.Raw:
    """A system-assigned identity is its compute's own."""
    holders = [sai(f"{on.name}/{name}") if p.resource is None else p for p in HOLDERS[holder]]
    return raw.compute(name, *holders, on=on, kind=kind)


def endpoint(name: str, holder: str, on: Scope) -> raw.Raw:
    holders = [sai(f"{on.name}/{name}") if p.resource is None else p for p in HOLDERS[holder]]
    return raw.endpoint(name, *holders, on=on, provisioningState="Succeeded" if holders else "Creating")


computes = st.builds(compute, st.sampled_from(["cpu0", "cpu1"]), who, kinds, where)
endpoints = st.builds(endpoint, st.just("serve"), who, where)
assignments = st.builds(
    lambda who, role, scope, condition: assigned(who, role, scope, condition=condition),
    st.sampled_from([*PEOPLE.values(), sai("mlw/cpu0"), sai("other/cpu0"), "pullers"]),
    st.sampled_from(ROLE_NAMES),
    st.sampled_from(PLACES),
    st.sampled_from([None, None, None, "c"]),
)


def job(name: str, compute: str | None, days: int, on: Scope) -> raw.Raw:
    where = {"computeId": str(on.child("computes", compute))} if compute else {}
    created = {"systemData": {"createdAt": (NOW - timedelta(days=days)).isoformat()}}
    return raw.resource(on.child("jobs", name), {"jobType": "Command", **where}, **created)


def container_app(name: str, sign_in: raw.Raw, group: Scope) -> raw.Raw:
    named = {"server": f"{REGISTRY.name}.azurecr.io", **sign_in}
    scope = resource("Microsoft.App/containerApps", name, group)
    return raw.resource(scope, {"configuration": {"registries": [named]}})


def container_group(name: str, sign_in: raw.Raw, group: Scope) -> raw.Raw:
    named = {"server": f"{REGISTRY.name}.azurecr.io", **sign_in}
    scope = resource("Microsoft.ContainerInstance/containerGroups", name, group)
    return raw.resource(scope, {"imageRegistryCredentials": [named]})


ABROAD = OTHER_SUBSCRIPTION.child("resourceGroups", "apps")
SIGN_INS: list[raw.Raw] = [{"username": "ACRML"}, {"username": "a-token"}, {"identity": "system"}]
names, ways, groups = st.sampled_from(["one", "two"]), st.sampled_from(SIGN_INS), st.sampled_from([FOREIGN, ABROAD])
# Seldom one that runs nowhere, or old: a tenant whose admin user never goes off tells little.
jobs = st.builds(job, names, st.sampled_from(["cpu0", "cpu0", "cpu0", None]), st.sampled_from([1, 100]), where)
services = st.builds(container_app, names, ways, groups) | st.builds(container_group, names, ways, groups)


@st.composite
def tenants(draw: st.DrawFn) -> FakeAzure:
    """Two workspaces, on one registry or each on its own, one of which is another team's."""
    azure = FakeAzure()
    shared = draw(st.booleans())
    mode: raw.Raw = {"roleAssignmentMode": draw(st.sampled_from([None, None, "AbacRepositoryPermissions"]))}
    azure.have(raw.storage(), raw.vault(), raw.registry(admin_user=draw(st.booleans()), **mode), raw.registry(THEIRS))
    properties: raw.Raw = {"serverlessComputeSettings": {"x": 1}} if draw(st.integers(0, 5)) == 5 else {}
    azure.have(raw.workspace(sai("mlw"), **properties))
    azure.have(raw.workspace(sai("other"), on=OTHER, registry=REGISTRY if shared else THEIRS))
    if draw(st.integers(0, 4)) == 4:
        azure.automatic = []  # of a workspace from before AML granted anything, or that somebody took it away from
    azure.have(*draw(st.lists(jobs, max_size=2)))
    azure.have(*draw(st.lists(services, max_size=1)))
    azure.have(*draw(st.lists(computes, max_size=4)), *draw(st.lists(endpoints, max_size=2)))
    azure.groups = {guid("pullers"): {uai("one").id, guid("inner")}, guid("inner"): {sai("mlw/cpu0").id}}
    held = draw(st.lists(assignments, max_size=3))
    azure.assignments = list({(a.scope, a.principal_id, a.role_id): a for a in held}.values())
    match draw(st.integers(0, 8)):
        case 8:
            deny = denied("*/read", at=GROUP)
            azure.denies = [type(deny)(deny.id, deny.name, deny.scope, deny.blocks, frozenset({EVERYONE}))]
        case 7:
            azure.locks = [raw.lock(draw(st.sampled_from([REGISTRY, OTHER])))]
    return azure


@dataclass(frozen=True)
class Dependant:
    """Who needs a registry's admin user; `principal` is None when it cannot pull with an identity at all."""

    name: str
    principal: str | None = None


def dependants(azure: FakeAzure, registry: Scope, *, since: Any = None) -> Iterator[Dependant]:
    """Those who cannot pull without the admin user (or could not at `since`): Azure's view, not the product's."""
    body = azure.resources[registry]["properties"]
    abac = body.get("roleAssignmentMode") == "AbacRepositoryPermissions"
    for workspace in azure.users_of(registry):
        settings = azure.resources[workspace]["properties"].get("serverlessComputeSettings")
        if settings or any(runs_nowhere(azure, one) for scope, one in jobs_of(azure, workspace)):
            yield Dependant("serverless")
        builder = default_identity(azure.resources[workspace])
        if builder is None or not can_build(azure, builder, registry, abac=abac):
            yield Dependant("builder")
        for scope, one in list(azure.resources.items()):
            kind = one["properties"].get("computeType", "OnlineEndpoint")
            inside = workspace.contains(scope) and scope != workspace and "/jobs/" not in str(scope)
            if not inside or kind == "Databricks":
                continue
            principal = default_identity(one)
            if kind == "VirtualMachine" or principal is None:
                yield Dependant(scope.name)
            elif not can_pull(azure, principal, registry, abac=abac, since=since):
                yield Dependant(scope.name, principal)
    for scope, one in azure.resources.items():
        if body["loginServer"] in str(one["properties"]) and f"'username': '{registry.name.upper()}'" in str(one):
            yield Dependant(scope.name)


def jobs_of(azure: FakeAzure, workspace: Scope) -> Iterator[tuple[Scope, raw.Raw]]:
    return (
        (scope, one) for scope, one in azure.resources.items() if scope.parent == workspace and "/jobs/" in scope.key
    )


def runs_nowhere(azure: FakeAzure, job: raw.Raw) -> bool:
    recent = datetime.fromisoformat(job["systemData"]["createdAt"]) >= azure.clock - timedelta(days=30)
    return recent and "computeId" not in job["properties"]


def can_build(azure: FakeAzure, principal: str, registry: Scope, *, abac: bool) -> bool:
    kind = "Microsoft.ContainerRegistry/registries"
    tasks = all(
        azure.may(principal, f"{kind}/{what}/action", registry) for what in ("scheduleRun", "listBuildSourceUploadUrl")
    )
    if not abac:
        return tasks and azure.may(principal, f"{kind}/push/write", registry)
    parts = [f"{kind}/repositories/{part}/{verb}" for part in ("content", "metadata") for verb in ("read", "write")]
    return tasks and all(azure.may(principal, part, registry, data=True) for part in parts)


def can_pull(azure: FakeAzure, principal: str, registry: Scope, *, abac: bool, since: Any = None) -> bool:
    kind = "Microsoft.ContainerRegistry/registries"
    if not abac:
        return azure.may(principal, f"{kind}/pull/read", registry, since=since)
    return all(
        azure.may(principal, f"{kind}/repositories/{part}/read", registry, data=True, since=since)
        for part in ("content", "metadata")
    )


def default_identity(one: raw.Raw) -> str | None:
    block: Any = one.get("identity") or {}
    users = [user["principalId"] for user in block.get("userAssignedIdentities", {}).values()]
    return block.get("principalId") or next(iter(users), None)


def long_ago(azure: FakeAzure) -> Any:
    return min(azure.clock - SETTLE, azure.clock) if azure.clock > LONG_AGO else LONG_AGO
