"""A client that was set up once goes on working after a restart with the same folder, and only with it."""

import json
import ssl
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from azure.identity.aio import ClientSecretCredential
from emulator_units.arm_calls import ACR_PULL, REGISTRY, RG, UAI, held, principal, resource

from emulator.kept import KeptError
from emulator.options import Options
from emulator.server import LocalAzure

VERSION = "?api-version=2023-01-31"
TENANT = {
    "resources": [resource(REGISTRY)],
    "roleAssignments": [held(REGISTRY, ACR_PULL, principal(1))],
    "groups": {principal(3): [principal(1)]},
}


def given(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / "given.json"
    file.write_text(json.dumps(TENANT))
    return file


@asynccontextmanager
async def running(folder: Path, tmp_path: Path) -> AsyncIterator[LocalAzure]:
    options = Options(tenant=given(tmp_path), functions=False, state=folder, operation_ms=60_000)
    azure = LocalAzure(options, tmp_path)
    await azure.start()
    try:
        yield azure
    finally:
        await azure.stop()


async def asked(ready: dict[str, Any], token: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """With what the ready line said, and nothing newer."""
    trusted = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=ready["ca"]))
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession(connector=trusted) as session,
        session.request(method, ready["arm"] + path, json=body, headers=headers) as answer,
    ):
        return answer.status, await answer.json() if answer.content_type == "application/json" else None


async def test_a_client_goes_on_after_a_restart(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    async with running(folder, tmp_path / "one") as azure:
        ready = azure.ready()
        token = ready["operatorToken"]
        status, made = await asked(ready, token, "PUT", UAI + VERSION, {"location": "westeurope"})
        assert status in (200, 201)
    async with running(folder, tmp_path / "two") as azure:
        assert azure.ready()["signIn"] == ready["signIn"]
        assert await asked(ready, token, "GET", UAI + VERSION) == (200, made)
        sign_in = ready["signIn"]
        credential = ClientSecretCredential(
            sign_in["tenantId"],
            sign_in["clientId"],
            sign_in["clientSecret"],
            authority=sign_in["authority"],
            disable_instance_discovery=True,
            connection_verify=ready["ca"],
        )
        async with credential:
            again = (await credential.get_token(f"{ready['arm']}/.default")).token
        assert (await asked(ready, again, "GET", f"{RG}?api-version=2022-09-01"))[0] == 200
        assert azure.tenant.groups == TENANT["groups"]
        assert azure.rbac.allowed(principal(1), "Microsoft.ContainerRegistry/registries/pull/read", REGISTRY)
        other = UAI.replace("/uai", "/another")
        _, second = await asked(ready, again, "PUT", other + VERSION, {"location": "westeurope"})
        assert second["properties"]["principalId"] != made["properties"]["principalId"]


async def test_what_is_under_way_ends_before_the_end(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    storage = f"{RG}/providers/Microsoft.Storage/storageAccounts/kept?api-version=2025-06-01"
    body = {"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}
    async with running(folder, tmp_path / "one") as azure:
        ready = azure.ready()
        assert (await asked(ready, ready["operatorToken"], "PUT", storage, body))[0] == 202
    async with running(folder, tmp_path / "two"):
        _, found = await asked(ready, ready["operatorToken"], "GET", storage)
        assert found["properties"]["provisioningState"] == "Succeeded"


async def test_the_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o755)
    async with running(folder, tmp_path / "one"):
        pass
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "kept.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "tenant.json").stat().st_mode) == 0o600


async def test_without_a_folder_everything_is_new(tmp_path: Path) -> None:
    found = []
    for _ in range(2):
        azure = LocalAzure(Options(functions=False), tmp_path)
        found.append((azure.sign_in.secret, azure.tokens.identity_header, azure.kept.secrets.certificate))
    assert not set(found[0]) & set(found[1])
    assert not (tmp_path / "tenant.json").exists()


def test_a_folder_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kept.json").write_text("[]")
    with pytest.raises(KeptError, match="another folder"):
        LocalAzure(Options(functions=False, state=tmp_path), tmp_path)
