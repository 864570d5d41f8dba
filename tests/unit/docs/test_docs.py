"""The papers say what the code does: an undocumented setting, target or rule fails here."""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from docs import generate
from shared import policy
from shared.azure.settings import Settings

ROOT = Path(__file__).parents[3]
PAPERS = sorted(path for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")))


class NamesAskedFor(Mapping[str, str]):
    """An environment without anything in it, which knows what it was asked for."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def section(paper: str, title: str) -> str:
    text = (ROOT / paper).read_text("utf-8")
    return text.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def first_column(table: str) -> list[str]:
    return [line.split("|")[1].strip().strip("`") for line in table.splitlines() if line.startswith("| ")][2:]


def test_settings_table_is_what_is_read() -> None:
    environment = NamesAskedFor()
    Settings.read(environment)
    assert environment.names == set(first_column(section("docs/settings.md", "App settings")))


def test_example_settings_are_read_by_app_or_host() -> None:
    environment = NamesAskedFor()
    Settings.read(environment)
    values = json.loads((ROOT / "local.settings.example.json").read_text("utf-8"))["Values"]
    assert set(values) - environment.names == {"FUNCTIONS_WORKER_RUNTIME"}


def test_rights_table_is_what_the_app_gets() -> None:
    access = json.loads((ROOT / "infra" / "app_access.json").read_text("utf-8"))
    documented = {
        role.removesuffix(" (custom)") for role in first_column(section("docs/deploy.md", "What the app may do"))
    }
    assert documented == {assignment["role"] for assignment in access["roleAssignments"]}


def test_every_make_target_is_told_to_contributors() -> None:
    told = section("CONTRIBUTING.md", "Targets")
    targets = re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert [target for target in targets if f"`make {target}`" not in told] == []


def test_reasons_for_the_hosts_numbers_are_current() -> None:
    host = json.loads((ROOT / "host.json").read_text("utf-8"))
    settings = {
        "functionTimeout": host["functionTimeout"],
        **{f"queues.{name}": str(value) for name, value in host["extensions"]["queues"].items()},
    }
    table = (ROOT / "docs" / "architecture.md").read_text("utf-8").split("`host.json` knows", 1)[1]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| `")]
    documented = {row[1].strip().strip("`"): row[2].strip() for row in rows}
    assert documented | settings == documented


def test_generated_files_are_current() -> None:
    assert generate.stale() == []


def test_a_file_that_says_something_else_is_stale(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--check"], tmp_path) == 1
    assert "rules.md" in capsys.readouterr().err
    assert generate.main([], tmp_path) == 0
    assert generate.main(["--check"], tmp_path) == 0
    (tmp_path / "docs" / "rules.md").write_text("something else", "utf-8")
    assert generate.main(["--check"], tmp_path) == 1


def test_example_policy_is_a_policy() -> None:
    example = policy.load(ROOT / "policy.example.yaml")
    assert example.mode == policy.Policy().mode
    assert example.terms().exemptions


def test_policy_in_the_documents_is_a_policy() -> None:
    text = section("docs/policy.md", "The policy file").split("```yaml\n", 1)[1].split("```", 1)[0]
    assert policy.parse(text).terms().rules


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(paper: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", paper.read_text("utf-8"))
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (paper.parent / target).exists()] == []


def anchors(paper: Path) -> set[str]:
    """As GitHub makes them from headings: lower case, letters, digits and hyphens."""
    titles = re.findall(r"^#+ (.+)$", paper.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_into_a_document_lead_to_a_heading(paper: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", paper.read_text("utf-8"))
    local = [(paper.parent / path if path else paper, name) for path, name in targets if "://" not in path]
    assert [name for path, name in local if path.suffix == ".md" and name not in anchors(path)] == []


def threats() -> list[list[str]]:
    """The rows of the threat model, cell by cell."""
    table = (
        (ROOT / "docs" / "security.md").read_text("utf-8").split("\n## What stops them\n", 1)[1].split("\n## ", 1)[0]
    )
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.mark.parametrize("row", threats(), ids=lambda row: row[-1].strip("`"))
def test_every_threat_names_a_test_that_is_there(row: list[str]) -> None:
    """`path::[Class::]test_name`: what shows that the guard stops it."""
    assert len(row) == 5
    named = re.fullmatch(r"`(tests/[\w/]+\.py)::(?:(\w+)::)?(test_\w+)`", row[-1])
    assert named, row[-1]
    tree = ast.parse((ROOT / named[1]).read_text("utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == named[2]]
    inside = classes[0].body if named[2] else tree.body
    assert named[3] in {node.name for node in inside if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_there_are_threats() -> None:
    assert len(threats()) > 20


def test_the_readme_fits_on_a_screen_or_two() -> None:
    """What, why, try, run, what it costs: everything else has a page of its own."""
    readme = (ROOT / "README.md").read_text("utf-8")
    assert len(readme.splitlines()) < 80
    titles = re.findall(r"^## (.*)$", readme, re.MULTILINE)
    assert titles == ["Why", "Try it", "Run it on your subscription", "What it costs", "Read on"]


def test_every_page_can_be_found_from_the_readme() -> None:
    """By a link, or by one in a page to which there is a link."""
    reached, coming = set[Path](), [ROOT / "README.md"]
    while coming:
        paper = coming.pop().resolve()
        if paper in reached or paper.suffix != ".md" or not paper.exists():
            continue
        reached.add(paper)
        links = re.findall(r"\]\(([^)#\s]+)", paper.read_text("utf-8"))
        coming += [paper.parent / link for link in links if "://" not in link]
    assert [path for path in ROOT.glob("docs/*.md") if path not in reached] == []
