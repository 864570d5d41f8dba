"""What the services other than AML do themselves: registries, vaults, identities."""

from collections.abc import Mapping
from typing import Any

from emulator.arm.behaviour import Behaviour, Plain
from emulator.arm.deleted_vaults import DeletedVaults
from emulator.arm.identity_blocks import identity_key
from emulator.errors import AzureError
from emulator.identity.tokens import Caller
from emulator.ids import key_of
from emulator.seeded_values import SeededValues
from emulator.tenant import Tenant

type Json = dict[str, Any]

# By Microsoft's types
_ROLE_ASSIGNMENT_MODE_SINCE = "2025-11-01"
_PREVIEWED_SINCE = "2025-03-01-preview"
# Neither Microsoft's types nor its models give these a provisioningState
_WITHOUT_STATE = (
    "microsoft.authorization/policyassignments",
    "microsoft.authorization/policydefinitions",
    "microsoft.authorization/policysetdefinitions",
    "microsoft.containerinstance/containergroupprofiles",
    "microsoft.dbformysql/flexibleservers",
    "microsoft.dbforpostgresql/flexibleservers",
    "microsoft.insights/actiongroups",
    "microsoft.insights/activitylogalerts",
    "microsoft.insights/metricalerts",
    "microsoft.insights/scheduledqueryrules",
    "microsoft.machinelearningservices/registries",
    "microsoft.sql/servers",
)
_MOST_POLICIES = 1024
_COMMON = "all get list delete backup restore recover purge "
_POLICY_PERMISSIONS: Mapping[str, frozenset[str]] = {
    "keys": frozenset(
        (
            _COMMON + "create import update decrypt encrypt sign verify wrapkey unwrapkey release rotate "
            "getrotationpolicy setrotationpolicy"
        ).split()
    ),
    "secrets": frozenset((_COMMON + "set").split()),
    "certificates": frozenset(
        (
            _COMMON
            + "create import update managecontacts manageissuers getissuers setissuers listissuers deleteissuers"
        ).split()
    ),
    "storage": frozenset((_COMMON + "set update regeneratekey getsas listsas deletesas setsas").split()),
}


class Registry(Behaviour):
    keeps_when_replaced = ("loginServer", "creationDate", "roleAssignmentMode", "privateEndpointConnections")

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant

    def changes_slowly(self, change: Json, before: Json | None) -> bool:
        """Recorded: 201 and `Updating` for anonymous pull, the identity and the key; 200 for the network, tags and the
        admin user. Before 2021 a registry with zones or a key was made slowly, any other at once.
        """
        wanted = change.get("properties") or {}
        if before is None:
            return wanted.get("zoneRedundancy") == "Enabled" or _encrypted(wanted) is not None
        held = before.get("properties") or {}
        pull = "anonymousPullEnabled"
        return (
            (pull in wanted and bool(wanted[pull]) != bool(held.get(pull)))
            or ("encryption" in wanted and _encrypted(wanted) != _encrypted(held))
            or ("identity" in change and identity_key(change["identity"]) != identity_key(before.get("identity")))
        )

    def leaves_slowly(self, resource: Json) -> bool:
        """Recorded of one with replications."""
        return self._tenant.resources.count("collection", f"{key_of(resource['id'])}/replications") > 0

    def view(self, resource: Json, api_version: str) -> Json:
        properties = resource.get("properties")
        since = _PREVIEWED_SINCE if api_version.endswith("preview") else _ROLE_ASSIGNMENT_MODE_SINCE
        if api_version >= since or not isinstance(properties, dict):
            return resource
        shown = {key: value for key, value in properties.items() if key != "roleAssignmentMode"}
        return {**resource, "properties": shown}


class Webhook(Plain):
    def view(self, resource: Json, api_version: str) -> Json:
        """Where it calls, and with which headers, only `getCallbackConfig` says. Recorded so."""
        del api_version
        properties = resource.get("properties") or {}
        kept = {name: value for name, value in properties.items() if name not in ("serviceUri", "customHeaders")}
        return {**resource, "properties": kept}


class UserAssignedIdentity(Plain):
    def __init__(self, tenant: Tenant, made_up: SeededValues) -> None:
        self._tenant = tenant
        self._made_up = made_up

    def shaped(self, resource: Json, before: Json | None, caller: Caller | None) -> Json:
        del caller
        held = (before or {}).get("properties") or {}
        name = resource["name"]
        fixed = {
            "tenantId": self._tenant.tenant_id,
            "principalId": held.get("principalId") or self._made_up.another(f"principal of {name}"),
            "clientId": held.get("clientId") or self._made_up.another(f"client of {name}"),
        }
        principal = fixed["principalId"]
        named = {"id": principal, "type": "ServicePrincipal", "displayName": name}
        self._tenant.principals.setdefault(principal.lower(), named)
        return {**resource, "properties": {**(resource.get("properties") or {}), **fixed}}


class Vault(Behaviour):
    keeps_when_replaced = ("tenantId", "vaultUri", "privateEndpointConnections")

    def __init__(self, tenant: Tenant, deleted: DeletedVaults) -> None:
        self._tenant = tenant
        self._deleted = deleted

    def removed(self, resource: Json) -> None:
        self._deleted.keep(resource)

    def shaped(self, resource: Json, before: Json | None, caller: Caller) -> Json:
        del caller
        properties = resource.get("properties") or {}
        if before is None and self._deleted.holds(resource["name"]):
            if str(properties.get("createMode", "")).lower() == "recover":
                return self._deleted.recovered(resource["name"])
            message = (
                "A vault with the same name already exists in deleted state. You need to either recover or purge "
                "existing key vault."
            )
            raise AzureError(409, "ConflictError", message)
        return resource


class AccessPolicies(Plain):
    """`PUT …/vaults/{vault}/accessPolicies/add|replace|remove` changes the vault. It is not a resource of its own.

    Recorded for `add`: 200, an id that ends in `accessPolicies/`, no name, and the policies that were sent.
    """

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant

    def shaped(self, resource: Json, before: Json | None, caller: Caller) -> Json:
        del before, caller
        kind, wanted = resource["name"].lower(), (resource.get("properties") or {}).get("accessPolicies")
        known = kind in ("add", "replace", "remove")
        if not known or not isinstance(wanted, list) or not all(isinstance(policy, dict) for policy in wanted):
            raise _bad("An access policy update is add, replace or remove, with accessPolicies.")
        key = key_of(resource["id"]).rpartition("/accesspolicies/")[0]
        vault = self._tenant.resources[key]
        properties = vault.get("properties") or {}
        for policy in wanted:
            _check_policy(policy, str(properties.get("tenantId") or self._tenant.tenant_id))
        after = _changed(properties.get("accessPolicies") or [], wanted, kind)
        if len(after) > _MOST_POLICIES:
            raise _bad(f"A vault has at most {_MOST_POLICIES} access policies.")
        self._tenant.resources[key] = {**vault, "properties": {**properties, "accessPolicies": after}}
        return {**resource, "properties": {"accessPolicies": wanted}}

    def settled(self, resource: Json, *, created: bool) -> None:
        del created
        del self._tenant.resources[key_of(resource["id"])]

    def view(self, resource: Json, api_version: str) -> Json:
        del api_version
        identifier = resource["id"].rpartition("/")[0] + "/"
        return {"id": identifier, "type": resource["type"], "properties": resource["properties"]}


def _encrypted(properties: Json) -> Any:
    """The key with which a registry is encrypted."""
    return (properties.get("encryption") or {}).get("keyVaultProperties")


def _bad(message: str) -> AzureError:
    return AzureError(400, "BadRequest", message)


def _check_policy(policy: Any, tenant_id: str) -> None:
    """An entry names an identity of the vault's own tenant and permissions that Key Vault knows, in any case."""
    if not isinstance(policy, dict) or not isinstance(policy.get("permissions"), dict):
        raise _bad("The parameter accessPolicies has an invalid value.")
    if not isinstance(policy.get("objectId"), str) or not policy["objectId"]:
        raise _bad("The parameter objectId has an invalid value.")
    if str(policy.get("tenantId")).lower() != tenant_id.lower():
        raise _bad("The access policy's tenantId must be that of the vault.")
    for kind, names in policy["permissions"].items():
        known = _POLICY_PERMISSIONS.get(kind.lower())
        unknown = [name for name in names or () if known is None or str(name).lower() not in known]
        if known is None or unknown:
            raise _bad(f"The permissions {', '.join(map(str, unknown))} of {kind} are not known.")


def _changed(held: list[Json], wanted: list[Json], kind: str) -> list[Json]:
    """`add` merges the permissions of an identity that the vault already knows, `replace` drops its others.

    Nobody else's entry changes: azurerm's key_vault_access_policy updates one entry by `replace`. `remove` takes what
    is spelled as the vault has it, and answers 200 if that is nothing
    (github.com/Azure/azure-rest-api-specs/issues/42963).
    """
    result = {_who(policy): policy for policy in held}
    for policy in wanted:
        who = _who(policy)
        if kind == "remove":
            left = _left(result.pop(who, None), policy)
            result |= {who: left} if left else {}
        elif kind == "add" and who in result:
            result[who] = {**result[who], "permissions": _united(result[who], policy)}
        else:
            result[who] = policy
    return list(result.values())


def _who(policy: Json) -> str:
    return f"{policy.get('objectId', '')}|{policy.get('applicationId') or ''}".lower()


def _left(one: Json | None, less: Json) -> Json | None:
    """None if nothing is left."""
    gone = {kind.lower(): names or () for kind, names in less["permissions"].items()}
    held = (one.get("permissions") or {}) if one else {}
    permissions = {
        kind: [name for name in names or () if name not in gone.get(kind.lower(), ())] for kind, names in held.items()
    }
    return {**one, "permissions": permissions} if one and any(permissions.values()) else None


def _united(one: Json, other: Json) -> Json:
    """Kinds and permissions count once, whatever their case. The vault's own spelling stays."""
    spelled: Json = {}
    for permissions in (one.get("permissions") or {}, other.get("permissions") or {}):
        for kind, names in permissions.items():
            same = next((key for key in spelled if key.lower() == kind.lower()), kind)
            for name in names or ():
                spelled.setdefault(same, {}).setdefault(name.lower(), name)
            spelled.setdefault(same, {})
    return {kind: list(names.values()) for kind, names in spelled.items()}


def behaviours(tenant: Tenant, made_up: SeededValues, deleted: DeletedVaults) -> Mapping[str, Behaviour]:
    return {
        "microsoft.containerregistry/registries": Registry(tenant),
        "microsoft.containerregistry/registries/webhooks": Webhook(),
        "microsoft.managedidentity/userassignedidentities": UserAssignedIdentity(tenant, made_up),
        "microsoft.keyvault/vaults": Vault(tenant, deleted),
        "microsoft.keyvault/vaults/accesspolicies": AccessPolicies(tenant),
        **{kind: Plain() for kind in _WITHOUT_STATE},
    }
