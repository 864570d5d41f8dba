"""One row that is none takes nobody else along, and nothing that hangs on it is decided as if it were not there."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import raw
from app import C1, C2, App, app, outcomes
from fakes import FakeAzure
from unit.build import GROUP, REGISTRY, SUBSCRIPTION, WORKSPACE, assigned, sai, workspace_id

from shared.access import parse
from shared.access.scope import Scope

E1 = sai("mlw/onlineEndpoints/serve1")
NO_IDS: tuple[object, ...] = (None, 7, "", "..", "/subscriptions/..", [], f"{GROUP}//x")


class Odd(FakeAzure):
    """`more` are rows that Azure adds to a list, by the end of its name; `graph` those that Resource Graph adds."""

    more: dict[str, list[Any]]
    graph: dict[str, list[Any]]

    async def children(self, parent: Scope, collection: str, *, pages: int | None = None) -> Sequence[Any] | None:
        rows = await super().children(parent, collection, pages=pages)
        added = [row for end, some in self.more.items() if collection.endswith(end) for row in some]
        return None if rows is None else [*added, *rows]

    async def query(self, kql: str, subscription: Scope | None = None) -> AsyncIterator[Any]:
        for start, rows in self.graph.items():
            for row in rows if kql.startswith(start) else ():
                yield row
        async for row in super().query(kql, subscription):
            yield row


def odd(*raws: raw.Raw, more: dict[str, list[Any]] | None = None, graph: dict[str, list[Any]] | None = None) -> App:
    azure = Odd()
    azure.more, azure.graph = more or {}, graph or {}
    one = App(app().terms, azure=azure)
    one.azure.have(raw.workspace(sai("mlw")), raw.registry(admin_user=False), raw.storage(), raw.vault(), *raws)
    # Of fewer than three workspaces in a subscription Resource Graph is not asked.
    one.azure.have(*(raw.workspace(sai(name), on=workspace_id(name), registry=None) for name in ("second", "third")))
    return one


@pytest.mark.parametrize("told", NO_IDS)
class TestResourceGraph:
    async def test_an_endpoint_that_it_shows_without_an_id_is_found_by_arm(self, told: object) -> None:
        row = {"id": told, "type": "microsoft.machinelearningservices/workspaces/onlineendpoints"}
        one = odd(raw.endpoint("serve1", E1), graph={"resources | where type in~": [row]})
        one.azure.hidden = {WORKSPACE.child("onlineEndpoints", "serve1")}
        await one.sweep()
        await one.settle()
        assert one.azure.holders("AcrPull", REGISTRY) == {E1.id}

    async def test_a_workspace_without_an_id_keeps_no_other_from_being_looked_at(self, told: object) -> None:
        one = odd(raw.compute("cpu1", C1), graph={"resources | where type =~": [{"id": told}]})
        await one.sweep()
        await one.settle()
        assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}
        assert one.poison == []

    async def test_an_assignment_of_which_it_does_not_tell_where_it_is_has_arm_asked(self, told: object) -> None:
        """Resource Graph says that cpu1 holds what it needs, which is over; a row beside it makes none of it true."""
        row = {"id": "x", "properties": {"scope": told, "principalId": C2.id, "roleDefinitionId": "x"}}
        one = odd(raw.compute("cpu1", C1), graph={"authorizationresources": [row]})
        await one.sweep()
        await one.settle()
        assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}
        assert one.poison == []


class TestRoleAssignments:
    @pytest.mark.parametrize("row", [{}, {"properties": None}, {"properties": {"principalId": 7}}, {"properties": "x"}])
    async def test_one_that_is_nobodys_has_arm_asked_about_each(self, row: Any) -> None:
        one = odd(raw.compute("cpu1", C1), raw.compute("cpu2", C2), more={"roleAssignments": [row]})
        one.azure.assignments = [assigned(C1, "AcrPull", REGISTRY)]
        await one.run()
        assert one.azure.holders("AcrPull", REGISTRY) == {C1.id, C2.id}

    @pytest.mark.parametrize("told", NO_IDS)
    async def test_who_has_one_of_unknown_place_is_granted_nothing(self, told: object) -> None:
        held = assigned(C1, "AcrPull", REGISTRY)
        body = {"scope": told, "principalId": C1.id, "roleDefinitionId": f"/x/{held.role_id}"}
        one = odd(
            raw.compute("cpu1", C1),
            raw.compute("cpu2", C2),
            more={"roleAssignments": [{"id": "a", "properties": body}]},
        )
        one.azure._assigned = self._with(one, body)  # type: ignore[method-assign]  # ARM answers what it should not
        result = await one.run()
        assert one.azure.holders("AcrPull", REGISTRY) == {C2.id}
        assert [each.refusal.guard for each in result.plan.withheld] == ["unreadable"]

    def _with(self, one: App, body: dict[str, Any]) -> Any:
        """As `shared.azure.role_assignments` reads it."""
        known = one.azure._assigned

        def assigned_to(principal: str, subscription: Scope) -> list[Any]:
            mine = [parse.role_assignment({"id": "a", "properties": body})] if principal == body["principalId"] else []
            return [*known(principal, subscription), *(each for each in mine if each)]

        return assigned_to


class TestLocks:
    @pytest.mark.parametrize("told", [*NO_IDS, f"{GROUP}//providers/Microsoft.Authorization/locks/l"])
    async def test_one_of_unknown_place_may_be_anywhere(self, told: object) -> None:
        lock = {"id": told, "properties": {"level": "ReadOnly"}}
        one = odd(raw.compute("cpu1", C1), more={"locks": [lock]})
        result = await one.run()
        assert [each.refusal.guard for each in result.plan.withheld] == ["lock"]
        assert one.azure.holders("AcrPull", REGISTRY) == set()
        assert ("Grant", "Withheld") in outcomes(one)

    @pytest.mark.parametrize(
        "lock",
        [
            pytest.param({"id": "..", "properties": {"level": "CanNotDelete"}}, id="that forbids no change"),
            pytest.param(raw.lock(SUBSCRIPTION.child("resourceGroups", "elsewhere")), id="elsewhere"),
            pytest.param(
                {
                    "id": f"{GROUP}/providers/microsoft.insights/components/my insights/providers/"
                    "Microsoft.Authorization/locks/l",
                    "properties": {"level": "ReadOnly"},
                },
                id="on what Azure allows an odd name",
            ),
        ],
    )
    async def test_others_are_not_in_the_way(self, lock: Any) -> None:
        one = odd(raw.compute("cpu1", C1), more={"locks": [lock]})
        await one.run()
        assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}


async def test_a_container_group_without_an_id_pulls_all_the_same() -> None:
    group = {"properties": {"containers": [{"properties": {"image": "acrml.azurecr.io/x"}}]}}
    one = odd(more={"containerGroups": [group]})
    one.azure.have(raw.registry(admin_user=True))
    result = await one.run()
    assert one.azure.admin_user(REGISTRY)
    assert [each.refusal.guard for each in result.plan.withheld] == ["container-instances"]
