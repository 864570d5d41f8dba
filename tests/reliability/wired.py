"""amlguard's own clients against a local Azure, on which the tests play the faults; queue, store and log are fakes."""

import asyncio
import socket
import ssl
import uuid
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Self
from weakref import WeakSet

from aiohttp import AddrInfoType, ClientSession, TCPConnector
from app import App
from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import AioHttpTransport
from emulator_units.eventually import eventually
from fakes import FakeAzure
from local_azure import LocalAzure
from tenants import ACR_PULL, Tenant, child, group_id, oid, system_assigned
from unit.build import terms
from wire import Json

from emulator import tenant_builder
from handlers.runtime import Runtime
from shared.access.scope import Scope
from shared.azure.azure import LiveAzure
from shared.azure.session import discover

_CLUSTERS = ("cpu0", "cpu1")


class _Identity:
    """The app's identity in the local Azure."""

    def __init__(self, azure: LocalAzure) -> None:
        self._azure = azure

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        resource = scopes[0].removesuffix("/.default")
        env = self._azure.env
        url = f"{env['IDENTITY_ENDPOINT']}?api-version=2019-08-01&resource={resource}"
        answer = self._azure.http.get(url, headers={"X-IDENTITY-HEADER": env["IDENTITY_HEADER"]}, timeout=30).json()
        return AccessToken(answer["access_token"], int(answer["expires_on"]))

    async def close(self) -> None:
        pass


class Endless(BaseException):
    """More was asked than any answer could need: nothing of amlguard's may catch it."""


@dataclass
class Clock(FakeAzure):
    """The time of the fakes is the local Azure's: both move at once."""

    local: LocalAzure | None = None

    def advance(self, by: timedelta) -> None:
        super().advance(by)
        if self.local:
            self.local.advance(by.total_seconds())


class Wire(AioHttpTransport):  # type: ignore[misc]  # azure-core loads it late, so that it has no type
    """`slept` are the waits that were asked for, in seconds; while it `hurries`, only the clocks move.

    When `left` requests were sent it is `Endless`.
    """

    def __init__(self, azure: LocalAzure, clock: Clock) -> None:
        self._sockets: WeakSet[socket.socket] = WeakSet()
        # Told of the CA itself, it would trust it anew, and connect anew, for each request.
        trusted = TCPConnector(ssl=ssl.create_default_context(cafile=azure.ready["ca"]), socket_factory=self._socket)
        super().__init__(session=ClientSession(connector=trusted, auto_decompress=False))
        self._clock, self.left = clock, 2000
        self.slept: list[float] = []
        self.hurries = True

    async def sleep(self, duration: float) -> None:
        self.slept.append(duration)
        if not self.hurries:
            await asyncio.sleep(duration)
        elif duration >= 1:
            self._clock.advance(timedelta(seconds=duration))

    async def send(self, request: Any, **options: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise Endless
        return await super().send(request, **options)

    def _socket(self, address: AddrInfoType) -> socket.socket:
        made = socket.socket(*address[:3])
        self._sockets.add(made)
        return made

    async def close(self) -> None:
        """A deadline may cut a connection in its handshake: asyncio closes it when the other side has answered."""
        await super().close()
        await eventually(lambda: all(one.fileno() < 0 for one in self._sockets))


@dataclass
class Wired(App):
    """One process of amlguard, with mode enforce and nothing to wait for."""

    local: LocalAzure = field(kw_only=True)
    live: LiveAzure = field(kw_only=True)
    wire: Wire = field(kw_only=True)
    deadline_seconds: float = 20

    @classmethod
    async def to(cls, azure: LocalAzure, team: "Team", **policy: Any) -> Self:
        """It looks at the one team."""
        clock = Clock(local=azure)
        wire = Wire(azure, clock)
        identity: Any = _Identity(azure)
        arm = azure.ready["arm"]
        cloud = await discover(arm, wire)
        live = LiveAzure(arm, cloud, identity, wire, None)
        return cls(
            terms(settle=timedelta(), scopes=(Scope.parse(team.group),), **policy),
            clock,
            local=azure,
            live=live,
            wire=wire,
        )

    @property
    def services(self) -> Runtime:
        return replace(super().services, azure=self.live, deadline_seconds=self.deadline_seconds)

    async def close(self) -> None:
        await self.wire.close()


@dataclass(frozen=True)
class Team:
    """A workspace, its registry and storage, and two clusters that cannot pull yet.

    They have a subscription of their own: ARM throttles by subscription, and sleeping for that is no test's business.
    """

    name: str

    @property
    def group(self) -> str:
        return group_id(self.name, str(uuid.uuid5(uuid.NAMESPACE_URL, f"subscription:{self.name}")))

    @property
    def subscription(self) -> str:
        return self.group.partition("/resourceGroups/")[0]

    @property
    def registry(self) -> str:
        return child(self.group, "Microsoft.ContainerRegistry/registries", f"acrml{self.name}")

    @property
    def workspace(self) -> str:
        return child(self.group, "Microsoft.MachineLearningServices/workspaces", "mlw")

    @property
    def scope(self) -> Scope:
        return Scope.parse(self.workspace)

    @property
    def clusters(self) -> tuple[str, ...]:
        """Object ids of their identities."""
        return tuple(oid(f"{self.name}/{cluster}") for cluster in _CLUSTERS)

    def build(self, tenant: Tenant, *, admin: bool = True, abac: bool = False, tags: Json | None = None) -> Self:
        tenant.add(tenant_builder.resource_group(self.group, tags))
        registry = tenant.registry(self.group, f"acrml{self.name}", admin=admin, abac=abac)
        storage = tenant.storage(self.group, f"st{self.name}")
        workspace = tenant.workspace(self.group, "mlw", containerRegistry=registry["id"], storageAccount=storage["id"])
        for cluster in _CLUSTERS:
            tenant.compute(workspace, cluster, identity=system_assigned(f"{self.name}/{cluster}"))
        return self

    def fault(self, method: str, path: str, **fault: Any) -> Json:
        """One of the local Azure's, in this team's resource group only."""
        return {"method": method, "path": f"/resourceGroups/{self.name}{path}", **fault}

    def roles(self, azure: LocalAzure) -> dict[str, set[str]]:
        """Roles at the registry, by cluster."""
        return {
            one: {role for scope, role in azure.grants(one, self.registry) if scope == self.registry.lower()}
            for one in self.clusters
        }

    def all_pull(self, azure: LocalAzure) -> bool:
        return all(ACR_PULL in roles for roles in self.roles(azure).values())

    def resyncs(self, azure: LocalAzure) -> int:
        path = f"{self.workspace}/resyncKeys".lower()
        return sum(one["path"].lower().startswith(path) and one["status"] < 300 for one in azure.asked())
