"""SARIF by Microsoft's own validator: the schema of 2.1.0, and the rules of GitHub's code scanning."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from plans import HOSTILE, every_rule_breached, everything, poisoned

from handlers.cli.formats.screen import Screen
from handlers.cli.present import render, result_document
from shared.access.plan_json import Document
from shared.access.report import Report

TOOL = Path(__file__).parents[2] / "node_modules" / "@microsoft" / "sarif-multitool-linux" / "Sarif.Multitool"
pytestmark = pytest.mark.skipif(sys.platform != "linux" or not TOOL.exists(), reason="the validator runs on Linux only")
# There is no repository: the files are virtual, and a result is about Azure and not about a line of code.
NOT_OURS = {"GH1007"}


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


def test_the_validator_finds_what_is_wrong(tmp_path: Path) -> None:
    assert _errors(tmp_path, result_document(everything()), spoil=True)
