"""Every guardrail of the policy through the official worker: where it stops the action, and where it does not."""

import pytest
from event_grid import event
from local_azure import FINDINGS, LocalAzure, Start
from tenants import (
    ACR_PULL,
    BLOB_READER,
    GRANTS_ONLY,
    SUBSCRIPTION,
    Tenant,
    child,
    group_id,
    oid,
    system_assigned,
    user_assigned,
)
from wire import Json

from emulator import tenant_builder as build

POLICY = f"""
mode: enforce
settle_minutes: 60
rules:
  managed-network: {{enabled: false}}
  compute-settings: {{enabled: false}}
  compute-reads-blobs: {{mode: report}}
  kubernetes-pull: {{mode: approve}}
exemptions:
  - {{scope: {group_id("rg-scoped")}, rules: [compute-pull], until: 2999-12-31, reason: moves}}
  - {{tag: {{course: ml-101}}, rules: [compute-pull], until: 2999-12-31, reason: disposable}}
  - {{scope: {group_id("rg-expired")}, rules: [compute-pull], until: 2020-01-31, reason: was to move}}
"""
DATA_SCIENTIST = "f6c7c914-8db3-469d-8ca1-694a8f32e121"
NAMES = ("plain", "scoped", "tagged", "expired", "waiting", "lapsing", "stopped")


def registry_of(name: str) -> str:
    return child(group_id(f"rg-{name}"), "Microsoft.ContainerRegistry/registries", f"acrml{name}")


def storage_of(name: str) -> str:
    return child(group_id(f"rg-{name}"), "Microsoft.Storage/storageAccounts", f"st{name}")


def workspace_of(name: str) -> str:
    return child(group_id(f"rg-{name}"), "Microsoft.MachineLearningServices/workspaces", "mlw")


def add(tenant: Tenant, name: str, *clusters: str, kind: str = "AmlCompute") -> Json:
    group = group_id(f"rg-{name}")
    registry, account = tenant.registry(group, f"acrml{name}"), tenant.storage(group, f"st{name}")
    workspace = tenant.workspace(
        group,
        containerRegistry=registry["id"],
        storageAccount=account["id"],
        systemDatastoresAuthMode="identity",
    )
    for cluster in clusters or (name,):
        tenant.compute(workspace, cluster, identity=system_assigned(cluster), kind=kind)
    return workspace


@pytest.fixture(scope="module")
def azure(start_azure: Start) -> LocalAzure:
    tenant = Tenant()
    for name in NAMES:
        kind = "Kubernetes" if name in {"waiting", "lapsing"} else "AmlCompute"
        workspace = add(tenant, name, kind=kind)
        workspace["tags"] = {"Course": "ml-101"} if name == "tagged" else {}
        endpoint = tenant.uai(group_id(f"rg-{name}"), f"scorer-{name}")
        tenant.endpoint(workspace, "score", user_assigned(endpoint))
    tenant.add(build.resource_group(group_id("rg-stopped"), {"AmlGuard": "off"}))
    return start_azure(tenant.document(), POLICY)


def look(azure: LocalAzure, name: str, **options: str) -> None:
    assert azure.deliver(event(workspace_of(name), **options)).ok
    azure.until_quiet()


def pulls(azure: LocalAzure, name: str, who: str = "") -> bool:
    return (registry_of(name).lower(), ACR_PULL) in azure.grants(oid(who or name), registry_of(name))


def guards(azure: LocalAzure, name: str) -> set[str]:
    rows = [row for row in azure.rows() if row["Outcome"] == "Withheld" and f"/rg-{name}/" in row["ResourceId"].lower()]
    return {row["Guard"] for row in rows}


def pending_of(azure: LocalAzure, name: str) -> Json:
    listed = azure.run("approve", "--format", "json")
    assert listed.code == 0, listed.err
    found: list[Json] = listed.document["pending"]
    (pending,) = [one for one in found if one["workspace"].lower() == workspace_of(name).lower()]
    return pending


def test_a_rule_in_mode_report_is_withheld_and_another_is_not(azure: LocalAzure) -> None:
    look(azure, "plain")
    assert pulls(azure, "plain")
    assert (storage_of("plain").lower(), BLOB_READER) not in azure.grants(oid("plain"), storage_of("plain"))
    assert guards(azure, "plain") == {"report-mode"}


@pytest.mark.parametrize("name", ["scoped", "tagged"])
def test_an_exemption_holds_for_its_resources_and_rules_and_no_others(azure: LocalAzure, name: str) -> None:
    look(azure, name)
    assert not pulls(azure, name)
    assert "exemption" in guards(azure, name)
    scorer = azure.get(
        child(group_id(f"rg-{name}"), "Microsoft.ManagedIdentity/userAssignedIdentities", f"scorer-{name}")
    )
    held = azure.grants(scorer["properties"]["principalId"], registry_of(name))
    assert (registry_of(name).lower(), ACR_PULL) in held  # of endpoint-pull, which nobody exempted


def test_an_exemption_that_ran_out_stops_nothing_and_is_found(azure: LocalAzure) -> None:
    look(azure, "expired")
    assert pulls(azure, "expired")
    found = {row["ResourceId"].lower() for row in azure.rows(FINDINGS) if row["RuleId"] == "expired-exemption"}
    assert found == {workspace_of("expired").lower()}


def test_the_tag_of_a_resource_group_stops_changes_in_it_until_it_is_gone(azure: LocalAzure) -> None:
    look(azure, "stopped")
    assert not pulls(azure, "stopped")
    assert "kill-switch" in guards(azure, "stopped")
    azure.put(group_id("rg-stopped"), {"location": "westeurope", "tags": {}})
    look(azure, "stopped")
    assert pulls(azure, "stopped")


def test_what_waits_for_approval_is_done_once_a_person_releases_it(azure: LocalAzure) -> None:
    look(azure, "waiting")
    assert not pulls(azure, "waiting")
    assert "approval" in guards(azure, "waiting")
    listed = azure.run("approve", "--format", "json")
    assert listed.code == 0, listed.err
    (pending,) = [
        one for one in listed.document["pending"] if one["workspace"].lower() == workspace_of("waiting").lower()
    ]
    assert "AcrPull" in " ".join(pending["actions"].values())

    assert azure.run("approve", next(iter(pending["actions"]))).code == 0  # an action's id stands for its run
    azure.until(lambda: pulls(azure, "waiting"), "what was released is done")
    azure.until_quiet()
    (row,) = [row for row in azure.rows() if row["Outcome"] == "Applied" and row["PrincipalId"] == oid("waiting")]
    assert f"asked for by run {pending['run']}" in row["Reason"]
    assert azure.app in row["Reason"]  # in this test the app's own identity is the person
    assert azure.run("approve", pending["run"]).code == 1  # done, and no longer there


def test_an_approval_that_lapsed_releases_nothing_and_is_asked_for_anew(azure: LocalAzure) -> None:
    look(azure, "lapsing")
    pending = pending_of(azure, "lapsing")
    azure.advance(73 * 3600)
    azure.until_quiet()
    assert azure.run("approve", pending["run"]).code == 1
    look(azure, "lapsing")
    assert pending_of(azure, "lapsing")["run"] != pending["run"]
    assert not pulls(azure, "lapsing")


def test_caps_hold_across_instances_and_go_on_in_the_next_hour(start_own_azure: Start) -> None:
    tenant = Tenant()
    add(tenant, "wide", "wide-1", "wide-2", "wide-3")
    for name in ("small", "late"):
        add(tenant, name)
    blobs = "compute-reads-blobs: {enabled: false}"
    rules = f"rules: {{managed-network: {{enabled: false}}, compute-settings: {{enabled: false}}, {blobs}}}"
    caps = "caps: {per_run: 2, per_target: 2, per_hour: 3}"
    azure = start_own_azure(tenant.document(), f"mode: enforce\n{rules}\n{caps}\n", "--workers", "2")

    look(azure, "wide")
    assert sum(pulls(azure, "wide", who) for who in ("wide-1", "wide-2", "wide-3")) == 2
    assert guards(azure, "wide") == {"cap"}
    look(azure, "wide")
    assert guards(azure, "wide") == {"cap", "cap-target"}
    look(azure, "small")
    assert pulls(azure, "small")
    assert guards(azure, "small") == set()
    look(azure, "late")
    assert not pulls(azure, "late")
    assert guards(azure, "late") == {"cap-hour"}

    azure.advance(3601)
    azure.until(lambda: pulls(azure, "late"), "the next hour goes on")
    azure.until(lambda: all(pulls(azure, "wide", who) for who in ("wide-1", "wide-2", "wide-3")), "with the rest too")


def test_the_kill_switch_of_the_app_stops_all_changes_and_no_record(start_own_azure: Start) -> None:
    tenant = Tenant()
    add(tenant, "plain")
    stopped = start_own_azure(
        tenant.document(), f"mode: enforce\n{GRANTS_ONLY}", "--setting", "AMLGUARD_KILL_SWITCH=on"
    )
    look(stopped, "plain")
    assert not pulls(stopped, "plain")
    assert stopped.writes() == []
    assert guards(stopped, "plain") == {"kill-switch"}
    going = stopped.run("apply", "--yes", "--scope", workspace_of("plain"), env={"AMLGUARD_KILL_SWITCH": "off"})
    assert going.code in {0, 2}, going.err
    assert pulls(stopped, "plain")


def test_a_caller_gets_nothing_granted_that_they_do_not_hold(start_own_azure: Start) -> None:
    tenant = Tenant()
    for name in ("holds", "lacks", "swept"):
        add(tenant, name)
    tenant.assign(registry_of("holds"), oid("jane"), ACR_PULL, kind="User")
    terms = f"mode: enforce\n{GRANTS_ONLY}trust: {{caller_must_hold: true}}\n"
    azure = start_own_azure(tenant.document(), terms)
    look(azure, "holds", caller=oid("jane"))
    assert pulls(azure, "holds")
    look(azure, "lacks", caller=oid("jane"))
    assert not pulls(azure, "lacks")
    assert "caller-must-hold" in guards(azure, "lacks")
    azure.sweep()
    azure.until(lambda: "caller-must-hold" in guards(azure, "swept"), "the sweep has looked")
    assert not pulls(azure, "swept")
    by_hand = azure.run("apply", "--yes", "--scope", workspace_of("lacks"))
    assert by_hand.code in {0, 2}, by_hand.err
    assert pulls(azure, "lacks")


def test_no_policy_gives_a_group_a_role_that_hands_out_access(start_own_azure: Start) -> None:
    tenant = Tenant()
    for name in ("granted", "refused"):
        add(tenant, name)["tags"] = {"team": name}
    granter = tenant.custom_role(
        "Granter", f"/subscriptions/{SUBSCRIPTION}", actions=["Microsoft.Authorization/roleAssignments/*"]
    )
    scientists, granters = tenant.group("scientists"), tenant.group("granters")
    people = (
        f"people:\n  - {{groups: [{scientists}], role: data_scientist, tags: {{team: granted}}}}\n"
        f"  - {{groups: [{granters}], role: {granter}, tags: {{team: refused}}}}\n"
    )
    rules = GRANTS_ONLY.replace("}}\n", "}, AML-44: {enabled: true}}\n")
    azure = start_own_azure(tenant.document(), f"mode: enforce\n{rules}{people}")
    for name in ("granted", "refused"):
        look(azure, name)
    assert azure.grants(scientists, workspace_of("granted")) == {(workspace_of("granted").lower(), DATA_SCIENTIST)}
    assert azure.grants(granters, workspace_of("refused")) == set()
    assert "privileged-role" in guards(azure, "refused")
