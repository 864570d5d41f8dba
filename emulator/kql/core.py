"""What compiling and running share: tables, compiled expressions and the names in scope."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from emulator.kql import syntax as s
from emulator.kql.errors import KqlSemanticError
from emulator.kql.values import Type

type Row = Sequence[Any]
type Evaluate = Callable[[Row], Any]


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class Table:
    """Rows have one value for each column, in the columns' order. Strings are never None.

    Until the table is `settled`, `visible` still has to say which rows the query may see. That may be expensive for
    each row, so the first `where`s are applied before it.
    """

    columns: tuple[Column, ...]
    rows: Sequence[Row]
    visible: Callable[[Row], bool] | None = None

    def settled(self) -> "Table":
        return self if self.visible is None else Table(self.columns, list(filter(self.visible, self.rows)))

    def index(self, name: str) -> int | None:
        return next((at for at, column in enumerate(self.columns) if column.name == name), None)


@dataclass(frozen=True, slots=True)
class Scalar:
    """A compiled expression. A constant one has the same value for every row."""

    type: Type
    evaluate: Evaluate
    constant: bool = False

    @classmethod
    def of(cls, type_: Type, value: Any) -> "Scalar":
        return cls(type_, lambda _: value, constant=True)

    def folded(self) -> "Scalar":
        return Scalar.of(self.type, self.evaluate(())) if self.constant else self


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one service accepts of the language. None allows all. Limits count over the whole query."""

    name: str
    operators: frozenset[str] | None = None
    join_kinds: frozenset[str] | None = None
    default_table: str | None = None
    lets: bool = True
    most_joins: int | None = None
    most_expansions: int | None = None
    expansion_rows: int | None = None
    most_expansion_rows: int | None = None


KUSTO = Dialect("Kusto")


@dataclass(frozen=True, slots=True)
class Environment:
    """What a query runs in. `table` returns None for a name that it does not know."""

    table: Callable[[str], Table | None]
    now: datetime
    dialect: Dialect = KUSTO
    lets: Mapping[str, Scalar | Table] = field(default_factory=dict)
    run: "Callable[[s.Query, Environment], Table] | None" = None

    def tabular(self, query: s.Query) -> Table:
        if self.run is None:
            raise KqlSemanticError("A tabular expression is not allowed in this context")
        return self.run(query, self)


@dataclass(frozen=True, slots=True)
class Scope:
    """The names that an expression sees: the input's columns, then the `let`s.

    `aggregate` compiles a call as an aggregate where aggregates are allowed. It returns None for any other name.
    """

    environment: Environment
    operator: str
    columns: Mapping[str, tuple[int, Type]]
    aggregate: "Callable[[s.Call], Scalar | None] | None" = None

    @classmethod
    def over(cls, environment: Environment, operator: str, columns: Iterable[Column]) -> "Scope":
        named = {column.name: (at, column.type) for at, column in enumerate(columns)}
        return cls(environment, operator, named)

    def aggregating(self, aggregate: "Callable[[s.Call], Scalar | None]") -> "Scope":
        """Sees no column outside an aggregate."""
        return replace(self, columns={}, aggregate=aggregate)

    def error(self, message: str, code: str = "SEM0001") -> KqlSemanticError:
        return KqlSemanticError(f"{self.operator}{message}", code)
