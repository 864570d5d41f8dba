"""Identities, vaults, connections and builds: truth tables, and that no advice of ours takes an identity away."""

import json
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from unit.build import (
    GROUP,
    OTHER_SUBSCRIPTION,
    REGISTRY,
    SUBSCRIPTION,
    VAULT,
    WORKSPACE,
    assigned,
    cluster,
    compute,
    estate,
    guid,
    identity,
    identity_id,
    registry,
    registry_id,
    resource,
    sai,
    terms,
    uai,
    workspace,
    workspace_id,
)

from shared.access import connections
from shared.access.ask_rules import asks_of
from shared.access.asks import Cover, Finding, Objection, Property, RegistryUser, RequiredGrant, Stamped
from shared.access.model import Compute, ComputeType, Datastore, Estate, Fact, Principal, Unreadable, Want, Workspace
from shared.access.plan import plan
from shared.access.rules import RULES, builds
from shared.access.rules.identity_change import attached, update_compute, update_workspace
from shared.access.scope import Scope

RULE = {rule.name: rule for rule in RULES}
ONE, TWO = uai("one"), uai("two")
KEPT = [str(ONE.resource), str(TWO.resource)]


def asks(name: str, seen: Estate) -> list[Stamped]:
    return list(asks_of(RULE[name], seen.subject, seen))


def with_facts(seen: Estate, facts: dict[Want, Fact]) -> Estate:
    return replace(seen, facts={**seen.facts, **facts})


def both(*system: Principal) -> Workspace:
    return workspace(identity=identity(*system, ONE, TWO))


class TestAdviceOnIdentities:
    @pytest.mark.parametrize("own", [(), (sai("mlw"),)], ids=["without a system one", "with a system one"])
    def test_an_update_of_a_workspace_names_what_it_has_and_what_comes(self, own: tuple[Principal, ...]) -> None:
        command = shlex.split(update_workspace(both(*own), "NEW", primary="NEW").strip("`"))
        body = json.loads(command[command.index("--body") + 1])
        assert list(body["identity"]["userAssignedIdentities"]) == [*KEPT, "NEW"]
        assert body["identity"]["type"] == ("SystemAssigned,UserAssigned" if own else "UserAssigned")
        assert body["properties"] == {"primaryUserAssignedIdentity": "NEW"}

    def test_an_update_of_a_workspace_without_any_gives_it_its_own(self) -> None:
        command = shlex.split(update_workspace(workspace(identity=identity())).strip("`"))
        assert json.loads(command[command.index("--body") + 1]) == {"identity": {"type": "SystemAssigned"}}

    def test_an_identity_without_object_id_is_named_as_well(self) -> None:
        gone = replace(identity(ONE), unresolved=(identity_id("two"),))
        assert attached(gone) == KEPT

    def test_one_that_is_attached_already_is_named_once(self) -> None:
        assert attached(identity(ONE, TWO), KEPT[0].upper()) == KEPT

    def test_an_update_of_a_compute_names_them_all(self) -> None:
        command = update_compute(cluster("cpu1", sai("cpu1"), ONE, TWO))
        assert command.endswith(f"--identity-type UserAssigned --user-assigned-identities {','.join(KEPT)}`")
        assert update_compute(cluster("cpu1")).endswith("--identity-type SystemAssigned`")


def _everything_wrong() -> Iterator[Estate]:
    """States in which our remedies touch the identities of a workspace or a cluster."""
    third = identity_id("three")
    wrong = cluster("cpu1", sai("cpu1"), ONE, TWO)
    yield estate(workspace(wrong, identity=identity(ONE, TWO), primary=third, serverless=True), registry())
    yield estate(workspace(wrong, identity=identity(ONE, TWO), serverless=True), registry(admin_user=True))
    yield estate(workspace(wrong, identity=identity(sai("mlw"), ONE, TWO), primary=third, serverless=True), registry())


def test_no_remedy_of_any_rule_leaves_an_identity_out() -> None:
    """AML-02 and AML-11, held against every rule."""
    touching = [
        one
        for seen in _everything_wrong()
        for rule in RULES
        for one in asks_of(rule, seen.subject, seen)
        if isinstance(one, Finding) and ('"identity"' in one.remedy or "--identity-type" in one.remedy)
    ]
    assert {one.rule for one in touching} >= {"workspace-primary-identity", "compute-identity-kinds"}
    for one in touching:
        assert all(each in one.remedy for each in KEPT), one.rule


@pytest.mark.parametrize("name", ["workspace-identity-one-way", "workspace-identities-resent"])
def test_guards_object_to_a_change_of_identities(name: str) -> None:
    (one,) = asks(name, estate(both()))
    assert isinstance(one, Objection)
    assert (one.target, one.setting) == (WORKSPACE, Property.IDENTITY)
    assert WORKSPACE.name in one.reason
    assert asks(name, estate(workspace())) == []


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ({"identity": {"type": "SystemAssigned"}}, True),
        ({"properties": {"servicePrincipalProfile": {"clientId": "MSI"}}}, True),
        ({"properties": {"servicePrincipalProfile": {"clientId": guid("a principal")}}}, False),
        ({"identity": {"type": "None"}}, False),
    ],
)
def test_a_cluster_says_in_two_places_that_it_has_a_managed_identity(told: dict[str, Any], found: bool) -> None:
    where = resource("Microsoft.ContainerService/managedClusters", "aks")
    subject = workspace(Compute(WORKSPACE.child("computes", "aks"), ComputeType.AKS, "AKS", identity(), attached=where))
    seen = with_facts(estate(subject), {Want(where): told})
    assert bool(asks("aks-service-principal", seen)) is found


NEITHER = replace(identity(sai("mlw"), ONE), unresolved=(identity_id("two"),))


@pytest.mark.parametrize(
    ("subject", "found"),
    [
        (workspace(), False),
        (workspace(identity=identity(ONE)), False),
        (workspace(identity=identity(ONE, TWO), primary=TWO.resource), False),
        (workspace(identity=identity(sai("mlw"), ONE, TWO)), False),
        (workspace(identity=identity(ONE, TWO)), True),
        (workspace(identity=identity(ONE, TWO), primary=identity_id("three")), True),
        (workspace(primary=identity_id("three")), True),
        (workspace(identity=NEITHER, primary=identity_id("two")), True),
        (workspace(identity=NEITHER, primary=ONE.resource), False),
    ],
)
def test_the_primary_identity_is_one_of_those_attached(subject: Workspace, found: bool) -> None:
    assert bool(asks("workspace-primary-identity", estate(subject))) is found


class TestWhoAttachedAnIdentity:
    JANE = Principal(guid("jane"), "whoever made the change", type="")

    def seen(self, changed: Scope | None, *held: Any) -> Estate:
        subject = workspace(cluster("cpu1", TWO), identity=identity(ONE))
        mine = estate(subject, held=held)
        known = {**mine.access, self.JANE.id: replace(next(iter(mine.access.values())), assignments=tuple(held))}
        return replace(mine, caller=self.JANE, changed=changed, access=known)

    @pytest.mark.parametrize(
        ("changed", "on"),
        [
            (WORKSPACE, [ONE.resource]),
            (WORKSPACE.child("computes", "cpu1"), [TWO.resource]),
            (WORKSPACE.child("computes", "cpu2"), []),
            (REGISTRY, []),
            (None, []),
        ],
    )
    def test_is_asked_about_what_the_event_wrote(self, changed: Scope | None, on: list[Scope]) -> None:
        found = asks("identity-attached-by", self.seen(changed))
        assert [one.scope for one in found if isinstance(one, RequiredGrant)] == on

    def test_a_finding_names_the_role_and_nobodys_kind(self) -> None:
        one = next(f for f in plan(self.seen(WORKSPACE), terms()).findings if f.rule == "identity-attached-by")
        assert "Managed Identity Operator" in one.remedy
        assert "--assignee-principal-type" not in one.remedy

    def test_an_owner_of_the_group_may(self) -> None:
        found = plan(self.seen(WORKSPACE, assigned("jane", "Owner", GROUP)), terms()).findings
        assert "identity-attached-by" not in {one.rule for one in found}


def raw_vault(*, rbac: bool, policies: Iterable[dict[str, Any]] = ()) -> dict[str, Any]:
    return {"id": str(VAULT), "properties": {"enableRbacAuthorization": rbac, "accessPolicies": list(policies)}}


def entry(holder: Principal, **permissions: list[str]) -> dict[str, Any]:
    return {"tenantId": guid("tenant"), "objectId": holder.id.upper(), "permissions": permissions}


def encrypted(by: Scope | None = None, *, status: str = "Enabled", vault: str = str(VAULT)) -> Workspace:
    block = {"status": status, "keyVaultProperties": {"keyVaultArmId": vault}}
    block |= {"identity": {"userAssignedIdentity": str(by)}} if by else {}
    return workspace(raw={"properties": {"encryption": block}})


class TestEncryptionKeys:
    CMK = uai("cmk")

    def seen(self, subject: Workspace, vault: Fact) -> Estate:
        named = {"properties": {"principalId": self.CMK.id}}
        return with_facts(estate(subject, aml=False), {Want(VAULT): vault, Want(identity_id("cmk")): named})

    def test_cost_nothing_without_encryption(self) -> None:
        rule = RULE["encryption-key-access"]
        for subject in (workspace(), encrypted(status="Disabled")):
            assert list(rule.wants(subject, estate(subject))) == []
        one = encrypted(self.CMK.resource)
        assert set(rule.wants(one, estate(one))) == {Want(VAULT), Want(identity_id("cmk"))}

    def test_are_reached_as_the_identity_that_is_named_else_as_the_workspaces_own(self) -> None:
        vault = raw_vault(rbac=True)
        for subject, who in ((encrypted(self.CMK.resource), self.CMK.id), (encrypted(), sai("mlw").id)):
            (one,) = asks("encryption-key-access", self.seen(subject, vault))
            assert isinstance(one, RequiredGrant)
            assert (one.principal.id, one.need.role_name) == (who, "Key Vault Crypto Service Encryption User")

    @pytest.mark.parametrize(
        ("keys", "asked"),
        [([], True), (["get", "wrapKey"], True), (["Get", "WRAPKEY", "unwrapkey", "list"], False), (["all"], False)],
    )
    def test_are_reached_by_access_policies(self, keys: list[str], asked: bool) -> None:
        vault = raw_vault(rbac=False, policies=[entry(self.CMK, keys=keys)])
        assert bool(asks("encryption-key-access", self.seen(encrypted(self.CMK.resource), vault))) is asked

    def test_a_contributor_lets_itself_in(self) -> None:
        """As Microsoft's quickstart has it."""
        seen = self.seen(encrypted(), raw_vault(rbac=False))
        admitted = assigned(sai("mlw"), "Contributor", VAULT)
        held = with_facts(estate(seen.subject, aml=False, held=[admitted]), dict(seen.facts))
        assert "encryption-key-access" in {one.rule for one in plan(seen, terms()).findings}
        assert "encryption-key-access" not in {one.rule for one in plan(held, terms()).findings}

    @pytest.mark.parametrize(
        ("vault", "says"),
        [(None, "does not exist"), (Unreadable.FORBIDDEN, "could not be read")],
    )
    def test_a_vault_that_cannot_be_read_is_said(self, vault: Fact, says: str) -> None:
        (one,) = asks("encryption-key-access", self.seen(encrypted(self.CMK.resource), vault))
        assert isinstance(one, Finding)
        assert says in one.message

    def test_a_managed_hsm_is_a_finding(self) -> None:
        hsm = str(resource("Microsoft.KeyVault/managedHSMs", "hsm"))
        (one,) = asks("encryption-key-access", estate(encrypted(vault=hsm)))
        assert isinstance(one, Finding)


class TestSecrets:
    def seen(self, credentials: str, vault: Fact, *more: Compute) -> Estate:
        raw = {"properties": {"credentials": {"credentialsType": credentials}}}
        store = Datastore(WORKSPACE.child("datastores", "d"), "azureblob", "store", credentials == "None", raw)
        return with_facts(estate(workspace(store, *more, vault=VAULT)), {Want(VAULT): vault})

    def test_the_command_keeps_what_the_policy_gives_already(self) -> None:
        c1 = sai("cpu1")
        vault = raw_vault(rbac=False, policies=[entry(c1, secrets=["List", "Set"])])
        (one,) = asks("compute-reads-secrets", self.seen("AccountKey", vault, cluster("cpu1", c1)))
        assert isinstance(one, Finding)
        assert one.remedy.endswith("--secret-permissions get list set`")

    @pytest.mark.parametrize(
        ("credentials", "kind", "who", "wanted"),
        [
            ("AccountKey", ComputeType.AML_COMPUTE, (sai("cpu1"),), True),
            ("Sas", ComputeType.COMPUTE_INSTANCE, (ONE,), True),
            ("None", ComputeType.AML_COMPUTE, (sai("cpu1"),), False),
            ("AccountKey", ComputeType.AML_COMPUTE, (), False),
            ("AccountKey", ComputeType.DATABRICKS, (sai("cpu1"),), False),
        ],
    )
    def test_the_vault_is_read_only_where_somebody_opens_it(
        self, credentials: str, kind: ComputeType, who: tuple[Principal, ...], wanted: bool
    ) -> None:
        seen = self.seen(credentials, raw_vault(rbac=True), compute("cpu1", kind, *who))
        assert bool(list(RULE["compute-reads-secrets"].wants(seen.subject, seen))) is wanted
        found = asks("compute-reads-secrets", seen)
        assert bool(found) is wanted
        assert all(isinstance(one, RequiredGrant) and one.on == WORKSPACE.child("computes", "cpu1") for one in found)
        bare = replace(seen.subject, vault=None)
        assert list(RULE["compute-reads-secrets"].wants(bare, seen)) == []


def named(name: str = "base", category: str = "ContainerRegistry", on: Scope = WORKSPACE, **properties: Any) -> Any:
    raw = {"id": f"{on}/connections/{name}", "properties": {"category": category, **properties}}
    return connections.connection(raw)


PULLER = identity_id("puller")
AS_V1 = {"ResourceId": str(PULLER), "ClientId": "c"}


@pytest.mark.parametrize(
    "one",
    [
        named(authType="ManagedIdentity", credentials={"resourceId": str(PULLER), "clientId": "c"}),
        named(category="ACR", authType="RegistryConnection", value=AS_V1),
        named(category="ACR", authType="RegistryConnection", value=json.dumps(AS_V1)),
    ],
    ids=["v2", "v1", "v1 as text"],
)
def test_a_connection_with_an_identity_in_either_shape(one: Any) -> None:
    assert connections.with_identity(one)
    assert not connections.with_password(one)
    assert (connections.identity(one), connections.client_id(one)) == (PULLER, "c")


@pytest.mark.parametrize("value", ["not json", "[]", 7, None, {"ResourceId": str(VAULT)}, {"ResourceId": ["x"]}])
def test_a_connection_that_says_nothing_useful_names_no_identity(value: object) -> None:
    assert connections.identity(named(authType="RegistryConnection", value=value)) is None


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("Base.azurecr.io", "base.azurecr.io"),
        ("https://base.azurecr.io/", "base.azurecr.io"),
        ("base.azurecr.io/team/image", "base.azurecr.io"),
        ("", None),
        (None, None),
    ],
)
def test_the_login_server_that_a_connection_names(target: str | None, host: str | None) -> None:
    assert connections.host(named(target=target)) == host


class TestPasswordBuilds:
    OTHER = workspace_id("other", SUBSCRIPTION.child("resourceGroups", "elsewhere"))
    LIST = Want(SUBSCRIPTION, "Microsoft.MachineLearningServices/workspaces")
    CONNECTIONS = Want(OTHER, "connections")

    def seen(self, *others: Any, own: Any = (), admin: bool = True) -> Estate:
        subject = replace(workspace(), connections=tuple(own))
        facts: dict[Want, Fact] = {
            self.LIST: ({"id": str(WORKSPACE)}, {"id": str(self.OTHER)}),
            self.CONNECTIONS: tuple(one.raw for one in others),
        }
        return with_facts(estate(subject, registry(admin_user=admin)), facts)

    def users(self, seen: Estate) -> list[RegistryUser]:
        return [one for one in asks("password-builds", seen) if isinstance(one, RegistryUser)]

    @pytest.mark.parametrize(
        ("properties", "keeps"),
        [
            ({"authType": "UsernamePassword", "target": "acrml.azurecr.io"}, True),
            ({"authType": "UsernamePassword", "target": "https://ACRML.azurecr.io"}, True),
            ({"authType": "UsernamePassword", "metadata": {"ResourceId": str(REGISTRY)}}, True),
            ({"target": "acrml.azurecr.io"}, True),
            (
                {"authType": "UsernamePassword", "target": "acrml.azurecr.io", "credentials": {"username": "ACRML"}},
                True,
            ),
            (
                {"authType": "UsernamePassword", "target": "acrml.azurecr.io", "credentials": {"username": "token"}},
                False,
            ),
            ({"authType": "UsernamePassword", "target": "other.azurecr.io"}, False),
            ({"authType": "ManagedIdentity", "target": "acrml.azurecr.io"}, False),
            ({"authType": "UsernamePassword", "target": "acrml.azurecr.io", "category": "Git"}, False),
        ],
    )
    def test_what_keeps_the_admin_user_on(self, properties: dict[str, Any], keeps: bool) -> None:
        for seen in (self.seen(named(on=self.OTHER, **properties)), self.seen(own=[named(**properties)])):
            objections = asks("password-builds", seen)
            assert bool(objections) is keeps
            assert all(isinstance(o, RegistryUser) and o.cover is Cover.UNCOVERED for o in objections)

    @pytest.mark.parametrize("want", [LIST, CONNECTIONS])
    def test_what_may_not_be_read_keeps_it_on(self, want: Want) -> None:
        (one,) = self.users(with_facts(self.seen(), {want: Unreadable.FORBIDDEN}))
        assert one.cover is Cover.UNKNOWN
        assert not one.wants, "another look would not tell either"

    @pytest.mark.parametrize("want", [LIST, CONNECTIONS])
    def test_what_was_not_read_yet_is_named(self, want: Want) -> None:
        seen = self.seen()
        seen = replace(seen, facts={known: fact for known, fact in seen.facts.items() if known != want})
        (one,) = self.users(seen)
        assert (one.cover, one.wants) == (Cover.UNKNOWN, (want,))

    def test_a_workspace_that_is_gone_meanwhile_keeps_nothing(self) -> None:
        assert asks("password-builds", with_facts(self.seen(), {self.CONNECTIONS: None})) == []

    def test_the_subscription_of_every_workspace_on_the_registry_is_asked(self) -> None:
        seen = self.seen()
        far = replace(workspace(), id=workspace_id("far", OTHER_SUBSCRIPTION.child("resourceGroups", "rg")))
        (one,) = self.users(replace(seen, neighbours=(far,)))
        assert one.wants == (Want(OTHER_SUBSCRIPTION, self.LIST.collection),)

    @pytest.mark.parametrize("told", ["no id", None, 5])
    def test_a_workspace_that_cannot_be_asked_keeps_it_on(self, told: object) -> None:
        (one,) = self.users(with_facts(self.seen(), {self.LIST: ({"id": told},)}))
        assert (one.cover, one.wants) == (Cover.UNKNOWN, ())

    @pytest.mark.parametrize("told", ["no id", None, str(REGISTRY)])
    def test_a_connection_is_where_it_is_listed(self, told: object) -> None:
        found = named(on=self.OTHER, target="acrml.azurecr.io")
        (one,) = self.users(self.seen(replace(found, raw={**found.raw, "id": told})))
        assert (one.cover, one.resource.parent) == (Cover.UNCOVERED, self.OTHER)

    def test_a_connection_is_named(self) -> None:
        found = named(on=self.OTHER, target="acrml.azurecr.io")
        (one,) = self.users(self.seen(found))
        assert one.resource == found.id

    @pytest.mark.parametrize("more", [0, 1])
    def test_so_many_workspaces_are_asked_and_no_more(self, more: int) -> None:
        listed = tuple({"id": str(workspace_id(f"mlw{number}"))} for number in range(builds.MOST_ASKED + more))
        (one, *findings) = asks("password-builds", with_facts(self.seen(), {self.LIST: listed}))
        assert isinstance(one, RegistryUser)
        assert one.cover is Cover.UNKNOWN
        assert len(one.wants) == (0 if more else builds.MOST_ASKED)
        assert bool(findings) is bool(more), "what to do, where nothing will be asked"
        for finding in findings:
            assert isinstance(finding, Finding)
            assert f"{builds.MOST_ASKED + 1} other workspaces" in finding.message
            assert "az ml connection list --workspace-name mlw0" in finding.remedy
            assert "az acr update --name acrml" in finding.remedy

    def test_nobody_is_asked_once_it_is_off(self) -> None:
        assert asks("password-builds", self.seen(admin=False)) == []
        assert asks("password-builds", replace(self.seen(admin=False), facts={})) == []


class TestBaseImages:
    BASE = registry_id("base", OTHER_SUBSCRIPTION.child("resourceGroups", "shared"))

    def seen(self, *, abac: bool = False, client: str = "client", **more: Any) -> Estate:
        properties = {"authType": "ManagedIdentity", "metadata": {"ResourceId": str(self.BASE)}, **more}
        credentials = {"resourceId": str(PULLER), "clientId": client}
        one = named(**{"credentials": credentials, "target": "base.azurecr.io"} | properties)
        known = {"properties": {"principalId": guid("puller"), "clientId": "client"}}
        listed = {"id": str(self.BASE), "properties": {"loginServer": "Base.azurecr.io"}}
        facts: dict[Want, Fact] = {Want(PULLER): known}
        facts[Want(SUBSCRIPTION, "Microsoft.ContainerRegistry/registries")] = (listed,)
        subject = replace(workspace(), connections=(one,))
        return with_facts(estate(subject, registry(self.BASE, abac=abac)), facts)

    @pytest.mark.parametrize(
        ("abac", "role"), [(False, "AcrPull"), (True, "Container Registry Repository Reader")], ids=["classic", "abac"]
    )
    def test_the_identity_pulls_where_the_policy_allows_it(self, abac: bool, role: str) -> None:
        (one,) = asks("base-image-pull", self.seen(abac=abac))
        assert isinstance(one, RequiredGrant)
        assert (one.principal.id, one.need.role_name, one.scope) == (guid("puller"), role, self.BASE)
        assert one.explicit
        assert one.principal.resource == PULLER
        assert one.on == WORKSPACE.child("connections", "base")

    def test_the_workspace_assigns_it_where_the_policy_allows_it(self) -> None:
        (one,) = asks("base-image-identity", self.seen())
        assert isinstance(one, RequiredGrant)
        assert (one.principal, one.scope, one.explicit) == (sai("mlw"), PULLER, True)

    def test_a_registry_is_found_by_its_login_server(self) -> None:
        (one,) = asks("base-image-pull", self.seen(metadata=None))
        assert isinstance(one, RequiredGrant)
        assert one.scope == self.BASE

    @pytest.mark.parametrize(
        ("more", "says"),
        [
            ({}, ""),
            ({"metadata": None}, ""),
            ({"client": "CLIENT"}, ""),
            ({"client": "another"}, "not that of identity puller"),
            ({"credentials": {"clientId": "client"}}, "names no user-assigned identity"),
            ({"credentials": None}, "names no client id"),
            ({"metadata": None, "target": None}, "names no registry"),
            ({"metadata": None, "target": "elsewhere.azurecr.io"}, "elsewhere.azurecr.io is not in the workspace's"),
        ],
    )
    def test_what_a_connection_lacks(self, more: dict[str, Any], says: str) -> None:
        found = asks("registry-connection", self.seen(**more))
        assert [type(one) for one in found] == ([Finding] if says else [])
        assert all(says in one.message for one in found if isinstance(one, Finding))

    def test_a_registry_or_an_identity_that_is_gone(self) -> None:
        seen = replace(with_facts(self.seen(), {Want(PULLER): None}), missing=frozenset({self.BASE}))
        (one,) = asks("registry-connection", seen)
        assert isinstance(one, Finding)
        assert "registry base does not exist" in one.message
        assert "identity puller does not exist" in one.message


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("acrml.azurecr.io", "acrml.azurecr.io"),
        ("https://ACRML.azurecr.io/repository", "acrml.azurecr.io"),
        ("https://user:password@acrml.azurecr.io", "acrml.azurecr.io"),
        ("https://acrml.azurecr.io?sig=secret", "acrml.azurecr.io"),
        ("user:password@acrml.azurecr.io:443/x?sig=secret", "acrml.azurecr.io:443"),
        ("key=secret", None),
        ("", None),
    ],
)
def test_of_a_connections_target_only_the_host_is_told(target: str, host: str | None) -> None:
    raw = {"id": f"{WORKSPACE}/connections/con", "properties": {"category": "ACR", "target": target}}
    assert connections.host(connections.connection(raw)) == host
