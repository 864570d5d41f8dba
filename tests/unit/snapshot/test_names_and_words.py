"""What is taken for a name in a snapshot in pseudonyms, and what for a word: by where it stands."""

from typing import Any

import pytest
from undisguised import KEY, words
from unit.build import GROUP, WORKSPACE, guid, uai

from shared.access.own_assignments import assignment_name, run_of
from shared.access.scope import Scope
from shared.snapshot.disguise import Disguise
from shared.snapshot.kept import HIDDEN
from shared.snapshot.pseudonyms import Pseudonyms

NAMES = (
    "accountName containerName fileSystem fileShareName resourceGroup resourceGroupName username roleName "
    "denyAssignmentName displayName reason storeName clusterName"
)
ONLY_WORDS = (
    "type kind tier category state status mode access action location direction protocol effect sku family size "
    "computeType provisioningState publicNetworkAccess roleAssignmentMode"
)


def _disguise(*known: str) -> Disguise:
    made = Disguise(Pseudonyms(KEY), words())
    for one in known:
        made.scope(GROUP.child("providers", "Microsoft.ContainerRegistry", "registries", one))
    return made


@pytest.mark.parametrize(
    "word", ["amlCompute", "systemAssigned", "enableRbacAuthorization", "AcrPull", "westeurope", "premium"]
)
def test_words_are_constants_of_the_code_names_of_roles_and_what_arm_writes(word: str) -> None:
    assert _disguise().of({"any": word}) == {"any": word}


@pytest.mark.parametrize("name", NAMES.split())
def test_a_name_is_one_even_if_it_is_a_word(name: str) -> None:
    disguise = _disguise()
    assert disguise.of({"any": "premium"}) == {"any": "premium"}
    for written in (name, name.lower(), name.upper()):
        assert disguise.of({written: "premium"}) == {written: disguise.pseudonyms.of("premium")}


@pytest.mark.parametrize("name", ONLY_WORDS.split())
def test_where_only_words_stand_a_word_stays_whatever_has_that_name(name: str) -> None:
    disguise = _disguise("premium")
    assert disguise.of({"any": "premium"}) == {"any": disguise.pseudonyms.of("premium")}
    for written in (name, name.upper()):
        assert disguise.of({written: "Premium"}) == {written: "Premium"}
        assert disguise.of({written: "zqcanary"}) == {written: disguise.pseudonyms.of("zqcanary")}


@pytest.mark.parametrize("name", ["tags", "Tags", "tag"])
def test_tags_have_pseudonyms_for_names_and_values(name: str) -> None:
    disguise = _disguise()
    of = disguise.pseudonyms.of
    said = {"team": "premium", "of": str(WORKSPACE), "x": guid("x"), "amlguard": "off", "gone": HIDDEN, "n": 1}
    told = disguise.of({name: said})[name]
    assert told == {
        of("team"): of("premium"),
        of("of"): str(disguise.scope(WORKSPACE)),
        of("x"): disguise.guid(guid("x")),
        "amlguard": "off",
        of("gone"): HIDDEN,
        of("n"): 1,
    }
    assert disguise.of({"tags": {"amlguard": "zqcanary"}}) == {"tags": {"amlguard": of("zqcanary")}}


@pytest.mark.parametrize("name", ["outboundRules", "environmentVariables"])
def test_the_keys_of_rules_and_variables_are_names(name: str) -> None:
    disguise = _disguise()
    assert disguise.of({name: {"premium": {"type": "FQDN"}}})[name] == {
        disguise.pseudonyms.of("premium"): {"type": "FQDN"}
    }


@pytest.mark.parametrize("name", ["actions", "notActions", "dataActions", "notDataActions"])
def test_what_a_role_allows_stays_as_far_as_azure_has_a_word_for_it(name: str) -> None:
    disguise = _disguise()
    said = ["*", "*/read", "Microsoft.ContainerRegistry/reg*/pull/read", "Microsoft.Storage/*/read", "*.*/write"]
    assert disguise.of({name: said}) == {name: said}
    made = disguise.pseudonyms.of
    assert disguise.of({name: ["zqcanary/read", "zq*/read"]}) == {
        name: [f"{made('zqcanary')}/read", f"{made('zq*')}/read"]
    }


def test_what_amlguard_says_of_its_own_grant_can_still_be_read() -> None:
    disguise, run = _disguise(), guid("run")
    said = f"amlguard: compute-reads-blobs (AML-10), run {run}, for {WORKSPACE}, as {uai('one').resource}"
    told = disguise.of({"properties": {"description": said}})["properties"]["description"]
    assert run_of(told) == disguise.guid(run)
    assert str(disguise.scope(WORKSPACE)) in told
    other = disguise.of({"description": f"for {WORKSPACE}, somebody"})["description"]
    assert " " not in other.strip() or "for" not in other.split(), "free text is one name"


def test_an_address_in_a_network_is_that_of_the_network() -> None:
    of = _disguise().pseudonyms.network
    whole, inside = (str(of(one)) for one in ("20.30.40.0/24", "20.30.40.50/24"))
    assert whole.rpartition(".")[0] == inside.rpartition(".")[0]
    assert inside.endswith("/24")


@pytest.mark.parametrize("name", ["ml", "ML-Prod", "a b", 'o"neil', "grüppe", "a" * 40, "azureml-x", "20241"])
def test_of_a_pseudonym_the_name_is_found_again(name: str) -> None:
    pseudonyms = Pseudonyms(KEY)
    made = pseudonyms.of(name)
    assert made != name
    for text in ("{}", "/resourceGroups/{}/x", "where name == '{}'"):
        assert pseudonyms.names(text.replace("{}", made)) == text.replace("{}", name)
        assert pseudonyms.names(text.replace("{}", made.upper())).casefold() == text.replace("{}", name).casefold()


def test_of_pseudonyms_that_share_a_sign_each_name_is_found_again() -> None:
    pseudonyms = Pseudonyms(KEY)
    one, other = pseudonyms.of('"ml"'), pseudonyms.of('"ML-Prod"')
    assert pseudonyms.names(f"{one}{other[1:]}{one[1:]}") == '"ml"ML-Prod"ml"'
    assert pseudonyms.names(one[1:]) == one[1:], "that is only a part of it"


def test_a_resource_that_is_called_like_a_word_is_a_name_in_its_id() -> None:
    disguise = _disguise()
    at = GROUP.child("providers", "Microsoft.ContainerRegistry", "registries", "premium")
    told: dict[str, Any] = disguise.of({"id": str(at), "name": "premium", "properties": {"registry": "premium"}})
    made = Scope.parse(told["id"])
    assert made.resource_type == at.resource_type
    assert {made.name, told["name"]} == {disguise.pseudonyms.of("premium")}


def test_the_name_of_an_assignment_still_follows_from_what_it_says() -> None:
    """Else amlguard would not know its own assignments in a plan from the snapshot."""
    disguise, who, role = _disguise(), guid("who"), guid("role")
    name = assignment_name(GROUP, who, role)
    said = {"scope": str(GROUP), "principalId": who, "roleDefinitionId": f"/roleDefinitions/{role}"}
    disguise.learn({"id": f"{GROUP}/providers/Microsoft.Authorization/roleAssignments/{name}", "properties": said})
    made = assignment_name(disguise.scope(GROUP), disguise.guid(who), disguise.guid(role))
    assert disguise.guid(name) == made != name
