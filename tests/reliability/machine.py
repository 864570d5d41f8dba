"""A tenant that people change while several instances of amlguard work on it, Azure fails and processes die.

Hypothesis chooses tenant, people, events, faults and deaths. The invariants hold at every moment, and once all is calm.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from datetime import timedelta
from typing import Any

import raw
from fakes import FakeAzure
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from properties.tenants_at_random import (
    OTHER,
    SETTLE,
    THEIRS,
    assignments,
    compute,
    computes,
    default_identity,
    endpoint,
    endpoints,
    kinds,
    tenants,
    where,
    who,
)
from reliability.invariants import Watched, always, at_rest, differing
from reliability.tally import Tally
from reliability.weather import At, Fault, Process
from reliability.world import World
from unit.build import REGISTRY, WORKSPACE, sai, terms

from shared.access.rules import RULES
from shared.access.scope import Scope

INSTANCES = 3
_REST = 6
_NAMES = {
    *("compute-pull", "endpoint-pull", "endpoint-reads-blobs", "compute-reads-blobs", "image-builder"),
    *("uncovered-builder", "abac-registry", "registry-admin-user", "workspace-cached-keys", "registry-services"),
    *("serverless-pull", "serverless-jobs", "serverless-jobs-pull", "serverless-identity", "container-instances"),
    *("compute-identity", "lost-identity", "lost-identity-pulls", "own-grants", "malformed-id", "unknown-kind"),
    *("data-isolation", "data-isolation-by-default"),
}
TABLE = tuple(rule for rule in RULES if rule.name in _NAMES)

own_holders = st.sampled_from(["sai", "sai", "uai"])
own_computes = st.builds(compute, st.sampled_from(["cpu0", "cpu1"]), own_holders, st.just("AmlCompute"), where)
own_endpoints = st.builds(endpoint, st.just("serve"), own_holders, where)
names = st.sampled_from(["computes/cpu0", "computes/cpu1", "onlineEndpoints/serve"])
happenings = st.one_of(
    st.tuples(st.just("makes"), own_computes | own_endpoints),
    st.tuples(st.just("makes"), computes | endpoints),
    st.tuples(st.just("deletes"), st.tuples(where, names)),
    st.tuples(st.just("gives another identity"), st.tuples(who, kinds, where)),
    st.tuples(st.just("assigns"), assignments),
    st.tuples(st.just("takes away"), st.integers(0, 9)),
    st.tuples(st.just("locks"), st.sampled_from([None, REGISTRY, WORKSPACE, OTHER])),
    st.tuples(st.just("turns the admin user"), st.booleans()),
    st.tuples(st.just("replicates late"), st.booleans()),
    st.tuples(st.just("indexes late"), st.none() | where),
)

instances = st.integers(0, INSTANCES - 1)
points = st.sampled_from(list(At))
failures = st.one_of(
    st.tuples(st.just("read"), st.sampled_from(["fails", "forbidden", "unreadable", "unheard of"]), st.integers(0, 40)),
    st.tuples(st.just("write"), st.sampled_from(["fails", "refused", "unheard of"]), st.integers(0, 3)),
    st.tuples(st.just("audit"), st.sampled_from(["fails", "unheard of"]), st.integers(0, 3)),
    st.tuples(st.just("queue"), st.just("fails"), st.integers(0, 2)),
    st.tuples(st.just("store"), st.sampled_from(["fails", "conflict"]), st.integers(0, 8)),
)
deadly = st.one_of(
    *(st.tuples(st.just(kind), st.integers(0, most)) for kind, most in {"write": 3, "audit": 3, "queue": 1}.items()),
    st.tuples(st.just("read"), st.integers(0, 30)),
    st.tuples(st.just("store"), st.integers(0, 5)),
)
doings = st.one_of(
    st.tuples(st.just("event"), where),
    st.tuples(st.just("apply"), where),
    st.just(("sweep", WORKSPACE)),
    st.just(("work", WORKSPACE)),
)


@st.composite
def watched(draw: st.DrawFn) -> Watched:
    """A tenant in which the admin user can go off, or a random one."""
    azure = Watched()
    if draw(st.booleans()):
        tenant: FakeAzure = draw(tenants())
        azure.automatic, azure.assignments, azure.groups = tenant.automatic, tenant.assignments, tenant.groups
        azure.denies, azure.locks = tenant.denies, tenant.locks
        azure.have(*tenant.resources.values(), aml=False)
        return azure
    azure.have(raw.storage(), raw.vault(), raw.registry(), raw.registry(THEIRS), raw.workspace(sai("mlw")))
    azure.have(raw.workspace(sai("other"), on=OTHER, registry=REGISTRY if draw(st.booleans()) else THEIRS))
    azure.have(*draw(st.lists(own_computes, min_size=1, max_size=3)), *draw(st.lists(own_endpoints, max_size=1)))
    return azure


class Machine(RuleBasedStateMachine):
    """One case. Its figures go to `tally`."""

    def __init__(self, tally: Tally) -> None:
        super().__init__()
        self.tally = tally
        self.world: World | None = None

    def go(self, *work: Coroutine[Any, Any, Any]) -> None:
        async def at_once() -> None:
            await asyncio.gather(*work)

        asyncio.run(at_once())

    @initialize(azure=watched(), settles=st.booleans(), prunes=st.booleans())
    def begin(self, azure: Watched, settles: bool, prunes: bool) -> None:
        azure.settle = SETTLE if settles else timedelta()
        said = terms(settle=azure.settle, on=["AML-80"] if prunes else [])
        self.world = World.of(azure, replace(said, table=TABLE), INSTANCES)

    @property
    def on(self) -> World:
        assert self.world
        return self.world

    @property
    def azure(self) -> Watched:
        azure = self.on.azure
        assert isinstance(azure, Watched)
        return azure

    # People and Azure

    @rule(what=happenings)
    def happens(self, what: tuple[str, Any]) -> None:
        azure = self.azure
        match what:
            case "makes", one:
                azure.have(one)
            case "deletes", (on, name):
                azure.lose(on.child(*name.split("/")))
            case "gives another identity", (holder, kind, on):
                azure.have(compute("cpu0", holder, kind, on), endpoint("serve", holder, on))
            case "assigns", one:
                self._assigns(one)
            case "takes away", number if azure.assignments:
                del azure.assignments[number % len(azure.assignments)]
            case "locks", scope:
                azure.locks = [raw.lock(scope)] if scope else []
            case "turns the admin user", on:
                azure.resources[REGISTRY]["properties"]["adminUserEnabled"] = on
            case "replicates late", late:
                found = {default_identity(one) for one in azure.resources.values()}
                azure.unborn = {one for one in found if one} if late else set()
            case "indexes late", on:
                azure.hidden = {on} if on else set()

    def _assigns(self, one: Any) -> None:
        known = {(a.scope, a.principal_id, a.role_id) for a in self.azure.assignments}
        if (one.scope, one.principal_id, one.role_id) not in known:
            self.azure.assignments.append(one)

    @rule(minutes=st.integers(1, 90), heals=st.booleans())
    def time_passes(self, minutes: int, heals: bool) -> None:
        self.azure.advance(timedelta(minutes=minutes))
        if heals:
            self.on.weather.heal()

    @rule(failure=failures, at=st.sampled_from([At.SENT, At.EFFECT]), times=st.sampled_from([1, 1, 1, 12]))
    def fails(self, failure: tuple[str, str, int], at: At, times: int) -> None:
        kind, error, nth = failure
        if error == "refused":
            at = At.SENT  # what Azure refuses it has not done
        self.on.weather.armed.append(Fault(kind, nth, error, at, times))

    # amlguard

    def _does(self, doing: tuple[str, Scope], number: int) -> Coroutine[Any, Any, Any]:
        what, on = doing
        process = self.on.processes[number]
        match what:
            case "event":
                return self.on.delivery(process, on)
            case "sweep":
                return self.on.timer(process)
            case "apply":
                return self.on.apply(process, on)
            case _:
                return self.on.work(process)

    @rule(doing=doings, number=instances)
    def does(self, doing: tuple[str, Scope], number: int) -> None:
        self.go(self._does(doing, number))

    @rule(some=st.lists(doings, min_size=INSTANCES, max_size=INSTANCES))
    def does_at_once(self, some: list[tuple[str, Scope]]) -> None:
        self.go(*(self._does(doing, number) for number, doing in enumerate(some)))

    @rule(doing=doings, number=instances, death=deadly, at=points)
    def dies(self, doing: tuple[str, Scope], number: int, death: tuple[str, int], at: At) -> None:
        self._armed(Fault(*death, at=at, dies=True), self._does(doing, number))

    @rule(some=st.lists(doings, min_size=INSTANCES, max_size=INSTANCES), death=deadly, at=points)
    def one_of_several_dies(self, some: list[tuple[str, Scope]], death: tuple[str, int], at: At) -> None:
        self._armed(Fault(*death, at=at, dies=True), *(self._does(doing, number) for number, doing in enumerate(some)))

    def _armed(self, fault: Fault, *work: Coroutine[Any, Any, Any]) -> None:
        self.on.weather.armed.append(fault)
        self.go(*work)
        self.on.weather.armed[:] = [one for one in self.on.weather.armed if one is not fault]

    @rule(nth=st.integers(0, 20), death=st.none() | deadly, at=points)
    def undoes(self, nth: int, death: tuple[str, int] | None, at: At) -> None:
        """What is drawn depends on nothing that amlguard did: its ids differ from run to run."""
        runs = self.on.run_ids()
        if not runs:
            return
        undoing = self.on.undo(Process("a desk"), runs[nth % len(runs)])
        if death:
            self._armed(Fault(*death, at=at, dies=True), undoing)
        else:
            self.go(undoing)

    @rule()
    def works_off(self) -> None:
        self.go(self.on.work_off(hours=0.3))

    # What always holds

    @invariant()
    def nothing_is_wrong(self) -> None:
        if self.world:
            self._require(always(self.azure))

    def teardown(self) -> None:
        if self.world is None:
            return
        self.azure.locks, self.azure.unborn, self.azure.hidden = [], set(), set()
        self.on.weather.heal()
        twin = World.of(self.azure.copy(), self.on.app.terms)
        twin.azure.accepted = self.azure.accepted
        twin.azure.journal += [one for one in self.azure.journal if isinstance(one[1], dict)]
        twin.app.store.documents = dict(self.on.app.store.documents)
        for world in (twin, self.on):
            self.go(_at_rest(world))
        wrong = at_rest(self.azure) + list(differing(self.azure, twin.azure))
        self.tally.add(self.on.weather, self.azure, wrong)
        assert wrong == [], "\n".join(wrong)

    def _require(self, wrong: list[str]) -> None:
        if wrong:
            self.tally.violations += wrong
        assert wrong == [], "\n".join(wrong)


def counted(tally: Tally) -> type[RuleBasedStateMachine]:
    """The machine whose cases are counted by `tally`."""

    class Case(Machine):
        def __init__(self) -> None:
            super().__init__(tally)

    return Case


async def _at_rest(world: World) -> None:
    """Sweeps come until they have nothing left to do."""
    for _ in range(_REST):
        before = len(_writes(world))
        await world.calm()
        if len(_writes(world)) == before:
            return
    raise AssertionError("the sweep never comes to rest")


def _writes(world: World) -> list[Any]:
    return [one for kind, one in world.azure.journal if kind in ("grant", "setting", "removal")]
