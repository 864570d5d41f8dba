"""Who approves private endpoints that AML makes from its managed network: for which types, and with which role."""

from shared.access.needs import CONTRIBUTOR, Need
from shared.access.permissions import Permission


def _approver(name: str, resource_type: str) -> Need:
    return Need(
        f"approve private endpoints of the {name}",
        tuple(
            Permission(f"{resource_type}/{what}")
            for what in (
                "privateEndpointConnectionsApproval/action",
                "privateEndpointConnections/read",
                "privateEndpointConnections/write",
            )
        ),
        "b556d68e-0be0-4f35-a333-ad7ee1ce17ea",
        "Azure AI Enterprise Network Connection Approver",
        broad=True,
    )


# The resource types for which the approver role has the action, with the names that people use. For Cognitive Services,
# API Management and application gateways it can read the connections, but lacks the action that approves them.
_APPROVABLE = {
    "Microsoft.Cache/redis": "cache",
    "Microsoft.Cache/redisEnterprise": "cache",
    "Microsoft.ContainerRegistry/registries": "registry",
    "Microsoft.DBforMySQL/flexibleServers": "MySQL server",
    "Microsoft.DBforPostgreSQL/flexibleServers": "PostgreSQL server",
    "Microsoft.DBforPostgreSQL/serverGroupsv2": "PostgreSQL cluster",
    "Microsoft.DocumentDB/databaseAccounts": "Cosmos DB account",
    "Microsoft.EventHub/namespaces": "event hub namespace",
    "Microsoft.Insights/privateLinkScopes": "private link scope",
    "Microsoft.KeyVault/vaults": "key vault",
    "Microsoft.MachineLearningServices/registries": "AML registry",
    "Microsoft.MachineLearningServices/workspaces": "workspace",
    "Microsoft.Network/privateLinkServices": "private link service",
    "Microsoft.Search/searchServices": "search service",
    "Microsoft.Sql/servers": "SQL server",
    "Microsoft.Storage/storageAccounts": "storage account",
}
APPROVE = {kind.casefold(): _approver(name, kind) for kind, name in _APPROVABLE.items()}
APPROVE_STORAGE = APPROVE["microsoft.storage/storageaccounts"]
APPROVE_VAULT = APPROVE["microsoft.keyvault/vaults"]
APPROVE_REGISTRY = APPROVE["microsoft.containerregistry/registries"]


def approve_elsewhere(resource_type: str) -> Need:
    """The least built-in role with the action, for a type whose action the approver role lacks."""
    action = Permission(f"{resource_type}/privateEndpointConnectionsApproval/action")
    name = f"approve private endpoints of {resource_type}"
    if resource_type == "microsoft.cognitiveservices/accounts":
        return Need(name, (action,), "25fbc0a9-bd7c-42a3-aa1a-3b75d497ee68", "Cognitive Services Contributor")
    return Need(name, (action,), CONTRIBUTOR, "Contributor", broad=True)
