"""What clients asked of the local Azure, for `GET /_local/requests`."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    method: str
    path: str
    """With the query."""
    caller: str
    """An object id, "operator", or "" if nobody can tell."""
    status: int
    """0 if the connection was dropped."""
    time: str
    duration_ms: float
    resource_graph: dict[str, Any] | None = None
    """For a query: in which subscriptions and management groups, and the ids of the rows that it returned."""

    def as_json(self) -> dict[str, Any]:
        queried = {"resourceGraph": self.resource_graph} if self.resource_graph else {}
        return queried | {
            "method": self.method,
            "path": self.path,
            "caller": self.caller,
            "status": self.status,
            "time": self.time,
            "durationMs": self.duration_ms,
        }


class RequestLog:
    def __init__(self) -> None:
        self._requests: list[LoggedRequest] = []

    def __len__(self) -> int:
        return len(self._requests)

    def add(self, request: LoggedRequest) -> None:
        self._requests.append(request)

    def clear(self) -> None:
        self._requests.clear()

    def as_json(self) -> list[dict[str, Any]]:
        return [request.as_json() for request in self._requests]
