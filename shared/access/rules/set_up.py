"""In which of Microsoft's two ways a workspace's user-assigned identity was set up (ADR 11).

The documentation gives it Contributor on the workspace and on every dependency. The quickstart template that the same
page links to gives it Contributor on storage and registry, access to the vault's secrets (Key Vault Administrator and
an access policy) without control of the vault, and nothing on the workspace and Application Insights.
"""

from dataclasses import replace

from shared.access.model import Estate, Principal, Workspace
from shared.access.needs import (
    ADMINISTER_VAULT,
    CONTROL_INSIGHTS,
    CONTROL_VAULT,
    CONTROL_WORKSPACE,
    VAULT_PERMISSIONS,
    Need,
)
from shared.access.permissions import Access, coverage
from shared.access.scope import Scope
from shared.access.surroundings import Vault

SECRETS = frozenset(one for one in VAULT_PERMISSIONS if one.startswith("secrets/"))


def by_template(workspace: Workspace, estate: Estate) -> bool:
    """Whether it administers the vault, and controls neither the vault nor what only the documentation names.

    An identity that holds nothing at the vault was set up in neither way. Then the documentation's way counts.
    """
    acting = workspace.acting
    vault = estate.vaults.get(workspace.vault) if workspace.vault else None
    access = estate.access.get(acting.id) if acting and workspace.acts_as_uai else None
    if acting is None or vault is None or access is None:
        return False
    administers, secrets = _holds(access, ADMINISTER_VAULT, vault.id), _secrets_only(vault, acting)
    if not (administers or secrets) or _holds(access, CONTROL_VAULT, vault.id):
        return False
    if secrets or not vault.rbac:
        access = _without_switch(access, workspace)
    return not (
        _holds(access, CONTROL_WORKSPACE, workspace.id) or _holds(access, CONTROL_INSIGHTS, workspace.app_insights)
    )


def _holds(access: Access, need: Need, scope: Scope | None) -> bool:
    return scope is not None and coverage(need.permissions, scope, access).held


def _secrets_only(vault: Vault, principal: Principal) -> bool:
    held = vault.policies.get(principal.id.casefold(), frozenset())
    return held >= SECRETS and not held >= VAULT_PERMISSIONS


def _without_switch(access: Access, workspace: Workspace) -> Access:
    """The template can give Contributor on the workspace's resource group. Then that role says nothing about the way.

    This applies only at a vault with the template's mark, which the documentation's way never leaves: an access policy
    for secrets alone, or Key Vault Administrator where access policies decide.
    """
    group = workspace.id.resource_group
    return replace(access, assignments=tuple(one for one in access.assignments if one.scope != group))
