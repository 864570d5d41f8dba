"""ARM objects by lower-cased id, with further keys by which they are found without a look at all of them."""

from collections import UserDict
from collections.abc import Callable, Iterator
from typing import Any

type Json = dict[str, Any]


class Indexed(UserDict[str, Json]):
    """`Indexed(type=…)` makes `where("type", value)` cheap. Values are replaced, never changed in place."""

    def __init__(self, **keys: Callable[[str, Json], str]) -> None:
        self._keys = keys
        self.changes = 0
        """Grows with every write."""
        self.heard: Callable[[str, Json | None], None] | None = None
        """Is told of each write: which object, and what it was before."""
        self._found: dict[str, dict[str, dict[str, Json]]] = {name: {} for name in keys}
        super().__init__()

    def __setitem__(self, identifier: str, value: Json) -> None:
        before = self.data.get(identifier)
        if before is not None:
            self._forget(identifier)
        super().__setitem__(identifier, value)
        self.changes += 1
        for name, key in self._keys.items():
            self._found[name].setdefault(key(identifier, value), {})[identifier] = value
        if self.heard:
            self.heard(identifier, before)

    def __delitem__(self, identifier: str) -> None:
        before = self.data[identifier]
        self._forget(identifier)
        if self.heard:
            self.heard(identifier, before)

    def emptied(self) -> "Indexed":
        """Another one with the same keys and nothing in it."""
        return Indexed(**self._keys)

    def _forget(self, identifier: str) -> None:
        value = self.data[identifier]
        for name, key in self._keys.items():
            group = self._found[name][key(identifier, value)]
            del group[identifier]
            if not group:
                del self._found[name][key(identifier, value)]
        super().__delitem__(identifier)
        self.changes += 1

    def where(self, name: str, value: str) -> Iterator[Json]:
        found = self._found[name].get(value)
        return iter(tuple(found.values()) if found else ())

    def count(self, name: str, value: str) -> int:
        return len(self._found[name].get(value, ()))

    def values_of(self, name: str) -> set[str]:
        """Every value that some object has for this key."""
        return set(self._found[name])
