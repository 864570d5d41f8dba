"""Each fault, at each of the calls where it can strike, for each way in: the invariants hold all the same."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Self

import pytest
import raw
from reliability.invariants import Watched, always, at_rest, differing, lost
from reliability.on_record import given
from reliability.weather import At, Fault
from reliability.world import World
from unit.build import GROUP, REGISTRY, WORKSPACE, denied, sai, terms, uai

from shared.access.permissions import EVERYONE
from shared.access.rules import RULES
from shared.access.terms import RuleMode, RuleTerms, Terms

# Those that these tenants meet, with those that object to a switch-off: each look asks every rule of the table.
_NAMES = {
    *("compute-pull", "endpoint-pull", "endpoint-reads-blobs", "image-builder", "uncovered-builder", "abac-registry"),
    *("registry-admin-user", "workspace-cached-keys", "registry-services", "serverless-pull", "serverless-jobs"),
    *("lost-identity", "lost-identity-pulls", "own-grants", "malformed-id", "unknown-kind"),
}
_TABLE = tuple(rule for rule in RULES if rule.name in _NAMES)
_C1 = WORKSPACE.child("computes", "cpu1")
type Step = Callable[[World], Awaitable[object]]


def _terms() -> Terms:
    return replace(terms(settle=timedelta(), on=["AML-80"]), table=_TABLE)


def _tenant() -> Watched:
    """A cluster and an endpoint that cannot pull yet; once they can, the admin user goes off."""
    azure = Watched()
    azure.have(raw.workspace(sai("mlw")), raw.registry(), raw.storage(), raw.vault())
    azure.have(raw.compute("cpu1", sai("cpu1")), raw.endpoint("serve", uai("one")), raw.user_identity(uai("one")))
    return azure


# The ways in: what comes before, in calm weather; what the faults strike; what a person does once it is calm again.


async def _nothing(_: World) -> None:
    pass


async def _event(world: World) -> None:
    await world.delivery(world.processes[0], WORKSPACE)
    await world.work_off(hours=0.2)


async def _sweep(world: World) -> None:
    await world.timer(world.processes[0])
    await world.work_off(hours=0.2)


async def _apply(world: World) -> None:
    await world.apply(world.processes[0], WORKSPACE)


async def _asks(world: World) -> None:
    careful = {name: RuleTerms(mode=RuleMode.APPROVE) for name in ("compute-pull", "endpoint-pull")}
    world.app.terms = replace(world.app.terms, rules={**world.app.terms.rules, **careful})
    await _event(world)


async def _approve(world: World) -> None:
    await world.approve(world.processes[0])
    await world.work_off(hours=0.2)


async def _approve_again(world: World) -> None:
    """A command that failed is typed once more, and what was refused is asked for and released again."""
    await _event(world)
    await world.approve(world.processes[0])
    await world.work_off(hours=1)


async def _undo(world: World) -> None:
    for run in world.run_ids()[:1]:
        await world.undo(world.processes[0], run)


@dataclass(frozen=True)
class Entry:
    before: Step
    struck: Step
    again: Step = _nothing
    is_acknowledged: bool = False


ENTRIES = {
    "event": Entry(_nothing, _event, is_acknowledged=True),
    "sweep": Entry(_nothing, _sweep),
    "apply": Entry(_nothing, _apply),
    "approve": Entry(_asks, _approve, _approve_again),
    "undo": Entry(_apply, _undo, _undo),
}


# The faults.


@dataclass(frozen=True)
class Kind:
    """`where` chooses from how many calls of its kind there are. `ends` takes back what the change did."""

    make: Callable[[Watched, int], Fault]
    where: Callable[[int], Sequence[int]]
    ends: Callable[[Watched], object] = field(default=lambda _: None)
    lasts: bool = False
    changes: bool = False


def _everywhere(calls: int) -> Sequence[int]:
    return range(calls)


def _here_and_there(calls: int) -> Sequence[int]:
    return sorted({0, calls // 2, calls - 1} & set(range(calls)))


def _first(calls: int) -> Sequence[int]:
    return range(min(calls, 1))


def _early(calls: int) -> Sequence[int]:
    """In the look that decides the grants: no look knows what happens after it."""
    return [calls // 3] if calls else []


def _late(calls: int) -> Sequence[int]:
    return range(max(calls - 1, 0), calls)


def _simple(kind: str, **more: Any) -> Callable[[Watched, int], Fault]:
    return lambda _, nth: Fault(kind, nth, **more)


def _change(what: Callable[[Watched], object]) -> Callable[[Watched, int], Fault]:
    return lambda azure, nth: Fault("read", nth, change=lambda: what(azure))


def _deny(azure: Watched) -> None:
    deny = denied("*/read", at=GROUP)
    azure.denies = [type(deny)(deny.id, deny.name, deny.scope, deny.blocks, frozenset({EVERYONE}))]


def _faults() -> Iterator[tuple[str, Kind]]:
    for error, where in (("fails", _late), ("forbidden", _early), ("unreadable", _early), ("unheard of", _early)):
        yield f"read {error}", Kind(_simple("read", error=error), where)
    for error, at in (
        *(("fails", at) for at in (At.SENT, At.EFFECT)),
        *(("unheard of", at) for at in (At.SENT, At.EFFECT)),
        ("refused", At.SENT),
    ):
        yield f"write {error} {at}", Kind(_simple("write", error=error, at=at), _here_and_there)
    for kind in ("audit", "queue"):
        for at in (At.SENT, At.EFFECT):
            yield f"{kind} fails {at}", Kind(_simple(kind, error="fails", at=at), _here_and_there)
        yield f"{kind} is down", Kind(_simple(kind, error="fails", times=40), _here_and_there)
    yield "audit unheard of", Kind(_simple("audit", error="unheard of"), _late)
    for error in ("fails", "conflict"):
        yield f"store {error}", Kind(_simple("store", error=error), _here_and_there)
    yield "store is down", Kind(_simple("store", error="fails", times=40), _first)
    yield "dies at a read", Kind(_simple("read", dies=True), _here_and_there)
    for at in At:
        yield f"dies at write {at}", Kind(_simple("write", dies=True, at=at), _everywhere)
        yield f"dies at audit {at}", Kind(_simple("audit", dies=True, at=at), _here_and_there)
        yield f"dies at queue {at}", Kind(_simple("queue", dies=True, at=at), _here_and_there)
        yield f"dies at store {at}", Kind(_simple("store", dies=True, at=at), _late)
    yield from _changes()


def _changes() -> Iterator[tuple[str, Kind]]:
    """What people and Azure do between two reads."""

    def lock(azure: Watched) -> None:
        azure.locks = [raw.lock(REGISTRY)]

    def unborn(azure: Watched) -> None:
        azure.unborn = {sai("cpu1").id}

    def stale(azure: Watched) -> None:
        azure.hidden = {WORKSPACE}

    def closed(azure: Watched) -> None:
        azure.unreadable = {"computes"}

    yield "a lock appears", Kind(_change(lock), _early, ends=lambda azure: azure.locks.clear(), changes=True)
    yield "a deny appears", Kind(_change(_deny), _early, ends=lambda azure: azure.denies.clear(), changes=True)
    yield (
        "a principal replicates late",
        Kind(_change(unborn), _early, ends=lambda azure: azure.unborn.clear(), changes=True),
    )
    yield "resource graph is stale", Kind(_change(stale), _early, ends=lambda azure: azure.hidden.clear(), changes=True)
    yield (
        "computes cannot be listed",
        Kind(_change(closed), _early, ends=lambda azure: azure.unreadable.clear(), changes=True),
    )
    for name, what in {
        "a cluster is made anew": lambda azure: azure.have(raw.compute("cpu1", sai("cpu1 anew"))),
        "a cluster is deleted": lambda azure: azure.lose(_C1),
        "a cluster is added": lambda azure: azure.have(raw.compute("cpu2", sai("cpu2"))),
    }.items():
        yield name, Kind(_change(what), _early, lasts=True, changes=True)


FAULTS: Mapping[str, Kind] = dict(_faults())


@dataclass(frozen=True)
class Calm:
    """Where a way in ends when nothing goes wrong, and how many calls of each kind it takes."""

    azure: Watched
    calls: Counter[str]

    @classmethod
    async def of(cls, entry: Entry, azure: Watched, change: Fault | None) -> Self:
        """With the `change` to `azure`, if there is one, before anything is struck."""
        world = World.of(azure, _terms())
        await entry.before(world)
        if change and change.change:
            change.change()
        before = world.weather.calls.copy()
        await entry.struck(world)
        calls = world.weather.calls - before
        await entry.again(world)
        await world.calm()
        given(not at_rest(azure), f"without faults nothing is wrong: {at_rest(azure)}")
        return cls(azure, calls)


async def _struck(entry: Entry, kind: Kind, nth: int, wanted: Watched) -> list[str]:
    """What is wrong with it in the end."""
    azure = _tenant()
    world = World.of(azure, _terms())
    await entry.before(world)
    world.weather.armed.append(kind.make(azure, nth))
    await entry.struck(world)
    given(world.weather.struck + world.weather.deaths, "the fault struck")
    wrong = always(azure)
    world.weather.heal()
    kind.ends(azure)
    if entry.is_acknowledged and not kind.changes:
        await world.calm(sweeps=0)
        wrong += lost(world.app.poison, azure, wanted)
    await entry.again(world)
    await world.calm()
    return wrong + at_rest(azure) + list(differing(azure, wanted))


@pytest.fixture(scope="module")
def calm() -> dict[str, Calm]:
    """By way in, as they are needed."""
    return {}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("entry", ENTRIES)
async def test_the_invariants_hold(entry: str, fault: str, calm: dict[str, Calm]) -> None:
    way, kind = ENTRIES[entry], FAULTS[fault]
    if entry not in calm:
        calm[entry] = await Calm.of(way, _tenant(), None)
    wanted = calm[entry].azure
    if kind.lasts:
        azure = _tenant()
        wanted = (await Calm.of(way, azure, kind.make(azure, 0))).azure
    calls = calm[entry].calls[kind.make(_tenant(), 0).kind]
    found = {nth: await _struck(way, kind, nth, wanted) for nth in kind.where(calls)}
    assert {nth: wrong for nth, wrong in found.items() if wrong} == {}
