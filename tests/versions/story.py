"""A little of everything that one version of amlguard leaves to the next: messages, documents and rows.

    .venv/bin/python -m versions.story FOLDER    (in tests/) writes them as files

Whoever changes a form runs this with the code of before, into a new folder beside the others in `forms/`.
"""

import asyncio
import json
import sys
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import raw
from app import App, app
from unit.build import NOW, REGISTRY, WORKSPACE, guid, sai

from handlers import resource_changed, sweep
from shared.audit_rows import REMEDIATIONS
from shared.messages import Dependency, Record, Resync, Trigger, encode
from shared.state.approvals import Approvals
from shared.state.undone import Mark, Undone

C1, C2 = sai("cpu1"), sai("cpu2")
CALLER, CORRELATION = guid("caller"), guid("correlation")
OBJECT_ID = "http://schemas.microsoft.com/identity/claims/objectidentifier"
TRIGGER = Trigger(CORRELATION, CALLER, NOW, str(WORKSPACE))
PARTS = ("queue", "store", "rows", "grants")
PASSED = timedelta(minutes=2)
ASKED_FOR = guid("asked for")
"""The run that waits for a person."""


@dataclass
class Left:
    """`queue` are message bodies, `store` documents by name, `rows` those of the log, `grants` what was made."""

    queue: list[Any] = field(default_factory=list)
    store: dict[str, Any] = field(default_factory=dict)
    rows: list[Any] = field(default_factory=list)
    grants: list[Any] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Path) -> "Left":
        return cls(*(json.loads((folder / f"{part}.json").read_text("utf-8")) for part in PARTS))

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for part in PARTS:
            text = json.dumps(getattr(self, part), indent=1, sort_keys=True)
            (folder / f"{part}.json").write_text(f"{text}\n", "utf-8")


def tenant(**policy: Any) -> App:
    return app(raw.compute("cpu1", C1), raw.compute("cpu2", C2), settle=timedelta(minutes=15), **policy)


async def left() -> tuple[App, Left]:
    """Two clusters were granted their pull and the switch-off waits; a sweep has ended, and another begun."""
    one = tenant()
    await resource_changed.handle(_event(), one.services)
    for works in (2, 1):  # one sweep ends with its shard, the other cuts its own and goes no further
        await sweep.handle(one.services)
        for _ in range(works):
            await one.work()
        one.azure.advance(timedelta(minutes=1))
    await sweep.handle(one.services)
    other = [row for row in one.audit.rows("Applied") if row["PrincipalId"] == C2.id]
    record = Record(REMEDIATIONS, tuple({**row, "RunId": guid("recorded late")} for row in other))
    for work in (Dependency(str(REGISTRY), TRIGGER), Resync((str(WORKSPACE),), TRIGGER), record):
        await one.queue.put(encode(work), timedelta())
    await Undone(one.store).add({other[0]["ActionId"]: Mark(other[0]["RunId"], CALLER, NOW)})
    await Approvals(one.store).ask(WORKSPACE, ASKED_FOR, {guid("x"): "grant x"}, one.azure.now(), timedelta(days=7))
    return one, _left(one)


def _left(one: App) -> Left:
    return Left(
        [json.loads(message.body) for message in one.queue.messages],
        {name: json.loads(stored.data) for name, stored in one.store.documents.items()},
        [{"Table": table, **row} for table, row in one.azure.journal if table.endswith("_CL")],
        [
            {"id": each.id, "principal": each.principal_id, "description": each.description}
            for each in one.azure.assignments
        ],
    )


def _event() -> dict[str, Any]:
    return {
        "id": "1",
        "subject": str(WORKSPACE),
        "eventType": "Microsoft.Resources.ResourceWriteSuccess",
        "eventTime": NOW.isoformat(),
        "dataVersion": "2",
        "data": {"resourceUri": str(WORKSPACE), "correlationId": CORRELATION, "claims": {OBJECT_ID: CALLER}},
    }


if __name__ == "__main__":
    asyncio.run(left())[1].write(Path(sys.argv[1]))
