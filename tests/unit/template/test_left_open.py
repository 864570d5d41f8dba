"""What only the deployment can tell, and where: it is said to be unknown, and never taken for absent."""

import pytest
from unit.template import made
from unit.template.made import VAULT, WORKSPACE, assigned, of_identity, with_pull
from unit.template.test_what_a_reader_met import _datastore, _lacks_policy, _policy, _store, _with_policies

_ENCRYPTED = {"status": "Enabled", "keyVaultProperties": {"keyVaultArmId": VAULT}}


@pytest.mark.parametrize("kind", ["keys", "secrets", "certificates"])
@pytest.mark.parametrize("written", ["[parameters('x')]", ["get", "[parameters('x')]"]])
def test_permissions_that_only_the_deployment_can_tell_leave_it_open(kind: str, written: object) -> None:
    policy = _policy(of_identity())
    policy["permissions"] |= {kind: written}
    added = made.resource(f"{VAULT}/accessPolicies/add", {"accessPolicies": [policy]})
    for found in (_with_policies(accessPolicies=[policy]), _with_policies(added)):
        assert not _lacks_policy(found)
        assert f"{VAULT}: properties.accessPolicies.permissions.{kind}" in found.unknown


@pytest.mark.parametrize("credentials", ["[parameters('x')]", {"credentialsType": "[parameters('x')]"}])
def test_how_a_datastore_signs_in_may_be_open(credentials: object) -> None:
    store = _datastore(**_store("AzureBlob", "None") | {"credentials": credentials}, datastoreType="AzureBlob")
    found = with_pull(assigned(of_identity()), store)
    assert f"{WORKSPACE}/datastores/data: properties.credentials" in found.unknown
    assert ("parameters" in found.unknown) == isinstance(credentials, dict), "an expression may hold a secret"


@pytest.mark.parametrize(
    "block",
    [
        "[parameters('x')]",
        {"status": "[parameters('x')]"},
        {"status": "Enabled", "keyVaultProperties": "[parameters('x')]"},
        {"status": "Enabled", "keyVaultProperties": {"keyVaultArmId": "[parameters('x')]"}},
        {**_ENCRYPTED, "identity": {"userAssignedIdentity": "[parameters('x')]"}},
        {**_ENCRYPTED, "identity": "[parameters('x')]"},
    ],
)
def test_with_which_key_a_workspace_is_encrypted_may_be_open(block: object) -> None:
    there = [one for one in made.base() if "workspaces" not in one["type"]]
    found = made.planned([*there, made.workspace(encryption=block)])
    assert f"{WORKSPACE}: properties.encryption" in found.unknown


@pytest.mark.parametrize(
    "block",
    [
        {"status": "Enabled", "keyVaultProperties": "[parameters('x')]"},
        {"status": "Enabled", "keyVaultProperties": {"keyVaultArmId": "[parameters('x')]"}},
        {**_ENCRYPTED, "identity": {"userAssignedIdentity": "[parameters('x')]"}},
        {**_ENCRYPTED, "identity": "[parameters('x')]"},
    ],
)
def test_of_a_key_or_an_identity_that_nobody_knows_nothing_is_called_missing(block: object) -> None:
    def told(encryption: object) -> bool:
        there = [one for one in made.base() if "workspaces" not in one["type"]]
        found = made.planned([*there, made.workspace(encryption=encryption)])
        return any("encrypted with" in one["message"] for one in found.document["findings"])

    assert told(_ENCRYPTED)
    assert not told(block)


def test_the_name_of_a_key_is_nothing_that_is_open() -> None:
    named = {"keyVaultArmId": VAULT, "keyIdentifier": "[reference(parameters('x')).keyUriWithVersion]"}
    block = {"status": "Enabled", "keyVaultProperties": named}
    there = [one for one in made.base() if "workspaces" not in one["type"]]
    found = made.planned([*there, made.workspace(encryption=block, description="[parameters('x')]")])
    assert "parameters" not in found.unknown


@pytest.mark.parametrize("name", ["friendlyName", "description", "displayName", "secrets", "metadata", "other"])
@pytest.mark.parametrize("form", ["alone", "inside"])
def test_what_is_prose_or_a_secret_is_no_gap(name: str, form: str) -> None:
    said = {"x": "[parameters('x')]"} if form == "inside" else "[parameters('x')]"
    there = [one for one in made.base() if "workspaces" not in one["type"]]
    found = made.planned([*there, made.workspace(**{name: said})])
    assert (f"{WORKSPACE}: properties.{name}" in found.unknown) == (name == "other")
    assert ("parameters" in found.unknown) == (name == "other")


@pytest.mark.parametrize("name", ["key", "secrets.key", "sasToken", "clientSecret"])
def test_a_credential_that_only_the_deployment_can_tell_is_not_repeated(name: str) -> None:
    first, _, second = name.partition(".")
    said = {first: {second: "[parameters('x')]"} if second else "[parameters('x')]"}
    store = _datastore(accountName="stdata", credentials={"credentialsType": "AccountKey", **said})
    assert "parameters" not in str(with_pull(assigned(of_identity()), store).document)
