"""`make check` notices templates that are wrong, says where, and fails; without a compiler it says what it left out."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kql_parser import Parser

from infra.check import INFRA, ROOT, committed, compiled, main, worked_out
from infra.compiler import Bicep, Compiler, CompilerError
from infra.scan import accepted, scanned
from infra.snapshots import made, names, write

UNCHECKED = "there is no bicep on the PATH: not checked: the templates' syntax and types"
STORAGE = "modules/storage.bicep"
PARAMETERS, SNAPSHOT = "parameters/one-subscription.bicepparam", "parameters/one-subscription.snapshot.json"


@dataclass(frozen=True)
class Planted:
    """A mistake, and what is said of it."""

    file: str
    before: str
    after: str
    said: str


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """infra/ with one parameter file: one is enough to see what is noticed."""
    place = tmp_path / "infra"
    shutil.copytree(INFRA, place, ignore=shutil.ignore_patterns("*.py", "__pycache__", "parameters", "*.bicepparam"))
    (place / "parameters").mkdir()
    for name in (PARAMETERS, SNAPSHOT):
        shutil.copy(INFRA / name, place / name)
    return place


@dataclass(frozen=True, slots=True)
class _Running(Compiler):
    """One that runs already: a new one would spend most of its time starting."""

    bicep: Bicep

    @contextmanager
    def running(self) -> Iterator[Bicep]:
        yield self.bicep


@pytest.fixture(scope="module")
def compiler(bicep: Bicep) -> Compiler:
    return _Running("bicep", bicep)


def _edit(path: Path, before: str, after: str) -> None:
    text = path.read_text("utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), "utf-8")


def test_without_a_compiler_it_passes_and_says_what_it_did_not_check(
    folder: Path, parser: Parser, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(folder)], None, bind=parser.bind) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert UNCHECKED in line


PLANTED = [
    Planted(SNAPSHOT, '"TLS1_2"', '"TLS1_0"', "one-subscription: CKV_AZURE_44 "),
    Planted(SNAPSHOT, '"httpsOnly": true', '"httpsOnly": false', "one-subscription: CKV_AZURE_14 "),
    Planted(SNAPSHOT, "Standard_LRS", "Standard_GRS", "accepted.json: CKV_AZURE_206 of Microsoft.Storage/storage"),
    Planted(
        STORAGE, "resource account", "#disable-next-line BCP036\nresource account", "#disable-next-line BCP036 hides"
    ),
    Planted(PARAMETERS, "using", "#disable-diagnostics BCP258\nusing", "#disable-diagnostics BCP258 hides"),
    Planted("queries/nothing-heard.kql", "AmlGuard", "AmlGuarded", "nothing-heard.kql: "),
]


def test_what_is_noticed_without_a_compiler(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All at once, since a scan takes seconds, and KQL's parser too: each is said, and nothing besides."""
    for planted in PLANTED:
        _edit(folder / planted.file, planted.before, planted.after)
    assert main([str(folder)], None) == 1
    said = [line for line in capsys.readouterr().err.splitlines() if UNCHECKED not in line]
    assert [planted for planted in PLANTED if not any(planted.said in line for line in said)] == []
    expected = [*(planted.said for planted in PLANTED), "CKV_AZURE_70 ", "CKV_AZURE_153 "]  # of httpsOnly as well
    assert [line for line in said if not any(one in line for one in expected)] == []


@pytest.mark.parametrize(("before", "after"), [("{", ""), ('"FC1"', '"FC1", "x": [')])
def test_a_snapshot_that_is_no_json_is_noticed(
    folder: Path, parser: Parser, capsys: pytest.CaptureFixture[str], before: str, after: str
) -> None:
    _edit(folder / SNAPSHOT, before, after)
    assert main([str(folder)], None, bind=parser.bind) == 1
    assert "one-subscription.snapshot.json cannot be read: " in capsys.readouterr().err


def test_a_snapshot_that_is_missing_is_noticed(
    folder: Path, parser: Parser, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / SNAPSHOT).unlink()
    assert main([str(folder)], None, bind=parser.bind) == 1
    said = capsys.readouterr().err
    assert "parameters/one-subscription.snapshot.json cannot be read" in said
    assert "there is no snapshot to scan" in said


def _finds_old_tls(snapshots: Mapping[str, Any], _: object) -> list[str]:
    """In checkov's place, whose start takes seconds: what it finds itself is tested above."""
    return [f"{name}: CKV_AZURE_44 " for name, one in snapshots.items() if '"TLS1_0"' in json.dumps(one)]


def test_with_a_compiler_what_is_right_passes_and_nothing_is_said(
    folder: Path, compiler: Compiler, parser: Parser, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (main([str(folder)], compiler, _finds_old_tls, parser.bind), capsys.readouterr().err) == (0, "")


def test_a_mistake_and_its_snapshot_are_noticed(
    folder: Path, compiler: Compiler, parser: Parser, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is scanned is what the templates give now, whatever was committed."""
    _edit(folder / STORAGE, "'TLS1_2'", "'TLS1_0'")
    assert main([str(folder)], compiler, _finds_old_tls, parser.bind) == 1
    said = capsys.readouterr().err
    assert "one-subscription.snapshot.json is not what the templates give: run `make snapshots`" in said
    assert "one-subscription: CKV_AZURE_44 " in said


def test_outputs_and_azds_parameters_are_held_against_the_template(folder: Path, bicep: Bicep) -> None:
    """The compiler's own comparison does not look at outputs."""
    _edit(folder / "main.bicep", "string = groupName", "string = '${groupName}-x'")
    _edit(folder / "main.parameters.json", '"readOnly"', '"readonly"')
    found, _ = compiled(bicep, folder, committed(folder)[0])
    assert found == [
        "one-subscription.snapshot.json is not what the templates give: run `make snapshots`",
        "main.parameters.json: main.bicep has no parameter readonly",
    ]


def test_a_parameter_that_the_template_does_not_have_is_noticed(folder: Path, bicep: Bicep) -> None:
    """Also beside a finding that is only a warning: with `--ages note` that one alone would pass."""
    _edit(folder / PARAMETERS, "environmentName", "environment")
    _edit(folder / STORAGE, "Accounts@2025-08-01' = {", "Accounts@2024-01-01' = {")
    found, _ = compiled(bicep, folder, {})
    assert any("Warning use-recent-api-versions" in one for one in found)
    assert any("Error BCP259" in one for one in found)


def test_an_old_api_version_is_a_note_where_time_alone_makes_it_old(
    folder: Path, compiler: Compiler, bicep: Bicep, parser: Parser, capsys: pytest.CaptureFixture[str]
) -> None:
    _edit(folder / STORAGE, "Accounts@2025-08-01' = {", "Accounts@2024-01-01' = {")
    write(folder / SNAPSHOT, bicep.snapshot(folder / PARAMETERS))
    assert main([str(folder), "--ages", "note"], compiler, _finds_old_tls, parser.bind) == 0
    assert "use-recent-api-versions" in capsys.readouterr().err


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A template of one module, under the rules of infra/: what is said of it is said of any."""
    for name in ("bicepconfig.json", "modules/types.bicep", STORAGE):
        shutil.copy(INFRA / name, tmp_path / Path(name).name)
    (tmp_path / "storage.bicep").rename(tmp_path / "main.bicep")
    return tmp_path


def test_the_compiler_says_nothing_of_what_is_right(small: Path, bicep: Bicep) -> None:
    assert bicep.compile(small / "main.bicep").findings == []


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("  properties: {\n", "  properties: {{\n", "Error BCP"),
        ("minimumTlsVersion:", "minimalTlsVersion:", 'The property "minimalTlsVersion" is not allowed'),
        ("allowSharedKeyAccess: false", "allowSharedKeyAccess: 'no'", "BCP036: "),
        ("Accounts@2025-08-01' = {", "Accounts@2023-01-01' = {", "Warning use-recent-api-versions:"),
        ("  location: location\n", "  location: 'westeurope'\n", "Warning no-hardcoded-location:"),
        ("param tags tagsOf", "param tags object", "Warning use-user-defined-types:"),
        ("param tags tagsOf", "param tags tagsOf\nparam unused any", "Warning no-explicit-any:"),
    ],
    ids=["syntax", "property", "value", "age", "location", "type", "any"],
)
def test_what_the_compiler_says_is_noticed(small: Path, bicep: Bicep, before: str, after: str, said: str) -> None:
    _edit(small / "main.bicep", before, after)
    assert any(said in one for one in bicep.compile(small / "main.bicep").findings)


def test_a_bicep_that_gives_no_answer_is_an_error(folder: Path) -> None:
    """One too old for `bicep jsonrpc` ends at once, as `false` does."""
    false = shutil.which("false")
    assert false
    (said,), _ = worked_out(Compiler(false), folder, {})
    assert "`bicep jsonrpc` needs a newer version" in said


def test_the_compiler_sees_a_template_that_changed_while_it_runs(small: Path, bicep: Bicep) -> None:
    """One process answers all questions: it must not remember a file as it was."""
    template = small / "main.bicep"
    assert bicep.compile(template).findings == []
    _edit(template, "allowSharedKeyAccess: false", "allowSharedKeyAccess: 'no'")
    assert bicep.compile(template).findings != []


def test_a_parameter_file_without_a_template_is_an_error(tmp_path: Path, bicep: Bicep) -> None:
    alone = tmp_path / "alone.bicepparam"
    alone.write_text("param a = 1\n", "utf-8")
    with pytest.raises(CompilerError, match="does not say which template it is for"):
        bicep.snapshot(alone)


def test_what_checkov_cannot_look_into_is_an_error() -> None:
    """The compiler leaves a module nested whose scope it cannot work out."""
    nested = {"type": "Microsoft.Resources/deployments", "name": "inner", "id": "/x", "apiVersion": "2022-09-01"}
    inner = {"type": "Microsoft.Storage/storageAccounts", "name": "store", "apiVersion": "2025-08-01"}
    template = {**nested, "properties": {"template": {"resources": [inner]}}}
    found = scanned({"a": {"predictedResources": [template]}}, ())
    assert "a: nobody looked into inner, which the compiler left nested" in found


def test_the_diagnostics_folder_differs_in_one_age_only() -> None:
    """Its bicepconfig.json is read instead of the one above, not on top of it."""
    above, below = (
        [line for line in (INFRA / name).read_text("utf-8").splitlines() if not line.lstrip().startswith("//")]
        for name in ("bicepconfig.json", "modules/diagnostics/bicepconfig.json")
    )
    differing = [pair for pair in zip(above, below, strict=True) if pair[0] != pair[1]]
    ((wide, narrow),) = [(one.strip(), other.strip()) for one, other in differing]
    assert wide == '"use-recent-api-versions": {"level": "warning", "maxAgeInDays": 730},'
    assert narrow == '"use-recent-api-versions": {"level": "warning", "maxAgeInDays": 3650},'


@pytest.mark.parametrize("provided", [True, False])
def test_the_gate_takes_the_compiler_that_is_provided_beside_the_checkout(tmp_path: Path, *, provided: bool) -> None:
    """`.ci/run` calls make three times; here make says which bicep it would find."""
    checkout, tools, bin_folder = tmp_path / "checkout", tmp_path / "shared" / "tools", tmp_path / "bin"
    (checkout / ".ci").mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "run", checkout / ".ci" / "run")
    bin_folder.mkdir()
    scripts = {bin_folder / "make": '#!/bin/sh\necho "$1: $(command -v bicep)"\n'}
    if provided:
        tools.mkdir(parents=True)
        scripts[tools / "bicep"] = "#!/bin/sh\n"
    for path, text in scripts.items():
        path.write_text(text, "utf-8")
        path.chmod(0o755)
    environment = {**os.environ, "PATH": f"{bin_folder}:/usr/bin:/bin"}
    ended = subprocess.run([checkout / ".ci" / "run"], env=environment, capture_output=True, text=True, check=True)
    said = [line for line in ended.stdout.splitlines() if line.startswith(("check:", "test:", "demo:"))]
    assert said == [f"{target}: {tools / 'bicep' if provided else ''}" for target in ("check", "test", "demo")]


def test_every_exception_is_of_a_type_that_is_deployed() -> None:
    """A scan cannot tell of an exception whose type it does not see."""
    there = {one["type"] for name in names() for one in made(name)}
    assert {one["type"] for one in accepted()} <= there
