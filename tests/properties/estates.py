"""Random estates: one workspace, perhaps a neighbour, a handful of identities and whatever is assigned to them."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from oracle import matches
from unit.build import (
    CLUSTER,
    FOREIGN,
    GROUP,
    LOOKALIKE,
    MANAGEMENT_GROUP,
    NOW,
    REGISTRY,
    ROLES,
    STORAGE,
    SUBSCRIPTION,
    WORKSPACE,
    assigned,
    cluster,
    compute,
    connection,
    container_group,
    custom,
    datastore,
    denied,
    endpoint,
    estate,
    identity,
    lock,
    registry,
    registry_id,
    sai,
    terms,
    uai,
    vault,
    workspace,
    workspace_id,
)

from shared.access.actions import Grant
from shared.access.model import ComputeType, Estate, Principal, Workspace
from shared.access.permissions import Access, Permission, RoleAssignment
from shared.access.rules import RULES
from shared.access.scope import Scope
from shared.access.terms import Boundary, Caps, Exemption, Terms

NO_PULL = custom("*", but=["Microsoft.ContainerRegistry/registries/pull/read"])
PRIVATE = registry_id("private", FOREIGN)
NEIGHBOUR = workspace_id("neighbour")
KUBELET = replace(uai("kubelet"), resource=CLUSTER)
PRINCIPALS = [sai("a"), sai("b"), uai("one"), uai("two"), uai("stranger", FOREIGN), KUBELET]
TARGETS = [
    REGISTRY,
    STORAGE,
    GROUP,
    SUBSCRIPTION,
    WORKSPACE,
    MANAGEMENT_GROUP,
    LOOKALIKE,
    REGISTRY.child("scopeMaps", "x"),
    PRIVATE,
]
HELD_ROLES = [
    *(ROLES[name] for name in ("AcrPull", "Reader", "Owner", "Container Registry Repository Reader")),
    *(ROLES[name] for name in ("Contributor", "Storage Blob Data Reader", "Storage Blob Data Contributor")),
    NO_PULL,
]

principals = st.sampled_from(PRINCIPALS)
holders = st.lists(st.sampled_from(PRINCIPALS[:5]), max_size=2, unique=True)
calm_holders = st.lists(st.sampled_from(PRINCIPALS[:4]), min_size=1, max_size=2, unique=True)
ready = st.sampled_from([True, True, True, False])
some = st.sampled_from([None, None, "c"])
mostly = st.sampled_from([True] * 9 + [False])
ages = st.sampled_from([None, timedelta(minutes=5), timedelta(days=1)])
seldom = st.sampled_from([False, False, True])
surely = st.just(value=True)
rare = st.sampled_from([0, 0, 0, 1])
never = st.sampled_from([0, 0, 0, 0])
registries = st.sampled_from([REGISTRY, REGISTRY, REGISTRY, None, PRIVATE])
vaults = st.sampled_from([None, vault(rbac=True).id])
held_roles, targets = st.sampled_from(HELD_ROLES), st.sampled_from(TARGETS)
kinds, calm_kinds = st.sampled_from(list(ComputeType)), st.sampled_from([ComputeType.DATABRICKS])
locked = st.sampled_from([GROUP, REGISTRY, STORAGE, FOREIGN, NEIGHBOUR])
taken_away = st.sampled_from(["*/read", "*/write"])
requirements = st.sampled_from(sorted({r for rule in RULES for r in (*rule.requirements, *rule.also)}))
turned_on = st.sampled_from([[], ["AML-10"], ["AML-03", "AML-08", "endpoint-writes-metrics"]])
allowed = st.sampled_from([(), (), (FOREIGN,), (PRIVATE,)])
boundaries = st.sampled_from([Boundary.RESOURCE_GROUP, Boundary.RESOURCE_GROUP, Boundary.SUBSCRIPTION])
settling = st.sampled_from([timedelta(), timedelta(minutes=15)])


@st.composite
def workspaces(draw: st.DrawFn, scope: Scope, calm: bool) -> Workspace:
    """`calm`: everything is made, has an identity of this place and can pull with it."""
    who = calm_holders if calm else holders
    made = surely if calm else ready
    kind = calm_kinds if calm else kinds
    children: list[Any] = [
        cluster(f"cpu{i}", *draw(who), on=scope, ready=draw(made)) for i in range(draw(st.integers(0, 2)))
    ]
    children += [compute("x", draw(kind), *draw(who), on=scope)] * draw(st.integers(0, 1))
    children += [compute("aks", ComputeType.AKS, on=scope, attached=CLUSTER)] * draw(st.integers(0, 1))
    children += [endpoint("serve", *draw(who), on=scope, ready=draw(made))] * draw(st.integers(0, 1))
    children += [datastore("d", identity_based=draw(st.booleans()))] * draw(st.integers(0, 1))
    children += [connection("p", PRIVATE)] * draw(st.integers(0, 1))
    me = draw(who)
    return workspace(
        *children,
        id=scope,
        identity=identity(*me),
        primary=draw(st.sampled_from([None, *(p.resource for p in me if p.resource)])),
        registry=draw(registries),
        vault=draw(vaults),
        serverless=draw(seldom) and not calm,
        data_isolation=draw(seldom),
        storage_by_identity=draw(st.booleans()),
    )


@st.composite
def assignments(draw: st.DrawFn) -> RoleAssignment:
    age = draw(ages)
    return assigned(
        draw(principals),
        draw(held_roles),
        draw(targets),
        condition=draw(some),
        on=None if age is None else NOW - age,
    )


def where(assignment: RoleAssignment) -> tuple[Scope, str, str]:
    """Azure allows one assignment of a role to a principal at a scope."""
    return assignment.scope, assignment.principal_id, assignment.role_id


assigned_before = st.lists(assignments(), max_size=6, unique_by=where)
subjects = {calm: workspaces(WORKSPACE, calm) for calm in (True, False)}
neighbours = {calm: workspaces(NEIGHBOUR, calm) for calm in (True, False)}


@st.composite
def estates(draw: st.DrawFn) -> Estate:
    """Half of them are calm, so that plans also come to the switch-off."""
    calm = draw(st.booleans())
    seldom_here = never if calm else rare
    admin_user, abac = calm or draw(st.booleans()), draw(seldom)
    parts: list[Any] = [registry(admin_user=admin_user, abac=abac), registry(PRIVATE, admin_user=admin_user)]
    parts += [vault(rbac=draw(st.booleans()))]
    parts += [draw(neighbours[calm])] * draw(st.integers(0, 1))
    parts += [lock(draw(locked))] * draw(seldom_here)
    parts += [container_group("g", "acrml.azurecr.io")] * draw(seldom_here)
    denies = [denied(draw(taken_away), at=GROUP)] * draw(seldom_here)
    held = draw(assigned_before)
    subject, *others = [draw(subjects[calm]), *(p for p in parts if isinstance(p, Workspace))]
    if calm:
        build = ["Contributor", *(["Container Registry Repository Writer"] if abac else [])]
        builders = {one.acting.id: one.acting for one in (subject, *others) if one.acting and draw(mostly)}
        held += [assigned(one, ROLES[name], REGISTRY) for one in builders.values() for name in build]
        pull = ROLES["Container Registry Repository Reader" if abac else "AcrPull"]
        age = draw(ages)
        calmed = [assigned(p, pull, SUBSCRIPTION, on=NOW - age if age else None) for p in PRINCIPALS if draw(mostly)]
        held = list({where(one): one for one in (*held, *calmed)}.values())
    return estate(
        subject,
        *parts,
        held=held,
        roles=[NO_PULL],
        denies=denies,
        clusters={CLUSTER: KUBELET} if calm or draw(st.booleans()) else {},
    )


@st.composite
def policies(draw: st.DrawFn) -> Terms:
    """Without a cap: what a cap withholds depends on the order."""
    exempt = Exemption(draw(targets), frozenset({draw(requirements).casefold()}), NOW.date(), "x")
    return terms(
        on=draw(turned_on),
        off=draw(st.sampled_from([[], [], [draw(requirements)]])),
        report=draw(st.sampled_from([[], [], [draw(requirements)]])),
        exemptions=draw(st.sampled_from([(), (), (exempt,)])),
        allow=draw(allowed),
        boundary=draw(boundaries),
        settle=draw(settling),
        caps=Caps(per_run=1000),
    )


def all_assignments(seen: Estate) -> list[RoleAssignment]:
    return list({one.id: one for access in seen.access.values() for one in access.assignments}.values())


def with_assignments(seen: Estate, changed: Iterable[RoleAssignment]) -> Estate:
    kept = list(changed)
    return replace(
        seen,
        access={
            who: replace(access, assignments=tuple(a for a in kept if a.principal_id == who))
            for who, access in seen.access.items()
        },
    )


def made(grant: Grant, seen: Estate) -> RoleAssignment:
    """What Azure has once the grant is carried out."""
    name = f"{grant.scope}/providers/Microsoft.Authorization/roleAssignments/{grant.name}"
    return RoleAssignment(name, grant.scope, grant.principal.id, grant.need.role_id, None, seen.now)


def may(access: Access, permission: Permission, target: Scope) -> bool:
    """Whether Azure lets it through, the slow way: every block of every assignment, then the denies."""
    allowed = any(
        _matched(block.data_actions if permission.data else block.actions, permission.action)
        and not _matched(block.not_data_actions if permission.data else block.not_actions, permission.action)
        for a in access.assignments
        if _reaches(a.scope, target) and not a.condition
        for block in access.roles[a.role_id].permissions
    )
    taken = any(
        _matched(block.data_actions if permission.data else block.actions, permission.action)
        for deny in access.denies
        if _reaches(deny.scope, target)
        for block in deny.blocks
    )
    return allowed and not taken


def _matched(patterns: Iterable[str], action: str) -> bool:
    return any(matches(pattern, action) for pattern in patterns)


def _reaches(assigned_at: Scope, target: Scope) -> bool:
    return assigned_at == MANAGEMENT_GROUP or f"{target.key}/".startswith(f"{assigned_at.key}/")


def pullers(seen: Estate) -> Iterator[tuple[Workspace, Principal]]:
    """Identities that surely pull from their workspace's registry."""
    for one in seen.workspaces:
        clusters = (c.identity for c in one.computes if c.type is ComputeType.AML_COMPUTE)
        for each in (*clusters, *(e.identity for e in one.endpoints)):
            if each.default and one.registry:
                yield one, each.default
