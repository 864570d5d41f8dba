"""Settings: registries as the policy asks, networks, instances, kinds; and how a workspace's identity was set up."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from unit.build import (
    REGISTRY,
    STORAGE,
    VAULT,
    WORKSPACE,
    assigned,
    cluster,
    compute,
    datastore,
    endpoint,
    estate,
    registry,
    role,
    sai,
    terms,
    uai,
    uai_workspace,
    vault,
    workspace,
)

from shared.access.ask_rules import asks_of
from shared.access.asks import Finding, Severity
from shared.access.evidence import admin_logins, key_calls, moment
from shared.access.ids import NoId
from shared.access.model import ComputeType, Estate, Fact, Unreadable, Want
from shared.access.needs import VAULT_PERMISSIONS
from shared.access.plan import plan
from shared.access.preferences import Preferences
from shared.access.rules import RULES
from shared.access.rules.set_up import SECRETS, by_template
from shared.access.terms import Terms

RULE = {rule.name: rule for rule in RULES}
ME = uai("mlw-id")


def said(rule: str, seen: Estate) -> list[Finding]:
    return [one for one in asks_of(RULE[rule], seen.subject, seen) if isinstance(one, Finding)]


class TestRegistries:
    def message(self, preferences: Preferences, *, ws: str = "Enabled", **properties: Any) -> str:
        one = workspace(raw={"properties": {"publicNetworkAccess": ws}})
        raw = {"properties": {"publicNetworkAccess": "Enabled", **properties}}
        seen = replace(estate(one), facts={Want(REGISTRY): raw}, preferences=preferences)
        return "".join(f"{finding.message} {finding.remedy}" for finding in said("registry-settings", seen))

    @pytest.mark.parametrize(
        ("preferences", "ws", "says"),
        [
            (Preferences(), "Enabled", ""),
            (Preferences(), "Disabled", "--public-network-enabled false"),
            (Preferences(public_access=True), "Disabled", ""),
            (Preferences(public_access=False), "Enabled", "--public-network-enabled false"),
        ],
    )
    def test_public_access_follows_the_workspace_unless_the_policy_says(
        self, preferences: Preferences, ws: str, says: str
    ) -> None:
        assert says in self.message(preferences, ws=ws)
        assert bool(self.message(preferences, ws=ws)) is bool(says)
        assert not self.message(preferences, ws=ws, publicNetworkAccess="disabled")

    def test_anonymous_pull(self) -> None:
        assert "--anonymous-pull-enabled false" in self.message(Preferences(), anonymousPullEnabled=True)
        assert not self.message(Preferences(anonymous_pull=True), anonymousPullEnabled=True)
        assert not self.message(Preferences())

    @pytest.mark.parametrize(
        ("anonymous", "allowed", "high"), [(True, False, True), (False, False, False), (True, True, False)]
    )
    def test_worse_than_anything_else_is_that_anybody_can_pull(
        self, anonymous: bool, allowed: bool, high: bool
    ) -> None:
        raw = {"properties": {"publicNetworkAccess": "Enabled", "anonymousPullEnabled": anonymous}}
        asked = Preferences(public_access=False, anonymous_pull=allowed)
        (one,) = said("registry-settings", replace(estate(workspace()), facts={Want(REGISTRY): raw}, preferences=asked))
        assert (one.severity is Severity.HIGH) is high

    def test_the_way_to_premium_is_named_where_it_is_needed(self) -> None:
        for asked in (Preferences(retention_days=30), Preferences(public_access=False)):
            assert "az acr update --name acrml " in self.message(asked)
            assert "--sku Premium" in self.message(asked)
        assert "--sku Premium" in self.message(Preferences(zone_redundant=True))

    def test_zones_and_retention_only_when_asked_for(self) -> None:
        kept: dict[str, Any] = {"policies": {"retentionPolicy": {"days": 7, "status": "enabled"}}}
        off: dict[str, Any] = {"policies": {"retentionPolicy": {"days": 7, "status": "disabled"}}}
        assert "zone redundant" in self.message(Preferences(zone_redundant=True))
        assert not self.message(Preferences(zone_redundant=True), zoneRedundancy="Enabled")
        assert "--days 30" in self.message(Preferences(retention_days=30))
        assert "--days 30" in self.message(Preferences(retention_days=30), **off)
        assert "--days 5" in self.message(Preferences(retention_days=5), **kept)
        assert not self.message(Preferences(retention_days=30), **kept)

    def test_what_may_not_be_read_is_said(self) -> None:
        (found,) = said("registry-settings", replace(estate(workspace()), facts={Want(REGISTRY): Unreadable.FORBIDDEN}))
        assert found.severity is Severity.LOW
        assert "microsoft.containerregistry/registries/read" in found.message


class TestSetUp:
    """`kva` and `policies` are what the template gives on the vault, `control` is what it does not give."""

    KVA = (assigned(ME, "Key Vault Administrator", VAULT),)
    CONTROL = (assigned(ME, "Contributor", VAULT),)

    @pytest.mark.parametrize("rbac", [True, False])
    @pytest.mark.parametrize(
        ("held", "policies", "template"),
        [
            ((), frozenset(), False),
            (KVA, SECRETS, True),
            (KVA, frozenset(), True),
            ((), SECRETS, True),
            ((), VAULT_PERMISSIONS, False),  # the documentation's policy
            (KVA, VAULT_PERMISSIONS, True),
            (CONTROL, SECRETS, False),
            ((*KVA, *CONTROL), SECRETS, False),
            ((assigned(ME, "Key Vault Secrets User", VAULT),), frozenset({"secrets/get"}), False),
            ((assigned(ME, "Key Vault Administrator", STORAGE),), frozenset(), False),
        ],
    )
    def test_it_shows_at_the_vault(
        self, rbac: bool, held: tuple[Any, ...], policies: frozenset[str], *, template: bool
    ) -> None:
        seen = estate(uai_workspace(), vault(rbac=rbac, policies={ME.id: policies}), held=held)
        assert by_template(seen.subject, seen) is template

    def test_a_workspace_that_acts_as_its_system_assigned_identity_was_set_up_by_aml(self) -> None:
        me = sai("mlw")
        seen = estate(workspace(vault=VAULT), vault(rbac=True), held=[assigned(me, "Key Vault Administrator", VAULT)])
        assert not by_template(seen.subject, seen)

    def test_until_it_is_known_what_the_identity_holds_the_documentation_counts(self) -> None:
        seen = estate(uai_workspace(), vault(rbac=True), held=self.KVA)
        assert not by_template(seen.subject, replace(seen, access={}))
        assert not by_template(seen.subject, replace(seen, vaults={}))


MANAGED = {"managedNetwork": {"isolationMode": "AllowInternetOutbound"}}


class TestNetworks:
    @pytest.mark.parametrize(
        ("properties", "preferred", "serverless"),
        [
            ({}, True, False),
            ({"managedNetwork": {"isolationMode": "Disabled"}}, True, False),
            (MANAGED, False, False),
            ({"publicNetworkAccess": "Disabled"}, True, True),
            ({"publicNetworkAccess": "disabled", **MANAGED}, False, False),
            (
                {
                    "publicNetworkAccess": "Disabled",
                    "serverlessComputeSettings": {
                        "serverlessComputeCustomSubnet": "/s",
                        "serverlessComputeNoPublicIP": True,
                    },
                },
                True,
                False,
            ),
            (
                {
                    "publicNetworkAccess": "Disabled",
                    "serverlessComputeSettings": {"serverlessComputeCustomSubnet": "/s"},
                },
                True,
                True,
            ),
        ],
    )
    def test_what_a_workspace_should_have(self, properties: Any, *, preferred: bool, serverless: bool) -> None:
        seen = estate(workspace(raw={"properties": properties}))
        found = said("managed-network", seen)
        assert bool(found) is preferred
        mode = properties.get("managedNetwork", {}).get("isolationMode", "not set")
        assert all(f"isolation mode is {mode}" in one.message for one in found)
        assert bool(said("serverless-network", seen)) is serverless
        project = estate(workspace(raw={"properties": properties}, hub=WORKSPACE))
        assert not said("managed-network", project)
        assert not said("serverless-network", project)

    def test_the_approver_role_is_for_managed_networks(self) -> None:
        network = {"properties": {"managedNetwork": {"isolationMode": "AllowOnlyApprovedOutbound"}}}
        for raw, asks in ((network, {"store", "acrml"}), ({}, set())):
            seen = estate(workspace(raw=raw), aml=False)
            found = plan(seen, terms(on=["AML-75"])).grants
            assert {g.scope.name for g in found} == asks
            assert {g.need.role_name for g in found} <= {"Azure AI Enterprise Network Connection Approver"}


class TestInstances:
    @pytest.mark.parametrize(
        ("kind", "properties", "says"),
        [
            (ComputeType.AML_COMPUTE, {}, ["local (SSH)"]),
            (ComputeType.AML_COMPUTE, {"disableLocalAuth": True}, []),
            (ComputeType.COMPUTE_INSTANCE, {"properties": {"idleTimeBeforeShutdown": "PT1H"}}, []),
            (ComputeType.COMPUTE_INSTANCE, {}, ["never shuts down"]),
            (
                ComputeType.COMPUTE_INSTANCE,
                {
                    "properties": {
                        "sshSettings": {"sshPublicAccess": "enabled"},
                        "osImageMetadata": {"isLatestOsImageVersion": False},
                    }
                },
                ["SSH is open", "outdated", "never shuts down"],
            ),
            (ComputeType.KUBERNETES, {}, []),
            (ComputeType.VIRTUAL_MACHINE, {}, []),
        ],
    )
    def test_settings(self, kind: ComputeType, properties: Any, says: list[str]) -> None:
        seen = estate(workspace(compute("cpu", kind, sai("cpu"), raw={"properties": properties})))
        found = said("compute-settings", seen)
        assert len(found) == bool(says)
        assert all(text in found[0].message for text in says)

    @pytest.mark.parametrize(
        ("holds", "granted"),
        [
            ("Reader", True),
            ("AzureML Compute Operator", False),
            ("Contributor", False),
            ("AzureML Data Scientist", False),
        ],
    )
    def test_an_instance_must_be_able_to_stop_itself(self, holds: str, *, granted: bool) -> None:
        ci = sai("ci1")
        raw = {"properties": {"properties": {"idleTimeBeforeShutdown": "PT30M"}}}
        one = workspace(compute("ci1", ComputeType.COMPUTE_INSTANCE, ci, raw=raw), registry=None)
        made = plan(estate(one, held=[assigned(ci, holds, WORKSPACE)]), terms(on=["AML-37"]))
        assert {g.need.role_name for g in made.grants} == ({"Contributor"} if granted else set())

    def test_an_instance_without_identity_stops_as_nobody(self) -> None:
        raw = {"properties": {"properties": {"idleTimeBeforeShutdown": "PT30M"}}}
        one = workspace(compute("ci1", ComputeType.COMPUTE_INSTANCE, raw=raw), registry=None)
        assert plan(estate(one), terms(on=["AML-37"])).grants == ()


@pytest.mark.parametrize(
    ("parts", "unknown"),
    [
        ({"kind": "hub"}, 0),
        ({"kind": "featurestore"}, 0),
        ({"kind": "quantum"}, 1),
        ({"computes": (compute("cpu", ComputeType.UNKNOWN),)}, 1),
        ({"computes": (compute("cpu", ComputeType.DATABRICKS),)}, 0),
        ({"datastores": (datastore("d", type="azuredatalakegen1"),)}, 0),
        ({"datastores": (datastore("d", type="azuredatalakegen2"),)}, 0),
        ({"datastores": (datastore("d", type="lakeofthefuture"),)}, 1),
        ({"datastores": (datastore("d", type=""),)}, 1),
        ({"endpoints": (endpoint("serve", raw={"kind": "Managed"}),)}, 0),
        ({"endpoints": (endpoint("serve", raw={}),)}, 0),
        ({"endpoints": (endpoint("serve", raw={"kind": "Quantum"}),)}, 1),
    ],
)
def test_what_nobody_knows_is_said(parts: Any, unknown: int) -> None:
    assert len(said("unknown-kind", estate(workspace(**parts)))) == unknown


def test_each_value_that_is_no_id_is_named_in_the_one_finding_of_its_resource() -> None:
    one = cluster("cpu1").id
    wrong = [NoId(on, name, "an id", "it is none") for on, name in ((WORKSPACE, "a1"), (WORKSPACE, "a2"), (one, "a3"))]
    found = {each.resource: each.message for each in said("malformed-id", estate(workspace(no_ids=tuple(wrong))))}
    assert len(found) == 2
    assert ["a1" in found[WORKSPACE], "a2" in found[WORKSPACE], "a3" in found[WORKSPACE]] == [True, True, False]
    assert "a3" in found[one]


class TestEvidence:
    WANT = admin_logins(REGISTRY, 30)
    SEEN = estate(workspace(), registry(admin_user=True))
    ROWS = ({"Logins": 3, "Last": datetime(2026, 11, 1, 9, 30, tzinfo=UTC)},)

    def decided(self, fact: Fact, *, required: bool = False) -> tuple[int, set[str]]:
        seen = replace(
            self.SEEN, facts={**self.SEEN.facts, self.WANT: fact}, preferences=Preferences(evidence_required=required)
        )
        made = plan(seen, terms())
        return len(made.settings), {one.refusal.guard for one in made.withheld}

    def test_logins_keep_the_admin_user_on_and_the_last_one_is_named(self) -> None:
        assert self.decided(self.ROWS) == (0, {"admin-login"})
        (one,) = plan(replace(self.SEEN, facts={**self.SEEN.facts, self.WANT: self.ROWS}), terms()).withheld
        assert "3 times in the last 30 days, last at 2026-11-01 09:30 UTC" in one.refusal.reason

    @pytest.mark.parametrize("unreadable", [Unreadable.FORBIDDEN, Unreadable.NOT_CONFIGURED])
    def test_what_cannot_be_read_counts_when_the_policy_requires_evidence(self, unreadable: Unreadable) -> None:
        assert self.decided(unreadable) == (2, set())
        assert self.decided(unreadable, required=True) == (0, {"no-evidence"})

    def test_no_logins_are_evidence(self) -> None:
        assert self.decided((), required=True) == (2, set())

    def test_another_look_back_is_another_question(self) -> None:
        assert admin_logins(REGISTRY, 7) != self.WANT
        assert "ago(7d)" in admin_logins(REGISTRY, 7).query

    def test_calls_are_those_of_the_very_workspace(self) -> None:
        query = key_calls(WORKSPACE, ["one", "two"], 30).query
        assert f'startswith "{WORKSPACE.key}/"' in query
        assert 'in~ ("one", "two")' in query

    def test_moments_are_told_to_the_minute(self) -> None:
        assert moment({"Last": "2026-11-01T09:30:12.123Z"}, "Last") == "2026-11-01 09:30 UTC"
        assert moment({"Last": None}, "Last") == "an unknown time"


class TestKeys:
    def message(self, mode: str | None, fact: Fact = ()) -> str:
        raw = {"properties": {"authMode": mode} if mode else {}}
        one = workspace(endpoint("serve", sai("serve"), raw=raw))
        seen = replace(estate(one), facts={key_calls(WORKSPACE, ["serve"], 30): fact})
        return "".join(finding.message for finding in said("endpoint-authentication", seen))

    def test_what_the_log_shows_is_in_the_finding(self) -> None:
        row = {"EndpointName": "SERVE", "Calls": 12, "Last": "2026-11-01T09:30:00Z", "UserAgent": "curl/8"}
        assert "12 calls in the last 30 days, last at 2026-11-01 09:30 UTC by curl/8" in self.message("Key", (row,))
        assert "no call with a key" in self.message("key")
        assert "lacks Log Analytics Data Reader" in self.message("Key", Unreadable.FORBIDDEN)
        assert "no log workspace is configured" in self.message("Key", Unreadable.NOT_CONFIGURED)

    def test_which_modes_are_found(self) -> None:
        assert "an AML token" in self.message("AMLToken")
        for mode in ("AADToken", "aadToken", None):
            assert not self.message(mode)


def test_the_default_policy_looks_back_a_month() -> None:
    assert Terms(table=RULES).preferences == Preferences(look_back_days=30, evidence_required=False)
    assert role("Azure AI Enterprise Network Connection Approver").permissions
