"""Thousands of events and dozens of sweeps on an accelerated clock: nothing of the app grows.

Two workers: one runs from the first quarter to the end and is measured, the other is killed again and again.
"""

import os
import signal
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from event_grid import event
from local_azure import LocalAzure
from reliability.wired import Team
from tenants import Tenant

EVENTS, SWEEPS = 5000, 30
_TEAMS = 12
_AT_ONCE = 10
_STEPS_PER_QUARTER = 10
_MOST = 1.1
_SLACK = {"memory": 2_000_000, "handles": 2, "connections": 2, "queue": 5}
"""What is noise even where 1.1 times of little is less: bytes, and counts."""
_POLICY = """
mode: enforce
settle_minutes: 0
rules: {managed-network: {enabled: false}, compute-settings: {enabled: false}}
"""


@dataclass(frozen=True)
class Sample:
    memory: int
    handles: int
    connections: int
    queue: int


def main(events: int, sweeps: int) -> int:
    """1 when something grows."""
    tenant = Tenant()
    teams = [Team(f"l{number}").build(tenant) for number in range(_TEAMS)]
    with tempfile.TemporaryDirectory(prefix="amlguard-long-") as folder:
        azure = LocalAzure.start(Path(folder), tenant.document(), _POLICY, "--workers", "2")
        try:
            samples, kills = _run(azure, teams, events, sweeps)
        finally:
            azure.stop()
    print(f"{events:,} events, {sweeps} sweeps, {kills} restarts of a worker")
    return 1 if _grows(samples) else 0


def _run(azure: LocalAzure, teams: Sequence[Team], events: int, sweeps: int) -> tuple[list[Sample], int]:
    steps = 4 * _STEPS_PER_QUARTER
    sent = swept = kills = 0
    samples = list[Sample]()
    measured = 0
    for step in range(1, steps + 1):
        while sent < events * step // steps:
            some = [teams[(sent + n) % len(teams)] for n in range(min(_AT_ONCE, events - sent))]
            azure.deliver(*(event(one.workspace) for one in some))
            sent += len(some)
        while swept < sweeps * step // steps:
            azure.advance(6 * 3600)
            azure.sweep()
            azure.until_quiet(600)
            swept += 1
        azure.advance(600)
        azure.until_quiet(600)
        workers = azure.workers()
        measured = measured if measured in workers else workers[0]
        samples.append(_sample(azure, measured))
        print(f"… {sent:,} events, {swept} sweeps: {samples[-1]}", flush=True)
        kills += _kill(workers, measured)
        azure.forget_requests()
    return samples, kills


def _kill(workers: Sequence[int], kept: int) -> int:
    """Every other worker than the one that is measured."""
    for one in workers:
        if one != kept:
            os.kill(one, signal.SIGKILL)
    return len(workers) - 1


def _sample(azure: LocalAzure, pid: int) -> Sample:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    handles = [str(one.readlink()) for one in Path(f"/proc/{pid}/fd").iterdir() if one.is_symlink()]
    sockets = sum(one.startswith("socket:") for one in handles)
    return Sample(int(resident.split()[1]) * 1024, len(handles), sockets, len(azure.waiting_work()))


def _grows(samples: Sequence[Sample]) -> bool:
    """Whether the last quarter has more than 1.1 times what the second has."""
    quarter = len(samples) // 4
    second, last = samples[quarter : 2 * quarter], samples[3 * quarter :]
    found = False
    for name, slack in _SLACK.items():
        before, after = (mean(getattr(one, name) for one in some) for some in (second, last))
        grew = after > before * _MOST and after - before > slack
        found = found or grew
        ratio = f"{after / before:.2f} times" if before else "–"
        told = f"{before:,.0f} in the second quarter, {after:,.0f} in the last"
        print(f"  {name}: {told} ({ratio}){', GROWS' if grew else ''}")
    return found
