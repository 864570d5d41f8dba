"""Where people write secrets, and who they are: by each name of a property, and what stays although it is there."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from shared.snapshot.kept import HIDDEN, Keeping

CANARY = "zqcanary"
PLACES: dict[str, str] = {
    "prose": "description friendlyName displayName notes note comment comments condaFile summary",
    "commands": "command commandLine commands commandOverride args arguments script scriptData appCommandLine "
    "startupScript creationScript customData userData inlineScript startupTask data entryPoint runCommand "
    "additionalUnattendContent",
    "people": "createdBy lastModifiedBy updatedBy owner owners username userEmail email mail upn userPrincipalName "
    "assignedUser creationContext adminUsername administratorLogin displayedName",
    "secrets": "password adminPassword pwd passphrase clientSecret token accessToken credential signature connStr "
    "connectionString instrumentationKey keyData certificate protectedSettings authorization webhookUri cookie jwt sas "
    "sasUri sasUrl containerSas userPass dbPw adminPass pass pw pat pin otp pfx apiKey accessKey accountKey2 "
    "sharedKey primaryKey secondaryKeys privateKey publicKey storageKey masterKey adminKey hostKey functionKeys "
    "systemKey sshKeys authKey key keys key1 anyKey any_key any-key2",
}
VARIABLES = (
    "environmentVariables env appSettings connectionStrings variables headers httpHeaders customHeaders sparkConf"
)
# How a text may stand there.
SHAPES: dict[str, Callable[[str], Any]] = {
    "a text": lambda one: one,
    "a list": lambda one: [one],
    "lists in a list": lambda one: [[one]],
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", " ".join(PLACES.values()).split())
def test_nothing_that_stands_under_such_a_name_is_kept(name: str, shape: str) -> None:
    for written in (name, name.lower(), name.upper()):
        kept = Keeping().of({"properties": {written: SHAPES[shape](CANARY)}})
        assert CANARY not in json.dumps(kept)
        assert HIDDEN in json.dumps(kept), "it does not look like nothing"


@pytest.mark.parametrize("name", [*VARIABLES.split(), "metadata"])
def test_no_variable_is_kept_and_all_their_names_are(name: str) -> None:
    kept = Keeping().of({"properties": {name: {"A": CANARY, "B": {"C": [CANARY]}}}})
    assert kept == {"properties": {name: {"A": HIDDEN, "B": {"C": [HIDDEN]}}}}


@pytest.mark.parametrize("name", ["credentialsType", "secretsType", "authType", "category", "type", "secretName"])
@pytest.mark.parametrize("above", ["credentials", "secrets", "metadata"])
def test_what_kind_of_secret_it_is_stays(name: str, above: str) -> None:
    body = {"properties": {above: {name: "ManagedIdentity"}}}
    assert Keeping().of(body) == body


@pytest.mark.parametrize("beside", [{"name": "A"}, {"keyName": "A"}])
def test_the_value_of_something_with_a_name_is_no_secret_that_is_kept(beside: dict[str, str]) -> None:
    assert Keeping().of({"any": [beside | {"value": CANARY}]}) == {"any": [beside | {"value": HIDDEN}]}
    assert Keeping().of({"any": [{"value": "20.0.0.0/8"}]}) == {"any": [{"value": "20.0.0.0/8"}]}


@pytest.mark.parametrize("name", ["createdBy", "lastModifiedBy", "updatedBy"])
def test_a_name_as_long_as_an_object_id_is_a_name(name: str) -> None:
    person = "Jane Doe of the Berlin data team"
    assert len(person) == 32
    assert Keeping().of({"systemData": {name: person}}) == {"systemData": {name: HIDDEN}}


@pytest.mark.parametrize("name", ["server", "registryServer", "identity", "loginServer"])
def test_of_credentials_the_host_that_they_are_for_stays(name: str) -> None:
    assert Keeping().of({"credentials": {name: "crml.azurecr.io"}}) == {"credentials": {name: "crml.azurecr.io"}}
    assert Keeping().of({"credentials": {name: CANARY}}) == {"credentials": {name: HIDDEN}}


def test_of_containers_only_their_images_stay() -> None:
    said = f"image: crml.azurecr.io/a:1\nenv: {CANARY}\nimage: --password {CANARY}"
    kept = Keeping().of({"linuxFxVersion": f"COMPOSE|{base64.b64encode(said.encode()).decode()}"})["linuxFxVersion"]
    assert base64.b64decode(kept.partition("|")[2]).decode() == "image: crml.azurecr.io/a:1"
    assert Keeping().of({"linuxFxVersion": f"KUBE|{CANARY}!"}) == {"linuxFxVersion": f"KUBE|{HIDDEN}"}
