"""The rule table: what it says, what no rule may ever grant, and for each rule where it acts and where it does not."""

import re
from collections.abc import Sequence
from datetime import timedelta
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from unit.build import (
    CLUSTER,
    FOREIGN,
    GROUP,
    INSIGHTS,
    LONG_AGO,
    REGISTRY,
    ROLES,
    STORAGE,
    VAULT,
    WORKSPACE,
    cluster,
    compute,
    connection,
    container_group,
    datastore,
    endpoint,
    estate,
    guid,
    identity,
    registry,
    registry_id,
    resource,
    sai,
    uai,
    uai_workspace,
    vault,
    workspace,
)

from shared.access.ask_rules import asks_of
from shared.access.asks import (
    Cover,
    Finding,
    NotReady,
    Objection,
    Property,
    RegistryUser,
    RequiredGrant,
    RequiredSetting,
    Stamped,
    UserKind,
)
from shared.access.condition import assignable
from shared.access.model import ComputeType, Estate, Principal
from shared.access.needs import ASSIGN_IDENTITY, VAULT_PERMISSIONS
from shared.access.permissions import Permission
from shared.access.preferences import Preferences, Serverless
from shared.access.rules import RULES, Rule, RuleKind
from shared.access.terms import Terms

RULE = {rule.name: rule for rule in RULES}


def test_the_table_is_what_is_on_record() -> None:
    """docs/rules.md is committed, and its diff shows what a change does: names, AML-ids, modes and roles."""
    page = (Path(__file__).parents[4] / "docs" / "rules.md").read_text(encoding="utf-8")
    on_record = re.findall(r"^\| \[(.+?)\]\(#.+?\) \| (.+?) \| (\S+) \|", page, re.MULTILINE)
    assert on_record == [(r.name, ", ".join(r.requirements) or "–", str(r.mode)) for r in RULES]
    for rule, section in zip(RULES, page.split("\n## ")[-len(RULES) :], strict=True):
        roles = dict.fromkeys(re.findall(r"Grants: \*\*(.+?)\*\*", section))
        assert list(roles) == list(dict.fromkeys(need.role_name for need in rule.grants)), rule.name


def test_the_requirements_of_the_issue_are_all_named() -> None:
    named = {r for rule in RULES for r in (*rule.requirements, *rule.also)}
    numbers = [*range(3, 11), 15, 16, 18, 19, 20, 21, 22, 23, 28, 30, 32, 42, 70, 71, 72, 73, 74]
    assert {f"AML-{number:02}" for number in numbers} <= named


def test_names_are_unique_and_every_rule_has_its_documentation() -> None:
    assert len(RULE) == len(RULES)
    for rule in RULES:
        assert rule.source.startswith("learn.microsoft.com/")
        assert rule.title.endswith(".")
        assert rule.acts
        assert rule.leaves
        assert rule.watches or rule.mode is RuleKind.AUDIT


# Powers that no role of the table may give, whatever the policy says.
POWERS = (
    "Microsoft.Authorization/roleAssignments/write",
    "Microsoft.Authorization/roleAssignments/delete",
    "Microsoft.Authorization/roleDefinitions/write",
    "Microsoft.Authorization/denyAssignments/delete",
    "Microsoft.Authorization/locks/delete",
    "Microsoft.Authorization/policyAssignments/write",
    "Microsoft.Authorization/elevateAccess/action",
    "Microsoft.Resources/deploymentStacks/manageDenySetting/action",
)
NAME = attrgetter("name")
GRANTED = {need for rule in RULES for need in rule.grants}


@pytest.mark.parametrize("need", sorted(GRANTED, key=NAME), ids=NAME)
def test_no_role_of_the_table_can_hand_on_access(need: Any) -> None:
    assert need.role_name not in {
        "Owner",
        "User Access Administrator",
        "Role Based Access Control Administrator",
        "Key Vault Data Access Administrator",
        "Managed Identity Contributor",
    }
    for block in ROLES[need.role_name].permissions:
        assert not [power for power in POWERS if block.allows(Permission(power))]


@pytest.mark.parametrize("need", sorted(GRANTED, key=NAME), ids=NAME)
def test_each_role_is_azures_own_and_gives_what_is_needed(need: Any) -> None:
    role = ROLES[need.role_name]
    assert role.role_id == need.role_id
    for permission in need.permissions:
        assert any(block.allows(permission) for block in role.permissions)


def test_broad_roles_wait_for_the_policy_to_turn_their_rule_on() -> None:
    for rule in RULES:
        if any(need.broad for need in rule.grants):
            assert rule.mode is RuleKind.OPT_IN
    broad = {
        "Contributor",
        "Key Vault Administrator",
        "AzureML Data Scientist",
        "Azure AI Enterprise Network Connection Approver",
        "Kubernetes Extension Contributor",
        "Azure Kubernetes Service Cluster Admin Role",
        "Azure Relay Owner",
        "AzureML Registry User",
    }
    assert {need.role_name for need in GRANTED if need.broad} == broad
    assert not {need.role_name for need in GRANTED if not need.broad} & broad


def test_identities_are_handed_on_only_where_the_policy_allows_it() -> None:
    """Whoever is Managed Identity Operator can act as the identity: nothing but the allow-list leads there (AML-26)."""
    rules = [rule for rule in RULES if ASSIGN_IDENTITY in rule.grants]
    assert [rule.name for rule in rules] == ["base-image-identity"]
    assert all(rule.allow_listed for rule in rules)
    assert ASSIGN_IDENTITY not in assignable(Terms(table=RULES))
    assert ASSIGN_IDENTITY in assignable(Terms(table=RULES, allow=(GROUP,)))


def test_a_role_that_is_granted_by_default_can_write_no_registry_workspace_or_vault() -> None:
    default = {need for rule in RULES if rule.mode is RuleKind.FIX for need in rule.grants}
    for need in default:
        for block in ROLES[need.role_name].permissions:
            for kind in (
                "ContainerRegistry/registries",
                "MachineLearningServices/workspaces",
                "KeyVault/vaults",
                "ManagedIdentity/userAssignedIdentities",
            ):
                assert not block.allows(Permission(f"Microsoft.{kind}/write"))
                assert not block.allows(Permission(f"Microsoft.{kind}/write", data=True))


def asks(name: str, seen: Estate) -> Sequence[Stamped]:
    return list(asks_of(RULE[name], seen.subject, seen))


def grants(name: str, seen: Estate) -> set[tuple[str, str, str]]:
    return {
        (a.principal.label, a.need.role_name, a.scope.name) for a in asks(name, seen) if isinstance(a, RequiredGrant)
    }


C1, ID, EP = sai("mlw/computes/cpu1"), uai("uami"), uai("infer-id")
KUBELET = Principal(guid("kubelet"), "kubelet", CLUSTER)
AKS = compute("aks", ComputeType.AKS, attached=CLUSTER)
ON = registry(admin_user=True)
K8S = compute("k8s", ComputeType.KUBERNETES, attached=CLUSTER)
ARC = resource("Microsoft.Kubernetes/connectedClusters", "arc")
BUILDS_ON_C2 = {"properties": {"imageBuildCompute": "cpu2"}}
CUSTOMER_PROVIDED = resource("Microsoft.Storage/storageAccounts", "theirs", FOREIGN)

# rule: (estates in which it asks, estates in which it does not)
CASES: dict[str, tuple[list[Estate], list[Estate]]] = {
    "workspace-control": ([estate(uai_workspace())], [estate(workspace())]),
    "workspace-storage": (
        [estate(uai_workspace()), estate(workspace(storage=CUSTOMER_PROVIDED))],
        [estate(workspace()), estate(uai_workspace(storage=None)), estate(workspace(identity=identity()))],
    ),
    "workspace-blobs": (
        [estate(uai_workspace()), estate(workspace(storage=CUSTOMER_PROVIDED))],
        [estate(workspace()), estate(uai_workspace(storage=None))],
    ),
    "workspace-vault": (
        [estate(uai_workspace(), vault(rbac=True))],
        [estate(uai_workspace(), vault(rbac=False)), estate(uai_workspace()), estate(workspace(vault=VAULT))],
    ),
    "workspace-vault-policies": (
        [estate(uai_workspace(), vault(rbac=False))],
        [estate(uai_workspace(), vault(rbac=True)), estate(workspace(vault=VAULT), vault(rbac=False))],
    ),
    "workspace-registry": (
        [estate(uai_workspace()), estate(workspace(registry=registry_id("theirs", FOREIGN)))],
        [estate(workspace()), estate(uai_workspace(registry=None))],
    ),
    "workspace-insights": ([estate(uai_workspace())], [estate(workspace(app_insights=INSIGHTS))]),
    "compute-pull": (
        [
            estate(workspace(cluster("cpu1", C1))),
            estate(workspace(cluster("cpu1", ID))),
            estate(workspace(compute("ci1", ComputeType.COMPUTE_INSTANCE, C1))),
        ],
        [
            estate(workspace(cluster("cpu1", C1), registry=None)),
            estate(workspace(cluster("cpu1"))),
            estate(workspace(compute("k8s", ComputeType.KUBERNETES, C1))),
            estate(workspace(compute("vm", ComputeType.VIRTUAL_MACHINE, C1))),
        ],
    ),
    "kubernetes-pull": (
        [estate(workspace(compute("k8s", ComputeType.KUBERNETES, C1)))],
        [estate(workspace(compute("k8s", ComputeType.KUBERNETES))), estate(workspace(cluster("cpu1", C1)))],
    ),
    "aks-pull": (
        [estate(workspace(AKS), clusters={CLUSTER: KUBELET})],
        [estate(workspace(AKS)), estate(workspace(AKS, registry=None), clusters={CLUSTER: KUBELET})],
    ),
    "endpoint-pull": (
        [estate(workspace(endpoint("serve", EP))), estate(workspace(endpoint("serve", sai("serve"))))],
        [estate(workspace()), estate(workspace(endpoint("serve", EP), registry=None))],
    ),
    "compute-identity": (
        [
            estate(workspace(cluster("cpu1")), registry()),
            estate(workspace(compute("k8s", ComputeType.KUBERNETES)), registry()),
            estate(workspace(AKS), registry()),
            estate(workspace(compute("vm", ComputeType.VIRTUAL_MACHINE)), registry()),
            estate(workspace(compute("new", ComputeType.UNKNOWN)), registry()),
        ],
        [
            estate(workspace(cluster("cpu1", C1)), registry()),
            estate(workspace(cluster("cpu1"), registry=None)),
            estate(workspace(compute("dbr", ComputeType.DATABRICKS)), registry()),
            estate(workspace(AKS), registry(), clusters={CLUSTER: KUBELET}),
        ],
    ),
    "private-registry-pull": (
        [estate(workspace(cluster("cpu1", C1), connection("private", registry_id("private", FOREIGN))))],
        [
            estate(workspace(cluster("cpu1", C1), connection("own", REGISTRY))),
            estate(workspace(cluster("cpu1", C1))),
            estate(workspace(cluster("cpu1"), connection("private", registry_id("private", FOREIGN)))),
        ],
    ),
    "serverless-pull": (
        [estate(workspace(serverless=True))],
        [
            estate(workspace()),
            estate(workspace(serverless=True, registry=None)),
            estate(uai_workspace(serverless=True)),
            estate(workspace(serverless=True), preferences=Preferences(serverless=Serverless.NEVER)),
        ],
    ),
    "serverless-jobs-pull": (
        [
            estate(uai_workspace(serverless=True)),
            estate(uai_workspace(), preferences=Preferences(serverless=Serverless.ALWAYS)),
        ],
        [
            estate(uai_workspace()),
            estate(workspace(serverless=True)),
            estate(uai_workspace(serverless=True), preferences=Preferences(serverless=Serverless.NEVER)),
        ],
    ),
    "kubelet-pull": (
        [estate(workspace(K8S), clusters={CLUSTER: KUBELET})],
        [
            estate(workspace(compute("arc", ComputeType.KUBERNETES, attached=ARC)), clusters={ARC: KUBELET}),
            estate(workspace(K8S, registry=None), clusters={CLUSTER: KUBELET}),
            estate(workspace(AKS), clusters={CLUSTER: KUBELET}),
        ],
    ),
    "kubelet-identity": (
        [estate(workspace(K8S))],
        [
            estate(workspace(K8S), clusters={CLUSTER: KUBELET}),
            estate(workspace(K8S), missing=[CLUSTER]),
            estate(workspace(compute("arc", ComputeType.KUBERNETES, attached=ARC))),
        ],
    ),
    "image-builder": (
        [estate(workspace(), registry()), estate(uai_workspace(), registry())],
        [estate(workspace()), estate(workspace(identity=identity()), registry())],
    ),
    "uncovered-builder": (
        [
            estate(workspace(identity=identity()), registry()),
            estate(workspace(cluster("cpu1", C1), raw=BUILDS_ON_C2), registry()),
            estate(workspace(cluster("CPU2"), raw=BUILDS_ON_C2), registry()),
        ],
        [
            estate(workspace(), registry()),
            estate(workspace(cluster("CPU2", C1), raw=BUILDS_ON_C2), registry()),
            estate(workspace(identity=identity())),
        ],
    ),
    "compute-reads-blobs": (
        [
            estate(workspace(cluster("cpu1", C1), storage_by_identity=True)),
            estate(workspace(cluster("cpu1", C1), datastore("d"))),
            estate(workspace(cluster("cpu1", C1), datastore("d", "STORE", type="azuredatalakegen2"))),
        ],
        [
            estate(workspace(cluster("cpu1", C1))),
            estate(workspace(cluster("cpu1"), datastore("d"))),
            estate(workspace(cluster("cpu1", C1), datastore("d", identity_based=False))),
            estate(workspace(cluster("cpu1", C1), datastore("d", "elsewhere"))),
            estate(workspace(cluster("cpu1", C1), datastore("files", type="azurefile"))),
            estate(workspace(cluster("cpu1", C1), datastore("d"), storage=None)),
        ],
    ),
    "endpoint-reads-blobs": (
        [estate(workspace(endpoint("serve", EP)))],
        [estate(workspace(endpoint("serve"))), estate(workspace(endpoint("serve", EP), storage=None))],
    ),
    "endpoint-writes-metrics": ([estate(workspace(endpoint("serve", EP)))], [estate(workspace(endpoint("serve")))]),
    "data-isolation": ([estate(workspace(data_isolation=True))], [estate(workspace())]),
    "registry-admin-user": (
        [estate(workspace(), registry(admin_user=True))],
        [estate(workspace(), registry()), estate(workspace()), estate(workspace(registry=None))],
    ),
    "workspace-cached-keys": (
        [estate(workspace(), registry(admin_user=True))],
        [estate(workspace(), registry()), estate(workspace())],
    ),
    "container-instances": (
        [
            estate(workspace(), ON, container_group("g", "acrml.azurecr.io")),
            estate(workspace(), registry(login_server=None, admin_user=True), container_group("g", "acrml.azurecr.cn")),
            estate(workspace(compute("aci", ComputeType.CONTAINER_INSTANCE)), ON),
        ],
        [
            estate(workspace(), ON, container_group("g", "acrml2.azurecr.io", "xacr.azurecr.io")),
            estate(workspace(), registry(), container_group("g", "acrml.azurecr.io")),
            estate(workspace(), ON),
            estate(workspace(), container_group("g", "acrml.azurecr.io")),
        ],
    ),
    "compute-identity-kinds": (
        [estate(workspace(cluster("cpu1", C1, ID)))],
        [estate(workspace(cluster("cpu1", ID, EP))), estate(workspace(cluster("cpu1", C1)))],
    ),
}


def test_every_rule_has_its_cases() -> None:
    """Of the rules that came first; all have theirs in `tests/catalogue`."""
    assert CASES.keys() <= RULE.keys()


@pytest.mark.parametrize("name", CASES)
def test_where_a_rule_asks(name: str) -> None:
    for seen in CASES[name][0]:
        assert asks(name, seen)


@pytest.mark.parametrize("name", CASES)
def test_where_a_rule_is_silent(name: str) -> None:
    for seen in CASES[name][1]:
        assert not asks(name, seen)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_asks_for_no_more_than_its_entry_says(rule: Rule) -> None:
    for seen in (one for cases in CASES.values() for one in (*cases[0], *cases[1])):
        for ask in asks_of(rule, seen.subject, seen):
            if isinstance(ask, RequiredGrant | RequiredSetting | Finding):
                # endpoint-writes-metrics belongs to AML-42, which must not turn it on
                assert set(ask.requirements) <= {*rule.requirements, *rule.also, "AML-42"}
            if isinstance(ask, RequiredGrant) and rule.mode in (RuleKind.FIX, RuleKind.OPT_IN):
                assert ask.need in rule.grants


class TestWhatTheyAskFor:
    def test_a_workspace_with_its_own_identity_needs_contributor_on_each_dependency(self) -> None:
        seen = estate(uai_workspace(), vault(rbac=True))
        assert {rule for name in RULE if name.startswith("workspace-") for rule in grants(name, seen)} == {
            ("mlw-id", "Contributor", "mlw"),
            ("mlw-id", "Contributor", "store"),
            ("mlw-id", "Storage Blob Data Contributor", "store"),
            ("mlw-id", "Contributor", "kvml"),
            ("mlw-id", "Key Vault Administrator", "kvml"),
            ("mlw-id", "Contributor", "acrml"),
            ("mlw-id", "Contributor", "appi"),
        }

    def test_only_what_a_system_assigned_workspace_brought_along_is_granted_by_nobody(self) -> None:
        seen = estate(workspace(storage=CUSTOMER_PROVIDED))
        assert grants("workspace-blobs", seen) == {("mlw", "Storage Blob Data Contributor", "theirs")}
        assert not grants("workspace-registry", seen)

    def test_which_of_several_identities_is_meant_is_not_guessed(self) -> None:
        unclear = estate(uai_workspace(identity=identity(uai("a"), uai("b")), primary=None))
        assert not grants("workspace-blobs", unclear)
        named = estate(uai_workspace(identity=identity(uai("a"), uai("b")), primary=uai("b").resource))
        assert grants("workspace-blobs", named) == {("b", "Storage Blob Data Contributor", "store")}
        gone = estate(uai_workspace(identity=identity(uai("a")), primary=uai("b").resource))
        assert not grants("workspace-blobs", gone)

    def test_a_vault_with_access_policies_gets_one_for_everything_but_purge(self) -> None:
        seen = estate(uai_workspace(), vault(rbac=False))
        (setting,) = (a for a in asks("workspace-vault-policies", seen) if isinstance(a, RequiredSetting))
        assert (setting.name, setting.resource) == (Property.ACCESS_POLICY, VAULT)
        assert setting.principal is not None
        assert setting.principal.label == "mlw-id"
        complete = vault(rbac=False, policies={uai("mlw-id").id: VAULT_PERMISSIONS})
        assert not any(
            isinstance(a, RequiredSetting) for a in asks("workspace-vault-policies", estate(uai_workspace(), complete))
        )
        assert not {p for p in VAULT_PERMISSIONS if p.endswith("/purge")}

    def test_a_vault_that_takes_no_more_policies_is_a_finding_of_that_requirement(self) -> None:
        found = asks("workspace-vault-policies", estate(uai_workspace(), vault(rbac=False, full=True)))
        (one,) = (ask for ask in found if isinstance(ask, Finding))
        assert (one.resource, one.requirements) == (VAULT, ("AML-07", "AML-10"))
        assert not any(isinstance(ask, RequiredSetting) for ask in found)

    def test_the_default_identity_pulls(self) -> None:
        assert grants("compute-pull", estate(workspace(cluster("cpu1", C1, ID)))) == {(C1.label, "AcrPull", "acrml")}
        assert grants("compute-pull", estate(workspace(cluster("cpu1", ID, EP)))) == {("uami", "AcrPull", "acrml")}

    @pytest.mark.parametrize(
        ("rule", "one"),
        [
            ("compute-pull", workspace(cluster("cpu1", C1))),
            ("kubernetes-pull", workspace(compute("k8s", ComputeType.KUBERNETES, C1))),
            ("aks-pull", workspace(AKS)),
            ("endpoint-pull", workspace(endpoint("serve", EP))),
            ("kubelet-pull", workspace(K8S)),
            ("serverless-jobs-pull", uai_workspace(serverless=True)),
        ],
    )
    def test_a_registry_in_abac_mode_wants_repository_reader_whoever_pulls(self, rule: str, one: Any) -> None:
        for abac, role in ((False, "AcrPull"), (True, "Container Registry Repository Reader")):
            seen = estate(one, registry(abac=abac), clusters={CLUSTER: KUBELET})
            assert {found[1] for found in grants(rule, seen)} == {role}
            (ask,) = (a for a in asks(rule, seen) if isinstance(a, RequiredGrant))
            assert ("AML-70" in ask.requirements) is abac

    @pytest.mark.parametrize(
        ("registry_age", "compute_age", "ids"),
        [(2, 1, ("AML-18",)), (1, 2, ("AML-19",)), (1, 1, ("AML-18",)), (None, 1, ("AML-18", "AML-19"))],
    )
    def test_the_age_decides_whether_aml_should_have_granted_it(
        self, registry_age: int | None, compute_age: int, ids: tuple[str, ...]
    ) -> None:
        made = LONG_AGO - timedelta(days=registry_age) if registry_age else None
        one = cluster("cpu1", C1, created_on=LONG_AGO - timedelta(days=compute_age))
        (ask,) = asks("compute-pull", estate(workspace(one), registry(created_on=made)))
        assert isinstance(ask, RequiredGrant)
        assert ask.requirements == ids

    @pytest.mark.parametrize(
        ("where", "registry_age", "workspace_age", "ids"),
        [
            (GROUP, 1, 2, ("AML-21",)),
            (GROUP, 2, 1, ("AML-22",)),
            (FOREIGN, 1, 2, ("AML-22",)),
            (GROUP, None, 1, ("AML-21", "AML-22")),
        ],
    )
    def test_whose_registry_it_is(
        self, where: Any, registry_age: int | None, workspace_age: int, ids: tuple[str, ...]
    ) -> None:
        scope = registry_id("acrml", where)
        made = LONG_AGO - timedelta(days=registry_age) if registry_age else None
        one = workspace(registry=scope, created_on=LONG_AGO - timedelta(days=workspace_age))
        (ask,) = asks("registry-admin-user", estate(one, registry(scope, admin_user=True, created_on=made)))
        assert isinstance(ask, RequiredSetting)
        assert ask.requirements == ids

    def test_a_compute_that_cannot_pull_otherwise_keeps_the_admin_user_on(self) -> None:
        for one in (
            cluster("cpu1"),
            compute("ci1", ComputeType.COMPUTE_INSTANCE),
            compute("k8s", ComputeType.KUBERNETES),
            AKS,
            compute("vm", ComputeType.VIRTUAL_MACHINE, C1),
            compute("hd", ComputeType.HD_INSIGHT),
            compute("new", ComputeType.UNKNOWN, C1),
        ):
            (ask,) = asks("compute-identity", estate(workspace(one), registry(admin_user=True)))
            assert isinstance(ask, RegistryUser)
            assert (ask.registry, ask.resource) == (REGISTRY, one.id)
            assert ask.cover is not Cover.COVERED
            assert one.id.name in ask.reason

    def test_of_nodes_whose_identity_is_not_known_nobody_can_tell_whether_they_pull(self) -> None:
        (user, found) = asks("kubelet-identity", estate(workspace(K8S), registry(admin_user=True)))
        assert isinstance(user, RegistryUser)
        assert (user.kind, user.cover, user.resource) == (UserKind.KUBELET, Cover.UNKNOWN, K8S.id)
        assert isinstance(found, Finding)

    def test_a_compute_without_identity_is_found_only_when_the_admin_user_is_off(self) -> None:
        off = asks("compute-identity", estate(workspace(cluster("cpu1")), registry()))
        unknown = asks("compute-identity", estate(workspace(cluster("cpu1"))))
        assert [type(ask) for ask in off] == [RegistryUser, Finding]
        assert [type(ask) for ask in unknown] == [RegistryUser]
        for other in (AKS, compute("new", ComputeType.UNKNOWN), compute("vm", ComputeType.VIRTUAL_MACHINE)):
            found = asks("compute-identity", estate(workspace(other), registry()))
            assert [type(ask) for ask in found] == [RegistryUser], "it may pull in a way that amlguard does not know"

    def test_a_compute_or_endpoint_that_is_being_made_is_waited_for(self) -> None:
        making = workspace(cluster("cpu1", ready=False), endpoint("serve", ready=False))
        assert [type(a) for a in asks("compute-identity", estate(making, registry()))] == [NotReady]
        assert [type(a) for a in asks("endpoint-pull", estate(making, registry()))] == [NotReady]
        born = estate(workspace(identity=identity(), ready=False))
        assert [type(a) for a in asks("workspace-control", born)] == [NotReady]

    def test_an_endpoint_whose_identity_is_not_known_keeps_the_admin_user_on(self) -> None:
        (ask,) = asks("endpoint-pull", estate(workspace(endpoint("serve")), registry(admin_user=True)))
        assert isinstance(ask, RegistryUser)
        assert (ask.registry, ask.cover) == (REGISTRY, Cover.UNKNOWN)

    def test_serverless_pulls_as_the_workspaces_own_identity_or_as_the_admin_user(self) -> None:
        with_uai = asks("serverless-jobs-pull", estate(uai_workspace(serverless=True)))
        without = asks("serverless-pull", estate(workspace(serverless=True)))
        assert [type(ask) for ask in with_uai] == [RequiredGrant]
        assert [type(ask) for ask in without] == [RegistryUser]
        (found,) = asks("serverless-identity", estate(workspace(serverless=True)))
        assert isinstance(found, Finding)
        assert not asks("serverless-identity", estate(uai_workspace(serverless=True)))

    def test_data_isolation_objects_to_every_grant_on_the_storage(self) -> None:
        (ask,) = asks("data-isolation", estate(workspace(data_isolation=True)))
        assert isinstance(ask, Objection)
        assert (ask.target, ask.setting, ask.principal) == (STORAGE, None, None)

    def test_the_workspace_is_the_one_that_is_resynced(self) -> None:
        (ask,) = asks("workspace-cached-keys", estate(workspace(), registry(admin_user=True)))
        assert isinstance(ask, RequiredSetting)
        assert (ask.resource, ask.name) == (WORKSPACE, Property.CACHED_KEYS)
