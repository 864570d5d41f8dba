"""A project below an isolating hub whose flag it does not repeat: no data role without a condition (AML-73, 93)."""

from typing import Any

from catalogue.build import (
    ACR_PULL,
    CONTRIBUTOR,
    assign,
    compute,
    datastore,
    endpoint,
    registry,
    storage,
    system,
    uai,
    user,
    workspace,
)
from catalogue.case import ALLOWED_GROUP, Place, Raw, Tenant
from reports.report import Build, Grant, Report

_DEFAULT, _FLAG = frozenset(["data-isolation-by-default"]), frozenset(["data-isolation"])
_WRITES = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
_READS = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"


def _project(
    *,
    hub: bool | None = None,
    own: bool | None = None,
    there: bool = True,
    kind: str = "Project",
    below: bool = True,
    users: str = "endpoint",
    names_storage: bool = True,
    keyless: bool = False,
    store: bool = False,
) -> Build:
    """`hub` and `own` are the flags; `users` are of the hub's storage: endpoint, cluster, or the identity `id`."""

    def build(place: Place) -> Tenant:
        blobs, acr, one = storage(place), registry(place), uai(place)
        blobs["id"] = blobs["id"].replace(place.group, ALLOWED_GROUP)
        flag: Raw = {} if hub is None else {"enableDataIsolation": hub}
        above = workspace(
            place, name="hub", kind="Hub", storageAccount=blobs["id"], containerRegistry=acr["id"], **flag
        )
        more: Raw = {} if own is None else {"enableDataIsolation": own}
        more |= {"systemDatastoresAuthMode": "identity"} if keyless else {}
        more |= {"hubResourceId": above["id"]} if below else {}
        more |= {"storageAccount": blobs["id"]} if names_storage else {}
        if users == "workspace":
            more |= {"identity": user(one), "primaryUserAssignedIdentity": one["id"]}
        project = workspace(place, kind=kind, containerRegistry=acr["id"], **more)
        parts = [blobs, acr, one, project, *([above] if there else [])]
        who = user(one) if users.endswith("uai") else system(place.object_id("user"))
        if users.startswith("endpoint"):
            parts.append(endpoint(project, "user", identity=who))
        if users.startswith("cluster"):
            parts.append(compute(project, "user", identity=who))
        held = [assign(acr["id"], place.object_id("uami" if users.endswith("uai") else "user"), ACR_PULL)]
        held += [assign(blobs["id"], place.object_id(name), _WRITES) for name in ("hub", "mlw")]
        if store:
            home = {"subscriptionId": ALLOWED_GROUP.split("/")[2], "resourceGroup": ALLOWED_GROUP.rpartition("/")[2]}
            parts.append(datastore(project, "data", f"st{place.unique}", **home))
        # AML's own grants there carry a condition; here there are none.
        return Tenant(parts, [*held, assign(place.group, place.object_id("mlw"), CONTRIBUTOR)], aml=False)

    return build


def _hub_alone(place: Place) -> Tenant:
    blobs = storage(place)
    ws = workspace(place, kind="HUB", storageAccount=blobs["id"])
    return Tenant([blobs, ws, endpoint(ws, "user", identity=system(place.object_id("user")))])


def _report(variant: str, build: Build, withheld: frozenset[str] = _DEFAULT, *grants: Grant, **more: Any) -> Report:
    return Report("isolation", variant, build, withheld=withheld, grants=frozenset(grants), **more)


_ENDPOINT = ("user", _READS, "st")

REPORTS = (
    _report("by the hub", _project(hub=True)),
    _report("by default", _project()),
    _report("by the project", _project(hub=True, own=True), _FLAG),
    _report("that the project denies", _project(hub=True, own=False)),
    _report("that nobody wants", _project(hub=False), frozenset(), _ENDPOINT),
    _report("that only the project wants", _project(hub=False, own=True), _FLAG),
    _report("of a project in another spelling", _project(hub=True, kind="PROJECT")),
    _report("of a project that does not say its kind", _project(hub=True, kind="Default")),
    _report("of a project that does not name its hub", _project(hub=False, below=False)),
    _report("of a workspace", _project(hub=True, kind="Default", below=False), frozenset(), _ENDPOINT),
    _report("of a hub", _hub_alone),
    _report("from an endpoint as uai", _project(hub=True, users="endpoint as uai")),
    _report("from a cluster", _project(hub=True, users="cluster", keyless=True)),
    _report("from a cluster through a datastore", _project(hub=True, users="cluster", store=True)),
    _report("from a project as uai", _project(hub=True, users="workspace")),
    _report("whose hub is gone", _project(hub=False, there=False)),
    _report("whose hub nobody may read", _project(hub=False), cannot_read=(r"workspaces/hub\?",), fails=True),
    _report("of a project that names no storage", _project(hub=True, users="cluster", names_storage=False, store=True)),
    _report(
        "that only the project wants, which names no storage",
        _project(own=True, users="cluster", names_storage=False, store=True),
        _FLAG,
    ),
    _report(
        "of a project that names no storage and whose hub is gone",
        _project(users="cluster", names_storage=False, store=True, there=False),
    ),
    _report(
        "of a project that shares and names no storage",
        _project(hub=False, users="cluster", names_storage=False, store=True),
        frozenset(),
        _ENDPOINT,
    ),
)
