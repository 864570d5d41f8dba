"""Whatever happens on the way, the end is the same: events are hints, the state is re-read (law 1).

Random tenants live through events that come twice, late, out of order or not at all, through failing reads, a failing
log, writes that time out after their effect, and sudden death; then the sweep comes. The examples are the same each
time, and few: `make soak` plays thousands of new ones of this kind (`reliability.machine`).
"""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import raw
from app import App
from fakes import FakeAzure
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from properties.tenants_at_random import (
    OTHER,
    SETTLE,
    THEIRS,
    WORKSPACES,
    assignments,
    compute,
    computes,
    default_identity,
    dependants,
    endpoint,
    endpoints,
    kinds,
    tenants,
    where,
    who,
)
from unit.build import GROUP, REGISTRY, WORKSPACE, terms

from shared.access.asks import Property
from shared.access.scope import Scope
from shared.access.terms import RunMode
from shared.messages import Resync, decode

TROUBLES = st.tuples(st.sampled_from(["read", "write", "audit", "queue"]), st.integers(0, 12), st.booleans())
WEATHER = st.lists(
    st.one_of(
        st.tuples(st.just("event"), where),
        st.tuples(st.just("work"), st.just(0)),
        st.tuples(st.just("tick"), st.integers(1, 20)),
        st.tuples(st.just("crash"), st.integers(0, 40)),
        st.tuples(st.just("trouble"), TROUBLES),
    ),
    max_size=12,
)


def writes(app: App) -> list[Any]:
    return [entry for kind, entry in app.azure.journal if kind in ("grant", "setting")]


def end(app: App) -> Any:
    """What counts of a tenant: who holds what, which admin users are on, who is in which vault's policies."""
    held = {(a.scope, a.principal_id, a.role_id, a.condition) for a in app.azure.assignments}
    switches = {scope: one["properties"].get("adminUserEnabled") for scope, one in app.azure.resources.items()}
    policies = {scope: str(one["properties"].get("accessPolicies")) for scope, one in app.azure.resources.items()}
    return held, switches, policies


async def calm_down(app: App) -> None:
    """No more trouble; the sweep comes until it has nothing left to do."""
    app.troubles.heal()
    app.restart()
    for _ in range(8):
        before = len(writes(app))
        assert await app.sweep()
        await app.settle(hours=1)
        if len(writes(app)) == before:
            return
        app.azure.advance(SETTLE)
    raise AssertionError("the sweep never comes to rest")


async def live_through(app: App, weather: list[tuple[str, Any]]) -> None:
    for what, how in weather:
        match what:
            case "event":
                await app.event(how)
            case "work":
                await app.work()
            case "tick":
                app.azure.advance(timedelta(minutes=how))
            case "crash":
                app.troubles.crash_in = how
            case "trouble":
                kind, after, app.troubles.too_late = how
                app.troubles.after[kind] = after


@given(tenants(), WEATHER)
@settings(max_examples=30)
def test_rough_weather_ends_where_calm_weather_does(tenant: FakeAzure, weather: list[tuple[str, Any]]) -> None:
    async def both() -> None:
        calm, rough = App(azure=tenant.copy()), App(azure=tenant.copy())
        await calm_down(calm)
        await live_through(rough, weather)
        await calm_down(rough)
        assert end(rough) == end(calm)

    asyncio.run(both())


@given(tenants(), st.permutations(WORKSPACES))
@settings(max_examples=15)
def test_events_reach_what_the_sweep_does_in_any_order(tenant: FakeAzure, order: list[Scope]) -> None:
    async def both() -> None:
        swept, told = App(azure=tenant.copy()), App(azure=tenant.copy())
        await calm_down(swept)
        for workspace in (*order, *order):
            assert await told.event(workspace)
            await told.settle(hours=1)
        assert end(told) == end(swept)

    asyncio.run(both())


@given(tenants(), WEATHER)
@settings(max_examples=15)
def test_mode_report_writes_nothing_and_plans_the_same(tenant: FakeAzure, weather: list[tuple[str, Any]]) -> None:
    async def live() -> None:
        app = App(terms(), azure=tenant.copy())
        reporting = App(terms(mode=RunMode.REPORT), azure=tenant.copy())
        for workspace in WORKSPACES:
            planned = await reporting.services.reconciler.prepare(workspace)
            assert planned == await app.services.reconciler.prepare(workspace)
        await live_through(reporting, weather)
        assert writes(reporting) == []
        assert end(reporting) == end(app)

    asyncio.run(live())


class Tenant(RuleBasedStateMachine):
    """One tenant that people change while amlguard works on it."""

    def __init__(self) -> None:
        super().__init__()
        self.checked = 0
        self.unsafe: list[Any] = []

    def go(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run(work)

    @initialize(tenant=tenants())
    def begin(self, tenant: FakeAzure) -> None:
        self.app = App(azure=tenant.copy())
        self.app.azure.before_switch_off = self.look_before_switch_off

    @property
    def azure(self) -> FakeAzure:
        return self.app.azure

    def look_before_switch_off(self, registry: Scope) -> None:
        self.unsafe += dependants(self.azure, registry, since=self.azure.clock - SETTLE)

    # People

    @rule(one=computes | endpoints)
    def makes(self, one: raw.Raw) -> None:
        self.azure.have(one)

    @rule(name=st.sampled_from(["computes/cpu0", "computes/cpu1", "onlineEndpoints/serve"]), on=where)
    def deletes(self, name: str, on: Scope) -> None:
        self.azure.lose(on.child(*name.split("/")))

    @rule(holder=who, kind=kinds, on=where)
    def gives_another_identity(self, holder: str, kind: str, on: Scope) -> None:
        self.azure.have(compute("cpu0", holder, kind, on), endpoint("serve", holder, on))

    @rule(one=assignments)
    def assigns(self, one: Any) -> None:
        if not any(
            (a.scope, a.principal_id, a.role_id) == (one.scope, one.principal_id, one.role_id)
            for a in self.azure.assignments
        ):
            self.azure.assignments.append(one)

    @precondition(lambda self: self.azure.assignments)
    @rule(data=st.data())
    def takes_away(self, data: st.DataObject) -> None:
        self.azure.assignments.remove(data.draw(st.sampled_from(self.azure.assignments)))

    @rule(scope=st.sampled_from([None, REGISTRY, WORKSPACE, OTHER]))
    def locks(self, scope: Scope | None) -> None:
        self.azure.locks = [raw.lock(scope)] if scope else []

    @rule(on=st.booleans())
    def turns_the_admin_user(self, on: bool) -> None:
        self.azure.resources[REGISTRY]["properties"]["adminUserEnabled"] = on

    # Azure

    @rule(unborn=st.booleans())
    def replicates(self, unborn: bool) -> None:
        found = {default_identity(one) for one in self.azure.resources.values()} - {None}
        self.azure.unborn = {one for one in found if one} if unborn else set()

    @rule(on=where, hidden=st.booleans())
    def indexes(self, on: Scope, hidden: bool) -> None:
        self.azure.hidden = {on} if hidden else set()

    @rule(minutes=st.integers(1, 30))
    def waits(self, minutes: int) -> None:
        self.azure.advance(timedelta(minutes=minutes))

    @rule(trouble=TROUBLES)
    def fails(self, trouble: tuple[str, int, bool]) -> None:
        kind, after, self.app.troubles.too_late = trouble
        self.app.troubles.after[kind] = after

    @rule(calls=st.integers(0, 40))
    def will_crash(self, calls: int) -> None:
        self.app.troubles.crash_in = calls

    @rule()
    def heals(self) -> None:
        self.app.troubles.heal()

    # amlguard

    @rule(on=where)
    def gets_an_event(self, on: Scope) -> None:
        self.go(self.app.event(on))

    @rule()
    def works(self) -> None:
        self.go(self.app.work())

    @rule()
    def sweeps(self) -> None:
        self.go(self.app.sweep())
        self.go(self.app.settle(hours=0.3))

    # What always holds

    @invariant()
    def no_write_comes_before_its_planned_row(self) -> None:
        journal = self.azure.journal if hasattr(self, "app") else []
        planned = {
            e["ActionId"] for _, e in journal[: self.checked] if isinstance(e, dict) and e.get("Outcome") == "Planned"
        }
        for kind, entry in journal[self.checked :]:
            if kind in ("grant", "setting"):
                assert entry.action_id in planned
                inside = entry.scope if kind == "grant" else entry.resource
                assert GROUP.contains(inside), "outside the boundary"
                assert kind == "setting" or not entry.principal.resource or GROUP.contains(entry.principal.resource)
            elif entry.get("Outcome") == "Planned":
                planned.add(entry["ActionId"])
        self.checked = len(journal)

    @invariant()
    def the_admin_user_is_never_off_while_somebody_depends_on_it(self) -> None:
        assert self.unsafe == []

    def teardown(self) -> None:
        if hasattr(self, "app"):
            self.azure.locks, self.azure.unborn, self.azure.hidden = [], set(), set()
            fresh = App(azure=self.azure.copy())
            fresh.troubles.heal()
            self.go(calm_down(fresh))
            self.go(calm_down(self.app))
            assert end(self.app) == end(fresh)
            self.check_the_end()

    def check_the_end(self) -> None:
        given_up = [decode(body) for body in self.app.poison]
        assert self.azure.stale_keys <= {
            Scope.parse(one) for work in given_up if isinstance(work, Resync) for one in work.workspaces
        }
        assert self.unsafe == []
        denied = bool(self.azure.denies)
        conditional = {a.principal_id for a in self.azure.assignments if a.condition and a.scope == REGISTRY}
        left = list(dependants(self.azure, REGISTRY))
        for one in left:
            # Nobody is left out but for a reason: no identity, another team's, a condition in the way, a deny.
            holder = one.principal
            foreign = holder is not None and holder not in self.trusted()
            assert holder is None or foreign or holder in conditional or denied
        if not left and self.azure.users_of(REGISTRY):
            assert not self.azure.admin_user(REGISTRY)
        assert self.azure.admin_user(THEIRS)
        assert [s for s in writes(self.app) if getattr(s, "name", None) == Property.ACCESS_POLICY] == []

    def trusted(self) -> set[str]:
        found: set[str] = set()
        for one in self.azure.resources.values():
            block: Any = one.get("identity") or {}
            found |= {block["principalId"]} if block.get("principalId") else set()
            for scope, user in block.get("userAssignedIdentities", {}).items():
                found |= {user["principalId"]} if GROUP.contains(Scope.parse(scope)) else set()
        return found


TestTenant = Tenant.TestCase
TestTenant.settings = settings(max_examples=20, stateful_step_count=25)
