"""The names of the columns that an operator makes."""

from collections.abc import Iterable

from emulator.kql import syntax as s
from emulator.kql.core import Scope
from emulator.kql.expressions import derived_name


class Names:
    """Given names must be new. Derived names get a number if they are not new. The rest is `ColumnN`."""

    def __init__(self, scope: Scope, taken: Iterable[str] = ()) -> None:
        self._scope = scope
        self._taken = set(taken)
        self._unnamed = 0

    def add(self, named: s.Named, default: str | None = None) -> str:
        wanted = named.name
        if wanted is None and isinstance(named.expression, s.Name) and default is None:
            wanted = named.expression.name
        if wanted is not None:
            if wanted in self._taken:
                raise self._scope.error(f"A column with the name '{wanted}' is already declared", "SEM0015")
        else:
            wanted = self.unique(default or derived_name(named.expression) or self._column())
        self._taken.add(wanted)
        return wanted

    def unique(self, name: str) -> str:
        """`name`, or `name1`, `name2`, … if it is taken."""
        candidate, number = name, 0
        while candidate in self._taken:
            number += 1
            candidate = f"{name}{number}"
        self._taken.add(candidate)
        return candidate

    def _column(self) -> str:
        self._unnamed += 1
        return f"Column{self._unnamed}"
