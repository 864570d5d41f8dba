"""The policy as a blob, so that it changes without a deployment: what is pushed is in force within a minute.

NAME             what people push
last-good/NAME   the last version that was right, which the app keeps

A version that is wrong never comes into force. The last good one stays, also after a restart. While the store cannot be
read, what this process read before stays for a while. A process that has read nothing has no policy at all: it fails.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from shared import policy
from shared.access.terms import Terms
from shared.policy import Policy, PolicyError
from shared.ports import AzureFailureError, Store, Stored

KEPT_SECONDS = 60.0
MOST_BYTES = 256 * 1024
_AGAIN_SECONDS = 10.0
# Event Grid waits 30 s for its answer, and the work itself takes most of that.
_PATIENCE_SECONDS = 8.0
_KEEPING_SECONDS = 3.0
# A policy that nobody could read for so long may have been replaced by one that stops everything.
_LONGEST_SECONDS = 600.0
_TOLD_SECONDS = 3600.0
_log = logging.getLogger("amlguard")


@dataclass(frozen=True, slots=True)
class InForce:
    """`text` is the policy as it was written. `version` is the ETag of what was pushed.

    `wrong` says why what was pushed is not in force. Empty: it is.
    """

    terms: Terms
    text: str = ""
    version: str = ""
    wrong: str = ""


def last_good(name: str) -> str:
    return f"last-good/{name}"


class PushedPolicy:
    """One process's view of it."""

    def __init__(self, store: Store, name: str, seconds: Callable[[], float] = time.monotonic) -> None:
        self.store, self.name, self._seconds = store, name, seconds
        self._line = asyncio.Lock()
        self._pushed: Stored | None = None
        self._known: InForce | None = None
        self._good: InForce | None = None
        self._is_kept = False
        self._asked = self._read_at = 0.0
        self._told = ("", 0.0)
        self._failed: AzureFailureError | None = None

    async def current(self, *, keeps: bool = True) -> InForce:
        """Reads it at most once a minute. Raises `AzureFailureError` if nobody can tell which policy is in force.

        Whoever waited while another could not read it hears the same: each would wait as long again.

        `keeps`: a good one is kept. Only the app does that. A command may be newer than the app: then
        it calls a policy good that the app cannot read.
        """
        before = self._failed
        async with self._line:
            if self._failed and self._failed is not before:
                raise self._failed
            if self._known is None or self._seconds() - self._asked >= KEPT_SECONDS:
                self._known = await self._asked_for(self._known)
                if keeps:
                    await self._keep(self._known)
            return self._known

    def is_news(self, wrong: str) -> bool:
        """Whether this process did not say so within the last hour; if so, it does now."""
        said, at = self._told
        if said == wrong and self._seconds() - at < _TOLD_SECONDS:
            return False
        self._told = (wrong, self._seconds())
        return True

    async def _asked_for(self, known: InForce | None) -> InForce:
        began = self._seconds()
        try:
            found = await self._in_time(known)
        except AzureFailureError as error:
            if known is None or began - self._read_at >= _LONGEST_SECONDS:
                self._failed = error
                raise
            _log.warning("the policy cannot be read, and what was read before stays in force: %s", error)
            self._asked = began - KEPT_SECONDS + _AGAIN_SECONDS
            return known
        self._asked = self._read_at = began
        return found

    async def _in_time(self, known: InForce | None) -> InForce:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return await self._read(known)
        except TimeoutError:
            raise AzureFailureError(
                "read the policy", "Timeout", "the storage account did not answer in time"
            ) from None

    async def _read(self, known: InForce | None) -> InForce:
        before = self._pushed
        now = await self.store.newer(self.name, before) if before and known else await self.store.read(self.name)
        if known and now and now is before:
            return known
        found = await self._judged(now)
        self._pushed, self._is_kept = now, False
        return found

    async def _judged(self, pushed: Stored | None) -> InForce:
        if pushed is None:
            return await self._instead(f"nothing is there: `amlguard policy push FILE` puts {self.name} there")
        try:
            self._good = replace(right(pushed.data), version=pushed.etag)
        except PolicyError as error:
            return replace(await self._instead(str(error)), version=pushed.etag)
        return self._good

    async def _instead(self, wrong: str) -> InForce:
        """The last good one of all instances, or else of this process. Without any, the defaults: they change nothing.

        This process may have missed the last good one, so the blob counts first.
        """
        kept = await self.store.read(last_good(self.name))
        if kept:
            with suppress(PolicyError):  # of an older version of amlguard
                return replace(right(kept.data), wrong=wrong)
        return replace(self._good, wrong=wrong) if self._good else InForce(Policy().terms(), wrong=wrong)

    async def _keep(self, found: InForce) -> None:
        """Of two instances one writes. What cannot be written now is tried again a minute later.

        What was pushed meanwhile may already be kept by another instance: it is the later one, and stays.
        """
        if found.wrong or self._is_kept or self._pushed is None:
            return
        try:
            async with asyncio.timeout(_KEEPING_SECONDS):
                await self._write(self._pushed, last_good(self.name))
        except (AzureFailureError, TimeoutError) as error:
            said = str(error) if isinstance(error, AzureFailureError) else "no answer in time"
            _log.warning("the last good policy could not be kept: %s", said)

    async def _write(self, pushed: Stored, name: str) -> None:
        kept = await self.store.read(name)
        if kept is None or kept.data != pushed.data:
            if await self.store.newer(self.name, pushed) is not pushed:
                return
            await self.store.write(name, pushed.data, kept.etag if kept else None)
        self._is_kept = True


def right(data: bytes) -> InForce:
    """Raises `PolicyError`, also for an empty blob: an upload that broke off must not become the defaults.

    YAML takes long: 256 KiB cost a process two seconds or more, in which it does nothing else.
    """
    if len(data) > MOST_BYTES:
        raise PolicyError(f"it has {len(data):,} bytes, and a pushed policy has at most {MOST_BYTES:,}")
    text = policy.decoded(data)
    if policy.document(text) is None:
        raise PolicyError("it is empty: a pushed policy says at least its mode, such as `mode: report`")
    return InForce(policy.parse(text).terms(), text)
