"""What people keep apart, by identity, container or condition, is not levelled; what amlguard gave tells nothing."""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from unit.build import (
    GROUP,
    OTHER_SUBSCRIPTION,
    REGISTRY,
    STORAGE,
    WORKSPACE,
    assigned,
    cluster,
    compute,
    connection,
    custom,
    endpoint,
    estate,
    granted,
    guards,
    identity,
    registry,
    registry_id,
    resource,
    sai,
    terms,
    uai,
    workspace,
)

from shared.access import own_assignments
from shared.access.actions import Grant, Plan
from shared.access.ask_rules import ask_rules
from shared.access.model import ComputeType, Datastore, Principal, Want
from shared.access.permissions import RoleAssignment
from shared.access.plan import plan
from shared.access.rules import RULES
from shared.access.scope import Scope
from shared.reading.whom_to_read import unknown_holders

READER, WRITER, OWNER = "Storage Blob Data Reader", "Storage Blob Data Contributor", "Storage Blob Data Owner"
ACCOUNTS = {name: resource("Microsoft.Storage/storageAccounts", name) for name in ("north", "south", "west")}
NORTH, SOUTH, WEST = ACCOUNTS.values()
N, S, W = sai("cpu-north"), sai("cpu-south"), uai("cpu-west")
RUN = "11111111-2222-4333-8444-555555555555"


def store(where: Scope, container: str = "data", name: str = "") -> Datastore:
    parts = str(where).split("/")
    named = {"accountName": where.name, "subscriptionId": parts[2], "resourceGroup": parts[4]}
    properties = {"datastoreType": "AzureBlob", "containerName": container, **named}
    scope = WORKSPACE.child("datastores", name or f"data_{where.name}")
    return Datastore(scope, "azureblob", where.name, identity_based=True, raw={"properties": properties})


def container(where: Scope, name: str) -> Scope:
    return where.child("blobServices", "default", "containers", name)


def by_amlguard(holder: Principal, role: str, where: Scope) -> RoleAssignment:
    made = assigned(holder, role, where)
    text = own_assignments.description("compute-reads-data", ["AML-36"], RUN, WORKSPACE.child("computes", "cpu"), None)
    name = own_assignments.assignment_name(where, holder.id, made.role_id)
    return replace(made, id=f"{where}/providers/Microsoft.Authorization/roleAssignments/{name}", description=text)


def planned(
    *held: RoleAssignment,
    stores: Iterable[Datastore] = (store(NORTH), store(SOUTH), store(WEST)),
    computes: Iterable[Principal] = (N, S, W),
    allow: tuple[Scope, ...] = (GROUP,),
    **more: Any,
) -> Plan:
    made = [cluster(f"cpu{number}", one) for number, one in enumerate(computes)]
    subject = workspace(*made, *stores, registry=None, storage=None)
    return plan(estate(subject, held=held, **more), terms(allow=allow))


def kept_apart(made: Plan) -> set[str]:
    """The accounts that a finding says nobody is granted."""
    return {one.resource.name for one in made.findings if "amlguard grants nobody" in one.message}


EACH_ITS_OWN = (assigned(N, WRITER, NORTH), assigned(S, READER, SOUTH), assigned(W, OWNER, WEST))


def test_three_teams_keep_their_stores() -> None:
    made = planned(*EACH_ITS_OWN)
    assert granted(made) == set()
    assert guards(made) == set()
    assert kept_apart(made) == {"north", "south", "west"}
    assert all(one.requirements == ("AML-36",) for one in made.findings if one.resource in ACCOUNTS.values())


def test_nothing_is_said_of_an_account_that_all_of_them_hold() -> None:
    made = planned(*EACH_ITS_OWN, assigned(S, READER, NORTH), assigned(W, READER, NORTH))
    assert kept_apart(made) == {"south", "west"}
    assert granted(made) == set()


@pytest.mark.parametrize(
    "held",
    [
        (assigned(N, WRITER, NORTH), assigned(S, READER, SOUTH)),
        (assigned(N, READER, NORTH), assigned(S, READER, NORTH), assigned(S, READER, SOUTH)),
        (assigned(N, READER, GROUP), assigned(S, READER, SOUTH)),
        (assigned("team-north", READER, NORTH), assigned(S, READER, SOUTH)),
        (assigned(N, READER, container(NORTH, "a")), assigned(S, READER, container(NORTH, "b"))),
        (assigned(N, READER, NORTH), assigned(S, WRITER, NORTH, condition="@Resource[x] StringEquals 'a'")),
        (*EACH_ITS_OWN[:2], by_amlguard(S, READER, NORTH), by_amlguard(N, READER, SOUTH)),
    ],
    ids=[
        "each its own",
        "one more than the other",
        "the group",
        "through a group",
        "containers",
        "a condition",
        "ours",
    ],
)
def test_two_that_differ_are_kept_apart_and_a_third_that_holds_nothing_gets_nothing(held: Any) -> None:
    made = planned(*held, groups={"team-north": [N]})
    assert granted(made) == set()
    assert kept_apart(made)


@pytest.mark.parametrize(
    ("held", "grants"),
    [
        ((), 9),
        ((assigned(N, READER, NORTH),), 8),
        (tuple(assigned(one, READER, NORTH) for one in (N, S, W)), 6),
        (tuple(assigned(one, role, NORTH) for one, role in ((N, READER), (S, WRITER), (W, OWNER))), 6),
        ((by_amlguard(N, READER, NORTH), by_amlguard(S, READER, SOUTH)), 7),
        ((assigned(N, READER, NORTH), assigned(S, READER, NORTH), by_amlguard(N, READER, SOUTH)), 6),
        ((assigned(N, "Owner", NORTH), assigned(S, "Contributor", SOUTH)), 9),
        ((assigned(N, WRITER, STORAGE), assigned(S, READER, STORAGE)), 9),
    ],
    ids=["nobody", "one alone", "all the same", "the same by other roles", "a cap cut ours short", "both", "no data",
         "another account"],
)  # fmt: skip
def test_where_nobody_keeps_them_apart_each_is_granted(held: Any, grants: int) -> None:
    made = planned(*held)
    assert len(made.grants) == grants
    assert kept_apart(made) == set()


def test_a_grant_that_only_looks_like_amlguards_is_a_persons() -> None:
    forged = replace(assigned(S, READER, SOUTH), description=by_amlguard(S, READER, SOUTH).description)
    assert granted(planned(assigned(N, READER, NORTH), forged)) == set()


def test_a_role_that_is_nobody_knows_where_might_keep_them_apart() -> None:
    lost = replace(assigned(S, READER, Scope.parse("/")), misplaced=True)
    made = planned(assigned(N, READER, NORTH), lost)
    assert granted(made) == set()
    assert "nobody can tell whether they are kept apart" in made.findings[0].message


def test_a_store_that_the_policy_does_not_allow_tells_as_much() -> None:
    assert kept_apart(planned(*EACH_ITS_OWN, allow=(NORTH,))) == {"north", "south", "west"}


def test_an_account_that_is_closed_to_us_might_keep_them_apart() -> None:
    far = resource("Microsoft.Storage/storageAccounts", "far", OTHER_SUBSCRIPTION.child("resourceGroups", "lake"))
    blind: dict[str, Any] = {"blind": frozenset({OTHER_SUBSCRIPTION})}
    allow = (GROUP, OTHER_SUBSCRIPTION)
    stores = (store(NORTH), store(far))
    assert granted(planned(assigned(N, READER, NORTH), stores=stores, allow=allow, **blind)) == set()
    alone = planned(stores=stores, computes=(N,), allow=allow, **blind)
    assert granted(alone) == {(N.label, READER, "north")}


class TestOfOneIdentity:
    """With nobody to be kept apart from: what it holds of an account may be all that somebody meant."""

    def planned(self, *held: RoleAssignment, stores: Iterable[Datastore] = (store(NORTH),)) -> Plan:
        return planned(*held, stores=stores, computes=(N,))

    def test_the_container_that_the_datastore_names_is_what_it_needs(self) -> None:
        made = self.planned(assigned(N, READER, container(NORTH, "data")))
        assert (granted(made), guards(made), made.satisfied) == (set(), set(), 1)

    def test_all_containers_that_datastores_name_are(self) -> None:
        two = (store(NORTH), store(NORTH, "more", "more"))
        both = [assigned(N, READER, container(NORTH, name)) for name in ("data", "more")]
        assert self.planned(*both, stores=two).satisfied == 1
        assert guards(self.planned(both[0], stores=two)) == {"limited-by-people"}

    @pytest.mark.parametrize(
        "held",
        [
            assigned(N, READER, container(NORTH, "other")),
            assigned(N, WRITER, NORTH, condition="@Resource[path] StringLike 'a*'"),
            assigned(N, WRITER, GROUP, condition="@Resource[path] StringLike 'a*'"),
        ],
    )
    def test_another_container_or_a_condition_is_a_limit(self, held: RoleAssignment) -> None:
        made = self.planned(held)
        assert granted(made) == set()
        assert guards(made) == {"limited-by-people"}

    def test_a_limit_of_other_data_is_none(self) -> None:
        queues = custom(data=["Microsoft.Storage/storageAccounts/queueServices/queues/messages/read"])
        made = plan(
            estate(
                workspace(cluster("cpu", N), store(NORTH), registry=None, storage=None),
                held=[assigned(N, queues, NORTH.child("queueServices", "default", "queues", "q"))],
                roles=[queues],
            ),
            terms(allow=(GROUP,)),
        )
        assert granted(made) == {(N.label, READER, "north")}


class TestOtherRules:
    def test_private_registries_of_teams(self) -> None:
        a, b = registry_id("teama"), registry_id("teamb")
        subject = workspace(
            cluster("a", N), cluster("b", S), connection("a", a), connection("b", b), registry=None, storage=None
        )
        parts = (registry(a), registry(b))
        each = [assigned(N, "AcrPull", a), assigned(S, "AcrPull", b)]
        made = plan(estate(subject, *parts, held=each), terms(allow=(GROUP,)))
        assert granted(made) == set()
        assert kept_apart(made) == {"teama", "teamb"}
        assert len(plan(estate(subject, *parts), terms(allow=(GROUP,))).grants) == 4

    def test_containers_of_the_workspaces_own_account(self) -> None:
        subject = workspace(cluster("a", N), cluster("b", S), registry=None, storage_by_identity=True)
        each = [assigned(N, READER, container(STORAGE, "a")), assigned(S, READER, container(STORAGE, "b"))]
        made = plan(estate(subject, held=each), terms(on=["AML-87"]))
        assert granted(made) == set()
        assert kept_apart(made) == {"store"}
        # One alone was not kept from anything: AML itself uses the whole account.
        assert granted(plan(estate(subject, held=each[:1]), terms())) == {
            (N.label, READER, "store"),
            (S.label, READER, "store"),
        }

    @pytest.mark.parametrize(("conditions", "apart"), [("ab", True), ("aa", False)])
    def test_repositories_of_one_registry_by_conditions(self, conditions: str, apart: bool) -> None:
        subject = workspace(cluster("a", N), cluster("b", S), storage=None)
        role = "Container Registry Repository Reader"
        each = [assigned(one, role, GROUP, condition=by) for one, by in zip((N, S), conditions, strict=True)]
        made = plan(estate(subject, registry(abac=True), held=each), terms())
        assert len(made.grants) == (0 if apart else 2)
        assert kept_apart(made) == ({"acrml"} if apart else set())

    def test_endpoints_and_containers(self) -> None:
        subject = workspace(endpoint("a", uai("a")), endpoint("b", uai("b")), registry=None)
        each = [
            assigned(uai("a"), READER, container(STORAGE, "a")),
            assigned(uai("b"), READER, container(STORAGE, "b")),
        ]
        assert granted(plan(estate(subject, held=each), terms())) == set()

    def test_advice_does_not_undo_it_either(self) -> None:
        subject = workspace(cluster("a", N), cluster("b", S), registry=None, storage_by_identity=True)
        each = [assigned(N, WRITER, container(STORAGE, "a")), assigned(S, WRITER, container(STORAGE, "b"))]
        said = [one for one in plan(estate(subject, held=each), terms()).findings if "AML-87" in one.requirements]
        assert said
        assert all(one.remedy.startswith("Look twice: people gave them different ones") for one in said)


class TestAcrossRules:
    """Teams may use different things: what one rule must not level, another rule must not either."""

    REPOSITORIES = "Container Registry Repository Reader"

    def by_conditions(self, *holders: Principal) -> list[RoleAssignment]:
        return [assigned(one, self.REPOSITORIES, GROUP, condition=f"only {one.label}") for one in holders]

    def test_a_cluster_and_a_kubernetes_compute_on_one_registry(self) -> None:
        k8s = compute("k8s", ComputeType.KUBERNETES, S)
        subject = workspace(cluster("a", N), k8s, storage=None)
        made = plan(estate(subject, registry(abac=True), held=self.by_conditions(N, S)), terms())
        assert granted(made) == set()
        assert {one.rule for one in made.findings if "amlguard grants nobody" in one.message} == {
            "compute-pull",
            "kubernetes-pull",
        }
        alone = plan(estate(subject, registry(abac=True), held=self.by_conditions(N)), terms())
        assert len(alone.grants) == 2

    def test_the_nodes_of_two_clusters(self) -> None:
        first, second = (resource("Microsoft.ContainerService/managedClusters", name) for name in ("aks1", "aks2"))
        nodes = {one: replace(uai(one.name), resource=one) for one in (first, second)}
        computes = [compute(one.name, ComputeType.AKS, attached=one) for one in nodes]
        subject = workspace(*computes, storage=None)
        held = self.by_conditions(*nodes.values())
        made = plan(estate(subject, registry(abac=True), clusters=nodes, held=held), terms())
        assert granted(made) == set()
        assert len(plan(estate(subject, registry(abac=True), clusters=nodes), terms()).grants) == 2

    def test_an_endpoint_that_is_limited_keeps_no_computes_apart(self) -> None:
        subject = workspace(
            cluster("a", N), cluster("b", S), endpoint("serve", W), registry=None, storage_by_identity=True
        )
        held = [assigned(N, READER, STORAGE), assigned(W, READER, container(STORAGE, "a"))]
        assert (S.label, READER, "store") in granted(plan(estate(subject, held=held), terms()))

    @pytest.mark.parametrize("apart", [True, False])
    def test_a_spark_job_opens_no_other_teams_store(self, apart: bool) -> None:
        """Whoever may submit a job names any datastore in it."""
        pool = compute("pool", ComputeType.SYNAPSE_SPARK, N)
        body = {
            "jobType": "Spark",
            "computeId": str(pool.id),
            "inputs": {"in": {"uri": "azureml://datastores/data_south/paths/a"}},
        }
        subject = workspace(pool, cluster("b", S), store(NORTH), store(SOUTH), registry=None, storage=None)
        held = [assigned(N, WRITER, NORTH), assigned(S, WRITER, SOUTH)] if apart else []
        jobs = {Want(WORKSPACE, "jobs", pages=1): ({"properties": body},)}
        made = plan(estate(subject, held=held, facts=jobs), terms(on=["AML-89"], allow=(GROUP,)))
        asked_for = {(N.label, "Contributor", "south"), (N.label, WRITER, "south")}
        assert (asked_for & granted(made)) == (set() if apart else asked_for)

    def test_nor_does_one_as_the_workspaces_own_identity(self) -> None:
        me = uai("spark")
        body = {
            "jobType": "Spark",
            "identity": {"identityType": "Managed"},
            "inputs": {"in": {"uri": "azureml://datastores/data_south/paths/a"}},
        }
        subject = workspace(
            cluster("a", N), cluster("b", S), store(NORTH), store(SOUTH), registry=None, storage=None,
            identity=identity(me), primary=me.resource,
        )  # fmt: skip
        held = [assigned(N, WRITER, NORTH), assigned(S, WRITER, SOUTH)]
        jobs = {Want(WORKSPACE, "jobs", pages=1): ({"properties": body},)}
        made = plan(estate(subject, held=held, facts=jobs), terms(on=["AML-89"], allow=(GROUP,)))
        assert {one for one in granted(made) if one[2] == "south"} == set()

    def test_an_image_of_a_teams_registry(self) -> None:
        a, b = registry_id("teama"), registry_id("teamb")
        subject = workspace(cluster("a", N), cluster("b", S), connection("a", a), registry=None, storage=None)
        environments = ({"id": f"{WORKSPACE}/environments/e", "properties": {"latestVersion": "1"}},)
        version = WORKSPACE.child("environments", "e", "versions", "1")
        facts = {
            Want(WORKSPACE, "environments"): environments,
            Want(version): {"id": str(version), "properties": {"image": "teama.azurecr.io/app:1"}},
        }
        each = [assigned(N, self.REPOSITORIES, a, condition="x"), assigned(S, self.REPOSITORIES, a, condition="y")]
        parts = (registry(a, abac=True), registry(b))
        made = plan(estate(subject, *parts, held=each, facts=facts), terms(allow=(GROUP,)))
        assert granted(made) == set()
        assert len(plan(estate(subject, *parts, facts=facts), terms(allow=(GROUP,))).grants) == 2


class TestKeysOfAnAccount:
    """Contributor of a storage account reads its keys, and with them everything."""

    JOB: ClassVar[dict[str, Any]] = {
        "jobType": "Spark",
        "computeId": f"{WORKSPACE}/computes/pool",
        "inputs": {"in": {"uri": "azureml://datastores/data_north/paths/a"}},
    }

    def planned(self, *held: RoleAssignment) -> Plan:
        pool = compute("pool", ComputeType.SYNAPSE_SPARK, N)
        subject = workspace(pool, store(NORTH), registry=None, storage=None)
        jobs = {Want(WORKSPACE, "jobs", pages=1): ({"properties": self.JOB},)}
        return plan(estate(subject, held=held, facts=jobs), terms(on=["AML-89"], allow=(GROUP,)))

    def test_are_not_given_to_whom_people_let_at_a_container_only(self) -> None:
        made = self.planned(assigned(N, WRITER, container(NORTH, "other")))
        assert granted(made) == set()
        assert guards(made) == {"limited-by-people"}

    def test_nor_is_the_rest_of_the_account_to_whom_holds_the_container_of_the_datastore(self) -> None:
        made = self.planned(assigned(N, WRITER, container(NORTH, "data")))
        assert granted(made) == set()
        assert {one.action.need.name for one in made.withheld if isinstance(one.action, Grant)} == {
            "control the storage account"
        }

    def test_are_given_where_nobody_limits_it(self) -> None:
        assert granted(self.planned()) == {(N.label, "Contributor", "north"), (N.label, WRITER, "north")}


def test_the_decision_record_speaks_of_every_rule_that_grants() -> None:
    """A new rule says in its entry whether it could level what people keep apart; the record says why."""
    record = Path(__file__).parents[3] / "docs" / "adr" / "0028-what-people-keep-apart.md"
    rows = [line.split("|") for line in record.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    said = {name: row[3] for row in rows for name in re.findall(r"`([a-z-]+)`", row[1])}
    assert [rule.name for rule in RULES if rule.grants and rule.keeps_apart is None] == []
    assert said
    assert said.keys() <= {rule.name for rule in RULES}
    apart = {rule.name for rule in RULES if rule.keeps_apart and rule.name in said}
    assert apart == {name for name, so in said.items() if "kept apart" in so and name != "base-image-identity"} | {
        name for name, so in said.items() if "look twice" in so
    }


def test_what_they_hold_through_groups_is_read_before_it_is_decided() -> None:
    """A list of the resource group shows what is assigned to them by name only."""
    subject = workspace(cluster("a", N), cluster("b", S), store(NORTH), store(SOUTH), registry=None, storage=None)
    seen = estate(subject, registry(REGISTRY), held=[assigned(N, READER, NORTH), assigned(N, READER, SOUTH)])
    partial = {one.id: replace(seen.access[one.id], partial=True) for one in (N, S)}
    asked = [ask_rules(subject, seen, terms())]
    assert unknown_holders(asked, seen, terms()) == set()
    assert unknown_holders(asked, replace(seen, access={**seen.access, **partial}), terms()) == {N.id, S.id}
    all_held = [assigned(one, READER, where) for one in (N, S) for where in (NORTH, SOUTH)]
    seen = estate(subject, held=all_held)
    partial = {one.id: replace(seen.access[one.id], partial=True) for one in (N, S)}
    assert unknown_holders(asked, replace(seen, access={**seen.access, **partial}), terms()) == set()
