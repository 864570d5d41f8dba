"""Where the SDKs work, and how long they wait."""

from collections.abc import AsyncIterable, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from azure.identity.aio import ClientSecretCredential

REGION = "westeurope"
WAIT_SECONDS = 60
# Otherwise the SDKs ask again after 30 seconds where Azure does not say when.
POLLING = {"polling_interval": 0.2}

type Operation = tuple[str, Callable[[], Awaitable[Any]]]


@dataclass(frozen=True, slots=True)
class Place:
    """`sign_in` is that of the ready line. The group is there."""

    arm: str
    sign_in: dict[str, str]
    group: str
    environment: dict[str, str]
    """What the ready line says about the app's own logs and topic."""
    principal: str

    @property
    def subscription(self) -> str:
        return self.sign_in["subscriptionId"]

    @property
    def scope(self) -> str:
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"

    def id_of(self, kind: str, name: str) -> str:
        return f"{self.scope}/providers/{kind}/{name}"

    def own(self, kind: str) -> str:
        """The id of a resource of the function app."""
        return f"/subscriptions/{self.subscription}/resourceGroups/amlguard/providers/{kind}/amlguard"

    def credential(self) -> ClientSecretCredential:
        who = self.sign_in
        return ClientSecretCredential(
            who["tenantId"],
            who["clientId"],
            who["clientSecret"],
            authority=who["authority"],
            disable_instance_discovery=True,
        )

    @property
    def arm_options(self) -> dict[str, Any]:
        """What docs/emulator.md says that a management client is given."""
        return {"base_url": self.arm, "credential_scopes": [f"{self.arm}/.default"], **POLLING}


async def done(begun: Awaitable[Any]) -> Any:
    poller = await begun
    return await poller.result()


async def some(listed: AsyncIterable[Any]) -> list[Any]:
    found = await every(listed)
    if not found:
        raise AssertionError("the list is empty")
    return found


async def every(listed: AsyncIterable[Any]) -> list[Any]:
    return [one async for one in listed]
