"""Why an action is withheld."""

from dataclasses import dataclass

from shared.access.model import Want


@dataclass(frozen=True, slots=True)
class Refusal:
    """`guard` is a stable word for alerts; `reason` is for people and says what would allow it.

    `wants`: what has to be read before anybody can tell; `shared.reading.estate` reads it and asks again.
    """

    guard: str
    reason: str
    wants: tuple[Want, ...] = ()
