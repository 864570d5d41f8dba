"""Remedies that change an identity, in the one form that takes no identity away.

An identity update of AML replaces the whole list: AML detaches a user-assigned identity that is left out (AML-11), and
a workspace that has user-assigned identities can never go back to none (AML-02). Therefore every remedy that changes an
identity is made here, from all identities that the resource has.
"""

import json
from typing import Any

from shared.access.losses import Loss
from shared.access.model import Compute, Identity, Workspace
from shared.access.rules.az import at, az, code
from shared.access.scope import Scope

API = "2025-12-01"
ROLES_FIRST = (
    "First give it the roles that a workspace's own identity needs (AML-03 to AML-09, and AML-83 to build images): the "
    "workspace then acts only as this identity. "
)


def update_workspace(workspace: Workspace, *more: Scope | str, primary: Scope | str | None = None) -> str:
    """The az command that keeps all identities of the workspace and adds `more`. If it has none, it gets its own."""
    ids = attached(workspace.identity, *more)
    system = workspace.identity.system is not None or not ids
    kinds = (*(["SystemAssigned"] if system else []), *(["UserAssigned"] if ids else []))
    body: dict[str, Any] = {"identity": {"type": ",".join(kinds)}}
    if ids:
        body["identity"]["userAssignedIdentities"] = {one: {} for one in ids}
    if primary:
        body["properties"] = {"primaryUserAssignedIdentity": str(primary)}
    return code(patch_workspace(workspace, body))


def patch_workspace(workspace: Workspace, body: dict[str, Any]) -> str:
    return az("rest", method="patch", url=f"{workspace.id}?api-version={API}", body=json.dumps(body))


def update_compute(compute: Compute, *more: Scope | str) -> str:
    """The az command that keeps all user-assigned identities of the compute and adds `more`.

    If it has none, it gets its own.
    """
    ids = attached(compute.identity, *more)
    listed = {"identity_type": "UserAssigned" if ids else "SystemAssigned"}
    if ids:
        listed["user_assigned_identities"] = ",".join(ids)
    return code(az("ml compute update", name=compute.id.name, **at(compute.id.parent), **listed))


def attached(identity: Identity, *more: Scope | str) -> list[str]:
    """Every user-assigned identity that an update has to name, including those whose object id is unknown.

    Of the identities that are gone, only those that were made anew: Azure refuses an update that names one that does
    not exist.
    """
    anew = [str(one.id) for one in identity.lost if one.how is Loss.MADE_ANEW]
    ids = [*(str(one.resource) for one in identity.user), *map(str, identity.unresolved), *anew, *map(str, more)]
    named: dict[str, str] = {}
    for one in ids:
        named.setdefault(one.casefold(), one)
    return list(named.values())
