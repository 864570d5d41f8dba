"""Deployments of templates: what they make, in which order, as whom, and what is refused by its name.

The values of `guid` and `uniqueString` are those of Microsoft's compiler (`bicep console`, 0.49.2). Where there is a
`bicep`, its snapshot of a template is what a deployment of the same template makes.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from emulator_units.arm_calls import (
    ACR_PULL,
    OPERATOR,
    READER,
    REGISTRY,
    RG,
    STORAGE,
    SUB,
    UAI,
    VAULT,
    Azure,
    held,
    principal,
    resource,
)
from emulator_units.eventually import eventually

from emulator.errors import AzureError
from emulator.identity.tokens import Caller
from infra.compiler import Bicep

type Json = dict[str, Any]

OTHER = "/subscriptions/bbbbbbbb-0000-0000-0000-000000000002"
VERSION = "?api-version=2025-04-01"
SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
TENANT = "00000000-0000-0000-0000-0000000000aa"
ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"
IDENTITIES = "Microsoft.ManagedIdentity/userAssignedIdentities"


def template(*resources: Json, **more: Any) -> Json:
    return {"$schema": SCHEMA, "contentVersion": "1.0.0.0", "resources": list(resources), **more}


def grant(on: str, role: str, to: str) -> Json:
    """As Bicep compiles it. `on` is an id or an expression."""
    place = on.strip("[]") if on.startswith("[") else f"'{on}'"
    return {
        "type": ASSIGNMENTS,
        "apiVersion": "2022-04-01",
        "scope": on,
        "name": f"[guid({place}, '{role}', {to})]",
        "properties": {
            "principalId": f"[{to}]",
            "roleDefinitionId": f"[subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '{role}')]",
            "principalType": "ServicePrincipal",
        },
    }


def identity(name: str, **more: Any) -> Json:
    return {"type": IDENTITIES, "apiVersion": "2023-01-31", "name": name, "location": "westeurope", **more}


def module(name: str, inner: Json, parameters: Json | None = None, **where: str) -> Json:
    return {
        "type": "Microsoft.Resources/deployments",
        "apiVersion": "2025-04-01",
        "name": name,
        **where,
        "properties": {
            "expressionEvaluationOptions": {"scope": "inner"},
            "mode": "Incremental",
            "parameters": parameters or {},
            "template": inner,
        },
    }


def access() -> Json:
    """Role assignments and access policies, as a Bicep module compiles."""
    policies: Json = {
        "type": "Microsoft.KeyVault/vaults/accessPolicies",
        "apiVersion": "2023-07-01",
        "name": "[format('{0}/{1}', parameters('vault'), 'add')]",
        "properties": {
            "copy": [
                {
                    "name": "accessPolicies",
                    "count": "[length(parameters('principals'))]",
                    "input": {
                        "tenantId": "[tenant().tenantId]",
                        "objectId": "[parameters('principals')[copyIndex('accessPolicies')]]",
                        "permissions": {"secrets": ["get"]},
                    },
                }
            ]
        },
    }
    loop = {
        **grant(
            "[resourceId('Microsoft.ContainerRegistry/registries', 'regml')]",
            ACR_PULL,
            "parameters('principals')[copyIndex()]",
        ),
        "copy": {"name": "grants", "count": "[length(parameters('principals'))]"},
    }
    declared = {"principals": {"type": "array"}, "vault": {"type": "string", "defaultValue": "kvml"}}
    return template(loop, policies, parameters=declared)


def azure(*more: Json) -> Azure:
    beyond = [one["id"].replace(SUB, OTHER) for one in (resource(REGISTRY), resource(VAULT))]
    vault = {"tenantId": TENANT}
    return Azure(
        {
            "resources": [
                *(resource(one) for one in (REGISTRY, STORAGE)),
                resource(VAULT, properties=vault),
                *(resource(one, properties=vault) for one in beyond),
                *more,
            ],
            "principals": [{"id": principal(number), "type": "ServicePrincipal"} for number in (1, 2)],
        }
    )


async def deployed(
    one: Azure, document: Json, *, scope: str = RG, caller: Caller = OPERATOR, **parameters: Any
) -> Json:
    """The deployment when it has ended."""
    given = {name: {"value": value} for name, value in parameters.items()}
    properties = {"mode": "Incremental", "template": document, "parameters": given}
    where = f"{scope}/providers/Microsoft.Resources/deployments/main"
    answer = one.ask("PUT", where + VERSION, {"location": "westeurope", "properties": properties}, caller=caller)
    assert (answer.status, answer.body["properties"]["provisioningState"]) == (201, "Accepted")
    operation = answer.headers["Azure-AsyncOperation"].removeprefix("https://127.0.0.1:1")
    await eventually(lambda: one.ask("GET", operation).body["status"] != "Running")
    shown: Json = one.ask("GET", where + VERSION).body
    assert one.ask("GET", operation).body["status"] == shown["properties"]["provisioningState"]
    return shown


def refused(one: Azure, document: Json, **parameters: Any) -> AzureError:
    given = {name: {"value": value} for name, value in parameters.items()}
    properties = {"mode": "Incremental", "template": document, "parameters": given}
    return one.refusal(
        "PUT", f"{RG}/providers/Microsoft.Resources/deployments/main{VERSION}", {"properties": properties}
    )


def assignments(one: Azure) -> set[tuple[str, str]]:
    return {
        (item["properties"]["scope"], item["properties"]["principalId"])
        for item in one.tenant.role_assignments.values()
    }


async def test_modules_grant_in_groups_of_several_subscriptions() -> None:
    one = azure()
    who = {"principals": {"value": [principal(1), principal(2)]}}
    beyond = {"subscriptionId": OTHER.rpartition("/")[2], "resourceGroup": "rg"}
    document = template(module("here", access(), who, resourceGroup="rg"), module("there", access(), who, **beyond))
    shown = await deployed(one, document, scope=SUB)
    assert shown["properties"]["provisioningState"] == "Succeeded"
    there = REGISTRY.replace(SUB, OTHER)
    assert assignments(one) == {(on, principal(number)) for on in (REGISTRY, there) for number in (1, 2)}
    for vault in (VAULT, VAULT.replace(SUB, OTHER)):
        policies = one.tenant.resources[vault.lower()]["properties"]["accessPolicies"]
        assert [policy["objectId"] for policy in policies] == [principal(1), principal(2)]
    assert not one.ask(
        "GET", f"{RG}/resources{VERSION}&$filter=resourceType eq 'Microsoft.Resources/deployments'"
    ).body["value"]


async def test_the_same_again_changes_nothing() -> None:
    one = azure()
    await deployed(one, access(), principals=[principal(1)])
    before = dict(one.tenant.role_assignments.items())
    where = f"{RG}/providers/Microsoft.Resources/deployments/main{VERSION}"
    given = {"principals": {"value": [principal(1)]}}
    again = one.ask("PUT", where, {"properties": {"mode": "Incremental", "template": access(), "parameters": given}})
    assert again.status == 200
    assert set(one.tenant.role_assignments) == set(before)


async def test_what_another_refers_to_is_made_first() -> None:
    one = azure()
    to = f"reference(resourceId('{IDENTITIES}', 'uai'), '2023-01-31').principalId"
    output = {"who": {"type": "string", "value": f"[{to}]"}}
    shown = await deployed(
        one, template(grant(REGISTRY, ACR_PULL, to) | {"name": READER}, identity("uai"), outputs=output)
    )
    who = one.tenant.resources[UAI.lower()]["properties"]["principalId"]
    assert assignments(one) == {(REGISTRY, who)}
    assert shown["properties"]["outputs"] == {"who": {"type": "String", "value": who}}


async def test_nothing_is_made_for_a_condition_that_does_not_hold() -> None:
    one = azure()
    await deployed(one, template(identity("yes"), identity("no", condition="[equals('a', 'b')]")))
    names = [item["name"] for item in one.tenant.resources.where("type", IDENTITIES.lower())]
    assert names == ["yes"]


async def test_a_resource_inside_of_another_lies_below_it() -> None:
    one = azure()
    container = {
        "type": "blobServices/containers",
        "apiVersion": "2023-05-01",
        "name": "default/models",
        "properties": {},
    }
    account = {
        "type": "Microsoft.Storage/storageAccounts",
        "apiVersion": "2023-05-01",
        "name": "made",
        "location": "westeurope",
        "kind": "StorageV2",
        "sku": {"name": "Standard_LRS"},
        "resources": [{**container, "dependsOn": ["[resourceId('Microsoft.Storage/storageAccounts', 'made')]"]}],
    }
    shown = await deployed(one, template(account))
    assert shown["properties"]["provisioningState"] == "Succeeded"
    below = f"{RG}/providers/Microsoft.Storage/storageAccounts/made/blobServices/default/containers/models"
    assert below.lower() in one.tenant.resources


async def test_an_outer_template_is_worked_out_where_it_is_declared() -> None:
    one = azure()
    nested = module("nested", template(identity("[concat(parameters('word'), '-', resourceGroup().name)]")))
    del nested["properties"]["expressionEvaluationOptions"]
    await deployed(one, template(nested, parameters={"word": {"type": "string"}}), word="made")
    assert f"{RG}/providers/{IDENTITIES}/made-rg".lower() in one.tenant.resources


async def test_a_failure_is_told_and_what_depends_on_it_is_not_made() -> None:
    one = azure()
    wrong = grant(REGISTRY, "00000000-0000-0000-0000-00000000beef", f"'{principal(1)}'") | {"name": READER}
    after = identity("after", dependsOn=[READER])
    shown = await deployed(one, template(wrong, after, identity("besides")))
    error = shown["properties"]["error"]
    assert (shown["properties"]["provisioningState"], error["code"]) == ("Failed", "DeploymentFailed")
    assert [detail["code"] for detail in error["details"]] == ["RoleDefinitionDoesNotExist"]
    names = [item["name"] for item in one.tenant.resources.where("type", IDENTITIES.lower())]
    assert names == ["besides"]
    where = f"{RG}/providers/Microsoft.Resources/deployments/main/operations{VERSION}"
    states = {item["properties"]["provisioningState"] for item in one.ask("GET", where).body["value"]}
    assert states == {"Failed", "Succeeded"}


async def test_who_may_deploy_may_not_therefore_grant() -> None:
    contributor = "b24988ac-6180-42a0-ab88-20f7382dd24c"
    one = azure()
    one.tenant.role_assignments.update({item["id"].lower(): item for item in [held(SUB, contributor, principal(1))]})
    caller = Caller(principal(1), "app", "app")
    document = template(identity("uai"), grant(REGISTRY, ACR_PULL, f"'{principal(2)}'"))
    shown = await deployed(one, document, caller=caller)
    assert [detail["code"] for detail in shown["properties"]["error"]["details"]] == ["AuthorizationFailed"]
    assert (REGISTRY, principal(2)) not in assignments(one)


async def test_secrets_among_the_parameters_are_not_shown() -> None:
    declared = {"hidden": {"type": "secureString"}, "seen": {"type": "string"}}
    shown = await deployed(azure(), template(parameters=declared), hidden="canary", seen="word")
    assert "canary" not in json.dumps(shown)
    assert shown["properties"]["parameters"]["seen"] == {"type": "String", "value": "word"}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (template(identity("[listKeys('a', 'b').key]")), "The template function 'listKeys' is not valid."),
        (template(identity("[concat('a', utcNow())]")), "The template function 'utcNow' is not valid."),
        (template(identity("[concat('a']")), "is not valid"),
        (template(identity("[variables('none')]")), "The template variable 'none' is not found."),
        (template(parameters={"word": {"type": "string"}}), "'word' is not provided"),
        (template({**identity("a"), "type": "Microsoft.KeyVault/vaults/keys"}), "incorrect segment lengths"),
        (
            template({**identity("a"), "copy": {"name": "l", "count": 1}, "resources": [identity("b")]}),
            "no resources inside of a loop",
        ),
    ],
)
def test_what_cannot_be_worked_out_is_refused_before_anything_is_made(document: Json, said: str) -> None:
    error = refused(azure(), document)
    assert (error.status, error.code) == (400, "InvalidTemplate")
    assert said in error.message


def test_parameters_must_fit() -> None:
    declared = {"word": {"type": "string", "allowedValues": ["a", "b"]}}
    for given in ({"word": 1}, {"word": "c"}, {"word": "a", "more": 1}):
        assert refused(azure(), template(parameters=declared), **given).code == "InvalidTemplate"


def test_a_deployment_of_a_subscription_names_a_location() -> None:
    body = {"properties": {"mode": "Incremental", "template": template()}}
    where = f"{SUB}/providers/Microsoft.Resources/deployments/main{VERSION}"
    assert azure().refusal("PUT", where, body).code == "LocationRequired"


def test_validation_makes_nothing() -> None:
    one = azure()
    where = f"{RG}/providers/Microsoft.Resources/deployments/main/validate{VERSION}"
    answer = one.ask("POST", where, {"properties": {"mode": "Incremental", "template": template(identity("uai"))}})
    assert (answer.status, answer.body["properties"]["provisioningState"]) == (200, "Succeeded")
    assert UAI.lower() not in one.tenant.resources


async def test_functions_give_what_the_compiler_gives() -> None:
    values = {
        "guid": "[guid('a', 'b')]",
        "unique": "[uniqueString('hello world', 'abc')]",
        "format": "[format('{0}-{1}', 'a', 1)]",
        "id": "[resourceId('cccccccc-0000-0000-0000-000000000003', 'g', 'Microsoft.Storage/storageAccounts', 'store')]",
        "group": "[resourceId('g', 'Microsoft.Storage/storageAccounts', 'store')]",
        "child": "[extensionResourceId(resourceGroup().id, 'Microsoft.Authorization/locks', 'l')]",
    }
    outputs = {name: {"type": "string", "value": value} for name, value in values.items()}
    shown = await deployed(azure(), template(outputs=outputs))
    other = "/subscriptions/cccccccc-0000-0000-0000-000000000003"
    assert {name: one["value"] for name, one in shown["properties"]["outputs"].items()} == {
        "guid": "2d796349-8c7e-55ec-9624-54ece82ed031",
        "unique": "2eexg47uagyu4",
        "format": "a-1",
        "id": f"{other}/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/store",
        "group": f"{SUB}/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/store",
        "child": f"{RG}/providers/Microsoft.Authorization/locks/l",
    }


async def test_it_makes_what_the_compilers_snapshot_has(tmp_path: Path, bicep: Bicep) -> None:
    who = [principal(1), principal(2)]
    (tmp_path / "main.json").write_text(json.dumps(access()))
    parameters = tmp_path / "main.bicepparam"
    parameters.write_text(f"using './main.json'\nparam principals = {json.dumps(who).replace('"', "'")}\n")
    place = {"subscriptionId": SUB.rpartition("/")[2], "resourceGroup": "rg", "tenantId": TENANT}
    predicted = bicep.snapshot(parameters, {**place, "deploymentName": "main"})["predictedResources"]
    one = azure()
    await deployed(one, access(), principals=who)
    wanted = {item["id"].lower() for item in predicted if item["type"] == ASSIGNMENTS}
    assert set(one.tenant.role_assignments) == wanted
    (policies,) = (item["properties"] for item in predicted if item["type"].endswith("/accessPolicies"))
    assert one.tenant.resources[VAULT.lower()]["properties"]["accessPolicies"] == policies["accessPolicies"]
