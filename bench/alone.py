"""Figures that need no Azure: the cold start and one plan."""

import subprocess
import sys
from pathlib import Path
from statistics import median
from time import process_time

from bench.estate import estate
from bench.figure import Figure
from shared.access.plan import plan
from shared.access.rules import RULES
from shared.access.terms import Terms

_ROOT = Path(__file__).parent.parent
_PAIRS = 9
_ROUNDS = 7
_PLANS = 50

# Each is timed inside a fresh interpreter of its own, so that Python's own start does not dilute the ratio.
_TIMED = "from time import perf_counter; start = perf_counter(); {work}; print(perf_counter() - start)"
_FLOOR = _TIMED.format(work="import azure.functions")
_INDEXING = _TIMED.format(work="import function_app; function_app.app.get_functions()")
_SERVICES = _TIMED.format(work="import azure.functions, handlers.resource_changed, handlers.runtime, handlers.delivery")


def cold_start() -> list[Figure]:
    floor, indexing = _pairs(_INDEXING)
    _, services = _pairs(_SERVICES)
    return [
        Figure("cold_start_ratio", _ratio(floor, indexing), "index function_app.py / import azure.functions", 1.25),
        Figure(
            "cold_services_ms",
            median(services) * 1000,
            "import everything that the first event needs; peer: import azure.functions",
            peer=median(floor) * 1000,
        ),
    ]


def _pairs(work: str) -> tuple[list[float], list[float]]:
    """Seconds of the peer and of the work, measured in turn, so that a busy moment of the machine affects both."""
    _seconds(work)  # writes the byte code, which a deployed package has already
    both = [(_seconds(_FLOOR), _seconds(work)) for _ in range(_PAIRS)]
    return [floor for floor, _ in both], [seconds for _, seconds in both]


def _ratio(floor: list[float], seconds: list[float]) -> float:
    return median(other / one for one, other in zip(floor, seconds, strict=True))


def _seconds(code: str) -> float:
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=_ROOT, check=True, capture_output=True, text=True)  # noqa: S603 - our own code
    return float(done.stdout)


def plan_cpu() -> list[Figure]:
    """One plan without reads and writes. The best of several rounds."""
    built, terms = estate(computes=5, endpoints=2), Terms(table=RULES)
    rounds = []
    for _ in range(_ROUNDS):
        start = process_time()
        for _ in range(_PLANS):
            plan(built, terms)
        rounds.append((process_time() - start) * 1000 / _PLANS)
    return [Figure("plan_cpu_ms", min(rounds), "CPU of one plan: 5 computes, 2 endpoints")]
