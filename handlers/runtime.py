"""What every trigger works with. A process makes it once, from the settings."""

import asyncio
import base64
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from handlers.policy_file import chosen_policy, is_a_blob, read_policy
from shared.access.asks import Finding, Severity
from shared.access.scope import Scope
from shared.access.terms import RunMode, Terms
from shared.audit_rows import FINDINGS, Run, finding
from shared.azure.audit_log import AuditReader, LiveAuditLog
from shared.azure.azure import LiveAzure
from shared.azure.errors import reading
from shared.azure.queue import LiveWorkQueue
from shared.azure.session import credential, discover, quiet_sdk_logging, transport
from shared.azure.settings import BLOB, POLICIES, Settings
from shared.azure.store import LiveStore
from shared.azure.topic import LiveTopic
from shared.instructions import Instructions
from shared.memory import Memory
from shared.policy import Policy
from shared.ports import AuditLog, Azure, AzureFailureError, Store, Topic, WorkQueue
from shared.reconcile import Reconciler
from shared.scopes import Scopes
from shared.state.failing import Failures, dependency
from shared.state.pushed_policy import PushedPolicy
from shared.state.sweep_progress import Sweeps
from shared.telling import Teller
from shared.writing.leftovers import Leftovers

BELIEVED_SECONDS = 12 * 3600.0
_AGAIN_SECONDS = 600.0
_NOTE_SECONDS = 3
BROKEN_POLICY = "policy-broken"
_log = logging.getLogger("amlguard")


@dataclass(frozen=True, slots=True)
class Runtime:
    """`own_object_id` is the identity that amlguard itself runs as. It ignores events that this identity caused.

    `tenant_id` is its tenant. `policy_file` is where the policy was read. Without a file the defaults apply. If the
    policy is a blob, `pushed` reads it, and `current` gives the runtime with the `terms` that are in force now.
    `requests` says how many requests ARM has answered.
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
    pushed: PushedPolicy | None = None
    topic: Topic | None = None
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
        teller = self.teller
        return Sweeps(self.store, self.audit, teller.sweep if teller else None) if self.store else None

    @property
    def teller(self) -> Teller | None:
        """None unless a topic is configured."""
        return Teller(self.topic, self.queue, self.memory, self.tenant_id) if self.topic else None

    @property
    def policy_name(self) -> str | None:
        """Of the file or the blob."""
        if self.pushed:
            return f"{BLOB}{self.pushed.name}"
        return str(self.policy_file) if self.policy_file else None

    async def current(self, *, records: bool = True) -> "Runtime":
        """Raises `AzureFailureError` while nobody can tell which policy is in force.

        A policy that is not in force because it is wrong is a finding, on record unless the caller only reads. The last
        good one is kept by those who record.
        """
        if self.pushed is None:
            return self
        now = await self.pushed.current(keeps=records)
        if now.wrong and self.pushed.is_news(now.wrong):
            await self._say_broken(now.wrong, self.audit if records else None)
        return replace(self, terms=now.terms)

    async def _say_broken(self, wrong: str, audit: AuditLog | None) -> None:
        """The app goes on by the last good policy, so a log that takes nothing, or takes long, stops nothing here."""
        _log.error("the policy %s is not in force: %s", self.policy_name, wrong)
        if audit:
            with suppress(AzureFailureError, TimeoutError):
                async with asyncio.timeout(_NOTE_SECONDS):
                    one = broken_policy(str(self.policy_name), wrong)
                    await audit.record(FINDINGS, [finding(Run(RunMode.REPORT), one)])

    async def note(self, error: Exception) -> None:
        """So that `amlguard status` can say what fails and since when. By itself it fails nothing."""
        if self.store is None or not isinstance(error, AzureFailureError):
            return
        if self.memory.is_noted(f"{dependency(error)} {error.code}"):
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
        self._since = self._due = 0.0
        self._now: Runtime | None = None
        self._before: Runtime | None = None

    async def get(self) -> Runtime:
        """Raises as `connect` does."""
        async with self._line:
            if self._now is None or self._seconds() >= self._due:
                self._now = await self._renewed(self._now)
            return self._now

    async def _renewed(self, old: Runtime | None) -> Runtime:
        """`old` for twelve hours more, at most, while Azure does not answer: it may well do its work."""
        try:
            anew = await self._connect()
        except AzureFailureError as error:
            if old is None or self._seconds() - self._since >= 2 * BELIEVED_SECONDS:
                raise
            _log.warning("the app goes on with the connections that it has: %s", error)
            self._due = self._seconds() + _AGAIN_SECONDS
            return old
        older, self._before, self._since = self._before, old, self._seconds()
        self._due = self._since + BELIEVED_SECONDS
        if older:
            with suppress(Exception):  # nobody works with it any more
                await older.close()
        return replace(anew, memory=old.memory) if old else anew


async def connect(environment: Mapping[str, str], *, policy_file: Path | None = None) -> Runtime:
    """Raises `SettingsError` and `PolicyError`, and `ReadFailedError` if Azure cannot be reached."""
    settings = Settings.read(environment)
    quiet_sdk_logging()
    # A blob is read by `Runtime.current`. Until then the defaults stand, and they change nothing.
    rules = Policy() if is_a_blob(policy_file, settings) else read_policy(policy_file, settings)
    terms = rules.terms()
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
        terms,
        claim(token.token, "oid"),
        settings.deadline_seconds,
        stopped=settings.stopped,
        tenant_id=claim(token.token, "tid"),
        policy_file=chosen_policy(policy_file, settings),
        pushed=None if policy_file else _pushed(settings, partial(LiveStore, settings, identity, shared)),
        topic=LiveTopic(settings.events_topic, identity, shared) if settings.events_topic else None,
        opened=(identity, shared),
        requests=lambda: azure.answers,
    )


@asynccontextmanager
async def connected(
    environment: Mapping[str, str], policy_file: Path | None, *, by_policy: bool = True
) -> AsyncIterator[Runtime]:
    """For a command: a runtime that is closed at its end."""
    async with closed(await connect(environment, policy_file=policy_file), by_policy=by_policy) as services:
        yield services


@asynccontextmanager
async def closed(services: Runtime, *, by_policy: bool) -> AsyncIterator[Runtime]:
    """At the end. Who may approve need not read a policy that is a blob."""
    try:
        yield await services.current(records=False) if by_policy else services
    finally:
        await services.memory.ended()
        await services.close()


def _pushed(settings: Settings, store: Callable[[str], Store]) -> PushedPolicy | None:
    return PushedPolicy(store(POLICIES), settings.policy_blob) if settings.policy_blob else None


def broken_policy(name: str, wrong: str) -> Finding:
    return Finding(
        Scope.parse("/"),
        BROKEN_POLICY,
        (),
        Severity.HIGH,
        f"The policy {name} (container {POLICIES}) is not in force: {wrong}.",
        "Push a policy that is right (`amlguard policy push FILE` checks it). Until then the last good one stays in "
        "force, or, if there never was one, the defaults, which change nothing.",
    )


def claim(token: str, name: str) -> str:
    """Empty if the token is not a JWT. Callers ask only for the ids of identity and tenant (law 11)."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return str(claims.get(name, "")).casefold()
    except (IndexError, ValueError, AttributeError):
        return ""
