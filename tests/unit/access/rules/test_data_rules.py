"""Datastores, storage, jobs, feature stores: truth tables; and what a plan makes of scopes that are closed to us."""

from dataclasses import replace
from typing import Any

import pytest
from unit.build import (
    FOREIGN,
    GROUP,
    OTHER_SUBSCRIPTION,
    STORAGE,
    SUBSCRIPTION,
    WORKSPACE,
    assigned,
    cluster,
    estate,
    guards,
    guid,
    identity,
    resource,
    sai,
    terms,
    uai,
    workspace,
)

from shared.access import connections
from shared.access.ask_rules import WorkspaceAsks, asks_of
from shared.access.asks import Finding, Objection, RequiredGrant, RequiredRemoval, Stamped
from shared.access.model import Datastore, Estate, Fact, Unreadable, Want, Workspace
from shared.access.needs import READ_BLOBS
from shared.access.plan import plan
from shared.access.removals import removals
from shared.access.rules import RULES
from shared.access.rules.accounts import account, container, elsewhere
from shared.access.scope import Scope

RULE = {rule.name: rule for rule in RULES}
ABROAD = resource("Microsoft.Storage/storageAccounts", "data", OTHER_SUBSCRIPTION.child("resourceGroups", "lake"))
NEAR = resource("Microsoft.Storage/storageAccounts", "data", FOREIGN)


def asks(name: str, seen: Estate) -> list[Stamped]:
    return list(asks_of(RULE[name], seen.subject, seen))


def wants(name: str, seen: Estate) -> set[Want]:
    return set(RULE[name].wants(seen.subject, seen))


def with_facts(seen: Estate, facts: dict[Want, Fact]) -> Estate:
    return replace(seen, facts={**seen.facts, **facts})


def store(name: str = "d", kind: str = "AzureBlob", credentials: str | None = "None", **more: Any) -> Datastore:
    properties = {"datastoreType": kind, "credentials": {"credentialsType": credentials}, **more}
    named = more.get("accountName", "data")
    scope = WORKSPACE.child("datastores", name)
    return Datastore(scope, kind.casefold(), named, credentials == "None", {"properties": properties})


def at(scope: Scope) -> dict[str, str]:
    """What a datastore says to name the account."""
    parts = scope.text.split("/")
    return {"subscriptionId": parts[2], "resourceGroup": parts[4], "accountName": scope.name}


@pytest.mark.parametrize(
    ("one", "where"),
    [
        (store(accountName="STORE"), STORAGE),
        (store(**at(ABROAD)), ABROAD),
        (store(resourceGroup="other-team"), NEAR),
        (store(), None),
        (store(resourceGroup="rg", accountName="../rg"), None),
        (store(resourceGroup="rg/x", accountName="data"), None),
        (store(resourceGroup="rg", subscriptionId="not-a-guid"), None),
        (store(resourceGroup="rg", accountName=None), None),
    ],
)
def test_where_a_datastore_lies(one: Datastore, where: Scope | None) -> None:
    assert account(one, workspace(), estate(workspace())) == where


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"containerName": "data"}, "data"),
        ({"filesystem": "lake"}, "lake"),
        ({"containerName": None, "filesystem": "lake"}, "lake"),
        ({}, None),
        ({"containerName": "../x"}, None),
    ],
)
def test_which_container_a_datastore_names(said: dict[str, Any], named: str | None) -> None:
    """Data Lake calls it a file system. Without one, the role is needed on all of the account."""
    where = STORAGE.child("blobServices", "default", "containers", named) if named else None
    assert container(store(**said), STORAGE) == where


def listed(*found: Scope) -> Estate:
    """The storage accounts of the subscription, as ARM lists them."""
    raws = tuple({"id": str(one), "name": one.name} for one in found)
    return with_facts(estate(workspace()), {Want(SUBSCRIPTION, "Microsoft.Storage/storageAccounts"): raws})


@pytest.mark.parametrize(
    ("one", "where"),
    [
        (store(), NEAR),
        (store(accountName="DATA"), NEAR),
        (store(accountName="dat"), None),
        (store(resourceGroup="rg"), resource("Microsoft.Storage/storageAccounts", "data")),
        (store(subscriptionId=OTHER_SUBSCRIPTION.name), None),
        (store(subscriptionId="../x"), None),
    ],
)
def test_an_account_without_a_group_is_found_by_its_name(one: Datastore, where: Scope | None) -> None:
    assert account(one, workspace(), listed(STORAGE, NEAR)) == where


@pytest.mark.parametrize(
    ("one", "asked"),
    [
        (store(), {Want(SUBSCRIPTION, "Microsoft.Storage/storageAccounts")}),
        (
            store(subscriptionId=OTHER_SUBSCRIPTION.name),
            {Want(OTHER_SUBSCRIPTION, "Microsoft.Storage/storageAccounts")},
        ),
        (store(resourceGroup="rg"), set()),
        (store(accountName="STORE"), set()),
        (store(credentials="AccountKey"), set()),
        (store(kind="OneLake", accountName=None), set()),
        (store(accountName="../rg"), set()),
    ],
)
def test_accounts_are_listed_only_to_find_one(one: Datastore, asked: set[Want]) -> None:
    assert wants("compute-reads-data", estate(workspace(one))) == asked


def test_an_account_that_may_not_be_looked_for_is_said_so_and_not_called_missing() -> None:
    closed: dict[Want, Fact] = {Want(SUBSCRIPTION, "Microsoft.Storage/storageAccounts"): Unreadable.FORBIDDEN}
    (one,) = asks("compute-reads-data", with_facts(estate(workspace(store())), closed))
    assert isinstance(one, Finding)
    assert "could not be read" in one.message


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (store("workspaceblobstore", credentials="AccountKey"), "AML-87"),
        (store("workspaceblobstore", credentials="AccountKey"), "AML-88"),
        (store(credentials="Sas"), "Storage Blob Data Reader"),
        (store(kind="OneLake", credentials="ServicePrincipal"), "Fabric"),
        (store(kind="AzureFile", credentials="AccountKey"), "Move the data to Blob storage"),
    ],
)
def test_whoever_drops_a_key_is_told_what_must_be_there_first(one: Datastore, says: str) -> None:
    (found,) = asks("datastore-credential", estate(workspace(one)))
    assert isinstance(found, Finding)
    assert says in found.remedy.partition("az ml")[0]


def test_no_advice_puts_a_key_into_a_datastore_or_sets_what_no_tool_knows() -> None:
    for one in (store(kind="AzureFile"), store(kind="OneLake"), store()):
        seen = estate(workspace(one, cluster("cpu1", sai("cpu1"))))
        for rule in ("datastore-type", "datastore-credential", "compute-reads-data"):
            for said in asks(rule, seen):
                if isinstance(said, Finding):
                    assert "account_key" not in said.remedy
                    assert "--set resource_group" not in said.remedy


def test_only_blobs_that_are_read_by_identity_lie_elsewhere() -> None:
    stores = (
        store("a", **at(ABROAD)),
        store("b", credentials="Sas", **at(ABROAD)),
        store("c", "AzureFile", **at(ABROAD)),
        store("d", accountName="store"),
    )
    found = elsewhere(workspace(*stores), estate(workspace(*stores)))
    assert [(one.id.name, where) for one, where in found] == [("a", ABROAD)]


def test_what_lies_nobody_knows_where_is_elsewhere_too() -> None:
    lost = workspace(store("a"))
    assert [(one.id.name, where) for one, where in elsewhere(lost, estate(lost))] == [("a", None)]


@pytest.mark.parametrize(
    ("one", "mode", "found"),
    [
        (store(credentials="AccountKey"), False, "datastore-credential"),
        (store(credentials="Sas"), False, "datastore-credential"),
        (store(credentials="None"), False, None),
        (store(credentials=None), False, None),
        (store(kind="AzureFile"), False, "datastore-type"),
        (store(kind="SomethingNew"), False, "datastore-type"),
        (store(kind="AzureDataLakeGen2"), False, None),
        (store(kind="OneLake"), False, None),
        (store(kind="onelake"), False, None),
        (store(kind="OneLake", credentials="ServicePrincipal"), False, "datastore-credential"),
        (store("workspacefilestore", "AzureFile"), True, None),
        (store("workspacefilestore", "AzureFile"), False, "datastore-type"),
    ],
)
def test_what_is_said_of_a_datastore(one: Datastore, mode: bool, found: str | None) -> None:
    seen = estate(workspace(one, storage_by_identity=mode))
    assert [name for name in ("datastore-credential", "datastore-type") if asks(name, seen)] == (
        [found] if found else []
    )


class TestOtherTenants:
    def seen(self, where: Scope, here: Fact, there: Fact) -> Estate:
        facts = {Want(SUBSCRIPTION): here, Want(OTHER_SUBSCRIPTION): there}
        return with_facts(estate(workspace(store(**at(where)))), facts)

    @pytest.mark.parametrize(
        ("there", "objects"),
        [
            ({"tenantId": "T1"}, False),
            ({"tenantId": "t2"}, True),
            (Unreadable.FORBIDDEN, True),
            (None, True),
            ({}, False),
        ],
    )
    def test_object_to_grants_on_their_storage(self, there: Fact, objects: bool) -> None:
        found = asks("cross-tenant-storage", self.seen(ABROAD, {"tenantId": "t1"}, there))
        assert [one.target for one in found if isinstance(one, Objection)] == ([ABROAD] if objects else [])

    def test_cost_nothing_in_the_workspaces_own_subscription(self) -> None:
        seen = self.seen(NEAR, None, None)
        assert wants("cross-tenant-storage", seen) == set()
        assert asks("cross-tenant-storage", seen) == []

    def test_nothing_is_said_before_it_is_read(self) -> None:
        seen = estate(workspace(store(**at(ABROAD))))
        assert wants("cross-tenant-storage", seen) == {Want(SUBSCRIPTION), Want(OTHER_SUBSCRIPTION)}
        assert asks("cross-tenant-storage", seen) == []


class TestDataElsewhere:
    C1 = sai("cpu1")

    def planned(self, where: Scope = NEAR, **more: Any) -> Any:
        subject = workspace(cluster("cpu1", self.C1), store(**at(where)))
        return plan(estate(subject, **more), terms(allow=(FOREIGN,)))

    def test_is_read_where_the_policy_allows_it(self) -> None:
        assert ("cpu1", "Storage Blob Data Reader", "data") in {
            (one.principal.label, one.need.role_name, one.scope.name) for one in self.planned().grants
        }

    def test_is_withheld_elsewhere_even_beside_the_workspace(self) -> None:
        beside = resource("Microsoft.Storage/storageAccounts", "data", GROUP)
        assert "target-outside-boundary" in guards(self.planned(beside))

    def test_an_account_that_is_nowhere_is_a_finding(self) -> None:
        (one,) = asks("compute-reads-data", estate(workspace(cluster("cpu1", self.C1), store())))
        assert isinstance(one, Finding)


def test_what_is_closed_to_us_is_withheld_or_said_and_never_taken_for_empty() -> None:
    c1 = sai("cpu1")
    subject = workspace(cluster("cpu1", c1), store(**at(ABROAD)), storage=None, registry=None)
    closed = replace(estate(subject), blind=frozenset({OTHER_SUBSCRIPTION}))
    closed = with_facts(closed, {Want(ABROAD): {"id": str(ABROAD)}})
    made = plan(closed, terms(allow=(OTHER_SUBSCRIPTION,)))
    assert [one.action.rule for one in made.withheld if one.refusal.guard == "unreadable"] == ["compute-reads-data"]
    (one,) = [f for f in made.findings if f.rule == "storage-private-endpoints"]
    assert "roleAssignments/read" in one.message


def test_of_two_grants_where_one_covers_the_other_the_wider_is_made_for_both() -> None:
    me = uai("mlw-id")
    subject = workspace(identity=identity(me), primary=me.resource, registry=None)
    shut: Fact = {"properties": {"networkAcls": {"defaultAction": "Deny"}}}
    (one,) = plan(with_facts(estate(subject), {Want(STORAGE): shut}), terms()).grants
    assert (one.need.role_name, one.rule) == ("Storage Blob Data Contributor", "workspace-blobs, storage-preview")
    assert {"AML-05", "AML-41"} <= set(one.requirements)


def test_a_rule_that_the_policy_turned_off_is_silent_about_what_it_would_only_say() -> None:
    subject = workspace(store(**at(NEAR)), registry=None)
    seen = with_facts(estate(subject), {Want(NEAR): {"id": str(NEAR)}})
    assert "AML-76" in {r for one in plan(seen, terms()).findings for r in one.requirements}
    assert "AML-76" not in {r for one in plan(seen, terms(off=["AML-76"])).findings for r in one.requirements}


class TestStorage:
    @pytest.mark.parametrize(
        ("properties", "asked"),
        [
            ({"networkAcls": {"defaultAction": "Deny"}}, True),
            ({"networkAcls": {"defaultAction": "deny", "ipRules": []}}, True),
            ({"publicNetworkAccess": "Disabled"}, True),
            ({"networkAcls": {"defaultAction": "Allow"}}, False),
            ({"networkAcls": None}, False),
            ({}, False),
        ],
    )
    def test_a_restricted_account_is_read_by_the_workspace(self, properties: dict[str, Any], asked: bool) -> None:
        seen = with_facts(estate(workspace()), {Want(STORAGE): {"properties": properties}})
        assert bool(asks("storage-preview", seen)) is asked

    def test_private_endpoints_of_others_are_left_alone(self) -> None:
        ours = resource("Microsoft.Network/privateEndpoints", "ours")
        theirs = resource("Microsoft.Network/privateEndpoints", "x", OTHER_SUBSCRIPTION.child("resourceGroups", "aml"))
        ends = [{"properties": {"privateEndpoint": {"id": str(one)}}} for one in (ours, theirs)]
        raw: Fact = {"id": str(STORAGE), "properties": {"privateEndpointConnections": [*ends, {}, None]}}
        found = asks("storage-private-endpoints", with_facts(estate(workspace()), {Want(STORAGE): raw}))
        assert [one.scope for one in found if isinstance(one, RequiredGrant)] == [ours]


def job(name: str, *steps: str, identity: str | None = "UserIdentity") -> dict[str, Any]:
    properties: dict[str, Any] = {"identity": {"identityType": identity} if identity else None}
    properties["jobs"] = {f"s{n}": {"identity": {"type": step}} for n, step in enumerate(steps)} or None
    return {"id": f"{WORKSPACE}/jobs/{name}", "name": name, "properties": properties}


class TestJobs:
    def seen(self, credentials: str, *jobs: dict[str, Any]) -> Estate:
        subject = workspace(store(credentials=credentials))
        return with_facts(estate(subject), {Want(WORKSPACE, "jobs", pages=1): jobs})

    def test_are_not_read_without_data(self) -> None:
        for subject in (workspace(), workspace(store(kind="AzureFile"))):
            assert wants("user-identity-jobs", estate(subject)) == set()

    @pytest.mark.parametrize(
        ("credentials", "one", "found"),
        [
            ("AccountKey", job("j"), True),
            ("AccountKey", job("j", "user_identity", identity=None), True),
            ("AccountKey", job("j", identity="Managed"), False),
            ("AccountKey", job("j", identity=None), False),
            ("None", job("j"), False),
        ],
    )
    def test_as_their_user_need_datastores_without_credentials(
        self, credentials: str, one: dict[str, Any], found: bool
    ) -> None:
        assert bool(asks("user-identity-jobs", self.seen(credentials, one))) is found

    @pytest.mark.parametrize(
        ("one", "found"),
        [
            (job("j", "user_identity"), False),
            (job("j", "managed_identity"), True),
            (job("j", "AMLToken"), True),
            (job("j", "user_identity", "managed", identity=None), True),
            (job("j", "managed", "aml_token", identity=None), False),
            ({"id": "", "properties": {"identity": "odd", "jobs": ["odd"]}}, False),
        ],
    )
    def test_do_not_mix_user_and_compute(self, one: dict[str, Any], found: bool) -> None:
        assert bool(asks("mixed-identity-jobs", self.seen("None", one))) is found

    @pytest.mark.parametrize(("told", "on"), [(f"{WORKSPACE}/jobs/j", WORKSPACE.child("jobs", "j")), (None, WORKSPACE)])
    def test_which_mix_them_are_named_as_far_as_azure_says(self, told: str | None, on: Scope) -> None:
        (one,) = asks("mixed-identity-jobs", self.seen("None", job("j", "managed_identity") | {"id": told}))
        assert isinstance(one, Finding)
        assert one.resource == on


class TestFeatureStores:
    ME = uai("fs")
    LAKE = resource("Microsoft.Storage/storageAccounts", "lake", FOREIGN)

    def subject(self, target: str, **more: Any) -> Workspace:
        settings = {"properties": {"featureStoreSettings": {"offlineStoreConnectionName": "Offline"}}}
        properties = {
            "category": "ADLSGen2",
            "target": target,
            "credentials": {"resourceId": str(self.ME.resource)},
        }
        raw = {"id": f"{WORKSPACE}/connections/offline", "properties": properties}
        made = workspace(kind="featurestore", identity=identity(sai("mlw"), self.ME), raw=settings, **more)
        return replace(made, connections=(connections.connection(raw),))

    @pytest.mark.parametrize(
        ("target", "where", "explicit"),
        [
            (f"{STORAGE}/blobServices/default/containers/f", STORAGE, False),
            ("https://store.dfs.core.windows.net/f", STORAGE, False),
            (f"{LAKE}/blobServices/default/containers/f", LAKE, True),
        ],
    )
    def test_the_identity_of_the_offline_store_writes_it(self, target: str, where: Scope, explicit: bool) -> None:
        works, writes = asks("feature-store-materialization", estate(self.subject(target)))
        assert isinstance(works, RequiredGrant)
        assert isinstance(writes, RequiredGrant)
        assert (works.principal, works.need.role_name, works.scope) == (self.ME, "AzureML Data Scientist", WORKSPACE)
        assert (writes.principal, writes.need.role_name, writes.scope) == (
            self.ME,
            "Storage Blob Data Contributor",
            where,
        )
        assert writes.explicit is explicit

    def test_an_offline_store_that_is_nowhere_is_a_finding(self) -> None:
        found = asks("feature-store-materialization", estate(self.subject("https://elsewhere.dfs.core.windows.net/f")))
        assert [type(one) for one in found] == [RequiredGrant, Finding]

    def test_data_scientists_and_contributors_may_materialize(self) -> None:
        subject = self.subject(f"{STORAGE}/blobServices/default/containers/f", registry=None)
        for role in ("AzureML Data Scientist", "Contributor"):
            held = [assigned(self.ME, role, WORKSPACE), assigned(self.ME, "Storage Blob Data Owner", STORAGE)]
            made = plan(estate(subject, held=held), terms(on=["AML-82"]))
            assert "AML-82" not in {r for one in made.grants for r in one.requirements}

    def test_another_identity_is_looked_up(self) -> None:
        subject = replace(self.subject("x"), identity=identity(sai("mlw")))
        assert wants("feature-store-materialization", estate(subject)) == {Want(self.ME.resource or STORAGE)}
        seen = with_facts(
            estate(subject), {Want(self.ME.resource or STORAGE): {"properties": {"principalId": guid("x")}}}
        )
        first = asks("feature-store-materialization", seen)[0]
        assert isinstance(first, RequiredGrant)
        assert (first.principal.id, first.principal.resource) == (guid("x"), self.ME.resource), "its boundary counts"

    def test_of_other_workspaces_nothing_is_looked_up_whatever_they_say(self) -> None:
        subject = replace(self.subject("x"), identity=identity(sai("mlw")), kind="default")
        assert wants("feature-store-materialization", estate(subject)) == set()


@pytest.mark.parametrize(
    ("unknown", "taken"),
    [
        ({}, True),
        ({"blind": frozenset({OTHER_SUBSCRIPTION})}, False),
        ({"facts": {Want(STORAGE): Unreadable.FORBIDDEN}}, False),
        ({"facts": {Want(STORAGE, query="T"): Unreadable.NOT_CONFIGURED}}, True),
    ],
)
def test_nothing_of_ours_is_taken_back_while_something_may_not_be_read(unknown: dict[str, Any], taken: bool) -> None:
    ours = RequiredRemoval(
        Scope.parse(f"{STORAGE}/providers/Microsoft.Authorization/roleAssignments/x"),
        STORAGE,
        guid("gone"),
        READ_BLOBS.role_id,
        WORKSPACE,
        ("AML-80",),
        "no rule asks for it any more",
    )
    asked = WorkspaceAsks(workspace(), (), (), ((RULE["own-grants"], ours),), (), (), (), ())
    found, _, _ = removals([asked], replace(estate(workspace()), **unknown), terms(on=["AML-80"]))
    assert bool(found) is taken
