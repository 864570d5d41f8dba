"""Sends one event of each kind to the topic of the local Azure, as the app does; `forked` runs it as a program."""

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
from wire import Json

from handlers.runtime import connected
from shared import told
from shared.ports import TellFailedError

WORKSPACE = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/mlw"
_ENDS = (("Applied", ""), ("Failed", ""), ("Withheld", "trust"), ("Withheld", "approval"), ("Withheld", "contested"))


def events() -> Iterator[told.Event]:
    """Of a run and of a sweep, with more changes than one event names."""
    rows = [
        {
            "ActionId": f"{outcome}-{guard}-{n}",
            "Action": "Grant",
            "RuleId": "compute-pull",
            "ResourceId": f"{WORKSPACE}/computes/cpu{n}",
            "RunId": "r",
            "Outcome": outcome,
            "Guard": guard,
            "Code": "AuthorizationFailed" if outcome == "Failed" else "",
            "Reason": "because",
        }
        for outcome, guard in _ENDS
        for n in range(60)
    ]
    some = told.digests(rows)
    yield from told.of_run("r", WORKSPACE, "enforce", some, "t")
    yield from told.of_sweep("s", "enforce", some, "t")
    for whole in (True, False):
        yield told.sweep_end(told.SweepEnd("s" if whole else "s2", "enforce", 3, 0, 300, 5, 1000), "t", whole=whole)


def tell(arguments: list[str]) -> int:
    """Says how each ended: empty if the topic took it. With an argument, only the first one is sent."""
    sys.stdout.write(json.dumps(asyncio.run(_tell(only_one=bool(arguments)))))
    return 0


async def _tell(*, only_one: bool) -> list[Json]:
    ends: list[Json] = []
    async with connected(os.environ, Path(os.environ["HOME"]) / "policy.yaml") as services:
        assert services.topic
        for event in list(events())[: 1 if only_one else None]:
            try:
                await services.topic.send(msgspec.json.decode(told.encode(event)))
            except TellFailedError as error:
                ends.append({"failed": error.code, "lacksRight": error.lacks_right})
            else:
                ends.append({})
    return ends
