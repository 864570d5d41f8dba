"""Role assignments: https://learn.microsoft.com/rest/api/authorization/role-assignments (2022-04-01)."""

from collections.abc import Iterable
from typing import Any

from emulator.arm.call import Answer, Call, page
from emulator.arm.role_assignment_rules import RoleAssignmentRules
from emulator.arm.scoped_lists import Filter, holding_at
from emulator.clock import Clock
from emulator.errors import AzureError
from emulator.history import History
from emulator.identity.conditions import Attributes
from emulator.identity.rbac import Rbac
from emulator.identity.tokens import Caller
from emulator.ids import ResourcePath, guid_at_end, key_of, object_key
from emulator.seeded_values import SeededValues
from emulator.tenant import Tenant

type Json = dict[str, Any]

_ATTRIBUTE = "microsoft.authorization/roleassignments:"


class RoleAssignments:
    def __init__(
        self, tenant: Tenant, rbac: Rbac, clock: Clock, made_up: SeededValues, history: History | None = None
    ) -> None:
        self._tenant = tenant
        self._rbac = rbac
        self._clock = clock
        self._made_up = made_up
        self._rules = RoleAssignmentRules(tenant, history)

    def holds(self, scope: str, principal: str, role: str) -> bool:
        return self._rules.held(scope, principal, role) is not None

    def attributes(self, call: Call) -> Attributes:
        """What the caller's conditions may look at."""
        request: Json = {}
        if call.method == "PUT" and isinstance(call.body, dict) and isinstance(call.body.get("properties"), dict):
            request = call.body["properties"]
        held = self.find(call.path)
        return Attributes(
            request=self._condition_view(request), resource=self._condition_view((held or {}).get("properties"))
        )

    def find(self, path: ResourcePath) -> Json | None:
        named = self._tenant.role_assignments.where("name", path.name.lower())
        scope = key_of(path.extends)
        return next((item for item in named if key_of(item["properties"]["scope"]) == scope), None)

    def get(self, call: Call) -> Answer:
        if call.path.is_collection:
            listed = list(self._listed(call.path.extends, Filter.parse(call.query.get("$filter"))))
            return page(call, self._made_up.rotated(call.path.key, listed))
        found = self.find(call.path)
        if found is None:
            raise AzureError(404, "RoleAssignmentNotFound", f"The role assignment '{call.path.name}' is not found.")
        return Answer(200, found)

    def put(self, call: Call) -> Answer:
        properties = self._rules.requested(call)
        same_name = next(self._tenant.role_assignments.where("name", call.path.name.lower()), None)
        if same_name is not None:
            self._rules.require_same(same_name, call, properties)
            return self._update(same_name, properties, call.caller)
        self._rules.require_new(call.path.extends, properties)
        return Answer(201, self.create(call.path, properties, call.caller), created=True)

    def create(self, path: ResourcePath, properties: Json, caller: Caller) -> Json:
        """Stores it without asking whether Azure would accept it. Also used for AML's own grants."""
        now = _time(self._clock)
        known = self._tenant.principals.get(object_key(properties["principalId"]), {})
        assignment: Json = {
            "properties": {
                "roleDefinitionId": self._role_definition_id(path, properties["roleDefinitionId"]),
                "principalId": properties["principalId"],
                "principalType": properties.get("principalType") or known.get("type", "User"),
                "scope": path.extends,
                **{key: properties.get(key) for key in ("condition", "conditionVersion", "description")},
                "createdOn": now,
                "updatedOn": now,
                "createdBy": caller.object_id,
                "updatedBy": caller.object_id,
                "delegatedManagedIdentityResourceId": None,
            },
            "id": path.text,
            "type": "Microsoft.Authorization/roleAssignments",
            "name": path.name,
        }
        self._tenant.role_assignments[path.key] = assignment
        return assignment

    def delete(self, call: Call) -> Answer:
        found = self.find(call.path)
        if found is None:
            return Answer(204)
        del self._tenant.role_assignments[key_of(found["id"])]
        return Answer(200, found)

    def _listed(self, scope: str, wanted: Filter) -> Iterable[Json]:
        assignments = self._tenant.role_assignments
        if wanted.principal or wanted.assigned_to:
            identities = {wanted.principal} if wanted.principal else self._rbac.identities(wanted.assigned_to or "")
            candidates = [item for one in sorted(identities) for item in assignments.where("principal", one)]
        elif wanted.at_scope:
            candidates = [
                item for one in self._tenant.hierarchy.lineage(scope) for item in assignments.where("scope", one)
            ]
        else:
            candidates = list(assignments.values())
        return holding_at(candidates, _scope, scope, self._tenant.hierarchy, at_scope=wanted.at_scope)

    def _update(self, held: Json, properties: Json, caller: Caller) -> Answer:
        """Answers 201, too, as recorded."""
        changes = {key: properties.get(key) for key in ("condition", "conditionVersion", "description")}
        by = {"updatedOn": _time(self._clock), "updatedBy": caller.object_id}
        after = {**held, "properties": {**held["properties"], **changes, **by}}
        self._tenant.role_assignments[key_of(held["id"])] = after
        return Answer(201, after)

    def _condition_view(self, properties: Json | None) -> dict[str, list[str]]:
        if not properties or not isinstance(properties.get("principalId"), str):
            return {}
        kind = properties.get("principalType") or self._tenant.principals.get(
            object_key(properties["principalId"]), {}
        ).get("type")
        values = {
            "roledefinitionid": guid_at_end(str(properties.get("roleDefinitionId", ""))),
            "principalid": properties["principalId"],
            "principaltype": kind,
        }
        return {_ATTRIBUTE + name: [value] for name, value in values.items() if isinstance(value, str)}

    def _role_definition_id(self, path: ResourcePath, given: str) -> str:
        prefix = f"/subscriptions/{path.subscription}" if path.subscription else ""
        return f"{prefix}/providers/Microsoft.Authorization/roleDefinitions/{guid_at_end(given)}"


def _time(clock: Clock) -> str:
    return clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _scope(assignment: Json) -> str:
    return str(assignment["properties"]["scope"])
