"""Each shape of expression that snapshots have, by what it says of one need: the cluster pulls from the registry."""

import pytest
from unit.template import made
from unit.template.made import (
    CLUSTER,
    ELSEWHERE,
    GROUP,
    IDENTITY,
    OBJECT_ID,
    PULL,
    REGISTRY,
    STORAGE,
    SUBSCRIPTION,
    WORKSPACE,
    assigned,
    of_identity,
    of_system,
    system,
    user,
    with_pull,
)

SUBSCRIPTION_ID = SUBSCRIPTION.rpartition("/")[2]
OTHER = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-else"
_DEPLOYMENT = (
    f"resourceId('{SUBSCRIPTION_ID}', 'rg-demo', 'Microsoft.Resources/deployments', format('ids-{{0}}', utcNow()))"
)
ROLE = "'Microsoft.Authorization/roleAssignments', guid('a')"
KIND = "'Microsoft.ManagedIdentity/userAssignedIdentities'"
OLD_KIND = "Microsoft.ManagedIdentity/Identities"
NAMED = f"resourceId('{SUBSCRIPTION_ID}', 'rg-demo', {KIND}, 'id-train')"
FULL = f"reference('{CLUSTER}', '2025-06-01', 'full').identity"
UNSOLVED = f"[reference({_DEPLOYMENT}, '2022-09-01').outputs.id.value]"


def _at_either(scope: str) -> str:
    """What Bicep writes where the scope of a role assignment may be the tenant."""
    below = f"extensionResourceId(if(startsWith('{scope}', '/'), '{scope}', concat('/x', '{scope}')), {ROLE})"
    return f"[if(equals('{scope}', '/'), tenantResourceId({ROLE}), {below})]"


@pytest.mark.parametrize(
    ("principal", "outcome"),
    [
        (of_identity(), "held"),
        (f"[reference('{IDENTITY.upper()}').principalId]", "held"),
        (f"[format('{{0}}', reference('{IDENTITY}', '2023-01-31').principalId)]", "held"),
        (f"[ toLower( reference('{IDENTITY}', '2018-11-30').PrincipalId ) ]", "held"),
        (f"[reference({NAMED}, '2023-01-31').principalId]", "held"),
        (f"[reference('{IDENTITY}', '2023-01-31', 'full').properties.principalId]", "held"),
        (f"[{FULL}.userAssignedIdentities['{IDENTITY}'].principalId]", "held"),
        (f"[{FULL.upper()}.userAssignedIdentities[format('{{0}}', '{IDENTITY}')].principalId]", "held"),
        (of_identity(OTHER), "missing"),
        (of_system(WORKSPACE), "missing"),
        ("[deployer().objectId]", "missing"),
        ("[format('{0}', deployer().objectId)]", "missing"),
        (f"[reference('{IDENTITY}', '2023-01-31').clientId]", "unknown"),
        (of_system(IDENTITY), "unknown"),
        (UNSOLVED, "unknown"),
        ("[if(equals(utcNow(), 'x'), parameters('x'), parameters('y'))]", "unknown"),
        (f"[if(empty(''), reference('{IDENTITY}', '2023-01-31').principalId, parameters('x'))]", "held"),
        (OBJECT_ID, "unknown"),
        (OBJECT_ID.upper(), "unknown"),
        ("", "unknown"),
        ("[reference('", "unknown"),
        ("[[literally]", "unknown"),
    ],
)  # fmt: skip
def test_whose_role_it_is(principal: str, outcome: str) -> None:
    assert with_pull(assigned(principal)).pull() == outcome


@pytest.mark.parametrize(
    ("principal", "outcome"),
    [
        (of_system(CLUSTER), "held"),
        (f"[reference(concat('{CLUSTER}', '/providers/{OLD_KIND}/default'), '2015-08-31').principalId]", "held"),
        (f"[reference('{CLUSTER}', '2025-06-01').identity.principalId]", "unknown"),
        (of_system(WORKSPACE), "missing"),
        (of_identity(), "missing"),
    ],
)  # fmt: skip
def test_whose_role_it_is_where_the_identity_is_the_clusters_own(principal: str, outcome: str) -> None:
    assert with_pull(assigned(principal), identity=system()).pull() == outcome


def test_a_resource_without_such_an_identity_leaves_it_open_whose_role_it_is() -> None:
    found = with_pull(assigned(of_system(CLUSTER)))
    assert found.pull() == "unknown"
    assert "identity.principalId" in found.unknown


@pytest.mark.parametrize(
    ("written", "outcome"),
    [
        (f"[extensionResourceId('{REGISTRY}', 'Microsoft.Authorization/roleAssignments', guid(utcNow()))]", "held"),
        (f"[ExtensionResourceId('{REGISTRY.lower()}','microsoft.authorization/ROLEASSIGNMENTS',guid('a'))]", "held"),
        (f"[extensionResourceId('{STORAGE}', {ROLE})]", "missing"),
        (f"[resourceId('{SUBSCRIPTION_ID}', 'RG-demo', {ROLE})]", "held"),
        (f"[resourceId('{SUBSCRIPTION_ID}', 'rg-other', {ROLE})]", "missing"),
        (f"[subscriptionResourceId('{SUBSCRIPTION_ID}', {ROLE})]", "held"),
        (f"[tenantResourceId({ROLE})]", "held"),
        (_at_either(REGISTRY), "held"),
        (_at_either(STORAGE), "missing"),
        (f"[extensionResourceId(parameters('scope'), {ROLE})]", "unknown"),
        (f"[managementGroupResourceId('mg', {ROLE})]", "unknown"),
        ("[guid('a')]", "unknown"),
        ("nothing that is an id", "unknown"),
    ],
)  # fmt: skip
def test_where_a_role_is_assigned(written: str, outcome: str) -> None:
    assert with_pull(assigned(of_identity()) | {"id": written}).pull() == outcome


def test_an_opaque_name_is_the_same_resource_where_its_text_is_the_same() -> None:
    """The registry is named by an expression, in its id, in the workspace, and where the role is assigned."""

    def named(salt: str) -> str:
        name = f"format('{{0}}{{1}}', 'cr', toLower(uniqueString('{GROUP}', utcNow(), '{salt}')))"
        return f"resourceId('{SUBSCRIPTION_ID}', 'rg-demo', 'Microsoft.ContainerRegistry/registries', {name})"

    def outcome(at: str) -> made.Outcome:
        there = [one for one in made.base() if "registries" not in one["type"] and "workspaces" not in one["type"]]
        registry = made.registry() | {"id": f"[{named('a')}]"}
        where = f"[extensionResourceId({at}, {ROLE})]"
        workspace = made.workspace(containerRegistry=f"[{named('a')}]")
        return made.planned([*there, registry, workspace, made.cluster(), assigned(of_identity()) | {"id": where}])

    assert outcome(named("a")).missing == set()
    assert outcome(named("b")).missing == {(IDENTITY, "AcrPull", f"[{named('a')}]")}
    assert "tplx" not in str(outcome(named("b")).document)


@pytest.mark.parametrize("name", ["containerRegistry", "storageAccount", "keyVault", "hubResourceId"])
def test_what_a_workspace_names_and_nobody_can_resolve_is_unknown(name: str) -> None:
    there = [one for one in made.base() if "workspaces" not in one["type"]]
    found = made.planned([*there, made.workspace(**{name: UNSOLVED}), made.cluster()])
    assert "outputs.id.value" in found.unknown
    assert name != "containerRegistry" or found.pull() == "unknown"
    assert not any(one["rule"] == "malformed-id" for one in found.document["findings"])


@pytest.mark.parametrize(
    ("condition", "outcome"),
    [
        (f"[and(true(), not(empty(reference('{CLUSTER}', '2025-06-01', 'full').identity.principalId)))]", "held"),
        (f"[not(empty(reference('{WORKSPACE}', '2025-06-01', 'full').identity.principalId))]", "held"),
        (f"[not(empty(reference('{STORAGE}', '2025-06-01', 'full').identity.principalId))]", "unknown"),
        (f"[not(empty({of_system(f'{GROUP}/providers/Microsoft.Web/sites/x')[1:-1]}))]", "unknown"),
        ("[startsWith(utcNow(), '2')]", "unknown"),
        ("[or(false(), startsWith(utcNow(), '2'), true())]", "held"),
        ("[false()]", "missing"),
        (True, "held"),
        (False, "missing"),
        ("true", "held"),
    ],
)  # fmt: skip
def test_a_condition_holds_if_the_identity_is_there(condition: object, outcome: str) -> None:
    one = assigned(of_system(CLUSTER), condition=condition)
    assert with_pull(one, identity=system()).pull() == outcome


def test_a_credential_is_never_shown() -> None:
    key = f"[listKeys('{STORAGE}', '2024-01-01').keys[0].value]"
    store = made.resource(
        f"{WORKSPACE}/datastores/data",
        {
            "datastoreType": "AzureBlob",
            "accountName": f"[listKeys('{STORAGE}', '2024-01-01').keys[0].keyName]",
            "key": key,
        },
    )
    found = with_pull(assigned(f"[listKeys('{STORAGE}', '2024-01-01').keys[0].value]"), store)
    assert "listKeys" not in str(found.document)
    assert "gives a secret" in found.unknown


def test_a_dns_suffix_is_that_of_the_cloud() -> None:
    there = made.base()
    there[0] = there[0] | {"location": "usgovvirginia", "properties": {"zone": "[environment().suffixes.storage]"}}
    found = made.planned([*there, made.cluster(), assigned(of_identity())])
    assert found.pull() == "held"
    assert "environment()" not in found.unknown


def test_an_identity_that_is_there_already_may_hold_more_than_the_template_shows() -> None:
    assert with_pull(identity=user(ELSEWHERE)).pull() == "unknown"
    assert with_pull(assigned(of_identity(ELSEWHERE)), identity=user(ELSEWHERE)).pull() == "held"
    assert with_pull(assigned(OBJECT_ID), identity=user(ELSEWHERE)).pull() == "unknown"
    assert with_pull(assigned(OBJECT_ID), identity=user(ELSEWHERE), identities={ELSEWHERE: OBJECT_ID}).pull() == "held"


def test_an_explained_identity_does_not_hold_what_a_stranger_does() -> None:
    stranger = "dddddddd-0000-4000-8000-000000000004"
    assert with_pull(assigned(stranger), identities={IDENTITY: OBJECT_ID}).pull() == "missing"
    assert with_pull(assigned(UNSOLVED), identities={IDENTITY: OBJECT_ID}).pull() == "unknown"


@pytest.mark.parametrize("role_id", [PULL, made.PUSH])
def test_a_doubtful_role_leaves_open_only_what_it_would_give(role_id: str) -> None:
    assert with_pull(assigned(OBJECT_ID, role_id)).pull() == "unknown"


def test_a_doubtful_role_that_gives_something_else_leaves_it_missing() -> None:
    assert with_pull(assigned(OBJECT_ID, made.READ_BLOBS)).pull() == "missing"
    assert with_pull(assigned(OBJECT_ID, PULL, STORAGE)).pull() == "missing"
