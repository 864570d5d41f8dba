"""Reading does not decide: what a workspace needs is read first, and who else is there once that matters."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
import raw
from app import C1
from fakes import FakeAzure
from unit.build import GROUP, REGISTRY, WORKSPACE, assigned, sai, terms, workspace_id

from shared.access.scope import Scope
from shared.access.services import SERVICES
from shared.prepare import prepare, prepare_for_everybody
from shared.reading.cached import CachedReads
from shared.reading.estate import look_around, observe

OTHER = workspace_id("other")
_ELSEWHERE = {service.collection for service in SERVICES}


@dataclass(repr=False)
class Listening(FakeAzure):
    """Hears which lists are asked for, and counts the questions to the logs."""

    lists: set[str] = field(default_factory=set)
    questions: int = 0

    async def children(self, parent: Scope, collection: str, *, pages: int | None = None) -> Sequence[raw.Raw] | None:
        self.lists.add(collection)
        return await super().children(parent, collection, pages=pages)

    async def logs(self, kql: str) -> Sequence[raw.Raw] | None:
        self.questions += 1
        return await super().logs(kql)

    @property
    def looked_elsewhere(self) -> set[str]:
        return self.lists & _ELSEWHERE


def tenant(*, admin: bool = True, covered: bool = True) -> Listening:
    """A workspace with a cluster, and another one on its registry."""
    azure = Listening()
    azure.have(raw.workspace(sai("mlw")), raw.registry(admin_user=admin), raw.storage(), raw.vault())
    azure.have(raw.compute("cpu1", C1), raw.workspace(sai("other"), on=OTHER))
    azure.assignments = [assigned(sai("other"), "Contributor", REGISTRY)]
    azure.assignments += [assigned(C1, "AcrPull", GROUP)] if covered else []
    return azure


@pytest.mark.parametrize("admin", [True, False])
async def test_what_is_needed_is_read_without_asking_who_else_is_there(admin: bool) -> None:
    azure = tenant(admin=admin)
    at = await observe(WORKSPACE, CachedReads(azure), terms())
    assert at
    assert at.estate.access.keys() >= {C1.id}
    assert (azure.looked_elsewhere, azure.questions, at.estate.neighbours) == (set(), 0, ())


async def test_looking_around_adds_the_others_with_what_they_need_and_no_more() -> None:
    azure = tenant()
    once = CachedReads(azure)
    at = await observe(WORKSPACE, once, terms())
    assert at
    around = (await look_around(at.estate, once, terms())).estate
    assert [one.id for one in around.neighbours] == [OTHER]
    assert sai("other").id in around.access
    assert azure.questions == 0


@pytest.mark.parametrize(("admin", "covered"), [(False, True), (True, False)])
async def test_a_plan_that_turns_nothing_off_asks_nobody_else(admin: bool, covered: bool) -> None:
    azure = tenant(admin=admin, covered=covered)
    prepared = await prepare(WORKSPACE, azure, terms())
    assert prepared
    assert prepared.plan.switch_off is None
    assert prepared.plan.unread == set()
    assert (azure.looked_elsewhere, azure.questions) == (set(), 0)


async def test_a_plan_that_would_turn_it_off_asks_all_of_them() -> None:
    azure = tenant()
    prepared = await prepare(WORKSPACE, azure, terms())
    assert prepared
    assert prepared.plan.switch_off
    assert prepared.plan.unread == set()
    assert azure.looked_elsewhere == _ELSEWHERE
    assert azure.questions == 1


async def test_whoever_wants_to_see_everybody_does_whatever_keeps_it_on() -> None:
    azure = tenant(covered=False)
    prepared = await prepare_for_everybody(WORKSPACE, azure, terms())
    assert prepared
    assert prepared.plan.switch_off is None
    assert azure.looked_elsewhere == _ELSEWHERE
    assert azure.questions == 1


async def test_of_a_workspace_that_is_gone_there_is_nothing_to_prepare() -> None:
    gone = workspace_id("gone")
    assert await prepare(gone, tenant(), terms()) is None
    assert await prepare_for_everybody(gone, tenant(), terms()) is None
