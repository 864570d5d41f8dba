"""The action: pinned, and its own steps run on a small repository, as a runner would run them."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from unit.template import made

_ROOT = Path(__file__).parents[2]
_PINNED = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)*$")
_INPUT = re.compile(r"\$\{\{ *inputs\.([a-z-]+) *\}\}")


def action() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((_ROOT / "action.yml").read_text("utf-8"))
    return found


def step(name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in action()["runs"]["steps"] if one.get("id") == name)
    return found


@dataclass(frozen=True)
class Runner:
    """A folder with a repository, and what a runner has beside it."""

    repository: Path
    temporary: Path

    def run(self, **inputs: str) -> tuple[int, str, dict[str, str]]:
        """Exit code of the verdict, the summary, and the outputs of the plan."""
        outputs, summary = self.temporary / "outputs", self.temporary / "summary"
        outputs.touch()
        summary.touch()
        given = {name: str(one.get("default", "")) for name, one in action()["inputs"].items()} | inputs
        plan = step("plan")
        env = {name: _INPUT.sub(lambda found: given[found[1]], value) for name, value in plan["env"].items()}
        places = {"RUNNER_TEMP": self.temporary, "GITHUB_OUTPUT": outputs, "GITHUB_STEP_SUMMARY": summary}
        self._bash(plan["run"], env | {name: str(place) for name, place in places.items()})
        found = dict(line.split("=", 1) for line in outputs.read_text("utf-8").splitlines())
        code = self._bash(step("verdict")["run"], {"CODE": found["exit-code"]})
        return code, summary.read_text("utf-8"), found

    def _bash(self, script: str, env: dict[str, str]) -> int:
        shell = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script]
        done = subprocess.run(shell, cwd=self.repository, env={**os.environ, **env}, check=False, capture_output=True)
        return done.returncode


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    repository, temporary = tmp_path / "repository", tmp_path / "temporary"
    (repository / "infra").mkdir(parents=True)
    (temporary / "amlguard" / "bin").mkdir(parents=True)
    command = temporary / "amlguard" / "bin" / "amlguard"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m handlers.cli.main "$@"\n', "utf-8")
    command.chmod(0o755)
    return Runner(repository, temporary)


def _snapshot(runner: Runner, *more: made.Raw) -> str:
    document = {"predictedResources": [*made.base(), made.cluster(), *more], "diagnostics": []}
    (runner.repository / "infra" / "main.snapshot.json").write_text(json.dumps(document), "utf-8")
    return "infra/main.snapshot.json\n"


def test_what_it_uses_is_pinned_by_hash() -> None:
    lines = (_ROOT / "action.yml").read_text("utf-8").splitlines()
    uses = [line.strip().removeprefix("- ") for line in lines if "uses:" in line]
    assert len(uses) == 2
    assert [line for line in uses if not _PINNED.fullmatch(line)] == []


def test_no_input_gets_into_a_script_but_through_the_environment() -> None:
    for one in action()["runs"]["steps"]:
        assert "${{" not in one.get("run", "")


def test_a_missing_role_fails_and_is_shown_with_its_mending(runner: Runner) -> None:
    code, summary, outputs = runner.run(templates=_snapshot(runner), **{"fail-on": "grant"})
    assert code == 2
    assert "AcrPull" in summary
    assert "```bicep" in summary
    assert "resource grant1 'Microsoft.Authorization/roleAssignments" in Path(outputs["bicep"]).read_text("utf-8")
    run = json.loads(Path(outputs["sarif"]).read_text("utf-8"))["runs"][0]
    uris = {one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in run["results"]}
    assert uris == {"infra/main.snapshot.json"}


def test_a_template_that_forgets_nothing_is_green(runner: Runner) -> None:
    held = made.assigned(made.of_identity())
    code, summary, _ = runner.run(templates=_snapshot(runner, held), **{"fail-on": "grant"})
    assert code == 0
    assert "```bicep" not in summary


def test_never_fails_only_of_errors(runner: Runner) -> None:
    assert runner.run(templates=_snapshot(runner), **{"fail-on": "never"})[0] == 0


def test_a_file_that_is_not_there_is_an_error(runner: Runner) -> None:
    code, _, outputs = runner.run(templates="infra/gone.snapshot.json")
    assert code == 1
    assert "sarif" not in outputs


def test_the_example_workflow_uses_inputs_that_there_are() -> None:
    text = (_ROOT / "docs" / "examples" / "template" / "workflow.yml").read_text("utf-8")
    steps = yaml.safe_load(text)["jobs"]["plan"]["steps"]
    ours = next(one for one in steps if "amlguard" in one["uses"])
    assert ours["with"].keys() <= action()["inputs"].keys()
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}
