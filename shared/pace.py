"""Which requests may wait: those of a sweep give way to those of an event."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_BACKGROUND: ContextVar[bool] = ContextVar("background", default=False)


@contextmanager
def in_the_background() -> Iterator[None]:
    """Applies to all requests inside, of this task and of the tasks that it starts."""
    token = _BACKGROUND.set(True)
    try:
        yield
    finally:
        _BACKGROUND.reset(token)


def is_in_the_background() -> bool:
    return _BACKGROUND.get()
