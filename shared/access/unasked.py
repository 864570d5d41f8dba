"""A list that was not asked for. Unknown is not empty (law 2), so it cannot be taken for an empty one."""

from collections.abc import Sequence
from typing import Any, NoReturn


class NotAskedError(LookupError):
    """Somebody looked at a list that nobody asked for: a rule that does not say what it reads."""


class NotAsked(tuple[Any, ...]):
    """Stands where the list would be. Whoever looks into it is stopped."""

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
    """What there is of a list; nothing where it was not asked for. For who goes through all that was read."""
    return () if listed is NOT_ASKED else listed
