"""Unknown is not empty: what could not be read is an error that says what, never "compliant"."""

import re
from dataclasses import dataclass

import pytest
from forked import Ran
from local_azure import LocalAzure, Start
from tenants import ACR_PULL, GRANTS_ONLY, READER, Tenant, group_id, oid, system_assigned
from wire import Json

_MANY = 101  # one more than a page of ARM's lists
_FORBIDDEN: Json = {"status": 403, "code": "AuthorizationFailed"}
_THROTTLED: Json = {"status": 429, "code": "SubscriptionRequestsThrottled"}
_GONE: Json = {"status": 404, "code": "NotFound"}
_MALFORMED: Json = {"status": 200}  # its body is an error's, without the list that was asked for
_DROPPED: Json = {"drop": True}


@dataclass(frozen=True)
class Case:
    """A read of one workspace's reconcile that fails. `path` matches within the case's own subscription."""

    name: str
    path: str
    said: str
    """Must be in the error, whatever its blanks."""
    fault: Json

    @property
    def group(self) -> str:
        number = CASES.index(self) + 1
        return group_id("rg-failing", f"{number:08}-0000-4000-8000-000000000000")

    @property
    def workspace(self) -> str:
        return f"{self.group}/providers/Microsoft.MachineLearningServices/workspaces/mlw"

    @property
    def registry(self) -> str:
        return f"{self.group}/providers/Microsoft.ContainerRegistry/registries/{_registry_name(self)}"


_LISTS = (
    ("computes", r"/workspaces/mlw/computes\?", "computes"),
    ("endpoints", r"/workspaces/mlw/onlineEndpoints\?", "onlineEndpoints"),
    ("datastores", r"/workspaces/mlw/datastores\?", "datastores"),
    ("role assignments", r"/roleAssignments\?", "roleAssignments"),
    ("deny assignments", r"/denyAssignments\?", "denyAssignments"),
    ("locks", r"/locks\?", "locks"),
    ("workspaces", r"/providers/Microsoft.MachineLearningServices/workspaces\?", "workspaces"),
)
# Who else uses a registry: what may not be read there is known to be unknown, and no error (test_registry_users).
_USERS = (
    ("container groups", r"/containerGroups\?", "containerGroups"),
    ("container apps", r"/containerApps\?", "containerApps"),
    ("sites", r"/Microsoft.Web/sites\?", "sites"),
    ("slots", r"/resources\?", "resources"),
    ("batch accounts", r"/batchAccounts\?", "batchAccounts"),
    ("jobs", r"/workspaces/mlw/jobs\?", "jobs"),
)
_THINGS = (
    ("workspace", r"/workspaces/mlw\?", "workspacesmlw"),
    ("registry", r"/registries/[^/]+\?", "registries"),
    ("role definition", r"/roleDefinitions/", "roleDefinition"),
)
CASES = (
    *(Case(f"forbidden {name}", path, said, _FORBIDDEN) for name, path, said in (*_LISTS, *_THINGS)),
    *(Case(f"malformed {name}", path, said, _MALFORMED) for name, path, said in (*_LISTS, *_USERS)),
    *(Case(f"throttled {name}", path, said, _THROTTLED) for name, path, said in _LISTS[3:4]),
    *(Case(f"dropped {name}", path, said, _DROPPED) for name, path, said in _THINGS[:2]),
    Case("second page of computes is malformed", r"/computes\?.*skiptoken", "computes", _MALFORMED),
    Case("second page of computes is gone", r"/computes\?.*skiptoken", "computes", _GONE),
    Case(
        "second page of role assignments is malformed", r"/roleAssignments\?.*skiptoken", "roleAssignments", _MALFORMED
    ),
    Case("second page of role assignments is gone", r"/roleAssignments\?.*skiptoken", "roleAssignments", _GONE),
)


def _registry_name(case: Case) -> str:
    return f"acrml{CASES.index(case)}"


def _add(tenant: Tenant, case: Case) -> None:
    """All that is left to do here is to turn the admin user off, and only one who has read everything may."""
    registry = tenant.registry(case.group, _registry_name(case), admin=True)
    workspace = tenant.workspace(case.group, containerRegistry=registry["id"])
    role = tenant.custom_role(case.name, case.group, actions=["Microsoft.ContainerRegistry/registries/pull/read"])
    for number in range(_MANY if "second page of computes" in case.name else 1):
        name = f"cluster{number}"
        tenant.compute(workspace, name, identity=system_assigned(f"{case.name} {name}"))
        tenant.assign(registry["id"], oid(f"{case.name} {name}"), role)
    if "second page of role" in case.name:
        for number in range(_MANY):
            below = f"{case.group}/providers/Microsoft.Storage/storageAccounts/store{number}"
            tenant.assign(below, oid(f"{case.name} cluster0"), READER)


@pytest.fixture(scope="module")
def azure(start_azure: Start) -> LocalAzure:
    tenant = Tenant()
    for case in CASES:
        _add(tenant, case)
    good = tenant.registry(group_id("rg-good"), "acrgood")
    workspace = tenant.workspace(group_id("rg-good"), "good", containerRegistry=good["id"])
    tenant.compute(workspace, "cluster", identity=system_assigned("good"))
    tenant.assign(good["id"], oid("good"), ACR_PULL)
    return start_azure(tenant.document(), f"mode: enforce\n{GRANTS_ONLY}", functions=False)


GOOD = f"{group_id('rg-good')}/providers/Microsoft.MachineLearningServices/workspaces/good"


@pytest.fixture(scope="module")
def healthy(azure: LocalAzure) -> Ran:
    azure.faults()
    return azure.run("plan", "--format", "json")


@pytest.fixture(scope="module")
def failing(azure: LocalAzure, healthy: Ran) -> Ran:
    """One plan of the tenant in which every case's read fails."""
    assert healthy.code == 2, healthy.err
    azure.faults(*({"path": f"^/subscriptions/{case.group.split('/')[2]}.*{case.path}"} | case.fault for case in CASES))
    ran = azure.run("plan", "--format", "json")
    azure.faults()
    return ran


def _switches(ran: Ran) -> set[str]:
    return {one["resourceId"] for one in ran.document["settings"] if one["property"] == "adminUserEnabled"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_failed_read_is_an_error_that_says_what(case: Case, healthy: Ran, failing: Ran) -> None:
    assert healthy.document["errors"] == []
    assert case.registry in _switches(healthy)
    assert failing.code == 1
    (error,) = [error for error in failing.document["errors"] if error.startswith(f"{case.workspace}:")]
    assert case.said.lower() in error.removeprefix(case.workspace).replace(" ", "").lower()
    assert case.registry not in _switches(failing)


def test_the_others_are_planned_all_the_same(azure: LocalAzure, failing: Ran) -> None:
    assert len(failing.document["errors"]) == len(CASES)
    assert failing.document["satisfied"] > 0
    alone = azure.run("plan", "--scope", GOOD)
    assert alone.code == 0, alone.err


@pytest.mark.parametrize("command", ["plan", "apply"])
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"path": "^/metadata/", "status": 500}, id="metadata broken"),
        pytest.param({"path": "ResourceGraph/resources", "status": 403}, id="Resource Graph forbidden"),
        pytest.param({"path": "ResourceGraph/resources", "status": 200}, id="Resource Graph malformed"),
        pytest.param({"path": "^/msi/token", "status": 400}, id="no token"),
        pytest.param({"path": "^/(subscriptions|providers)", "status": 401}, id="token refused"),
        pytest.param({"path": "^/(subscriptions|providers)", "status": 429}, id="throttled for ever"),
    ],
)
def test_a_command_that_cannot_look_around_fails(azure: LocalAzure, fault: Json, command: str) -> None:
    azure.forget_requests()
    azure.faults(fault)
    ran = azure.run(command, *(["--yes"] if command == "apply" else []))
    azure.faults()
    _assert_failed(ran)
    assert azure.writes() == []


@pytest.mark.parametrize("url", ["https://127.0.0.1:1", "https://nowhere.invalid"])
def test_unreachable(azure: LocalAzure, url: str) -> None:
    _assert_failed(azure.run("plan", env={"AMLGUARD_ARM_ENDPOINT": url}))


def test_untrusted(azure: LocalAzure) -> None:
    """A server whose certificate the client does not know is not Azure."""
    _assert_failed(azure.run("plan", env={"SSL_CERT_FILE": "", "REQUESTS_CA_BUNDLE": ""}))


def test_an_identity_that_may_read_nothing_is_not_compliant(start_own_azure: Start) -> None:
    """Resource Graph answers such an identity with no rows at all."""
    azure = start_own_azure(Tenant().document(), "mode: enforce\n", functions=False)
    everywhere = f"/subscriptions/{azure.get('/subscriptions')['value'][0]['subscriptionId']}"
    for scope, role in azure.grants(azure.app, everywhere):
        (assignment,) = [
            one
            for one in azure.get(f"{scope}/providers/Microsoft.Authorization/roleAssignments")["value"]
            if one["properties"]["roleDefinitionId"].endswith(role) and one["properties"]["scope"].lower() == scope
        ]
        azure.delete(assignment["id"])
    _assert_failed(azure.run("plan"))


_BEFORE = re.compile(r"amlguard: (run [0-9a-f-]{36}|plan: signing in and looking for workspaces …)")


def _assert_failed(ran: Ran) -> None:
    """Exit code 1, one line that says why (after what is said first), and nothing that looks like a clean bill."""
    assert ran.code == 1, (ran.out, ran.err)
    assert ran.out == ""
    said = [line for line in ran.err.strip().splitlines() if not _BEFORE.fullmatch(line)]
    assert len(said) == 1, ran.err
    assert said[0].startswith("amlguard: ")
    assert "compliant" not in ran.err
