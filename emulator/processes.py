"""How the local Azure gets the processes beside its own. Tests give it some that have started long ago."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from emulator.clock import Clock
from emulator.functions.azurite import Azurite
from emulator.functions.channel import Starting, new_interpreter


@dataclass(frozen=True, slots=True)
class Processes:
    """`worker` starts one that runs the app; `storage` is given the clock to follow and a folder to write in."""

    worker: Starting = new_interpreter
    storage: Callable[[Clock, Path], Azurite] = Azurite


PROCESSES = Processes()
