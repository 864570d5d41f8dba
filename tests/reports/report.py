"""A tenant as somebody might have reported it, and the right answer: what plan, an event and a sweep must come to."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from catalogue.build import ACR_PULL, assign, compute, registry, storage, system, vault, workspace
from catalogue.case import Place, Raw, Tenant

ON_ALLOW_LIST = "5b9a4c1e-0000-4000-8000-000000000001"

type Build = Callable[[Place], Tenant]
type Grant = tuple[str, str, str]


@dataclass(frozen=True)
class Report:
    """`stays_on` is the guard that keeps the registry's admin user on; empty: it goes off; None: it is as it was.

    `grants` are all that may be made: (who, role definition's GUID, name of the resource), names as `Place` makes them,
    without `Place.unique`. `finds` are the rules among `about` that find something, with text that the finding has;
    `never` is text that no finding may have. `cannot_read` are patterns of paths in the place that answer 403.
    `fails`: what must be known cannot be read, so nothing is done or said (law 2). `alone`: what cannot be read leaves
    the users of every other registry unknown as well.
    """

    kind: str
    variant: str
    build: Build
    stays_on: str | None = None
    grants: frozenset[Grant] = frozenset()
    finds: Mapping[str, str] = field(default_factory=dict)
    about: frozenset[str] = frozenset()
    withheld: frozenset[str] = frozenset()
    never: Sequence[str] = ()
    fails: bool = False
    alone: bool = False
    cannot_read: Sequence[str] = ()

    @property
    def place(self) -> Place:
        return Place(re.sub(r"[^a-z0-9]+", "-", f"{self.kind} {self.variant}".lower()))

    def faults(self, app: str) -> list[Raw]:
        """`app` is the object id of the identity that may not read."""
        home = re.escape(self.place.subscription)
        denied = {"status": 403, "code": "AuthorizationFailed", "caller": app}
        return [{"path": f"{home}(?=/|$).*{pattern}", **denied} for pattern in self.cannot_read]


@dataclass(frozen=True)
class Answer:
    """Of one place, as far as reports speak of it. `admin` is None where there is no registry, or none to be seen.

    `failed` is None of a run, whose triggers try again.
    """

    admin: bool | None
    guard: str
    grants: frozenset[Grant]
    findings: Mapping[str, str]
    withheld: frozenset[str]
    failed: bool | None


def team(
    place: Place, *, admin: bool = True, acr: Raw | None = None, covered: bool = True, **more: Any
) -> tuple[Raw, Raw, Tenant]:
    """Registry, workspace, and both with storage, vault and a cluster that can pull."""
    acr = acr or registry(place, admin=admin)
    blobs, secrets = storage(place), vault(place)
    ids = {"containerRegistry": acr["id"], "storageAccount": blobs["id"], "keyVault": secrets["id"]}
    ws = workspace(place, **{**ids, **more})
    cluster = compute(ws, "cluster", identity=system(place.object_id("cluster")))
    held = [assign(acr["id"], place.object_id("cluster"), ACR_PULL)] if covered else []
    return acr, ws, Tenant([acr, blobs, secrets, ws, cluster], held)


def beside(tenant: Tenant, *resources: Raw, held: Sequence[Raw] = (), **more: Any) -> Tenant:
    """The same with more in it."""
    parts = {"groups": tenant.groups, "aml": tenant.aml, **more}
    return Tenant([*tenant.resources, *resources], [*tenant.role_assignments, *held], **parts)
