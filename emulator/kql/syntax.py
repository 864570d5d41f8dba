"""The syntax tree of a query, as `parse` builds it and `tabular` and `expressions` read it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from typing import Literal as OneOf

from emulator.kql.values import Type

type Constant = str | int | float | bool | datetime | timedelta | list[Any] | dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Literal:
    type: Type
    value: Constant


@dataclass(frozen=True, slots=True)
class Name:
    name: str


@dataclass(frozen=True, slots=True)
class Side:
    """`$left.name` or `$right.name` in a join condition."""

    side: str
    name: str


@dataclass(frozen=True, slots=True)
class Star:
    """The `*` in `arg_max(x, *)`."""


@dataclass(frozen=True, slots=True)
class Member:
    target: "Expression"
    name: str


@dataclass(frozen=True, slots=True)
class Index:
    target: "Expression"
    key: "Expression"


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: "tuple[Expression, ...]"


@dataclass(frozen=True, slots=True)
class Binary:
    operator: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class Logical:
    operator: OneOf["and", "or"]
    operands: "tuple[Expression, ...]"


@dataclass(frozen=True, slots=True)
class Membership:
    """`in`, `!in`, `in~`, `!in~`, `has_any`, `has_all` over expressions or over a table's first column."""

    operator: str
    operand: "Expression"
    members: "tuple[Expression, ...] | Query"


@dataclass(frozen=True, slots=True)
class Between:
    operand: "Expression"
    low: "Expression"
    high: "Expression"
    negated: bool


@dataclass(frozen=True, slots=True)
class ToScalar:
    query: "Query"


type Expression = (
    Literal | Name | Side | Star | Member | Index | Call | Binary | Logical | Membership | Between | ToScalar
)


@dataclass(frozen=True, slots=True)
class Named:
    name: str | None
    expression: Expression


@dataclass(frozen=True, slots=True)
class SortKey:
    expression: Expression
    descending: bool = True
    nulls_first: bool = False


@dataclass(frozen=True, slots=True)
class Where:
    predicate: Expression


@dataclass(frozen=True, slots=True)
class Project:
    columns: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class ProjectAway:
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProjectKeep:
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProjectRename:
    names: tuple[tuple[str, str], ...]
    """(new, old) pairs."""


@dataclass(frozen=True, slots=True)
class Extend:
    columns: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Summarize:
    aggregates: tuple[Named, ...]
    keys: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Distinct:
    columns: tuple[Named, ...]
    """Empty for `distinct *`."""


@dataclass(frozen=True, slots=True)
class Sort:
    keys: tuple[SortKey, ...]


@dataclass(frozen=True, slots=True)
class Take:
    rows: Expression


@dataclass(frozen=True, slots=True)
class Top:
    rows: Expression
    key: SortKey


@dataclass(frozen=True, slots=True)
class Count:
    pass


@dataclass(frozen=True, slots=True)
class Serialize:
    pass


@dataclass(frozen=True, slots=True)
class Join:
    kind: str
    right: "Query"
    conditions: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Union:
    kind: str
    with_source: str | None
    tables: "tuple[Query, ...]"
    fuzzy: bool = False
    """Leaves out the tables that do not exist, unless none does."""


@dataclass(frozen=True, slots=True)
class Expansion:
    name: str | None
    expression: Expression
    to_type: str | None


@dataclass(frozen=True, slots=True)
class MvExpand:
    items: tuple[Expansion, ...]
    bags_as_arrays: bool = False
    index_name: str | None = None
    limit: int | None = None


type Operator = (
    Where
    | Project
    | ProjectAway
    | ProjectKeep
    | ProjectRename
    | Extend
    | Summarize
    | Distinct
    | Sort
    | Take
    | Top
    | Count
    | Serialize
    | Join
    | Union
    | MvExpand
)


@dataclass(frozen=True, slots=True)
class TableName:
    name: str


@dataclass(frozen=True, slots=True)
class Print:
    columns: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Datatable:
    columns: tuple[tuple[str, str], ...]
    """(name, type) pairs."""
    cells: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class DefaultTable:
    """A query that starts with an operator. Resource Graph then reads `resources`."""

    first_word: str


type Source = "TableName | Print | Datatable | DefaultTable | Union | Query"


@dataclass(frozen=True, slots=True)
class Query:
    source: Source
    operators: tuple[Operator, ...] = ()


@dataclass(frozen=True, slots=True)
class Let:
    name: str
    value: Expression | Query


@dataclass(frozen=True, slots=True)
class Script:
    query: Query
    lets: tuple[Let, ...] = field(default=())
