"""The sweep: the timer fires, the queue fans out, and every workspace has been looked at."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import log

from bench.figure import Figure
from bench.local_azure import Request, local_azure
from bench.tenant import LISTS, tenant, workspaces

# ARM's bucket for the reads of one caller in one subscription.
# https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling
_BUCKET = 250
_REFILL_PER_SECOND = 25
_GRAPH = "/providers/microsoft.resourcegraph/"


@dataclass(frozen=True, slots=True)
class Layout:
    """How large a tenant is, and with how many instances it is swept; `latency_ms` is that of every request."""

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
    layout: Layout
    requests: int
    graph_pages: int
    refused: int
    looked_at: int
    wall_seconds: float
    necessary_seconds: float
    cpu_seconds: float
    peak_mib: float

    @property
    def cpu_ms_per_workspace(self) -> float:
        return self.cpu_seconds * 1000 / self.layout.size


def sweep(layout: Layout) -> Swept:
    options = ["--workers", str(layout.workers), "--latency-ms", str(layout.latency_ms)]
    options += [] if layout.throttle else ["--no-throttle"]
    with local_azure(tenant(layout.size, layout.subscriptions), *options) as azure:
        before = azure.cpu_seconds()
        azure.sweep()
        cpu, peak, asked = azure.cpu_seconds() - before, azure.peak_mib(), azure.asked()
    paths = {one.path.partition("?")[0] for one in asked}
    return Swept(
        layout,
        len(asked),
        sum(_GRAPH in one.path.lower() for one in asked),
        sum(one.status == 429 for one in asked),
        len(paths & {f"{one}/computes" for one in workspaces(layout.size, layout.subscriptions)}),
        max(one.end for one in asked) - asked[0].start,
        _necessary(asked),
        cpu,
        peak,
    )


def _necessary(asked: Sequence[Request]) -> float:
    """Seconds that the busiest subscription's bucket makes these reads take, each made once, if all else is free."""
    reads = Counter(path.split("/")[2] for path in {one.path for one in asked if one.method == "GET"})
    return max(0.0, (max(reads.values()) - _BUCKET) / _REFILL_PER_SECOND)


def figures(layout: Layout) -> tuple[Swept, list[Figure]]:
    done = sweep(layout)
    name, size = layout.name, layout.size
    lists = size * LISTS
    needed = 1.05 * lists + done.graph_pages
    found = [
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
            f"all of the sweep; peer: {LISTS} lists a workspace",
            needed,
            lists,
        ),
        Figure(f"sweep_refused[{name}]", done.refused, "answers 429", 0),
        Figure(f"sweep_cpu_ms_per_workspace[{name}]", done.cpu_ms_per_workspace, "CPU of the workers"),
        Figure(f"sweep_peak_mib[{name}]", done.peak_mib, "resident memory of the largest worker"),
        _wall(done),
    ]
    return done, found


def _wall(done: Swept) -> Figure:
    name = done.layout.name
    if done.necessary_seconds:
        ratio = done.wall_seconds / done.necessary_seconds
        what = f"wall ({done.wall_seconds:.1f} s) / what the bucket makes necessary; peer: that, in seconds"
        return Figure(f"sweep_wall_ratio[{name}]", ratio, what, 1.15, done.necessary_seconds)
    return Figure(f"sweep_wall_s[{name}]", done.wall_seconds, "seconds; the bucket limits nothing at this size")


def slopes(swept: Sequence[Swept]) -> list[Figure]:
    """The exponent of cost against size, from the smallest to the largest: 1 is proportional, 0 is flat."""
    one, other = min(swept, key=_size), max(swept, key=_size)
    if one.layout.size == other.layout.size:
        return []
    sizes = f"from {one.layout.size} to {other.layout.size} workspaces"
    growth = other.cpu_ms_per_workspace / one.cpu_ms_per_workspace
    return [
        Figure("sweep_requests_slope", _slope(one, other, "requests"), f"exponent of requests, {sizes}"),
        Figure("sweep_cpu_slope", _slope(one, other, "cpu_seconds"), f"exponent of CPU, {sizes}"),
        Figure("sweep_cpu_growth", growth, f"CPU per workspace, {sizes}", 1.2),
        Figure("sweep_peak_growth", other.peak_mib / one.peak_mib, f"peak memory, {sizes}", 1.5),
    ]


def _slope(one: Swept, other: Swept, name: str) -> float:
    return log(getattr(other, name) / getattr(one, name)) / log(other.layout.size / one.layout.size)


def _size(swept: Swept) -> int:
    return swept.layout.size


def scale_out(workers: Sequence[int], size: int, latency_ms: float) -> list[Figure]:
    """The same sweep with more instances, where latency is the limit and not the bucket; ratios to the first."""
    alone, *others = [sweep(Layout(size, 1, count, latency_ms, throttle=False)) for count in workers]
    what = f"wall / wall with {alone.layout.workers}: {size} workspaces, {latency_ms:g} ms, no bucket; peer: ideal"
    return [
        Figure(
            f"sweep_scale_out[{other.layout.workers}]",
            other.wall_seconds / alone.wall_seconds,
            what,
            0.35 if other.layout.workers == 4 * alone.layout.workers else None,
            alone.layout.workers / other.layout.workers,
        )
        for other in others
    ]
