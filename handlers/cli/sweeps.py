"""`amlguard sweeps`: what the sweeps of the last days did, from the state that the app's instances share.

`--start` begins one over the queue that the timer uses. That takes a right on the storage account, and no key.
"""

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from handlers.cli.formats.screen import Block, Line, Piece, Screen, Table
from shared.azure.queue import LiveWorkQueue
from shared.azure.session import credential, transport
from shared.azure.settings import Settings
from shared.azure.store import LiveStore
from shared.messages import Sweep, encode
from shared.state.sweep_documents import Summary
from shared.state.sweep_progress import Sweeps, new_sweep

_STYLES = {"Completed": "green", "Incomplete": "bold red"}


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


def sweeps_text(found: Sequence[Summary], screen: Screen) -> str:
    return screen.text(sweeps_blocks(found))


def sweeps_blocks(found: Sequence[Summary]) -> Iterator[Block]:
    """A row for each sweep, the newest first."""
    if not found:
        yield Line(("there was no sweep yet",))
        return
    columns = ("sweep", "outcome", "mode", "shards", "workspaces", "failed", "changes", "findings", "seconds")
    yield Table(columns, [_row(one) for one in found], 0, frozenset(range(3, len(columns))))
    if any(not one.shards for one in found):
        yield Line(("a sweep without shards is still looking for workspaces",))


def _row(one: Summary) -> Sequence[Piece]:
    tally = one.tally
    return (
        one.id,
        (one.outcome, _STYLES.get(one.outcome, "")),
        str(one.mode),
        f"{one.done} of {one.shards}" if one.shards else "–",
        f"{tally.workspaces} of {one.found}",
        (str(tally.failed), "bold red" if tally.failed else ""),
        str(tally.changes),
        str(tally.findings),
        f"{one.duration_ms / 1000:.0f}",
    )
