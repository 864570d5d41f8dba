"""SARIF by Microsoft's own validator: the schema of 2.1.0, and the rules of GitHub's code scanning."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from plans import HOSTILE, every_rule_breached, everything, poisoned
from unit.template import made

from handlers.cli.bicep import Deployment
from handlers.cli.formats.screen import Screen
from handlers.cli.present import render, result_document
from handlers.cli.template import Template, plan
from shared.access.plan_json import Document
from shared.access.report import Report

TOOL = Path(__file__).parents[2] / "node_modules" / "@microsoft" / "sarif-multitool-linux" / "Sarif.Multitool"
pytestmark = pytest.mark.skipif(sys.platform != "linux" or not TOOL.exists(), reason="the validator runs on Linux only")
_BICEP = """\
// line 1
resource mlw 'Microsoft.MachineLearningServices/workspaces@2025-06-01' = {
  name: 'demo'
}
resource train 'Microsoft.MachineLearningServices/workspaces/computes@2025-06-01' = {
  parent: mlw
  name: 'tr${'ain'}'
}
"""


def _documents() -> dict[str, Document]:
    hostile = " ".join(one for key, one in HOSTILE.items() if key != "surrogate")
    return {
        "everything": result_document(everything()),
        "empty": result_document(Report()),
        "bad": result_document(every_rule_breached(3)),
        "hostile": poisoned(result_document(everything()), hostile),
    }


def _spoilt(sarif: str) -> str:
    made = json.loads(sarif)
    del made["runs"][0]["results"][0]["message"]
    made["runs"][0]["results"][1]["locations"] = []
    return json.dumps(made)


@pytest.fixture(scope="module")
def of_template(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return render(_of_template(folder), "sarif", Screen())


@pytest.fixture(scope="module")
def errors(of_template: str, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, set[str]]:
    """What the validator says of each file. It is asked of all at once, because it takes seconds to start."""
    files = {name: render(document, "sarif", Screen()) for name, document in _documents().items()}
    files |= {"template": of_template, "spoilt": _spoilt(files["everything"])}
    folder = tmp_path_factory.mktemp("sarif")
    for name, sarif in files.items():
        (folder / f"{name}.sarif").write_text(sarif, encoding="utf-8")
    out = folder / "validated.sarif"
    TOOL.chmod(0o755)
    command: list[str | Path] = [
        TOOL,
        "validate",
        *(folder / f"{name}.sarif" for name in files),
        "--rule-kind",
        "Sarif;Ghas",
        "--output",
        out,
        "--log",
        "ForceOverwrite",
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert f"{len(files)} files scanned" in ended.stdout
    found: dict[str, set[str]] = {name: set() for name in files}
    for one in json.loads(out.read_text(encoding="utf-8-sig"))["runs"][0]["results"]:
        if one.get("level") == "error":
            file = one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
            found[Path(file).stem].add(f"{one['ruleId']}: {json.dumps(one['message'])[:300]}")
    return found


@pytest.mark.parametrize("name", ["everything", "empty", "bad", "hostile"])
def test_it_is_right_by_the_schema_and_by_githubs_rules(errors: Mapping[str, set[str]], name: str) -> None:
    assert errors[name] == set()


def _of_template(folder: Path) -> Document:
    """The plan of a Bicep file in a folder with a blank. What the compiler makes of it is written down."""
    file, made_of = folder / "my infra" / "main.bicep", folder / "made.json"
    file.parent.mkdir()
    file.write_text(_BICEP, encoding="utf-8")
    every = [*made.base(), made.cluster(), made.assigned(made.OBJECT_ID, made.PUSH)]
    made_of.write_text(json.dumps({"predictedResources": every, "diagnostics": []}), encoding="utf-8")
    (folder / "template.json").write_text("{}", encoding="utf-8")
    compiler = folder / "bicep"
    compiler.write_text(
        f"#!/bin/sh\ncase $1 in build) cat '{folder}/template.json';; "
        f"*) cp '{made_of}' \"${{2%.bicepparam}}.snapshot.json\";; esac\n",
        encoding="utf-8",
    )
    compiler.chmod(0o755)
    environment = {"PATH": f"{folder}:/bin:/usr/bin", "HOME": str(folder)}
    deployment = Deployment(made.SUBSCRIPTION.rpartition("/")[2], "rg-demo", "mg", made.OBJECT_ID, "westeurope")
    return plan(Template([file], deployment), environment).document()


def test_of_a_template_it_is_right_as_well_and_points_at_the_file(
    errors: Mapping[str, set[str]], of_template: str
) -> None:
    assert errors["template"] == set()
    results = json.loads(of_template)["runs"][0]["results"]
    places = [one["locations"][0]["physicalLocation"] for one in results]
    assert {one["artifactLocation"]["uri"] for one in places} == {"my%20infra/main.bicep"}
    assert {one["region"]["startLine"] for one in places} == {2, 5}


def test_the_validator_finds_what_is_wrong(errors: Mapping[str, set[str]]) -> None:
    assert errors["spoilt"]
