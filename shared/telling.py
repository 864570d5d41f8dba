"""Tells people what was done and what waits for them, by events to a topic. It delays nothing and stops nothing.

What there is to tell goes to the queue as a message, whose work is to send it. So a topic that is down costs a run no
time, and the events arrive later. What cannot even be put there is only told to the log: the audit log has it all.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from shared import told
from shared.audit_rows import remediation, withheld
from shared.memory import Memory
from shared.messages import Tell, encode
from shared.ports import AzureFailureError, Topic, WorkQueue
from shared.progress import Result
from shared.state.sweep_documents import Summary
from shared.told import Digest, Event

_PATIENCE_SECONDS = 3
_log = logging.getLogger("amlguard")


def rows_of(result: Result) -> list[dict[str, Any]]:
    """As the audit log has them."""
    last = [remediation(result.run, withheld(one.action, one.refusal)) for one in result.plan.withheld]
    return [*last, *(remediation(result.run, one) for one in result.outcomes)]


@dataclass(frozen=True, slots=True)
class Teller:
    """Without a queue (on the command line) it sends the events itself, and gives up soon."""

    topic: Topic
    queue: WorkQueue | None
    memory: Memory
    tenant: str = ""

    def digests(self, results: Iterable[Result]) -> Mapping[str, Digest]:
        return told.digests(row for result in results for row in rows_of(result))

    async def run(self, result: Result) -> None:
        """What stands as it stood is told once a day by each process, however many events lead there."""
        today = datetime.now(UTC).date()
        some = {
            kind: digest
            for kind, digest in self.digests([result]).items()
            if kind in told.CHANGES or self.memory.is_untold((result.workspace, kind), told.subjects(digest), today)
        }
        await self._tell(told.of_run(result.run.id, str(result.workspace), str(result.run.mode), some, self.tenant))

    async def rows(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Of runs that ended before they could tell."""
        runs: dict[str, list[Mapping[str, Any]]] = {}
        for row in rows:
            runs.setdefault(str(row["RunId"]), []).append(row)
        for run, some in runs.items():
            await self._tell(told.of_run(run, "", str(some[0].get("Mode") or ""), told.digests(some), self.tenant))

    async def by_hand(self, run: str, results: Iterable[Result]) -> None:
        """One run of a person, over many workspaces."""
        await self._tell(told.of_run(run, "", "enforce", self.digests(results), self.tenant))

    async def sweep(self, one: Summary) -> None:
        """What all its shards did, in one event for each kind, and how it ended."""
        tally = one.tally
        data = told.SweepEnd(one.id, one.mode, one.found, tally.failed, tally.changes, tally.findings, one.duration_ms)
        ended = told.sweep_end(data, self.tenant, whole=one.outcome == "Completed")
        await self._tell((*told.of_sweep(one.id, one.mode, tally.told, self.tenant), ended))

    async def _tell(self, events: Iterable[Event]) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                for event in events:
                    await self._pass_on(event)
        except (AzureFailureError, TimeoutError) as error:
            said = str(error) if isinstance(error, AzureFailureError) else "no answer in time"
            _log.warning("nobody is told what the audit log has: %s", said)

    async def _pass_on(self, event: Event) -> None:
        document = msgspec.json.decode(told.encode(event))
        if self.queue is None:
            await self.topic.send(document)
        else:
            await self.queue.put(encode(Tell(document)), timedelta())
