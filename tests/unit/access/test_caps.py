"""How many changes an hour allows, and what a plan is without those that it does not."""

import pytest
from unit.build import REGISTRY, STORAGE, VAULT, WORKSPACE, sai

from shared.access.actions import Grant, Plan, Refusal, Removal, Setting, Withheld
from shared.access.asks import Property
from shared.access.caps import Change, Spent, allot, counted, target, with_what_follows, without
from shared.access.guards import Guard
from shared.access.needs import PULL, READ_BLOBS
from shared.access.scope import Scope
from shared.access.terms import Caps

C1, C2 = sai("cpu1"), sai("cpu2")
OFF = Setting(REGISTRY, Property.ADMIN_USER, "true", "false", "r", (), "why", "s")
RESYNC = Setting(WORKSPACE, Property.CACHED_KEYS, "cached", "resynced", "r", (), "why", "s")
POLICY = Setting(VAULT, Property.ACCESS_POLICY, "absent", "present", "r", (), "why", "s", C1)
PULLS, PULLS_TOO = (Grant(who, PULL, REGISTRY, WORKSPACE, "r", (), "why", "s") for who in (C1, C2))
READS = Grant(C1, READ_BLOBS, STORAGE, WORKSPACE, "r", (), "why", "s")
GOES = Removal(
    STORAGE.child("providers", "Microsoft.Authorization", "roleAssignments", "x"),
    STORAGE,
    C2.id,
    READ_BLOBS.role_id,
    WORKSPACE,
    "r",
    (),
    "why",
    "s",
)
NOT_NOW = Refusal(Guard.CAP_HOUR, "not now")


@pytest.mark.parametrize(
    ("one", "where", "counts"),
    [(PULLS, REGISTRY, True), (GOES, STORAGE, True), (OFF, REGISTRY, True), (RESYNC, WORKSPACE, False)],
    ids=["grant", "removal", "switch-off", "resync"],
)
def test_where_a_change_counts(one: Change, where: Scope, counts: bool) -> None:
    assert (target(one), counted(one)) == (where, counts)


def test_within_the_caps_everything_is_spent_where_it_is_made() -> None:
    spent, refusals = allot(Spent(1, {STORAGE.key: 1}), [PULLS, RESYNC, OFF, READS], Caps(), "13:00")
    assert refusals == {}
    assert spent == Spent(4, {STORAGE.key: 2, REGISTRY.key: 2})


def test_an_hour_allows_so_many() -> None:
    spent, refusals = allot(Spent(), [PULLS, PULLS_TOO, READS], Caps(per_hour=2), "13:00")
    assert spent.total == 2
    assert refusals.keys() == {READS.action_id}
    assert refusals[READS.action_id].guard == Guard.CAP_HOUR
    assert refusals[READS.action_id].reason == (
        "the policy allows 2 changes an hour (caps: {per_hour: 2}); after 13:00 amlguard goes on"
    )


def test_an_hour_allows_so_many_at_one_scope() -> None:
    spent, refusals = allot(Spent(), [PULLS, PULLS_TOO, OFF, READS, GOES], Caps(per_target=2), "13:00")
    assert spent == Spent(4, {REGISTRY.key: 2, STORAGE.key: 2})
    assert refusals.keys() == {OFF.action_id}
    assert refusals[OFF.action_id].guard == Guard.CAP_TARGET
    assert refusals[OFF.action_id].reason == (
        "the policy allows 2 changes an hour at acrml (caps: {per_target: 2}); after 13:00 amlguard goes on"
    )


class TestAPlanWithout:
    MADE = Plan(grants=(PULLS, READS), settings=(POLICY, OFF, RESYNC), removals=(GOES,))

    def test_the_switch_off_has_no_resyncs_either(self) -> None:
        refusals = with_what_follows(self.MADE, {OFF.action_id: NOT_NOW})
        assert refusals == {OFF.action_id: NOT_NOW, RESYNC.action_id: NOT_NOW}

    def test_something_else_resyncs_all_the_same(self) -> None:
        other = {PULLS.action_id: NOT_NOW}
        assert with_what_follows(self.MADE, other) == other
        assert with_what_follows(Plan(grants=(PULLS,)), other) == other

    @pytest.mark.parametrize("one", [PULLS, OFF, GOES], ids=["a grant", "a setting", "a removal"])
    def test_what_was_refused_shows_it_as_withheld(self, one: Grant | Setting | Removal) -> None:
        left = without(self.MADE, {one.action_id: NOT_NOW})
        assert left.withheld == (Withheld(one, NOT_NOW),)
        assert set(left.actions) == set(self.MADE.actions) - {one}

    def test_nothing_is_the_plan(self) -> None:
        assert without(self.MADE, {}) == self.MADE
