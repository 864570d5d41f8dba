"""The GitHub workflows: pinned by hash, with no more rights than they need, and running what the README says."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

_ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((_ROOT / ".github" / "workflows").glob("*.yml"))
_PINNED = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)*$")


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return found


def steps(workflow: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for job in workflow["jobs"].values():
        yield from job["steps"]


def commands(name: str) -> list[str]:
    workflow = load(_ROOT / ".github" / "workflows" / f"{name}.yml")
    return [step["run"].strip() for step in steps(workflow) if "run" in step]


def test_there_are_workflows() -> None:
    assert {path.stem for path in WORKFLOWS} == {"clients", "deploy", "infrastructure", "release", "test"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_action_is_pinned_by_hash_and_says_its_version(path: Path) -> None:
    uses = [line.strip().removeprefix("- ") for line in path.read_text("utf-8").splitlines() if "uses:" in line]
    assert uses
    assert [line for line in uses if not _PINNED.fullmatch(line)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_rights_are_named_and_few(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] == {"contents": "read"}
    more = {
        name for job in workflow["jobs"].values() for name, how in job.get("permissions", {}).items() if how == "write"
    }
    assert more <= {"id-token", "contents"}
    assert ("contents" in more) == (path.stem == "release")
    assert all(job.get("timeout-minutes") for job in workflow["jobs"].values())


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_nothing_signs_in_with_a_secret(path: Path) -> None:
    assert "secrets." not in path.read_text("utf-8")


def test_the_gate_is_what_the_readme_says() -> None:
    readme = (_ROOT / "README.md").read_text("utf-8")
    assert "make test    # all tests" in readme
    assert {"make check", "make test", "make demo", "make package"} <= set(commands("test"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_the_age_of_an_api_version_fails_no_workflow(path: Path) -> None:
    """Their compiler is the runner's, of another day: what it calls old is said, and no more."""
    checks = [step for step in steps(load(path)) if step.get("run") == "make check"]
    assert [step for step in checks if step.get("env", {}).get("AGES") != "note"] == []
    assert bool(checks) == (path.stem in {"infrastructure", "release", "test"})


def test_a_release_is_tested_first() -> None:
    ran = commands("release")
    assert ran.index("make check") < ran.index("make test") < ran.index("make package")


def test_the_function_is_deployed_between_infrastructure_and_events() -> None:
    ran = commands("deploy")
    wanted = ["make package", "infra.providers", "eventsEnabled=false", "functionAppId", "infra.publish", "--close"]
    assert [step for step, words in zip(ran, [*wanted, "eventsEnabled=true"], strict=True) if words not in step] == []


def test_the_deployment_closes_the_scm_site_whatever_happens() -> None:
    """A step that is cancelled is killed in the end, and closes nothing any more."""
    deploy = load(_ROOT / ".github" / "workflows" / "deploy.yml")
    (step,) = [one for one in steps(deploy) if "--close" in one.get("run", "")]
    assert step["if"].startswith("always()")


def test_dependabot_watches_whatever_is_pinned() -> None:
    written: dict[str, Any] = yaml.safe_load((_ROOT / ".github" / "dependabot.yml").read_text("utf-8"))
    watched = {one["package-ecosystem"]: one for one in written["updates"]}
    pins = {"requirements*.txt": "pip", "package-lock.json": "npm", ".github/workflows/*.yml": "github-actions"}
    assert all(any(_ROOT.glob(pattern)) for pattern in pins)
    assert watched.keys() == set(pins.values())
    assert all(one["directory"] == "/" and one["schedule"]["interval"] == "weekly" for one in watched.values())
