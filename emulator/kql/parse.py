"""From KQL text to the syntax tree."""

import re
from functools import cache, lru_cache
from typing import Any

from lark import Lark, Token, UnexpectedCharacters, UnexpectedToken, v_args
from lark.exceptions import VisitError

from emulator.kql import syntax as s
from emulator.kql.errors import KqlError, KqlSyntaxError
from emulator.kql.parse_expressions import ExpressionBuilder

_HYPHENATED = re.compile(r"\|\s*([a-z]+-[a-z-]+)\s*$")


@cache
def _parser() -> Lark:
    return Lark.open("grammar.lark", rel_to=__file__, parser="lalr", maybe_placeholders=False)


@lru_cache(maxsize=256)
def parse(text: str) -> s.Script:
    """Raises KqlSyntaxError at the place from which the text makes no sense."""
    try:
        tree = _parser().parse(text)
        script: s.Script = _Builder().transform(tree)
    except UnexpectedToken as error:
        raise _unexpected(text, error) from error
    except UnexpectedCharacters as error:
        raise KqlSyntaxError(error.line, error.column - 1, error.char) from error
    except VisitError as error:
        if isinstance(error.orig_exc, KqlError):
            raise error.orig_exc from error
        raise
    return script


def _unexpected(text: str, error: UnexpectedToken) -> KqlSyntaxError:
    lines = text.split("\n")
    if error.token.type == "$END":
        return KqlSyntaxError(len(lines), len(lines[-1]), "<EOF>")
    # An unknown `project-reorder` is read as `project` and a minus, so the message names the whole word.
    word = _HYPHENATED.search(lines[error.line - 1], endpos=error.column - 1)
    return KqlSyntaxError(error.line, error.column - 1, word[1] if word else error.token.value)


@v_args(inline=True)
class _Builder(ExpressionBuilder):
    def named(self, *parts: Any) -> s.Named:
        return s.Named(str(parts[0]), parts[1]) if len(parts) == 2 else s.Named(None, parts[0])

    def named_list(self, *items: s.Named) -> tuple[s.Named, ...]:
        return items

    def patterns(self, *patterns: str) -> tuple[str, ...]:
        return tuple(map(str, patterns))

    def rename(self, new: str, old: str) -> tuple[str, str]:
        return str(new), str(old)

    def direction(self, token: Token) -> bool:
        return str(token) == "desc"

    def nulls_first(self) -> str:
        return "first"

    def nulls_last(self) -> str:
        return "last"

    def sort_key(self, expression: s.Expression, *order: bool | str) -> s.SortKey:
        descending = False not in order
        placed = [o for o in order if isinstance(o, str)]
        return s.SortKey(expression, descending, placed == ["first"] if placed else not descending)

    def where(self, predicate: s.Expression) -> s.Where:
        return s.Where(predicate)

    def project(self, columns: tuple[s.Named, ...]) -> s.Project:
        return s.Project(columns)

    def project_away(self, patterns: tuple[str, ...]) -> s.ProjectAway:
        return s.ProjectAway(patterns)

    def project_keep(self, patterns: tuple[str, ...]) -> s.ProjectKeep:
        return s.ProjectKeep(patterns)

    def project_rename(self, *names: tuple[str, str]) -> s.ProjectRename:
        return s.ProjectRename(names)

    def extend(self, columns: tuple[s.Named, ...]) -> s.Extend:
        return s.Extend(columns)

    def summarize(self, aggregates: tuple[s.Named, ...], keys: tuple[s.Named, ...]) -> s.Summarize:
        return s.Summarize(aggregates, keys)

    def summarize_all(self, aggregates: tuple[s.Named, ...]) -> s.Summarize:
        return s.Summarize(aggregates, ())

    def summarize_keys(self, keys: tuple[s.Named, ...]) -> s.Summarize:
        return s.Summarize((), keys)

    def distinct(self, columns: tuple[s.Named, ...]) -> s.Distinct:
        return s.Distinct(columns)

    def distinct_all(self) -> s.Distinct:
        return s.Distinct(())

    def sort(self, *keys: s.SortKey) -> s.Sort:
        return s.Sort(keys)

    def take(self, rows: s.Expression) -> s.Take:
        return s.Take(rows)

    def top(self, rows: s.Expression, key: s.SortKey) -> s.Top:
        return s.Top(rows, key)

    def count(self) -> s.Count:
        return s.Count()

    def serialize(self) -> s.Serialize:
        return s.Serialize()

    def join_kind(self, kind: Token) -> str:
        return str(kind)

    def join(self, *parts: Any) -> s.Join:
        kind, rest = (parts[0], parts[1:]) if isinstance(parts[0], str) else ("innerunique", parts)
        return s.Join(kind, _as_query(rest[0]), rest[1:])

    def union_kind(self, kind: Token) -> tuple[str, str]:
        return "kind", str(kind)

    def with_source(self, name: Token) -> tuple[str, str]:
        return "withsource", str(name)

    def is_fuzzy(self, flag: Token) -> tuple[str, str]:
        return "isfuzzy", str(flag).lower()

    def table_list(self, *tables: s.Source) -> tuple[s.Query, ...]:
        return tuple(map(_as_query, tables))

    def union(self, *parts: Any) -> s.Union:
        parameters: dict[str, str] = dict(parts[:-1])
        fuzzy = parameters.get("isfuzzy") == "true"
        return s.Union(parameters.get("kind", "outer"), parameters.get("withsource"), parts[-1], fuzzy)

    union_source = union

    def expansion(self, kind: Token) -> tuple[str, str]:
        return "kind", str(kind)

    def item_index(self, name: Token) -> tuple[str, str]:
        return "index", str(name)

    def mv_item(self, named: s.Named, to_type: Token | None = None) -> s.Expansion:
        return s.Expansion(named.name, named.expression, str(to_type) if to_type else None)

    def row_limit(self, token: Token) -> int:
        return int(token)

    def mv_expand(self, *parts: Any) -> s.MvExpand:
        named: list[tuple[str, str]] = [part for part in parts if isinstance(part, tuple)]
        parameters = dict(named)
        limits = [part for part in parts if isinstance(part, int)]
        return s.MvExpand(
            items=tuple(part for part in parts if isinstance(part, s.Expansion)),
            bags_as_arrays=parameters.get("kind") == "array",
            index_name=parameters.get("index"),
            limit=limits[0] if limits else None,
        )

    def table_name(self, name: Token) -> s.TableName:
        return s.TableName(str(name))

    def nested(self, query: s.Query) -> s.Query:
        return query

    def print_source(self, columns: tuple[s.Named, ...]) -> s.Print:
        return s.Print(columns)

    def column_type(self, name: Token, type_: Token) -> tuple[str, str]:
        return str(name), str(type_)

    def datatable(self, *parts: Any) -> s.Datatable:
        columns = tuple(part for part in parts if isinstance(part, tuple))
        return s.Datatable(columns, parts[len(columns) :])

    def query(self, source: s.Source, *operators: s.Operator) -> s.Query:
        return s.Query(source, operators)

    def implied_query(self, *operators: s.Operator) -> s.Query:
        return s.Query(s.DefaultTable(type(operators[0]).__name__.lower()), operators)

    def let_scalar(self, name: Token, value: s.Expression) -> s.Let:
        return s.Let(str(name), value)

    def let_table(self, name: Token, value: s.Query) -> s.Let:
        return s.Let(str(name), value)

    def start(self, *parts: s.Let | s.Query) -> s.Script:
        lets = tuple(part for part in parts if isinstance(part, s.Let))
        (query,) = (part for part in parts if isinstance(part, s.Query))
        return s.Script(query, lets)


def _as_query(source: s.Source) -> s.Query:
    return source if isinstance(source, s.Query) else s.Query(source)
