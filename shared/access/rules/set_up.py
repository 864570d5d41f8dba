"""In which of the two ways that Microsoft publishes a workspace's user-assigned identity was set up (ADR 11).

The documentation makes it Contributor on the workspace and on every dependency. The quickstart template that the same
page links to makes it Contributor on storage and registry, gives it the vault's secrets (Key Vault Administrator and
an access policy) without control of the vault, and nothing on the workspace and Application Insights.
"""

from shared.access.model import Estate, Vault, Workspace
from shared.access.needs import ADMINISTER_VAULT, CONTROL_VAULT, VAULT_PERMISSIONS, Need
from shared.access.permissions import coverage

SECRETS = frozenset(one for one in VAULT_PERMISSIONS if one.startswith("secrets/"))


def by_template(workspace: Workspace, estate: Estate) -> bool:
    """It shows at the vault. Whoever holds nothing there was set up neither way: the documentation's is begun."""
    acting = workspace.acting
    vault = estate.vaults.get(workspace.vault) if workspace.vault else None
    access = estate.access.get(acting.id) if acting and workspace.acts_as_uai else None
    if acting is None or vault is None or access is None:
        return False

    def holds(need: Need) -> bool:
        return coverage(need.permissions, vault.id, access).held

    return (holds(ADMINISTER_VAULT) or _secrets_only(vault, acting.id)) and not holds(CONTROL_VAULT)


def _secrets_only(vault: Vault, principal: str) -> bool:
    held = vault.policies.get(principal.casefold(), frozenset())
    return held >= SECRETS and not held >= VAULT_PERMISSIONS
