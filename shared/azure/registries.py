"""The registry's admin user, through azure-mgmt-containerregistry (2025-11-01).

The SDK takes half as long to load as azure.functions, and switch-offs are rare. So it loads with the first one.
"""

from typing import TYPE_CHECKING, Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.policies import CustomHookPolicy
from azure.core.pipeline.transport import AsyncHttpTransport

from shared.access.scope import Scope
from shared.azure.arm import Arm
from shared.azure.errors import writing
from shared.azure.pacer import Pace
from shared.azure.session import Clock, arm_policies
from shared.ports import WriteRefusedError

if TYPE_CHECKING:
    from azure.mgmt.containerregistry.aio import ContainerRegistryManagementClient


class Registries:
    def __init__(
        self,
        arm: Arm,
        endpoint: str,
        credential: AsyncTokenCredential,
        scope: str,
        transport: AsyncHttpTransport[Any, Any],
        clock: Clock,
        pace: Pace,
    ) -> None:
        self._arm, self._endpoint, self._credential, self._scope = arm, endpoint, credential, scope
        self._transport, self._clock, self._pace = transport, clock, pace
        self._clients: dict[str, ContainerRegistryManagementClient] = {}

    async def set_admin_user(self, registry: Scope, *, enabled: bool) -> None:
        """Returns when it is done. Raises `WriteRefusedError`."""
        operation = f"turn the admin user of {registry.name} {'on' if enabled else 'off'}"
        answer = await self._update(registry, operation, enabled=enabled)
        await self._arm.follow(answer, operation)

    async def _update(self, registry: Scope, operation: str, *, enabled: bool) -> Any:
        """The first answer, whatever it is.

        The SDK treats a 202 as an error, and its poller loses an answer that is not JSON.
        """
        from azure.mgmt.containerregistry.models import (  # noqa: PLC0415 - see the module's docstring
            RegistryPropertiesUpdateParameters,
            RegistryUpdateParameters,
        )

        group = registry.resource_group
        if registry.subscription is None or group is None:
            raise WriteRefusedError(operation, "InvalidScope", f"{registry} is not a registry's id")
        wanted = RegistryUpdateParameters(properties=RegistryPropertiesUpdateParameters(admin_user_enabled=enabled))
        answers: list[Any] = []
        with writing(operation):
            registries = self._client(registry.subscription.name).registries
            try:
                await registries.begin_update(
                    group.name, registry.name, wanted, polling=False, raw_response_hook=answers.append
                )
            except HttpResponseError as error:
                if error.status_code != 202:
                    raise
        return answers[-1]

    def _client(self, subscription: str) -> "ContainerRegistryManagementClient":
        from azure.mgmt.containerregistry.aio import (  # noqa: PLC0415 - see the module's docstring
            ContainerRegistryManagementClient,
        )

        if subscription not in self._clients:
            policies = arm_policies(self._credential, self._scope, self._clock, self._pace)
            self._clients[subscription] = ContainerRegistryManagementClient(
                self._credential,
                subscription,
                self._endpoint,
                transport=self._transport,
                policies=[CustomHookPolicy(), *policies],
            )
        return self._clients[subscription]
