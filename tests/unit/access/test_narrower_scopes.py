"""A role on the container that is named covers the need of it; a need about all of an account it does not cover."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from unit.build import (
    GROUP,
    STORAGE,
    WORKSPACE,
    access,
    assigned,
    cluster,
    compute,
    estate,
    granted,
    guards,
    guid,
    resource,
    sai,
    terms,
    uai,
    uai_workspace,
    workspace,
)

from shared.access import connections
from shared.access.actions import Plan
from shared.access.model import ComputeType, Datastore, Estate, Want, Workspace
from shared.access.permissions import RoleAssignment
from shared.access.plan import plan
from shared.access.scope import Scope

READER, WRITER = "Storage Blob Data Reader", "Storage Blob Data Contributor"
LAKE = resource("Microsoft.Storage/storageAccounts", "lake")
ME = uai("mlw-id")
ABAC = "@Resource[a] StringEquals 'b'"


def container(name: str, where: Scope = LAKE) -> Scope:
    return where.child("blobServices", "default", "containers", name)


def store(name: str, named: str | None = "data", where: Scope = LAKE) -> Datastore:
    parts = str(where).split("/")
    body = {"accountName": where.name, "subscriptionId": parts[2], "resourceGroup": parts[4]}
    raw = {"properties": {"datastoreType": "AzureBlob", **body, **({"containerName": named} if named else {})}}
    return Datastore(WORKSPACE.child("datastores", name), "azureblob", where.name, identity_based=True, raw=raw)


def feature_store(target: str, *stores: Datastore) -> Workspace:
    settings = {"properties": {"featureStoreSettings": {"offlineStoreConnectionName": "offline"}}}
    body = {"category": "ADLSGen2", "target": target, "credentials": {"resourceId": str(ME.resource)}}
    offline = connections.connection({"id": f"{WORKSPACE}/connections/offline", "properties": body})
    one = uai_workspace(*stores, kind="featurestore", raw=settings, registry=None, vault=None, app_insights=None)
    return replace(one, connections=(offline,))


def materializing(*held: RoleAssignment, stores: Iterable[Datastore] = (), target: str = "") -> Plan:
    """Nothing else is missing to its identity."""
    subject = feature_store(target or str(container("offline")), *stores)
    rest = [assigned(ME, "Contributor", GROUP), assigned(ME, WRITER, STORAGE)]
    return plan(estate(subject, held=[*rest, *held]), terms(on=["AML-82"], allow=(LAKE,)))


class TestTheOfflineStore:
    def test_the_container_that_the_connection_names_covers_it(self) -> None:
        made = materializing(assigned(ME, WRITER, container("offline")))
        assert (granted(made), guards(made)) == (set(), set())

    @pytest.mark.parametrize(
        ("held", "guard"),
        [
            (assigned(ME, WRITER, container("other")), "limited-by-people"),
            (assigned(ME, WRITER, container("offline"), condition=ABAC), "limited-by-people"),
            (assigned(ME, READER, container("offline")), "limited-by-people"),
        ],
    )
    def test_another_container_less_of_it_or_a_condition_does_not(self, held: RoleAssignment, guard: str) -> None:
        made = materializing(held)
        assert (granted(made), guards(made)) == (set(), {guard})

    def test_whoever_holds_nothing_there_gets_the_account(self) -> None:
        assert granted(materializing()) == {("mlw-id", WRITER, "lake")}

    def test_a_connection_that_names_no_container_is_about_the_account(self) -> None:
        assert guards(materializing(assigned(ME, WRITER, container("offline")), target=str(LAKE))) == {
            "limited-by-people"
        }

    def test_of_the_workspaces_own_account_as_well(self) -> None:
        """Its identity needs all of that for other reasons (AML-05)."""
        subject = feature_store(str(container("offline", STORAGE)))
        held = [assigned(ME, "Contributor", GROUP), assigned(ME, WRITER, container("offline", STORAGE))]
        (grant,) = plan(estate(subject, held=held), terms(on=["AML-82"])).grants
        assert (grant.rule, grant.scope) == ("workspace-blobs, feature-store-materialization", STORAGE)


class TestSources:
    BOTH = (store("one"), store("two", "more"))

    @pytest.mark.parametrize(("containers", "missing"), [(("data", "more"), False), (("data",), True), ((), True)])
    def test_all_containers_of_an_account_must_be_held(self, containers: tuple[str, ...], missing: bool) -> None:
        held = [assigned(ME, READER, container(name)) for name in containers]
        made = materializing(*held, stores=self.BOTH, target=f"https://{STORAGE.name}.dfs.core.windows.net/offline")
        assert bool(granted(made) or guards(made)) is missing

    def test_one_that_names_no_container_is_about_the_account(self) -> None:
        made = materializing(
            assigned(ME, READER, container("data")),
            stores=(store("one"), store("two", None)),
            target=f"https://{STORAGE.name}.dfs.core.windows.net/offline",
        )
        assert guards(made) == {"limited-by-people"}


def spark(*held: RoleAssignment, stores: Iterable[Datastore]) -> Plan:
    """A pool that is Contributor on the account: only data is missing."""
    one = sai("pool")
    pool = compute("pool", ComputeType.SYNAPSE_SPARK, one)
    named = {each.id.name: {"uri": f"azureml://datastores/{each.id.name}/paths/x"} for each in stores}
    job = {"properties": {"jobType": "Spark", "computeId": str(pool.id), "outputs": named}}
    subject = workspace(pool, *stores, registry=None, storage=None)
    seen = estate(subject, held=[assigned(one, "Contributor", LAKE), *held])
    facts: Any = {Want(WORKSPACE, "jobs", pages=1): (job,)}
    return plan(replace(seen, facts=facts), terms(on=["AML-89"], off=["AML-36"], allow=(LAKE,)))


class TestSpark:
    def test_the_container_of_the_datastore_covers_its_data(self) -> None:
        made = spark(assigned(sai("pool"), WRITER, container("data")), stores=[store("one")])
        assert (granted(made), guards(made)) == (set(), set())

    def test_not_that_of_another_datastore(self) -> None:
        held = assigned(sai("pool"), WRITER, container("data"))
        made = spark(held, stores=[store("one"), store("two", "more")])
        assert (granted(made), guards(made)) == (set(), {"limited-by-people"})

    def test_nothing_held_is_granted(self) -> None:
        assert granted(spark(stores=[store("one")])) == {("pool", WRITER, "lake")}


TEAM = guid("team")
ASSIGNED = Want(WORKSPACE, "Microsoft.Authorization/roleAssignments?$filter=atScope()")


def with_consumers(*held: RoleAssignment) -> Estate:
    subject = feature_store(str(container("offline")))
    role = {"roleDefinitionId": "/x/f6c7c914-8db3-469d-8ca1-694a8f32e121", "principalType": "Group"}
    one = {"properties": {**role, "principalId": TEAM}}
    seen = estate(subject, held=[assigned(ME, "Contributor", GROUP)])
    return replace(seen, facts={ASSIGNED: (one,)}, access={**seen.access, TEAM: access(*held)})


@pytest.mark.parametrize(("name", "told"), [("offline", False), ("other", True)])
def test_consumers_of_feature_sets_read_the_container_of_the_offline_store(name: str, told: bool) -> None:
    theirs = RoleAssignment(f"{LAKE}/a", container(name), TEAM, "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1")
    found = plan(with_consumers(theirs), terms()).findings
    assert any(one.rule == "feature-set-users" for one in found) is told


@pytest.mark.parametrize(("name", "told"), [("data", False), ("other", True)])
def test_the_workspace_reads_the_container_of_a_datastore_elsewhere(name: str, told: bool) -> None:
    subject = workspace(store("one"), registry=None)
    seen = estate(subject, held=[assigned(sai("mlw"), READER, container(name))])
    facts: Any = {Want(LAKE): {"id": str(LAKE)}, Want(STORAGE): {"id": str(STORAGE)}}
    found = plan(replace(seen, facts=facts), terms(off=["AML-36"])).findings
    assert any("AML-76" in one.requirements for one in found) is told


@pytest.mark.parametrize("where", [container("azureml", STORAGE), container("data", STORAGE)])
def test_of_the_workspaces_own_account_no_container_is_enough(where: Scope) -> None:
    one = workspace(cluster("cpu", sai("cpu")), registry=None, storage_by_identity=True)
    made = plan(estate(one, held=[assigned(sai("cpu"), READER, where)]), terms())
    assert granted(made) == {("cpu", READER, "store")}
    own = plan(estate(uai_workspace(registry=None, vault=None), held=[assigned(ME, WRITER, where)]), terms())
    assert ("mlw-id", WRITER, "store") in granted(own)
