"""`python -m bench [--json]`: what amlguard costs, as figures that hold on any machine. No test looks at them."""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import process_time

from bench.estate import estate
from shared.access.guardrails import Terms
from shared.access.plan import plan

_ROOT = Path(__file__).parent.parent
_PAIRS = 9
_ROUNDS = 7
_PLANS = 50

# Each is timed inside its own fresh interpreter, so that Python's own start does not dilute the ratio.
_TIMED = "from time import perf_counter; start = perf_counter(); {work}; print(perf_counter() - start)"
_FLOOR = _TIMED.format(work="import azure.functions")
_INDEXING = _TIMED.format(work="import function_app; function_app.app.get_functions()")


@dataclass(frozen=True, slots=True)
class Figure:
    """`limit` is the most that the design allows, None where it names none."""

    name: str
    value: float
    limit: float | None
    what: str

    @property
    def over(self) -> bool:
        return self.limit is not None and self.value > self.limit


def cold_start_ratio() -> float:
    """The two are measured in turn, so that a busy moment of the machine meets both; the median of the ratios."""
    _seconds(_INDEXING)  # writes the byte code, as a deployed package has it
    return median(_seconds(_INDEXING) / _seconds(_FLOOR) for _ in range(_PAIRS))


def _seconds(code: str) -> float:
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=_ROOT, check=True, capture_output=True, text=True)  # noqa: S603 - our own code
    return float(done.stdout)


def plan_cpu_ms() -> float:
    """Milliseconds of CPU for one plan, nothing read and nothing written; the best of several rounds."""
    built, terms = estate(computes=5, endpoints=2), Terms()
    rounds = []
    for _ in range(_ROUNDS):
        start = process_time()
        for _ in range(_PLANS):
            plan(built, terms)
        rounds.append((process_time() - start) * 1000 / _PLANS)
    return min(rounds)


def figures() -> list[Figure]:
    return [
        Figure("cold_start_ratio", cold_start_ratio(), 1.25, "indexing function_app.py / import azure.functions"),
        Figure("plan_cpu_ms", plan_cpu_ms(), None, "CPU of one plan: 5 computes, 2 endpoints"),
    ]


def _table(measured: Sequence[Figure]) -> str:
    rows = [("figure", "value", "limit", "what")]
    rows += [(f.name, f"{f.value:.2f}" + (" over" if f.over else ""), _limit(f), f.what) for f in measured]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(r, widths, strict=True)).rstrip() for r in rows)


def _limit(figure: Figure) -> str:
    return "–" if figure.limit is None else f"≤ {figure.limit:g}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="figures as JSON")
    options = parser.parse_args()
    measured = figures()
    print(json.dumps([asdict(one) for one in measured], indent=2) if options.json else _table(measured))


if __name__ == "__main__":
    main()
