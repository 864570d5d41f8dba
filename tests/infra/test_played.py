"""Every parameter file is played: the rights and event filters of its snapshot, given to the app in a local Azure.

An installation that may change things grants what is missing; one that reads only says so. Where there are events,
Event Grid's filter lets the change through; where there are none, the sweep finds it.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from deployments import access, watched
from local_azure import LocalAzure
from tenants import ACR_PULL, Json, Tenant, child, group_id, oid, system_assigned

from infra.snapshots import made, names

POLICY = "mode: enforce\nsettle_minutes: 0\n"
HOME = "11111111-1111-4111-8111-111111111111"
OTHERS = ("22222222-2222-4222-8222-222222222222", "33333333-3333-4333-8333-333333333333")
EVENT_SUBSCRIPTIONS = "Microsoft.EventGrid/systemTopics/eventSubscriptions"


def _operations(name: str) -> list[list[str]]:
    """What each filter of the parameter file lets through."""
    return [
        list(criterion["values"])
        for one in made(name, EVENT_SUBSCRIPTIONS)
        for criterion in one["properties"]["filter"]["advancedFilters"]
    ]


def _looked_at(name: str) -> list[str]:
    """GUIDs of the subscriptions that the app sees: a management group has both others."""
    scopes = watched(name)
    return list(OTHERS) if any("managementGroups" in one for one in scopes) else [one.split("/")[2] for one in scopes]


def _tenant(name: str) -> Tenant:
    tenant = Tenant()
    tenant.storage(group_id("rg-home", HOME), "sthome")  # makes the app's own subscription known, and the first
    for subscription in (HOME, *OTHERS):
        group = group_id("rg-ml", subscription)
        registry = tenant.registry(group, f"acrml{subscription[0]}", admin=True)
        workspace = tenant.workspace(group, containerRegistry=registry["id"])
        tenant.compute(workspace, "cluster", identity=system_assigned(f"cluster {subscription}"))
    for scope in watched(name):
        if "managementGroups" in scope:
            tenant.management_group(scope.rpartition("/")[2], *OTHERS)
    return tenant


@contextmanager
def _playing(folder: Path, name: str) -> Iterator[LocalAzure]:
    given = {one.rpartition("/")[2] for one in watched(name)}
    filters = [",".join(each) for each in _operations(name)] or ["none"]
    options = ["--watched", ",".join(sorted(given)), *(one for each in filters for one in ("--operations", each))]
    azure = LocalAzure.start(folder, _tenant(name).document(), POLICY, *options, access=access(name))
    try:
        yield azure
    finally:
        azure.stop()


def _registry(subscription: str) -> str:
    return child(group_id("rg-ml", subscription), "Microsoft.ContainerRegistry/registries", f"acrml{subscription[0]}")


def _workspace(subscription: str) -> str:
    return child(group_id("rg-ml", subscription), "Microsoft.MachineLearningServices/workspaces", "mlw")


def _granted(azure: LocalAzure, subscription: str) -> bool:
    registry = _registry(subscription)
    return (registry.lower(), ACR_PULL) in azure.grants(oid(f"cluster {subscription}"), registry)


def _touched(azure: LocalAzure, subscription: str) -> None:
    """Somebody writes the workspace again, which Event Grid tells of."""
    there: Json = azure.get(_workspace(subscription))
    azure.put(there["id"], {key: there[key] for key in ("location", "identity", "properties", "kind", "sku", "tags")})


@pytest.mark.parametrize("name", names())
def test_a_parameter_file_is_played(tmp_path: Path, name: str) -> None:
    seen = _looked_at(name)
    with _playing(tmp_path, name) as azure:
        if _operations(name):
            for subscription in seen:
                _touched(azure, subscription)
        else:
            azure.sweep()
        if name == "read-only":
            azure.until(azure.rows, "what it would do is on record")
            azure.until_quiet()
            assert not any(_granted(azure, one) for one in seen)
            assert {row["Outcome"] for row in azure.rows()} <= {"Planned", "Failed", "Deferred"}
        else:
            for subscription in seen:
                azure.until(lambda: _granted(azure, subscription), "the cluster may pull")  # noqa: B023 - waited for here
        azure.until_quiet()
        assert not any(_granted(azure, one) for one in {HOME, *OTHERS} - set(seen))


def test_what_is_played_is_not_one_thing() -> None:
    """The parameter files differ in what is looked at, in what may be changed, and in whether there are events."""
    assert {tuple(sorted(_looked_at(name))) for name in names()} >= {(HOME,), OTHERS, OTHERS[:1]}
    assert {bool(_operations(name)) for name in names()} == {True, False}
    assert len({json.dumps(access(name)["roleAssignments"]) for name in names()}) > 1
