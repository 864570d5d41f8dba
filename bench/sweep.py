"""The sweep: the timer fires, the queue fans out, and every workspace is looked at."""

import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log

from bench.asked import Request
from bench.figure import Figure
from bench.swept_azure import NoFigureError, SweptAzure, Weight, swept_azure
from bench.tenant import LISTS, tenant, workspaces

# ARM's token bucket for the reads of one caller in one subscription.
# https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling
BUCKET = 250
REFILL_PER_SECOND = 25
# https://learn.microsoft.com/azure/governance/resource-graph/concepts/guidance-for-throttled-requests
_QUOTA = 15
_WINDOW_SECONDS = 5
_GRAPH = "/providers/microsoft.resourcegraph/"
_SWEEPS = "AmlGuardSweep_CL"
_WAKING = 3  # a sweep asks no query for fewer, and that path would stay cold
_PER_SUBSCRIPTION_OUT = 3
_LARGE = 10_000  # what a sweep costs once, such as the reads that it leaves to events, takes two seconds and more
_GROWN = 1000  # below this size a process has not done enough work for its memory to say anything


@dataclass(frozen=True, slots=True)
class Layout:
    """The size of a tenant, and the number of instances that sweep it. `latency_ms` is that of every request."""

    size: int
    subscriptions: int
    workers: int = 1
    latency_ms: float = 0
    throttle: bool = True

    @property
    def name(self) -> str:
        return f"{self.size}/{self.subscriptions}/{self.workers}"


@dataclass(frozen=True, slots=True)
class Swept:
    """`bucket_seconds` and `graph_seconds` are what the two limits make necessary."""

    layout: Layout
    requests: int
    kinds: Counter[str]
    refused: int
    looked_at: int
    wall_seconds: float
    bucket_seconds: float
    graph_seconds: float
    cpu: Weight
    peaks_mib: Sequence[float]

    @property
    def necessary_seconds(self) -> float:
        return max(self.bucket_seconds, self.graph_seconds)

    @property
    def cpu_seconds(self) -> float:
        return self.cpu.app

    @property
    def cpu_ms_per_workspace(self) -> float:
        return self.cpu.app * 1000 / self.layout.size

    @property
    def peak_mib(self) -> float:
        return max(self.peaks_mib)


def sweep(layout: Layout) -> Swept:
    """Raises `NoFigureError`."""
    began = time.monotonic()
    print(f"sweep {layout.name}: begun", file=sys.stderr, flush=True)
    names = workspaces(layout.size, layout.subscriptions)
    with swept_azure(
        tenant(layout.size, layout.subscriptions),
        workers=layout.workers,
        latency_ms=layout.latency_ms,
        throttle=layout.throttle,
    ) as azure:
        azure.wake(names[:: layout.subscriptions][:_WAKING])
        before = azure.weigh()
        started, ended = azure.sweep()
        weight, peaks, asked = azure.weigh().since(before), azure.peaks_mib(), azure.asked()
        _check(azure, ended, layout)
    print(
        f"sweep {layout.name}: took {time.monotonic() - began:.0f} s, preparations included",
        file=sys.stderr,
        flush=True,
    )
    paths = {one.path.partition("?")[0] for one in asked}
    return Swept(
        layout,
        len(asked),
        Counter(map(_kind, asked)),
        sum(one.status == 429 for one in asked),
        len(paths & {f"{one}/computes" for one in names}),
        max(one.end for one in asked if _SWEEPS in one.path) - started,
        _bucket_seconds(asked),
        _graph_seconds(asked),
        weight,
        peaks,
    )


def _check(azure: SweptAzure, ended: dict[str, object], layout: Layout) -> None:
    if ended["Outcome"] != "Completed" or ended["Workspaces"] != layout.size or ended["Failed"]:
        raise NoFigureError(f"the sweep was not complete: {ended}")
    if azure.findings() != ended["Findings"]:
        raise NoFigureError(f"{azure.findings()} findings arrived, and the sweep says {ended['Findings']}")


def _kind(asked: Request) -> str:
    if _GRAPH in asked.path.lower():
        return "queries"
    return "lists" if asked.method == "GET" and asked.path.startswith("/subscriptions/") else "records"


def _bucket_seconds(asked: Sequence[Request]) -> float:
    """How long the busiest subscription's bucket makes these reads take, if each is made once and all else is free."""
    reads = Counter(path.split("/")[2] for path in {one.path for one in asked if _kind(one) == "lists"})
    return max(0.0, (max(reads.values()) - BUCKET) / REFILL_PER_SECOND)


def _graph_seconds(asked: Sequence[Request]) -> float:
    """How long Resource Graph's quota takes. The last window opens when all windows before it have passed."""
    answered = sum(_kind(one) == "queries" and one.status == 200 for one in asked)
    return float(_WINDOW_SECONDS * (ceil(answered / _QUOTA) - 1))


def figures(layout: Layout) -> tuple[Swept, list[Figure]]:
    done = sweep(layout)
    name, size = layout.name, layout.size
    lists = size * LISTS
    needed = 1.05 * lists + done.kinds["queries"]
    kinds = ", ".join(f"{number} {kind}" for kind, number in done.kinds.most_common())
    beside = f"host {done.cpu.host:.1f}, storage {done.cpu.storage:.1f}"
    return done, [
        Figure(
            f"sweep_looked_at[{name}]",
            done.looked_at,
            "workspaces whose computes the sweep listed",
            size,
            at_least=True,
        ),
        Figure(
            f"sweep_requests[{name}]",
            done.requests,
            f"the whole sweep: {kinds}; peer: {LISTS} lists for each workspace",
            needed,
            lists,
        ),
        Figure(f"sweep_refused[{name}]", done.refused, "answers 429", 0),
        Figure(f"sweep_cpu_ms_per_workspace[{name}]", done.cpu_ms_per_workspace, "CPU of the workers"),
        Figure(f"sweep_beside_cpu_s[{name}]", done.cpu.azure, f"CPU seconds of the lean Azure; {beside}"),
        Figure(f"sweep_peak_mib[{name}]", done.peak_mib, "resident memory of the largest worker"),
        _wall(done),
    ]


def _wall(done: Swept) -> Figure:
    name = done.layout.name
    if done.necessary_seconds:
        ratio = done.wall_seconds / done.necessary_seconds
        what = (
            f"wall ({done.wall_seconds:.1f} s) / what is necessary by the limits: ARM's bucket "
            f"{done.bucket_seconds:.1f} s, Resource Graph's quota {done.graph_seconds:.0f} s; peer: the longer of them"
        )
        limit = 1.15 if done.layout.size >= _LARGE else None
        return Figure(f"sweep_wall_ratio[{name}]", ratio, what, limit, done.necessary_seconds)
    return Figure(f"sweep_wall_s[{name}]", done.wall_seconds, "seconds; no limit is met at this size")


def slopes(swept: Sequence[Swept]) -> list[Figure]:
    """The exponent of cost against size, from the smallest size to the largest: 1 is proportional, 0 is flat.

    Only layouts with as many instances as the first count.
    """
    ordered = sorted((one for one in swept if one.layout.workers == swept[0].layout.workers), key=_size)
    if not ordered or ordered[0].layout.size == ordered[-1].layout.size:
        return []
    one, other = ordered[0], ordered[-1]
    sizes = f"from {one.layout.size} to {other.layout.size} workspaces"
    growth = other.cpu_ms_per_workspace / one.cpu_ms_per_workspace
    return [
        Figure("sweep_requests_slope", _slope(one, other, "requests"), f"exponent of requests, {sizes}"),
        Figure("sweep_cpu_slope", _slope(one, other, "cpu_seconds"), f"exponent of CPU, {sizes}"),
        Figure("sweep_cpu_growth", growth, f"CPU per workspace, {sizes}", 1.2),
        *_peak_growth([done for done in ordered if done.layout.size >= _GROWN]),
    ]


def _peak_growth(ordered: Sequence[Swept]) -> list[Figure]:
    if len(ordered) < 2:
        return []
    one, other = ordered[0], ordered[-1]
    sizes = f"from {one.layout.size} to {other.layout.size} workspaces"
    return [Figure("sweep_peak_growth", other.peak_mib / one.peak_mib, f"peak memory, {sizes}", 1.5)]


def _slope(one: Swept, other: Swept, name: str) -> float:
    return log(getattr(other, name) / getattr(one, name)) / log(other.layout.size / one.layout.size)


def _size(swept: Swept) -> int:
    return swept.layout.size


def scale_out(workers: Sequence[int], size: int, latency_ms: float) -> list[Figure]:
    """The same sweep with more instances, where latency is the limit and no quota is. Ratios to the first.

    The tenant has many small subscriptions, because the app stays below the bucket of each one whether or not Azure
    enforces it.
    """
    subscriptions = max(1, size // _PER_SUBSCRIPTION_OUT)
    alone, *others = [sweep(Layout(size, subscriptions, count, latency_ms, throttle=False)) for count in workers]
    found = [_busy(alone)]
    for other in others:
        what = f"wall ({other.wall_seconds:.1f} s) / wall with {alone.layout.workers} ({alone.wall_seconds:.1f} s): "
        what += f"{size} workspaces in {subscriptions}, {latency_ms:g} ms, no limits; peer: ideal"
        found.append(
            Figure(
                f"sweep_scale_out[{other.layout.workers}]",
                other.wall_seconds / alone.wall_seconds,
                what,
                0.35 if other.layout.workers == 4 * alone.layout.workers else None,
                alone.layout.workers / other.layout.workers,
            )
        )
        found.append(_busy(other))
    return found


def _busy(done: Swept) -> Figure:
    """Shows that the machine is not the limit: the measured processes use only a part of its cores."""
    cpu = done.cpu
    all_of_it = cpu.app + cpu.azure + cpu.host + cpu.storage
    what = "cores that all processes of this sweep kept busy; peer: those of its workers"
    return Figure(
        f"sweep_scale_out_cores[{done.layout.workers}]",
        all_of_it / done.wall_seconds,
        what,
        None,
        cpu.app / done.wall_seconds,
    )
