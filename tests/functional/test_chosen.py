"""Scopes over the fake Azure: what they choose, what is kept of management groups, and what is unknown."""

from collections.abc import AsyncIterator, Sequence

import pytest
import raw
from app import C1, App, app
from event_grid import event
from fakes import FakeAzure
from unit.build import (
    FOREIGN,
    GROUP,
    LOOKALIKE,
    MANAGEMENT_GROUP,
    OTHER_SUBSCRIPTION,
    REGISTRY,
    SUBSCRIPTION,
    WORKSPACE,
    guid,
    identity_id,
    sai,
    terms,
    uai,
    workspace_id,
)

from handlers import resource_changed, work_queue
from shared.access.scope import Scope
from shared.memory import Memory
from shared.messages import Reconcile, encode
from shared.ports import ReadFailedError
from shared.scopes import MEMBERSHIP_SECONDS, ScopeError, Scopes

FAR = workspace_id("far", OTHER_SUBSCRIPTION.child("resourceGroups", "rg"))
LIKE = workspace_id("mlw", LOOKALIKE)
STORAGE_ALONE = FOREIGN.child("providers", "Microsoft.Storage", "storageAccounts", "alone")


class Azure(FakeAzure):
    """Refuses reads of what is `closed`; `failing` is another failure, by scope."""

    closed: frozenset[Scope] = frozenset()
    failing: dict[Scope, str] = {}  # noqa: RUF012 - replaced, never changed

    def _refuse(self, scope: Scope) -> None:
        if scope in self.failing:
            raise ReadFailedError("read", self.failing[scope], "Azure answered 4xx")
        if scope in self.closed:
            raise ReadFailedError("read", "AuthorizationFailed", "Azure answered 403", forbidden=True)

    async def resource(self, scope: Scope) -> raw.Raw | None:
        self._refuse(scope)
        return await super().resource(scope)

    async def children(self, parent: Scope, collection: str, *, pages: int | None = None) -> Sequence[raw.Raw] | None:
        self._refuse(parent)
        return await super().children(parent, collection, pages=pages)


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def azure() -> Azure:
    """Three workspaces: two groups with like names, and another subscription; the first and the last on a registry."""
    azure = Azure()
    azure.have(
        raw.workspace(sai("mlw")),
        raw.workspace(on=LIKE, registry=None),
        raw.workspace(on=FAR),
        raw.registry(),
        raw.storage(),
        raw.vault(),
    )
    azure.above = {MANAGEMENT_GROUP: {SUBSCRIPTION, OTHER_SUBSCRIPTION}}
    return azure


def scopes(azure: Azure, clock: Clock | None = None, tenant: str = "") -> Scopes:
    return Scopes(azure, Memory(), tenant, clock or Clock())


async def chosen(azure: Azure, *some: Scope) -> set[Scope]:
    return set((await scopes(azure).choose(some)).workspaces)


class TestUsers:
    async def test_what_resource_graph_still_believes_is_asked_of_arm(self, azure: Azure) -> None:
        moved = workspace_id("moved", OTHER_SUBSCRIPTION.child("resourceGroups", "rg"))
        azure.have(raw.workspace(on=moved, registry=None))
        azure.remembered = [raw.workspace(on=moved), raw.workspace(on=workspace_id("gone", FOREIGN))]
        assert await chosen(azure, REGISTRY) == {WORKSPACE, FAR}

    async def test_arms_own_list_needs_no_resource_graph(self, azure: Azure) -> None:
        azure.hidden = {WORKSPACE}
        assert await chosen(azure, REGISTRY) == {WORKSPACE, FAR}

    @pytest.mark.parametrize("child", ["compute", "endpoint", "workspace"])
    async def test_an_identity_is_used_by_whoever_it_is_attached_to(self, azure: Azure, child: str) -> None:
        mine, other = uai("runner"), uai("runner-2")
        azure.have(raw.user_identity(mine), raw.user_identity(other))
        match child:
            case "compute":
                azure.have(raw.compute("cpu", mine, on=FAR), raw.compute("cpu", other, on=LIKE))
            case "endpoint":
                azure.have(raw.endpoint("serve", mine, on=FAR), raw.endpoint("serve", other, on=LIKE))
            case _:
                azure.have(raw.workspace(mine, on=FAR), raw.workspace(other, on=LIKE))
        assert await chosen(azure, identity_id("runner")) == {FAR}
        named = [identity_id("runner")]
        assert [one for one in (WORKSPACE, LIKE, FAR) if await scopes(azure).any_chooses(named, one)] == [FAR]

    async def test_a_workspace_whose_computes_cannot_be_read_is_unknown(self, azure: Azure) -> None:
        azure.have(raw.user_identity(uai("runner")))
        azure.have(raw.compute("cpu", uai("runner"), on=LIKE))
        azure.closed = frozenset({FAR})
        answer = await scopes(azure).choose([identity_id("runner")])
        assert answer.workspaces == (LIKE,)
        (wrong,) = answer.wrong
        assert FAR.key in str(wrong).casefold()
        with pytest.raises(ScopeError, match="Reader"):
            await scopes(azure).workspaces(identity_id("runner"))

    async def test_one_whose_lists_fail_hides_no_other(self, azure: Azure) -> None:
        azure.have(raw.user_identity(uai("runner")), raw.compute("cpu", uai("runner"), on=LIKE))
        azure.failing = {FAR: "InternalServerError"}
        answer = await scopes(azure).choose([identity_id("runner")])
        assert answer.workspaces == (LIKE,)
        assert [one.code for one in answer.wrong] == ["InternalServerError"]

    async def test_where_all_fail_it_may_go_better_the_next_time(self, azure: Azure) -> None:
        azure.have(raw.user_identity(uai("runner")))
        azure.failing = dict.fromkeys((WORKSPACE, LIKE, FAR), "ServiceUnavailable")
        with pytest.raises(ReadFailedError, match="ServiceUnavailable"):
            await chosen(azure, identity_id("runner"))


class TestContainers:
    async def test_a_subscription_without_the_provider_has_no_workspace(self, azure: Azure) -> None:
        class Unregistered(Azure):
            async def children(
                self, parent: Scope, collection: str, *, pages: int | None = None
            ) -> Sequence[raw.Raw] | None:
                if parent == OTHER_SUBSCRIPTION:
                    raise ReadFailedError("list", "MissingSubscriptionRegistration", "Azure answered 409")
                return await super().children(parent, collection, pages=pages)

        other = Unregistered(resources=azure.resources, above=azure.above)
        assert await chosen(other, MANAGEMENT_GROUP) == {WORKSPACE, LIKE}

    async def test_one_subscription_of_a_group_that_cannot_be_read_is_not_left_out(self, azure: Azure) -> None:
        azure.closed = frozenset({OTHER_SUBSCRIPTION})
        answer = await scopes(azure).choose([MANAGEMENT_GROUP, GROUP])
        assert set(answer.workspaces) == {WORKSPACE}
        (wrong,) = answer.wrong
        assert str(OTHER_SUBSCRIPTION) in str(wrong)

    async def test_who_may_read_a_group_only_may_look_at_that(self, azure: Azure) -> None:
        azure.closed = frozenset({SUBSCRIPTION})
        assert await chosen(azure, GROUP) == {WORKSPACE}
        (wrong,) = (await scopes(azure).choose([SUBSCRIPTION])).wrong
        assert "Reader" in str(wrong)

    async def test_a_subscription_of_another_tenant_is_refused_though_it_could_be_read(self, azure: Azure) -> None:
        azure.tenants = {SUBSCRIPTION: guid("mine"), OTHER_SUBSCRIPTION: guid("theirs")}
        answer = await scopes(azure, tenant=guid("mine").upper()).choose([SUBSCRIPTION, OTHER_SUBSCRIPTION, FAR])
        assert set(answer.workspaces) == {WORKSPACE, LIKE}
        assert [error.scope for error in answer.wrong] == [OTHER_SUBSCRIPTION, FAR]

    @pytest.mark.parametrize("code", ["InvalidAuthenticationTokenTenant", "InvalidSubscriptionId"])
    async def test_a_subscription_that_azure_does_not_know_here_is_wrong(self, azure: Azure, code: str) -> None:
        azure.failing = {OTHER_SUBSCRIPTION: code}
        for scope in (OTHER_SUBSCRIPTION, FAR):
            (wrong,) = (await scopes(azure).choose([scope])).wrong
            assert str(scope) in str(wrong)

    async def test_what_may_go_better_the_next_time_is_not_called_wrong(self, azure: Azure) -> None:
        azure.failing = {OTHER_SUBSCRIPTION: "ServiceUnavailable"}
        for scope in (OTHER_SUBSCRIPTION, MANAGEMENT_GROUP):
            with pytest.raises(ReadFailedError):
                await scopes(azure).choose([scope, GROUP])

    @pytest.mark.parametrize("scope", [MANAGEMENT_GROUP, SUBSCRIPTION, GROUP, FOREIGN, LOOKALIKE])
    async def test_those_without_a_workspace_are_idle_and_no_others(self, azure: Azure, scope: Scope) -> None:
        azure.have(raw.storage(STORAGE_ALONE))
        azure.lose(LIKE)
        found = await scopes(azure).choose([scope])
        assert found.idle == ((scope,) if scope == FOREIGN else ())
        assert bool(found.workspaces) is (scope not in (FOREIGN, LOOKALIKE))

    async def test_a_management_group_that_is_not_there_is_wrong(self, azure: Azure) -> None:
        azure.above = {}
        with pytest.raises(ScopeError) as refusal:
            await scopes(azure).require(MANAGEMENT_GROUP)
        assert refusal.value.scope == MANAGEMENT_GROUP

    async def test_whoever_may_not_read_a_management_group_is_told_what_is_missing(self, azure: Azure) -> None:
        azure.closed = frozenset({MANAGEMENT_GROUP})
        with pytest.raises(ScopeError, match="Management Group Reader"):
            await scopes(azure).require(MANAGEMENT_GROUP)

    async def test_and_whoever_names_a_subscription_of_another_tenant_that_it_is(self, azure: Azure) -> None:
        azure.tenants = {SUBSCRIPTION: guid("theirs")}
        with pytest.raises(ScopeError, match="of another tenant"):
            await scopes(azure, tenant=guid("tenant")).require(SUBSCRIPTION)


class TestMembership:
    async def test_it_is_read_once_and_again_when_the_time_is_over(self, azure: Azure) -> None:
        clock = Clock()
        one = scopes(azure, clock)
        assert await one.any_chooses([MANAGEMENT_GROUP], FAR)
        azure.above = {MANAGEMENT_GROUP: {SUBSCRIPTION}}
        clock.seconds = MEMBERSHIP_SECONDS - 1
        assert await one.any_chooses([MANAGEMENT_GROUP], FAR)
        clock.seconds = MEMBERSHIP_SECONDS
        assert not await one.any_chooses([MANAGEMENT_GROUP], FAR)
        assert await one.any_chooses([MANAGEMENT_GROUP], WORKSPACE)

    async def test_what_could_not_be_read_is_not_kept(self, azure: Azure) -> None:
        one = scopes(azure)
        azure.troubles.down = {"read"}
        with pytest.raises(ReadFailedError):
            await one.any_chooses([MANAGEMENT_GROUP], FAR)
        azure.troubles.heal()
        assert await one.any_chooses([MANAGEMENT_GROUP], FAR)

    async def test_what_was_known_is_not_believed_for_longer_where_it_can_no_longer_be_read(self, azure: Azure) -> None:
        clock = Clock()
        one = scopes(azure, clock)
        assert await one.any_chooses([MANAGEMENT_GROUP], FAR)
        azure.above, clock.seconds = {}, MEMBERSHIP_SECONDS
        with pytest.raises(ReadFailedError):
            await one.any_chooses([MANAGEMENT_GROUP], FAR)


@pytest.mark.parametrize(
    ("watched", "expected"),
    [
        ((), {WORKSPACE, LIKE, FAR}),
        ((GROUP,), {WORKSPACE}),
        ((Scope.parse(str(GROUP).upper()), OTHER_SUBSCRIPTION), {WORKSPACE, FAR}),
        ((LIKE.child("computes", "cpu"),), {LIKE}),
        ((MANAGEMENT_GROUP,), {WORKSPACE, LIKE, FAR}),
        ((REGISTRY,), {WORKSPACE, FAR}),
        ((Scope.parse("/"),), set()),
        ((GROUP.child("providers", "Microsoft.Network", "virtualNetworks", "net"),), set()),
    ],
)
async def test_what_is_watched(azure: Azure, watched: tuple[Scope, ...], expected: set[Scope]) -> None:
    assert {one for one in (WORKSPACE, LIKE, FAR) if await scopes(azure).any_chooses(watched, one)} == expected


class TestTriggers:
    async def test_what_waits_on_the_queue_is_left_when_the_policy_no_longer_names_it(self) -> None:
        one = app(raw.compute("cpu1", C1), scopes=(LOOKALIKE,))
        await work_queue.handle(encode(Reconcile((str(WORKSPACE),))), one.services)
        assert one.azure.journal == []
        one.terms = terms(scopes=(GROUP,))
        await work_queue.handle(encode(Reconcile((str(WORKSPACE),))), one.services)
        assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}

    async def test_an_event_fails_while_it_is_unknown_whether_it_concerns_us(self) -> None:
        unknown = Scope.parse("/providers/Microsoft.Management/managementGroups/unknown")
        one = app(raw.compute("cpu1", C1), scopes=(unknown,))
        told = event(str(WORKSPACE))
        with pytest.raises(ReadFailedError, match="managementGroups/unknown"):
            await resource_changed.handle(told, one.services)
        assert one.azure.journal == []
        one.azure.above[unknown] = {SUBSCRIPTION}
        await resource_changed.handle(told, one.services)
        assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}


class TestSweeps:
    async def test_of_a_registry_no_resource_graph_of_whole_groups_is_asked(self) -> None:
        """It would tell of workspaces that do not use the registry."""

        class Telltale(FakeAzure):
            asked: list[str] = []  # noqa: RUF012 - one test uses it

            async def query(self, kql: str, subscription: Scope | None = None) -> AsyncIterator[raw.Raw]:
                self.asked.append(kql)
                async for row in super().query(kql, subscription):
                    yield dict(row)

        for watched, by_groups in (((REGISTRY,), False), ((SUBSCRIPTION,), True)):
            one = App(terms(scopes=watched), Telltale())
            one.azure.have(*(raw.workspace(on=workspace_id(name)) for name in ("one", "two", "three")), raw.registry())
            Telltale.asked.clear()
            await one.sweep()
            await one.settle()
            assert any("resourceGroup in~" in kql for kql in Telltale.asked) is by_groups

    async def test_scopes_within_each_other_are_looked_at_once(self) -> None:
        one = app(raw.workspace(on=LIKE, registry=None), scopes=(SUBSCRIPTION, GROUP, WORKSPACE, REGISTRY))
        await one.sweep()
        await one.settle()
        assert one.services.sweeps
        (ended,) = await one.services.sweeps.listed(one.azure.now())
        assert (ended.outcome, ended.found) == ("Completed", 2)

    @pytest.mark.parametrize("wrong", ["/", str(GROUP)[:-1], f"{REGISTRY}x", f"{MANAGEMENT_GROUP}x"])
    async def test_what_is_wrong_is_found_and_the_rest_is_looked_at(self, wrong: str) -> None:
        one = app(raw.compute("cpu1", C1), scopes=(Scope.parse(wrong), GROUP))
        await one.sweep()
        await one.settle()
        assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}
        found = [row for row in one.audit.findings() if row["RuleId"] == "policy-scope"]
        assert [row["ResourceId"] for row in found] == [wrong]
        assert one.services.sweeps
        (ended,) = await one.services.sweeps.listed(one.azure.now())
        assert (ended.outcome, ended.found) == ("Incomplete", 1)

    async def test_a_scope_that_could_not_be_read_just_now_is_tried_again(self) -> None:
        one = app(raw.compute("cpu1", C1), scopes=(MANAGEMENT_GROUP,))
        await one.sweep()
        one.troubles.after["read"] = 0
        await one.settle()
        assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}
        assert [row["RuleId"] for row in one.audit.findings() if row["RuleId"] == "policy-scope"] == []
