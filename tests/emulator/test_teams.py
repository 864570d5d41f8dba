"""Teams of one workspace, each with a cluster and a keyless store: kept apart by people or not, by each way in.

The tenants are the shape of Microsoft's templates for federated learning; every store is on the policy's allow-list,
and a run may make two changes at most, so that most of them are cut short.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Self

import pytest
from event_grid import event
from local_azure import LocalAzure, Start
from tenants import (
    BLOB_CONTRIBUTOR,
    BLOB_READER,
    Tenant,
    group_id,
    oid,
    system_assigned,
    user_assigned,
)
from wire import Json

from emulator import tenant_builder as build

TEAMS = ("north", "south", "west")
APART = ("own", "containers")
POLICY = json.dumps(
    {
        "mode": "enforce",
        "trust": {"allow": [group_id(name) for name in ("own", "nothing", "same", "containers")]},
        "caps": {"per_run": 2},
    }
)


type Held = dict[str, set[tuple[str, str]]]


@dataclass(frozen=True)
class Team:
    cluster: str
    principal: str
    store: str


def _team(tenant: Tenant, workspace: Json, group: str, name: str, number: int) -> Team:
    """The first has a user-assigned identity. CLI and SDK register datastores without subscription and group."""
    tag = group.rpartition("/")[2]
    store = tenant.storage(group, f"st{tag}{name}")
    store["properties"]["allowSharedKeyAccess"] = False
    one = tenant.uai(group, f"id-{name}") if number == 0 else None
    identity = user_assigned(one) if one else system_assigned(f"{tag} {name}")
    cluster = tenant.compute(workspace, f"cpu-{name}", identity=identity)
    where = {} if number == 1 else {"subscriptionId": group.split("/")[2], "resourceGroup": tag.upper()}
    where |= {"accountName": store["name"], "containerName": "data"}
    tenant.add(build.datastore(workspace["id"], f"data_{name}", **where))
    principal = one["properties"]["principalId"] if one else oid(f"{tag} {name}")
    return Team(cluster["id"], principal, store["id"])


@dataclass(frozen=True)
class World:
    azure: LocalAzure
    workspaces: dict[str, str]
    teams: dict[str, list[Team]]

    def held(self, name: str) -> Held:
        return {one.principal: self.azure.grants(one.principal, group_id(name)) for one in self.teams[name]}

    def kept_apart(self) -> dict[str, Held]:
        return {name: self.held(name) for name in APART}

    def reads(self, name: str) -> set[tuple[str, str]]:
        """(principal, account): who reads where."""
        stores = {one.store.lower() for one in self.teams[name]}
        roles = (BLOB_READER, BLOB_CONTRIBUTOR)
        return {
            (who, at) for who, all_held in self.held(name).items() for at, r in all_held if at in stores and r in roles
        }

    def everybody_everywhere(self, name: str) -> set[tuple[str, str]]:
        return {(one.principal, other.store.lower()) for one in self.teams[name] for other in self.teams[name]}


def _world(start_azure: Start) -> World:
    tenant = Tenant()
    workspaces: dict[str, str] = {}
    teams: dict[str, list[Team]] = {}
    for name in ("own", "nothing", "same", "containers"):
        group = group_id(name)
        workspace = tenant.workspace(group, f"mlw-{name}")
        workspaces[name] = workspace["id"]
        teams[name] = [_team(tenant, workspace, group, team, number) for number, team in enumerate(TEAMS)]
    for number, one in enumerate(teams["own"]):
        tenant.assign(one.store, one.principal, BLOB_READER if number else BLOB_CONTRIBUTOR)
    for one in teams["same"]:
        tenant.assign(teams["same"][0].store, one.principal, BLOB_READER)
    shared = teams["containers"][0].store
    for number, one in enumerate(teams["containers"]):
        tenant.assign(f"{shared}/blobServices/default/containers/team{number}", one.principal, BLOB_READER)
    return World(start_azure(tenant.document(), POLICY), workspaces, teams)


def _by_event(world: World) -> None:
    for name, teams in world.teams.items():
        for one in (*(team.cluster for team in teams), *(team.store for team in teams), world.workspaces[name]):
            assert world.azure.deliver(event(one)).ok
        world.azure.until_quiet()


def _by_sweep(world: World) -> None:
    for _ in range(3):
        world.azure.sweep_all(world.workspaces.values())


@dataclass(frozen=True)
class Looked:
    """`before` is what those who are kept apart held before the app looked."""

    world: World
    before: dict[str, Held]

    @classmethod
    def by(cls, way: Callable[[World], None], world: World) -> Self:
        looked = cls(world, world.kept_apart())
        way(world)
        return looked


@pytest.fixture(scope="module")
def world(start_azure: Start) -> World:
    return _world(start_azure)


@pytest.fixture(scope="module")
def planned(world: World) -> Json:
    """Before anything is changed."""
    return world.azure.run("plan", "--format", "json", "--policy", str(world.azure.folder / "policy.yaml")).document


@pytest.fixture(scope="module")
def told(world: World, planned: Json) -> Looked:
    assert planned
    return Looked.by(_by_event, world)


@pytest.fixture(scope="module")
def swept(start_azure: Start) -> Looked:
    return Looked.by(_by_sweep, _world(start_azure))


def test_a_plan_grants_nobody_another_teams_store_and_says_why(world: World, planned: Json) -> None:
    assert planned["errors"] == []
    for name in APART:
        inside = f"{group_id(name)}/".lower()
        assert [one for one in planned["grants"] if one["scope"].lower().startswith(inside)] == []
        said = {one["resourceId"].lower() for one in planned["findings"] if "AML-36" in one["requirements"]}
        assert {one.store.lower() for one in world.teams[name]} <= said
    for name in ("nothing", "same"):
        inside = f"{group_id(name)}/".lower()
        mine = [one for one in planned["grants"] if one["scope"].lower().startswith(inside)]
        cut = [one for one in planned["withheld"] if one["guard"] == "cap"]
        assert len(mine) == 2
        assert [one for one in cut if one["action"]["scope"].lower().startswith(inside)]


def test_a_finding_says_for_each_store_that_nobody_is_granted(swept: Looked) -> None:
    world = swept.world
    rows = world.azure.rows("AmlGuardFinding_CL")
    said = {row["ResourceId"].lower() for row in rows if row["RuleId"] == "compute-reads-data"}
    assert {one.store.lower() for name in APART for one in world.teams[name]} <= said
    assert not said & {one.store.lower() for name in ("nothing", "same") for one in world.teams[name]}


@pytest.mark.parametrize("way", ["told", "swept"])
def test_those_who_are_kept_apart_stay_apart_and_the_others_read_everywhere(
    request: pytest.FixtureRequest, way: str
) -> None:
    looked: Looked = request.getfixturevalue(way)
    world = looked.world
    assert world.kept_apart() == looked.before
    for name in ("nothing", "same"):
        world.azure.until(partial(_all_read, world, name), f"{name}: all read everywhere")
    assert world.azure.poisoned_work() == []


def _all_read(world: World, name: str) -> bool:
    if world.reads(name) == world.everybody_everywhere(name):
        return True
    world.azure.deliver(event(world.workspaces[name]))
    world.azure.until_quiet()
    return False
