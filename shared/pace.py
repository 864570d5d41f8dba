"""Who may wait: what a sweep asks of Azure gives way to what an event asks."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_BACKGROUND: ContextVar[bool] = ContextVar("background", default=False)


@contextmanager
def in_the_background() -> Iterator[None]:
    """For all that is asked inside, by this task and those that it starts."""
    token = _BACKGROUND.set(True)
    try:
        yield
    finally:
        _BACKGROUND.reset(token)


def is_in_the_background() -> bool:
    return _BACKGROUND.get()
