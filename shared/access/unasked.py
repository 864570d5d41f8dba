"""A list that nobody asked for. Unknown is not empty (law 2), so it must not be taken for an empty list."""

from collections.abc import Sequence
from typing import Any, NoReturn


class NotAskedError(LookupError):
    """Somebody looked at a list that nobody asked for: a rule does not say what it reads."""


class NotAsked(tuple[Any, ...]):
    """Takes the place of the list. Whoever looks into it is stopped."""

    __slots__ = ()

    def _stop(self, *_: object) -> NoReturn:
        raise NotAskedError("this list was not asked for, so nobody knows what is in it")

    __iter__ = __len__ = __bool__ = __contains__ = __getitem__ = __reversed__ = _stop
    __add__ = __radd__ = __mul__ = __rmul__ = index = count = _stop

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NotAsked)

    def __hash__(self) -> int:
        return hash(NotAsked)

    def __repr__(self) -> str:
        return "NOT_ASKED"


NOT_ASKED = NotAsked()


def if_asked[T](listed: Sequence[T]) -> Sequence[T]:
    """What is known of a list. Empty if nobody asked for it. For code that goes through everything that was read."""
    return () if listed is NOT_ASKED else listed
