"""What cannot be read stops the run; what can be read is read whole (law 2)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
import raw
from app import C1, C2, WITHOUT_SETTLING, App, app, outcomes
from fakes import FakeAzure
from unit.build import (
    GROUP,
    MANAGEMENT_GROUP,
    OTHER_SUBSCRIPTION,
    REGISTRY,
    WORKSPACE,
    assigned,
    custom,
    denied,
    guid,
    registry_id,
    resource,
    terms,
    uai,
)

from shared.access.scope import Scope
from shared.ports import ReadFailedError


class TestUnknownIsNotEmpty:
    @pytest.mark.parametrize("reads", range(12))
    async def test_a_read_that_fails_stops_the_run_before_anything_is_written(self, reads: int) -> None:
        one = app(raw.compute("cpu1", C1))
        one.azure.assignments = [assigned(C1, "AcrPull", GROUP)]
        one.azure.advance(timedelta(days=1))
        one.troubles.after["read"] = reads
        with pytest.raises(ReadFailedError):
            await one.run()
        assert one.azure.journal == []
        assert one.azure.admin_user(REGISTRY)

    async def test_what_is_held_through_a_nested_group_is_held(self) -> None:
        one = app(raw.compute("cpu1", C1))
        one.azure.groups = {guid("inner"): {C1.id}, guid("outer"): {guid("inner")}}
        one.azure.assignments = [assigned("outer", "AcrPull", REGISTRY)]
        await one.run()
        assert one.azure.holders("AcrPull", REGISTRY) == {guid("outer")}

    async def test_what_a_management_group_above_gives_is_held(self) -> None:
        one = app(raw.compute("cpu1", C1))
        one.azure.assignments = [assigned(C1, "Reader", MANAGEMENT_GROUP)]
        await one.run()
        assert one.azure.holders("AcrPull", REGISTRY) == set()
        assert not one.azure.admin_user(REGISTRY)

    async def test_a_workspace_that_goes_while_it_is_read_is_a_failed_read(self) -> None:
        class Vanishing(FakeAzure):
            async def children(
                self, parent: Scope, collection: str, *, pages: int | None = None
            ) -> Sequence[raw.Raw] | None:
                rows = await super().children(parent, collection, pages=pages)
                return None if parent == WORKSPACE else rows

        one = App(azure=Vanishing())
        one.azure.have(raw.workspace(), raw.registry(), raw.storage(), raw.compute("cpu1", C1))
        with pytest.raises(ReadFailedError):
            await one.run()
        assert one.azure.admin_user(REGISTRY)

    async def test_an_assignment_of_which_nobody_can_tell_is_neither_held_nor_missing(self) -> None:
        one = app(raw.compute("cpu1", C1))
        one.azure.assignments = [replace(assigned(C1, "AcrPull", MANAGEMENT_GROUP), doubt="nobody can tell")]
        made = (await one.run()).plan
        assert [each.reason for each in made.unknown] == ["nobody can tell"]
        assert one.azure.holders("AcrPull", REGISTRY) == set()
        assert one.azure.admin_user(REGISTRY)

    async def test_a_role_that_is_gone_gives_nothing(self) -> None:
        one = app(raw.compute("cpu1", C1))
        one.azure.assignments = [assigned(C1, custom("*"), REGISTRY)]
        await one.run()
        assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}

    async def test_a_custom_role_gives_what_it_says(self) -> None:
        mine = custom("Microsoft.ContainerRegistry/registries/pull/read")
        one = app(raw.compute("cpu1", C1))
        one.azure.roles[mine.role_id] = mine
        one.azure.assignments = [assigned(C1, mine, GROUP)]
        await one.run()
        assert one.azure.holders("AcrPull", REGISTRY) == set()

    async def test_a_deny_is_withheld_and_an_exclusion_from_it_counts(self) -> None:
        for excluded, holders in ((frozenset[str](), set[str]()), (frozenset({C1.id}), {C1.id})):
            one = app(raw.compute("cpu1", C1))
            pullers = frozenset({guid("pullers")})
            deny = denied("*/read", at=GROUP, principals=pullers, groups=pullers, excluded=excluded)
            one.azure.denies = [deny]
            one.azure.groups = {guid("pullers"): {C1.id}}
            await one.run()
            assert one.azure.holders("AcrPull", REGISTRY) == holders
            assert ("Grant", "Withheld") in outcomes(one) or holders

    async def test_a_lock_is_seen_even_where_nobody_needs_a_grant(self) -> None:
        for level, stays in (("ReadOnly", True), ("CanNotDelete", False)):
            one = app()
            one.azure.locks = [raw.lock(GROUP, level)]
            await one.run()
            assert one.azure.admin_user(REGISTRY) is stays


class TestAcrossSubscriptions:
    """The registry is in another subscription, which the policy allows."""

    ACR = registry_id("acrml", OTHER_SUBSCRIPTION.child("resourceGroups", "shared"))

    def app(self) -> App:
        one = App(terms(allow=(OTHER_SUBSCRIPTION,), **WITHOUT_SETTLING))
        one.azure.have(raw.workspace(registry=self.ACR), raw.registry(self.ACR), raw.storage(), raw.compute("cpu1", C1))
        return one

    async def test_a_management_group_above_the_one_says_nothing_of_the_other(self) -> None:
        one = self.app()
        one.azure.have(
            raw.compute("cpu2", C2), raw.endpoint("serve", C2)
        )  # brings the workspace's subscription in as well
        one.azure.assignments = [assigned(C2, "Reader", MANAGEMENT_GROUP)]
        await one.run()
        assert one.azure.holders("AcrPull", self.ACR) == {C1.id, C2.id}

    async def test_a_custom_role_is_read_where_it_is_known(self) -> None:
        mine = custom("*/pull/read")
        one = self.app()
        one.azure.have(raw.endpoint("serve", C1))
        one.azure.roles[mine.role_id] = mine
        one.azure.assignable[mine.role_id] = OTHER_SUBSCRIPTION
        one.azure.assignments = [assigned(C1, mine, self.ACR)]
        await one.run()
        assert one.azure.holders("AcrPull", self.ACR) == set()

    async def test_its_locks_are_seen(self) -> None:
        one = self.app()
        one.azure.lose(WORKSPACE.child("computes", "cpu1"))
        one.azure.locks = [raw.lock(self.ACR)]
        await one.run()
        assert one.azure.admin_user(self.ACR)

    async def test_what_is_held_in_the_subscription_of_a_vault_that_turns_up_late_is_held(self) -> None:
        me = uai("mlw-id")
        theirs = resource("Microsoft.KeyVault/vaults", "kvml", OTHER_SUBSCRIPTION.child("resourceGroups", "shared"))
        one = App(terms(on=["AML-06"], allow=(OTHER_SUBSCRIPTION,)))
        properties: raw.Raw = {"primaryUserAssignedIdentity": str(me.resource), "keyVault": str(theirs)}
        one.azure.have(raw.workspace(me, registry=None, **properties), raw.vault(theirs, rbac=True), raw.storage())
        one.azure.assignments = [
            assigned(me, "Contributor", OTHER_SUBSCRIPTION),
            assigned(me, "Key Vault Administrator", theirs),
        ]
        await one.run()
        assert one.azure.holders("Contributor", theirs) == set()
