"""A name in a query is read as what it is: by Microsoft's own parser, which is not the local Azure's."""

from kql_parser import Parser

from infra.check import unbound
from shared.access.names import is_safe
from shared.access.quoting import kql, kql_json_string

SAFE = [chr(code) for code in range(0x10000) if is_safe(chr(code))]
TEXTS = [
    *(f"a{one}b" for one in SAFE[:4000]),
    "".join(one for one in SAFE if one.isascii()),
    "".join(SAFE),
    "🚀",
    "' or 1==1 // ",
    '" or 1==1 // ',
    "\\",
    '\\"',
    "line\nline\ttab\x00\x1f",
]


def test_each_is_read_as_what_it_is(parser: Parser) -> None:
    assert parser.literals([kql(one) for one in TEXTS]) == TEXTS


def test_what_is_not_quoted_is_noticed(parser: Parser) -> None:
    assert parser.literals(["'a'b'", "a", '"x" or "y"', "'a\nb'"]) == [None] * 4


def test_conditions_on_json_are_well_formed(parser: Parser) -> None:
    """Most characters are left out of a condition, so many texts have the same one: each is read once."""
    said = {kql_json_string('""', one, then) for one in TEXTS for then in ('"', "/")}
    assert unbound({one: f"print {one}" for one in said}, parser.bind) == []
    assert len(said) > sum(one.isascii() for one in SAFE), "texts differ in what they ask for"
