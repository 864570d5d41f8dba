"""What code and papers call "law 5" or "facts §3" is written down in this repository."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
_KINDS = {".py", ".md", ".kql", ".bicep", ".toml", ".yaml", ".yml", ".json"}
_FOLDERS = ("bench", "demo", "docs", "emulator", "handlers", "infra", "shared", "tests")
_LAWS = re.compile(r"\blaws?\s+(\d+(?:(?:,| and|, and| or| to)\s+\d+)*)", re.IGNORECASE)
_FACTS = re.compile(r"\bfacts\s+§(\d+(?:\.\d+)?)", re.IGNORECASE)
_ELSEWHERE = re.compile(r"\b(?:design|requirements|anchors)(?:\.md)?\s+§\d+", re.IGNORECASE)


def _sections(text: str, heading: str) -> set[str]:
    return set(re.findall(heading, text, re.MULTILINE))


def laws(text: str) -> set[str]:
    return {number for group in _LAWS.findall(text) for number in re.findall(r"\d+", group)}


def known_facts(text: str) -> set[str]:
    """Sections, and the numbered statements below them."""
    found, section = set[str](), ""
    for line in text.splitlines():
        if heading := re.match(r"## (\d+)\. ", line):
            section = heading[1]
            found.add(section)
        elif item := re.match(r"(\d+)\. ", line):
            found.add(f"{section}.{item[1]}")
    return found


LAWS = _sections((ROOT / "docs/laws.md").read_text("utf-8"), r"^## Law (\d+): \S")
FACTS = known_facts((ROOT / "docs/azure-facts.md").read_text("utf-8"))


def _files() -> Iterator[Path]:
    yield from (path for path in ROOT.glob("*") if path.suffix in _KINDS and path.name != "package-lock.json")
    for folder in _FOLDERS:
        yield from (path for path in (ROOT / folder).rglob("*") if path.suffix in _KINDS and path != Path(__file__))


def test_there_are_fifteen_laws() -> None:
    assert {str(number) for number in range(1, 16)} == LAWS


def test_whatever_is_referred_to_is_there() -> None:
    found = {path.relative_to(ROOT): path.read_text("utf-8", errors="replace") for path in _files()}
    assert sum(bool(laws(text)) for text in found.values()) > 10, "the references are looked for in the right place"
    assert {path: laws(text) - LAWS for path, text in found.items() if laws(text) - LAWS} == {}
    lost = {path: set(_FACTS.findall(text)) - FACTS for path, text in found.items()}
    assert {path: numbers for path, numbers in lost.items() if numbers} == {}
    assert [path for path, text in found.items() if _ELSEWHERE.search(text)] == []


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("grants first (law 5).", {"5"}),
        ("says so (laws 13 and 14)", {"13", "14"}),
        ("Law 15: who", {"15"}),
        ("laws 1, 2 and 16", {"1", "2", "16"}),
        ("lawyers 3, and 12 laws", set()),
    ],
)
def test_what_a_reference_looks_like(text: str, numbers: set[str]) -> None:
    assert laws(text) == numbers
