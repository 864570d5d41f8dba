"""What a template makes, as Azure would show it: roles that Azure Machine Learning gives, defaults, lists, names."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from unit.template import made
from unit.template.made import (
    CLUSTER,
    GROUP,
    IDENTITY,
    OBJECT_ID,
    PULL,
    REGISTRY,
    STORAGE,
    SUBSCRIPTION,
    VAULT,
    WORKSPACE,
    assigned,
    of_identity,
    system,
    user,
    with_pull,
)

from shared.access.scope import Scope
from shared.azure.built_in_roles import built_in_roles
from shared.ports import NotShownError
from shared.template.estate import estate
from shared.template.made import AI_ADMINISTRATOR, BLOB_CONTRIBUTOR, TemplateEstate
from shared.template.reads import TemplateReads
from shared.template.snapshot import snapshot
from shared.template.symbols import Symbols, is_principal
from shared.template.values import Solver, suffixes

ROLES = built_in_roles()
AT = Scope.parse(WORKSPACE)


def _made(*resources: made.Raw, there: Mapping[Scope, made.Raw] | None = None) -> TemplateEstate:
    document = {"predictedResources": list(resources)}
    return estate([snapshot(document, "x")], None, ROLES, there)


def _reads(*resources: made.Raw) -> TemplateReads:
    return TemplateReads(_made(*resources), ROLES, datetime(2026, 6, 1, tzinfo=UTC), OBJECT_ID)


BOTH = {"identity": {"type": "SystemAssigned,UserAssigned", "userAssignedIdentities": {IDENTITY: {}}}}
FAR = STORAGE.replace("rg-demo", "rg-other")


@pytest.mark.parametrize(
    ("workspace", "given"),
    [
        (made.workspace(), {(AI_ADMINISTRATOR, GROUP), (BLOB_CONTRIBUTOR, STORAGE)}),
        (made.workspace() | BOTH, {(AI_ADMINISTRATOR, GROUP), (BLOB_CONTRIBUTOR, STORAGE)}),
        (made.workspace(allowRoleAssignmentOnRG=False), {(BLOB_CONTRIBUTOR, STORAGE)}),
        (made.workspace(storageAccount=FAR), {(AI_ADMINISTRATOR, GROUP)}),
        (made.workspace(storageAccount=None), {(AI_ADMINISTRATOR, GROUP)}),
        (made.workspace() | user(), set()),
        (made.workspace(primaryUserAssignedIdentity=IDENTITY) | BOTH, set()),
    ],
)
def test_azure_machine_learning_gives_roles_to_a_new_workspaces_own_identity(
    workspace: made.Raw, given: set[tuple[str, str]]
) -> None:
    found = _made(*made.base()[:3], workspace)
    assert {(one.role_id, str(one.scope)) for one in found.assignments} == given
    assert all(is_principal(one.principal_id) for one in found.assignments)
    assert not _made(workspace, there={AT: {"id": WORKSPACE}}).assignments, "it is not new"


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("westeurope", "crdemo.azurecr.io"),
        ("usgovvirginia", "crdemo.azurecr.us"),
        ("usdodeast", "crdemo.azurecr.us"),
        ("chinanorth3", "crdemo.azurecr.cn"),
        ("", "crdemo.azurecr.io"),
    ],
)
def test_a_registry_has_the_host_of_its_cloud(location: str, host: str) -> None:
    own = made.registry() | {"location": location}
    upper = own | {"id": REGISTRY.replace("crdemo", "CrDemo")}
    for one in (own, upper):
        assert _made(one).resources[Scope.parse(REGISTRY)]["properties"]["loginServer"] == host
    said = own | {"properties": {"loginServer": "said.azurecr.io"}}
    assert _made(said).resources[Scope.parse(REGISTRY)]["properties"]["loginServer"] == "said.azurecr.io"


@pytest.mark.parametrize(
    ("location", "names"),
    [
        (
            "westeurope",
            {
                "storage": "core.windows.net",
                "keyvaultDns": ".vault.azure.net",
                "acrLoginServer": ".azurecr.io",
                "sqlServerHostname": ".database.windows.net",
            },
        ),
        (
            "usgovvirginia",
            {
                "storage": "core.usgovcloudapi.net",
                "keyvaultDns": ".vault.usgovcloudapi.net",
                "acrLoginServer": ".azurecr.us",
                "sqlServerHostname": ".database.usgovcloudapi.net",
            },
        ),
        (
            "chinaeast2",
            {
                "storage": "core.chinacloudapi.cn",
                "keyvaultDns": ".vault.azure.cn",
                "acrLoginServer": ".azurecr.cn",
                "sqlServerHostname": ".database.chinacloudapi.cn",
            },
        ),
    ],
)
def test_the_suffixes_of_each_cloud_are_known(location: str, names: Mapping[str, str]) -> None:
    solver = Solver(Symbols(), suffixes(location))
    for name, suffix in names.items():
        assert solver.value(f"[environment().suffixes.{name}]") == suffix


def test_what_of_tags_and_regions_only_the_deployment_can_tell_is_left_out() -> None:
    tags = {"team": "x", "when": "[utcNow()]", "who": of_identity()}
    at = Scope.parse(STORAGE)
    shown = _made(made.resource(STORAGE) | {"tags": tags, "location": "[parameters('x')]"}).resources[at]
    assert shown["tags"] == {"team": "x", "when": None, "who": None}
    assert shown["location"] is None
    assert json.loads(json.dumps(shown)) == shown


def _listed(at: str, collection: str) -> set[str]:
    subscription = assigned(of_identity(), at=SUBSCRIPTION)
    grants = [assigned(of_identity(), at=one) for one in (GROUP, REGISTRY, STORAGE, f"{REGISTRY}/x/y")]
    reads = _reads(*made.base(), subscription, *grants)
    rows = asyncio.run(reads.children(Scope.parse(at), collection)) or ()
    return {str(one["properties"]["scope"]) for one in rows}


def test_assignments_are_listed_as_arm_lists_them() -> None:
    kind = "Microsoft.Authorization/roleAssignments"
    below = f"{REGISTRY}/x/y"
    assert _listed(REGISTRY, kind) == {SUBSCRIPTION, GROUP, REGISTRY, below}
    assert _listed(REGISTRY, f"{kind}?$filter=atScope()") == {SUBSCRIPTION, GROUP, REGISTRY}
    assert _listed(GROUP, kind) == {SUBSCRIPTION, GROUP, REGISTRY, STORAGE, below}
    assert _listed(SUBSCRIPTION, f"{kind}?$filter=atScope()") == {SUBSCRIPTION}


def test_what_a_new_resource_has_not_got_in_the_template_it_has_not_got() -> None:
    reads = _reads(*made.base(), made.cluster())

    async def told() -> None:
        for path in (f"{WORKSPACE}/computes/none", f"{WORKSPACE}/x/y/z/none"):
            assert await reads.resource(Scope.parse(path)) is None
            assert await reads.children(Scope.parse(path), "x") is None
        for path in (f"{GROUP}/providers/Microsoft.Storage/storageAccounts/else", f"{WORKSPACE}x/computes/none"):
            with pytest.raises(NotShownError):
                await reads.resource(Scope.parse(path))
            with pytest.raises(NotShownError):
                await reads.children(Scope.parse(path), "x")

    asyncio.run(told())


def test_a_mode_of_a_registry_that_is_open_leaves_it_open_who_pulls() -> None:
    there = [*made.base(), made.registry(roleAssignmentMode="[parameters('x')]"), made.cluster()]
    found = made.planned(there)
    assert found.pull() == "unknown"
    assert f"{REGISTRY}: properties.roleAssignmentMode" in found.unknown
    assert made.planned([*there, assigned(of_identity())]).missing == set()


def test_whose_access_policy_is_added_may_be_open() -> None:
    policy = {"objectId": "[reference(parameters('x')).principalId]", "permissions": {"keys": ["get"]}}
    added = made.resource(f"{VAULT}/accessPolicies/add", {"accessPolicies": [policy]})
    found = with_pull(added)
    assert f"{VAULT}: properties.accessPolicies.objectId" in found.unknown
    assert "parameters('x')" in found.unknown


def test_which_workspace_a_compute_is_of_is_named_where_the_template_does_not_make_it() -> None:
    found = made.planned([made.cluster(), made.resource(IDENTITY)])
    assert f"{CLUSTER}: what its identity needs: its workspace is not in the template: {WORKSPACE}" in found.unknown


def _attached(name: str) -> str:
    return with_pull(assigned(of_identity()), identity=user(name)).pull()


def test_an_identity_may_be_attached_by_an_expression() -> None:
    subscription, kind = SUBSCRIPTION.rpartition("/")[2], "Microsoft.ManagedIdentity/userAssignedIdentities"
    assert _attached(f"[format('{{0}}', resourceId('{subscription}', 'rg-demo', '{kind}', 'id-train'))]") == "held"
    assert _attached(f"[resourceId('{subscription}', 'rg-demo', '{kind}', 'id-none')]") == "unknown"
    opaque = with_pull(assigned(of_identity()), identity=user("[parameters('x')]"))
    assert opaque.pull() == "unknown"
    assert "parameters('x')" in opaque.unknown
    assert "[[" not in str(opaque.document)


_SUBSCRIPTION_ID = SUBSCRIPTION.rpartition("/")[2]
_OPAQUE = f"resourceId('{_SUBSCRIPTION_ID}', 'rg-demo', 'Microsoft.Storage/storageAccounts', uniqueString('x'))"


@pytest.mark.parametrize(
    ("condition", "outcome"),
    [
        ("[equals('a', 'A')]", "missing"),
        (f"[equals({_OPAQUE}, '{REGISTRY}')]", "missing"),
        (f"[equals('{REGISTRY}', {_OPAQUE})]", "missing"),
        (f"[not(equals({_OPAQUE}, '{REGISTRY}'))]", "held"),
        (f"[equals({_OPAQUE}, '{STORAGE}')]", "unknown"),
        (f"[equals('{STORAGE}', {_OPAQUE})]", "unknown"),
        (f"[equals({_OPAQUE}, {_OPAQUE})]", "held"),
        (f"[equals({_OPAQUE}, {_OPAQUE.replace('x', 'y')})]", "unknown"),
        ("[not(equals('b', concat('a', uniqueString('x'))))]", "unknown"),
        (f"[equals(reference('{IDENTITY}', '2023-01-31').principalId, 'x')]", "unknown"),
        (f"[not(equals(reference('{IDENTITY}', '2023-01-31').principalId, 'x'))]", "unknown"),
        (f"[not(equals('x', reference('{IDENTITY}', '2023-01-31').principalId))]", "unknown"),
        ("[equals(format('a'), 'a')]", "held"),
        ("[equals(format('{0}{1}', 'a', 1), 'a1')]", "held"),
    ],
)
def test_what_a_condition_comes_to(condition: str, outcome: str) -> None:
    assert with_pull(assigned(of_identity(), PULL, condition=condition)).pull() == outcome


@pytest.mark.parametrize("shape", ["{0}-x", "x{0}", "{0}{0}", "x"])
def test_a_text_with_an_object_id_in_it_is_no_object_id(shape: str) -> None:
    whose = f"[format('{shape}', reference('{IDENTITY}', '2023-01-31').principalId)]"
    assert with_pull(assigned(whose)).pull() == "unknown"
    assert with_pull(assigned(whose.replace(shape, "{0}"))).pull() == "held"
    assert with_pull(assigned(whose), identity=system()).pull() != "held"


def test_whose_a_listed_assignment_is_has_arms_word() -> None:
    def listed(principal: str, **more: str) -> tuple[str, str | None]:
        one = assigned(principal)
        found = _made(*made.base(), one | {"properties": one["properties"] | more}).listed
        (body,) = (each["properties"] for each in found)
        return body["principalId"], body["principalType"]

    assert listed("[deployer().objectId]") == ("the-deployer", "User")
    assert listed(of_identity())[1] == "ServicePrincipal"
    assert is_principal(listed(of_identity())[0])
    assert listed(OBJECT_ID, principalType="Group") == (OBJECT_ID, "Group")
    assert listed(OBJECT_ID, principalType="User") == (OBJECT_ID, "User")
    assert listed(OBJECT_ID) == (OBJECT_ID, None)
