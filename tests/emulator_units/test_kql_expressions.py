"""Scalar expressions: null semantics, comparisons, text search, conversions, dynamic access."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from emulator_units.kql_bench import NOW, ask, names, value

from emulator.kql.errors import KqlSemanticError


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 == 1.0", True),
        ("'a' == 'A'", False),
        ("'a' =~ 'A'", True),
        ("'a' !~ 'A'", False),
        ("'a' <> 'b'", True),
        ("int(null) == 1", False),
        ("int(null) != 1", True),
        ("int(null) == int(null)", None),
        ("int(null) > 1", None),
        ("not(int(null) > 1)", None),
        ("int(null) > 1 or true", True),
        ("int(null) > 1 and false", False),
        ("int(null) > 1 and true", None),
        ("isnull('')", False),
        ("isempty('')", True),
        ("isempty(dynamic(null))", True),
        ("isnotnull(dynamic({}))", True),
        ("dynamic({'a':1}).b == ''", True),
        ("dynamic({'a':true}).a == 'true'", True),
        ("dynamic({'a':'5'}).a == 5", True),
        ("guid(74be27de-1e4e-49d9-b579-fe0b331d3642) == '74BE27DE-1E4E-49D9-B579-FE0B331D3642'", True),
        ("3 between (1 .. 3)", True),
        ("3 !between (1 .. 3)", False),
        ("datetime(2024-01-05) between (datetime(2024-01-01) .. 3d)", False),
        ("'b' in ('a', 'b')", True),
        ("'B' in ('a', 'b')", False),
        ("'B' in~ ('a', 'b')", True),
        ("'c' !in ('a', 'b')", True),
        ("'b' in (dynamic(['a', 'b']))", True),
        ("2 in (1, 2.0)", True),
        ("int(null) in (1)", False),
    ],
)
def test_comparison(expression: str, expected: bool | None) -> None:
    assert value(expression) is expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("'rg-prod/x' has 'rg-prod'", True),
        ("'rg-production' has 'rg-prod'", False),
        ("'a.b.c' has 'B'", True),
        ("'a.b.c' has_cs 'B'", False),
        ("'abc' !has 'b'", True),
        ("'abc' contains 'B'", True),
        ("'abc' contains_cs 'B'", False),
        ("'abc' !contains 'b'", False),
        ("'Abc' startswith 'ab'", True),
        ("'Abc' startswith_cs 'ab'", False),
        ("'Abc' !endswith 'BC'", False),
        ("'one two' hasprefix 'tw'", True),
        ("'one two' has_any ('three', 'TWO')", True),
        ("'one two' has_all ('one', 'three')", False),
        ("'x1' matches regex '^x[0-9]$'", True),
        ("dynamic({'a':'one two'}).a has 'two'", True),
    ],
)
def test_text_search(expression: str, expected: bool) -> None:
    assert value(expression) is expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("7 / 2", 3),
        ("-7 / 2", -3),
        ("7 / 2.0", 3.5),
        ("7 % 3", 1),
        ("1 / 0", None),
        ("1 + int(null)", None),
        ("1h / 30m", 2.0),
        ("1d + 2h * 3", timedelta(hours=30)),
        ("datetime(2024-01-02) - datetime(2024-01-01)", timedelta(days=1)),
        ("dynamic({'a':2}).a * 3", 6.0),
        ("bin(17, 5)", 15),
        ("bin(-3, 2)", -4),
        ("bin(datetime(2024-05-01 10:47), 1h)", datetime(2024, 5, 1, 10, tzinfo=UTC)),
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
    ],
)
def test_arithmetic(expression: str, expected: Any) -> None:
    assert value(expression) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("tolower('ABC')", "abc"),
        ("strcat('a', 1, 1h, dynamic({'x':[1]}), true)", 'a101:00:00{"x":[1]}true'),
        ("split('a/b/c', '/')[1]", "b"),
        ("split('a/b', '/')[-1]", "b"),
        ("split('a/b', '/')[9]", None),
        ("substring('hello', 1, 3)", "ell"),
        ("extract('/sub/([^/]+)', 1, '/sub/x/y')", "x"),
        ("extract('z(.)', 1, 'abc')", ""),
        ("replace_string('a-b-c', '-', '+')", "a+b+c"),
        ("replace_regex('ab1', '([a-z])([0-9])', @'\\2\\1')", "a1b"),
        ("trim('/', '/a/')", "a"),
        ("strlen('abc')", 3),
        ("indexof('abc', 'c')", 2),
        ("coalesce('', 'z')", "z"),
        ("iff(1 == 2, 'a', 'b')", "b"),
        ("iff(int(null) == int(null), 'a', 'b')", "b"),
        ("case(1 == 2, 'a', 2 == 2, 'b', 'c')", "b"),
        ("toint('12')", 12),
        ("toint('1.5')", None),
        ("toint('x')", None),
        ("tolong(2.9)", 2),
        ("todouble('1.5')", 1.5),
        ("tobool('True')", True),
        ("tostring(datetime(2024-01-02))", "2024-01-02T00:00:00.0000000Z"),
        ("tostring(dynamic(null))", ""),
        ("tostring(dynamic('x'))", "x"),
        ("todatetime('2024-01-02T03:04:05+02:00')", datetime(2024, 1, 2, 1, 4, 5, tzinfo=UTC)),
        ("todatetime('soon')", None),
        ("format_datetime(datetime(2024-01-02 03:04:05), 'yyyy-MM-dd HH:mm:ss')", "2024-01-02 03:04:05"),
        ("datetime_diff('day', datetime(2024-01-02 00:01), datetime(2024-01-01 23:59))", 1),
        ("datetime_diff('month', datetime(2024-03-01), datetime(2023-12-31))", 3),
        ("now()", NOW),
        ("ago(1d)", datetime(2024, 2, 29, tzinfo=UTC)),
        ('parse_json(\'{"a":[1,{"b":2}]}\').a[1].b', 2),
        ("parse_json('not json')", "not json"),
        ("array_length(dynamic([1, 2]))", 2),
        ("array_length(dynamic({}))", None),
        ("bag_keys(dynamic({'a':1, 'b':2}))", ["a", "b"]),
        ("array_index_of(dynamic(['a', 'b']), 'b')", 1),
        ("set_has_element(dynamic(['a']), 'b')", False),
        ("bag_pack('a', 1, 'b', now())", {"a": 1, "b": "2024-03-01T00:00:00.0000000Z"}),
        ("set_union(dynamic([1, 2]), dynamic([2, 3]))", [1, 2, 3]),
        ("min_of(3, 1.5)", 1.5),
        ("column_ifexists('nothing', 'default')", "default"),
        ("'it\\'s'", "it's"),
        ("@'c:\\x'", "c:\\x"),
        ("'one' ' two'", "one two"),
        ("0x1F", 31),
        ("dynamic({'a':[1, 2.5, true, null, 'x']}).a", [1, 2.5, True, None, "x"]),
    ],
)
def test_function(expression: str, expected: Any) -> None:
    assert value(expression) == expected


def test_dynamic_access_gives_null_for_what_is_not_there() -> None:
    assert ask("T | project d.a, d['a'], d.b.c[1], d.zz.y, d[0]") == [
        ["x", "x", 2, None, None],
        [None, None, None, None, None],
        [["p", "q"], ["p", "q"], None, None, None],
    ]


def test_names_of_unnamed_columns_are_kustos() -> None:
    query = "T | project s, d.a, d['k'], split(s,'/')[0], tostring(d.a), n + 1, tolower(s), x = 1"
    assert names(query) == ["s", "d_a", "d_k", "s_0", "d_a1", "Column1", "Column2", "x"]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("T | where zzz == 1", "'zzz'"),
        ("T | where S == 'a'", "'S'"),
        ("T | extend x = foo(s)", "'foo'"),
        ("T | where s == 1", "string and long"),
        ("T | where d.a == d.b", "dynamic and dynamic"),
        ("T | where t > '2024-01-01'", "datetime and string"),
        ("T | where s > 'x'", "string and string"),
        ("T | where n has 'a'", "'has'"),
        ("T | where s", "bool"),
        ("T | where d.a", "bool"),
        ("T | where not(d.a)", "not()"),
        ("T | extend x = s + s", "'+'"),
        ("T | extend x = s.a", "'a'"),
        ("T | extend x = tolower()", "tolower()"),
        ("T | extend x = array_length(s)", "array_length()"),
        ("T | extend x = iff(b, 'a', 1)", "iff()"),
        ("T | extend x = case(b, 'a')", "case()"),
        ("T | extend x = datetime_diff('day', now(), d.a)", "datetime_diff()"),
        ("T | extend x = datetime_diff('fortnight', now(), t)", "'fortnight'"),
        ("T | where s matches regex '('", "'('"),
        ("T | where count() > 1", "'count'"),
        ("T | where s in (1)", "string and long"),
        ("T | where t > datetime(yesterday)", "datetime(yesterday)"),
    ],
)
def test_what_does_not_fit_is_named(query: str, named: str) -> None:
    with pytest.raises(KqlSemanticError) as refused:
        ask(query)
    assert named in refused.value.message
