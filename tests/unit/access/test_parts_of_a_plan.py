"""What else a plan says beside grants: what is held and through whom, what is unknown, and what it would set."""

from dataclasses import replace
from datetime import timedelta

import pytest
from unit.build import (
    GROUP,
    NOW,
    REGISTRY,
    VAULT,
    WORKSPACE,
    assigned,
    cluster,
    denied,
    estate,
    guards,
    registry,
    sai,
    settings,
    terms,
    uai_workspace,
    vault,
    workspace,
)

from shared.access.actions import Plan, Setting, Wait
from shared.access.ask_rules import ask_rules
from shared.access.asks import Property
from shared.access.model import Estate
from shared.access.own_assignments import description
from shared.access.plan import plan
from shared.access.terms import RuleMode, RuleTerms, Terms

C1, C2 = sai("cpu1"), sai("cpu2")
RUN = "11111111-2222-4333-8444-555555555555"
TWO = workspace(cluster("cpu1", C1), cluster("cpu2", C2), storage=None)
PULLS = [assigned(one, "AcrPull", REGISTRY) for one in (C1, C2)]


def test_each_need_that_is_held_is_counted() -> None:
    assert plan(estate(TWO, registry(), held=PULLS, aml=False), terms()).satisfied == 2
    assert plan(estate(TWO, registry(), held=PULLS[:1], aml=False), terms()).satisfied == 1


def test_what_is_held_through_amlguard_is_known() -> None:
    mine = replace(PULLS[0], description=description("compute-pull", ("AML-18",), RUN, WORKSPACE, None))
    (one,) = plan(estate(TWO, registry(), held=[mine, PULLS[1]]), terms()).leaning
    assert (one.grant.principal, one.grant.scope, one.runs) == (C1, REGISTRY, frozenset({RUN}))


def test_what_does_not_exist_is_known() -> None:
    assert plan(estate(TWO, registry(), missing={VAULT}), terms()).missing == {VAULT}


class TestDoubts:
    """Nobody can tell whether it is held: it is neither granted nor called missing."""

    def _seen(self, *, deny: bool = False) -> Estate:
        seen = estate(TWO, registry(), held=PULLS[1:], denies=[denied("*/pull/read")] if deny else [])
        doubtful = replace(PULLS[0], doubt="nobody can read who is in the group")
        return replace(seen, access={**seen.access, C1.id: replace(seen.access[C1.id], doubts=(doubtful,))})

    def _plan(self, said: Terms, *, deny: bool = False) -> Plan:
        made = plan(self._seen(deny=deny), said)
        assert made.grants == ()
        return made

    def test_is_said_as_unknown(self) -> None:
        (one,) = self._plan(terms()).unknown
        assert one.what == f"whether cpu1 holds AcrPull on {REGISTRY}"
        assert one.reason == "nobody can read who is in the group"
        assert one.resource == WORKSPACE.child("computes", "cpu1")

    def test_is_silent_where_the_policy_turned_the_rule_off(self) -> None:
        assert self._plan(terms(off=["compute-pull"])).unknown == ()

    def test_does_not_matter_where_a_deny_takes_it_away_for_certain(self) -> None:
        made = self._plan(terms(), deny=True)
        assert (made.unknown, guards(made)) == ((), {"deny-assignment"})


def test_what_is_being_made_is_looked_at_again_in_a_minute() -> None:
    (one,) = plan(estate(workspace(cluster("cpu1", ready=False), storage=None), registry()), terms()).deferred
    assert one.until == NOW + timedelta(minutes=1)
    assert "cpu1" in one.reason
    assert one.action.resource == WORKSPACE.child("computes", "cpu1")


class TestSettings:
    SEEN = estate(
        uai_workspace(storage=None, app_insights=None),
        vault(rbac=False),
        registry(admin_user=True),
        held=[assigned(sai("x"), "Reader", GROUP)],
    )

    def test_what_the_policy_does_not_let_it_set_is_a_finding(self) -> None:
        quiet = ["AML-03", "AML-08", "AML-83", "AML-72", "AML-84"]
        made = plan(self.SEEN, terms(off=quiet))
        (one,) = [one for one in made.findings if one.resource == VAULT and "accessPolicies" in one.message]
        assert one.message.startswith(
            "mlw-id must administer keys, secrets and certificates of kvml (accessPolicies: miss"
        )
        assert one.remedy == "Let amlguard do it: rules: {AML-07: {enabled: true}} in the policy"
        assert (one.rule, one.severity) == ("workspace-vault-policies", "medium")

    def test_who_turned_it_off_hears_nothing(self) -> None:
        made = plan(self.SEEN, terms(off=["AML-07"]))
        assert not any("accessPolicies" in one.message for one in made.findings)

    def test_an_access_policy_says_for_which_workspace_it_is(self) -> None:
        made = plan(self.SEEN, terms(on=["AML-07"]))
        assert ("kvml", "accessPolicies", "every permission except purge") in settings(made)
        every = [*made.settings, *(one.action for one in made.withheld), *(one.action for one in made.deferred)]
        needed = {str(one.name): one.needed_by for one in every if isinstance(one, Setting)}
        assert needed["accessPolicies"] == WORKSPACE
        assert needed["adminUserEnabled"] is None

    @pytest.mark.parametrize("name", [Property.ACCESS_POLICY, Property.ADMIN_USER])
    def test_a_setting_says_what_the_rule_asks_for_and_which_rule_that_is(self, name: Property) -> None:
        said = terms(on=["AML-07"])
        rule, ask = next(
            each for each in ask_rules(self.SEEN.subject, self.SEEN, said).settings if each[1].name is name
        )
        made = plan(self.SEEN, said)
        every = [*made.settings, *(one.action for one in made.withheld), *(one.action for one in made.deferred)]
        (one,) = [one for one in every if isinstance(one, Setting) and one.name is name]
        assert (one.resource, one.current, one.to, one.reason) == (ask.resource, ask.current, ask.to, ask.reason)
        assert (one.rule, one.requirements, one.source) == (rule.name, ask.requirements, rule.source)
        assert (one.principal, one.adds) == (ask.principal, ask.adds)
        assert bool(one.adds) is (name is Property.ACCESS_POLICY)

    def test_turning_off_another_requirement_of_the_rule_changes_nothing(self) -> None:
        by_aml = registry(admin_user=True, created_on=NOW - timedelta(hours=1))
        seen = estate(workspace(created_on=NOW - timedelta(days=9)), by_aml)
        (ask,) = [one for _, one in ask_rules(seen.subject, seen, terms()).settings if one.name is Property.ADMIN_USER]
        assert ask.requirements == ("AML-21",)
        assert Property.ADMIN_USER in {one.name for one in plan(seen, terms(off=["AML-22"])).settings}
        assert Property.ADMIN_USER not in {one.name for one in plan(seen, terms(off=["AML-21"])).settings}

    def test_what_a_person_released_is_the_very_setting_that_was_withheld(self) -> None:
        seen = estate(workspace(), registry(admin_user=True))
        awaiting = terms()
        awaiting = replace(awaiting, rules={**awaiting.rules, "registry-admin-user": RuleTerms(mode=RuleMode.APPROVE)})
        (kept,) = plan(seen, awaiting).withheld
        assert kept.refusal.guard == "approval"
        released = replace(awaiting, approved=frozenset({kept.action.action_id}))
        assert kept.action in plan(seen, released).settings

    def test_what_waits_says_why(self) -> None:
        seen = estate(workspace(cluster("cpu1", C1)), registry(admin_user=True))
        (one,) = [one for one in plan(seen, terms()).deferred if isinstance(one.action, Setting)]
        assert "acrml" in one.reason

    def test_what_waits_and_what_is_being_made_are_both_there(self) -> None:
        """The admin user, and a cluster in the way that it is made; a grant is no removal."""
        seen = estate(workspace(cluster("cpu1", C1), cluster("cpu2", ready=False)), registry(admin_user=True))
        made = plan(seen, terms())
        assert [type(one.action) for one in made.deferred] == [Setting, Wait]
        assert (bool(made.grants), made.removals) == (True, ())

    def test_advice_says_of_which_needs_it_is(self) -> None:
        """An event that is about one of them only must not repeat what it says of the others."""
        made = plan(self.SEEN, terms())
        (one,) = [each for each in made.findings if "AML-08" in each.requirements]
        assert one.needs
        assert all(each.scope == REGISTRY for each in one.needs)

    def test_a_finding_about_one_setting_stays_whatever_is_said_of_the_next(self) -> None:
        made = plan(self.SEEN, terms(off=["registry-admin-user"]))
        assert any("accessPolicies" in one.message for one in made.findings)

    def test_the_order_of_the_rules_does_not_matter(self) -> None:
        for said in (terms(on=["AML-07"]), terms(on=["AML-07"], off=["registry-admin-user"])):
            turned = replace(said, table=said.table[::-1])
            assert set(settings(plan(self.SEEN, turned))) == set(settings(plan(self.SEEN, said)))
            assert guards(plan(self.SEEN, turned)) == guards(plan(self.SEEN, said))

    @pytest.mark.parametrize("off", ["AML-07", "AML-20"])
    def test_one_setting_that_is_off_does_not_stop_the_next(self, off: str) -> None:
        said = terms(off=[off, "AML-21"], on=["AML-07"] if off != "AML-07" else [])
        names = {one[1] for one in settings(plan(self.SEEN, said))}
        assert names == ({"accessPolicies"} if off == "AML-20" else set())
