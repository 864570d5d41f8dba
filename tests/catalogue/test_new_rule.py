"""A new rule is an entry and its cases: two files by hand. With a new type of resource it is four. The rest follows.

Both rules of `catalogue.added` are added to a copy of this repository, and nothing else is.
"""

import filecmp
import json
import os
import re
import shutil
import subprocess
import sysconfig
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest
from catalogue.added import IDENTITIES, METRICS_WRITER, MONITORING_READER, RULES, SYNAPSE
from local_azure import ANY_REQUEST

from shared.access.routing import route
from shared.access.rules import RULES as KNOWN
from shared.access.scope import Scope

ROOT = Path(__file__).parents[2]
_PARTS = ("shared", "handlers", "emulator", "demo", "docs", "infra", "bench", "checks", "tests", ".github")
_GENERATED = ("docs/", "infra/")  # what `make docs` writes
_SECONDS = 900


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a copy of the repository, with the rules and what `make docs` writes; it sees no other checkout."""
    copy = tmp_path_factory.mktemp("copy")
    for part in _PARTS:  # with what was compiled of it, which holds for whatever is not changed
        shutil.copytree(ROOT / part, copy / part)
    for plain in (one for one in ROOT.iterdir() if one.is_file()):
        shutil.copy(plain, copy)
    (copy / "node_modules").symlink_to(ROOT / "node_modules")
    for file, added in (one for files in RULES.values() for one in files.items()):
        old = (copy / file).read_text(encoding="utf-8") if (copy / file).exists() else ""
        (copy / file).write_text(added.to(old), encoding="utf-8")
    python = _environment(copy)
    _run(python, "-m", "docs.generate")
    return python


def _environment(copy: Path) -> Path:
    """The packages that are installed here, but for this checkout itself, which is installed as a link."""
    venv.create(copy / ".venv", symlinks=True, with_pip=False)
    python = copy / ".venv" / "bin" / "python"
    packages = next((copy / ".venv").glob("lib/python*/site-packages"))
    (packages / "copy.pth").write_text(f"{copy}\n{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    command = python.with_name("amlguard")
    command.write_text(
        f"#!{python}\nimport sys\nfrom handlers.cli.main import main\nsys.exit(main())\n", encoding="utf-8"
    )
    command.chmod(0o755)
    return python


def _run(python: Path, *arguments: str) -> str:
    ran = subprocess.run(
        [python, *arguments],
        cwd=python.parents[2],
        env={**os.environ, ANY_REQUEST: "yes"},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert ran.returncode == 0, f"{ran.stdout[-4000:]}\n{ran.stderr[-4000:]}"
    return ran.stdout


def _filtered(root: Path) -> set[str]:
    """The operations that the deployed filters let through."""
    said = json.loads((root / "infra/generated/derived.json").read_text("utf-8"))
    return {one for each in said["eventSubscriptions"] for one in each["operations"]}


def test_the_copy_is_what_is_looked_at(python: Path) -> None:
    assert Path(_run(python, "-c", "import shared; print(shared.__file__)").strip()).is_relative_to(python.parents[2])


def test_two_files_are_touched_and_four_with_a_new_type(python: Path) -> None:
    touched = {one for one in _differing(python.parents[2]) if not one.startswith(_GENERATED)}
    assert touched == {file for files in RULES.values() for file in files}
    assert [len(files) for files in RULES.values()] == [2, 4]


def _differing(copy: Path) -> Iterator[str]:
    for part in _PARTS:
        for one in (one for one in (copy / part).rglob("*") if one.is_file() and "__pycache__" not in one.parts):
            name = one.relative_to(copy).as_posix()
            if not (ROOT / name).exists() or not filecmp.cmp(one, ROOT / name, shallow=False):
                yield name


def test_filters_follow(python: Path) -> None:
    operations, watched = _filtered(python.parents[2]), _filtered(ROOT)
    assert operations - watched == {f"{kind}/{verb}" for kind in (IDENTITIES, SYNAPSE) for verb in ("write", "delete")}


def test_docs_follow(python: Path) -> None:
    paper = (python.parents[2] / "docs/rules.md").read_text("utf-8")
    metrics, synapse = (paper.split(f"\n## {name}\n")[1].split("\n## ")[0] for name in RULES)
    assert "A compute's identity writes metrics to its workspace." in metrics
    assert "Finding: **low**. It needs an identity to write metrics as: `CHANGE`" in metrics
    assert "Grants: **AzureML Metrics Writer (preview)**" in metrics
    assert "Grants: **Monitoring Reader**" in synapse
    assert "Synapse workspace of a compute" in paper, "by what a workspace uses a resource"


@pytest.mark.parametrize("kind", [IDENTITIES, SYNAPSE])
def test_the_app_looks_where_its_events_say(python: Path, kind: str) -> None:
    group = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg"
    asked = (
        "from shared.access.routing import route; from shared.access.rules import RULES; "
        "from shared.access.scope import Scope; "
        f"print(route(Scope.parse('{group}/providers/{kind}/me'), 'write', RULES) is not None)"
    )
    assert _run(python, "-c", asked) == "True\n"
    assert route(Scope.parse(f"{group}/providers/{kind}/me"), "write", KNOWN) is None


@pytest.mark.parametrize("enabled", [True, False])
def test_the_condition_follows(python: Path, tmp_path: Path, *, enabled: bool) -> None:
    policy = tmp_path / "policy.yaml"
    rules = {name: {"enabled": enabled} for name in RULES}
    policy.write_text(json.dumps({"rules": rules}), encoding="utf-8")
    said = _run(python, "-m", "handlers.cli.main", "policy", "condition", "--policy", str(policy))
    assert [role in said for role in (METRICS_WRITER, MONITORING_READER)] == [enabled, enabled]


def test_no_other_file_asks_to_be_touched(python: Path) -> None:
    held = (
        "docs/test_docs",
        "access/test_dependency_table",
        "access/test_separation",
        "access/test_privileged",
        "access/test_guardrails",
        "access/test_rule_findings",
        "access/rules/test_rules",
        "access/rules/test_harmless_remedies",
    )
    still = (
        "test_every_rule_has_a_case",
        "test_every_case_is_of_a_rule",
        "test_entries_without_a_say_of_their_own_name_the_rules_that_have_it",
        "test_every_requirement_is_in_the_catalogue_in_its_modes",
    )
    files = (f"tests/unit/{one}.py" for one in held)
    _run(python, "-m", "pytest", "-q", *files, *(f"tests/catalogue/test_catalogue.py::{one}" for one in still))


def test_the_rule_acts_and_leaves_alone_as_its_cases_say(python: Path) -> None:
    """Last, and on a local Azure with the new cases only: the others are put away."""
    for other in (python.parents[2] / "tests/catalogue").glob("cases_*.py"):
        if not other.stem.startswith("cases_added"):
            other.unlink()
    said = _run(python, "-m", "pytest", "-q", "-rA", "tests/catalogue/test_catalogue.py", "-k", "test_case")
    assert len(re.findall(r"PASSED .*(compute-metrics|attached-synapse)", said)) == len(RULES) * 3, said
