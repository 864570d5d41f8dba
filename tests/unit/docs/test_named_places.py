"""What documents name is there: paths, modules, and the layers that import-linter holds.

ADRs and the changelog look back: what they name may be gone.
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import policy

ROOT = Path(__file__).parents[3]
PAPERS = sorted(
    (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md"), *ROOT.glob("docs/runbooks/*.md"))
)
_FOLDERS = ("bench", "demo", "docs", "emulator", "handlers", "infra", "shared", "tests")
_CODE = ("emulator", "handlers", "shared", "demo", "bench", "infra", "docs")
_PATH = re.compile(rf"(?<![\w./-])(?:{'|'.join(_FOLDERS)})/[\w./*-]*[\w*]")
_FILE = re.compile(r"`([a-z_]+\.py)(?:::\w+)?`")
_DOTTED = re.compile(rf"(?<![\w./-])((?:{'|'.join(_CODE)})(?:\.[a-z]\w*)+)(?![\w/])")
_ENDINGS = {"py", "md", "json"}
_POLICY_KEYS = frozenset(policy.Policy.__struct_encode_fields__)
_PARTS = re.compile(r"`([a-z_]+)\.([a-z_]+)`")


def _sources() -> Iterator[Path]:
    for folder in _CODE:
        yield from (ROOT / folder).rglob("*.py")


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


SOURCES = {_dotted(path): path.read_text("utf-8") for path in _sources()}
MODULES = SOURCES.keys() | {name.rpartition(".")[0] for name in SOURCES}


def lost_paths(text: str) -> list[str]:
    """A `*` stands for any letters, as in a shell."""
    return [path for path in _PATH.findall(text) if not any(ROOT.glob(path.rstrip(".")))]


def lost_modules(text: str) -> list[str]:
    """Where a name is not of a module, it is looked for in the text of the module before it."""
    dotted = [name for name in _DOTTED.findall(text) if not name.endswith(".md")]  # docs/emulator.md is a document
    lost = [name for name in dotted if name not in MODULES and not _says(*_apart(name))]
    known = {path.name for path in (*_sources(), *ROOT.glob("*.py"), *(ROOT / "tests").rglob("*.py"))}
    lost += [name for name in _FILE.findall(text) if name not in known]
    for module, part in _PARTS.findall(text):
        if module in _POLICY_KEYS:  # `trust.allow` is a key of the policy file
            continue
        candidates = [name for name in SOURCES if name.startswith("shared.access.") and name.endswith(f".{module}")]
        if candidates and part not in _ENDINGS and not any(_says(name, part) for name in candidates):
            lost.append(f"{module}.{part}")
    return lost


def _apart(name: str) -> tuple[str, str]:
    module, _, part = name.rpartition(".")
    return module, part


def _says(module: str, name: str) -> bool:
    return re.search(rf"\b{name}\b", SOURCES.get(module, "")) is not None


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_names_is_there(paper: Path) -> None:
    text = paper.read_text("utf-8")
    assert (lost_paths(text), lost_modules(text)) == ([], [])


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        ("see `shared/observe.py`", ["shared/observe.py"]),
        ("[this](../shared/changes.py)", []),  # a link: test_docs.py follows it
        ("in shared/reading/estate.py.", []),
        ("`tests/catalogue/cases_*.py`", []),
        ("`tests/catalogue/casus_*.py`", ["tests/catalogue/casus_*.py"]),
    ],
)
def test_what_a_path_looks_like(text: str, lost: list[str]) -> None:
    assert lost_paths(text) == lost


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        ("`shared.observe` reads", ["shared.observe"]),
        ("`python -m emulator.demo`", ["emulator.demo"]),
        ("`shared.reading.estate`", []),
        ("`command_line.py` too", ["command_line.py"]),
        ("`guardrails.refuse_grant` decides", []),
        ("`guardrails.distrust` decides", ["guardrails.distrust"]),
    ],
)
def test_what_a_module_looks_like(text: str, lost: list[str]) -> None:
    assert lost_modules(text) == lost


def test_the_layers_are_those_of_the_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    (contract,) = [one for one in contracts if one.get("containers") == ["shared"]]
    architecture = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    rows = [line.split("|") for line in architecture.splitlines() if re.match(r"\| \d \| ", line)]
    documented = [set(re.findall(r"`([a-z_]+)/?`", row[2])) for row in rows]
    assert documented == [set(re.findall(r"\w+", layer)) for layer in contract["layers"]]


def test_the_layers_of_access_name_modules() -> None:
    table = (ROOT / "docs" / "architecture.md").read_text("utf-8").split("| modules | what they are |", 1)[1]
    cells = [line.split("|")[1] for line in table.split("\n\n", 1)[0].splitlines()[2:]]
    named = [name for cell in cells for name in re.findall(r"`([a-z_]+)/?`", cell)]
    assert len(named) > 30
    assert [name for name in named if f"shared.access.{name}" not in MODULES] == []
