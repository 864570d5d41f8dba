"""The registry's admin user, through azure-mgmt-containerregistry (2025-11-01).

The SDK takes half as long to load as azure.functions, and switch-offs are rare: it loads when the first one comes.
"""

from typing import TYPE_CHECKING, Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.pipeline.policies import ContentDecodePolicy
from azure.core.pipeline.transport import AsyncHttpTransport

from shared.access.scope import Scope
from shared.azure.errors import writing
from shared.azure.pacer import Pace
from shared.azure.session import Clock, arm_policies
from shared.ports import WriteRefusedError

if TYPE_CHECKING:
    from azure.mgmt.containerregistry.aio import ContainerRegistryManagementClient


class Registries:
    def __init__(
        self,
        endpoint: str,
        credential: AsyncTokenCredential,
        scope: str,
        transport: AsyncHttpTransport[Any, Any],
        clock: Clock,
        pace: Pace,
    ) -> None:
        self._endpoint, self._credential, self._scope = endpoint, credential, scope
        self._transport, self._clock, self._pace = transport, clock, pace
        self._clients: dict[str, ContainerRegistryManagementClient] = {}

    async def set_admin_user(self, registry: Scope, *, enabled: bool) -> None:
        """Waits until Azure has done it. Raises `WriteRefusedError`."""
        from azure.mgmt.containerregistry.models import (  # noqa: PLC0415 - see the module's docstring
            RegistryPropertiesUpdateParameters,
            RegistryUpdateParameters,
        )

        group = registry.resource_group
        if registry.subscription is None or group is None:
            raise WriteRefusedError("set the admin user", "InvalidScope", f"{registry} is not a registry's id")
        wanted = RegistryUpdateParameters(properties=RegistryPropertiesUpdateParameters(admin_user_enabled=enabled))
        with writing(f"turn the admin user of {registry.name} {'on' if enabled else 'off'}"):
            client = self._client(registry.subscription.name)
            poller = await client.registries.begin_update(group.name, registry.name, wanted, polling_interval=2)
            await poller.result()

    def _client(self, subscription: str) -> "ContainerRegistryManagementClient":
        from azure.mgmt.containerregistry.aio import (  # noqa: PLC0415 - see the module's docstring
            ContainerRegistryManagementClient,
        )

        if subscription not in self._clients:
            self._clients[subscription] = ContainerRegistryManagementClient(
                self._credential,
                subscription,
                self._endpoint,
                transport=self._transport,
                policies=[ContentDecodePolicy(), *arm_policies(self._credential, self._scope, self._clock, self._pace)],
            )
        return self._clients[subscription]
