"""What bounds a process that judges a mutant."""

import os
import resource


def limit(seconds: float) -> None:
    """A limit on processor time, not on real time, because others may use the machine."""
    most = int(30 + 10 * seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (most, most + 5))


def silence() -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for each in (0, 1, 2):
        os.dup2(nowhere, each)
