"""docs/deploy.md says who needs which right for which step: derived from the snapshots, and nothing is left out."""

import json

import pytest
from deployments import Json

from docs.rights import STEPS, linked, needed, page, sufficing, table, within
from infra.check import ROOT
from infra.snapshots import made, names

ASSIGN = "Microsoft.Authorization/roleAssignments/write"
DEFINE = "Microsoft.Authorization/roleDefinitions/write"
DEPLOY = "Microsoft.Resources/deployments/write"
GROUP = "Microsoft.Resources/subscriptions/resourceGroups/write"
OWN, HOME, WATCHED = "the app's resource group", "the app's subscription", "each watched subscription"
EVENTS = "the events' resource group in each watched subscription"
MANAGEMENT_GROUP = "the management group"


@pytest.mark.parametrize("name", names())
def test_role_assignments_are_made_in_the_apps_own_group_whatever_the_parameters(name: str) -> None:
    """Contributor does not suffice there, although it makes everything else."""
    own = needed(name)[OWN]
    assert own[ASSIGN]
    assert "Contributor" in sufficing(own)
    assert len(sufficing(own)) > 1
    assert sufficing([one for one in own if one != ASSIGN]) == ("Contributor",)


def test_events_take_dead_letter_rights_and_a_resource_group_in_each_watched_subscription() -> None:
    besides = needed("many-subscriptions-events", "many-subscriptions")
    assert ASSIGN in besides[OWN]
    assert GROUP in besides[WATCHED]
    assert {"Microsoft.EventGrid/systemTopics/write", "Microsoft.Insights/metricAlerts/write"} <= set(besides[EVENTS])
    assert {"Microsoft.Web/sites/functions/write", "Microsoft.Storage/storageAccounts/write"} <= set(besides[OWN])
    assert "Microsoft.EventGrid/eventSubscriptions/write" in besides[WATCHED]


def test_the_custom_role_takes_a_right_wherever_it_is_assignable() -> None:
    assert {place for place, actions in needed("many-subscriptions").items() if DEFINE in actions} == {HOME, WATCHED}
    assert {place for place, actions in needed("management-group").items() if DEFINE in actions} == {MANAGEMENT_GROUP}
    assert [place for place, actions in needed("read-only").items() if DEFINE in actions] == []


@pytest.mark.parametrize("name", names())
def test_every_place_that_is_deployed_to_takes_a_deployment(name: str) -> None:
    assert all(DEPLOY in actions for actions in needed(name).values())


def test_the_isolated_variant_joins_its_network() -> None:
    besides = needed("network-isolated", "one-subscription")[OWN]
    joined = {one.removeprefix("Microsoft.Network/") for one in besides if one.endswith("/join/action")}
    assert joined == {
        "Microsoft.Web/serverfarms/join/action",
        "networkSecurityGroups/join/action",
        "privateDnsZones/join/action",
        "virtualNetworks/join/action",
        "virtualNetworks/subnets/join/action",
    }


def test_an_existing_topic_takes_event_subscriptions_and_no_topic() -> None:
    there = needed("existing-topic")["the existing topic's resource group"]
    assert "Microsoft.EventGrid/systemTopics/eventSubscriptions/write" in there
    assert "Microsoft.EventGrid/systemTopics/write" not in there


@pytest.mark.parametrize("name", names())
def test_every_action_of_every_parameter_file_is_documented(name: str) -> None:
    """At the same place. Where the app's subscription is the watched one, both rows are about it."""
    documented: dict[str, set[str]] = {}
    for _, shown, base in STEPS:
        for place, actions in needed(shown, base).items():
            documented.setdefault(place, set()).update(actions)
    documented[HOME] |= documented[WATCHED]
    missing = {place: set(actions) - documented.get(place, set()) for place, actions in needed(name).items()}
    assert {place: actions for place, actions in missing.items() if actions} == {}


def test_the_roles_that_are_named_suffice_and_the_lesser_do_not() -> None:
    assert sufficing([DEPLOY]) == ("EventGrid Contributor",)
    assert sufficing([DEPLOY, ASSIGN]) == ("Contributor", "Role Based Access Control Administrator")
    assert sufficing([DEPLOY, DEFINE]) == ("Contributor", "User Access Administrator")
    assert sufficing(["Microsoft.Web/sites/read"]) == ("Reader",)
    assert sufficing(["Microsoft.Authorization/locks/write", DEPLOY]) == ("Contributor", "User Access Administrator")


@pytest.mark.parametrize(
    "properties",
    [
        {"vaultId": "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/vault"},
        {"list": [{"id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/disks/d"}]},
        {"x": "[reference('/subscriptions/s/resourceGroups/g/providers/Microsoft.Cdn/profiles/p', '1').y]"},
        {"x": "[resourceId('s', 'g', 'Microsoft.Search/searchServices', format('{0}', environment().name))]"},
    ],
    ids=["property", "in a list", "by reference", "by function"],
)
def test_a_reference_that_nobody_looked_up_is_an_error(properties: Json) -> None:
    site = {"id": "/subscriptions/s/x", "type": "Microsoft.Web/sites", "properties": properties}
    with pytest.raises(LookupError, match=r"Microsoft\.Web/sites names Microsoft\.\w+/\w+: what right"):
        list(linked(site))


def test_every_row_of_the_linked_rights_has_a_source_and_is_needed() -> None:
    rows = json.loads((ROOT / "docs" / "linked_rights.json").read_text("utf-8"))["linked"]
    assert all(one["source"].startswith(("learn.microsoft.com/", "github.com/")) for one in rows)
    used = {(one["type"], _kind(named)) for name in names() for one in made(name) for named, _ in linked(one)}
    assert {(one["from"], one["to"]) for one in rows} == used
    assert len(rows) == len(used)


def _kind(identifier: str) -> str:
    provider, *rest = identifier.rpartition("/providers/")[2].split("/")
    return "/".join((provider, *rest[::2])) if "/providers/" in identifier else "Microsoft.Resources/subscriptions"


def test_the_table_is_in_the_document_and_the_page_beside_it() -> None:
    text = (ROOT / "docs" / "deploy.md").read_text("utf-8")
    assert table() in text
    assert within(text) == text
    assert (ROOT / "docs" / "rights.md").read_text("utf-8") == page()
    with pytest.raises(ValueError, match="where the table of rights belongs"):
        within(text.replace("<!-- Until here. -->", ""))
