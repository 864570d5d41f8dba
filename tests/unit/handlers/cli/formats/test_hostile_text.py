"""The tenant of hostile text in every format: whatever somebody calls a thing, it is shown and it does nothing."""

import csv
import io
import json
import re
import subprocess
import unicodedata
from collections.abc import Callable
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from plans import HOSTILE, everything, poisoned

from handlers.cli.formats import safe, schemas
from handlers.cli.formats.screen import Screen
from handlers.cli.present import render, result_document
from infra.compiler import Bicep
from shared.access.plan_json import Document

CLEAN = result_document(everything())
FORMATS = ("text", "json", "csv", "markdown", "sarif", "html", "bicep", "az", "terraform")


@pytest.fixture(params=HOSTILE, ids=lambda name: str(name).replace(" ", "-"))
def evil(request: pytest.FixtureRequest) -> str:
    return HOSTILE[request.param]


def _rendered(document: Document, form: str) -> str:
    return render(document, form, Screen(width=120, styled=form == "text"), full=True)


@cache
def _clean(form: str) -> str:
    return _rendered(CLEAN, form)


def _moves(text: str) -> set[str]:
    """Characters that move a cursor, hide or turn text, or end a line. The colours are ours."""
    ours = re.sub(r"\x1b\[[0-9;]*m", "", text)
    return {one for one in set(ours) if one != "\n" and unicodedata.category(one) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}


def test_the_poison_is_there(evil: str) -> None:
    """Or all of the below could not fail."""
    said = json.dumps(poisoned(CLEAN, evil))
    assert said.count(json.dumps(evil)[1:-1]) > 40


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_moves_and_no_line_is_added(evil: str, form: str) -> None:
    said, clean = _rendered(poisoned(CLEAN, evil), form), _clean(form)
    assert _moves(said) <= {"\u200b"} if form == "markdown" else not _moves(said)
    if form in {"csv", "json", "sarif"}:
        assert len(said.splitlines()) == len(clean.splitlines())
    if form == "markdown":
        # Things that have come to be called the same share a row.
        assert len(said.splitlines()) <= len(clean.splitlines())


def test_a_terminal_shows_brackets_as_brackets() -> None:
    evil = HOSTILE["rich markup"]
    said = re.sub(r"\x1b\[[0-9;]*m", "", _rendered(poisoned(CLEAN, evil), "text"))
    assert evil in " ".join(said.split())
    assert "💣" not in said


def test_a_terminal_gets_no_colours_but_ours(evil: str) -> None:
    """The escapes of the poisoned plan are those of the clean one, in other places."""
    said = _clean("text"), _rendered(poisoned(CLEAN, evil), "text")
    codes = [set(re.findall(r"\x1b\[[0-9;]*m", one)) for one in said]
    assert codes[1] <= codes[0]
    assert codes[0], "it is coloured at all"


def test_csv_calculates_nothing(evil: str) -> None:
    rows = list(csv.reader(io.StringIO(_rendered(poisoned(CLEAN, evil), "csv"))))
    assert {len(row) for row in rows} == {len(rows[0])}
    assert len(rows) == len(list(csv.reader(io.StringIO(_clean("csv")))))
    for value in (value for row in rows[1:] for value in row):
        assert not re.match('[\\s"]*[=+\\-@|%\uff1d\uff0b\uff0d\uff20]', value), value


def test_csv_and_json_hold_to_their_schemas(evil: str) -> None:
    document = poisoned(CLEAN, evil)
    assert _errors(json.loads(_rendered(document, "json")), schemas.plan) == []
    rows = list(csv.DictReader(io.StringIO(_rendered(document, "csv"))))
    assert [error for row in rows for error in _errors(row, schemas.table)] == []


def _errors(instance: Any, schema: Callable[[], dict[str, Any]]) -> list[str]:
    return [error.message for error in _validator(schema).iter_errors(instance)]


@cache
def _validator(schema: Callable[[], dict[str, Any]]) -> Draft202012Validator:
    made = schema()
    Draft202012Validator.check_schema(made)
    return Draft202012Validator(made, format_checker=FormatChecker())


class _Page(HTMLParser):
    """Which elements a page has, and what they carry."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(sorted(name for name, _ in attrs))))


def _elements(text: str) -> list[tuple[str, tuple[str, ...]]]:
    page = _Page()
    page.feed(text)
    return page.found


def test_html_gains_no_element(evil: str) -> None:
    clean, said = (_elements(one) for one in (_clean("html"), _rendered(poisoned(CLEAN, evil), "html")))
    assert set(said) <= set(clean)
    assert [one for one in said if one[0] == "script"] == [one for one in clean if one[0] == "script"]


def _rendered_markdown(texts: list[str]) -> list[list[dict[str, Any]]]:
    """As a CommonMark parser with GitHub's tables reads them: rich brings one along."""
    from markdown_it import MarkdownIt  # noqa: PLC0415 - only here

    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    return [[dict(token.as_dict()) for token in reader.parse(text)] for text in texts]


def test_markdown_gains_no_markup(evil: str) -> None:
    clean, said = _rendered_markdown([_clean("markdown"), _rendered(poisoned(CLEAN, evil), "markdown")])
    assert {token["type"] for token in said} == {token["type"] for token in clean}
    marks = {child["type"] for token in said for child in token["children"] or ()}
    assert marks == {child["type"] for token in clean for child in token["children"] or ()}
    assert not marks & {"link_open", "image", "code_inline"}
    tags = {child["content"] for token in said for child in token["children"] or () if child["type"] == "html_inline"}
    assert tags <= {"<br>"}


@pytest.mark.parametrize(
    "text", ["@octocat", "#1", "see https://evil.example", "a@b.example", "www.evil.example", "GH-1|x"]
)
def test_markdown_notifies_nobody_and_leads_nowhere(text: str) -> None:
    said = safe.markdown(text)
    assert not re.search(r"[@#]\w", said.replace("&#", ""))
    assert "://" not in said
    assert "www." not in said
    assert "|" not in said


def test_sarif_has_no_links_and_no_placeholders(evil: str) -> None:
    document = json.loads(_rendered(poisoned(CLEAN, evil), "sarif"))
    for one in document["runs"][0]["results"]:
        said = one["message"]["text"]
        assert not re.search(r"(?<!\\)\[[^\]]*(?<!\\)\]\(", said)
        assert not re.search(r"(?<!\{)\{\d+\}(?!\})", said)
        uri = one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert re.fullmatch(r"azure/[A-Za-z0-9._~%/-]+", uri), uri
        assert ".." not in uri.split("/")


def _bare(bicep: str) -> list[str]:
    """Without what is only for people."""
    return [line for line in bicep.splitlines() if not re.match(r"//|    description: '(?:[^'\\]|\\.)*'$", line)]


def test_bicep_makes_nothing_else(evil: str) -> None:
    """Where the ids are sound; a grant at another id is not written."""
    said = _rendered(_with_its_ids(poisoned(CLEAN, evil), CLEAN), "bicep")
    assert _bare(said) == _bare(_rendered(CLEAN, "bicep"))
    assert len(said.splitlines()) == len(_rendered(CLEAN, "bicep").splitlines())
    assert _bare(_rendered(poisoned(CLEAN, evil), "bicep")) in (
        [],
        ["// There is no role assignment and no access policy to make here."],
    )


def _with_its_ids(document: Any, clean: Any) -> Any:
    if isinstance(document, list):
        return [_with_its_ids(*both) for both in zip(document, clean, strict=True)]
    if isinstance(document, dict):
        ids = ("resourceId", "scope", "workspace", "workspaces", "principal", "property")
        return {name: clean[name] if name in ids else _with_its_ids(one, clean[name]) for name, one in document.items()}
    return document


def test_bicep_of_hostile_text_compiles(tmp_path: Path, bicep: Bicep) -> None:
    hostile = " ".join(one for key, one in HOSTILE.items() if key != "surrogate")
    file = tmp_path / "hostile.bicep"
    file.write_text(_rendered(_with_its_ids(poisoned(CLEAN, hostile), CLEAN), "bicep"), "utf-8")
    compiled = bicep.compile(file)
    assert compiled.findings == []
    made = [one["type"] for one in compiled.template["resources"]]
    assert made == ["Microsoft.Authorization/roleAssignments"] * len(CLEAN["grants"])


def _without_words(terraform: str) -> Any:
    """Without what is only for people."""

    def plain(one: Document) -> Document:
        return {name: value for name, value in one.items() if name not in {"//", "description"}}

    return json.loads(terraform, object_hook=plain)


def test_terraform_makes_nothing_else(evil: str) -> None:
    said = _rendered(_with_its_ids(poisoned(CLEAN, evil), CLEAN), "terraform")
    assert _without_words(said) == _without_words(_rendered(CLEAN, "terraform"))
    assert "resource" not in _without_words(_rendered(poisoned(CLEAN, evil), "terraform"))


def test_mermaid_labels_hold_no_syntax(evil: str) -> None:
    assert not re.search(r"[\"'\[\](){}<>|%`\n]|--", safe.mermaid(evil))
    assert re.fullmatch(r"(?:[\w\s.\-]|#\d+;)*", safe.mermaid(evil))


def test_a_shell_sees_what_a_person_sees() -> None:
    """The terminal's text, echoed again, is the same: nothing in it was an instruction."""
    said = render(poisoned(CLEAN, HOSTILE["escapes"]), "text", Screen(), full=True)
    echoed = subprocess.run(["cat"], input=said, capture_output=True, text=True, check=True).stdout
    assert echoed == said
    assert "\\x1b[2J" in said
