"""Image building fails with an existing registry, once its admin user is off (AML-83)."""

from collections.abc import Callable
from typing import Any

from catalogue.build import (
    ACR_PULL,
    BLOB_CONTRIBUTOR,
    CONTRIBUTOR,
    assign,
    compute,
    registry_at,
    system,
    uai,
    user,
)
from catalogue.case import ALLOWED_GROUP, Place, Raw, Tenant
from reports.report import Build, Report, beside, team

from emulator import tenant_builder as build

_PUSH = "8311e382-0749-4cb8-b61a-304f252e45ec"
_TASKS = "fb382eab-e894-4461-af04-94435c366c3f"
_WRITER = "2a1e307c-b015-4ebd-883e-5b7698a07328"
_READER = "b93aa761-3e63-49ed-ac28-beffa264f7ac"
_REGISTRIES = "Microsoft.ContainerRegistry/registries"
_GUARD = "uncovered-builder"
_ABOUT = frozenset(("image-builder", "image-builder-role", "workspace-registry"))
_BLOBS = frozenset([("uami", BLOB_CONTRIBUTOR, "st")])


def _as_uai(*held: tuple[str, str], deleted: bool = False) -> Build:
    """A workspace that acts as user-assigned identity `uami`; `held` are (role, "acrml" or "group")."""

    def build(place: Place) -> Tenant:
        one = uai(place)
        acr, _, tenant = team(place, identity=user(one), primaryUserAssignedIdentity=one["id"])
        at = {"acrml": acr["id"], "group": place.group, "subscription": place.subscription}
        grants = [assign(at[where], place.object_id("uami"), role) for role, where in held]
        return beside(tenant, *(() if deleted else (one,)), held=grants)

    return build


def _shared(**more: Any) -> Build:
    """A registry of another group, which the group's Contributor role of AML does not reach."""

    def build(place: Place) -> Tenant:
        acr = registry_at(f"{ALLOWED_GROUP}/providers/{_REGISTRIES}/acrml{place.unique}", admin=True)
        return team(place, acr=acr, **more)[2]

    return build


def _by_cluster(*roles: str, as_uai: bool = False, there: bool = True, named: str = "Builds") -> Build:
    def build(place: Place) -> Tenant:
        one = uai(place, "builds")
        acr, ws, tenant = team(place, imageBuildCompute=named)
        builds = compute(ws, "builds", identity=user(one) if as_uai else system(place.object_id("builds")))
        held = [assign(acr["id"], place.object_id("builds"), role) for role in (ACR_PULL, *roles)]
        return beside(tenant, one, *((builds,) if there else ()), held=held)

    return build


def _through(how: Callable[[Place, Raw], dict[str, Any]]) -> Build:
    """As UAI, and what else the place has."""

    def build(place: Place) -> Tenant:
        tenant = _as_uai()(place)
        acr = tenant.resources[0]
        more = how(place, acr)
        return beside(tenant, held=more.pop("held", ()), **more)

    return build


def _group(place: Place, acr: Raw) -> dict[str, Any]:
    inner, outer = place.object_id("inner group"), place.object_id("outer group")
    held = [assign(acr["id"], outer, CONTRIBUTOR, kind="Group")]
    return {"held": held, "groups": {outer: [inner], inner: [place.object_id("uami")]}}


def _conditional(place: Place, acr: Raw) -> dict[str, Any]:
    condition = {"condition": "(@Resource[x:name] StringEquals 'y')", "conditionVersion": "2.0"}
    return {"held": [assign(acr["id"], place.object_id("uami"), CONTRIBUTOR, **condition)]}


def _custom(place: Place, acr: Raw) -> dict[str, Any]:
    del acr
    actions = ["push/*", "pull/read", "scheduleRun/action", "listBuildSourceUploadUrl/action", "*/read"]
    held = {"actions": [f"{_REGISTRIES.upper()}/{one}" for one in actions]}
    definition = build.role_definition(f"Builder of {place.name}", place.subscription, held)
    return {
        "held": [assign(place.subscription, place.object_id("uami"), definition["name"])],
        "role_definitions": [definition],
    }


def _denied(place: Place, acr: Raw) -> dict[str, Any]:
    nobody = {"actions": [f"{_REGISTRIES}/push/write"]}
    undashed = {"id": place.object_id("uami").replace("-", ""), "type": "ServicePrincipal"}
    deny = build.deny_assignment(acr["id"], nobody, [undashed], isSystemProtected=False)
    return {"held": [assign(acr["id"], place.object_id("uami"), CONTRIBUTOR)], "deny_assignments": [deny]}


def _abac(*roles: str) -> Build:
    def build(place: Place) -> Tenant:
        acr = registry_at(place.id(_REGISTRIES, f"acrml{place.unique}"), admin=True, abac=True)
        _, _, tenant = team(place, acr=acr, covered=False)
        held = [assign(acr["id"], place.object_id("cluster"), _READER)]
        return beside(tenant, held=[*held, *(assign(acr["id"], place.object_id("mlw"), role) for role in roles)])

    return build


def _registry_gone(place: Place) -> Tenant:
    acr, _, tenant = team(place)
    return Tenant([one for one in tenant.resources if one is not acr], tenant.role_assignments)


def _report(variant: str, build: Build, stays_on: str | None = _GUARD, **more: Any) -> Report:
    return Report("builder", variant, build, stays_on, about=_ABOUT, **more)


_CONTROL = {"workspace-registry": '--role "Contributor"'}

REPORTS = (
    _report("that its group covers", lambda place: team(place)[2], ""),
    _report("of a registry in another group", _shared(), finds=_CONTROL),
    _report("as uai", _as_uai(), grants=_BLOBS, finds=_CONTROL),
    _report("as uai that pushes only", _as_uai((_PUSH, "acrml")), grants=_BLOBS, finds=_CONTROL),
    _report(
        "as uai of push and tasks", _as_uai((_PUSH, "group"), (_TASKS, "acrml")), "", grants=_BLOBS, finds=_CONTROL
    ),
    _report("as uai by the subscription", _as_uai((CONTRIBUTOR, "subscription")), "", grants=_BLOBS),
    _report("through groups in groups", _through(_group), "", grants=_BLOBS),
    _report("under a condition", _through(_conditional), grants=_BLOBS, finds=_CONTROL),
    _report("by a role of their own", _through(_custom), "", grants=_BLOBS, finds=_CONTROL),
    _report("that a deny assignment stops", _through(_denied), grants=_BLOBS, finds=_CONTROL),
    _report("is a cluster that pulls", _by_cluster(), finds={"image-builder": '--role "Contributor"'}),
    _report("is a cluster as uai", _by_cluster(as_uai=True), finds={"image-builder": "builds images for mlw"}),
    _report("is a cluster that pushes", _by_cluster(_PUSH, _TASKS, as_uai=True, named="BUILDS"), ""),
    _report("is a cluster that is gone", _by_cluster(there=False), finds={"image-builder": "which does not exist"}),
    _report("in abac mode", _abac(CONTRIBUTOR), finds={"image-builder": "Container Registry Repository Writer"}),
    _report("in abac mode that writes", _abac(_WRITER), ""),
    _report("of a registry that is gone", _registry_gone, None),
    _report("whose identity is gone", _as_uai(deleted=True), "lost-identity-pulls"),
    _report(
        "of a registry that nobody may read",
        lambda place: team(place)[2],
        None,
        cannot_read=("registries/",),
        fails=True,
    ),
    _report(
        "whose roles nobody may read",
        _as_uai((CONTRIBUTOR, "acrml")),
        None,
        cannot_read=("roleAssignments",),
        fails=True,
    ),
)
