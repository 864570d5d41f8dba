"""Identities that are gone, and data that a hub keeps apart without saying so."""

from collections.abc import Callable

from catalogue.build import ACR_PULL, assign, compute, endpoint, registry, storage, system, uai, user, workspace
from catalogue.case import Case, Place, Raw, Tenant
from catalogue.documented import acts, leaves

type Build = Callable[[Place], Tenant]


def _below_hub(*, flag: bool | None = None, hub: str = "there", kind: str = "Project") -> Build:
    """A project with an endpoint, on the storage of its hub. `flag` is the hub's; the project has none."""

    def build(place: Place) -> Tenant:
        blobs = storage(place)
        own: Raw = {} if flag is None else {"enableDataIsolation": flag}
        above = workspace(place, name="hub", kind="Hub", storageAccount=blobs["id"], **own)
        named = above["id"].upper().replace("/SUBSCRIPTIONS/", "/subscriptions/")
        project = workspace(place, kind=kind, storageAccount=blobs["id"], hubResourceId=named)
        parts = [blobs, project, endpoint(project, "infer", identity=system(place.object_id("infer")))]
        return Tenant([*parts, above] if hub == "there" else parts)

    return build


def _hub(place: Place) -> Tenant:
    blobs = storage(place)
    ws = workspace(place, kind="hub", storageAccount=blobs["id"])
    return Tenant([blobs, ws, endpoint(ws, "infer", identity=system(place.object_id("infer")))])


def _renewed(place: Place) -> tuple[Raw, Raw]:
    """The identity that is there, and the block of one that was there before it."""
    one = uai(place)
    old = {"principalId": place.object_id("old"), "clientId": place.object_id("client of old")}
    return one, {"type": "UserAssigned", "userAssignedIdentities": {one["id"]: old}}


def _deleted(place: Place, *, recorded: bool) -> Raw:
    one = uai(place)
    return user(one) if recorded else {"type": "UserAssigned", "userAssignedIdentities": {one["id"]: {}}}


def _cluster(which: str) -> Build:
    def build(place: Place) -> Tenant:
        acr, one = registry(place), uai(place)
        ws = workspace(place, containerRegistry=acr["id"])
        if which == "there":
            return Tenant([acr, one, ws, compute(ws, "cpu1", identity=user(one))])
        block = _deleted(place, recorded=which == "recorded")
        return Tenant([acr, ws, compute(ws, "cpu1", identity=block)])

    return build


def _endpoint_made_anew(place: Place) -> Tenant:
    acr, ws = registry(place), workspace(place)
    one, block = _renewed(place)
    return Tenant([acr, ws, one, endpoint(ws, "infer", identity=block)])


def _primary_deleted(place: Place) -> Tenant:
    one, blobs = uai(place), storage(place)
    primary: Raw = {"primaryUserAssignedIdentity": one["id"]}
    return Tenant([blobs, workspace(place, identity=user(one), storageAccount=blobs["id"], **primary)])


def _leaving(place: Place) -> Tenant:
    acr = registry(place)
    ws = workspace(place, containerRegistry=acr["id"], provisioningState="Deleting")
    return Tenant([acr, ws, compute(ws, "cpu1", identity=system(place.object_id("cpu1")))])


def _last_puller(*, made_anew: bool) -> Build:
    """All that is recorded may pull."""

    def build(place: Place) -> Tenant:
        acr, (one, block) = registry(place, admin=True), _renewed(place)
        ws = workspace(place, containerRegistry=acr["id"])
        cluster = compute(ws, "cpu1", identity=block if made_anew else user(one))
        held = [assign(acr["id"], place.object_id(who), ACR_PULL) for who in ("old", "id")]
        return Tenant([acr, one, ws, cluster], held)

    return build


CASES: tuple[Case, ...] = (
    acts(
        "data-isolation-by-default",
        _below_hub(flag=True),
        "which isolates the data of its projects:",
        outcome="Withheld",
    ),
    acts(
        "data-isolation-by-default",
        _below_hub(),
        "by default",
        "a project below a hub that says nothing either",
        outcome="Withheld",
    ),
    acts(
        "data-isolation-by-default",
        _below_hub(flag=False, hub="gone"),
        "could not be read",
        "a project whose hub is not there",
        outcome="Withheld",
    ),
    acts("data-isolation-by-default", _hub, "is a hub", "a hub that says nothing", outcome="Withheld"),
    leaves("data-isolation-by-default", _below_hub(flag=False)),
    acts("lost-identity", _cluster("left out"), "uami was deleted", outcome="Finding"),
    acts(
        "lost-identity",
        _cluster("recorded"),
        "uami was deleted",
        "a deleted identity whose object id is still recorded",
        outcome="Finding",
    ),
    acts("lost-identity", _endpoint_made_anew, "made anew", "an endpoint with the old one's object id"),
    acts("lost-identity", _primary_deleted, "uami was deleted", "a workspace whose primary identity was deleted"),
    acts("lost-identity", _leaving, "is being deleted", "a workspace that is being deleted", outcome="Finding"),
    leaves("lost-identity", _cluster("there")),
    acts("lost-identity-pulls", _last_puller(made_anew=True), "only as the admin user", outcome="Withheld"),
    leaves("lost-identity-pulls", _last_puller(made_anew=False)),
)
