"""The user-assigned identity of something was deleted, or made anew under its name (AML-98)."""

from collections.abc import Callable
from typing import Any

from catalogue.build import (
    ACR_PULL,
    BLOB_CONTRIBUTOR,
    CONTRIBUTOR,
    assign,
    compute,
    datastore,
    endpoint,
    resource,
    storage,
    system,
    uai,
    user,
    workspace,
)
from catalogue.case import ALLOWED_GROUP, Place, Raw, Tenant
from reports.report import Build, Grant, Report, beside, team

_ABOUT = frozenset(("lost-identity", "compute-identity"))
_GUARD = "lost-identity-pulls"

type Block = Callable[[Place], tuple[Raw, list[Raw]]]


def _left_out(place: Place) -> tuple[Raw, list[Raw]]:
    """As ARM tells a deleted identity: its id, and nothing about it."""
    return {"type": "UserAssigned", "userAssignedIdentities": {uai(place, "dead")["id"]: {}}}, []


def _recorded(place: Place) -> tuple[Raw, list[Raw]]:
    return user(uai(place, "dead")), []


def _made_anew(place: Place) -> tuple[Raw, list[Raw]]:
    now = uai(place, "dead")
    then = {"principalId": place.object_id("old"), "clientId": place.object_id("old client")}
    return {"type": "UserAssigned", "userAssignedIdentities": {now["id"]: then}}, [now]


def _second_of_two(place: Place) -> tuple[Raw, list[Raw]]:
    living = uai(place, "alive")
    return user(living, uai(place, "dead")), [living]


def _there(place: Place) -> tuple[Raw, list[Raw]]:
    living = uai(place, "alive")
    return user(living), [living]


def _on(make: Callable[[Raw, Raw, Place], list[Raw]], block: Block, *, admin: bool = True, **more: Any) -> Build:
    def build(place: Place) -> Tenant:
        identity, living = block(place)
        acr, ws, tenant = team(place, admin=admin, **more)
        names = ("dead", "alive", "old")
        held = [assign(acr["id"], place.object_id(name), ACR_PULL) for name in names]
        return beside(tenant, *living, *make(ws, identity, place), held=held)

    return build


def _cluster(ws: Raw, identity: Raw, place: Place) -> list[Raw]:
    del place
    return [compute(ws, "one", identity=identity)]


def _instance(ws: Raw, identity: Raw, place: Place) -> list[Raw]:
    del place
    return [compute(ws, "one", "ComputeInstance", identity=identity)]


def _databricks(ws: Raw, identity: Raw, place: Place) -> list[Raw]:
    of = place.id("Microsoft.Databricks/workspaces", "bricks")
    return [compute(ws, "one", "Databricks", identity=identity, resourceId=of, isAttachedCompute=True)]


def _kubernetes(ws: Raw, identity: Raw, place: Place) -> list[Raw]:
    kind = "Microsoft.ContainerService/managedClusters"
    cluster = resource(place.id(kind, "k8s"), kind, {"identityProfile": {}})
    return [cluster, compute(ws, "one", "Kubernetes", identity=identity, resourceId=cluster["id"])]


def _endpoint(ws: Raw, identity: Raw, place: Place) -> list[Raw]:
    del place
    return [endpoint(ws, "one", identity=identity)]


def _workspace(block: Block, *, primary: str = "dead") -> Build:
    def build(place: Place) -> Tenant:
        identity, living = block(place)
        named = uai(place, primary)["id"]
        acr, _, tenant = team(place, identity=identity, primaryUserAssignedIdentity=named)
        held = [assign(acr["id"], place.object_id(name), CONTRIBUTOR) for name in ("dead", "alive", "old")]
        return beside(tenant, *living, held=held)

    return build


def _builds(block: Block) -> Build:
    return _on(_cluster, block, imageBuildCompute="one")


def _leaving(place: Place) -> Tenant:
    return team(place, covered=False, provisioningState="Deleting")[2]


def _beside_leaving(place: Place) -> Tenant:
    """Another workspace on the same registry."""
    acr, _, tenant = team(place)
    gone = workspace(place, name="gone", containerRegistry=acr["id"], provisioningState="Deleting")
    return beside(tenant, gone)


def _lately(place: Place) -> Tenant:
    """The cluster itself is on its way out: nobody grants it anything."""
    _, ws, tenant = team(place)
    return beside(tenant, compute(ws, "one", identity=system(place.object_id("one")), provisioningState="Deleting"))


def _on_data(place: Place) -> Tenant:
    """A keyless store that is on the allow-list, and a cluster that would read there."""
    other = storage(place, f"other{place.unique}")
    other["id"] = f"{ALLOWED_GROUP}/providers/Microsoft.Storage/storageAccounts/{other['name']}"
    _, ws, tenant = team(place)
    home = {"subscriptionId": ALLOWED_GROUP.split("/")[2], "resourceGroup": ALLOWED_GROUP.rpartition("/")[2]}
    dead = compute(ws, "one", identity=_left_out(place)[0])
    held = [assign(other["id"], place.object_id("cluster"), BLOB_CONTRIBUTOR)]
    return beside(tenant, other, dead, datastore(ws, "data", other["name"], **home), held=held)


def _report(
    variant: str, build: Build, stays_on: str | None, says: str = "was deleted", *grants: Grant, **more: Any
) -> Report:
    finds = {"lost-identity": says} if says else {}
    return Report(
        "lost identity",
        variant,
        build,
        stays_on,
        finds=finds,
        about=_ABOUT,
        grants=frozenset(grants),
        never=("has no identity",),
        **more,
    )


REPORTS = (
    _report("of a cluster", _on(_cluster, _left_out), _GUARD),
    _report("of a cluster that ARM still records", _on(_cluster, _recorded), _GUARD),
    _report("of a cluster made anew", _on(_cluster, _made_anew), _GUARD, "made anew"),
    _report("of a cluster with another", _on(_cluster, _second_of_two), "", "was deleted"),
    _report("of a cluster that is there", _on(_cluster, _there), "", ""),
    _report("of an instance", _on(_instance, _left_out), _GUARD),
    _report("of an attached cluster", _on(_kubernetes, _left_out), _GUARD),
    _report("of a databricks", _on(_databricks, _left_out), "", "was deleted"),
    _report("of an endpoint", _on(_endpoint, _recorded), _GUARD, "Make another endpoint"),
    _report("of an endpoint made anew", _on(_endpoint, _made_anew), _GUARD, "made anew"),
    _report("of an image builder", _builds(_recorded), _GUARD),
    _report("of a workspace", _workspace(_recorded), _GUARD),
    _report(
        "of a workspace with another",
        _workspace(_second_of_two, primary="alive"),
        "",
        "Detach it",
        ("alive", BLOB_CONTRIBUTOR, "st"),
    ),
    _report("of a workspace that goes", _leaving, None, "is being deleted"),
    _report("of a workspace beside one that goes", _beside_leaving, _GUARD, "is being deleted"),
    _report("of a cluster that goes", _lately, "", ""),
    _report("of a cluster beside keyless data", _on_data, _GUARD),
    _report(
        "nobody may read", _on(_cluster, _there), _GUARD, "could not be read", cannot_read=("userAssignedIdentities",)
    ),
    _report("of a registry whose admin user is off", _on(_cluster, _left_out, admin=False), None),
)
