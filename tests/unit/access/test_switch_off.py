"""When the registry's admin user may go off (law 5), and what keeps it on."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from unit.build import (
    CLUSTER,
    FOREIGN,
    GROUP,
    NOW,
    REGISTRY,
    STORAGE,
    SUBSCRIPTION,
    WORKSPACE,
    assigned,
    cluster,
    compute,
    container_group,
    denied,
    endpoint,
    estate,
    granted,
    guards,
    identity,
    lock,
    registry,
    registry_id,
    sai,
    settings,
    terms,
    uai,
    uai_workspace,
    workspace,
    workspace_id,
)

from shared.access.actions import Deferred, Plan
from shared.access.model import ComputeType, Estate, Principal
from shared.access.plan import plan
from shared.access.terms import Caps, Exemption, Terms

C1 = sai("mlw/computes/cpu1")
ON = registry(admin_user=True)
MINUTE = timedelta(minutes=1)
OFF = ("acrml", "adminUserEnabled", "false")
RESYNC = ("mlw", "cachedKeys", "resynced")
ENFORCE = terms()
EVERYWHERE = assigned(C1, "AcrPull", REGISTRY)


def admin(made: Plan) -> list[Any]:
    """What the plan says of admin users, whichever way."""
    planned: list[Any] = [s for s in made.settings if s.name == "adminUserEnabled"]
    stopped: list[Any] = [*made.withheld, *made.deferred]
    put_off = [one for one in stopped if getattr(one.action, "name", "") == "adminUserEnabled"]
    return planned + put_off


def covered(*parts: Any, **more: Any) -> Estate:
    """A workspace with one cluster that has long held AcrPull, and its registry with the admin user on."""
    parts = (ON, *parts) if not any(getattr(p, "id", None) == REGISTRY for p in parts) else parts
    return estate(workspace(cluster("cpu1", C1)), *parts, **{"held": [EVERYWHERE]} | more)


class TestGoesOff:
    def test_when_everyone_who_pulls_is_covered_and_then_the_keys_are_resynced(self) -> None:
        assert settings(plan(covered(), ENFORCE)) == [OFF, RESYNC]

    def test_when_nobody_pulls(self) -> None:
        assert settings(plan(estate(workspace(), ON), ENFORCE)) == [OFF, RESYNC]

    def test_when_the_last_grant_is_as_old_as_the_settle_time(self) -> None:
        held = [assigned(C1, "AcrPull", REGISTRY, on=NOW - 15 * MINUTE)]
        assert settings(plan(covered(held=held), ENFORCE)) == [OFF, RESYNC]

    def test_when_nobody_knows_how_old_a_grant_is(self) -> None:
        held = [assigned(C1, "AcrPull", REGISTRY, on=None)]
        assert settings(plan(covered(held=held), ENFORCE)) == [OFF, RESYNC]

    def test_beside_computes_that_pull_nothing(self) -> None:
        seen = estate(workspace(compute("dbr", ComputeType.DATABRICKS)), ON)
        assert OFF in settings(plan(seen, ENFORCE))

    def test_beside_container_instances_of_other_registries(self) -> None:
        seen = covered(container_group("g", "other.azurecr.io", "acrml2.azurecr.io"))
        assert OFF in settings(plan(seen, ENFORCE))

    def test_when_serverless_pulls_as_the_workspaces_own_identity(self) -> None:
        me = uai("mlw-id")
        one = uai_workspace(serverless=True, storage=None, vault=None, app_insights=None)
        seen = estate(one, ON, held=[assigned(me, "Contributor", REGISTRY)])
        assert settings(plan(seen, ENFORCE)) == [OFF, RESYNC]

    def test_under_a_lock_that_only_forbids_deleting(self) -> None:
        assert OFF in settings(plan(covered(lock(GROUP, read_only=False)), ENFORCE))

    def test_although_something_that_has_nothing_to_do_with_pulling_is_missing(self) -> None:
        one = workspace(cluster("cpu1", C1), storage_by_identity=True)
        made = plan(estate(one, ON, lock(STORAGE), held=[EVERYWHERE]), ENFORCE)
        assert OFF in settings(made)
        assert guards(made) == {"lock"}

    def test_without_a_resync_when_the_policy_turned_that_off(self) -> None:
        assert settings(plan(covered(), terms(off=["AML-71"]))) == [OFF]

    def test_never_twice(self) -> None:
        assert settings(plan(covered(registry()), ENFORCE)) == []

    def test_and_every_workspace_that_uses_the_registry_is_resynced(self) -> None:
        made = plan(covered(workspace(id=workspace_id("other", FOREIGN))), ENFORCE)
        assert settings(made) == [OFF, RESYNC, ("other", "cachedKeys", "resynced")]

    def test_the_resyncs_do_not_count_against_the_cap(self) -> None:
        assert settings(plan(covered(), terms(caps=Caps(per_run=1)))) == [OFF, RESYNC]


ACI = container_group("scoring", "acrml.azurecr.io")
KUBELET = Principal(sai("kubelet").id, "kubelet", CLUSTER)

STAYS_ON: dict[str, tuple[Estate, Terms, str]] = {
    "a puller that cannot be granted (deny)": (covered(denies=[denied("*/read")]), ENFORCE, "uncovered-puller"),
    "a puller whose rule is off": (
        covered(held=[]),
        terms(off=["compute-pull"]),
        "uncovered-puller",
    ),
    "a puller whose rule only reports": (covered(held=[]), terms(report=["compute-pull"]), "uncovered-puller"),
    "a puller that is exempt": (
        covered(held=[]),
        terms(exemptions=(Exemption(cluster("cpu1").id, frozenset({"aml-19"}), NOW.date(), "x"),)),
        "uncovered-puller",
    ),
    "a puller with a conditional assignment": (
        covered(held=[assigned(C1, "AcrPull", REGISTRY, condition="c")]),
        ENFORCE,
        "uncovered-puller",
    ),
    "a puller with an identity from elsewhere": (
        estate(workspace(endpoint("serve", uai("stranger", FOREIGN)), storage=None), ON),
        ENFORCE,
        "uncovered-puller",
    ),
    "a neighbour's puller": (
        covered(workspace(cluster("n1", sai("n1")), id=workspace_id("n"))),
        ENFORCE,
        "uncovered-puller",
    ),
    "a compute without identity": (estate(workspace(cluster("cpu1")), ON), ENFORCE, "compute-identity"),
    "a neighbour's compute without identity": (
        covered(workspace(cluster("n1"), id=workspace_id("n"))),
        ENFORCE,
        "compute-identity",
    ),
    "an instance without identity": (
        estate(workspace(compute("ci1", ComputeType.COMPUTE_INSTANCE)), ON),
        ENFORCE,
        "compute-identity",
    ),
    "an endpoint of unknown identity": (estate(workspace(endpoint("serve")), ON), ENFORCE, "endpoint-pull"),
    "an AKS cluster whose kubelet is not known": (
        estate(workspace(compute("aks", ComputeType.AKS, attached=CLUSTER)), ON),
        ENFORCE,
        "compute-identity",
    ),
    "a compute of a type that nobody knows": (
        estate(workspace(compute("x", ComputeType.UNKNOWN, C1)), ON),
        ENFORCE,
        "compute-identity",
    ),
    "serverless without an identity of the workspace": (
        estate(workspace(serverless=True), ON),
        ENFORCE,
        "serverless-pull",
    ),
    "serverless of a workspace whose identity is unclear": (
        estate(uai_workspace(identity=identity(uai("a"), uai("b")), primary=None, serverless=True), ON),
        ENFORCE,
        "uncovered-builder",
    ),
    "serverless whose identity cannot pull, although its image build compute pushes": (
        estate(
            uai_workspace(
                cluster("cpu1", C1),
                serverless=True,
                storage=None,
                raw={"properties": {"imageBuildCompute": "CPU1"}},
            ),
            ON,
            held=[assigned(C1, "Contributor", REGISTRY)],
        ),
        terms(off=["AML-84"]),
        "uncovered-puller",
    ),
    "Container Instances": (covered(ACI), ENFORCE, "container-instances"),
    "Container Instances, and a registry without login server": (
        covered(registry(admin_user=True, login_server=None), ACI),
        ENFORCE,
        "container-instances",
    ),
    "a lock on the registry": (covered(lock(REGISTRY)), ENFORCE, "lock"),
    "a lock on its group": (covered(lock(GROUP)), ENFORCE, "lock"),
    "a lock on the workspace, which could not be resynced": (covered(lock(WORKSPACE)), ENFORCE, "lock"),
    "a lock on a neighbour": (
        covered(workspace(id=workspace_id("n")), lock(workspace_id("n"))),
        ENFORCE,
        "lock",
    ),
    "an exemption of the registry": (
        covered(),
        terms(exemptions=(Exemption(REGISTRY, frozenset({"aml-21"}), date(2030, 1, 1), "x"),)),
        "exemption",
    ),
    "an exemption of the workspace": (
        covered(),
        terms(exemptions=(Exemption(WORKSPACE, frozenset({"registry-admin-user"}), date(2030, 1, 1), "x"),)),
        "exemption",
    ),
    "an exemption of a neighbour": (
        covered(workspace(id=workspace_id("n"))),
        terms(exemptions=(Exemption(workspace_id("n"), frozenset({"aml-22"}), date(2030, 1, 1), "x"),)),
        "exemption",
    ),
    "its rule in mode report": (covered(), terms(report=["AML-21"]), "report-mode"),
    "the resync in mode report": (covered(), terms(report=["AML-71"]), "report-mode"),
    "the cap": (covered(), terms(caps=Caps(per_run=0)), "cap"),
    "a registry of another team": (
        estate(
            workspace(registry=registry_id("theirs", FOREIGN)),
            registry(registry_id("theirs", FOREIGN), admin_user=True),
        ),
        ENFORCE,
        "target-outside-boundary",
    ),
}


@pytest.mark.parametrize("why", STAYS_ON)
def test_stays_on_for(why: str) -> None:
    seen, policy, guard = STAYS_ON[why]
    made = plan(seen, policy)
    assert settings(made) == []
    (one,) = admin(made)
    assert one.refusal.guard == guard


def test_a_rule_that_is_off_leaves_it_on_and_says_nothing() -> None:
    assert plan(covered(), terms(off=["registry-admin-user"])).compliant


def test_the_reason_names_who_cannot_pull() -> None:
    made = plan(covered(denies=[denied("*/read")]), ENFORCE)
    assert f"{C1.label} (cpu1)" in admin(made)[0].refusal.reason


class TestWaits:
    def test_for_the_grants_of_this_very_plan(self) -> None:
        made = plan(covered(held=[]), ENFORCE)
        assert granted(made) == {(C1.label, "AcrPull", "acrml")}
        (one,) = admin(made)
        assert isinstance(one, Deferred)
        assert one.until == NOW + 15 * MINUTE

    def test_for_the_newest_grant_to_have_acted_for_the_settle_time(self) -> None:
        held = [EVERYWHERE, assigned(sai("cpu2"), "AcrPull", REGISTRY, on=NOW - 5 * MINUTE)]
        seen = estate(workspace(cluster("cpu1", C1), cluster("cpu2", sai("cpu2"))), ON, held=held)
        (one,) = admin(plan(seen, ENFORCE))
        assert one.until == NOW + 10 * MINUTE
        assert settings(plan(replace(seen, now=one.until - timedelta(seconds=1)), ENFORCE)) == []
        assert settings(plan(replace(seen, now=one.until), ENFORCE)) == [OFF, RESYNC]

    def test_but_not_for_a_new_grant_that_an_old_one_made_needless(self) -> None:
        held = [EVERYWHERE, assigned(C1, "Reader", GROUP, on=NOW)]
        assert OFF in settings(plan(covered(held=held), ENFORCE))

    def test_a_later_run_even_without_a_settle_time(self) -> None:
        made = plan(covered(held=[]), terms(settle=timedelta()))
        (one,) = admin(made)
        assert isinstance(one, Deferred)
        assert NOW < one.until <= NOW + timedelta(seconds=2)

    def test_nothing_when_there_is_no_settle_time_and_all_is_held(self) -> None:
        held = [assigned(C1, "AcrPull", REGISTRY, on=NOW)]
        assert OFF in settings(plan(covered(held=held), terms(settle=timedelta())))

    def test_for_a_neighbours_grants_to_settle(self) -> None:
        held = [EVERYWHERE, assigned(sai("n1"), "AcrPull", REGISTRY, on=NOW - MINUTE)]
        seen = covered(workspace(cluster("n1", sai("n1")), id=workspace_id("n")), held=held)
        (one,) = admin(plan(seen, ENFORCE))
        assert one.until == NOW + 14 * MINUTE

    @pytest.mark.parametrize("made", [cluster("cpu2", ready=False), endpoint("serve", ready=False)])
    def test_for_what_is_still_being_made(self, made: Any) -> None:
        seen = estate(workspace(cluster("cpu1", C1), made), ON, held=[EVERYWHERE])
        (one,) = admin(plan(seen, ENFORCE))
        assert isinstance(one, Deferred)
        assert NOW < one.until <= NOW + 5 * MINUTE

    def test_for_what_a_neighbour_is_making(self) -> None:
        seen = covered(workspace(cluster("n", ready=False), id=workspace_id("n")))
        (one,) = admin(plan(seen, ENFORCE))
        assert isinstance(one, Deferred)


def test_the_settle_time_is_the_policys() -> None:
    held = [assigned(C1, "AcrPull", SUBSCRIPTION, on=NOW - 30 * MINUTE)]
    assert settings(plan(covered(held=held), terms(settle=60 * MINUTE))) == []
    assert OFF in settings(plan(covered(held=held), terms(settle=30 * MINUTE)))


def test_the_keys_are_never_resynced_alone() -> None:
    for seen, policy, _ in STAYS_ON.values():
        assert not [s for s in plan(seen, policy).settings if s.name == "cachedKeys"]
