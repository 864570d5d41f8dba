"""The registry's admin user."""

from shared.access.raw import get
from shared.access.scope import Scope
from shared.azure.arm import Arm
from shared.ports import NotYetError


class Registries:
    def __init__(self, arm: Arm) -> None:
        self._arm = arm

    async def set_admin_user(self, registry: Scope, *, enabled: bool) -> None:
        """Returns when it is done; where Azure does not tell, the registry does.

        Raises `WriteRefusedError`, and `ReadFailedError`.
        """
        try:
            await self._arm.patch(registry, {"properties": {"adminUserEnabled": enabled}})
        except NotYetError:
            if not await self._is(registry, enabled=enabled):
                raise

    async def _is(self, registry: Scope, *, enabled: bool) -> bool:
        properties = get(await self._arm.get(registry), "properties")
        settled = str(get(properties, "provisioningState")).casefold() == "succeeded"
        return settled and get(properties, "adminUserEnabled") is enabled
