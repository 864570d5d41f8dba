"""What nobody should get, and who is easily overlooked: the same by `amlguard plan` and by an event as by the sweep."""

from collections.abc import Iterator, Mapping

import pytest
from catalogue import cases_gone, cases_images, cases_keyless, cases_outbound, cases_registry_users
from catalogue.gathered import Placed, document, placed, policy, workspaces
from event_grid import event
from local_azure import FINDINGS, LocalAzure
from wire import Json

PLACED = placed(cases_gone, cases_images, cases_keyless, cases_outbound, cases_registry_users)
_SECONDS = 240


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAzure]:
    tenant = document(one.case.build(one.place) for one in PLACED)
    made = LocalAzure.start(tmp_path_factory.mktemp("ways"), tenant, policy())
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def planned(azure: LocalAzure) -> list[Json]:
    """Before anything is changed."""
    ran = azure.run("plan", "--format", "json", "--policy", str(azure.folder / "policy.yaml"))
    assert ran.code == 2, ran.err
    assert ran.document["errors"] == []
    actions = [*ran.document["grants"], *ran.document["settings"]]
    held_back = [{**one["action"], "guard": one["guard"]} for one in ran.document["withheld"]]
    findings: list[Json] = ran.document["findings"]
    return [*actions, *held_back, *findings]


@pytest.fixture(scope="module")
def told(azure: LocalAzure, planned: list[Json]) -> list[Json]:
    """The rows after an event about each workspace."""
    assert planned
    tenant = document(one.case.build(one.place) for one in PLACED)
    for scope in workspaces(tenant):
        assert azure.deliver(event(scope)).ok
    azure.until_quiet(_SECONDS)
    return [*azure.rows(), *azure.rows(FINDINGS)]


def _of(one: Placed, rows: list[Json], names: Mapping[str, str]) -> list[Json]:
    """Those of the case's rule in the case's subscription."""
    home = f"{one.place.subscription.lower()}/"
    about = [row for row in rows if home in f"{row.get(names['at'])} {row.get(names['scope'])}/".lower()]
    return [row for row in about if one.case.rule in {*row[names["rule"]].split(", "), row.get(names["guard"])}]


@pytest.mark.parametrize("one", PLACED, ids=lambda one: one.id)
def test_by_plan(one: Placed, planned: list[Json]) -> None:
    names = {"at": "resourceId", "scope": "scope", "rule": "rule", "guard": "guard"}
    by_principal = [{**row, "resourceId": row.get("resourceId") or row.get("principal")} for row in planned]
    assert bool(_of(one, by_principal, names)) is one.case.acts


@pytest.mark.parametrize("one", PLACED, ids=lambda one: one.id)
def test_by_event(one: Placed, told: list[Json]) -> None:
    names = {"at": "ResourceId", "scope": "Scope", "rule": "RuleId", "guard": "Guard"}
    assert bool(_of(one, told, names)) is one.case.acts
