"""What people type arrives as they mean it, and what goes wrong is said: before anybody signs in."""

import argparse
import os
from datetime import date
from pathlib import Path

import pytest

from handlers.cli import complaints
from handlers.cli.arguments import parser
from handlers.cli.bicep import Deployment, snapshot_of
from handlers.cli.complaints import in_words
from handlers.cli.console import PLAIN, UsageError, prepare_streams, scope_of
from handlers.cli.desk import where_of
from handlers.cli.emulate import emulator_arguments, emulator_environment
from handlers.cli.examples import EXAMPLES
from handlers.cli.main import COMMANDS, main
from handlers.cli.policy_blob import Pushed
from handlers.cli.policy_check import check
from handlers.cli.recording import undo_command
from shared.access.condition import condition
from shared.policy import load

TODAY = date(2026, 11, 2)


def _parsed(*arguments: str) -> argparse.Namespace:
    return parser(COMMANDS).parse_args(arguments)


def test_a_command_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        _parsed()
    assert end.value.code == 1
    assert "COMMAND" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--severity", "--mode"])
def test_what_no_rule_can_have_is_not_looked_for(option: str) -> None:
    with pytest.raises(SystemExit):
        _parsed("rules", option, "hgih")


def test_what_an_example_explains_is_an_id() -> None:
    for example in (*EXAMPLES["explain"], EXAMPLES[""][1]):
        scope_of(_parsed(*example.split()[1:]).resource)


def test_the_emulator_hears_all_that_was_typed() -> None:
    numbers = ["--port", "1", "--functions-port", "2", "--latency-ms", "3.0", "--seed", "4", "--workers", "5"]
    files = ["--tenant", "t.json", "--faults", "f.json", "--state", "s"]
    others = ["--setting", "A=b", "--setting", "C=d", "--no-functions", "--topic", "--verbose"]
    said = emulator_arguments(_parsed("emulate", *numbers, *files, *others))
    passed = {tuple(said[at : at + 2]) for at in range(len(said))}
    pairs = [*numbers, *files, *others[:4]]
    assert {(pairs[at], pairs[at + 1]) for at in range(0, len(pairs), 2)} <= passed
    assert {"--condition", "--operations", "--no-functions", "--topic", "--verbose"} <= {*said}
    filters = [said[at + 1].split(",") for at, one in enumerate(said) if one == "--operations"]
    assert max(map(len, filters)) <= 25, "which is as much as a filter of Event Grid takes"


def test_the_emulator_of_the_checkout_is_found_from_any_folder() -> None:
    root = str(Path(complaints.__file__).parents[2])
    assert emulator_environment({"A": "b"}) == {"A": "b", "PYTHONPATH": root}
    assert emulator_environment({"PYTHONPATH": "x"})["PYTHONPATH"].split(os.pathsep) == [root, "x"]


@pytest.mark.parametrize("fresh", [True, False])
def test_who_asks_for_a_fresh_look_gets_one(fresh: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AMLGUARD_POLICY", raising=False)
    assert where_of(_parsed("plan", *(["--fresh"] if fresh else []))).fresh is fresh
    assert where_of(_parsed("apply")).fresh is False, "which has no such option"


def test_the_command_that_takes_back_names_the_file_that_was_recorded_in() -> None:
    assert undo_command(["run"], None) == "amlguard undo run"
    assert undo_command(["run"], Path("my audit.jsonl")) == "amlguard undo run --audit-file 'my audit.jsonl'"


def test_a_file_that_cannot_be_read_is_named_with_the_reason() -> None:
    assert in_words(FileNotFoundError(2, "No such file", "gone.json"), {}) == "gone.json: No such file"
    assert in_words(OSError("the disk is gone"), {}) == "the disk is gone"


def test_the_place_of_a_fault_is_in_amlguard_and_in_none_of_its_packages() -> None:
    root = Path(complaints.__file__).parents[2]
    theirs = root / ".venv" / "lib" / "theirs.py"
    try:
        exec(compile("raise KeyError('x')", str(theirs), "exec"))
    except KeyError as error:
        said = in_words(error, {})
    assert f"at tests/unit/handlers/cli/{Path(__file__).name}:" in said


def test_a_stream_of_plain_letters_loses_nothing() -> None:
    prepare_streams()
    assert "a → 中".encode("ascii", PLAIN) == b"a -> \\u4e2d"


def test_the_condition_of_a_policy_file_needs_nobody_signed_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("rules: {compute-pull: {enabled: false}}\n", "utf-8")
    assert main(["policy", "condition", "--policy", str(file)]) == 0
    assert capsys.readouterr().out.strip() == condition(load(file).terms()).strip()


def test_who_pushes_a_policy_hears_what_it_needs() -> None:
    said = Pushed("p.yaml", changed=True, needs=["it needs AcrPush"]).text()
    assert "p.yaml" in said
    assert "it needs AcrPush" in said


# `amlguard policy check`


def test_a_fault_hides_none_behind_it() -> None:
    """Each entry is replaced by a right one before the next is read."""
    for text in ("exemptions:\n  - 5\n  - 6\n", "people:\n  - 5\n  - 6\n", "trust:\n  allow:\n  - nowhere\n  - x\n"):
        lines = text.count("\n")
        assert [one.line for one in check(text, TODAY).faults] == [lines - 1, lines], text


def test_a_key_that_is_none_is_told_with_the_one_that_was_meant() -> None:
    (one,) = check("setle_minutes: 5\n", TODAY).faults
    assert "did you mean settle_minutes?" in one.said


def test_a_rule_that_is_on_anyway_is_told_by_its_name_as_well() -> None:
    (one,) = check("rules:\n  compute-pull: {enabled: true}\n", TODAY).warnings
    assert (one.line, "compute-pull" in one.said) == (2, True)


# The compiler of Bicep


@pytest.mark.parametrize(
    ("schema", "has", "has_not"),
    [
        ("deploymentTemplate.json#", {"--subscription-id", "--resource-group"}, {"--management-group-id"}),
        ("subscriptionDeploymentTemplate.json#", {"--subscription-id"}, {"--resource-group", "--management-group-id"}),
        (
            "managementGroupDeploymentTemplate.json#",
            {"--management-group-id"},
            {"--resource-group", "--subscription-id"},
        ),
        ("tenantDeploymentTemplate.json#", set(), {"--resource-group", "--subscription-id", "--management-group-id"}),
    ],
)
def test_the_compiler_is_told_where_a_template_of_its_kind_goes(schema: str, has: set[str], has_not: set[str]) -> None:
    said = Deployment("sub", "group", "mg", "tenant", "westeurope").options(f"https://x/2019-04-01/{schema}")
    assert {"--tenant-id", "--location"} | has <= {*said}
    assert not has_not & {*said}


PLACE = Deployment("11111111-1111-4111-8111-111111111111", "rg", "mg", "t", "westeurope")


def _compiler(folder: Path, script: str) -> dict[str, str]:
    (folder / "bicep").write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    (folder / "bicep").chmod(0o755)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "HOME": str(folder)}


@pytest.mark.parametrize("code", ["BCP190", "BCP191", "BCP192", "BCP193", "BCP194", "BCP212", "BCP213"])
def test_a_module_that_cannot_be_fetched_is_told_as_that(code: str, tmp_path: Path) -> None:
    """https://learn.microsoft.com/azure/azure-resource-manager/bicep/bicep-core-diagnostics"""
    file = tmp_path / "main.bicep"
    file.write_text("", "utf-8")
    found = _compiler(tmp_path, f"echo 'x(1,1) : Error {code}: the module br/x' >&2; exit 1")
    with pytest.raises(UsageError, match=r"modules that could not be fetched.*the module br/x"):
        snapshot_of(file, PLACE, found)


@pytest.mark.parametrize("named", ["br:x/y:1", "br/public:y:1", "ts:x/y:1", "ts/alias:y:1"])
def test_a_template_that_is_elsewhere_is_said_to_be(named: str, tmp_path: Path) -> None:
    file = tmp_path / "main.bicepparam"
    file.write_text(f"using '{named}'\n", "utf-8")
    with pytest.raises(UsageError, match="a template on this machine"):
        snapshot_of(file, PLACE, _compiler(tmp_path, "exit 1"))


def test_without_a_home_there_is_no_fault(tmp_path: Path) -> None:
    """As on Windows, where the folder of a person has another name."""
    file = tmp_path / "main.bicep"
    file.write_text("", "utf-8")
    with pytest.raises(UsageError, match="there is no Bicep compiler"):
        snapshot_of(file, PLACE, {"PATH": str(tmp_path)})
