"""`make soak`: the state machine for as long as is asked for, beside it workers that are killed; or the long run."""

import argparse
import logging
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import batched, cycle
from pathlib import Path
from random import Random

from hypothesis import HealthCheck, Phase, core, settings
from hypothesis.stateful import run_state_machine_as_test
from reliability import long_run
from reliability.killed import Killed, play, points
from reliability.machine import counted
from reliability.tally import Tally

_AT_ONCE = 20
_STEPS = 20
_WORKERS_AT_ONCE = 10
_SAYS_EVERY = 60.0


def machine(until: float, seed: int) -> Tally:
    """Cases until `until`, each batch by a seed of its own, so that a failed one can be had again."""
    tally, batch, said = Tally(), 0, time.monotonic()
    while time.monotonic() < until:
        before = len(tally.violations)
        core.global_force_seed = seed + batch  # type: ignore[assignment]  # as pytest's --hypothesis-seed does
        try:
            run_state_machine_as_test(
                counted(tally),
                settings=settings(
                    max_examples=_AT_ONCE,
                    stateful_step_count=_STEPS,
                    deadline=None,
                    derandomize=False,
                    database=None,
                    phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                ),
            )
        except Exception as error:  # noqa: BLE001 - the run goes on, and its end says what failed
            if len(tally.violations) == before:
                tally.violations.append(f"{type(error).__name__}: {error}")
            print(_told(error, seed + batch), *tally.violations[before:], sep="\n  ", flush=True)
        batch += 1
        if time.monotonic() - said >= _SAYS_EVERY:
            said = time.monotonic()
            print(f"… {tally.line()}", flush=True)
    return tally


def _told(error: Exception, seed: int) -> str:
    """What went wrong in short. The steps that led to it are long, and go to a file."""
    steps = Path(tempfile.gettempdir()) / f"amlguard-soak-{seed}.txt"
    steps.write_text(
        "\n".join([*traceback.format_exception(error), *getattr(error, "__notes__", ())]), encoding="utf-8"
    )
    again = f"make soak SEED={seed} MINUTES=0.1"
    return f"seed {seed} failed ({type(error).__name__}): {error}\n  its steps are in {steps}; again: {again}"


def killed(until: float, seed: int) -> Killed:
    """Local Azures one after the other, each with some deaths, all points in turn."""
    told, all_points = Killed(), points()
    Random(seed).shuffle(all_points)
    for some in batched(cycle(all_points), _WORKERS_AT_ONCE, strict=False):
        if time.monotonic() >= until:
            break
        before = len(told.violations)
        with tempfile.TemporaryDirectory(prefix="amlguard-soak-") as folder:
            try:
                play(Path(folder), some, told, until)
            except Exception as error:  # noqa: BLE001 - the run goes on, and its end says what failed
                told.violations.append(f"{type(error).__name__}: {error}")
        print(f"… {next(told.lines())}", *told.violations[before:], sep="\n  ", flush=True)
    return told


def _soak(minutes: float, seed: int, *, workers: bool) -> int:
    began = time.monotonic()
    until = began + minutes * 60
    with ThreadPoolExecutor(1) as beside:
        other = beside.submit(killed, until, seed) if workers else None
        tally = machine(until, seed)
        dead = other.result() if other else Killed()
    print(f"soaked for {(time.monotonic() - began) / 60:.1f} minutes with seed {seed}")
    print("over the fakes:", *tally.lines(), sep="\n")
    print("in the worker library:", *dead.lines(), sep="\n")
    return 1 if tally.violations or dead.violations else 0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="how long (MINUTES=N)")
    parser.add_argument(
        "--seed", type=int, default=None, help="of the first batch (SEED=N); default: another each time"
    )
    parser.add_argument("--no-workers", dest="workers", action="store_false", help="without a local Azure")
    parser.add_argument("--long", action="store_true", help="the long run instead: is anything growing? (LONG=1)")
    parser.add_argument("--events", type=int, default=long_run.EVENTS, help="of the long run (EVENTS=N)")
    parser.add_argument("--sweeps", type=int, default=long_run.SWEEPS, help="of the long run (SWEEPS=N)")
    options = parser.parse_args(arguments)
    logging.disable()  # the app tells of every fault, and there are thousands
    if options.long:
        return long_run.main(options.events, options.sweeps)
    seed = options.seed if options.seed is not None else Random().randrange(10**6)
    return _soak(options.minutes, seed, workers=options.workers)


if __name__ == "__main__":
    sys.exit(main())
