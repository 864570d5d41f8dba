"""The `identity` block of a resource: what Azure fills in, and what it refuses."""

from typing import Any

from emulator.arm.authorizer import Authorizer
from emulator.errors import AzureError
from emulator.identity.tokens import Caller
from emulator.ids import key_of
from emulator.seeded_values import SeededValues
from emulator.tenant import Tenant

type Json = dict[str, Any]

_ASSIGN = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"


class IdentityBlocks:
    def __init__(self, tenant: Tenant, made_up: SeededValues, authorizer: Authorizer) -> None:
        self._tenant = tenant
        self._made_up = made_up
        self._authorizer = authorizer

    def filled(self, wanted: Any, before: Json | None, caller: Caller, resource_id: str) -> Json:
        """The block as Azure returns it. User-assigned identities that it does not name are removed.

        Refuses with 400 for an identity that does not exist, and with 403 for one that the caller may not assign.
        """
        if not isinstance(wanted, dict) or not isinstance(wanted.get("type"), str):
            raise AzureError(400, "InvalidIdentity", f"The identity of '{resource_id}' is not valid.")
        kinds = {kind.strip().lower() for kind in wanted["type"].split(",")}
        block: Json = {"type": wanted["type"]}
        if "systemassigned" in kinds:
            kept = (before or {}).get("principalId")
            block["principalId"] = kept or self._new_principal(resource_id)
            block["tenantId"] = self._tenant.tenant_id
        elif before and before.get("principalId"):
            self._tenant.principals.pop(before["principalId"].lower(), None)
        if "userassigned" in kinds:
            known = {key_of(name) for name in (before or {}).get("userAssignedIdentities") or ()}
            block["userAssignedIdentities"] = {
                name: self._user_assigned(name, caller, resource_id, known=key_of(name) in known)
                for name, value in (wanted.get("userAssignedIdentities") or {}).items()
                if value is not None
            }
        return block

    def _new_principal(self, resource_id: str) -> str:
        principal = self._made_up.another(f"principal of {key_of(resource_id)}")
        name = "/".join(resource_id.split("/")[8:])
        self._tenant.principals[principal] = {"id": principal, "type": "ServicePrincipal", "displayName": name}
        return principal

    def _user_assigned(self, name: str, caller: Caller, resource_id: str, *, known: bool) -> Json:
        identity = self._tenant.resources.get(key_of(name))
        if identity is None:
            raise AzureError(
                400,
                "FailedIdentityOperation",
                f"Identity operation for resource '{resource_id}' failed with error 'Failed to perform resource "
                f"identity operation. Status: 'BadRequest'. The user assigned identity '{name}' was not found.'.",
            )
        if not known and not self._authorizer.may(caller, _ASSIGN, name):
            raise AzureError(
                403,
                "LinkedAuthorizationFailed",
                f"The client '{caller.name}' with object id '{caller.object_id}' has permission to perform the write "
                f"on scope '{resource_id}'; however, it does not have permission to perform action '{_ASSIGN}' on the "
                f"linked scope(s) '{name}' or the linked scope(s) are invalid.",
            )
        properties = identity.get("properties") or {}
        return {key: properties[key] for key in ("principalId", "clientId") if key in properties}


def identity_key(identity: Json | None) -> tuple[str, frozenset[str]]:
    """The form in which blocks are compared: the kinds, and the ids of those that users assigned."""
    block = identity or {}
    kinds = ",".join(sorted(kind.strip().lower() for kind in str(block.get("type", "None")).split(",")))
    return kinds, frozenset(name.lower() for name in block.get("userAssignedIdentities") or ())
