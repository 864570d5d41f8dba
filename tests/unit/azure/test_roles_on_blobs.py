"""Which role a person hears they lack: on a container of its own, never one on the whole account (docs/security.md)."""

import asyncio
from typing import Any

import pytest
from unit.scripted import Answer, Credential

from shared.azure.settings import CONTAINER, POLICIES, Settings
from shared.azure.store import LiveStore
from shared.ports import AzureFailureError

FORBIDDEN = Answer(
    403, "<Error/>", {"Content-Type": "application/xml", "x-ms-error-code": "AuthorizationPermissionMismatch"}
)


class Wire:
    async def send(self, request: Any, **_: Any) -> Answer:
        FORBIDDEN.request = request
        return FORBIDDEN


@pytest.mark.parametrize(
    ("container", "role"),
    [(CONTAINER, "(Storage Blob Data Owner)"), (POLICIES, f"(Storage Blob Data Contributor on {POLICIES})")],
)
def test_who_may_not_write_hears_which_role_is_missing(container: str, role: str) -> None:
    credential: Any = Credential()
    transport: Any = Wire()
    settings = Settings.read({"AzureWebJobsStorage__blobServiceUri": "https://store.blob.core.windows.net"})
    store = LiveStore(settings, credential, transport, container)
    with pytest.raises(AzureFailureError) as caught:
        asyncio.run(store.write("policy.yaml", b"{}", None))
    assert role in str(caught.value)
