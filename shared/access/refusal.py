"""Why an action is withheld."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """`guard` is a stable word for alerts; `reason` is for people and says what would allow it."""

    guard: str
    reason: str
