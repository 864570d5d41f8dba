"""Signing in at the local Azure as Microsoft's own library does it, with a service principal's secret."""

import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity.aio import ClientSecretCredential
from emulator_units.arm_calls import READER, REGISTRY, RG, held, principal, resource

from emulator.options import Options
from emulator.server import LocalAzure

ME, CLIENT = principal(1), principal(2)
SECRET = "not a real secret"
TENANT: dict[str, Any] = {
    "tenantId": "11111111-1111-1111-1111-111111111111",
    "resources": [resource(REGISTRY)],
    "roleAssignments": [held(RG, READER, ME)],
    "principals": [{"id": ME, "type": "ServicePrincipal", "displayName": "ours", "appId": CLIENT, "secret": SECRET}],
}


@pytest.fixture
async def azure(tmp_path: Path) -> AsyncIterator[LocalAzure]:
    file = tmp_path / "tenant.json"
    file.write_text(json.dumps(TENANT))
    local = LocalAzure(Options(tenant=file, functions=False), tmp_path)
    await local.start()
    yield local
    await local.stop()


def signing_in(azure: LocalAzure, client: str, secret: str, tenant: str = "") -> ClientSecretCredential:
    return ClientSecretCredential(
        tenant or TENANT["tenantId"],
        client,
        secret,
        authority=azure.url,
        disable_instance_discovery=True,
        connection_verify=str(azure.ca),
    )


async def read(azure: LocalAzure, token: str, method: str = "GET") -> tuple[int, Any]:
    trusted = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(azure.ca)))
    async with aiohttp.ClientSession(azure.url, connector=trusted) as client:
        url, headers = f"{REGISTRY}?api-version=2025-11-01", {"Authorization": f"Bearer {token}"}
        async with client.request(method, url, headers=headers) as answer:
            return answer.status, await answer.json()


async def test_the_operator_of_the_ready_line_may_do_everything(azure: LocalAzure) -> None:
    given = azure.ready()["signIn"]
    assert given["subscriptionId"] in REGISTRY
    async with signing_in(azure, given["clientId"], given["clientSecret"], given["tenantId"]) as credential:
        token = await credential.get_token(f"{azure.url}/.default")
    assert (await read(azure, token.token))[0] == 200


@pytest.mark.parametrize("audience", ["https://management.azure.com", "https://management.core.windows.net/", "own"])
async def test_a_service_principal_has_its_own_rights(azure: LocalAzure, audience: str) -> None:
    scope = f"{azure.url if audience == 'own' else audience}/.default"
    async with signing_in(azure, CLIENT, SECRET) as credential:
        token = (await credential.get_token(scope)).token
    assert (await read(azure, token))[0] == 200
    status, body = await read(azure, token, "DELETE")
    assert (status, body["error"]["code"]) == (403, "AuthorizationFailed")


async def test_a_token_for_something_else_is_not_for_arm(azure: LocalAzure) -> None:
    async with signing_in(azure, CLIENT, SECRET) as credential:
        token = (await credential.get_token("https://storage.azure.com/.default")).token
    assert (await read(azure, token))[0] == 401


@pytest.mark.parametrize(
    ("client", "secret", "tenant", "code"),
    [
        (CLIENT, "wrong", "", "AADSTS7000215"),
        (principal(9), SECRET, "", "AADSTS700016"),
        (CLIENT, SECRET, principal(9), "AADSTS90002"),
    ],
)
async def test_who_is_not_let_in(azure: LocalAzure, client: str, secret: str, tenant: str, code: str) -> None:
    async with signing_in(azure, client, secret, tenant) as credential:
        with pytest.raises(ClientAuthenticationError, match=code):
            await credential.get_token("https://management.azure.com/.default")


async def test_each_start_has_a_secret_of_its_own(tmp_path: Path) -> None:
    one, other = (LocalAzure(Options(functions=False), tmp_path) for _ in range(2))
    assert one.sign_in.secret != other.sign_in.secret
