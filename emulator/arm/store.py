"""Reads and writes of resources below HTTP, shared by ARM's own routes and by AML's own writes."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from emulator.arm.behaviour import Behaviour, Plain
from emulator.arm.call import Finish
from emulator.arm.defaults import Defaults
from emulator.arm.identity_blocks import IdentityBlocks, identity_key
from emulator.arm.providers import Providers
from emulator.clock import Clock
from emulator.errors import AzureError
from emulator.identities import own_principal_of
from emulator.identity.tokens import Caller
from emulator.ids import ResourcePath
from emulator.tenant import Tenant

type Json = dict[str, Any]

SUCCEEDED = "Succeeded"
# Types that say it in their own way, as recorded
_NOT_FOUND = {
    "microsoft.authorization/policysetdefinitions": (
        "PolicySetDefinitionNotFound",
        "The policy set definition '{}' could not be found.",
    ),
    "microsoft.authorization/policydefinitions": (
        "PolicyDefinitionNotFound",
        "The policy definition '{}' could not be found.",
    ),
    "microsoft.authorization/policyassignments": (
        "PolicyAssignmentNotFound",
        "The policy assignment '{}' is not found.",
    ),
}
_WITH_SYSTEM_DATA = (
    "microsoft.machinelearningservices/",
    "microsoft.containerregistry/",
    "microsoft.keyvault/",
    "microsoft.authorization/policyassignments",
)


class ResourceStore:
    def __init__(
        self,
        tenant: Tenant,
        clock: Clock,
        providers: Providers,
        identities: IdentityBlocks,
        behaviours: Mapping[str, Behaviour],
    ) -> None:
        """`behaviours` is keyed by lower-case type. AML's are added once they know this store."""
        self._tenant = tenant
        self._clock = clock
        self._providers = providers
        self._identities = identities
        self._behaviours = dict(behaviours)
        self._tracked, self._plain = Behaviour(), Plain()
        self._defaults = Defaults(tenant.tenant_id, self._time)

    def add_behaviours(self, behaviours: Mapping[str, Behaviour]) -> None:
        self._behaviours |= behaviours

    def behaviour(self, path: ResourcePath) -> Behaviour:
        default = self._tracked if path.is_top_level else self._plain
        return self._behaviours.get(path.type.lower(), default)

    def held(self, path: ResourcePath) -> Json | None:
        return self._tenant.resources.get(path.key) or self.behaviour(path).always_there(path)

    def written(self, path: ResourcePath) -> Json | None:
        """What somebody wrote at the path, or in its parent."""
        found = self._tenant.resources.get(path.key)
        behaviour = self.behaviour(path)
        return found or (behaviour.always_there(path) if behaviour.lies_in_its_parent else None)

    def find(self, path: ResourcePath) -> Json:
        """Refuses with 404 in ARM's words."""
        found = self.held(path)
        if found is None:
            raise not_found(path, self._providers.canonical(path.type))
        return found

    def replace(
        self, path: ResourcePath, body: Json, caller: Caller, *, state: str | None = None
    ) -> tuple[Json, Finish | None]:
        """Writes the whole resource. With a `state` until it is done, also returns what must run then."""
        before = self.held(path)
        behaviour = self.behaviour(path)
        given = {key: deepcopy(value) for key, value in body.items() if key not in ("id", "name", "type", "systemData")}
        if before is not None:
            given = _keeping(before, given, behaviour.keeps_when_replaced)
        return self._write(path, given, before, caller, behaviour, state=state)

    def merge(
        self, path: ResourcePath, body: Json, caller: Caller, *, state: str | None = None
    ) -> tuple[Json, Finish | None]:
        """PATCH: properties are merged, tags and identity are replaced, as Azure does it."""
        before = self.find(path)
        given = {
            key: value for key, value in deepcopy(before).items() if key not in ("id", "name", "type", "systemData")
        }
        for key, value in body.items():
            if key in ("id", "name", "type", "systemData"):
                continue
            whole = key in ("identity", "tags") or not isinstance(value, dict)
            given[key] = deepcopy(value) if whole else _merged(given.get(key), value)
        return self._write(path, given, before, caller, self.behaviour(path), state=state, fills=False)

    def remove_slowly(self, path: ResourcePath, state: str) -> Finish:
        """Shows the state until the deletion is done."""
        before = self._tenant.resources.get(path.key)
        if before is not None and "provisioningState" in (before.get("properties") or {}):
            self._tenant.resources[path.key] = _in_state(before, state)

        def finish(end: str) -> None:
            if end == SUCCEEDED:
                self.remove(path)
            elif before is not None:
                self._tenant.resources[path.key] = before

        return finish

    def remove(self, path: ResourcePath) -> bool:
        """Deletes the resource with everything below it. Returns whether there was anything."""
        inside = self.written(path)
        if inside is not None and path.key not in self._tenant.resources:
            self.behaviour(path).removed(inside)
        below = [key for key in self._tenant.resources if key == path.key or key.startswith(path.key + "/")]
        for key in below:
            resource = self._tenant.resources[key]
            self.behaviour(ResourcePath.parse(resource["id"])).removed(resource)
            principal = own_principal_of(resource)
            if principal is not None:
                self._tenant.principals.pop(principal, None)
            del self._tenant.resources[key]
        for held in (self._tenant.role_assignments, self._tenant.locks, self._tenant.deployments):
            for key in [key for key in held if key.startswith(path.key + "/")]:
                del held[key]
        return bool(below)

    def _write(
        self,
        path: ResourcePath,
        given: Json,
        before: Json | None,
        caller: Caller,
        behaviour: Behaviour,
        *,
        state: str | None,
        fills: bool = True,
    ) -> tuple[Json, Finish | None]:
        """A change of a part (not `fills`) leaves a resource of the tenant file as bare as it was."""
        identity = self._identity(path, given, before, caller, behaviour)
        resource: Json = {"id": path.text, "name": path.name, "type": self._providers.canonical(path.type), **given}
        if before is not None:
            resource |= {key: before[key] for key in ("id", "name", "type") if key in before}
        resource.pop("identity", None)
        if identity is not None:
            resource["identity"] = identity
        resource = behaviour.shaped(resource, before, caller)
        if fills:
            resource = self._defaults.filled(resource, before, caller.object_id)
        if path.type.lower().startswith(_WITH_SYSTEM_DATA):
            resource["systemData"] = self._system_data(before, caller)
        if behaviour.has_state:
            resource = _in_state(resource, state or SUCCEEDED)
        if state is None:
            self._tenant.resources[path.key] = resource
            behaviour.settled(resource, created=before is None)
            return resource, None
        late = {key: value for key, value in resource.items() if key == "identity" and behaviour.identity_comes_late}
        self._tenant.resources[path.key] = {key: value for key, value in resource.items() if key not in late}
        return self._tenant.resources[path.key], lambda end: self._settle(path, before, late, end)

    def _settle(self, path: ResourcePath, before: Json | None, late: Json, end: str) -> None:
        """A change that did not succeed is taken back."""
        now = self._tenant.resources.get(path.key)
        if now is None:
            return
        resource = {**now, **late} if end == SUCCEEDED else before or now
        if self.behaviour(path).has_state or "provisioningState" in (now.get("properties") or {}):
            resource = _in_state(resource, end)
        self._tenant.resources[path.key] = resource
        if end != SUCCEEDED:
            return
        self.behaviour(path).settled(resource, created=before is None)

    def _identity(
        self, path: ResourcePath, given: Json, before: Json | None, caller: Caller, behaviour: Behaviour
    ) -> Json | None:
        held = (before or {}).get("identity")
        if given.get("identity") in (None, held):
            return held
        filled = self._identities.filled(given["identity"], held, caller, path.text)
        if before is not None and behaviour.identity_is_fixed and identity_key(filled) != identity_key(held):
            raise AzureError(400, "BadRequest", f"The identity of '{path.text}' cannot be changed after its creation.")
        return filled

    def _time(self) -> str:
        return self._clock.now().strftime("%Y-%m-%dT%H:%M:%S.%f0Z")

    def _system_data(self, before: Json | None, caller: Caller) -> Json:
        now = self._time()
        kind = "User" if caller.kind == "User" else "Application"
        by = {"lastModifiedBy": caller.name, "lastModifiedByType": kind, "lastModifiedAt": now}
        if before is not None:
            return {**(before.get("systemData") or {}), **by}
        return {"createdBy": caller.name, "createdByType": kind, "createdAt": now, **by}


def not_found(path: ResourcePath, canonical: str) -> AzureError:
    own = _NOT_FOUND.get(canonical.lower())
    if own is not None:
        return AzureError(404, own[0], own[1].format(path.name))
    kind = canonical.split("/")
    full = "/".join((f"{kind[0]}/{kind[1]}", *(f"{name}" for name in _interleaved(path))))
    return AzureError(
        404,
        "ResourceNotFound",
        f"The Resource '{full}' under resource group '{path.resource_group or '<null>'}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    )


def _interleaved(path: ResourcePath) -> list[str]:
    words = [word for pair in zip(path.types, path.names, strict=False) for word in pair]
    return words[1:]


def _keeping(before: Json, given: Json, names: tuple[str, ...]) -> Json:
    held = before.get("properties") or {}
    kept = {name: held[name] for name in names if name in held}
    wanted = {name: value for name, value in (given.get("properties") or {}).items() if value is not None}
    return {**given, "properties": {**kept, **wanted}}


def _merged(before: Any, change: Json) -> Json:
    result = dict(before) if isinstance(before, dict) else {}
    for key, value in change.items():
        result[key] = _merged(result.get(key), value) if isinstance(value, dict) else value
    return result


def _in_state(resource: Json, state: str) -> Json:
    return {**resource, "properties": {**(resource.get("properties") or {}), "provisioningState": state}}
