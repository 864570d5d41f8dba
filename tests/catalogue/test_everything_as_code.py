"""The code of a plan, played into the local Azure: what it leads to, and that it is what the plan says.

A case for each kind of change: role assignments at each type of resource, to identities and to a group, an access
policy, a switch-off with its resync, and a removal. `az` is the real one, kept running, for it takes seconds to load.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from catalogue.case import PEOPLE_GROUP, TENANT_ID
from catalogue.gathered import document, placed, policy
from kept_command import Answered, kept_command
from local_azure import AMLGUARD, LocalAzure, amlguard
from wire import Json, clean

from clients.local import CLIENTS, Local
from docs import fidelity
from infra.compiler import Bicep
from shared.access.own_assignments import assignment_name
from shared.access.scope import Scope

CASES = frozenset(
    (
        "workspace-vault-policies",
        "people-storage",
        "registry-admin-user",
        "attached-cluster-access",
        "attached-cluster-relay",
        "base-image-identity",
        "outbound-target-approver",
        "own-grants",
    )
)
_ASSIGNMENTS = "providers/Microsoft.Authorization/roleAssignments"
_SOMEBODYS = "77777777-7777-4777-8777-777777777777"
_ROOT = Path(__file__).parents[2]


@dataclass
class Played:
    """The local Azure, and what a snapshot of it was written as."""

    azure: LocalAzure
    plan: Json
    before: set[str] = field(default_factory=set)

    @property
    def folder(self) -> Path:
        return self.azure.folder

    def planned(self) -> Json:
        out = self.folder / "now.json"
        ran = self.azure.run(
            "plan", "--format", "json", "--out", str(out), "--policy", str(self.folder / "policy.yaml")
        )
        assert ran.code in (0, 2), ran.err
        found: Json = json.loads(out.read_text("utf-8"))
        return found

    def assigned(self) -> set[str]:
        """Ids, in lower case, of all role assignments in the subscriptions of the plan."""
        found: set[str] = set()
        for one in {Scope.parse(grant["scope"]).subscription for grant in self.plan["grants"]}:
            found |= {each["id"].lower() for each in self.azure.get(f"{one}/{_ASSIGNMENTS}")["value"]}
        return found

    def wanted(self) -> set[str]:
        return {f"{one['scope']}/{_ASSIGNMENTS}/{_name(one)}".lower() for one in self.plan["grants"]}

    def take_back(self) -> None:
        """As it was before, for the next way to make it."""
        for one in self.assigned() - self.before:
            self.azure.delete(one)
        for one in self.plan["settings"]:
            if one["property"] == "accessPolicies":
                entry = {"tenantId": TENANT_ID, "objectId": one["principalId"], "permissions": {}}
                self.azure.put(
                    f"{one['resourceId']}/accessPolicies/remove", {"properties": {"accessPolicies": [entry]}}
                )
        assert self.assigned() == self.before


def _name(grant: Json) -> str:
    role = grant["roleDefinitionId"].rpartition("/")[2]
    return assignment_name(Scope.parse(grant["scope"]), grant["principalId"], role)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    parts = [one.case.build(one.place) for one in placed() if one.id.removesuffix("-acts-1") in CASES]
    assert len(parts) == len(CASES)
    tenant = document(parts)
    tenant["principals"].append({"id": PEOPLE_GROUP, "type": "Group", "displayName": "people"})
    azure = LocalAzure.start(tmp_path_factory.mktemp("code"), tenant, policy(), functions=False)
    try:
        taken = azure.folder / "tenant.snapshot.json"
        ran = azure.run("snapshot", "--out", str(taken), "--policy", str(azure.folder / "policy.yaml"))
        assert ran.code == 0, ran.err
        files = {"bicep": "missing.bicep", "terraform": "missing.tf.json", "az": "missing.sh"}
        also = [word for form, file in files.items() for word in ("--also", f"{form}={azure.folder / file}")]
        rules = ("--policy", str(azure.folder / "policy.yaml"))
        written = amlguard(azure.folder, "plan", "--snapshot", str(taken), *rules, "--format", "json", *also)
        assert written.code == 2, written.err
        found = Played(azure, written.document)
        found.before = found.assigned()
        yield found
    finally:
        azure.stop()


def test_every_kind_of_change_is_in_the_plan(played: Played) -> None:
    scopes = {Scope.parse(one["scope"]).resource_type for one in played.plan["grants"]}
    assert len(scopes) == 9
    assert {one["principalType"] for one in played.plan["grants"]} == {"ServicePrincipal", "Group"}
    assert {one["property"] for one in played.plan["settings"]} == {"accessPolicies", "adminUserEnabled", "cachedKeys"}
    assert len(played.plan["removals"]) == 1


def test_what_only_this_asks_is_asked(played: Played) -> None:
    """The snapshot reads Application Insights, for `explain`."""
    asked = fidelity.listed("catalogue/test_everything_as_code.py")
    assert asked
    assert asked <= played.azure.sent()


def test_terraforms_assignments_lead_to_a_plan_without_grants(played: Played) -> None:
    """By the calls that the provider would make of them: Terraform itself is not to be had."""
    made = json.loads((played.folder / "missing.tf.json").read_text("utf-8"))["resource"]
    for one in made["azurerm_role_assignment"].values():
        body = {
            "principalId": one["principal_id"],
            "roleDefinitionId": one["role_definition_id"],
            "principalType": one["principal_type"],
            "description": one["description"],
        }
        played.azure.put(f"{one['scope']}/{_ASSIGNMENTS}/{one['name']}", {"properties": body})
    assert played.assigned() - played.before == played.wanted()
    assert played.planned()["grants"] == []
    played.take_back()


def test_bicep_leads_to_a_plan_without_grants_and_access_policies(played: Played, bicep: Bicep) -> None:
    compiled = bicep.compile(played.folder / "missing.bicep")
    assert compiled.findings == []
    where = (
        f"{Scope.parse(played.plan['grants'][0]['scope']).subscription}/providers/Microsoft.Resources/deployments/code"
    )
    properties = {"mode": "Incremental", "template": compiled.template, "parameters": {}}
    answer = played.azure.arm("PUT", where, {"location": "westeurope", "properties": properties}, version="2025-04-01")
    assert answer.ok, answer.text

    def state() -> str:
        shown = played.azure.arm("GET", where, version="2025-04-01").json()["properties"]
        assert "error" not in shown, shown["error"]
        return str(shown["provisioningState"])

    played.azure.until(lambda: state() == "Succeeded", "it is deployed")
    assert played.assigned() - played.before == played.wanted()
    then = played.planned()
    assert then["grants"] == []
    assert {one["property"] for one in then["settings"]} == {"adminUserEnabled", "cachedKeys"}
    played.take_back()


@pytest.fixture(scope="module")
def az(played: Played) -> Iterator[dict[str, str]]:
    """The environment of a person who is signed in."""
    local = Local(played.azure.ready, played.folder)
    folder = played.folder / "bin"
    folder.mkdir()
    shim = folder / "az"
    path = os.pathsep.join((str(folder), str(AMLGUARD.parent), os.environ["PATH"]))
    process = subprocess.Popen(
        [CLIENTS, _ROOT / "clients" / "az.py"],
        env=local.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process, kept_command(shim, partial(_answered, process)):
        environment = clean(played.folder, {**played.azure.env, "PATH": path, "AMLGUARD_WAIT_MINUTES": "0"})
        who, arm = local.sign_in, played.azure.ready["arm"]
        for words in (
            ("cloud", "register", "-n", "Cnt", "--endpoint-resource-manager", arm),
            ("cloud", "set", "-n", "Cnt"),
            ("login", "--service-principal", "-u", who["clientId"], "-p", who["clientSecret"], "-t", who["tenantId"]),
        ):
            subprocess.run([shim, *words], env=environment, check=True, capture_output=True)
        try:
            yield environment
        finally:
            process.kill()


def _answered(process: "subprocess.Popen[str]", _: Path, words: list[str]) -> Answered:
    assert process.stdin
    assert process.stdout
    process.stdin.write(json.dumps(words) + "\n")
    process.stdin.flush()
    code, out, err = json.loads(process.stdout.readline())
    return code, out, err


@pytest.mark.skipif(not CLIENTS.exists(), reason="the Azure CLI is not there: `make test` sets it up")
def test_the_script_leads_to_a_plan_without_grants_settings_and_removals(played: Played, az: dict[str, str]) -> None:
    """Somebody has granted the first of it meanwhile, by another name."""
    first, *_ = played.plan["grants"]
    body = {name: first[name] for name in ("principalId", "principalType", "roleDefinitionId")}
    theirs = f"{first['scope']}/{_ASSIGNMENTS}/{_SOMEBODYS}"
    played.azure.put(theirs, {"properties": body})
    ended = subprocess.run(
        ["bash", str(played.folder / "missing.sh")],
        env=az,
        cwd=played.folder,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert ended.returncode == 0, ended.stderr
    (removal,) = played.plan["removals"]
    there = played.before | played.wanted() | {theirs.lower()}
    not_there = {removal["roleAssignmentId"].lower(), f"{first['scope']}/{_ASSIGNMENTS}/{_name(first)}".lower()}
    assert played.assigned() == there - not_there
    now = played.planned()
    assert [now[name] for name in ("grants", "settings", "removals", "deferred")] == [[], [], [], []]
    asked = [one["path"].partition("?")[0].lower() for one in played.azure.asked()]
    (registry,) = (one["resourceId"] for one in played.plan["settings"] if one["property"] == "adminUserEnabled")
    assert not played.azure.admin_user(registry)
    assert any(path.endswith("/resynckeys") for path in asked)


@pytest.mark.skipif(not CLIENTS.exists(), reason="the Azure CLI is not there: `make test` sets it up")
def test_a_grant_that_is_there_does_no_harm(played: Played, az: dict[str, str]) -> None:
    """After the script: two of its grants again, one of which somebody made by another name."""
    before = played.assigned()
    first, second, *_ = map(_name, played.plan["grants"])
    lines = (played.folder / "missing.sh").read_text("utf-8").splitlines()
    again = [line for line in lines if line.startswith("az ") and (first in line or second in line)]
    assert len(again) == 2
    subprocess.run(["bash", "-euc", "\n".join(again)], env=az, check=True, capture_output=True)
    assert played.assigned() == before
