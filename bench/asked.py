"""What the app asked of an Azure, from that Azure's log of requests."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bench.tenant import Json


@dataclass(frozen=True, slots=True)
class Request:
    """One request of the app. `start` and `end` are seconds on one clock, the local Azure's."""

    method: str
    path: str
    status: int
    start: float
    end: float

    @property
    def grants(self) -> bool:
        return self.method == "PUT" and "/roleassignments/" in self.path.lower()


def depth(asked: Sequence[Request]) -> int:
    """How many requests followed one another: the longest chain in which each starts after the one before it ended."""
    chain, free = 0, 0.0
    for one in sorted(asked, key=lambda one: one.end):
        if one.start >= free:
            chain, free = chain + 1, one.end
    return chain


def request(logged: Json) -> Request:
    """From an entry of the log of requests."""
    start = datetime.fromisoformat(logged["time"]).timestamp()
    return Request(logged["method"], logged["path"], logged["status"], start, start + logged["durationMs"] / 1000)
