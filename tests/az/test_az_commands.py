"""Every az command of documents, of code and of a plan's script is one that the Azure CLI takes, and a test can fail.

All is in one module: to load the CLI and AML's schemas takes longer than all that is asked of them.
"""

import ast
import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from az.parse import documents_commands, faults, remedies_commands
from plans import HOSTILE, poisoned
from unit.handlers.cli.formats import changes

from handlers.cli.formats import az_script
from handlers.cli.formats.view import view
from shared.access.plan_json import Document

_ROOT = Path(__file__).parents[2]
_CODE = sorted(path for folder in ("handlers", "infra", "shared") for path in _ROOT.glob(f"{folder}/**/*.py"))
_OF_DOCUMENTS = {
    path.relative_to(_ROOT).as_posix(): commands
    for path in sorted([*_ROOT.glob("*.md"), *_ROOT.glob("docs/**/*.md")])
    if (commands := documents_commands(path.read_text(encoding="utf-8")))
}


def _texts(nodes: list[ast.AST]) -> Iterator[str]:
    """All strings that a program can print: with a name for whatever it puts in, and without docstrings."""
    within = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    documented = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    apart = within | documented
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "VALUE-ID" for part in node.values)
            yield "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in apart:
            yield node.value


def _made(nodes: list[ast.AST]) -> Iterator[str]:
    """What calls of `az` would print, as far as the code says it; what is not said there is left open."""
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "az" and node.args:
            command = ast.literal_eval(node.args[0])
            given = {one.arg.replace("_", "-"): one.value for one in node.keywords if one.arg}
            yield " ".join(["az", command, "…", *(f"--{name} {_said(value)}" for name, value in given.items())])


def _said(value: ast.expr) -> str:
    if not isinstance(value, ast.Constant):
        return "SOME-ID"
    return "" if value.value is True else f"'{value.value!s}'"


@pytest.fixture(scope="module")
def nodes() -> list[list[ast.AST]]:
    """Of each file in which a command, or a call of `az`, can stand."""
    sources = (path.read_text(encoding="utf-8") for path in _CODE)
    return [list(ast.walk(ast.parse(source))) for source in sources if re.search(r"az\b", source)]


@pytest.fixture(scope="module")
def printed(nodes: list[list[ast.AST]]) -> list[str]:
    return [command for one in nodes for text in _texts(one) for command in remedies_commands(text)]


@pytest.fixture(scope="module")
def made(nodes: list[list[ast.AST]]) -> list[str]:
    return [command for one in nodes for command in _made(one)]


@pytest.fixture(scope="module")
def wrong(printed: list[str], made: list[str]) -> dict[str, str]:
    every = [*(command for commands in _OF_DOCUMENTS.values() for command in commands), *printed, *made]
    return faults(every, naming=True)


def _wrong_of(commands: Iterable[str], wrong: dict[str, str]) -> dict[str, str]:
    return {command: wrong[command] for command in commands if command in wrong}


@pytest.mark.parametrize("document", _OF_DOCUMENTS)
def test_documents(document: str, wrong: dict[str, str]) -> None:
    assert _wrong_of(_OF_DOCUMENTS[document], wrong) == {}


def test_messages_in_code(printed: list[str], wrong: dict[str, str]) -> None:
    """Of errors and help. A command that no backquotes set off is an error of `remedies_commands`."""
    assert "az login" in printed
    assert _wrong_of(printed, wrong) == {}


def test_commands_that_rules_make(made: list[str], wrong: dict[str, str]) -> None:
    """All of them, the branches that no case of the catalogue takes included; values are held there, as printed."""
    assert len(made) > 50
    about_values = ("not a valid value", "invalid", "InvalidArgumentValueError", "none of")
    said = _wrong_of(made, wrong)
    assert {command: why for command, why in said.items() if not any(one in why for one in about_values)} == {}


_OF_SCRIPT = ("role assignment create", "keyvault show", "rest", "acr update", "role assignment delete")


def _of_script(document: Document) -> list[str]:
    """The commands of a plan's script, with its own variables filled in, each on one line."""
    said = az_script.text(view(document)).replace("\\\n", " ").replace('"$one/', '"/subscriptions/')
    lines = (line.strip().removesuffix("||").strip() for line in said.splitlines())
    return [found[0].removeprefix("$(").removesuffix(")") for line in lines if (found := _AZ.search(line))]


_AZ = re.compile(r"(?:^|\$\()az .*")


@pytest.fixture(scope="module")
def of_script() -> list[str]:
    return _of_script(changes.document())


def test_each_kind_of_command_is_in_a_script(of_script: list[str]) -> None:
    names = {" ".join(one.split(" --")[0].split()[1:]) for one in of_script}
    assert names == set(_OF_SCRIPT)


def test_commands_of_a_script(of_script: list[str]) -> None:
    hostile = " ".join(one for name, one in HOSTILE.items() if name != "surrogate")
    document = changes.document()
    ids = ("resourceId", "scope", "workspace", "workspaces", "principal", "property")
    evil = [one | {name: old[name] for name in ids if name in old} for one, old in _grants(document, hostile)]
    both = [*of_script, *_of_script(document | {"grants": evil})]
    assert faults(both) == {}
    assert len({tuple(shlex.split(one)) for one in both}) > len(of_script)


def _grants(document: Document, evil: str) -> list[tuple[Document, Document]]:
    return list(zip(poisoned(document, evil)["grants"], document["grants"], strict=True))


def test_a_wrong_command_in_a_script_would_be_found(of_script: list[str]) -> None:
    wrong = [one.replace("--assignee-object-id", "--assignee-id") for one in of_script if "assignment create" in one]
    assert len(faults(wrong)) == len(wrong) > 0


_WORKSPACE = "--workspace-name mlw --resource-group rg"
_SUBNET = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg/providers/Microsoft.Network"
_SUBNET += "/virtualNetworks/net/subnets/nodes"

_RIGHT = (
    "az acr update --name acrml --public-network-enabled false",
    f"az network vnet subnet update --ids {_SUBNET} --service-endpoints Microsoft.Storage",
    "az network vnet subnet update --ids SUBNET-ID --nat-gateway NAT-GATEWAY-ID",
    "az role assignment create --assignee-object-id <object-id> --role Reader --scope /subscriptions/<id>",
    "az role definition list --name 'a b' > r.json && az role definition update --role-definition r.json",
    "az acr show --name acrml && az acr delete --name $(az acr list --query '[0].name' --output tsv)",
    f"az ml compute delete --name cpu1 {_WORKSPACE} --yes",
    f"az ml online-endpoint update --name infer {_WORKSPACE} --set auth_mode=aad_token",
    "az ml workspace update --name mlw --resource-group rg --set serverless_compute.custom_subnet=SUBNET-ID",
)
_WRONG = {
    "az acr update --name acrml --public-network-enabled false.": "not a valid value",
    "az acr update --public-network-enabled false": "required: --name",
    "az acr update --name acrml --public-access false": "unrecognized",
    "az acr update --name acrml, in the end": "unrecognized arguments: in the end",
    "az acr updatte --name acrml": "misspelled",
    "az network vnet subnet update --service-endpoints Microsoft.Storage": "required",
    "az network vnet subnet update --ids subnet --service-endpoints Microsoft.Storage": "invalid resource ID",
    "az acr show --name acrml && az acr delete": "required: --name",
    "az acr update … --admin-enabled false": "required: --name",
    "az acr delete --name $(az acr list --quiet)": "unrecognized",
    f"az ml compute delete --name cpu1 {_WORKSPACE} --force": "unrecognized: --force",
    f"az ml compute delete {_WORKSPACE}": "required: --name",
    f"az ml compute create --type AmlCompute --name cpu1 {_WORKSPACE} --enable-node-public-ip x": "none of true, false",
    f"az ml compute create --type AmlCompute --name cpu1 {_WORKSPACE} --set ssh_access=false": "ssh_access",
    f"az ml compute delete --name cpu1 --name cpu2 {_WORKSPACE}": "twice: --name",
    f"az ml datastore create --file D.yml {_WORKSPACE} --set resource_group=rg": "resource_group",
    f"az ml online-endpoint update --name infer {_WORKSPACE} --set auth_mode=token": "auth_mode",
    "az ml workspace update --name mlw --resource-group rg --serverless-compute-custom-subnet SUBNET": "unrecognized",
    "az ml workspace sync-keys --name mlw --resource-group rg": "not among the commands that were looked up",
}


@pytest.fixture(scope="module")
def found() -> dict[str, str]:
    return faults([*_RIGHT, *_WRONG])


def test_what_is_right_passes(found: dict[str, str]) -> None:
    assert {command: said for command, said in found.items() if command in _RIGHT} == {}


@pytest.mark.parametrize("command", _WRONG)
def test_what_is_wrong_does_not(found: dict[str, str], command: str) -> None:
    assert _WRONG[command] in found.get(command, "")


def test_a_command_outside_backquotes_has_no_end() -> None:
    assert remedies_commands("Look first: `az acr show --name a`. Then `az acr delete --name a`.") == [
        "az acr show --name a",
        "az acr delete --name a",
    ]
    assert remedies_commands("``az role definition list --name 'a`b'``") == ["az role definition list --name 'a`b'"]
    with pytest.raises(ValueError, match="outside backquotes"):
        remedies_commands("Delete it: az acr delete --name a.")


def test_documents_have_commands_in_blocks_and_in_lines() -> None:
    text = "Use `az login`:\n\n```sh\naz acr show \\\n  --name a  # which one\n```\n\n```yaml\naz: x\n```\n"
    assert documents_commands(text) == ["az acr show    --name a  # which one", "az login"]


def test_what_is_only_named_lacks_nothing() -> None:
    named = ["az acr delete", "az acr update … --admin-enabled false", "az acr show --name …  # which one"]
    assert set(faults([*named, "az acr update … --admin off"], naming=True)) == {"az acr update … --admin off"}
