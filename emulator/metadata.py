"""`GET /metadata/endpoints`: the endpoints of this cloud, as every Azure cloud gives them to anybody."""

from typing import Any

from aiohttp import web

from emulator.errors import AzureError
from emulator.middlewares import json_response

_VERSIONS = ("2022-09-01", "2023-12-01", "2023-01-01")


async def endpoints(request: web.Request) -> web.Response:
    version = request.query.get("api-version")
    if version not in _VERSIONS:
        raise AzureError(
            400,
            "InvalidApiVersionParameter",
            f"The api-version '{version}' is invalid. The supported versions are '{','.join(_VERSIONS)}'.",
        )
    return json_response(200, cloud(f"https://{request.host}"))


def cloud(here: str) -> dict[str, Any]:
    return {
        "portal": "https://portal.azure.com",
        "authentication": {
            "loginEndpoint": "https://login.microsoftonline.com",
            "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "graphAudience": "https://graph.windows.net/",
        "graph": "https://graph.windows.net/",
        "name": "AzureCloud",
        "suffixes": {
            "acrLoginServer": "azurecr.io",
            "keyVaultDns": "vault.azure.net",
            "storage": "core.windows.net",
            "mhsmDns": "managedhsm.azure.net",
        },
        "resourceManager": f"{here}/",
        "microsoftGraphResourceId": "https://graph.microsoft.com/",
        "appInsightsResourceId": "https://api.applicationinsights.io",
        "logAnalyticsResourceId": "https://api.loganalytics.io",
    }
