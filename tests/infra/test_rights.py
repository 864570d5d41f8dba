"""The rights that the Bicep gives, in the local Azure: with all of them it works; without one, the alert names it.

The app lives in a subscription that it does not watch, so that no right in the watched one stands in for another. One
stands in for another all the same: who may assign roles may read. So Reader is taken away where it counts, from an
installation that reads only.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from deployments import alerts, written_access
from event_grid import event
from local_azure import LocalAzure
from tenants import ACR_PULL, Json, Tenant, group_id, oid, system_assigned

from infra.check import INFRA

POLICY = "mode: enforce\nsettle_minutes: 0\nevidence: {required: true}\n"
CONDITION = json.loads((INFRA / "generated" / "derived.json").read_text("utf-8"))["condition"]
ALERT = alerts()["identity-lost-role"]["query"]
HOME, WATCHED = "00000000-0000-4000-8000-000000000001", "11111111-1111-4111-8111-111111111111"
GIVEN: Sequence[Mapping[str, Any]] = written_access()["roleAssignments"]
RIGHTS = [f"{one['role']} on {one['on']}" for one in GIVEN]
_IN = {
    "watched": f"/subscriptions/{WATCHED}",
    "changed": f"/subscriptions/{WATCHED}",
    "dataCollectionRule": "/dataCollectionRules/",
    "applicationInsights": "/components/",
    "logAnalyticsWorkspace": "/Microsoft.OperationalInsights/workspaces/",
    "storageAccount": "/storageAccounts/",
}


def _tenant() -> Tenant:
    """For each right, and for none, a workspace: its cluster cannot pull yet, and its registry's admin user is on."""
    tenant = Tenant()
    for place in range(len(RIGHTS) + 2):
        group = group_id(f"rg-{place}", WATCHED)
        registry = tenant.registry(group, f"acrml{place}", admin=True)
        account = tenant.storage(group, f"st{place}")
        workspace = tenant.workspace(group, containerRegistry=registry["id"], storageAccount=account["id"])
        tenant.compute(workspace, "cluster", identity=system_assigned(f"cluster{place}"))
    tenant.storage(group_id("rg-home", HOME), "sthome")  # makes the subscription known
    return tenant


def _workspace(place: int) -> str:
    return f"{group_id(f'rg-{place}', WATCHED)}/providers/Microsoft.MachineLearningServices/workspaces/mlw"


def _registry(place: int) -> str:
    return f"{group_id(f'rg-{place}', WATCHED)}/providers/Microsoft.ContainerRegistry/registries/acrml{place}"


@contextmanager
def _started(folder: Path, given: Mapping[str, Any]) -> Iterator[LocalAzure]:
    """With these rights. Event Grid stays silent: it would tell of rights that are taken away, and lead elsewhere."""
    options = ("--watched", WATCHED, "--operations", "none")
    azure = LocalAzure.start(folder, _tenant().document(), POLICY, *options, access=given, condition=CONDITION)
    try:
        yield azure
    finally:
        azure.stop()


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAzure]:
    with _started(tmp_path_factory.mktemp("azure"), written_access()) as running:
        yield running


def _held(azure: LocalAzure) -> list[Json]:
    found: list[Json] = []
    for subscription in (HOME, WATCHED):
        scope = f"/subscriptions/{subscription}/providers/Microsoft.Authorization/roleAssignments"
        found += azure.get(f"{scope}?$filter=principalId eq '{azure.app}'")["value"]
    return found


def _is(assignment: Json, right: Mapping[str, Any]) -> bool:
    properties = assignment["properties"]
    return properties["roleDefinitionId"].endswith(right["id"]) and _IN[right["on"]] in properties["scope"] + "/"


@contextmanager
def without(azure: LocalAzure, *rights: Mapping[str, Any]) -> Iterator[None]:
    taken = [one for one in _held(azure) if any(_is(one, right) for right in rights)]
    assert len(taken) == len(rights)
    for one in taken:
        azure.delete(one["id"])
    try:
        yield
    finally:
        for one in taken:
            azure.put(one["id"], {"properties": one["properties"]})


def _said(azure: LocalAzure, before: Sequence[Json]) -> list[str]:
    """What the alert on lost rights has said since."""
    known = {(row["About"], row["ResourceId"], row["Times"]) for row in before}
    now = azure.query(ALERT)
    return [row["About"] for row in now if (row["About"], row["ResourceId"], row["Times"]) not in known]


def _names(said: str, right: Mapping[str, Any]) -> bool:
    return f"({right['role']}" in said


def _look(azure: LocalAzure, place: int) -> None:
    """The second event finds the grant, and the admin user can go off."""
    for _ in range(2):
        azure.deliver(event(_workspace(place)))
        azure.until_quiet()


def _done(azure: LocalAzure, place: int) -> bool:
    pulls = (_registry(place).lower(), ACR_PULL) in azure.grants(oid(f"cluster{place}"), _registry(place))
    return pulls and not azure.admin_user(_registry(place))


def test_with_all_rights_it_works(azure: LocalAzure) -> None:
    _look(azure, len(RIGHTS))
    azure.until(lambda: _done(azure, len(RIGHTS)), "the cluster may pull, and the admin user is off")
    assert azure.query(ALERT) == []
    assert len(_held(azure)) == len(GIVEN)


def _missing(right: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Without the right; and where others contain it, without them."""
    containing = [one for one in GIVEN if one["on"] == "changed"] if right["on"] == "watched" else []
    return [right, *containing]


# Nobody is told in words that telemetry is missing: that takes a sweep, and time.
UNHEARD = RIGHTS.index("Monitoring Metrics Publisher on applicationInsights")


@pytest.mark.parametrize("place", [pytest.param(n, id=one) for n, one in enumerate(RIGHTS) if n != UNHEARD])
def test_without_a_right_the_alert_names_it(azure: LocalAzure, place: int) -> None:
    right, before = GIVEN[place], azure.query(ALERT)
    with without(azure, *_missing(right)):
        _look(azure, place)
        azure.until(lambda: any(_names(one, right) for one in _said(azure, before)), f"{right['role']} is named")
        assert not _done(azure, place)
    _look(azure, place)
    azure.until(lambda: _done(azure, place), "with the right it works")


def test_without_telemetry_the_alert_names_the_right(tmp_path: Path) -> None:
    right, given = GIVEN[UNHEARD], written_access()
    given["roleAssignments"] = [one for one in GIVEN if one != right]
    with _started(tmp_path, given) as azure:
        azure.sweep()
        azure.until(lambda: azure.rows("AmlGuardSweep_CL"), "the sweep is on record")
        azure.until_quiet()
        assert azure.query("AppRequests") == []
        assert azure.query(ALERT) == []
        azure.advance(11 * 60)
        (said,) = azure.query(ALERT)
        assert _names(said["About"], right)


def test_who_may_only_read_goes_on_reading(azure: LocalAzure) -> None:
    """As an installation that reads only, or one that the right to assign roles was taken from."""
    changing = [one for one in GIVEN if one["on"] == "changed"]
    place = len(RIGHTS) + 1
    with without(azure, *changing):
        assert azure.deliver(event(_workspace(place))).status_code == 202
        azure.until_quiet()
        rows = azure.rows(where=f"ResourceId startswith '{group_id(f'rg-{place}', WATCHED)}/'")
        assert {row["Outcome"] for row in rows} == {"Planned", "Deferred", "Failed"}
