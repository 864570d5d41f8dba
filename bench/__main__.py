"""`python -m bench`: measures what amlguard costs, in figures that mean the same on any machine. No test uses them."""

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from itertools import product

from bench import alone, event, first_plan, report, sweep, template
from bench.figure import Figure, table

_SECTIONS = ("cold", "plan", "template", "event", "report", "first-plan", "sweep")
_PER_SUBSCRIPTION = 100
_EVERYTHING = {"sizes": [100, 1000, 10_000], "workers": [1, 2, 4]}


def _figures(options: argparse.Namespace) -> list[Figure]:
    sections: dict[str, Callable[[], Iterable[Figure]]] = {
        "cold": alone.cold_start,
        "plan": alone.plan_cpu,
        "template": template.figures,
        "event": event.event_path,
        "report": report.figures,
        "first-plan": lambda: first_plan.figures(options.first_plan_size),
        "sweep": lambda: _sweep(options),
    }
    return [figure for name in options.only or _SECTIONS for figure in sections[name]()]


def _sweep(options: argparse.Namespace) -> list[Figure]:
    found: list[Figure] = []
    swept = []
    for size, instances in product(options.sizes, options.instances):
        for subscriptions in options.subscriptions or [max(1, size // _PER_SUBSCRIPTION)]:
            done, figures = sweep.figures(sweep.Layout(size, subscriptions, instances))
            swept.append(done)
            found += figures
    found += sweep.slopes(swept)
    if len(options.workers) > 1:
        found += sweep.scale_out(options.workers, options.scale_out_size, options.scale_out_latency_ms)
    return found


def _numbers(text: str) -> Sequence[int]:
    return [int(one) for one in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="figures as JSON")
    parser.add_argument("--only", action="append", choices=_SECTIONS, help="this section; repeatable; default: all")
    parser.add_argument("--all", action="store_true", help="also 10,000 workspaces and the scale-out: half an hour")
    parser.add_argument("--sizes", type=_numbers, default=[100, 1000], metavar="N,…", help="workspaces to sweep")
    parser.add_argument(
        "--subscriptions",
        type=_numbers,
        default=[],
        metavar="N,…",
        help="measure each size in this many subscriptions; default: 100 workspaces in each",
    )
    parser.add_argument(
        "--instances", type=_numbers, default=[1], metavar="N,…", help="measure each size with this many instances"
    )
    parser.add_argument("--workers", type=_numbers, default=[1], metavar="N,…", help="instances, for the scale-out")
    parser.add_argument("--scale-out-size", type=int, default=960, metavar="N", help="workspaces of the scale-out")
    parser.add_argument("--scale-out-latency-ms", type=float, default=1000, metavar="N", help="its latency")
    parser.add_argument("--first-plan-size", type=int, default=2000, metavar="N", help="workspaces of a first plan")
    options = parser.parse_args()
    if options.all:
        vars(options).update(_EVERYTHING)
    measured = _figures(options)
    print(json.dumps([asdict(one) for one in measured], indent=2) if options.json else table(measured))


if __name__ == "__main__":
    main()
