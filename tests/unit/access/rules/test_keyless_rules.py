"""Storage that is reached by identity: its state, who writes there, people, Spark, feature sets: truth tables."""

from dataclasses import replace
from typing import Any

import pytest
from unit.build import (
    FOREIGN,
    GROUP,
    REGISTRY,
    STORAGE,
    SUBSCRIPTION,
    WORKSPACE,
    access,
    assigned,
    cluster,
    compute,
    endpoint,
    estate,
    granted,
    guards,
    guid,
    identity,
    resource,
    sai,
    terms,
    uai,
    workspace,
    workspace_id,
)

from shared.access import connections
from shared.access.ask_rules import asks_of
from shared.access.asks import Finding, RequiredGrant, Severity, Stamped
from shared.access.condition import assignable, condition, for_groups
from shared.access.model import ComputeType, Datastore, Estate, Fact, Principal, Unreadable, Want, Workspace
from shared.access.plan import plan
from shared.access.preferences import People
from shared.access.rules import RULES
from shared.access.scope import Scope

RULE = {rule.name: rule for rule in RULES}
ASSIGNMENTS = Want(STORAGE, "Microsoft.Authorization/roleAssignments")
CUSTOM = Want(SUBSCRIPTION, "Microsoft.Authorization/roleDefinitions?$filter=type%20eq%20'CustomRole'")
BLOB = {"write": "ba92f5b4-2d11-453d-a403-e96b0029c9fe", "read": "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"}
FILE = {"write": "69566ab7-960f-475b-8e7c-b3118f30c6bd", "read": "b8eda974-7b85-4f76-af95-65846b26df6d"}
SMB, OWNER = "0c867c2a-1d8c-454a-a3db-ab2ea1bdc8bb", "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
BLOB_OWNER = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"
TEAM = guid("team")
C1 = sai("cpu1")
FLAG: dict[bool, Fact] = {flag: {"properties": {"allowSharedKeyAccess": flag}} for flag in (True, False)}


def seen(subject: Workspace, facts: dict[Want, Fact], **more: Any) -> Estate:
    return replace(estate(subject, **more), facts=facts)


def asks(rule: str, one: Estate) -> list[Stamped]:
    return list(asks_of(RULE[rule], one.subject, one))


def wants(rule: str, one: Estate) -> set[Want]:
    return set(RULE[rule].wants(one.subject, one))


def said(mode: str | None) -> dict[str, Any]:
    return {"raw": {"properties": {"systemDatastoresAuthMode": mode} if mode else {}}}


def without_keys(*children: Any, mode: str | None = "identity", facts: dict[Want, Fact] | None = None) -> Estate:
    subject = workspace(*children, registry=None, storage_by_identity=mode == "identity", **said(mode))
    return seen(subject, {Want(STORAGE): FLAG[False], **(facts or {})})


class TestTheMode:
    @pytest.mark.parametrize(
        ("fact", "mode", "severity"),
        [
            (FLAG[False], "accessKey", Severity.HIGH),
            (FLAG[False], "ACCESSKEY", Severity.HIGH),
            (FLAG[False], None, Severity.HIGH),
            ({"properties": {"allowSharedKeyAccess": 0}}, None, Severity.HIGH),
            (FLAG[False], "identity", None),
            (FLAG[False], "UserDelegationSAS", None),
            (FLAG[False], "SomethingNew", Severity.LOW),
            (FLAG[True], "accessKey", None),
            ({"properties": {}}, "accessKey", None),
            ({"properties": {"allowSharedKeyAccess": None}}, None, None),
            (None, None, None),
            (Unreadable.FORBIDDEN, None, Severity.LOW),
        ],
    )
    def test_is_broken_where_the_account_refuses_its_keys(self, fact: Fact, mode: str | None, severity: Any) -> None:
        subject = workspace(storage_by_identity=mode == "identity", **said(mode))
        found = [one for one in asks("keys-refused", seen(subject, {Want(STORAGE): fact})) if isinstance(one, Finding)]
        assert [one.severity for one in found] == ([severity] if severity else [])
        assert all(one.requirements == ("AML-86",) for one in found)

    @pytest.mark.parametrize(
        ("hub", "own", "broken"),
        [
            ("identity", None, False),
            ("accessKey", None, True),
            (None, None, True),
            ("accessKey", "identity", False),
            ("identity", "accessKey", True),
        ],
    )
    def test_of_a_project_is_its_hubs_unless_it_says_otherwise(
        self, hub: str | None, own: str | None, broken: Any
    ) -> None:
        scope = workspace_id("hub")
        subject = workspace(kind="project", hub=scope, storage_by_identity=own == "identity", **said(own))
        one = seen(subject, {Want(STORAGE): FLAG[False], Want(scope): said(hub)["raw"]})
        assert wants("keys-refused", one) == {Want(STORAGE), *(() if own else (Want(scope),))}
        assert bool(asks("keys-refused", one)) is broken

    def test_of_a_project_whose_hub_may_not_be_read_is_not_known(self) -> None:
        scope = workspace_id("hub")
        subject = workspace(kind="project", hub=scope, **said(None))
        (one,) = asks("keys-refused", seen(subject, {Want(STORAGE): FLAG[False], Want(scope): Unreadable.FORBIDDEN}))
        assert isinstance(one, Finding)
        assert one.severity is Severity.LOW

    def test_without_storage_nothing_is_asked(self) -> None:
        one = estate(workspace(cluster("cpu1", C1), storage=None))
        for rule in ("keys-refused", "compute-writes-blobs", "parallel-runs", "storage-without-keys", "people-storage"):
            assert (wants(rule, one), asks(rule, one)) == (set(), [])


class TestWhoWrites:
    @pytest.mark.parametrize(
        ("keys", "mode", "writes"),
        [
            (True, "identity", True),
            (False, "identity", True),
            (False, "accessKey", True),
            (False, "UserDelegationSAS", False),
            (True, "accessKey", False),
            (True, None, False),
        ],
    )
    def test_depends_on_how_the_account_is_reached(self, keys: bool, mode: str | None, writes: bool) -> None:
        subject = workspace(cluster("cpu1", C1), registry=None, storage_by_identity=mode == "identity", **said(mode))
        made = plan(seen(subject, {Want(STORAGE): FLAG[keys]}), terms(on=["AML-87"]))
        assert ((C1.label, "Storage Blob Data Contributor", "store") in granted(made)) is writes

    @pytest.mark.parametrize(
        ("one", "writes"),
        [
            (compute("cpu", ComputeType.AML_COMPUTE, uai("cpu")), True),
            (compute("cpu", ComputeType.KUBERNETES, sai("cpu")), True),
            (compute("cpu", ComputeType.COMPUTE_INSTANCE, uai("cpu")), True),
            (compute("cpu", ComputeType.COMPUTE_INSTANCE, sai("cpu")), False),
            (compute("cpu", ComputeType.DATABRICKS, sai("cpu")), False),
            (compute("cpu", ComputeType.AML_COMPUTE), False),
        ],
    )
    def test_depends_on_the_compute(self, one: Any, writes: bool) -> None:
        assert bool(asks("compute-writes-blobs", without_keys(one))) is writes

    def test_one_role_that_covers_the_other(self) -> None:
        made = plan(without_keys(cluster("cpu1", C1)), terms(on=["AML-87"]))
        (one,) = made.grants
        assert (one.need.role_name, one.rule) == (
            "Storage Blob Data Contributor",
            "compute-writes-blobs, compute-reads-blobs",
        )

    def test_by_default_it_is_said_and_a_reader_stays_one(self) -> None:
        one = without_keys(cluster("cpu1", C1))
        held = estate(one.subject, held=[assigned(C1, "Storage Blob Data Reader", STORAGE)])
        made = plan(replace(one, access=held.access), terms())
        assert made.grants == ()
        (said_once,) = [f for f in made.findings if "AML-87" in f.requirements]
        assert '--role "Storage Blob Data Contributor"' in said_once.remedy

    @pytest.mark.parametrize(("who", "writes"), [(uai("infer"), True), (sai("infer"), False)])
    def test_endpoints(self, who: Any, writes: bool) -> None:
        assert bool(asks("endpoint-writes-blobs", without_keys(endpoint("serve", who)))) is writes

    @pytest.mark.parametrize(
        ("one", "kind"),
        [
            (compute("i", ComputeType.COMPUTE_INSTANCE, sai("i")), Finding),
            (compute("i", ComputeType.COMPUTE_INSTANCE, sai("i"), uai("i")), Finding),
            (compute("i", ComputeType.COMPUTE_INSTANCE, uai("i")), RequiredGrant),
            (compute("i", ComputeType.COMPUTE_INSTANCE), None),
            (cluster("cpu", sai("cpu")), None),
        ],
    )
    def test_instances(self, one: Any, kind: Any) -> None:
        assert [type(each) for each in asks("instance-file-share", without_keys(one))] == ([kind] if kind else [])

    def test_isolated_data_is_left_alone(self) -> None:
        one = without_keys(cluster("cpu1", C1))
        isolated = replace(one, subject=replace(one.subject, data_isolation=True))
        made = plan(isolated, terms(on=["AML-87"]))
        assert (granted(made), guards(made)) == (set(), {"data-isolation"})


def job(*steps: dict[str, Any], **properties: Any) -> dict[str, Any]:
    named = {f"s{number}": step for number, step in enumerate(steps)}
    return {
        "id": f"{WORKSPACE}/jobs/j",
        "name": "j",
        "properties": {**properties, **({"jobs": named} if named else {})},
    }


JOBS = Want(WORKSPACE, "jobs", pages=1)
ON_C1 = f"{WORKSPACE}/computes/CPU1"


class TestParallelRuns:
    @pytest.mark.parametrize(
        ("one", "who"),
        [
            (job({"type": "parallel", "computeId": ON_C1}), {"cpu1"}),
            (job({"type": "Parallel", "computeId": "cpu1"}), {"cpu1"}),
            (job({"type": "parallel"}, settings={"default_compute": ON_C1}), {"cpu1"}),
            (job({"type": "parallel"}, computeId=ON_C1), {"cpu1"}),
            (job({"type": "parallel", "computeId": "gone"}), set()),
            (job({"type": "parallel", "computeId": ON_C1, "identity": {"type": "user_identity"}}), set()),
            (job({"type": "command", "computeId": ON_C1}), set()),
            (job(jobType="Command", computeId=ON_C1), set()),
            ({"properties": {"jobs": "odd", "settings": 1}}, set()),
            ({"properties": None}, set()),
            (job({"type": "parallel"}), set()),
        ],
    )
    def test_write_tables_and_queues(self, one: dict[str, Any], who: set[str]) -> None:
        found = asks("parallel-runs", without_keys(cluster("cpu1", C1), facts={JOBS: (one,)}))
        roles = {(each.principal.label, each.need.role_name) for each in found if isinstance(each, RequiredGrant)}
        names = ("Storage Table Data Contributor", "Storage Queue Data Contributor")
        assert roles == {(each, role) for each in who for role in names}

    @pytest.mark.parametrize(
        ("deployment", "found"),
        [
            ({"compute": ON_C1}, True),
            ({"compute": ON_C1.upper().replace("/SUB", "/sub")}, True),
            ({"compute": ON_C1, "deploymentConfiguration": {"deploymentConfigurationType": "Model"}}, True),
            ({"compute": f"{WORKSPACE}/computes/gone"}, False),
            ({"compute": None}, False),
            ({}, False),
            (
                {"compute": ON_C1, "deploymentConfiguration": {"deploymentConfigurationType": "PipelineComponent"}},
                False,
            ),
        ],
    )
    def test_batch_deployments_of_models_are(self, deployment: dict[str, Any], found: bool) -> None:
        batch = WORKSPACE.child("batchEndpoints", "nightly")
        facts: dict[Want, Fact] = {
            JOBS: (),
            Want(WORKSPACE, "batchEndpoints"): ({"id": str(batch).upper().replace("/SUB", "/sub")},),
            Want(batch, "deployments"): ({"properties": deployment},),
        }
        one = without_keys(cluster("cpu1", C1), facts=facts)
        who = {each.principal for each in asks("parallel-runs", one) if isinstance(each, RequiredGrant)}
        assert who == ({C1} if found else set())

    def test_batch_endpoints_are_looked_for_only_where_a_cluster_could_run_them(self) -> None:
        listed = Want(WORKSPACE, "batchEndpoints")
        assert listed in wants("parallel-runs", without_keys(cluster("cpu1", C1)))
        assert listed not in wants("parallel-runs", without_keys())
        assert listed not in wants("parallel-runs", seen(workspace(cluster("cpu1", C1)), {Want(STORAGE): FLAG[True]}))

    def test_on_serverless_compute_are_the_workspaces_identity(self) -> None:
        me = uai("mlw")
        one = without_keys(facts={JOBS: (job({"type": "parallel"}),)})
        one = replace(one, subject=replace(one.subject, identity=identity(me), primary=me.resource))
        assert {each.principal for each in asks("parallel-runs", one) if isinstance(each, RequiredGrant)} == {me}

    def test_are_looked_for_only_where_it_matters(self) -> None:
        assert JOBS in wants("parallel-runs", without_keys(cluster("cpu1", C1)))
        assert JOBS not in wants("parallel-runs", without_keys())
        assert JOBS not in wants("parallel-runs", seen(workspace(cluster("cpu1", C1)), {Want(STORAGE): FLAG[True]}))

    def test_that_may_not_be_read_are_said_to_be_unknown(self) -> None:
        (one,) = asks("parallel-runs", without_keys(cluster("cpu1", C1), facts={JOBS: Unreadable.FORBIDDEN}))
        assert isinstance(one, Finding)
        assert "jobs" in one.message


def held(
    who: str, role: str, kind: str = "Group", scope: Scope = STORAGE, condition: str | None = None
) -> dict[str, Any]:
    properties = {"principalType": kind, "principalId": who, "roleDefinitionId": f"/x/roleDefinitions/{role.upper()}"}
    return {"properties": {**properties, "scope": str(scope), "condition": condition}}


NONE: frozenset[str] = frozenset()
BOTH = frozenset({"Blob Data Contributor", "File Data Privileged Contributor"})


class TestPeople:
    def lacking(self, *assignments: dict[str, Any], mode: str | None = "identity", instance: bool = False) -> set[str]:
        children = [compute("i", ComputeType.COMPUTE_INSTANCE)] if instance else []
        one = without_keys(*children, mode=mode, facts={ASSIGNMENTS: assignments, CUSTOM: ()})
        remedies = [each.remedy for each in asks("storage-without-keys", one) if isinstance(each, Finding)]
        return {
            role for role in ("Blob Data Contributor", "File Data Privileged Contributor") if role in " ".join(remedies)
        }

    @pytest.mark.parametrize(
        ("assignments", "lacking"),
        [
            ([], BOTH),
            ([held("g", FILE["write"])], {"Blob Data Contributor"}),
            ([held("g", BLOB["write"])], {"File Data Privileged Contributor"}),
            ([held("g", BLOB["write"]), held("g", FILE["write"])], NONE),
            ([held("G", BLOB["read"]), held("g", FILE["read"])], NONE),
            ([held("g", BLOB_OWNER), held("g", FILE["write"])], NONE),
            ([held("u", BLOB["write"], "User"), held("u", FILE["write"], "User")], NONE),
            ([held("g", BLOB["write"], scope=GROUP), held("g", FILE["write"], scope=SUBSCRIPTION)], NONE),
            ([held("g", BLOB["write"]), held("h", FILE["write"])], {"File Data Privileged Contributor"}),
            ([held("s", BLOB["write"], "ServicePrincipal"), held("s", FILE["write"], "ServicePrincipal")], BOTH),
            ([held("g", BLOB["write"]), held("g", SMB)], {"File Data Privileged Contributor"}),
            ([held("g", OWNER)], BOTH),
            ([held("g", BLOB["write"], condition="x"), held("g", FILE["write"])], {"Blob Data Contributor"}),
            (
                [held("g", BLOB["write"], scope=STORAGE.child("blobServices", "default", "containers", "c"))],
                BOTH,
            ),
        ],
    )
    def test_hold_both_roles_or_both_readers(self, assignments: list[dict[str, Any]], lacking: frozenset[str]) -> None:
        assert self.lacking(*assignments) == lacking

    def test_only_read_where_there_is_no_instance_to_mount_files_with(self) -> None:
        readers = (held("g", BLOB["read"]), held("g", FILE["read"]))
        assert self.lacking(*readers) == set()
        assert self.lacking(*readers, instance=True) == {"File Data Privileged Contributor"}

    def test_need_no_blobs_of_their_own_with_user_delegation(self) -> None:
        assert self.lacking(mode="UserDelegationSAS") == {"File Data Privileged Contributor"}
        assert self.lacking(held("g", FILE["write"]), mode="UserDelegationSAS") == set()

    def test_may_hold_a_custom_role(self) -> None:
        files = "Microsoft.Storage/storageAccounts/fileServices"
        data = ["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/*", f"{files}/*"]
        role: dict[str, Any] = {"name": guid("custom"), "properties": {"permissions": [{"dataActions": data}]}}
        mine = held("g", guid("custom"))
        one = without_keys(facts={ASSIGNMENTS: (mine,)})
        assert CUSTOM in wants("storage-without-keys", one)
        assert asks("storage-without-keys", one) == []  # not before it is read
        assert asks("storage-without-keys", replace(one, facts={**one.facts, CUSTOM: (role,)})) == []
        assert asks("storage-without-keys", replace(one, facts={**one.facts, CUSTOM: ()}))
        (block,) = role["properties"]["permissions"]
        less = {**role, "properties": {"permissions": [{**block, "notDataActions": [f"{files}/*"]}]}}
        assert asks("storage-without-keys", replace(one, facts={**one.facts, CUSTOM: (less,)}))

    def test_may_be_listed_without_the_type_of_who_holds_the_role(self) -> None:
        both = [held("u", BLOB["write"]), held("u", FILE["write"])]
        for one in both:
            del one["properties"]["principalType"]
        assert self.lacking(*both) == NONE

    def test_are_given_the_roles_by_the_remedy_whatever_keeps_keys_away(self) -> None:
        for mode, keys in (("identity", True), ("identity", False)):
            one = without_keys(mode=mode, facts={ASSIGNMENTS: (), CUSTOM: (), Want(STORAGE): FLAG[keys]})
            (found,) = asks("storage-without-keys", one)
            assert isinstance(found, Finding)
            assert '--role "Storage Blob Data Contributor"' in found.remedy

    def test_custom_roles_are_read_only_where_one_could_matter(self) -> None:
        covered = (held("g", BLOB["write"]), held("g", FILE["write"]), held("h", OWNER))
        assert CUSTOM not in wants("storage-without-keys", without_keys(facts={ASSIGNMENTS: covered}))

    def test_what_may_not_be_read_is_no_reason_to_say_that_nobody_holds_it(self) -> None:
        (one,) = asks("storage-without-keys", without_keys(facts={ASSIGNMENTS: Unreadable.FORBIDDEN}))
        assert isinstance(one, Finding)
        assert "could not be read" in one.message

    def test_the_finding_names_the_requirement_of_what_is_missing(self) -> None:
        for assignments, ids in (((), ("AML-77", "AML-88")), ((held("g", FILE["write"]),), ("AML-88",))):
            (one,) = asks("storage-without-keys", without_keys(facts={ASSIGNMENTS: assignments, CUSTOM: ()}))
            assert isinstance(one, Finding)
            assert one.requirements == ids


def people(role: str, *scopes: Scope) -> People:
    return People((TEAM,), role, "a role", scopes or (GROUP,))


DATA_SCIENTIST, READER = "f6c7c914-8db3-469d-8ca1-694a8f32e121", "acdd72a7-3385-48ef-bd42-f606fba81ae7"


class TestGroupsOfThePolicy:
    @pytest.mark.parametrize(
        ("who", "roles"),
        [
            (people(DATA_SCIENTIST), {"Storage Blob Data Contributor", "Storage File Data Privileged Contributor"}),
            (people(READER), {"Storage Blob Data Reader", "Storage File Data Privileged Reader"}),
            (people(guid("a scorer's role")), set()),
            (people(DATA_SCIENTIST, FOREIGN), set()),
        ],
    )
    def test_get_what_they_need_on_the_storage(self, who: People, roles: set[str]) -> None:
        one = replace(without_keys(), people=(who,))
        found = [each for each in asks("people-storage", one) if isinstance(each, RequiredGrant)]
        assert {each.need.role_name for each in found} == roles
        assert all((each.principal.type, each.scope) == ("Group", STORAGE) for each in found)

    def test_get_it_only_once_the_policy_says_so(self) -> None:
        one = without_keys()
        one = replace(
            one,
            people=(people(DATA_SCIENTIST),),
            access={**one.access, TEAM: estate(one.subject, aml=False).access[sai("mlw").id]},
        )
        assert granted(plan(one, terms())) == set()
        assert len(plan(one, terms(on=["AML-88"])).grants) == 2

    def test_cost_nothing_where_the_policy_means_nobody(self) -> None:
        assert wants("people-storage", estate(workspace())) == set()

    def test_the_app_may_give_groups_nothing_else(self) -> None:
        scientists = terms(on=["AML-88"], people=(people(DATA_SCIENTIST),))
        assert set(for_groups(scientists)) == {BLOB["write"], FILE["write"]}
        assert set(for_groups(terms(on=["people-storage"], people=(people(guid("scorer")),)))) == set()
        assert FILE["write"] in condition(scientists).partition("'Group'")[0]
        assert FILE["write"] not in {need.role_id for need in assignable(scientists)}


def spark(**more: Any) -> dict[str, Any]:
    return job(jobType="Spark", **more)


def managed(*uris: str, kind: str = "inputs", **more: Any) -> dict[str, Any]:
    """Serverless, as a managed identity, with these inputs or outputs."""
    data = {f"d{number}": {"uri": uri} for number, uri in enumerate(uris)}
    return spark(identity={"identityType": "Managed"}, **{kind: {**data, "bare": {}, "none": None}, **more})


LONG_URI = "azureml://subscriptions/s/resourcegroups/r/workspaces/w/datastores/lake/paths/x"


class TestSpark:
    POOL = compute("pool", ComputeType.SYNAPSE_SPARK, sai("pool"))
    LAKE = resource("Microsoft.Storage/storageAccounts", "lake", FOREIGN)
    ME = uai("spark")

    def seen(self, *jobs: dict[str, Any], children: Any = (), people_held: Any = None, **more: Any) -> Estate:
        properties = {"accountName": "lake", "resourceGroup": "other-team", "datastoreType": "AzureBlob"}
        store = Datastore(
            WORKSPACE.child("datastores", "lake"),
            "azureblob",
            "lake",
            identity_based=True,
            raw={"properties": properties},
        )
        subject = workspace(store, *children, registry=None, identity=identity(sai("mlw"), self.ME), **more)
        facts: dict[Want, Fact] = {JOBS: jobs}
        return seen(subject, facts if people_held is None else {**facts, ASSIGNMENTS: people_held})

    def who(self, one: Estate) -> set[tuple[str, str, str]]:
        found = (each for each in asks("spark-storage", one) if isinstance(each, RequiredGrant))
        return {(each.principal.label, each.need.role_name, each.scope.name) for each in found}

    def both(self, who: str, *accounts: str) -> set[tuple[str, str, str]]:
        return {(who, role, at) for at in accounts for role in ("Contributor", "Storage Blob Data Contributor")}

    @pytest.mark.parametrize(
        ("one", "accounts"),
        [
            (managed(), ("store",)),
            (spark(identity={"identityType": "managed", "resourceId": "/x"}), ("store",)),
            (job({"type": "spark", "identity": {"type": "managed_identity"}}, jobType="Pipeline"), ("store",)),
            (managed("azureml://datastores/LAKE/paths/x"), ("store", "lake")),
            (managed(LONG_URI, kind="outputs"), ("store", "lake")),
            (managed("azureml://datastores/other/paths/x"), ("store",)),
            (managed("abfss://c@lake.dfs.core.windows.net/x"), ("store",)),
            (managed(inputs="odd"), ("store",)),
            (spark(), ()),
            (spark(identity={"identityType": "UserIdentity"}), ()),
            (job(jobType="Command", identity={"identityType": "Managed"}), ()),
        ],
    )
    def test_serverless_jobs_run_as_the_workspaces_identity_where_they_say_so(self, one: Any, accounts: Any) -> None:
        assert self.who(self.seen(one)) == self.both("spark", *accounts)

    def test_jobs_on_a_pool_run_as_its_identity(self) -> None:
        assert self.who(self.seen(children=(self.POOL,))) == self.both("pool", "store")
        data = {"a": {"uri": "azureml://datastores/lake/paths/x"}}
        one = self.seen(spark(computeId=f"{WORKSPACE}/computes/pool", inputs=data), children=(self.POOL,))
        assert self.who(one) == self.both("pool", "store", "lake")

    def test_a_store_that_a_job_names_needs_the_allow_list(self) -> None:
        data = {"a": {"uri": "azureml://datastores/lake/paths/x"}}
        one = self.seen(spark(computeId="pool", inputs=data), children=(self.POOL,))
        made = plan(one, terms(on=["AML-89"]))
        assert {at for _, _, at in granted(made)} == {"store"}
        assert "target-outside-boundary" in guards(made)

    @pytest.mark.parametrize(
        ("role", "missing"),
        [
            ("Storage Blob Data Reader", {"Contributor", "Storage Blob Data Contributor"}),
            ("Reader", {"Contributor", "Storage Blob Data Contributor"}),
            ("Storage Account Contributor", {"Storage Blob Data Contributor"}),
            ("Storage Blob Data Owner", {"Contributor"}),
        ],
    )
    def test_reader_does_not_cover_it(self, role: str, missing: set[str]) -> None:
        subject = workspace(self.POOL, registry=None)
        made = plan(estate(subject, held=[assigned(sai("pool"), role, STORAGE)]), terms(on=["AML-89"]))
        assert {name for _, name, _ in granted(made)} == missing

    def test_a_pool_without_an_identity_is_said(self) -> None:
        bare = compute("pool", ComputeType.SYNAPSE_SPARK)
        (one,) = asks("spark-identity", self.seen(children=(bare,)))
        assert isinstance(one, Finding)
        assert asks("spark-identity", self.seen(children=(self.POOL,))) == []

    @pytest.mark.parametrize(
        ("assignments", "found"),
        [
            ((), True),
            ((held("g", BLOB["write"]),), True),
            ((held("g", BLOB["write"]), held("h", OWNER)), True),
            ((held("g", BLOB["write"]), held("g", OWNER, scope=GROUP)), False),
            ((held("s", BLOB["write"], "ServicePrincipal"), held("s", OWNER, "ServicePrincipal")), True),
        ],
    )
    def test_where_jobs_run_as_their_user_somebody_can_run_them(self, assignments: Any, found: bool) -> None:
        assert bool(asks("spark-identity", self.seen(spark(), people_held=assignments))) is found

    def test_nothing_is_read_for_it_where_no_spark_is(self) -> None:
        plain = seen(workspace(), {})
        assert wants("spark-storage", plain) == set()
        assert ASSIGNMENTS not in wants("spark-identity", self.seen(job(jobType="Command")))
        ready = {"properties": {"managedNetwork": {"status": {"sparkReady": True}}}}
        assert wants("spark-storage", seen(workspace(raw=ready), {})) == {JOBS}
        assert wants("spark-storage", seen(workspace(self.POOL), {})) == {JOBS}

    def test_a_job_that_names_one_of_several_identities_runs_as_that_one(self) -> None:
        other = uai("other")
        one = self.seen(spark(identity={"identityType": "Managed", "resourceId": str(other.resource).upper()}))
        both = replace(one.subject, identity=identity(sai("mlw"), self.ME, other))
        assert self.who(replace(one, subject=both)) == self.both("other", "store")


class TestFeatureSets:
    ASSIGNED = Want(WORKSPACE, "Microsoft.Authorization/roleAssignments?$filter=atScope()")

    def seen(self, *assignments: dict[str, Any], kind: str = "featurestore") -> Estate:
        settings = {"properties": {"featureStoreSettings": {"offlineStoreConnectionName": "offline"}}}
        target = f"{STORAGE}/blobServices/default/containers/f"
        raw = {"id": f"{WORKSPACE}/connections/offline", "properties": {"category": "ADLSGen2", "target": target}}
        made = workspace(kind=kind, identity=identity(sai("mlw"), uai("fs")), raw=settings, registry=REGISTRY)
        made = replace(made, connections=(connections.connection(raw),))
        return seen(made, {self.ASSIGNED: assignments})

    @pytest.mark.parametrize(
        ("who", "asked"),
        [
            (held("g", DATA_SCIENTIST), {"g"}),
            (held("u", DATA_SCIENTIST, "User", scope=SUBSCRIPTION), {"u"}),
            (held("s", DATA_SCIENTIST, "ServicePrincipal"), {"s"}),
            (held(uai("fs").id, DATA_SCIENTIST, "ServicePrincipal"), set()),
            (held("g", READER), set()),
            (held("g", DATA_SCIENTIST, condition="x"), set()),
        ],
    )
    def test_who_uses_them_reads_the_offline_store(self, who: dict[str, Any], asked: set[str]) -> None:
        found = asks("feature-set-users", self.seen(who))
        assert {one.principal.id for one in found if isinstance(one, RequiredGrant)} == asked
        assert all(one.scope == STORAGE for one in found if isinstance(one, RequiredGrant))
        assert bool([one for one in found if isinstance(one, Finding)]) is not bool(asked)

    @pytest.mark.parametrize(("source", "about"), [("src", {"f", "src"}), (None, set())])
    def test_of_an_account_that_is_source_and_offline_store_the_containers_of_both_are_meant(
        self, source: str | None, about: set[str]
    ) -> None:
        lake = resource("Microsoft.Storage/storageAccounts", "lake")
        named = {"accountName": "lake", "resourceGroup": "rg", "containerName": source}
        store = Datastore(
            WORKSPACE.child("datastores", "l"), "azureblob", "lake", identity_based=True, raw={"properties": named}
        )
        one = self.seen(held("g", DATA_SCIENTIST))
        target = f"{lake}/blobServices/default/containers/f"
        raw = {"id": f"{WORKSPACE}/connections/offline", "properties": {"category": "ADLSGen2", "target": target}}
        subject = replace(one.subject, datastores=(store,), connections=(connections.connection(raw),))
        (grant,) = asks("feature-set-users", replace(one, subject=subject))
        assert isinstance(grant, RequiredGrant)
        assert (grant.scope, {scope.name for scope in grant.about}) == (lake, about)

    def test_other_workspaces_have_none(self) -> None:
        one = self.seen(kind="default")
        assert (wants("feature-set-users", one), asks("feature-set-users", one)) == (set(), [])

    def test_what_may_not_be_read_is_said(self) -> None:
        one = replace(self.seen(), facts={self.ASSIGNED: Unreadable.FORBIDDEN})
        (found,) = asks("feature-set-users", one)
        assert isinstance(found, Finding)
        assert "could not be read" in found.message

    def test_the_advice_does_not_undo_what_keeps_groups_apart(self) -> None:
        one = self.seen(held("a", DATA_SCIENTIST), held("b", DATA_SCIENTIST))
        lake = resource("Microsoft.Storage/storageAccounts", "lake")
        properties = {"accountName": "lake", "resourceGroup": "rg", "datastoreType": "AzureBlob"}
        store = Datastore(
            WORKSPACE.child("datastores", "l"), "azureblob", "lake", identity_based=True, raw={"properties": properties}
        )
        one = replace(one, subject=replace(one.subject, datastores=(store,), registry=None))
        a, b = Principal("a", "a", type="Group"), Principal("b", "b", type="Group")
        each = {
            "a": access(assigned(a, "Storage Blob Data Reader", lake)),
            "b": access(assigned(b, "Storage Blob Data Reader", STORAGE)),
        }
        made = plan(replace(one, access={**one.access, **each}), terms())
        said_of = [f for f in made.findings if "AML-96" in f.requirements]
        assert len(said_of) == 2
        assert all(f.remedy.startswith("Look twice") for f in said_of)
