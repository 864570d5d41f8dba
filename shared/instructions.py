"""How a run is to go about its work: the app's own way, unless somebody says otherwise."""

from collections.abc import Callable
from dataclasses import dataclass

from shared.audit_rows import Outcome
from shared.ports import RunRecords
from shared.stop import Stop


@dataclass(frozen=True, slots=True)
class Instructions:
    """`stopped`: the app's setting stops all changes. The others are said by a person at a desk.

    `by_hand`: there is such a person, whose changes are counted only where there is a store. `again`: make what was
    undone or is contested once more. `only`: do nothing but what a plan document names (`shared.access.plan_json.key`).
    `stop` is how the person ends the run, `told` hears of every outcome as it comes, and `file` remembers runs beside
    the log.
    """

    stopped: bool = False
    by_hand: bool = False
    again: bool = False
    only: frozenset[tuple[str, ...]] | None = None
    stop: Stop | None = None
    told: Callable[[Outcome], None] = lambda _: None
    file: RunRecords | None = None

    @property
    def asked_to_stop(self) -> bool:
        return self.stop is not None and self.stop.asked
