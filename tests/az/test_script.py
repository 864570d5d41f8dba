"""Every command of a plan's script is one that the Azure CLI takes, its values included."""

import re
import shlex

import pytest
from az.parse import faults
from plans import HOSTILE, poisoned
from unit.handlers.cli.formats import changes

from handlers.cli.formats import az_script
from handlers.cli.formats.view import view
from shared.access.plan_json import Document

_ASKED = ("role assignment create", "keyvault show", "rest", "acr update", "role assignment delete")


def commands(document: Document) -> list[str]:
    """Those of the script, with its own variables filled in, each on one line."""
    said = az_script.text(view(document)).replace("\\\n", " ").replace('"$one/', '"/subscriptions/')
    lines = (line.strip().removesuffix("||").strip() for line in said.splitlines())
    return [found[0].removeprefix("$(").removesuffix(")") for line in lines if (found := _AZ.search(line))]


_AZ = re.compile(r"(?:^|\$\()az .*")


@pytest.fixture(scope="module")
def plain() -> list[str]:
    return commands(changes.document())


def test_each_kind_of_command_is_there(plain: list[str]) -> None:
    names = {" ".join(one.split(" --")[0].split()[1:]) for one in plain}
    assert names == set(_ASKED)


def test_the_azure_cli_takes_each(plain: list[str]) -> None:
    hostile = " ".join(one for name, one in HOSTILE.items() if name != "surrogate")
    document = changes.document()
    ids = ("resourceId", "scope", "workspace", "workspaces", "principal", "property")
    evil = [one | {name: old[name] for name in ids if name in old} for one, old in _grants(document, hostile)]
    both = [*plain, *commands(document | {"grants": evil})]
    assert faults(both) == {}
    assert len({tuple(shlex.split(one)) for one in both}) > len(plain)


def _grants(document: Document, evil: str) -> list[tuple[Document, Document]]:
    return list(zip(poisoned(document, evil)["grants"], document["grants"], strict=True))


def test_a_wrong_command_would_be_found(plain: list[str]) -> None:
    wrong = [one.replace("--assignee-object-id", "--assignee-id") for one in plain if "assignment create" in one]
    assert len(faults(wrong)) == len(wrong) > 0
