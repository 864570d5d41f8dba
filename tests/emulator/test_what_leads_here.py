"""Whatever leads to a workspace finds it, and no other: events, deleted assignments, `explain`, `--scope`."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from dependency_world import KINDS, POLICY, World, document, resource, workspace
from event_grid import event
from local_azure import LocalAzure, Start
from tenants import child, oid

ACCESS = json.loads((Path(__file__).parents[2] / "infra" / "app_access.json").read_text(encoding="utf-8"))
_ASSIGNMENT = "Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-000000000001"
SCOPES = [kind for kind, one in KINDS.items() if one.scope]
WATCHED = [kind for kind, one in KINDS.items() if one.watched]


@pytest.fixture(scope="module")
def started(start_azure: Start) -> World:
    """The app itself hears of nothing but what the tests tell."""
    return World(start_azure(document(), POLICY, "--operations", "none", access=ACCESS))


@pytest.fixture(autouse=True)
def world(started: World) -> Iterator[World]:
    started.azure.forget_requests()
    yield started
    started.restore()


@pytest.fixture(scope="module")
def azure(started: World) -> LocalAzure:
    return started.azure


@pytest.mark.parametrize("kind", SCOPES)
def test_a_scope_chooses_who_uses_it_only_so(azure: LocalAzure, kind: str) -> None:
    ran = azure.run("plan", "--scope", resource(kind), "--format", "json")
    assert ran.code in {0, 2}, ran.err
    clusters = {oid(each) for each in KINDS} & {one["principalId"] for one in ran.document["grants"]}
    assert clusters == {oid(kind)}
    assert ran.document["lookedAt"]["workspaces"] == 1


@pytest.mark.parametrize("kind", SCOPES)
def test_an_event_about_who_uses_a_scope_of_the_policy_only_so_is_acted_upon(
    world: World, azure: LocalAzure, tmp_path: Path, kind: str
) -> None:
    policy, events = tmp_path / "policy.yaml", tmp_path / "events.json"
    policy.write_text(f'{POLICY}scopes: ["{resource(kind)}"]\n', encoding="utf-8")
    other = (
        next(each for each in SCOPES if KINDS[each].type == KINDS[kind].type and each != kind)
        if kind in (WATCHED)
        else "attached cluster"
    )
    told = [event(workspace(kind)), event(workspace(other))]
    events.write_text(json.dumps(told), encoding="utf-8")
    ran = azure.run("event", str(events), "--policy", str(policy))
    assert ran.code == 0, ran.err
    assert world.looked_at() == {kind}


@pytest.mark.parametrize("kind", KINDS)
def test_explain_sees_it_from_who_uses_it_only_so(azure: LocalAzure, kind: str) -> None:
    ran = azure.run("explain", resource(kind), "--format", "json")
    assert ran.code in {0, 2}, ran.err
    assert [one.lower() for one in ran.document["workspaces"]] == [workspace(kind).lower()]


@pytest.mark.parametrize("kind", KINDS)
def test_a_deleted_assignment_leads_to_who_uses_it_only_so(world: World, kind: str) -> None:
    assert world.azure.deliver(event(child(resource(kind), _ASSIGNMENT), "delete")).ok
    world.azure.until(lambda: world.was_looked_at(kind), "it is looked at")
    world.azure.until_quiet()
    assert world.looked_at() == {kind}


@pytest.mark.parametrize("kind", WATCHED)
def test_an_event_about_it_leads_to_who_uses_it_only_so(world: World, kind: str) -> None:
    assert world.azure.deliver(event(resource(kind).upper().replace("/SUBSCRIPTIONS/", "/subscriptions/"))).ok
    world.azure.until(lambda: world.was_looked_at(kind), "it is looked at")
    world.azure.until_quiet()
    assert world.looked_at() == {kind}


@pytest.mark.parametrize("kind", ["datastore", "image of an environment"])
def test_what_somebody_takes_away_there_is_back(world: World, kind: str) -> None:
    """The roles that amlguard itself gave at what only a datastore or an environment names."""
    assert world.azure.deliver(event(workspace(kind))).ok
    given = world.assigned_at(resource(kind))
    assert given, "or nothing could be taken away"
    for one in given:
        world.azure.delete(one)
    assert world.azure.deliver(*(event(one, "delete") for one in given)).ok
    world.azure.until(lambda: world.assigned_at(resource(kind)) == given, "the roles are back")
    world.azure.until_quiet()
