"""The only place that writes ids, and other text that others have chosen, into another language.

Names hold quotes, blanks and more (`shared.access.names`). Everything that goes into a query, a filter, a URL or a
command goes through one of these functions.
"""

import json
import re
import shlex
from urllib.parse import quote

# The characters that a JSON writer may escape in a string: System.Text.Json, the most careful one, escapes all of
# these.
_MAY_BE_ESCAPED = re.compile(r"""[^\x20-\x7e]|["&'+<>\\`]""")


def kql(text: object) -> str:
    r"""A string literal. KQL reads the escapes that JSON writes (`\"`, `\\`, `\n`, `\u001f`):
    https://learn.microsoft.com/kusto/query/scalar-data-types/string#string-literals
    """
    return json.dumps(str(text), ensure_ascii=False)


def kql_json_string(column: str, text: str, then: str) -> str:
    """A condition: the JSON in `column` has a string that starts with `text` and goes on with `then` (or ends: `"`).

    How JSON is written is up to its writer, and nothing documents how Resource Graph writes it. So characters that may
    be escaped are skipped: the condition is true for everything that it is meant for, and for a few very similar texts.
    """
    first, *rest = _MAY_BE_ESCAPED.split(text)
    runs = [f'"{first}', *rest]
    runs[-1] += then
    return " and ".join(f"{column} contains {kql(run)}" for run in runs if run)


def in_yaml(text: object) -> str:
    """A scalar for the policy file. YAML reads text in JSON's form."""
    return json.dumps(str(text), ensure_ascii=False)


def odata(text: object) -> str:
    """A string literal: https://docs.oasis-open.org/odata/odata/v4.01/odata-v4.01-part2-url-conventions.html (5.1.1)"""
    return "'" + str(text).replace("'", "''") + "'"


def url(path: object) -> str:
    """A path as it appears in a URL: its separators stay, everything else is encoded as Azure's SDKs encode it."""
    return quote(str(path), safe="/")


def query(text: str) -> str:
    """The value of a query parameter."""
    return quote(text, safe="")


def visible(text: str) -> str:
    """For people, in one line: nothing in it moves a cursor, begins another line, or keeps a record from being written.

    Half a pair of UTF-16 is such a thing as well: no UTF-8 can hold it.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def shell(text: object) -> str:
    """One word of a command, for a POSIX shell."""
    return shlex.quote(str(text))
