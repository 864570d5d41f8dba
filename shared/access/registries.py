"""A container registry as ARM gives it."""

from shared.access.model import Raw, Registry
from shared.access.raw import get, tags, text, time
from shared.access.scope import Scope


def registry(raw: Raw, at: Scope | None = None) -> Registry:
    """`at` is where it was read, if that is known."""
    return Registry(
        id=at or Scope.parse(raw.get("id")),
        admin_user=get(raw, "properties", "adminUserEnabled") is True,
        abac=(text(raw, "properties", "roleAssignmentMode") or "").casefold() == "abacrepositorypermissions",
        login_server=text(raw, "properties", "loginServer"),
        created_on=time(get(raw, "properties", "creationDate")),
        tags=tags(raw),
    )
