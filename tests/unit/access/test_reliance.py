"""Who would lack something if a run's changes were taken back, besides those for whom the run made them."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from unit.build import (
    GROUP,
    REGISTRY,
    STORAGE,
    VAULT,
    WORKSPACE,
    assigned,
    cluster,
    custom,
    denied,
    estate,
    guid,
    registry,
    registry_id,
    resource,
    sai,
    terms,
    uai,
    uai_workspace,
    vault,
    workspace,
)

from shared.access.actions import Removal, Setting
from shared.access.asks import Property
from shared.access.model import Estate, Principal
from shared.access.needs import PULL_ABAC, VAULT_PERMISSIONS
from shared.access.permissions import RoleAssignment
from shared.access.reliance import TakingBack, relied_on
from shared.access.scope import Scope
from shared.access.undo_steps import Done, Step

RUN = guid("run")
C1, C2, STRANGER = sai("cpu1"), sai("cpu2"), sai("stranger")
COMPUTE = WORKSPACE.child("computes", "cpu1")
PULLS = assigned(C1, "AcrPull", REGISTRY)
ALL_RULES = terms()


def _going(one: RoleAssignment, before: str = "") -> Step:
    """A run made the assignment; `before` says whether the admin user was on then."""
    at = Scope.parse(one.id)
    done = Done(RUN, "r", (), WORKSPACE, one.principal_id, one.role_id, at, one.scope, before=before)
    return Step(done, Removal(at, one.scope, one.principal_id, one.role_id, WORKSPACE, "r", (), "why", "s"), "why")


def _turning_on(where: Scope, name: Property = Property.ADMIN_USER) -> Step:
    done = Done(RUN, "r", (), where, "", setting=name, before="true", after="false")
    return Step(done, _change(where, name), "why")


def _change(where: Scope, name: Property = Property.ADMIN_USER) -> Setting:
    return Setting(where, name, "false", "true", "r", (), "why", "s")


def _seen(*held: RoleAssignment, **more: Any) -> Estate:
    return estate(workspace(cluster("cpu1", C1), cluster("cpu2", C2), storage=None), held=held, **more)


def _relied(steps: Iterable[Step], *estates: Estate, served: Iterable[Scope] = ()) -> dict[str, tuple[str, ...]]:
    return relied_on(TakingBack(tuple(steps), frozenset(served)), estates, ALL_RULES)


class TestGrants:
    def test_who_holds_something_through_it_would_lack_it(self) -> None:
        going = _going(PULLS)
        ((action_id, (why,)),) = _relied([going], _seen(PULLS)).items()
        assert action_id == going.done.action_id
        assert why.startswith("cpu1 ")
        assert why.endswith("(compute-pull)")

    def test_for_whom_it_was_made_is_no_reason_to_keep_it(self) -> None:
        assert _relied([_going(PULLS)], _seen(PULLS), served=[COMPUTE]) == {}
        assert _relied([_going(PULLS)], _seen(PULLS), served=[WORKSPACE.child("computes", "cpu2")])

    def test_what_is_held_otherwise_is_not_lacked(self) -> None:
        assert _relied([_going(PULLS)], _seen(PULLS, assigned(C1, "Reader", GROUP))) == {}

    def test_what_is_not_held_now_is_not_lost(self) -> None:
        denies = [denied("*/pull/read", at=REGISTRY)]
        assert _relied([_going(PULLS)], _seen(PULLS, denies=denies)) == {}

    def test_what_does_not_go_is_not_missed(self) -> None:
        assert _relied([], _seen(PULLS)) == {}
        assert _relied([_going(assigned(C2, "AcrPull", REGISTRY))], _seen(PULLS)) == {}

    def test_ids_are_compared_in_any_case(self) -> None:
        shouted = replace(PULLS, id=PULLS.id.upper().replace("/SUBSCRIPTIONS", "/subscriptions"))
        assert _relied([_going(PULLS)], _seen(shouted))

    def test_of_two_that_give_it_either_is_enough(self) -> None:
        """Whichever of them stays, the other one may go."""
        above = assigned(C1, "Reader", GROUP)
        both = [_going(PULLS), _going(above)]
        assert _relied(both, _seen(PULLS, above)).keys() == {one.done.action_id for one in both}

    def test_what_has_nothing_to_do_with_it_may_go_besides(self) -> None:
        other = assigned(C1, "AzureML Metrics Writer (preview)", WORKSPACE)
        going = _going(PULLS)
        assert _relied([going, _going(other)], _seen(PULLS, other)).keys() == {going.done.action_id}

    def test_of_two_halves_each_is_missed(self) -> None:
        halves = [custom(data=[one.action]) for one in PULL_ABAC.permissions]
        held = [assigned(C1, half, REGISTRY) for half in halves]
        seen = estate(workspace(cluster("cpu1", C1), storage=None), registry(abac=True), held=held, roles=halves)
        going = [_going(one) for one in held]
        assert len(going) > 1
        assert _relied(going, seen).keys() == {one.done.action_id for one in going}

    def test_each_reason_is_said_once(self) -> None:
        group = assigned("pullers", "AcrPull", REGISTRY)
        seen = _seen(group, groups={"pullers": [C1, C2]})
        (said,) = _relied([_going(group)], seen, seen).values()
        assert [why.split(" ")[0] for why in said] == ["cpu1", "cpu2"]


class TestWhereNobodyCanTell:
    """At what may not be read, everything that was granted for it counts as needed."""

    CLOSED = frozenset({REGISTRY})

    def test_the_very_grant_is_kept(self) -> None:
        going = _going(PULLS)
        assert _relied([going], _seen(blind=self.CLOSED)).keys() == {going.done.action_id}

    @pytest.mark.parametrize(
        "other",
        [
            assigned(STRANGER, "AcrPull", REGISTRY),
            assigned(C1, "AcrPush", REGISTRY),
            assigned(C1, "AcrPull", registry_id("other")),
        ],
        ids=["to another", "of another role", "elsewhere"],
    )
    def test_another_is_not(self, other: RoleAssignment) -> None:
        assert _relied([_going(other)], _seen(blind=self.CLOSED)) == {}

    def test_the_case_of_an_object_id_does_not_matter(self) -> None:
        loud = Principal(C1.id.upper(), "cpu1")
        seen = estate(workspace(cluster("cpu1", loud), storage=None), blind=self.CLOSED)
        assert _relied([_going(PULLS)], seen)


class TestAdminUser:
    """Whoever was served while the admin user was on needs the grant once it is off."""

    def _relied(self, *more: Step, on: bool = False, before: str = "true") -> dict[str, tuple[str, ...]]:
        seen = estate(workspace(cluster("cpu1", C1), storage=None), registry(admin_user=on), held=[PULLS])
        return _relied([_going(PULLS, before), *more], seen, served=[COMPUTE])

    def test_that_is_off_leaves_nothing_to_fall_back_on(self) -> None:
        ((why,),) = self._relied().values()
        assert why.startswith("cpu1 ")
        assert why.endswith(", and the admin user of acrml is off")
        assert self._relied(before="")

    def test_that_is_on_does(self) -> None:
        assert self._relied(on=True) == {}

    def test_that_was_off_before_was_nothing_to_fall_back_on_then(self) -> None:
        assert self._relied(before="false") == {}

    def test_that_is_turned_on_again_by_the_same_undo_does(self) -> None:
        assert self._relied(_turning_on(REGISTRY)) == {}

    def test_of_another_registry_does_not(self) -> None:
        assert self._relied(_turning_on(registry_id("other")))
        assert self._relied(_turning_on(REGISTRY, Property.CACHED_KEYS))


def test_each_kind_of_setting_is_known() -> None:
    policy = Step(_turning_on(VAULT).done, replace(_change(VAULT), name=Property.ACCESS_POLICY), "why")
    taking = TakingBack((_going(PULLS), _turning_on(REGISTRY), policy, replace(policy, action=None)), frozenset())
    assert [step for step, _ in taking.policies] == [policy]
    assert taking.coming_on == {REGISTRY}


class TestAccessPolicies:
    ME = uai("mlw-id")
    SECRETS = frozenset({"secrets/get", "secrets/list"})

    def _seen(self, holds: frozenset[str] = VAULT_PERMISSIONS, **others: frozenset[str]) -> Estate:
        policies = {self.ME.id: holds, **{guid(name): held for name, held in others.items()}}
        return estate(uai_workspace(), vault(rbac=False, policies=policies))

    def _losing(
        self, who: str = "", where: Scope = VAULT, added: frozenset[str] = frozenset(VAULT_PERMISSIONS)
    ) -> Step:
        who = who or self.ME.id
        done = Done(
            RUN,
            "r",
            (),
            where,
            who,
            setting=Property.ACCESS_POLICY,
            before="absent",
            after="present",
            added=added,
        )
        change = Setting(where, Property.ACCESS_POLICY, "present", "absent", "r", (), "why", "s")
        return Step(done, change, "why")

    def test_the_workspaces_identity_would_lack_what_goes(self) -> None:
        step = self._losing(self.ME.id.upper())
        ((action_id, (why,)),) = _relied([step], self._seen()).items()
        assert action_id == step.done.action_id
        assert why.endswith("(workspace-vault-policies)")

    def test_the_workspace_for_which_it_was_made_is_no_reason(self) -> None:
        assert _relied([self._losing()], self._seen(), served=[WORKSPACE]) == {}
        assert _relied([self._losing()], self._seen(), served=[COMPUTE]) == {}
        assert _relied([self._losing()], self._seen(), served=[STORAGE])

    def test_what_it_lacks_already_is_not_lost(self) -> None:
        assert _relied([self._losing()], self._seen(VAULT_PERMISSIONS - self.SECRETS)) == {}

    def test_what_it_does_not_need_may_go(self) -> None:
        """Only the secrets say whether there is something to do."""
        assert _relied([self._losing(added=frozenset({"keys/get"}))], self._seen()) == {}
        assert _relied([self._losing(added=self.SECRETS)], self._seen())

    def test_what_another_loses_it_keeps(self) -> None:
        assert _relied([self._losing(guid("other"))], self._seen(other=VAULT_PERMISSIONS)) == {}
        assert _relied([self._losing(guid("unknown"))], self._seen()) == {}

    def test_a_vault_that_is_not_at_hand_says_nothing_of_the_next(self) -> None:
        far = resource("Microsoft.KeyVault/vaults", "far")
        assert _relied([self._losing(where=far)], self._seen()) == {}
        assert len(_relied([self._losing(where=far), self._losing()], self._seen())) == 1
