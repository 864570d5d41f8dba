"""`plan --template` and `explain --template`, as a person runs them: exit codes, formats, errors, the compiler."""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from kept_bicep import answered
from kept_command import kept_command
from unit.template import made
from unit.template.made import CLUSTER, IDENTITY, OBJECT_ID, REGISTRY, WORKSPACE, assigned, of_identity

from handlers.cli import template_arguments
from handlers.cli.bicep import Deployment, snapshot_of
from handlers.cli.bicep_text import assigned as assigned_in
from handlers.cli.bicep_text import literal, overridden, using
from handlers.cli.console import UsageError
from handlers.cli.formats.schemas import plan as plan_schema
from handlers.cli.main import main
from handlers.cli.parameters import Parameters
from handlers.cli.places import line_of
from infra.compiler import Bicep
from shared.access.scope import Scope

type Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a snapshot of these resources, or of the usual ones and more."""

    def written(*more: made.Raw, name: str = "main.snapshot.json", base: bool = True, **document: Any) -> Path:
        resources = [*made.base(), made.cluster(), *more] if base else list(more)
        file = tmp_path / name
        file.write_text(json.dumps({"predictedResources": resources, "diagnostics": [], **document}), "utf-8")
        return file

    return written


def planned(*arguments: object, out: Path) -> tuple[int, dict[str, Any]]:
    code = main(["plan", *map(str, arguments), "--format", "json", "--out", str(out)])
    return code, json.loads(out.read_text("utf-8"))


def test_what_is_missing_is_named_by_the_resource_and_has_no_object_id(write: Write, tmp_path: Path) -> None:
    code, document = planned("--template", write(), "--fail-on", "grant", out=tmp_path / "plan.json")
    assert code == 2
    (grant,) = document["grants"]
    assert (grant["principal"], grant["principalId"], grant["scope"]) == (IDENTITY, None, REGISTRY)
    assert (grant["resourceId"], grant["amlMayAdd"]) == (CLUSTER, False)
    assert document["template"]["needs"] == {"held": 1, "missing": 1, "unknown": 0}
    assert "template-" not in json.dumps(document)


def test_the_document_is_as_the_schema_says(write: Write, tmp_path: Path) -> None:
    strange = {"type": "Microsoft.ContainerRegistry/registries", "id": "[resourceId(parameters('x'))]"}
    for file in (write(assigned(OBJECT_ID)), write(), write(made.registry() | strange)):
        _, document = planned("--template", file, out=tmp_path / "plan.json")
        Draft202012Validator(plan_schema()).validate(document)


def test_nothing_is_missing_where_the_template_grants_it(write: Write, tmp_path: Path) -> None:
    file = write(assigned(of_identity()))
    assert planned("--template", file, "--fail-on", "grant", out=tmp_path / "plan.json")[0] == 0


def test_an_object_id_is_explained_by_an_option(write: Write, tmp_path: Path) -> None:
    file, out = write(assigned(OBJECT_ID)), tmp_path / "plan.json"
    assert planned("--template", file, out=out)[1]["unknown"]
    code, document = planned("--template", file, "--identity", f"{IDENTITY}={OBJECT_ID}", out=out)
    assert (document["grants"], document["unknown"]) == ([], [])
    assert code == 2  # for a finding: the workspace has no managed network


def test_the_headline_says_how_much_is_known(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    main(["plan", "--template", str(write())])
    said = capsys.readouterr().out
    assert "1 need held, 1 missing, 0 unknown. This speaks only of what the template shows" in said


def test_several_files_are_one_estate(write: Write, tmp_path: Path) -> None:
    grants = write(assigned(of_identity()), name="grants.snapshot.json", base=False)
    code, document = planned("--template", write(), grants, "--fail-on", "grant", out=tmp_path / "plan.json")
    assert (code, document["grants"]) == (0, [])


def test_without_a_workspace_nothing_was_looked_at(write: Write, tmp_path: Path) -> None:
    file, out = write(made.resource(IDENTITY), base=False), tmp_path / "plan.json"
    code, document = planned("--template", file, out=out)
    assert code == 1
    assert "makes no workspace" in document["errors"][0]
    assert planned("--template", file, "--allow-empty", out=out)[0] == 0


def test_what_is_incomplete_is_an_error_and_nothing_is_called_missing(write: Write, tmp_path: Path) -> None:
    said = {"code": "NestedDeployment", "message": "it could not be expanded"}
    code, document = planned("--template", write(diagnostics=[said]), "--allow-empty", out=tmp_path / "plan.json")
    assert (code, document["grants"], document["findings"]) == (1, [], [])
    assert "it could not be expanded" in document["errors"][0]


_QUIET = "rules: {managed-network: {enabled: false}, compute-settings: {enabled: false}}\n"
_MODULE = {"code": "NestedDeploymentShortCircuited", "message": "x"}


@pytest.mark.parametrize(
    ("what", "default", "on_grant", "never"),
    [
        ("held", 0, 0, 0),
        ("missing", 2, 2, 0),
        ("unknown", 2, 0, 0),
        ("added by AML", 2, 2, 0),
        ("admin user", 2, 2, 0),
        ("incomplete", 1, 1, 1),
        ("no workspace", 1, 1, 1),
    ],
)
def test_exit_codes_are_those_of_any_plan(
    what: str, default: int, on_grant: int, never: int, write: Write, tmp_path: Path
) -> None:
    pull = assigned(of_identity())
    base = [one for one in made.base() if "registries" not in one["type"]]
    files: dict[str, Callable[[], Path]] = {
        "held": lambda: write(pull),
        "missing": write,
        "unknown": lambda: write(assigned(OBJECT_ID)),
        "added by AML": lambda: write(*made.base(), made.cluster(made.system()), base=False),
        "admin user": lambda: write(*base, made.registry(adminUserEnabled=True), made.cluster(), pull, base=False),
        "incomplete": lambda: write(pull, diagnostics=[_MODULE]),
        "no workspace": lambda: write(pull, base=False),
    }
    file = files[what]()
    (tmp_path / "policy.yaml").write_text(_QUIET, "utf-8")
    chosen = ["--template", file, "--policy", tmp_path / "policy.yaml"]
    for option, code in (([], default), (["--fail-on", "grant"], on_grant), (["--fail-on", "never"], never)):
        assert planned(*chosen, *option, out=tmp_path / "plan.json")[0] == code, option


def test_the_policy_chooses_workspaces_and_rules(write: Write, tmp_path: Path) -> None:
    policy, out = tmp_path / "policy.yaml", tmp_path / "plan.json"
    policy.write_text("rules: {AML-18: {enabled: false}, AML-19: {enabled: false}}\n", "utf-8")
    assert planned("--template", write(), "--policy", policy, out=out)[1]["grants"] == []
    policy.write_text(f"scopes: [{made.SUBSCRIPTION}/resourceGroups/other]\n", "utf-8")
    assert planned("--template", write(), "--policy", policy, out=out)[0] == 1


def test_explain_takes_a_template(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--template", str(write()), "--format", "json", REGISTRY]) == 2
    needs = json.loads(capsys.readouterr().out)["needs"]
    assert ("to be granted", None) in {(one["verdict"], one["principalId"]) for one in needs}
    main(["explain", "--template", str(write(assigned(OBJECT_ID))), REGISTRY])
    assert "not known: AcrPull" in capsys.readouterr().out
    assert main(["explain", "--template", str(write()), f"{REGISTRY}else"]) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--parameter", "a=b"], "--parameter goes with --template"),
        (["--template", "gone.snapshot.json"], "gone.snapshot.json"),
        (["--template", "main.txt"], "is wanted here"),
        (["--template", "MAIN", "--identity", "nothing"], "RESOURCE-ID=OBJECT-ID is wanted"),
        (["--template", "MAIN", "--subscription", "mine"], "is not a GUID"),
        (["--template", "MAIN", "--also", "pdf=x"], "FORMAT=FILE is wanted"),
    ],
)
def test_what_cannot_work_is_said(
    options: list[str], said: str, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", *(str(write()) if one == "MAIN" else one for one in options)]) == 1
    assert said in capsys.readouterr().err


def test_no_azure_sdk_is_loaded(write: Write, tmp_path: Path) -> None:
    script = (
        "import sys; from handlers.cli.main import main; code = main(sys.argv[1:]); "
        "sys.exit(code if not any(one.split('.')[0] in ('azure', 'aiohttp', 'msal') for one in sys.modules) else 9)"
    )
    arguments = ["plan", "--template", str(write()), "--format", "json", "--out", str(tmp_path / "x")]
    assert subprocess.run([sys.executable, "-c", script, *arguments], check=False).returncode == 2


_ANY = "11111111-1111-4111-8111-111111111111"


@pytest.mark.parametrize(
    ("scopes", "subscription", "group"),
    [
        ([], _ANY, "rg-ml"),
        ([made.GROUP], made.SUBSCRIPTION[15:], "rg-demo"),
        ([made.SUBSCRIPTION.upper().replace("SUBSCRIPTIONS", "subscriptions")], made.SUBSCRIPTION[15:], "rg-ml"),
        ([WORKSPACE, REGISTRY], made.SUBSCRIPTION[15:], "rg-demo"),
        ([WORKSPACE, made.ELSEWHERE], made.SUBSCRIPTION[15:], "rg-ml"),
        ([WORKSPACE, "/subscriptions/dddddddd-0000-4000-8000-000000000004"], _ANY, "rg-ml"),
    ],
)  # fmt: skip
def test_with_a_connection_the_scope_says_where_the_template_goes(
    scopes: list[str], subscription: str, group: str
) -> None:
    parser = argparse.ArgumentParser()
    template_arguments.add(parser, at_once=True)
    options = parser.parse_args(["--template", "x.bicep"])
    options.scope, options.policy = scopes, None
    found = template_arguments.of(options)
    assert found
    assert (found.deployment.subscription.casefold(), found.deployment.group) == (subscription, group)
    options.subscription, options.resource_group = OBJECT_ID, "mine"
    found = template_arguments.of(options)
    assert found
    assert (found.deployment.subscription, found.deployment.group) == (OBJECT_ID, "mine")


DEPLOYMENT = Deployment(WORKSPACE.split("/")[2], "rg-demo", "mg", OBJECT_ID, "westeurope")


def _compiler(tmp_path: Path, script: str) -> dict[str, str]:
    """A compiler that does what `script` says."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "bicep").write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    (folder / "bicep").chmod(0o755)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)}


def _template(tmp_path: Path, **parameters: Any) -> Path:
    folder = tmp_path / "infra"
    folder.mkdir()
    schema = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
    file = folder / "main.json"
    file.write_text(json.dumps({"$schema": schema, "parameters": parameters, "resources": []}), "utf-8")
    return file


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'x(1,1) : Error BCP192: Unable to restore the module' >&2; exit 1", "modules that could not be fetched"),
        (
            "echo 'x(1,1) : Error BCP057: The name is wrong [https://aka.ms/bicep#BCP057]' >&2; exit 1",
            "does not compile: The name is wrong (BCP057)",
        ),
        ("echo 'Unrecognized command' >&2; exit 1", "it is too old"),
        ("exit 0", "wrote no snapshot"),
    ],
)
def test_what_the_compiler_cannot_do_is_an_error_and_leaves_nothing_behind(
    script: str, said: str, tmp_path: Path
) -> None:
    file = _template(tmp_path)
    with pytest.raises(UsageError, match=re.escape(said)):
        snapshot_of(file, DEPLOYMENT, _compiler(tmp_path, script))
    assert [one.name for one in file.parent.iterdir()] == ["main.json"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("beside", [".bicepparam", ".snapshot.json"])
def test_what_it_writes_for_the_compiler_goes_when_it_is_ended(
    number: signal.Signals, beside: str, tmp_path: Path
) -> None:
    """The compiler has begun, or has written already. It does not end by itself: it waits for a pipe."""
    file = _template(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    writes = "" if beside == ".bicepparam" else 'echo "{}" > "${2%.bicepparam}.snapshot.json"; '
    environment = os.environ | _compiler(tmp_path, f'{writes}exec cat "{tmp_path}/pipe"')
    command = [sys.executable, "-m", "handlers.cli.main", "plan", "--template", str(file)]
    # What a shell starts in the background ignores SIGINT, and so would all that the tests start.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        signal.signal(signal.SIGINT, before)
        with (tmp_path / "pipe").open("w"):  # waits until the compiler reads
            assert [one for one in file.parent.iterdir() if one.name.endswith(beside)]
            process.send_signal(number)
            try:
                assert process.wait(timeout=60) not in (0, 2)
            finally:
                process.kill()
    assert [one.name for one in file.parent.iterdir()] == ["main.json"]


def test_without_a_compiler_it_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no Bicep compiler"):
        snapshot_of(_template(tmp_path), DEPLOYMENT, {"PATH": str(tmp_path), "HOME": str(tmp_path)})


def test_azs_own_compiler_is_found(tmp_path: Path) -> None:
    made_by = _compiler(tmp_path, 'echo \'{"predictedResources": []}\' > "${2%.bicepparam}.snapshot.json"')
    (tmp_path / ".azure").mkdir()
    (tmp_path / "bin").rename(tmp_path / ".azure" / "bin")
    found, _ = snapshot_of(_template(tmp_path), DEPLOYMENT, {"PATH": "/nowhere", "HOME": made_by["HOME"]})
    assert found == {"predictedResources": []}


def test_a_required_parameter_without_a_value_is_named(tmp_path: Path) -> None:
    file = _template(
        tmp_path, region={"type": "string"}, size={"type": "int", "defaultValue": 1}, maybe={"nullable": True}
    )
    with pytest.raises(UsageError, match=r"needs a value for region: add --parameter region=VALUE"):
        snapshot_of(file, DEPLOYMENT, _compiler(tmp_path, "exit 1"))


@pytest.mark.parametrize(
    ("default", "value"),
    [
        ("[utcNow()]", "20260101T000000Z"),
        ("[utcNow('u')]", "2026-01-01 00:00:00Z"),
        ("[newGuid()]", "00000000-0000-4000-8000-000000000000"),
        ("[format('x{0}', UTCNOW('d'))]", "20260101t000000z"),
    ],
)
def test_what_would_differ_each_time_is_fixed_and_said(default: str, value: str) -> None:
    found = Parameters.of({"parameters": {"stamp": {"type": "string", "defaultValue": default}}}, ())
    assert found.values == {"stamp": value}
    assert "stamp would differ each time" in found.notes[0]
    given = Parameters.of({"parameters": {"stamp": {"type": "string", "defaultValue": default}}}, ("STAMP=mine",))
    assert (given.values, given.notes) == ({"stamp": "mine"}, [])


@pytest.mark.parametrize(
    ("kind", "value", "found"),
    [
        ("int", "3", 3),
        ("bool", "true", True),
        ("array", "[1]", [1]),
        ("object", '{"a": 1}', {"a": 1}),
        ("string", "3", "3"),
    ],
)
def test_parameters_are_read_by_their_type(kind: str, value: str, found: object) -> None:
    assert Parameters.of({"parameters": {"p": {"type": kind}}}, (f"p={value}",)).values == {"p": found}


@pytest.mark.parametrize(("kind", "value"), [("int", "true"), ("int", "x"), ("array", "{}"), ("bool", "1")])
def test_a_parameter_of_another_type_is_an_error(kind: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"is no {kind}"):
        Parameters.of({"parameters": {"p": {"type": kind}}}, (f"p={value}",))


def test_a_parameter_file_is_read_and_overridden() -> None:
    written = (
        "using './main.bicep'\n\n@description('x')\nparam a = {\n  b: 1\n}\nparam c = [\n  2\n]\n// d\nparam d = 'x'\n"
    )
    assert using(written) == "./main.bicep"
    assert assigned_in(written) == {"a", "c", "d"}
    changed = overridden(written, {"a": "it's ${x}", "e": None})
    assert assigned_in(changed) == {"a", "c", "d", "e"}
    assert "b: 1" not in changed
    assert "param a = 'it\\'s \\${x}'" in changed


def test_literals_say_what_json_says() -> None:
    assert literal({"a": [1, True, None, "x\n"], "b-c": 1.5}).split() == [
        *("{", "a:", "[", "1", "true", "null", "'x\\n'", "]", "'b-c':", "json('1.5')", "}")
    ]


def test_a_resource_is_found_at_the_line_of_its_symbolic_name(tmp_path: Path) -> None:
    file = tmp_path / "main.bicep"
    file.write_text(
        "// resource no 'x'\n"
        "resource old 'Microsoft.ContainerRegistry/registries@2025-04-01' existing = { name: 'crdemo' }\n\n"
        "resource one 'Microsoft.ContainerRegistry/registries@2025-04-01' = {\n  name: 'crother'\n}\n"
        "resource two 'microsoft.containerregistry/registries@2025-04-01' = if (true) {\n  name: 'crdemo'\n}\n",
        "utf-8",
    )
    assert line_of(file, Scope.parse(REGISTRY)) == 7
    assert line_of(file, Scope.parse(REGISTRY.replace("crdemo", "crother"))) == 4
    assert line_of(file, Scope.parse(f"{REGISTRY}x")) == 1
    assert line_of(file, Scope.parse(CLUSTER)) == 1


_NAMED = """\
var prefix = 'demo'
@description('resource not here')
param location string = resourceGroup().location
param ws_name string = 'mlw-${prefix}'
resource mlw 'Microsoft.MachineLearningServices/workspaces@2025-06-01' = {
  sku: { name: 'demo' }
  name: ws_name
  resource gpu 'computes' = { name: 'gpu-${location}', location: location }
  resource nested 'computes@2025-06-01' = { name: 'gpu-inner', location: location }
}
resource clusters 'Microsoft.MachineLearningServices/workspaces/computes@2025-06-01' = [for team in ['a', 'b']: {
  // name: 'gpu-a'
  name: 'cpu-${toLower('${team}')}'
}]

resource one 'Microsoft.MachineLearningServices/workspaces/computes@2025-06-01' = if (true) {
  properties: { name: 'cpu-a' }
  name: '${ws.name}/one'
}
resource any 'Microsoft.MachineLearningServices/workspaces/computes@2025-06-01' = {
  name: toLower('ANY')
}
"""


@pytest.mark.parametrize(
    ("below", "line"),
    [
        ("", 5),
        ("/computes/gpu-inner", 9),
        ("/computes/cpu-a", 11),
        ("/computes/cpu-b", 11),
        ("/computes/one", 16),
        ("/computes/something", 20),
        ("/datastores/cpu-a", 1),
    ],
)
def test_names_with_expressions_lead_to_the_declaration_that_fits_best(below: str, line: int, tmp_path: Path) -> None:
    file = tmp_path / "main.bicep"
    file.write_text(_NAMED, "utf-8")
    workspace = f"{made.GROUP}/providers/Microsoft.MachineLearningServices/workspaces/mlw-demo"
    assert line_of(file, Scope.parse(f"{workspace}{below}")) == line
    other = tmp_path / "windows.bicep"
    other.write_bytes(_NAMED.replace("\n", "\r\n").encode())
    assert line_of(other, Scope.parse(f"{workspace}{below}")) == line


_MAIN = """\
param salt string
param stamp string = utcNow()
resource id 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = { name: 'id', location: 'westeurope' }
resource cr 'Microsoft.ContainerRegistry/registries@2025-04-01' = {
  name: 'cr${salt}${uniqueString(stamp)}'
  location: 'westeurope'
  sku: { name: 'Basic' }
}
resource mlw 'Microsoft.MachineLearningServices/workspaces@2025-06-01' = {
  name: 'mlw'
  location: 'westeurope'
  identity: { type: 'SystemAssigned' }
  properties: { containerRegistry: cr.id }
}
resource train 'Microsoft.MachineLearningServices/workspaces/computes@2025-06-01' = {
  parent: mlw
  name: 'train'
  location: 'westeurope'
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${id.id}': {} } }
  properties: { computeType: 'AmlCompute', properties: { vmSize: 'Standard_DS3_v2' } }
}
"""


@pytest.fixture(scope="module")
def kept(bicep: Bicep, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PATH on which `bicep` is one that runs already."""
    folder = tmp_path_factory.mktemp("kept")
    with kept_command(folder / "bicep", partial(answered, bicep)):
        yield f"{folder}{os.pathsep}{os.environ['PATH']}"


def test_a_bicep_file_is_compiled_and_its_mending_mends_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, bicep: Bicep, kept: str
) -> None:
    """First by the compiler as it is installed, which takes seconds to start for each question."""
    monkeypatch.chdir(tmp_path)
    Path("main.bicep").write_text(_MAIN, "utf-8")
    chosen = ["--template", "main.bicep", "--parameter", "salt=demo"]
    mend = ["--also", "bicep=mend.bicep", "--also", "sarif=x.sarif", "--fail-on", "grant"]
    assert main(["plan", *chosen, *mend]) == 2
    assert "parameter stamp would differ each time" in capsys.readouterr().err
    (result,) = [
        one for one in json.loads(Path("x.sarif").read_text("utf-8"))["runs"][0]["results"] if one["level"] == "error"
    ]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "main.bicep"
    assert result["locations"][0]["physicalLocation"]["region"]["startLine"] == 15
    assert bicep.compile(tmp_path / "mend.bicep").findings == []
    monkeypatch.setenv("PATH", kept)
    assert main(["plan", "--template", "main.bicep", "mend.bicep", *chosen[2:], "--fail-on", "grant"]) == 0
    assert sorted(one.name for one in tmp_path.iterdir()) == ["main.bicep", "mend.bicep", "x.sarif"]


_TWO_GROUPS = """\
param principal string = ''
resource id 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = { name: 'id', location: 'westeurope' }
resource st 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: 'stdemo'
  location: 'westeurope'
  kind: 'StorageV2'
  sku: { name: 'Standard_LRS' }
  properties: { allowSharedKeyAccess: true }
}
resource mlw 'Microsoft.MachineLearningServices/workspaces@2025-06-01' = {
  name: 'mlw-demo'
  location: 'westeurope'
  identity: { type: 'SystemAssigned' }
  properties: { containerRegistry: resourceId('SUB', 'rg-platform', 'Microsoft.ContainerRegistry/registries', 'crdemo')
    storageAccount: st.id }
}
resource train 'Microsoft.MachineLearningServices/workspaces/computes@2025-06-01' = {
  parent: mlw
  name: 'train'
  location: 'westeurope'
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${id.id}': {} } }
  properties: { computeType: 'AmlCompute', properties: { vmSize: 'Standard_DS3_v2' } }
}
resource data 'Microsoft.MachineLearningServices/workspaces/datastores@2025-06-01' = {
  parent: mlw
  name: 'data'
  properties: { datastoreType: 'AzureBlob', accountName: st.name, containerName: 'data'
    credentials: { credentialsType: 'None' }, subscriptionId: 'SUB', resourceGroup: 'rg-ml' }
}
"""
_POLICY = f"trust: {{allow: ['/subscriptions/{_ANY}']}}\n"


def test_the_mending_of_several_groups_is_several_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bicep: Bicep, kept: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", kept)
    Path("main.bicep").write_text(_TWO_GROUPS.replace("SUB", _ANY), "utf-8")
    Path("policy.yaml").write_text(_POLICY, "utf-8")
    chosen = ["--policy", "policy.yaml", "--format", "json", "--out", "plan.json"]
    assert main(["plan", "--template", "main.bicep", *chosen, "--also", "bicep=mend.bicep"]) == 2
    groups = {one["scope"].split("/")[4] for one in json.loads(Path("plan.json").read_text("utf-8"))["grants"]}
    assert groups == {"rg-platform", "rg-ml"}
    assert {one.name for one in tmp_path.glob("*.bicep")} > {"main.bicep", "mend.bicep"}
    assert bicep.compile(tmp_path / "mend.bicep").findings == []
    main(["plan", "--template", "main.bicep", "mend.bicep", *chosen])
    assert json.loads(Path("plan.json").read_text("utf-8"))["grants"] == []
