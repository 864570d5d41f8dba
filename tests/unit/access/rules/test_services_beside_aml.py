"""Services outside AML: where they are looked for, and what is taken for a user of the registry's admin user."""

from dataclasses import replace
from typing import Any

import pytest
from unit.build import (
    FOREIGN,
    OTHER_SUBSCRIPTION,
    REGISTRY,
    SUBSCRIPTION,
    WORKSPACE,
    compute,
    estate,
    registry,
    registry_id,
    resource,
    workspace,
)

from shared.access.ask_rules import asks_of
from shared.access.asks import Cover, RegistryUser, UserKind
from shared.access.model import ComputeType, Estate, Fact, Want
from shared.access.rules import RULES
from shared.access.scope import Scope
from shared.access.services import CONTAINER_GROUPS, SERVICES

RULE = {rule.name: rule for rule in RULES}
APPS, BATCHES, SITES = "Microsoft.App/containerApps", "Microsoft.Batch/batchAccounts", "Microsoft.Web/sites"
APP, BATCH, SITE = (resource(kind, "one", FOREIGN) for kind in (APPS, BATCHES, SITES))
CONFIG = Want(SITE.child("config", "web"))
IMAGE = {"linuxFxVersion": "DOCKER|acrml.azurecr.io/app:1"}


def users(one: Estate, rule: str = "registry-services") -> list[RegistryUser]:
    return [ask for ask in asks_of(RULE[rule], one.subject, one) if isinstance(ask, RegistryUser)]


def with_facts(one: Estate, facts: dict[Want, Fact]) -> Estate:
    return replace(one, facts={**one.facts, **facts})


def seen(facts: dict[Want, Fact], acr: Scope = REGISTRY) -> Estate:
    """All was looked at, and there is nothing but these."""
    return with_facts(estate(workspace(registry=acr), registry(acr, admin_user=True)), facts)


def app(**credential: Any) -> dict[str, Any]:
    entry = {"server": "acrml.azurecr.io", **credential}
    return {"id": str(APP), "properties": {"configuration": {"registries": [entry]}}}


def test_both_subscriptions_are_looked_at_that_of_the_registry_and_that_of_the_workspace() -> None:
    far = registry_id("acrml", OTHER_SUBSCRIPTION.child("resourceGroups", "lab"))
    one = replace(seen({}, far), facts={})
    for rule in ("registry-services", "container-instances"):
        wanted = {want for user in users(one, rule) for want in user.wants}
        mine = {
            kind.collection
            for kind in SERVICES
            if (kind.collection == CONTAINER_GROUPS) is (rule != "registry-services")
        }
        for subscription in (SUBSCRIPTION, OTHER_SUBSCRIPTION):
            assert {want.collection for want in wanted if want.scope == subscription} == mine
        assert [want.scope for want in wanted if want.graph] == [far]


@pytest.mark.parametrize(
    ("credential", "cover"),
    [
        ({"username": "acrml"}, Cover.UNCOVERED),
        ({"username": "a-token"}, Cover.COVERED),
        ({"identity": "system"}, Cover.COVERED),
        ({}, Cover.UNKNOWN),
    ],
)
def test_how_an_app_signs_in_decides_whether_it_is_covered(credential: dict[str, str], cover: Cover) -> None:
    [one] = users(seen({Want(SUBSCRIPTION, APPS): (app(**credential),)}))
    assert (one.registry, one.kind, one.resource, one.cover) == (REGISTRY, UserKind.SERVICE, APP, cover)


def test_a_compute_of_container_instances_has_no_other_way_to_pull() -> None:
    subject = workspace(compute("aci", ComputeType.CONTAINER_INSTANCE))
    [one] = users(estate(subject, registry(admin_user=True)), "container-instances")
    assert (one.cover, one.resource) == (Cover.UNCOVERED, WORKSPACE.child("computes", "aci"))


def test_below_a_batch_account_its_pools_are_read() -> None:
    one = seen({Want(SUBSCRIPTION, BATCHES): ({"id": str(BATCH)},)})
    [unread] = users(one)
    assert (unread.cover, unread.wants) == (Cover.UNKNOWN, (Want(BATCH, "pools"),))
    credentials = [{"registryServer": "acrml.azurecr.io", "username": "acrml"}]
    machines = {"containerConfiguration": {"containerRegistries": credentials}}
    pool = {"properties": {"deploymentConfiguration": {"virtualMachineConfiguration": machines}}}
    [found] = users(with_facts(one, {Want(BATCH, "pools"): (pool,)}))
    assert (found.cover, found.resource) == (Cover.UNCOVERED, BATCH)
    assert users(with_facts(one, {Want(BATCH, "pools"): ()})) == []


@pytest.mark.parametrize(
    ("own", "config", "found"),
    [
        (None, {"properties": IMAGE}, True),
        (IMAGE, None, True),
        (IMAGE, {"properties": {}}, False),
        (None, None, False),
    ],
)
def test_a_site_whose_configuration_is_not_served_is_judged_by_what_it_shows_itself(
    own: Any, config: Fact, *, found: bool
) -> None:
    site = {"id": str(SITE), "kind": "app,linux,container", "properties": {"siteConfig": own}}
    one = seen({Want(SUBSCRIPTION, SITES): (site,), CONFIG: config})
    assert [user.cover for user in users(one)] == ([Cover.UNCOVERED] if found else [])
