"""SARIF by Microsoft's own validator: the schema of 2.1.0, and the rules of GitHub's code scanning."""

import json
import subprocess
import sys
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


def _errors(folder: Path, document: Document, *, spoil: bool = False) -> set[str]:
    made = json.loads(render(document, "sarif", Screen()))
    if spoil:
        del made["runs"][0]["results"][0]["message"]
        made["runs"][0]["results"][1]["locations"] = []
    file, out = folder / "amlguard.sarif", folder / "validated.sarif"
    file.write_text(json.dumps(made), encoding="utf-8")
    TOOL.chmod(0o755)
    command: list[str | Path] = [
        TOOL,
        "validate",
        file,
        "--rule-kind",
        "Sarif;Ghas",
        "--output",
        out,
        "--log",
        "ForceOverwrite",
    ]
    subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    results = json.loads(out.read_text(encoding="utf-8-sig"))["runs"][0]["results"]
    return {f"{one['ruleId']}: {json.dumps(one['message'])[:300]}" for one in results if one.get("level") == "error"}


@pytest.mark.parametrize("name", ["everything", "empty", "bad", "hostile"])
def test_it_is_right_by_the_schema_and_by_githubs_rules(name: str, tmp_path: Path) -> None:
    hostile = " ".join(one for key, one in HOSTILE.items() if key != "surrogate")
    documents = {
        "everything": result_document(everything()),
        "empty": result_document(Report()),
        "bad": result_document(every_rule_breached(3)),
        "hostile": poisoned(result_document(everything()), hostile),
    }
    assert _errors(tmp_path, documents[name]) == set()


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
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    document = _of_template(tmp_path)
    assert _errors(tmp_path, document) == set()
    results = json.loads(render(document, "sarif", Screen()))["runs"][0]["results"]
    places = [one["locations"][0]["physicalLocation"] for one in results]
    assert {one["artifactLocation"]["uri"] for one in places} == {"my%20infra/main.bicep"}
    assert {one["region"]["startLine"] for one in places} == {2, 5}


def test_the_validator_finds_what_is_wrong(tmp_path: Path) -> None:
    assert _errors(tmp_path, result_document(everything()), spoil=True)
