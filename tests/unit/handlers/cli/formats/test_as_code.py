"""A plan as Bicep, Terraform and a script: what is in it, by which names, and that it is the same in any order."""

import json
import random
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.build import GROUP, OTHER_SUBSCRIPTION, REGISTRY, TENANT, VAULT, guid, sai
from unit.handlers.cli.formats import changes
from unit.handlers.cli.formats.changes import SEARCH, SHARED

from handlers.cli.formats import az_script, bicep_file
from handlers.cli.formats.as_code import as_code
from handlers.cli.formats.screen import Screen
from handlers.cli.formats.view import View, view
from handlers.cli.present import files, render, result_document
from infra.compiler import Bicep
from shared.access.actions import Plan, Refusal, Withheld
from shared.access.guards import Guard
from shared.access.model import Principal
from shared.access.needs import ACCESS_POLICY, PULL
from shared.access.own_assignments import assignment_name, own, run_of
from shared.access.plan_json import Document
from shared.access.report import Report
from shared.access.scope import Scope

CODE = ("bicep", "az", "terraform")
SCHEMA = json.loads(Path(__file__).with_name("azurerm.json").read_text("utf-8"))


def rendered(document: Document, form: str) -> str:
    return render(document, form, Screen())


def seen() -> View:
    return view(changes.document())


def wanted(document: Document) -> dict[str, tuple[str, str, str]]:
    """Name, scope, role and holder of each grant of the plan."""
    found = {}
    for one in document["grants"]:
        scope, role = one["scope"], one["roleDefinitionId"].rpartition("/")[2]
        name = assignment_name(Scope.parse(scope), one["principalId"], role)
        found[name] = (scope.casefold(), role, one["principalId"])
    return found


def shuffled(one: Any, chance: random.Random) -> Any:
    """The same plan: its lists in another order."""
    if isinstance(one, dict):
        return {name: shuffled(value, chance) for name, value in one.items()}
    if isinstance(one, list):
        return [shuffled(value, chance) for value in chance.sample(one, len(one))]
    return one


@settings(max_examples=20)
@given(chance=st.randoms(use_true_random=False))
def test_the_order_of_a_plan_changes_no_byte(chance: random.Random) -> None:
    document = changes.document()
    other = shuffled(document, chance)
    for form in CODE:
        assert rendered(other, form) == rendered(document, form)


@pytest.mark.parametrize("form", CODE)
def test_a_later_plan_of_the_same_state_is_the_same_text(form: str) -> None:
    later = changes.report()
    later.time, later.version = None, "9.9.9"
    assert rendered(result_document(later), form) == rendered(changes.document(), form)


def test_what_two_workspaces_want_is_there_once_and_says_why_for_both() -> None:
    shared = [one for one in as_code(seen()).assignments if one.holder.id == SHARED.id and one.scope == REGISTRY]
    assert [one.why for one in shared] == ["infer pulls; other pulls as well"]


@given(st.text(), st.text())
def test_amlguard_takes_back_nothing_of_it(role: str, why: str) -> None:
    """Whatever is in the reason, also a description with amlguard's own mark."""
    mark = f"amlguard: x (AML-18), run {guid('run')}, for {REGISTRY}"
    document = changes.document()
    document["grants"][0] |= {"roleName": role, "reason": f"{why}{mark}"}
    document["grants"][1] |= {"roleName": mark, "reason": mark}
    for one in as_code(view(document)).assignments:
        assert run_of(one.description) is None
        made = {"description": one.description, "scope": str(one.scope), "principalId": one.holder.id}
        at = f"{one.scope}/providers/Microsoft.Authorization/roleAssignments/{one.name}"
        assert own({"id": at, "properties": made | {"roleDefinitionId": one.role_definition_id}}) is None


def test_the_mark_would_be_recognised() -> None:
    """Or the test above could not fail."""
    one = as_code(seen()).assignments[0]
    made = {"description": f"amlguard: x (AML-18), run {guid('run')}, for {REGISTRY}", "scope": str(one.scope)}
    at = f"{one.scope}/providers/Microsoft.Authorization/roleAssignments/{one.name}"
    made |= {"principalId": str(one.holder.id), "roleDefinitionId": one.role_definition_id}
    assert own({"id": at, "properties": made}) is not None


def test_settings_and_removals_are_comments_that_name_the_script() -> None:
    bicep, terraform = (rendered(changes.document(), form) for form in ("bicep", "terraform"))
    comments = [line for line in bicep.splitlines() if line.startswith("//")]
    for said in (comments, json.loads(terraform)["//"]):
        text = "\n".join(said)
        assert "amlguard plan --format az" in text
        assert "set adminUserEnabled true → false on registry acrml" in text
        assert "take back" in text
        assert "late" in text, "what waits is told as well"
    assert "adminUserEnabled" not in re.sub(r"//.*", "", bicep)


def test_a_part_of_a_plan_says_so() -> None:
    document = changes.document() | {"filter": {"rule": ["compute-pull"]}, "errors": ["one could not be read"]}
    for form in CODE:
        said = rendered(document, form)
        assert "It is a part of the plan" in said
        assert "errors: 1" in said


@pytest.mark.parametrize("form", CODE)
def test_an_empty_plan_is_code_that_does_nothing(form: str) -> None:
    said = rendered(result_document(Report()), form)
    assert "roleAssignments" not in said
    assert "azurerm_role_assignment" not in said
    assert "az role" not in said


@pytest.mark.parametrize("form", CODE)
def test_code_with_nothing_in_it_does_not_say_that_nothing_is_missing(form: str) -> None:
    """What is withheld or not known may be missing all the same."""
    kept = Withheld(changes.grant(SHARED, REGISTRY, "infer pulls"), Refusal(Guard.UNREADABLE, "nobody can read it"))
    document = result_document(Report([Plan(withheld=(kept,))])) | {"errors": ["one could not be read"]}
    said = rendered(document, form)
    assert "withheld: 1" in said
    assert "errors: 1" in said
    assert "No role assignment is missing" not in said


# Bicep


def _bicep(tmp_path: Path, document: Document) -> Path:
    for path, text in files(document, "bicep", tmp_path / "missing.bicep").items():
        path.write_text(f"{text}\n", "utf-8")
    return tmp_path / "missing.bicep"


def _snapshot(bicep: Bicep, file: Path) -> list[dict[str, Any]]:
    parameters = file.with_suffix(".bicepparam")
    parameters.write_text(f"using './{file.name}'\n", "utf-8")
    place = {"subscriptionId": OTHER_SUBSCRIPTION.name, "tenantId": TENANT, "location": "westeurope"}
    made: list[dict[str, Any]] = bicep.snapshot(parameters, {**place, "deploymentName": "main"})["predictedResources"]
    return made


def test_the_compiler_finds_nothing_and_makes_exactly_the_plan(tmp_path: Path, bicep: Bicep) -> None:
    """Of names and types that it does not know as well. What it builds it lints, too."""
    file = _bicep(tmp_path, changes.document())
    assert bicep.compile(file).findings == []
    made = _snapshot(bicep, file)
    grants = {one["name"]: one for one in made if one["type"] == "Microsoft.Authorization/roleAssignments"}
    told = {
        name: (
            one["id"].rpartition("/providers/Microsoft.Authorization")[0].casefold(),
            one["properties"]["roleDefinitionId"].rpartition("/")[2],
            one["properties"]["principalId"],
        )
        for name, one in grants.items()
    }
    assert told == wanted(changes.document())
    (policies,) = (one for one in made if one not in grants.values())
    assert policies["id"].casefold() == f"{VAULT}/accessPolicies/add".casefold()
    entries = policies["properties"]["accessPolicies"]
    assert {one["objectId"] for one in entries} == {SHARED.id, sai("mlw").id}
    assert {one["tenantId"] for one in entries} == {TENANT}
    assert all(one["permissions"] == {k: list(v) for k, v in ACCESS_POLICY.items()} for one in entries)


def test_each_group_has_a_module_whose_name_stays() -> None:
    found = bicep_file.files(seen(), "missing.bicep")
    assert set(found) == {
        "missing.bicep",
        "missing-11111111-rg.bicep",
        "missing-22222222-rg-far.bicep",
        "missing-22222222-22222222-2222-4222-8222-222222222222.bicep",
    }
    fewer = changes.document()
    fewer["grants"] = [one for one in fewer["grants"] if one["scope"] != str(SEARCH)]
    assert set(bicep_file.files(view(fewer), "missing.bicep")) == set(found) - {"missing-22222222-rg-far.bicep"}


@pytest.mark.parametrize("kind", ["my-things", "v2.things", "-x"])
def test_a_symbol_is_a_word_of_bicep_whatever_the_type_is_called(kind: str) -> None:
    odd = GROUP.child("providers", "Contoso.Odd", kind, "x")
    bicep = rendered(result_document(Report([Plan(grants=(changes.grant(SHARED, odd, "odd"),))])), "bicep")
    symbols = re.findall(r"(?m)^resource (.+?) '", bicep)
    assert len(symbols) == 2
    assert all(re.fullmatch(r"[A-Za-z_]\w*", one) for one in symbols)
    assert f"scope: {symbols[0]}\n" in bicep


def test_what_bicep_cannot_name_is_told_and_in_the_other_code() -> None:
    """An extension of a resource, and a management group."""
    far = Scope.parse(f"{REGISTRY}/providers/Contoso.Odd/things/x")
    above = Scope.parse("/providers/Microsoft.Management/managementGroups/research")
    grants = (changes.grant(SHARED, far, "far"), changes.grant(SHARED, above, "above"))
    document = result_document(Report([Plan(grants=grants)]))
    bicep = rendered(document, "bicep")
    assert bicep.count("// Not written, because Bicep cannot name whose or where") == 2
    assert "resource grant" not in bicep
    assert rendered(document, "az").count("az role assignment create") == 2
    made = _terraform(document)["resource"]["azurerm_role_assignment"].values()
    assert {one["scope"] for one in made} == {str(far), str(above)}


# Terraform


def _terraform(document: Document) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(rendered(document, "terraform"))
    return made


def _faults(kind: str, schema: dict[str, Any], one: dict[str, Any]) -> list[str]:
    """What the provider's schema does not allow."""
    wrong = [f"{kind}: {name} is required" for name, each in schema.items() if each["required"] and name not in one]
    for name, value in one.items():
        if name == "//":
            continue
        if name not in schema:
            wrong.append(f"{kind}: {name} is unknown")
            continue
        fits = {"string": isinstance(value, str), "list of string": isinstance(value, list)}[schema[name]["type"]]
        wrong += [] if fits else [f"{kind}: {name} has another type"]
        known = SCHEMA["values"].get(name)
        for each in value if isinstance(value, list) else [value]:
            wrong += [f"{kind}: {name} knows no {each}"] if known and each not in known else []
    return wrong


def _all_faults(made: dict[str, Any]) -> list[str]:
    parts = [(part, kind, one) for part in ("resource", "data") for kind, one in made.get(part, {}).items()]
    return [
        fault
        for part, kind, some in parts
        for each in some.values()
        for fault in _faults(kind, SCHEMA[part][kind], each)
    ]


def test_terraform_is_by_the_providers_schema() -> None:
    made = _terraform(changes.document())
    assert set(made) == {"//", "data", "resource"}
    assert _all_faults(made) == []
    assert all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", label) for some in made["resource"].values() for label in some)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("azurerm_role_assignment", {"principal": "x"}),
        ("azurerm_role_assignment", {"principal_type": "Identity"}),
        ("azurerm_role_assignment", {"scope": ["x"]}),
        ("azurerm_key_vault_access_policy", {"key_permissions": ["get"]}),
    ],
)
def test_the_schema_finds_what_is_wrong(kind: str, change: dict[str, Any]) -> None:
    made = _terraform(changes.document())
    next(iter(made["resource"][kind].values())).update(change)
    assert len(_all_faults(made)) == 1
    next(iter(made["resource"]["azurerm_role_assignment"].values())).pop("principal_id")
    assert len(_all_faults(made)) == 2


def test_terraform_makes_exactly_the_plan() -> None:
    made = _terraform(changes.document())["resource"]
    told = {
        one["name"]: (one["scope"].casefold(), one["role_definition_id"].rpartition("/")[2], one["principal_id"])
        for one in made["azurerm_role_assignment"].values()
    }
    assert told == wanted(changes.document())
    policies = made["azurerm_key_vault_access_policy"].values()
    assert {one["object_id"] for one in policies} == {SHARED.id, sai("mlw").id}
    for one in policies:
        held = {kind: one[f"{kind[:-1]}_permissions"] for kind in ACCESS_POLICY}
        assert {kind: [name.casefold() for name in names] for kind, names in held.items()} == {
            kind: [name.casefold() for name in names] for kind, names in ACCESS_POLICY.items()
        }
    said = {one["object_id"]: " ".join(one["//"]) for one in policies}
    assert "import it first" in said[sai("mlw").id], "the vault has an entry of it"
    assert "import it first" not in said[SHARED.id]


@given(st.text(alphabet='$%{}"\\ab\n'))
def test_nothing_in_terraform_is_a_template_but_our_own(evil: str) -> None:
    """https://github.com/hashicorp/hcl/blob/main/hclsyntax/spec.md: `$${` and `%%{` stand for `${` and `%{`."""
    document = changes.document()
    for one in document["grants"]:
        one["reason"] = one["roleName"] = evil
    made = _terraform(document)["resource"]["azurerm_role_assignment"].values()
    for one in made:
        bare = re.sub(r"(?<![$%])(?:\$\$|%%)\{", "", one["description"])
        assert "${" not in bare
        assert "%{" not in bare


# The script


def test_the_script_is_sound_for_bash(tmp_path: Path) -> None:
    for number, document in enumerate((changes.document(), result_document(Report()))):
        file = tmp_path / f"{number}.sh"
        file.write_text(rendered(document, "az"), "utf-8")
        done = subprocess.run(["bash", "-n", str(file)], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert "set -euo pipefail" in file.read_text("utf-8")


def test_grants_come_first_and_removals_last() -> None:
    said = az_script.text(seen())
    order = [said.rindex(one) for one in ("az role assignment create", "/accessPolicies/add", "--admin-enabled false")]
    first = [said.index(one) for one in ("/accessPolicies/add", "--admin-enabled false", "az role assignment delete")]
    assert all(last < next_ for last, next_ in zip(order, first, strict=True))


def test_an_identity_that_nobody_has_yet_is_only_in_bicep() -> None:
    document = changes.document()
    nobody = {"principalId": None, "principal": str(SHARED.resource)}
    document["grants"] = [document["grants"][1] | nobody]
    document["settings"] = [document["settings"][0] | nobody]
    bicep = rendered(document, "bicep")
    assert bicep.count("userAssignedIdentities_shared.properties.principalId") == 2
    assert "name: guid(registries_acrml.id, userAssignedIdentities_shared.id" in bicep
    assert "az role assignment create" not in rendered(document, "az")
    assert rendered(document, "az").count("does not exist yet") == 2
    made = _terraform(document)
    assert "resource" not in made
    assert sum("does not exist yet" in one for one in made["//"]) == 2


def test_people_and_others_get_the_type_that_azure_knows() -> None:
    strange = Principal(guid("x"), "x", type="Device")
    document = result_document(Report([Plan(grants=(changes.grant(strange, REGISTRY, "x"),))]))
    assert "--assignee-principal-type" not in rendered(document, "az")
    assert "principal_type" not in rendered(document, "terraform")
    assert "principalType" not in rendered(document, "bicep")
    assert PULL.role_id in rendered(document, "az")
