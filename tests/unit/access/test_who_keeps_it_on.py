"""Who uses a registry, in the words that people read, and what a switch-off waits for."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from unit.build import (
    GROUP,
    NOW,
    REGISTRY,
    SUBSCRIPTION,
    WORKSPACE,
    assigned,
    cluster,
    estate,
    registry,
    registry_id,
    sai,
    terms,
    workspace,
)

from shared.access.actions import Grant
from shared.access.admin_user import Delay, about_to_be_known, keeping, not_settled, reasons, unread
from shared.access.ask_rules import WorkspaceAsks, ask_all
from shared.access.asks import Cover, NotReady, Property, RegistryUser, RequiredGrant, RequiredSetting, UserKind
from shared.access.evidence import admin_logins
from shared.access.guards import Guard, RuleName
from shared.access.model import Estate, Unreadable, Want
from shared.access.needs import BUILD, CONTROL_REGISTRY, PULL, Need
from shared.access.preferences import Preferences
from shared.access.registry_users import registry_users
from shared.access.registry_users import unread as to_be_read
from shared.access.rules import RULES
from shared.access.rules.builders import UNCOVERED_BUILDER
from shared.access.rules.rule import Rule
from shared.access.scope import Scope

C1 = sai("cpu")
COMPUTE = WORKSPACE.child("computes", "cpu1")
OTHER = registry_id("other")
RULE = RULES[0]
MINUTE = timedelta(minutes=1)


def _ask(need: Need = PULL, scope: Scope = REGISTRY, requirement: str = "AML-18") -> tuple[Rule, RequiredGrant]:
    return RULE, RequiredGrant(C1, need, scope, COMPUTE, (requirement,), "it pulls")


def _asked(
    *grants: tuple[Rule, RequiredGrant], users: Sequence[RegistryUser] = (), not_ready: Sequence[NotReady] = ()
) -> WorkspaceAsks:
    return WorkspaceAsks(workspace(), grants, (), (), (), (), tuple(not_ready), tuple(users))


def _seen(*held: Any, **more: Any) -> Estate:
    return estate(workspace(cluster("cpu1", C1)), registry(), held=held, **more)


def _user(kind: UserKind = UserKind.SERVICE, *, label: str = "an app", **more: Any) -> RegistryUser:
    said = {"source": "s", "reason": "signs in with it", "guard": RuleName("services")}
    return RegistryUser(REGISTRY, kind, label, GROUP, more.pop("cover", Cover.UNCOVERED), **said | more)


class TestIdentities:
    def _only(self, seen: Estate, *asks: tuple[Rule, RequiredGrant], grants: Sequence[Grant] = ()) -> RegistryUser:
        (one,) = registry_users(REGISTRY, [_asked(*asks)], grants, seen)
        assert one.registry == REGISTRY
        return one

    def test_who_holds_it_is_covered_and_people_read_through_which_roles(self) -> None:
        one = self._only(_seen(assigned(C1, "Reader", GROUP)), _ask(), _ask(requirement="AML-13"))
        assert (one.cover, one.label, one.reason) == (Cover.COVERED, "cpu (cpu1)", "holds Reader")
        assert (one.source, one.resource, one.pending) == (COMPUTE.resource_type, COMPUTE, False)

    def test_who_lacks_it_is_not(self) -> None:
        one = self._only(_seen(), _ask())
        assert (one.cover, one.guard, one.pending) == (Cover.UNCOVERED, Guard.UNCOVERED_PULLER, False)
        assert one.reason == "lacks AcrPull (pull images)"

    def test_who_is_about_to_get_it_waits(self) -> None:
        grant = Grant(C1, PULL, REGISTRY, COMPUTE, "r", (), "why", "s")
        one = self._only(_seen(), _ask(), grants=[grant])
        assert (one.cover, one.pending, one.since) == (Cover.UNCOVERED, True, NOW)
        assert one.reason == "lacks AcrPull (pull images), which amlguard is about to grant"

    def test_of_a_closed_registry_nobody_can_tell(self) -> None:
        one = self._only(_seen(assigned(C1, "AcrPull", REGISTRY), blind=frozenset({REGISTRY})), _ask())
        assert one.cover is Cover.UNKNOWN

    def test_a_builder_has_a_word_of_its_own(self) -> None:
        one = self._only(_seen(), _ask(BUILD, requirement="AML-83"))
        assert (one.kind, one.guard) == (UserKind.BUILDER, UNCOVERED_BUILDER)

    @pytest.mark.parametrize(
        ("requirement", "kind"),
        [
            ("AML-18", UserKind.PULLER),
            ("AML-30", UserKind.KUBELET),
            ("AML-94", UserKind.KUBELET),
            ("AML-72", UserKind.SERVERLESS),
            ("AML-84", UserKind.SERVERLESS),
            ("AML-83", UserKind.BUILDER),
        ],
    )
    def test_what_it_is_needed_for_says_who_it_is(self, requirement: str, kind: UserKind) -> None:
        assert self._only(_seen(), _ask(requirement=requirement)).kind is kind

    def test_the_age_of_a_grant_has_whole_seconds(self) -> None:
        at = NOW.replace(microsecond=999_999)
        assert self._only(_seen(assigned(C1, "AcrPull", REGISTRY, on=at)), _ask()).since == NOW

    def test_a_grant_of_which_nobody_knows_the_age_is_an_old_one(self) -> None:
        pulls, builds = assigned(C1, "AcrPull", REGISTRY, on=None), assigned(C1, "Contributor", REGISTRY)
        one = self._only(_seen(pulls), _ask())
        assert (one.cover, one.since) == (Cover.COVERED, None)
        other = self._only(_seen(pulls, builds), _ask(requirement="AML-83"), _ask(BUILD, requirement="AML-83"))
        assert (other.cover, other.since) == (Cover.COVERED, builds.created_on)

    def test_what_they_do_elsewhere_or_otherwise_does_not_make_them_users(self) -> None:
        assert registry_users(REGISTRY, [_asked(_ask(scope=OTHER), _ask(CONTROL_REGISTRY))], (), _seen()) == ()


class TestTheOthers:
    def test_a_user_of_another_registry_is_none_of_this_one(self) -> None:
        mine, theirs = _user(), replace(_user(), registry=OTHER)
        assert registry_users(REGISTRY, [_asked(users=(mine, theirs))], (), _seen()) == (mine,)

    def test_what_is_being_made_will_be_known(self) -> None:
        (one,) = registry_users(REGISTRY, [_asked(not_ready=[NotReady(COMPUTE, "being created")])], (), _seen())
        assert (one.label, one.cover, one.pending, one.reason) == ("cpu1", Cover.UNKNOWN, True, "being created")
        assert (one.registry, one.resource, one.source) == (REGISTRY, COMPUTE, COMPUTE.resource_type)

    @pytest.mark.parametrize("subject", [registry(), None])
    def test_nobody_signs_in_as_an_admin_user_that_is_off(self, subject: Any) -> None:
        seen = estate(workspace(), *([subject] if subject else []))
        assert registry_users(REGISTRY, [_asked()], (), seen) == ()


class TestSignIns:
    """What the registry's own log tells."""

    WANT = admin_logins(REGISTRY, 30)

    def _user(self, fact: Any, **preferences: Any) -> RegistryUser:
        seen = replace(estate(workspace(), registry(admin_user=True)), preferences=Preferences(**preferences))
        facts = {**seen.facts, self.WANT: fact} if fact is not None else {}
        (one,) = registry_users(REGISTRY, [_asked()], (), replace(seen, facts=facts))
        assert (one.kind, one.label, one.resource) == (UserKind.SIGN_IN, "acrml's own name", REGISTRY)
        assert one.registry == REGISTRY
        assert one.source == "ContainerRegistryLoginEvents"
        return one

    def test_nobody(self) -> None:
        one = self._user(())
        assert (one.cover, one.reason) == (Cover.COVERED, "nobody signed in as the admin user in the last 30 days")

    def test_not_read_yet(self) -> None:
        one = self._user(None)
        assert (one.cover, one.wants, one.reason) == (Cover.UNKNOWN, (self.WANT,), "the logs were not read yet")

    def test_unreadable(self) -> None:
        one = self._user(Unreadable.FORBIDDEN)
        assert (one.cover, one.counts) == (Cover.UNKNOWN, False)
        assert one.reason == "the logs that would show who signs in to acrml as the admin user could not be read"

    def test_unreadable_where_the_policy_wants_evidence(self) -> None:
        one = self._user(Unreadable.FORBIDDEN, evidence_required=True)
        assert (one.cover, one.counts, one.guard) == (Cover.UNKNOWN, True, Guard.NO_EVIDENCE)
        assert one.reason.startswith("the policy requires evidence (evidence: {required: true}), and the logs that")
        assert "set AMLGUARD_LOG_WORKSPACE_ID" in one.reason

    def test_somebody(self) -> None:
        one = self._user(({"Logins": 3, "Last": "2026-11-01T10:20:30Z"},))
        assert (one.cover, one.guard) == (Cover.UNCOVERED, Guard.ADMIN_LOGIN)
        assert "3 times in the last 30 days, last at 2026-11-01 10:20 UTC" in one.reason
        assert 'where Identity =~ "acrml"' in one.reason


class TestWhatIsReadNext:
    WANT = (Want(SUBSCRIPTION, "x"),)

    def test_what_costs_most_comes_last(self) -> None:
        service, log, builder = (
            _user(kind, cover=Cover.UNKNOWN, wants=self.WANT)
            for kind in (UserKind.SERVICE, UserKind.SIGN_IN, UserKind.BUILDER)
        )
        assert unread([builder, log, service]) == [service]
        assert unread([builder, log]) == [log]
        assert unread([builder]) == [builder]
        assert unread([]) == []

    def test_only_who_may_need_it_and_of_whom_something_can_be_read(self) -> None:
        covered = _user(cover=Cover.COVERED, wants=self.WANT)
        listed = _user(cover=Cover.UNKNOWN, wants=self.WANT, counts=False)
        asked = _user(cover=Cover.UNKNOWN, wants=self.WANT)
        assert unread([covered, listed, _user(), asked]) == [asked]
        assert keeping([covered, listed, _user(), asked, _user(pending=True)]) == [_user()]


def test_what_must_still_be_read_is_what_users_of_the_registry_name() -> None:
    def wants(seen: Estate) -> set[Want]:
        return to_be_read(ask_all(seen, terms()), seen)

    wanted = wants(replace(estate(workspace(cluster("cpu1", C1)), registry(admin_user=True)), facts={}))
    assert admin_logins(REGISTRY, 30) in wanted
    assert Want(SUBSCRIPTION, "Microsoft.App/containerApps") in wanted
    assert wants(estate(workspace(), registry(admin_user=True))) == set()
    assert wants(estate(workspace(registry=None))) == set()


def test_the_reason_joins_those_who_are_kept_by_the_same() -> None:
    pullers = [_user(UserKind.PULLER, label=one, reason="lacks it", guard=Guard.UNCOVERED_PULLER) for one in "ab"]
    services = [_user(reason="chat signs in"), _user(reason="mail signs in")]
    assert reasons([*pullers, *services], REGISTRY) == (
        "cannot pull from acrml without the admin user yet: a lacks it, b lacks it; chat signs in; mail signs in"
    )


def test_builders_are_spoken_of_as_such() -> None:
    builder = _user(UserKind.BUILDER, label="ws", reason="lacks it", guard=UNCOVERED_BUILDER)
    assert reasons([builder], REGISTRY) == (
        "cannot build images and push them to acrml without the admin user yet: ws lacks it"
    )


def test_what_will_soon_be_known_is_looked_at_again_in_a_minute() -> None:
    soon = _user(cover=Cover.UNKNOWN, pending=True, reason="being created")
    assert about_to_be_known([_user(pending=True), _user(cover=Cover.UNKNOWN), soon], _seen()) == Delay(
        NOW + MINUTE, "being created"
    )
    assert about_to_be_known([_user(pending=True), _user(cover=Cover.UNKNOWN)], _seen()) is None


class TestSettling:
    OFF = RequiredSetting(REGISTRY, Property.ADMIN_USER, "true", "false", ("AML-20",), "why")

    def _until(self, *users: RegistryUser, minutes: float = 15, made: Any = None, by_aml: bool = False) -> Any:
        setting = replace(self.OFF, requirements=("AML-21",)) if by_aml else self.OFF
        seen = estate(workspace(), registry(created_on=made))
        delay = not_settled(setting, users, seen, terms(settle=minutes * MINUTE))
        return delay and (delay.until - NOW, delay.reason)

    def test_nothing_to_wait_for(self) -> None:
        assert self._until() is None
        assert self._until(_user(since=None)) is None
        assert self._until(_user(since=NOW - 15 * MINUTE)) is None

    def test_the_newest_grant(self) -> None:
        reason = "grants must be 1.5 min old before the admin user of acrml goes off"
        young, old = _user(since=NOW - MINUTE), _user(since=NOW - 9 * MINUTE)
        assert self._until(old, young, minutes=1.5) == (MINUTE / 2, reason)

    def test_a_grant_that_is_only_planned_waits_for_another_run_whatever_the_policy_says(self) -> None:
        until, reason = self._until(_user(pending=True), minutes=0)
        assert until == timedelta(seconds=1)
        assert reason.startswith("grants must be 0 min old")
        assert self._until(_user(), minutes=0) is None

    def test_a_registry_that_aml_made(self) -> None:
        made = NOW - 5 * MINUTE
        assert self._until(made=made) is None
        assert self._until(made=made, by_aml=True)[0] == 10 * MINUTE
