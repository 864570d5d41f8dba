"""What an attacker may name in their own workspace, and that amlguard lends its hand to none of it."""

from dataclasses import replace

import pytest
from unit.build import (
    FOREIGN,
    GROUP,
    INSIGHTS,
    OTHER_SUBSCRIPTION,
    REGISTRY,
    STORAGE,
    SUBSCRIPTION,
    TENANT,
    VAULT,
    cluster,
    connection,
    estate,
    granted,
    guid,
    identity,
    registry,
    registry_id,
    sai,
    terms,
    uai,
    uai_workspace,
    vault,
    workspace,
    workspace_id,
)

from shared.access.actions import Plan
from shared.access.permissions import Access
from shared.access.plan import plan
from shared.access.preferences import People
from shared.access.scope import Scope
from shared.access.terms import Boundary

C1 = sai("mlw/computes/cpu1")
ABROAD = registry_id("abroad", OTHER_SUBSCRIPTION.child("resourceGroups", "rg"))
EVERYTHING = ("AML-10", "AML-75")


def guards(made: Plan) -> set[str]:
    return {one.refusal.guard for one in made.withheld}


class TestKinds:
    """A dependency of another kind, a whole resource group or a subscription, is granted on by nobody."""

    @pytest.mark.parametrize(
        "lie", [GROUP, SUBSCRIPTION, STORAGE, VAULT, REGISTRY.child("scopeMaps", "x"), REGISTRY.child("tokens", "x")]
    )
    def test_what_is_no_registry_is_pulled_from_by_nobody(self, lie: Scope) -> None:
        made = plan(estate(workspace(cluster("cpu1", C1), registry=lie)), terms(boundary=Boundary.SUBSCRIPTION))
        assert made.grants == ()
        assert guards(made) == {"target-type"}

    @pytest.mark.parametrize("lie", [GROUP, SUBSCRIPTION])
    def test_nor_is_anything_else_that_a_workspace_names(self, lie: Scope) -> None:
        seen = estate(uai_workspace(registry=lie, storage=lie, vault=lie, app_insights=lie))
        made = plan(seen, terms(on=EVERYTHING, boundary=Boundary.SUBSCRIPTION))
        assert {grant.scope for grant in made.grants} == {seen.subject.id}
        assert guards(made) == {"target-type"}

    def test_what_is_of_its_kind_is_granted_on(self) -> None:
        seen = estate(uai_workspace(cluster("cpu1", C1)), registry(), vault(rbac=True))
        made = plan(seen, terms(on=EVERYTHING))
        assert {grant.scope for grant in made.grants} == {seen.subject.id, REGISTRY, STORAGE, VAULT, INSIGHTS}
        assert made.withheld == ()

    def test_a_finding_is_no_command_to_paste_without_a_thought(self) -> None:
        """AML-08 is off: what it would grant is told, and that it should not be granted on this word alone."""
        theirs = registry_id("theirs", FOREIGN)
        (found,) = [
            one for one in plan(estate(uai_workspace(registry=theirs)), terms()).findings if "AML-08" in one.remedy
        ]
        assert found.remedy.startswith("Look twice: theirs lies outside the workspace's resource group")
        (own,) = [one for one in plan(estate(uai_workspace()), terms()).findings if "AML-08" in one.remedy]
        assert own.remedy.startswith("`az role assignment create")


class TestTenants:
    ALLOWED = terms(allow=(ABROAD,))

    def plan(self, **tenants: str) -> Plan:
        known = {SUBSCRIPTION: TENANT, OTHER_SUBSCRIPTION: TENANT}
        known |= {OTHER_SUBSCRIPTION: tenants["other"]} if "other" in tenants else {}
        seen = estate(workspace(cluster("cpu1", C1), registry=ABROAD), registry(ABROAD), tenants=known)
        return plan(seen, self.ALLOWED)

    def test_the_allow_list_opens_a_subscription_of_the_same_tenant(self) -> None:
        assert {scope for _, _, scope in granted(self.plan())} == {"abroad"}

    def test_but_none_of_another(self) -> None:
        made = self.plan(other=guid("another tenant"))
        assert made.grants == ()
        assert guards(made) == {"cross-tenant"}

    def test_nor_one_whose_tenant_is_not_known(self) -> None:
        seen = estate(workspace(cluster("cpu1", C1), registry=ABROAD), registry(ABROAD), tenants={SUBSCRIPTION: TENANT})
        assert guards(plan(seen, self.ALLOWED)) == {"cross-tenant"}

    def test_nor_may_an_identity_come_from_there(self) -> None:
        stranger = uai("stranger", OTHER_SUBSCRIPTION.child("resourceGroups", "rg"))
        tenants = {SUBSCRIPTION: TENANT, OTHER_SUBSCRIPTION: guid("another tenant")}
        allowing = terms(allow=(OTHER_SUBSCRIPTION,))
        seen = estate(workspace(cluster("cpu1", stranger)), registry(), tenants=tenants)
        assert guards(plan(seen, allowing)) == {"cross-tenant"}
        same = estate(workspace(cluster("cpu1", stranger)), registry())
        assert granted(plan(same, allowing)) == {("stranger", "AcrPull", "acrml")}

    def test_nor_get_an_access_policy(self) -> None:
        abroad = OTHER_SUBSCRIPTION.child("resourceGroups", "rg")
        me = uai("stranger", abroad)
        told = terms(on=["AML-07"], allow=(abroad,))
        one = uai_workspace(identity=identity(me), primary=me.resource)
        tenants = {SUBSCRIPTION: TENANT, OTHER_SUBSCRIPTION: guid("another tenant")}
        assert plan(estate(one, registry(), vault(rbac=False), tenants=tenants), told).settings == ()
        assert [s.resource for s in plan(estate(one, registry(), vault(rbac=False)), told).settings] == [VAULT]


class TestConnections:
    """AML-28: only the allow-list opens a registry that a connection names, wherever it is."""

    PRIVATE = registry_id("private")
    SEEN = estate(workspace(cluster("cpu1", C1), connection("p", PRIVATE), registry=None), registry(PRIVATE))

    @pytest.mark.parametrize("boundary", Boundary)
    def test_one_in_the_workspaces_own_group_is_withheld(self, boundary: Boundary) -> None:
        made = plan(self.SEEN, terms(boundary=boundary))
        assert made.grants == ()
        assert guards(made) == {"target-outside-boundary"}

    def test_one_on_the_allow_list_is_not(self) -> None:
        assert granted(plan(self.SEEN, terms(allow=(self.PRIVATE,)))) == {("mlw/computes/cpu1", "AcrPull", "private")}


class TestTags:
    """AML-44 by tag: whoever tags a workspace of their own gives the group a role on that workspace, and no more."""

    GROUP_ID = guid("scientists")
    PEOPLE = (
        People((GROUP_ID,), "f6c7c914-8db3-469d-8ca1-694a8f32e121", "AzureML Data Scientist", (), (("team", "a"),)),
    )
    EVIL = workspace_id("evil", FOREIGN)

    def plan(self, tags: dict[str, str]) -> Plan:
        evil = workspace(
            id=self.EVIL, registry=REGISTRY, raw={"tags": tags, "properties": {"hubResourceId": str(GROUP)}}
        )
        one = estate(evil, registry(), people=self.PEOPLE)
        return plan(
            replace(one, access={**one.access, self.GROUP_ID: Access()}), terms(on=["AML-44"], people=self.PEOPLE)
        )

    def test_the_group_gets_its_role_on_the_tagged_workspace_only(self) -> None:
        groups = [grant for grant in self.plan({"TEAM": "a"}).grants if grant.principal.id == self.GROUP_ID]
        assert {grant.scope for grant in groups} == {self.EVIL}

    @pytest.mark.parametrize("tags", [{}, {"team": "A"}, {"team": "b"}, {"team ": "a"}])
    def test_without_the_tag_it_gets_nothing(self, tags: dict[str, str]) -> None:
        assert [grant for grant in self.plan(tags).grants if grant.principal.id == self.GROUP_ID] == []


def test_letters_that_only_look_alike_are_pointed_out() -> None:
    lookalike = registry_id("acrml", SUBSCRIPTION.child("resourceGroups", "ｒg"))
    (withheld,) = plan(estate(workspace(cluster("cpu1", C1), registry=lookalike)), terms()).withheld
    assert "look twice" in withheld.refusal.reason
    (plain,) = plan(estate(workspace(cluster("cpu1", C1), registry=registry_id("a", FOREIGN))), terms()).withheld
    assert "look twice" not in plain.refusal.reason
