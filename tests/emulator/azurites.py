"""Azurites that local Azures borrow, one after the other, so that few have to start.

Starting one costs a second of CPU, and as much again until Node has compiled what it uses most.
"""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

from azure.core.exceptions import AzureError
from forked import Forked
from lent import Lent, lend
from wire import clean

_START_SECONDS = 120
_FREE: list[Lent] = []


def take() -> Lent:
    return _FREE.pop() if _FREE else _started()


def give_back(lent: Lent) -> None:
    """One that cannot be emptied is not lent again. All of them end with the tests."""
    try:
        lent.empty()
    except AzureError:
        return
    _FREE.append(lent)


def _started() -> Lent:
    folder = Path(mkdtemp(dir=_home().name))
    ready = Forked.start(folder, lend, [str(folder)], clean(folder)).ready(_START_SECONDS)
    return Lent(ready["endpoints"], Path(ready["clock"]))


@cache
def _home() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="amlguard-azurites-", ignore_cleanup_errors=True)
