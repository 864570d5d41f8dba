"""`GET /metadata/endpoints`: the endpoints of this cloud, which every Azure cloud gives to anybody.

The cloud has a name of its own, because clients have tables of the real clouds. azure-ai-ml (_azure_environments.py)
takes the address of "AzureCloud" from its own table, whatever the metadata says, and az (core/cloud.py) knows that name
before it reads any metadata. A script that is meant for this machine would reach production.
"""

from typing import Any

from aiohttp import web

from emulator.errors import AzureError
from emulator.http.bodies import json_response

NAME = "AmlGuardLocal"
_VERSIONS = ("2022-09-01", "2023-12-01", "2023-01-01")
_LISTING = ("2019-05-01", "2020-06-01")
"""Versions that answer with a list of clouds: azure-ai-ml's default, and the one in az's ARM_CLOUD_METADATA_URL."""


async def endpoints(request: web.Request) -> web.Response:
    version = request.query.get("api-version")
    here = cloud(f"https://{request.host}")
    if version in _LISTING:
        return json_response(200, [here])
    if version in _VERSIONS:
        return json_response(200, here)
    raise AzureError(
        400,
        "InvalidApiVersionParameter",
        f"The api-version '{version}' is invalid. The supported versions are '{','.join((*_LISTING, *_VERSIONS))}'.",
    )


def cloud(here: str) -> dict[str, Any]:
    return {
        "portal": "https://portal.azure.com",
        "authentication": {
            "loginEndpoint": here,
            "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "graphAudience": "https://graph.windows.net/",
        "graph": "https://graph.windows.net/",
        "name": NAME,
        "suffixes": {
            "acrLoginServer": "azurecr.io",
            "keyVaultDns": "vault.azure.net",
            "storage": "core.windows.net",
            "mhsmDns": "managedhsm.azure.net",
        },
        "resourceManager": f"{here}/",
        "microsoftGraphResourceId": f"{here}/",
        "appInsightsResourceId": "https://api.applicationinsights.io",
        "logAnalyticsResourceId": "https://api.loganalytics.io",
    }
