"""`amlguard sweeps`: what the sweeps of the last days did, from the state that the app's instances share.

`--start` begins one over the queue that the timer uses. That takes a right on the storage account, and no key.
"""

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from handlers.cli.console import counted
from shared.azure.queue import LiveWorkQueue
from shared.azure.session import credential, transport
from shared.azure.settings import Settings
from shared.azure.store import LiveStore
from shared.messages import Sweep, encode
from shared.state.sweep_documents import Summary
from shared.state.sweep_progress import Sweeps, new_sweep


async def sweeps() -> Sequence[Summary]:
    """The newest first. Raises `SettingsError` without a storage account, and `AzureFailureError`."""
    identity, shared = credential(), transport()
    try:
        store = LiveStore(Settings.read(os.environ), identity, shared)
        return await Sweeps(store, None).listed(datetime.now(UTC))
    finally:
        await identity.close()
        await shared.close()


async def start() -> str:
    """Its id. The app ignores it while another sweep is under way. Raises `SettingsError` and `AzureFailureError`."""
    identity, shared = credential(), transport()
    try:
        sweep = new_sweep(datetime.now(UTC))
        await LiveWorkQueue(Settings.read(os.environ), identity, shared).put(encode(Sweep(id=sweep)), timedelta())
        return sweep
    finally:
        await identity.close()
        await shared.close()


def sweeps_document(found: Sequence[Summary]) -> list[dict[str, Any]]:
    return [
        {
            "id": one.id,
            "started": one.started.isoformat(),
            "mode": one.mode,
            "outcome": one.outcome,
            "shards": one.shards,
            "shardsDone": one.done,
            "workspaces": one.found,
            "workspacesDone": one.tally.workspaces,
            "failed": one.tally.failed,
            "changes": one.tally.changes,
            "findings": one.tally.findings,
            "durationMs": one.duration_ms,
        }
        for one in found
    ]


def sweeps_text(found: Sequence[Summary]) -> str:
    return "\n".join(map(_line, found)) or "There was no sweep yet."


def _line(one: Summary) -> str:
    part = f"{one.done} of {counted(one.shards, 'shard')}" if one.shards else "still looking for workspaces"
    tally = one.tally
    done = f"{tally.workspaces} of {counted(one.found, 'workspace')}, {counted(tally.changes, 'change')}"
    found = f"{counted(tally.findings, 'finding')}, {tally.failed} failed"
    return f"{one.id}  {one.outcome:<10}  {part}, {done}, {found}, {one.duration_ms / 1000:.0f} s (mode {one.mode})"
