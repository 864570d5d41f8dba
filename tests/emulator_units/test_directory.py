"""Microsoft Graph's part that clients of role assignments ask."""

import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from emulator_units.arm_calls import REGISTRY, principal, resource

from emulator.options import Options
from emulator.server import LocalAzure

USER, GROUP, APP = (principal(number) for number in (1, 2, 3))
TENANT = {
    "resources": [resource(REGISTRY)],
    "principals": [
        {"id": USER, "type": "User", "displayName": "O'Neil", "userPrincipalName": "oneil@contoso.example"},
        {"id": GROUP, "type": "Group", "displayName": "ml"},
        {"id": APP, "type": "ServicePrincipal", "displayName": "pipeline", "appId": principal(9)},
    ],
}


@pytest.fixture
async def azure(tmp_path: Path) -> AsyncIterator[LocalAzure]:
    file = tmp_path / "tenant.json"
    file.write_text(json.dumps(TENANT))
    local = LocalAzure(Options(tenant=file, functions=False), tmp_path)
    await local.start()
    yield local
    await local.stop()


async def asked(azure: LocalAzure, path: str, body: Any = None, token: str = "") -> tuple[int, Any]:
    trusted = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(azure.ca)))
    headers = {"Authorization": f"Bearer {token or azure.tokens.operator_token()}"}
    async with (
        aiohttp.ClientSession(connector=trusted) as session,
        session.request("POST" if body else "GET", azure.url + path, json=body, headers=headers) as answer,
    ):
        return answer.status, await answer.json()


async def test_by_ids_says_nothing_of_what_is_not_there(azure: LocalAzure) -> None:
    wanted = {"ids": [USER, GROUP, APP.upper(), principal(8)], "types": ["user", "group", "servicePrincipal"]}
    status, found = await asked(azure, "/v1.0/directoryObjects/getByIds", wanted)
    kinds = {one["id"]: one["@odata.type"] for one in found["value"]}
    assert (status, kinds) == (
        200,
        {
            USER: "#microsoft.graph.user",
            GROUP: "#microsoft.graph.group",
            APP: "#microsoft.graph.servicePrincipal",
        },
    )


@pytest.mark.parametrize(
    ("path", "ids"),
    [
        ("users?$filter=userPrincipalName eq 'ONEIL@contoso.example'", [USER]),
        ("users?$filter=displayName eq 'O''Neil'", [USER]),
        ("users?$filter=userPrincipalName eq 'nobody' or mail eq 'nobody'", []),
        ("groups?$filter=startswith(displayName,'m')", [GROUP]),
        (f"servicePrincipals?$filter=servicePrincipalNames/any(c:c eq '{principal(9)}')", [APP]),
        (f"servicePrincipals?$filter=servicePrincipalNames/any(c:c eq '{principal(8)}')", []),
    ],
)
async def test_a_filter_lets_through_what_it_names(azure: LocalAzure, path: str, ids: list[str]) -> None:
    status, found = await asked(azure, f"/v1.0/{path}")
    assert (status, [one["id"] for one in found["value"]]) == (200, ids)


async def test_one_by_its_id(azure: LocalAzure) -> None:
    assert (await asked(azure, f"/v1.0/groups/{GROUP}"))[1]["displayName"] == "ml"
    assert (await asked(azure, "/v1.0/users/oneil@contoso.example"))[1]["id"] == USER
    status, refused = await asked(azure, f"/v1.0/users/{GROUP}")
    assert (status, refused["error"]["code"]) == (404, "Request_ResourceNotFound")


async def test_a_filter_that_is_not_known_is_refused(azure: LocalAzure) -> None:
    status, refused = await asked(azure, "/v1.0/users?$filter=endswith(mail,'example')")
    assert (status, refused["error"]["code"]) == (400, "BadRequest")


async def test_amlguard_itself_may_not_ask(azure: LocalAzure) -> None:
    token = azure.tokens.issue(azure.deployment.app, "https://graph.microsoft.com")["access_token"]
    status, refused = await asked(azure, "/v1.0/groups", token=token)
    assert (status, refused["error"]["code"]) == (403, "Authorization_RequestDenied")
