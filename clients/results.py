"""What worked, and what did otherwise than expected."""

from dataclasses import dataclass
from enum import Enum

_SHOWN = 300


class Expected(Enum):
    WORKS = ""
    REFUSED = "~"
    """Azure refuses it, too."""
    FAILS = "-"
    """Known not to work here."""


@dataclass(slots=True)
class Results:
    client: str
    asked: int = 0
    worked: int = 0
    refused: int = 0
    surprises: int = 0

    def add(self, operation: str, error: str | None, expected: Expected = Expected.WORKS) -> None:
        self.asked += 1
        self.worked += error is None
        self.refused += error is not None and expected is Expected.REFUSED
        if (error is None) is not (expected is Expected.WORKS):
            self.surprises += 1
            said = " ".join((error or "works, and should not").split())[-_SHOWN:]
            print(f"{self.client}: {operation}: {said}", flush=True)

    def summary(self) -> str:
        also = f", {self.refused} are refused as Azure refuses them" if self.refused else ""
        return f"{self.client}: {self.worked} of {self.asked} operations work{also}"
