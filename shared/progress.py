"""One run: how it must look, how far it has come, and its result."""

from dataclasses import dataclass, field

from shared.access.actions import Plan
from shared.access.rules import List
from shared.access.scope import Scope
from shared.audit_rows import Outcome, Run
from shared.state.approvals import Pending


@dataclass(frozen=True, slots=True)
class Result:
    """`plan` is the last plan, `outcomes` is what was done over all passes."""

    workspace: Scope
    run: Run
    plan: Plan = field(default_factory=Plan)
    outcomes: tuple[Outcome, ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """How a run must look.

    `deadline` is in `time.monotonic()` seconds. `attempt` counts how often the look was put off.

    `touched` is the only list below the workspace that changed. None: anything may have changed, so everything is
    looked at.
    """

    deadline: float | None = None
    attempt: int = 0
    touched: List | None = None


EVERYTHING = Look()


@dataclass(slots=True)
class Progress:
    """How far one run has come: `made` and `outcomes` belong to the last pass, `done` to all passes.

    `recorded` is what is on record already. `released` is what a person has released for this run, and `is_used`
    whether that has ended.
    """

    workspace: Scope
    run: Run
    look: Look
    recorded: set[tuple[str, str]] = field(default_factory=set)
    released: Pending | None = None
    is_used: bool = False
    made: Plan = field(default_factory=Plan)
    outcomes: list[Outcome] = field(default_factory=list)
    done: list[Outcome] = field(default_factory=list)
