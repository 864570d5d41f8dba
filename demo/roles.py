"""The built-in roles that appear in the demo, by GUID."""

ROLES = {
    "7f951dda-4ed3-4680-a7ca-43fe172d538d": "AcrPull",
    "b93aa761-3e63-49ed-ac28-beffa264f7ac": "Container Registry Repository Reader",
    "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1": "Storage Blob Data Reader",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
    "00482a5a-887f-4fb3-b363-3b7fe8e74483": "Key Vault Administrator",
    "635dd51f-9968-44d3-b7fb-6d9a6bd613ae": "AzureML Metrics Writer",
    "b78c5d69-af96-48a3-bf8d-a8b4d589de94": "Azure AI Administrator",
    "b24988ac-6180-42a0-ab88-20f7382dd24c": "Contributor",
    "acdd72a7-3385-48ef-bd42-f606fba81ae7": "Reader",
}
_GUIDS = {name: guid for guid, name in ROLES.items()}


def role_name(role_definition_id: str) -> str:
    guid = role_definition_id.rpartition("/")[2].lower()
    return ROLES.get(guid, guid)


def role_definition_id(name: str) -> str:
    return f"/providers/Microsoft.Authorization/roleDefinitions/{_GUIDS[name]}"
