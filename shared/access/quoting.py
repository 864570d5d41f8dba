"""How an id, or whatever else others have chosen, is written into another language: the only place for each.

Names hold quotes, blanks and more (`shared.access.names`). Nothing is put into a query, a filter, a URL or a command
but through one of these.
"""

import json
import re
import shlex
from urllib.parse import quote

# What no writer of JSON escapes: System.Text.Json leaves only these of printable ASCII as they are.
_WRITTEN_AS_IT_IS = re.compile(r"[ !#$%()*,\-./0-9:;=?@A-Z\[\]^_a-z{|}~]+")


def kql(text: object) -> str:
    r"""A string literal. KQL reads the escapes that JSON writes (`\"`, `\\`, `\n`, `\u001f`):
    https://learn.microsoft.com/kusto/query/scalar-data-types/string#string-literals
    """
    return json.dumps(str(text), ensure_ascii=False)


def kql_within_json(column: str, text: str) -> str:
    """A condition: `column` holds JSON as text in which `text` stands; true also of some that are much like it.

    How a writer of JSON spells what is no plain character is its own choice, so only the rest is compared.
    """
    runs = _WRITTEN_AS_IT_IS.findall(text) or [""]
    return " and ".join(f"{column} contains {kql(run)}" for run in runs)


def odata(text: object) -> str:
    """A string literal: https://docs.oasis-open.org/odata/odata/v4.01/odata-v4.01-part2-url-conventions.html (5.1.1)"""
    return "'" + str(text).replace("'", "''") + "'"


def url(path: object) -> str:
    """A path as it stands in a URL: its separators stay, all else is encoded as Azure's SDKs encode it."""
    return quote(str(path), safe="/")


def query(text: str) -> str:
    """The value of a query parameter."""
    return quote(text, safe="")


def shell(text: object) -> str:
    """One word of a command, for a POSIX shell."""
    return shlex.quote(str(text))
