"""Azure Policy as far as ARM lists it: which assignments concern a scope. Nothing here enforces them."""

from typing import Any

from emulator.arm.call import Answer, Call, page
from emulator.arm.resources import Resources
from emulator.arm.scoped_lists import holding_at
from emulator.errors import AzureError
from emulator.ids import key_of
from emulator.tenant import Tenant

type Json = dict[str, Any]

_TYPE = "microsoft.authorization/policyassignments"
_FILTERS = ("", "atscope()", "atexactscope()")


class PolicyAssignments:
    def __init__(self, tenant: Tenant, resources: Resources) -> None:
        self._tenant = tenant
        self._resources = resources

    def get(self, call: Call) -> Answer:
        """A list has what is assigned at the scope, above it and below it.

        With atScope() nothing below it, with atExactScope() nothing above it either.
        """
        if not call.path.is_collection:
            return self._resources.get(call)
        wanted = call.query.get("$filter", "").strip()
        if wanted.lower() not in _FILTERS:
            raise AzureError(400, "InvalidFilterInQueryString", f"The filter '{wanted}' is not supported.")
        assigned = self._tenant.resources.where("type", _TYPE)
        scope, hierarchy = call.path.extends, self._tenant.hierarchy
        found = holding_at(assigned, _scope, scope, hierarchy, at_scope=bool(wanted))
        exactly = wanted.lower() == "atexactscope()"
        return page(call, (one for one in found if not exactly or key_of(_scope(one)) == key_of(scope)))


def _scope(assignment: Json) -> str:
    return key_of(assignment["id"]).rpartition(f"/providers/{_TYPE}/")[0] or "/"
