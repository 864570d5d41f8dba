"""A key vault as ARM gives it: RBAC or access policies decide, and what the policies give to whom."""

from collections.abc import Iterable, Mapping

from shared.access.model import Raw
from shared.access.needs import VAULT_PERMISSIONS
from shared.access.raw import get, object_id, rows, tags, text
from shared.access.scope import Scope
from shared.access.surroundings import Vault

MOST_POLICIES = 1024


def vault(raw: Raw, at: Scope | None = None) -> Vault:
    """`at` is where it was read, if that is known."""
    entries = rows(raw, "properties", "accessPolicies")
    return Vault(
        id=at or Scope.parse(raw.get("id")),
        rbac=get(raw, "properties", "enableRbacAuthorization") is True,
        tenant=text(raw, "properties", "tenantId"),
        policies=_access_policies(entries),
        full=len(entries) >= MOST_POLICIES,
        tags=tags(raw),
    )


def _access_policies(entries: Iterable[object]) -> dict[str, frozenset[str]]:
    """An object id may have several entries, one for each application. Only those without an application count."""
    policies: dict[str, frozenset[str]] = {}
    for entry in entries:
        holder = text(entry, "objectId")
        if holder is None or text(entry, "applicationId"):
            continue
        permissions = get(entry, "permissions")
        kinds = permissions.items() if isinstance(permissions, Mapping) else ()
        granted = {f"{kind}/{name}".casefold() for kind, names in kinds if isinstance(names, list) for name in names}
        if "all" in {name.rpartition("/")[2] for name in granted}:
            granted |= _spelled_out(granted)
        policies[object_id(holder)] = policies.get(object_id(holder), frozenset()) | granted
    return policies


def _spelled_out(granted: set[str]) -> set[str]:
    """`all` is an old way to name every permission of a kind except purge."""
    return {p for p in VAULT_PERMISSIONS if f"{p.partition('/')[0]}/all" in granted}
