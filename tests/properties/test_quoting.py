"""Every character that a name may hold goes through each language that ids are put into, and is the same at the end."""

import json
import shlex
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from itertools import islice

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from emulator.arm.scoped_lists import Filter
from emulator.kql.core import Column, Environment, Table
from emulator.kql.evaluate import run
from emulator.kql.values import Type
from emulator.names import decoded
from shared.access.names import complaint, is_safe
from shared.access.quoting import in_yaml, kql, kql_json_string, odata, query, shell, url
from shared.access.scope import Scope

COMPONENT = "microsoft.insights/components"
GROUP = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/größe(1)"


def safe() -> Iterator[str]:
    return (one for code in range(0x110000) if is_safe(one := chr(code)) and one != "/")


@cache
def every_safe() -> list[str]:
    """It takes a second, so not when the module is loaded."""
    return list(safe())


names = st.deferred(
    lambda: st.text(st.sampled_from(every_safe()), min_size=1, max_size=12).filter(
        lambda one: not complaint(COMPONENT, one)
    )
)
_FIRST = list(islice(safe(), 4000))
ALL = ["".join(_FIRST[at : at + 200]) + "x" for at in range(0, 4000, 200)]


def through_kql(text: str) -> object:
    (row,) = run(f"print found = {kql(text)}", Environment(lambda _: None, datetime.now(UTC))).rows
    return row[0]


def through_odata(text: str) -> object:
    return Filter.parse(f"denyAssignmentName eq {odata(text)}", named=True).name


def through_a_url(text: str) -> str:
    """As azure-core hands it to aiohttp, whose yarl writes it; and as the local Azure reads it."""
    return decoded(URL(f"https://127.0.0.1{url(f'/{text}')}?x={query(text)}").raw_path).removeprefix("/")


def through_a_query(text: str) -> str:
    return URL(f"https://127.0.0.1/x?y={query(text)}&z=1").query["y"]


def through_a_shell(text: str) -> object:
    (word,) = shlex.split(shell(text))
    return word


def through_yaml(text: str) -> object:
    return yaml.safe_load(f"trust: {{allow: [{in_yaml(text)}]}}")["trust"]["allow"][0]


THROUGH: dict[str, Callable[[str], object]] = {
    "kql": through_kql,
    "url": through_a_url,
    "query": through_a_query,
    "shell": through_a_shell,
    "yaml": through_yaml,
}


@pytest.mark.parametrize("how", THROUGH)
@given(text=names)
def test_names_come_through(how: str, text: str) -> None:
    assert THROUGH[how](text) == text


@pytest.mark.parametrize("how", THROUGH)
@pytest.mark.parametrize("text", ALL)
def test_so_does_every_character(how: str, text: str) -> None:
    assert THROUGH[how](text) == text


@given(names)
def test_names_come_through_filters_in_lower_case(text: str) -> None:
    assert through_odata(text) == text.lower()


def test_a_shell_prints_what_was_meant() -> None:
    words = ["$(echo no)", "it's", *ALL]
    script = "printf '%s\\0' " + " ".join(map(shell, words))
    ended = subprocess.run(["bash", "-c", script], capture_output=True, check=True)
    assert ended.stdout.decode().split("\0") == [*words, ""]


def careful_json(value: object) -> str:
    """As System.Text.Json writes it: all but plain letters, digits and a few signs as an escape."""
    escaped = {ord(one): f"\\u{ord(one):04x}" for one in "&'+<>`"}
    return json.dumps(value).replace('\\"', "\\u0022").translate(escaped)


@pytest.mark.parametrize("write", [lambda value: json.dumps(value, ensure_ascii=False), json.dumps, careful_json])
@given(name=names, below=st.booleans(), other=names)
def test_an_id_is_found_in_json_whoever_wrote_it(
    write: Callable[[object], str], name: str, below: bool, other: str
) -> None:
    scope = Scope.parse(f"{GROUP}/providers/{COMPONENT}/{name}")
    told = {"a": other, "applicationInsights": f"{scope.key}/below" if below else scope.key}
    assert write(told) != ""
    assert json.loads(write(told)) == told
    assert said(write(told), scope.key, "/" if below else '"')


@pytest.mark.parametrize(
    ("there", "sought", "found"),
    [
        ("acrml", "acrml", True),
        ("acrml2", "acrml", False),
        ("acrml", "acrml2", False),
        ("it's", "its", False),
        ("x'", 'x"', True),
    ],
)
def test_another_is_not_as_far_as_it_is_plain(there: str, sought: str, found: bool) -> None:
    assert said(json.dumps({"a": f"/x/{there}"}), f"/x/{sought}", '"') is found


def said(document: str, key: str, then: str) -> bool:
    table = Table((Column("said", Type.STRING),), [[document]])
    asked = f"T | where {kql_json_string('said', key, then)}"
    return bool(run(asked, Environment({"T": table}.get, datetime.now(UTC))).rows)
