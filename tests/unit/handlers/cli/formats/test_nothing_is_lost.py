"""What a plan holds is in each of its formats: the policies, the rules, the roles, the names, the reasons."""

import json
import os
import re
import struct
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from plans import everything
from unit.build import GROUP, REGISTRY, SUBSCRIPTION, WORKSPACE, guid
from unit.handlers.cli.formats import changes
from unit.handlers.cli.formats.changes import SHARED, grant
from unit.handlers.cli.formats.test_explained import explanation

from handlers.cli.apply import Applied
from handlers.cli.formats import az_script, sarif, schemas
from handlers.cli.formats.as_code import as_code
from handlers.cli.formats.names import called
from handlers.cli.formats.screen import Screen
from handlers.cli.formats.view import in_common, view
from handlers.cli.present import files, render, result_document
from shared.access.actions import Plan
from shared.access.model import Principal
from shared.access.plan_json import Document
from shared.access.report import Report
from shared.access.rules import RULES
from shared.access.scope import Scope
from shared.access.terms import RunMode
from shared.audit_rows import Outcome, Phase, Run
from shared.progress import Result

ALL = result_document(everything())
GRANT = grant(SHARED, REGISTRY, "infer pulls")


def rendered(document: Document, form: str) -> str:
    return render(document, form, Screen(), full=True)


def of(*grants: Any) -> Document:
    return result_document(Report([Plan(grants=grants)]))


# The view


def _applied() -> Document:
    run = Run(RunMode.ENFORCE)
    refused = Outcome(GRANT, Phase.FAILED, "Azure answered 403", code="AuthorizationFailed", lacks_right=True)
    return result_document(Report(), Applied(run.id, results=[Result(WORKSPACE, run, outcomes=(refused,))]))


def test_what_came_of_a_change_is_told_and_is_by_the_schema() -> None:
    document = _applied()
    schemas_of = schemas.plan()
    known = schemas_of["$defs"]["grant"]["properties"]
    (one,) = document["grants"]
    assert not one.keys() - known.keys()
    assert (one["outcome"], one["code"], one["lacksRight"]) == ("Failed", "AuthorizationFailed", True)
    (item,) = view(document).items
    assert (item.outcome, item.reason) == ("Failed", "Azure answered 403")
    assert "Azure answered 403" in rendered(document, "text")


def test_the_same_grant_to_several_of_whom_nobody_knows_a_name_is_one_kind() -> None:
    """Their object ids are all that differs."""
    grants = [grant(Principal(guid(name), "", type="User"), REGISTRY, "x") for name in ("one", "two")]
    kinds = {item.kind_of_thing for item in view(of(*grants)).items}
    assert len(kinds) == 1
    assert "user" in kinds.pop(), "not a name, but what it is"


def test_several_gaps_in_a_row_are_one() -> None:
    assert in_common(["grant AcrPull on a b to x", "grant AcrPull on c d to x"]) == "grant AcrPull on … to x"


@pytest.mark.parametrize(
    ("resource", "name"),
    [
        (str(SUBSCRIPTION), "subscription "),
        (str(GROUP), "resource group rg"),
        (str(REGISTRY), "registry acrml"),
        ("/x/providers/A.B/workspaces/mlw/onlineEndpoints/score", "online endpoint mlw/score"),
        ("/x/providers/A.B/workspaces/mlw/BATCHENDPOINTS/score", "batch endpoint mlw/score"),
        ("/x/providers/A.B/vaults/kv", "key vault kv"),
        ("/x/providers/A.B/others/o", "resource o"),
    ],
)
def test_things_are_called_what_they_are(resource: str, name: str) -> None:
    assert called(resource).startswith(name)


# Text, Markdown, and what explains


def test_the_text_has_signs_remedies_and_the_ids_of_rules() -> None:
    lines = rendered(ALL, "text").splitlines()
    assert any(line.startswith("  ? ") for line in lines)
    (at,) = (at for at, line in enumerate(lines) if line.startswith("  • high: "))
    assert "Do it" in lines[at + 2], "the remedy of the finding"
    (at,) = (at for at, line in enumerate(lines) if line.startswith("  ~ set adminUserEnabled"))
    assert "AML-21" in lines[at + 1]
    assert "registry-admin-user" in lines[at + 1]


def test_in_short_there_is_a_table_of_workspaces_and_only_what_is_there_again_is_counted() -> None:
    workspaces = [
        Scope.parse(f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/w{at}") for at in range(9)
    ]
    plans = [Plan(grants=(grant(SHARED, REGISTRY, "x", on),)) for on in workspaces]
    other = Plan(grants=(grant(SHARED, GROUP, "x", workspaces[0]),))
    said = render(result_document(Report([*plans, other], looked_at=workspaces)), "text", Screen(120, styled=True))
    plain = re.sub(r"\x1b\[[0-9;]*m", "", said)
    rows = [line.split() for line in plain.splitlines()]
    assert {f"w{at}" for at in range(9)} <= {row[0] for row in rows if row}
    assert "1×" not in plain.split()


def test_markdown_shows_an_icon_for_each() -> None:
    rows = [line for line in rendered(ALL, "markdown").splitlines() if line.startswith(("| ", "- "))]
    assert rows
    assert not [line for line in rows if line.startswith(("| None", "- None"))]


def test_an_explanation_says_what_is_to_become_of_a_setting() -> None:
    one = explanation(REGISTRY)
    lines = one.text(Screen()).splitlines()
    (setting,) = one.document()["settings"]
    (at,) = (at for at, line in enumerate(lines) if f"~ {setting['property']}" in line)
    assert lines[at + 1].endswith(setting["verdict"])


def test_a_terminal_says_how_wide_it_is() -> None:
    pty, fcntl, termios = (pytest.importorskip(name) for name in ("pty", "fcntl", "termios"))
    above, below = pty.openpty()
    fcntl.ioctl(below, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 77, 0, 0))
    with os.fdopen(below, "w") as terminal, redirect_stdout(terminal):
        found = Screen.of_output()
    os.close(above)
    assert (found.width, found.terminal) == (77, True)


# SARIF


def test_sarif_says_what_it_is_and_a_rule_is_as_bad_as_the_worst_that_it_finds() -> None:
    document = json.loads(rendered(ALL, "sarif"))
    (run,) = document["runs"]
    assert (document["version"], run["automationDetails"]["id"]) == ("2.1.0", "amlguard/")
    by_name = {rule["id"]: rule for rule in run["tool"]["driver"]["rules"]}
    assert {rule["properties"]["precision"] for rule in by_name.values()} == {"very-high"}
    order = list(sarif._LEVELS)
    for rule in RULES:
        found = {str(kind.severity) for kind in rule.kinds.values()}
        level = by_name[rule.name]["defaultConfiguration"]["level"]
        worst = next((one for one in order if one in found), None)
        assert level == ({"high": "error", "medium": "warning"}.get(worst, "note") if worst else "error"), rule.name
    assert len({rule["defaultConfiguration"]["level"] for rule in by_name.values()}) == 3


def test_sarif_of_a_template_names_its_file() -> None:
    place = {"files": ["main.bicep"], "needs": {"held": 0, "missing": 1, "unknown": 0}, "places": {}}
    (run,) = json.loads(rendered(ALL | {"template": place}, "sarif"))["runs"]
    for one in run["results"]:
        assert one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "main.bicep"


def test_the_schema_of_a_plan_says_what_a_requirement_and_a_place_are() -> None:
    schema = schemas.plan()
    asked = schema["$defs"]["grant"]["properties"]["requirements"]
    assert asked["items"]["pattern"] == "^AML-[0-9]+$"
    place = schema["properties"]["template"]["properties"]["places"]["additionalProperties"]
    assert (place["minItems"], place["maxItems"]) == (2, 2)


# As code


def test_a_policy_of_whom_nobody_can_tell_is_told_and_not_written() -> None:
    document = changes.document()
    (strange, *_) = (one for one in document["settings"] if one["property"] == "accessPolicies")
    strange |= {"principalId": "no body", "principal": None}
    code = as_code(view(document))
    assert all(one.holder.id != "no body" for one in code.policies)
    assert any("cannot tell whose" in note and "kvml" in note for note in code.notes)


def test_a_reason_is_cut_only_where_it_is_too_long() -> None:
    short, long = (as_code(view(of(grant(SHARED, REGISTRY, why)))).assignments[0] for why in ("because", "x" * 500))
    assert short.description.endswith("because")
    assert len(long.description) == 400
    assert long.description.endswith("…")


@pytest.mark.parametrize("kind", ["ServicePrincipal", "Group", "User", "ForeignGroup"])
def test_azure_is_told_of_which_type_an_identity_is(kind: str) -> None:
    """So that it does not look for one that was made a moment ago."""
    document = of(grant(Principal(guid("x"), "x", type=kind), REGISTRY, "x"))
    assert f"--assignee-principal-type {kind}" in rendered(document, "az")
    assert f"principalType: '{kind}'" in rendered(document, "bicep")
    known = kind != "ForeignGroup"  # not by the provider of Terraform
    assert (f'"principal_type": "{kind}"' in rendered(document, "terraform")) is known


def test_the_script_asks_for_versions_that_are_dates() -> None:
    found = re.findall(r"api-version=([^'\"& ]*)", rendered(changes.document(), "az"))
    assert found
    assert [one for one in found if not re.fullmatch(r"20\d\d-\d\d-\d\d", one)] == []


def test_what_every_script_has_is_ascii() -> None:
    """So it is the same text, in whatever encoding it is read."""
    assert Path(az_script.__file__).with_suffix(".sh").read_bytes().isascii()


def test_the_script_adds_an_access_policy_for_whom_the_plan_says() -> None:
    said = rendered(changes.document(), "az")
    lines = [line for line in said.splitlines() if "/accessPolicies/add" in line]
    assert [SHARED.id in line for line in lines].count(True) == 1
    assert all('"objectId"' in line for line in lines)


def test_two_groups_of_similar_names_have_a_module_each(tmp_path: Path) -> None:
    groups = [SUBSCRIPTION.child("resourceGroups", name) for name in ("rg.a", "rg_a", "rg-b")]
    grants = [grant(SHARED, one, one.name) for one in groups]
    found = _modules(of(*grants), tmp_path)
    assert len(found) == len(groups) + 1
    made = found.pop("missing.bicep")
    assert all(f"'./{name}'" in made for name in found)
    for one in groups:
        assert sum(f"// {one.name}\n" in text for text in found.values()) == 1


def _modules(document: Document, folder: Path) -> dict[str, str]:
    return {path.name: text for path, text in files(document, "bicep", folder / "missing.bicep").items()}


@pytest.mark.parametrize(("number", "said"), [(800, False), (801, True)])
def test_what_is_too_much_for_azure_is_told(number: int, said: bool) -> None:
    grants = [grant(Principal(guid(str(at)), "x"), REGISTRY, "x") for at in range(number)]
    assert ("at most 800 resources" in rendered(of(*grants), "bicep")) is said


@pytest.mark.parametrize("form", ["text", "json", "csv", "markdown", "sarif", "html", "bicep", "az", "terraform"])
def test_each_format_names_the_registry(form: str) -> None:
    assert "acrml" in rendered(ALL, form)
