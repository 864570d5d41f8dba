"""What amlguard granted itself and nobody needs any more."""

from collections.abc import Callable

from catalogue.build import ACR_PULL, LONG_AGO, assign, compute, registry, system, workspace
from catalogue.case import Case, Place, Tenant

from shared.access import own_assignments
from shared.access.scope import Scope

_RUN = "11111111-2222-4333-8444-555555555555"


def _grant(*, ours: bool = True, cluster: bool = False) -> Callable[[Place], Tenant]:
    """AcrPull for cluster cpu1, which is there or not."""

    def build(place: Place) -> Tenant:
        acr = registry(place)
        ws = workspace(place, containerRegistry=acr["id"])
        me, scope = place.object_id("cpu1"), Scope.parse(acr["id"])
        text = own_assignments.description(
            "compute-pull", ["AML-18"], _RUN, Scope.parse(f"{ws['id']}/computes/cpu1"), None
        )
        held = assign(acr["id"], me, ACR_PULL, description=text if ours else "by hand", createdOn=LONG_AGO)
        name = own_assignments.assignment_name(scope, me, ACR_PULL)
        held |= {"name": name, "id": f"{acr['id']}/providers/Microsoft.Authorization/roleAssignments/{name}"}
        return Tenant([acr, ws, *([compute(ws, "cpu1", identity=system(me))] if cluster else [])], [held])

    return build


CASES: tuple[Case, ...] = (
    Case(
        "own-grants",
        True,
        "a grant by amlguard for a cluster that was deleted",
        _grant(),
        "no rule asks for it any more",
        "Applied",
    ),
    Case("own-grants", False, "a grant of the same role that somebody else made", _grant(ours=False)),
    Case("own-grants", False, "a grant of amlguard's for a cluster that is there", _grant(cluster=True)),
)
