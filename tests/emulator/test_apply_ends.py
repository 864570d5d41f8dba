"""However `amlguard apply` ends, it says which run it was, what was done and what was not, and how to take it back."""

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from forked import Ran
from local_azure import REMEDIATIONS, LocalAzure, Start
from tenants import ACR_PULL, BLOB_READER, GRANTS_ONLY, Tenant, child, group_id, oid, system_assigned
from wire import Json

_RUN = re.compile(r"run ([0-9a-f-]{36})")
_SLOW = {"method": "PUT", "path": "roleAssignments", "delayMs": 3000}
_SECONDS = 120
_FOR_EVER = 1000 * 10 * _SECONDS  # milliseconds
_WORKSPACES = 90
_TABLES = "/dataCollectionRules/"
_REMEDIATIONS = f"{_TABLES}.*/Custom-{REMEDIATIONS}"


class Estate:
    """`workspaces` in a resource group each, whose cluster lacks two grants; more than are looked at at once."""

    def __init__(self, azure: LocalAzure, names: list[str]) -> None:
        self.azure, self.names = azure, names

    @property
    def scopes(self) -> list[str]:
        named = (
            child(group_id(f"rg-{name}"), "Microsoft.MachineLearningServices/workspaces", "mlw") for name in self.names
        )
        return [part for one in named for part in ("--scope", one)]

    def held(self) -> set[tuple[str, str]]:
        return {
            (oid(name), role) for name in self.names for _, role in self.azure.grants(oid(name), group_id(f"rg-{name}"))
        }

    def planned(self) -> list[Json]:
        return self._rows("Planned")

    def applied(self) -> set[tuple[str, str]]:
        return {(row["PrincipalId"], row["RoleDefinitionId"].rpartition("/")[2]) for row in self._rows("Applied")}

    def without_outcome(self) -> set[str]:
        ended = {(row["RunId"], row["ActionId"]) for row in self._rows("Applied", "Failed", "Deferred", "Withheld")}
        return {row["ActionId"] for row in self.planned() if (row["RunId"], row["ActionId"]) not in ended}

    def _rows(self, *outcomes: str) -> list[Json]:
        mine = {oid(name) for name in self.names}
        return [row for row in self.azure.rows() if row["PrincipalId"] in mine and row["Outcome"] in outcomes]


@pytest.fixture(scope="module")
def azure(start_azure: Start) -> LocalAzure:
    tenant = Tenant()
    for number in range(_WORKSPACES):
        name = f"n{number}"
        group = group_id(f"rg-{name}")
        registry, account = tenant.registry(group, f"acrml{name}"), tenant.storage(group, f"st{name}")
        named = {"containerRegistry": registry["id"], "storageAccount": account["id"]}
        workspace = tenant.workspace(group, systemDatastoresAuthMode="identity", **named)
        tenant.compute(workspace, "cluster", identity=system_assigned(name))
    return start_azure(tenant.document(), GRANTS_ONLY, functions=False)


@pytest.fixture(scope="module")
def fresh() -> Iterator[str]:
    return (f"n{number}" for number in range(_WORKSPACES))


@pytest.fixture
def six(azure: LocalAzure, fresh: Iterator[str]) -> Iterator[Estate]:
    yield Estate(azure, [next(fresh) for _ in range(6)])
    azure.control("POST", "faults", [])


def run_of(ran: Ran) -> str:
    """The run that standard error names first."""
    found = _RUN.search(ran.err.splitlines()[0])
    assert found, ran.err
    return found[1]


def test_the_run_and_the_way_back_are_said_in_text_and_in_json(six: Estate) -> None:
    told = six.azure.run("apply", "--yes", *six.scopes[:2])
    assert told.code == 0, told.err
    assert f"To take it back: amlguard undo {run_of(told)}" in told.out
    document = six.azure.run("apply", "--yes", *six.scopes[2:4], "--format", "json").document
    assert document["undo"] == f"amlguard undo {document['run']}"
    assert document["stopped"] is False
    nothing = six.azure.run("apply", "--yes", *six.scopes[:2])
    assert f"Run {run_of(nothing)} changed nothing." in nothing.out
    assert "undo" not in nothing.out


@pytest.fixture
def many(azure: LocalAzure, fresh: Iterator[str]) -> Iterator[Estate]:
    """Three times as many as are looked at at once: while the first are written to, the last are not begun."""
    yield Estate(azure, [next(fresh) for _ in range(12)])
    azure.control("POST", "faults", [])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_amid_its_writes(many: Estate, number: int, code: int, tmp_path: Path) -> None:
    """What is under way finishes and is on record; nothing more is begun; all of it can be taken back."""
    out = tmp_path / "applied.json"
    many.azure.forget_requests()
    many.azure.control("POST", "faults", [_SLOW])
    process = many.azure.begin("apply", "--yes", *many.scopes, "--format", "json", "--out", str(out))
    many.azure.until(many.azure.writes, "the first of its changes is made")
    process.signal(number)
    ran = process.ended(_SECONDS)
    assert ran.code == code, ran.err
    document = json.loads(out.read_text(encoding="utf-8"))
    made = {
        (one["principalId"], one["roleDefinitionId"].rpartition("/")[2])
        for one in document["grants"]
        if one["outcome"] == "Applied"
    }
    assert made == many.held() == many.applied()
    assert 0 < len(made) < 2 * len(many.names)
    assert many.without_outcome() == set()
    assert document["stopped"] is True
    assert document["run"] == run_of(ran)
    not_begun = [one["outcomeReason"] for one in document["grants"] if one["outcome"] == "Deferred"]
    assert {True} == {"stopped" in said for said in (*not_begun, *document["errors"])}
    assert len(made) + len(not_begun) + 2 * len(document["errors"]) == 2 * len(many.names)
    assert f"was stopped: {len(made)} changes made" in ran.err
    assert f"amlguard undo {document['run']}" in ran.err

    many.azure.control("POST", "faults", [])
    undone = many.azure.run("undo", document["run"], "--yes")
    assert undone.code == 0, undone.out + undone.err
    assert many.held() == set()


def test_stopped_twice_ends_at_once_and_what_it_left_can_be_taken_back(six: Estate) -> None:
    """Before the outcome of what was made is on record."""
    six.azure.control("POST", "faults", [_SLOW])
    process = six.azure.begin("apply", "--yes", *six.scopes)
    six.azure.until(six.planned, "the first intent is on record")
    six.azure.control("POST", "faults", [{"method": "POST", "path": _TABLES, "status": 503, "delayMs": _FOR_EVER}])
    six.azure.until(six.held, "the first of its changes is made")
    process.signal(signal.SIGINT)
    six.azure.until(lambda: "stopping: " in process.err, "it heard the first one; two signals at once are one")
    process.signal(signal.SIGINT)
    ran = process.ended(_SECONDS)
    assert ran.code == 130
    run = run_of(ran)
    assert "stopped at once" in ran.err
    assert f"amlguard undo {run}" in ran.err
    assert six.without_outcome()

    six.azure.control("POST", "faults", [])
    undone = six.azure.run("undo", run, "--yes")
    assert undone.code == 0, undone.out + undone.err
    assert six.held() == set()


def test_stopped_while_it_reads_changes_nothing(six: Estate) -> None:
    six.azure.control("POST", "faults", [{"method": "GET", "path": "/computes", "delayMs": _FOR_EVER}])
    process = six.azure.begin("apply", "--yes", *six.scopes, "--format", "json")
    six.azure.forget_requests()
    six.azure.until(
        lambda: [one for one in six.azure.asked() if "/datastores" in one["path"].lower()], "it reads workspaces"
    )
    process.signal(signal.SIGINT)
    ran = process.ended(_SECONDS)
    assert ran.code == 130
    document = ran.document
    assert document["grants"] == []
    assert document["undo"] == ""
    assert len(document["errors"]) == len(six.names)
    assert six.planned() == []
    assert "nothing was changed" in ran.err


def test_a_record_that_fails_after_the_change_is_told_with_the_change(six: Estate) -> None:
    refused = {"method": "POST", "path": _REMEDIATIONS, "nth": 3, "status": 403, "code": "OperationFailed"}
    six.azure.control("POST", "faults", [refused])  # after the question whether it can record at all, and the intent
    ran = six.azure.run("apply", "--yes", *six.scopes[:2], "--format", "json")
    assert len(six.planned()) == 2
    assert ran.code == 1
    document = ran.document
    made = {one["outcome"] for one in document["grants"]}
    assert made == {"Applied"}
    assert len(six.held()) == 2
    (error,) = document["errors"]
    assert "not on record" in error
    assert document["undo"] == f"amlguard undo {run_of(ran)}"

    six.azure.control("POST", "faults", [])
    undone = six.azure.run("undo", document["run"], "--yes")
    assert undone.code == 0, undone.out + undone.err
    assert six.held() == set()


def test_a_workspace_that_cannot_be_read_holds_up_no_other_and_is_told(six: Estate) -> None:
    broken = {"method": "GET", "path": f"rg-{six.names[0]}/.*/computes", "status": 403, "code": "AuthorizationFailed"}
    six.azure.control("POST", "faults", [broken])
    ran = six.azure.run("apply", "--yes", *six.scopes[:4], "--format", "json")
    assert ran.code == 1
    assert six.held() == {(oid(six.names[1]), role) for role in (ACR_PULL, BLOB_READER)}
    assert ran.document["undo"] == f"amlguard undo {run_of(ran)}"
    assert "2 changes made, 1 error" in ran.err


def test_undo_is_stopped_in_order_as_well_and_goes_on_where_it_was(six: Estate) -> None:
    run = six.azure.run("apply", "--yes", *six.scopes, "--format", "json").document["run"]
    before = six.held()
    six.azure.control("POST", "faults", [{"method": "DELETE", "path": "roleAssignments", "delayMs": 700}])
    process = six.azure.begin("undo", run, "--yes", "--format", "json")
    six.azure.until(lambda: six.held() < before, "something is taken back")
    process.signal(signal.SIGINT)
    ran = process.ended(_SECONDS)
    assert ran.code == 130, ran.err
    outcomes = [one["outcome"] for one in ran.document["steps"]]
    assert outcomes.count("Undone") == len(before) - len(six.held())
    assert set(outcomes) == {"Undone", "Deferred"}
    assert f"amlguard undo {run}" in ran.err

    six.azure.control("POST", "faults", [])
    assert six.azure.run("undo", run, "--yes").code == 0
    assert six.held() == set()
