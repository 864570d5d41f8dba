"""A scope is exactly what it names (law 13): for plan, apply and events, whatever kind of scope it is.

Nothing outside it is planned or changed, and nothing is asked about but what its workspaces lead to, what lies above
that, and who else uses the same registry (law 15). Of a scope that workspaces use, the lists are read besides, of each
readable workspace, in which something could name it (`searches`): GET of these and nothing else.
`test_scopes_of_sweeps` has the sweep.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from event_grid import event
from local_azure import LocalAzure, Start
from scope_world import (
    DOCUMENT,
    EMPTY,
    FOREIGN,
    HOMES,
    POLICY,
    PROD,
    REGISTRY,
    RG,
    RUNNER,
    UNKNOWN,
    WORKSPACES,
    A,
    E,
    World,
    begin,
    leads_to,
    management_group,
    principal,
    searches,
    storage,
)
from tenants import TENANT_ID, child

from docs import fidelity

ACCESS = json.loads((Path(__file__).parents[2] / "infra" / "app_access.json").read_text(encoding="utf-8"))
CHOOSES = {
    "management group": (management_group("ml"), {"one", "prod", "nested"}),
    "its name in capitals": (management_group("ML").upper(), {"one", "prod", "nested"}),
    "group of groups": (management_group("company"), {"one", "prod", "nested", "other"}),
    "nested group": (management_group("ml-prod"), {"nested"}),
    "subscription": (f"/subscriptions/{A}", {"one", "prod"}),
    "rg beside rg-prod": (RG, {"one"}),
    "rg-prod": (PROD.upper(), {"prod"}),
    "workspace": (WORKSPACES["prod"], {"prod"}),
    "compute": (f"{WORKSPACES['prod']}/computes/cluster", {"prod"}),
    "registry": (REGISTRY, {"one", "nested"}),
    "storage account": (storage("prod"), {"prod"}),
    "identity of a compute": (RUNNER, {"other"}),
}
"""By which scope which workspaces are chosen."""

REFUSED = {
    "unknown management group": management_group("mll"),
    "unreadable management group": management_group("closed"),
    "tenant root group": management_group(TENANT_ID),
    "root": "/",
    "other tenant's subscription": f"/subscriptions/{E}",
    "other tenant's group": FOREIGN.partition("/providers/")[0],
    "other tenant's workspace": FOREIGN,
    "unknown subscription": f"/subscriptions/{UNKNOWN}",
    "no id of a subscription": "/subscriptions/ml-subscription",
    "unknown group": f"{RG}-pro",
    "group without its last letter": RG[:-1],
    "unknown workspace": f"{WORKSPACES['one']}-2",
    "unknown compute": f"{WORKSPACES['one']}/computes/cluster-2",
    "unknown registry": f"{REGISTRY}2",
    "other kind of resource": child(RG, "Microsoft.Network/virtualNetworks", "net"),
    "part of a registry": f"{REGISTRY}/scopeMaps/all",
    "no id": "ml",
}


@pytest.fixture(scope="module")
def started(start_azure: Start) -> World:
    """The app itself hears of nothing."""
    return begin(start_azure(DOCUMENT, POLICY, "--operations", "none", access=ACCESS))


@pytest.fixture(autouse=True)
def world(started: World) -> Iterator[World]:
    started.azure.forget_requests()
    yield started
    started.restore()


@pytest.fixture(scope="module")
def azure(started: World) -> LocalAzure:
    return started.azure


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    return tmp_path / "policy.yaml"


def _watching(policy: Path, *scopes: str) -> str:
    policy.write_text(f"{POLICY}scopes: {json.dumps(scopes)}\n", encoding="utf-8")
    return str(policy)


def _told(beside: Path, *names: str) -> str:
    """A file with a delivery: of each workspace an event."""
    file = beside.with_name("events.json")
    file.write_text(json.dumps([event(WORKSPACES[name]) for name in names]), encoding="utf-8")
    return str(file)


def _allowed(scope: str, names: set[str]) -> set[str]:
    return {scope}.union(*map(leads_to, names))


@pytest.mark.parametrize("what", CHOOSES)
def test_plan_looks_at_what_the_scope_chooses(world: World, azure: LocalAzure, what: str) -> None:
    scope, names = CHOOSES[what]
    ran = azure.run("plan", "--scope", scope, "--format", "json")
    assert ran.code == 2, ran.err
    assert {one["principalId"] for one in ran.document["grants"]} == {principal(name) for name in names}
    looked = ran.document["lookedAt"]
    assert looked["workspaces"] == len(names)
    assert looked["subscriptions"] == len({HOMES[name].split("/")[2] for name in names})
    assert looked["identity"] == world.azure.app
    assert world.strays(_allowed(scope, names), lists=searches(scope)) == []
    assert world.azure.writes() == []


def test_it_asks_for_what_the_papers_list(azure: LocalAzure) -> None:
    azure.run("plan", "--scope", management_group("ml"), "--scope", RG)
    assert fidelity.listed("emulator/test_scopes.py") <= azure.sent()


@pytest.mark.parametrize("what", CHOOSES)
def test_plan_looks_at_what_the_policys_scopes_choose(world: World, azure: LocalAzure, policy: Path, what: str) -> None:
    scope, names = CHOOSES[what]
    ran = azure.run("plan", "--policy", _watching(policy, scope), "--format", "json")
    assert ran.code == 2, ran.err
    assert {one["principalId"] for one in ran.document["grants"]} == {principal(name) for name in names}
    assert ran.document["lookedAt"]["policy"] == str(policy)
    assert world.strays(_allowed(scope, names), lists=searches(scope)) == []


@pytest.mark.parametrize("what", CHOOSES)
def test_apply_changes_what_the_scope_chooses(world: World, azure: LocalAzure, what: str) -> None:
    scope, names = CHOOSES[what]
    ran = azure.run("apply", "--yes", "--scope", scope, "--format", "json")
    assert ran.code in {0, 2}, ran.err
    assert world.changed() == names
    assert world.strays(_allowed(scope, names), lists=searches(scope)) == []


@pytest.mark.parametrize("what", CHOOSES)
def test_events_of_what_the_policys_scopes_choose_are_acted_upon_and_no_others(
    world: World, azure: LocalAzure, policy: Path, what: str
) -> None:
    scope, names = CHOOSES[what]
    ran = azure.run("event", _told(policy, *WORKSPACES), "--policy", _watching(policy, scope))
    assert ran.code == 0, ran.err
    assert world.changed() == names


@pytest.mark.parametrize("what", CHOOSES)
def test_an_event_asks_about_nothing_else(world: World, azure: LocalAzure, policy: Path, what: str) -> None:
    scope, names = CHOOSES[what]
    azure.run("event", _told(policy, *sorted(names)), "--policy", _watching(policy, scope))
    assert world.strays(_allowed(scope, names)) == []


@pytest.mark.parametrize("command", ["plan", "apply"])
@pytest.mark.parametrize("what", REFUSED)
def test_a_scope_that_chooses_nothing_is_an_error(world: World, azure: LocalAzure, command: str, what: str) -> None:
    scope = REFUSED[what]
    ran = azure.run(command, *(("--yes",) if command == "apply" else ()), "--scope", scope)
    assert ran.code == 1
    assert ran.out == ""
    said_first = ("amlguard: run ", "amlguard: plan: ")
    (line,) = (line for line in ran.err.splitlines() if not line.startswith(said_first))
    assert scope in line
    assert world.strays({scope}) == []
    assert world.azure.writes() == []


@pytest.mark.parametrize(
    ("beside", "arguments"),
    [((), ()), ((RG,), ("--scope", WORKSPACES["one"], "--allow-empty"))],
    ids=["alone", "beside a right one"],
)
@pytest.mark.parametrize("what", [what for what in REFUSED if what != "no id"])
def test_a_scope_of_the_policy_that_chooses_nothing_is_an_error(
    azure: LocalAzure, policy: Path, what: str, beside: tuple[str, ...], arguments: tuple[str, ...]
) -> None:
    ran = azure.run("plan", "--policy", _watching(policy, *beside, REFUSED[what]), *arguments)
    assert ran.code == 1
    assert ran.out == ""
    assert REFUSED[what] in ran.err
    assert "policy file" in ran.err


@pytest.mark.parametrize(
    ("scope", "code"), [(RG, 0), (REGISTRY, 0), ("/", 1), (f"{REGISTRY}/scopeMaps/all", 1), ("ml", 1)]
)
def test_policy_check_knows_what_can_choose_nothing(azure: LocalAzure, policy: Path, scope: str, code: int) -> None:
    ran = azure.run("policy", "check", _watching(policy, EMPTY, scope))
    assert ran.code == code
    assert ("scopes[1]" in ran.err) is (code == 1)


def test_what_may_not_be_read_names_the_right(azure: LocalAzure) -> None:
    ran = azure.run("plan", "--scope", management_group("closed"))
    assert "Microsoft.Management/managementGroups/read" in ran.err
    assert "Reader" in ran.err


@pytest.mark.parametrize(
    ("scope", "watched", "both"),
    [
        (f"/subscriptions/{A}", (RG,), {"one"}),
        (management_group("company"), (PROD, management_group("ml-prod")), {"prod", "nested"}),
        (management_group("ml"), (REGISTRY,), {"one", "nested"}),
        (REGISTRY, (management_group("ml-prod"),), {"nested"}),
        (WORKSPACES["prod"], (f"/subscriptions/{A}",), {"prod"}),
    ],
)
def test_scope_and_policy_both_hold(
    azure: LocalAzure, policy: Path, scope: str, watched: tuple[str, ...], both: set[str]
) -> None:
    ran = azure.run("plan", "--policy", _watching(policy, *watched), "--scope", scope, "--format", "json")
    assert {one["principalId"] for one in ran.document["grants"]} == {principal(name) for name in both}
    assert ran.document["lookedAt"]["workspaces"] == len(both)


@pytest.mark.parametrize(
    ("scope", "watched"),
    [(WORKSPACES["prod"], (RG,)), (f"/subscriptions/{A}", (management_group("others"),)), (EMPTY, ()), ("", (EMPTY,))],
)
@pytest.mark.parametrize("command", ["plan", "apply"])
def test_nothing_looked_at_is_not_compliant(
    azure: LocalAzure, policy: Path, command: str, scope: str, watched: tuple[str, ...]
) -> None:
    arguments = [command, *(("--yes",) if command == "apply" else ()), *(("--scope", scope) if scope else ())]
    arguments += ["--policy", _watching(policy, *watched)] if watched else []
    ran = azure.run(*arguments, "--format", "json")
    assert ran.code == 1
    assert "nothing was looked at" in ran.err
    assert (ran.document["lookedAt"]["workspaces"], len(ran.document["errors"])) == (0, 1)
    allowed = azure.run(*arguments, "--allow-empty", "--format", "json")
    assert allowed.code == 0
    assert allowed.document["errors"] == []


def test_an_event_fails_where_a_management_group_of_the_policy_cannot_be_read(
    world: World, azure: LocalAzure, policy: Path
) -> None:
    """Whether the workspace is watched is then unknown: neither yes nor no."""
    for group in ("closed", "mll"):
        file = _watching(policy, management_group(group), RG)
        ran = azure.run("event", _told(policy, "one", "closed", "prod"), "--policy", file)
        assert ran.code == 1
        assert management_group(group) in ran.err
        assert world.changed() == {"one"}, "what another scope chooses does not wait for that"
        world.restore()


@pytest.mark.parametrize("form", ["text", "html", "sarif"])
def test_every_format_says_what_was_looked_at(world: World, azure: LocalAzure, form: str) -> None:
    ran = azure.run("plan", "--scope", f"/subscriptions/{A}", "--format", form)
    policy = world.azure.env["AMLGUARD_POLICY"]
    if form == "sarif":
        (run,) = ran.document["runs"]
        said = run["invocations"][0]["properties"]["lookedAt"]
        assert said == {
            "workspaces": 2,
            "subscriptions": 1,
            "policy": policy,
            "identity": world.azure.app,
            "asOf": None,
        }
    else:
        words = f"looked at 2 workspaces in 1 subscription, by policy file {policy}, as {world.azure.app}"
        assert words in ran.out


def test_without_a_scope_all_is_looked_at(world: World) -> None:
    ran = world.azure.run("plan", "--format", "json", env={"AMLGUARD_POLICY": ""})
    assert ran.document["lookedAt"]["workspaces"] == len(HOMES) + 1
    assert ran.document["lookedAt"]["policy"] is None


def test_the_search_for_strays_finds_them(world: World, azure: LocalAzure) -> None:
    """Or all of the above could not fail."""
    azure.run("plan", "--scope", f"/subscriptions/{A}")
    assert world.strays({f"/subscriptions/{A}", *leads_to("one")}) == []
    assert any(PROD in path for path in world.strays(leads_to("one")))
    world.azure.forget_requests()
    azure.run("plan", "--scope", REGISTRY)
    assert WORKSPACES["nested"] in world.strays({REGISTRY, *leads_to("prod")}), "a row of Resource Graph"
    world.azure.forget_requests()
    azure.run("plan", "--scope", RUNNER)
    strays = world.strays({RUNNER, *leads_to("other")}, lists=("computes", "connections"))
    assert {path.rpartition("/")[2] for path in strays} == {"onlineEndpoints"}, "what is not searched for"
