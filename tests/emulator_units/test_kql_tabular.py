"""Tabular operators."""

from typing import Any

import pytest
from emulator_units.kql_bench import answer, ask, names

from emulator.kql.core import Dialect
from emulator.kql.errors import KqlSemanticError, KqlSyntaxError, UnknownTableError, UnsupportedError


def test_where_keeps_true_only() -> None:
    assert ask("T | where n > 0 | project s") == [["abc"], ["xyz"]]
    assert ask("T | where not(n > 0) | project s") == []
    assert ask("T | where n != 1 | project s") == [[""], ["xyz"]]


def test_project_and_extend() -> None:
    assert ask("T | take 1 | project a = s, n") == [["abc", 1]]
    assert names("T | extend x = 1, s = 2") == ["s", "n", "r", "b", "d", "t", "ts", "g", "x"]
    assert ask("T | take 1 | extend s = strcat(s, '!') | project s") == [["abc!"]]
    assert names("T | project-away t*, d, g") == ["s", "n", "r", "b"]
    assert names("T | project-keep n, s") == ["s", "n"]
    assert names("T | project s, n | project-rename q = n") == ["s", "q"]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("n", [3, 1, None]),
        ("n asc", [None, 1, 3]),
        ("n asc nulls last", [1, 3, None]),
        ("n desc nulls first", [None, 3, 1]),
    ],
)
def test_order_places_nulls(order: str, expected: list[int | None]) -> None:
    assert ask(f"T | order by {order} | project n") == [[n] for n in expected]
    assert ask(f"T | sort by b asc, {order} | take 1 | project n") == [[None]]


def test_top_take_count_distinct() -> None:
    assert ask("T | top 1 by n | project s") == [["xyz"]]
    assert ask("T | limit 2 | count") == [[2]]
    assert ask("let two = 2; T | take two | count") == [[2]]
    assert ask("union T, T | distinct s, n | count") == [[3]]
    assert ask("datatable(a:string, b:long)['x', 1, 'x', 1] | distinct *") == [["x", 1]]


def test_summarize_names_and_values() -> None:
    query = (
        "T | summarize count(), dcount(s), sum(n), avg(n), min(t), make_list(s), percentile(n, 50), take_any(s), "
        "countif(b), max(n), sumif(n, b), x = count() + 1, any(s)"
    )
    assert names(query) == [
        *("count_", "dcount_s", "sum_n", "avg_n", "min_t", "list_s", "percentile_n_50", "s"),
        *("countif_b", "max_n", "sumif_n", "x", "any_s"),
    ]
    [row] = ask(query)
    assert row[:4] == [3, 3, 4, 2.0]
    assert row[5:] == [["abc", "", "xyz"], 1, "abc", 1, 3, 1, 4, "abc"]


def test_summarize_by() -> None:
    assert ask("T | summarize n = count() by big = n > 1 | order by n desc, big asc") == [
        [None, 1],
        [False, 1],
        [True, 1],
    ]
    assert names("T | summarize count() by bin(t, 1d), tostring(d.a)") == ["t", "d_a", "count_"]
    assert ask("T | summarize by s | count") == [[3]]


def test_summarize_of_nothing() -> None:
    assert ask("Empty | summarize count(), sum(n), max(n), make_set(s), arg_max(t, s)") == [[0, 0, None, [], None, ""]]
    assert ask("Empty | summarize count() by s") == []


def test_make_set_takes_arrays_apart() -> None:
    assert ask("T | summarize make_set(d.a)") == [[["x", "p", "q"]]]
    assert ask("T | summarize make_set(d.a, 2)") == [[["x", "p"]]]


def test_aggregates_over_dynamic() -> None:
    bags = "datatable(d:dynamic)[dynamic({'a':1}), dynamic({'b':2}), dynamic(null)]"
    assert ask(f"{bags} | summarize make_bag(d), sum(d.a), avg(d.b), make_list(d.a)") == [
        [{"a": 1, "b": 2}, 1.0, 2.0, [1]]
    ]
    assert names("T | summarize make_set_if(s, b), take_anyif(s, b)") == ["set_s", "s"]


def test_arg_max_brings_the_row_along() -> None:
    twice = "datatable(k:string, t:long, v:string)['a', 1, 'old', 'a', 2, 'new', 'b', 1, 'only']"
    assert ask(f"{twice} | summarize arg_max(t, *) by k") == [["a", 2, "new"], ["b", 1, "only"]]
    assert ask(f"{twice} | summarize arg_min(t, v) by k") == [["a", 1, "old"], ["b", 1, "only"]]
    assert names("T | summarize arg_max(t, *) by s, n") == ["s", "n", "t", "r", "b", "d", "ts", "g"]
    assert names("T | summarize latest = arg_max(t, n) by s") == ["s", "latest", "n"]


_SIDES = (
    "let L = datatable(k:string, l:long)['a', 1, 'a', 2, 'b', 3]; let R = datatable(k:string, r:long)['a', 9, 'c', 8];"
)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("", [["a", 1, "a", 9]]),
        ("kind=inner", [["a", 1, "a", 9], ["a", 2, "a", 9]]),
        ("kind=leftouter", [["a", 1, "a", 9], ["a", 2, "a", 9], ["b", 3, "", None]]),
        ("kind=rightouter", [["a", 1, "a", 9], ["a", 2, "a", 9], ["", None, "c", 8]]),
        ("kind=leftanti", [["b", 3]]),
        ("kind=leftsemi", [["a", 1], ["a", 2]]),
        ("kind=rightanti", [["c", 8]]),
    ],
)
def test_join(kind: str, expected: list[list[Any]]) -> None:
    assert ask(f"{_SIDES} L | join {kind} (R) on k") == expected
    assert ask(f"{_SIDES} L | join {kind} R on $left.k == $right.k") == expected


def test_join_renames_what_both_have() -> None:
    assert names(f"{_SIDES} L | join (R) on k") == ["k", "l", "k1", "r"]


def test_union_merges_by_name() -> None:
    assert ask(f"{_SIDES} L | union R | where k in ('b', 'c')") == [["b", 3, None], ["c", None, 8]]
    assert ask(f"{_SIDES} union kind=inner L, R | count") == [[5]]
    assert ask("union withsource=from T, (T | take 1) | summarize count() by from") == [["T", 3], ["union_arg1", 1]]
    assert names("union (print a = 1), (print a = 'x')") == ["a_long", "a_string"]


def test_a_fuzzy_union_leaves_out_what_does_not_exist() -> None:
    assert ask("union isfuzzy=true (datatable(s:string, m:long)[]), T, Nothing | project s, m | take 1") == [
        ["abc", None]
    ]
    assert ask("union isfuzzy=true (datatable(s:string)[]), Nothing") == []
    with pytest.raises(UnknownTableError):
        ask("union isfuzzy=false T, Nothing")
    with pytest.raises(KqlSemanticError, match="no table"):
        ask("union isfuzzy=true Nothing, Nobody")


def test_mv_expand() -> None:
    assert ask("T | mv-expand x = d.a to typeof(string) | project s, x") == [
        ["abc", "x"],
        ["", ""],
        ["xyz", "p"],
        ["xyz", "q"],
    ]
    assert ask("print d = dynamic({'a':1, 'b':2}) | mv-expand d") == [[{"a": 1}], [{"b": 2}]]
    assert ask("print d = dynamic({'a':1, 'b':2}) | mv-expand kind=array d") == [[["a", 1]], [["b", 2]]]
    assert ask("print a = dynamic([1, 2, 3]), b = dynamic(['x']) | mv-expand a, b limit 2") == [[1, "x"], [2, None]]
    assert ask("print a = dynamic(['x', 'y']) | mv-expand with_itemindex=i a") == [["x", 0], ["y", 1]]


def test_mv_expand_drops_what_is_empty_but_not_null() -> None:
    assert ask("print a = dynamic([]) | mv-expand a") == []
    assert ask("print a = dynamic(null) | mv-expand a") == [[None]]


def test_subqueries() -> None:
    assert ask("T | where s in (T | where n == 3 | project s) | project s") == [["xyz"]]
    assert ask("let big = T | where n > 1 | project s; T | where s !in (big) | count") == [[2]]
    assert ask("print toscalar(T | count)") == [[3]]


@pytest.mark.parametrize(
    ("query", "token", "line", "position"),
    [
        ("T | foo", "foo", 1, 4),
        ("T\n| where s ==", "<EOF>", 2, 12),
        ("T | project-reorder n", "project-reorder", 1, 20),
        ("T | where s = 'a'", "=", 1, 12),
        ("T | WHERE b", "WHERE", 1, 4),
        ("T | where not b", "b", 1, 14),
        ("T | where s == 'a\\q'", "'", 1, 15),
        ("| take 1", "|", 1, 0),
        ("", "<EOF>", 1, 0),
    ],
)
def test_syntax_errors_point_at_the_place(query: str, token: str, line: int, position: int) -> None:
    with pytest.raises(KqlSyntaxError) as refused:
        ask(query)
    assert (refused.value.token, refused.value.line, refused.value.position) == (token, line, position)


@pytest.mark.parametrize(
    "query",
    [
        "T | summarize count() by d.a",
        "T | distinct d",
        "T | order by d.a",
        "T | join (T) on d",
        "T | join (T | project q = n) on $left.s == $right.q",
        "T | join (T | project q = n) on s",
        "T | join kind=sideways (T) on s",
        "T | join (T) on $right.s == $left.s",
        "T | mv-expand s",
        "T | mv-expand d to typeof(thing)",
        "T | project s, s",
        "T | extend x = 1, y = x",
        "T | project-away zz*",
        "T | project-rename s = n",
        "T | take 'x'",
        "T | take n",
        "T | summarize s by n",
        "T | summarize sum(s)",
        "T | summarize min(d)",
        "T | summarize count(s)",
        "T | summarize foo(s)",
        "datatable(a:thing)[1]",
        "datatable(a:long, b:long)[1]",
    ],
)
def test_what_kusto_refuses_is_refused(query: str) -> None:
    with pytest.raises(KqlSemanticError):
        ask(query)


def test_unknown_table_is_named() -> None:
    with pytest.raises(UnknownTableError, match=r"'take' operator: .*'Nowhere'"):
        ask("Nowhere | take 1")
    with pytest.raises(UnknownTableError, match="'t'"):
        ask("T | join (t) on s")


def test_dialect_refuses_what_the_service_does_not_take() -> None:
    small = Dialect(
        "Small", operators=frozenset({"where", "join"}), join_kinds=frozenset({"inner"}), lets=False, most_joins=1
    )
    assert len(answer("T | where n == 1 | join kind=inner (T) on s", small).rows) == 1
    for query, token in [
        ("T | count", "count"),
        ("let a = 1; T", "let"),
        ("print a = 1", "print"),
        ("T | join kind=inner (T | count) on s", "count"),
        ("T | join kind=leftanti (T) on s", "leftanti"),
        ("T | join kind=inner (T) on s | join kind=inner (T) on s", "join"),
    ]:
        with pytest.raises(UnsupportedError) as refused:
            answer(query, small)
        assert refused.value.token == token


def test_default_table() -> None:
    assert len(answer("where n == 1", Dialect("D", default_table="T")).rows) == 1
    with pytest.raises(KqlSyntaxError):
        answer("where n == 1")
