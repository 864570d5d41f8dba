"""What every trigger works with. A process makes it once, from the settings."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from handlers.policy_file import chosen_policy, read_policy
from shared.access.terms import RunMode, Terms
from shared.azure.audit_log import AuditReader, LiveAuditLog
from shared.azure.azure import LiveAzure
from shared.azure.errors import reading
from shared.azure.queue import LiveWorkQueue
from shared.azure.session import credential, discover, quiet_sdk_logging, transport
from shared.azure.settings import Settings
from shared.azure.store import LiveStore
from shared.instructions import Instructions
from shared.memory import Memory
from shared.ports import AuditLog, Azure, AzureFailureError, Store, WorkQueue
from shared.reconcile import Reconciler
from shared.scopes import Scopes
from shared.state.failing import Failures, dependency
from shared.state.sweep_progress import Sweeps
from shared.writing.leftovers import Leftovers

BELIEVED_SECONDS = 12 * 3600.0
_NOTE_SECONDS = 3


@dataclass(frozen=True, slots=True)
class Runtime:
    """`own_object_id` is the identity that amlguard itself runs as. It ignores events that this identity caused.

    `tenant_id` is its tenant. `policy_file` is where the policy was read. Without a file the defaults apply. `requests`
    says how many requests ARM has answered.
    """

    azure: Azure
    audit: AuditLog | None
    audit_reader: AuditReader | None
    queue: WorkQueue | None
    store: Store | None
    terms: Terms
    own_object_id: str
    deadline_seconds: float
    memory: Memory = field(default_factory=Memory)
    stopped: bool = False
    tenant_id: str = ""
    policy_file: Path | None = None
    opened: tuple[AbstractAsyncContextManager[Any], ...] = ()
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    requests: Callable[[], int] = lambda: 0

    @property
    def reconciler(self) -> Reconciler:
        instructions = Instructions(stopped=self.stopped)
        return Reconciler(self.azure, self.audit, self.queue, self.terms, self.store, self.memory, instructions)

    @property
    def leftovers(self) -> Leftovers:
        may_resync = self.terms.mode is RunMode.ENFORCE and not self.stopped
        return Leftovers(self.azure, self.audit, self.store, may_resync=may_resync)

    @property
    def scopes(self) -> Scopes:
        return Scopes(self.azure, self.memory, self.tenant_id)

    @property
    def sweeps(self) -> Sweeps | None:
        return Sweeps(self.store, self.audit) if self.store else None

    async def note(self, error: Exception) -> None:
        """So that `amlguard status` can say what fails and since when. By itself it fails nothing."""
        if self.store is None or not isinstance(error, AzureFailureError):
            return
        if self.memory.is_noted(dependency(error)):
            return
        with suppress(AzureFailureError, TimeoutError):
            async with asyncio.timeout(_NOTE_SECONDS):
                await Failures(self.store).note(error, datetime.now(UTC))

    async def close(self) -> None:
        for one in self.opened:
            await one.__aexit__(None, None, None)

    def deadline(self) -> float:
        """In `time.monotonic()` seconds, from now."""
        return time.monotonic() + self.deadline_seconds


class Kept:
    """The process's runtime: connected when first asked for, and anew after `BELIEVED_SECONDS`. No failure is kept.

    So no process believes its cloud, its identity or its settings for ever. What it remembers of runs stays. Whoever
    works with the runtime before this one has had hours to end when it is closed.
    """

    def __init__(
        self, connecting: Callable[[], Awaitable[Runtime]], seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._connect, self._seconds = connecting, seconds
        self._line = asyncio.Lock()
        self._since = 0.0
        self._now: Runtime | None = None
        self._before: Runtime | None = None

    async def get(self) -> Runtime:
        """Raises as `connect` does."""
        async with self._line:
            if self._now is None or self._seconds() - self._since >= BELIEVED_SECONDS:
                self._now = await self._renewed(self._now)
            return self._now

    async def _renewed(self, old: Runtime | None) -> Runtime:
        anew = await self._connect()
        if self._before:
            await self._before.close()
        self._before, self._since = old, self._seconds()
        return replace(anew, memory=old.memory) if old else anew


async def connect(environment: Mapping[str, str], *, policy_file: Path | None = None) -> Runtime:
    """Raises `SettingsError` and `PolicyError`, and `ReadFailedError` if Azure cannot be reached."""
    settings = Settings.read(environment)
    quiet_sdk_logging()
    rules = read_policy(policy_file, settings)
    identity, shared = credential(), transport()
    try:
        cloud = await discover(settings.arm_endpoint, shared)
        with reading("sign in"):
            token = await identity.get_token(cloud.arm_scope)
    except BaseException:
        await identity.close()
        await shared.close()
        raise
    audit = reader = None
    if settings.ingestion_endpoint and settings.ingestion_rule:
        audit = LiveAuditLog(settings.ingestion_endpoint, settings.ingestion_rule, cloud, identity, shared)
    if settings.logs_workspace:
        endpoint = settings.logs_query_endpoint or cloud.logs_endpoint
        reader = AuditReader(endpoint, settings.logs_workspace, cloud, identity, shared)
    azure = LiveAzure(settings.arm_endpoint, cloud, identity, shared, reader)
    return Runtime(
        azure,
        audit,
        reader,
        LiveWorkQueue(settings, identity, shared) if settings.has_queue else None,
        LiveStore(settings, identity, shared) if settings.has_store else None,
        rules.terms(),
        claim(token.token, "oid"),
        settings.deadline_seconds,
        stopped=settings.stopped,
        tenant_id=claim(token.token, "tid"),
        policy_file=chosen_policy(policy_file, settings),
        opened=(identity, shared),
        requests=lambda: azure.answers,
    )


@asynccontextmanager
async def connected(environment: Mapping[str, str], policy_file: Path | None) -> AsyncIterator[Runtime]:
    """For a command: a runtime that is closed at its end."""
    services = await connect(environment, policy_file=policy_file)
    try:
        yield services
    finally:
        await services.close()


def claim(token: str, name: str) -> str:
    """Empty if the token is not a JWT. Callers ask only for the ids of identity and tenant (law 11)."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return str(claims.get(name, "")).casefold()
    except (IndexError, ValueError, AttributeError):
        return ""
