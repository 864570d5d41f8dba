"""How a run works: in the app's own way, unless somebody says otherwise."""

from collections.abc import Callable
from dataclasses import dataclass

from shared.audit_rows import Outcome
from shared.ports import RunRecords
from shared.stop import Stop


@dataclass(frozen=True, slots=True)
class Instructions:
    """`stopped`: the app's setting stops all changes. A person at the command line sets the others.

    `by_hand`: there is such a person, and their changes are counted only if there is a store. `again`: make changes
    once more that were undone or are contested. `only`: make only the changes that a plan document names
    (`shared.access.plan_json.key`). `stop` is how the person ends the run, `told` gets every outcome as it comes, and
    `file` records runs beside the log.
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
