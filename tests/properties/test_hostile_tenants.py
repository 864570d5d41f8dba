"""Whoever may write in a resource group of their own gains nothing on anything else, whatever they write there.

Two thousand tenants a run live through attacks, events and sweeps; each write of amlguard is judged by an oracle that
shares nothing with it. That the oracle would notice is shown by apps with broken guards, handed in.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import Any

import pytest
from app import App
from hypothesis import given, settings
from hypothesis import strategies as st
from properties.hostile_tenants import (
    ADMINISTRATOR,
    ATTACKER,
    SCIENTISTS,
    Tenant,
    attack,
    gullible,
    tenant,
)
from properties.trespass import Oracle, Said, same, within

from handlers import resource_changed, work_queue
from shared.access.asks import Property
from shared.access.terms import Boundary
from shared.messages import Trigger, decode
from shared.ports import AzureFailureError

TENANTS = 2000
SHARDS = 8  # for as many processes
BROKEN_TENANTS = 60


class Watch:
    """Looks at what the app wrote since the last look; `trespasses` is what nobody allowed."""

    def __init__(self, one: Tenant) -> None:
        self.lair = str(one.lair)
        self.app = App(one.terms, azure=one.azure)
        said = Said(
            one.terms.boundary is Boundary.SUBSCRIPTION,
            tuple(map(str, one.terms.allow)),
            one.terms.caller_must_hold,
            frozenset({SCIENTISTS}),
        )
        self.oracle = Oracle(one.azure, said, {same(scope): name for scope, name in one.azure.tenants.items()})
        self.seen = 0
        self.made: set[str] = set()
        self.trespasses: list[Any] = []

    def look(self, event: tuple[str, str] | None) -> None:
        journal = self.app.azure.journal
        for kind, done in journal[self.seen :]:
            if kind in ("grant", "setting", "removal") and not self._allowed(kind, done, event):
                self.trespasses.append((kind, done, event))
        self.seen = len(journal)

    def _allowed(self, kind: str, done: Any, event: tuple[str, str] | None) -> bool:
        if kind == "removal":
            return str(done.assignment) in self.made or same(done.scope).startswith(same(self.lair))
        if kind == "grant":
            self.made.add(f"{done.scope}/providers/Microsoft.Authorization/roleAssignments/{done.name}")
            # What somebody gets on the attacker's own resources the attacker could give them anyway.
            return within(str(done.scope), self.lair) or self.oracle.allows_grant(
                done.principal.id, str(done.scope), done.need.role_id, event
            )
        if done.name is Property.CACHED_KEYS:  # of all who used a registry whose admin user went off
            return True
        return self.oracle.allows_setting(str(done.resource), done.principal.id if done.principal else None)


async def live(one: Tenant, break_it: Callable[[Watch], None] = lambda _: None) -> Watch:
    """Attacks, each with or without its event, perhaps an event of the teams, and a sweep at the end."""
    watch = Watch(one)
    break_it(watch)
    for _ in range(one.random.randrange(1, 4)):
        written = attack(one)
        one.azure.have(*written)
        if one.random.random() < 0.5:
            await tell(watch, written[0]["id"], ATTACKER)
    if one.random.random() < 0.3:
        await tell(watch, str(one.random.choice(list(one.azure.resources))), ADMINISTRATOR)
    await watch.app.sweep()
    await work(watch)
    if one.random.random() < 0.3:
        one.azure.advance(timedelta(minutes=6))
        await work(watch)
    return watch


async def work(watch: Watch) -> None:
    """All that is due, each message once: an id that is none fails each time."""
    due = [one for one in watch.app.queue.messages if one.due <= watch.app.azure.clock]
    while due:
        for message in due:
            watch.app.queue.messages.remove(message)
            with suppress(AzureFailureError):
                await work_queue.handle(message.body, watch.app.services)
            # What the queue carries on was set off by the event that it names.
            named = getattr(decode(message.body), "trigger", Trigger())
            watch.look((named.caller_object_id, named.resource) if named.caller_object_id else None)
        due = [one for one in watch.app.queue.messages if one.due <= watch.app.azure.clock]


async def tell(watch: Watch, resource: str, caller: str) -> None:
    data = {"resourceUri": resource, "claims": {_OBJECT_ID: caller}, "correlationId": "c"}
    event = {
        "id": "1",
        "topic": "/",
        "subject": resource,
        "eventType": "Microsoft.Resources.ResourceWriteSuccess",
        "eventTime": "2026-11-02T12:00:00Z",
        "dataVersion": "2",
        "data": data,
    }
    with suppress(AzureFailureError):  # an id that is none: Event Grid would try again, and fail again
        await resource_changed.handle(event, watch.app.services)
    watch.look((caller, resource))


_OBJECT_ID = "http://schemas.microsoft.com/identity/claims/objectidentifier"


@pytest.mark.parametrize("shard", range(SHARDS))
@given(number=st.integers(0, 2**48))
@settings(max_examples=TENANTS // SHARDS)
def test_nothing_is_gained_that_the_policy_does_not_allow(shard: int, number: int) -> None:
    assert asyncio.run(live(tenant(number * SHARDS + shard))).trespasses == []


def notices(break_it: Callable[[Watch], None], *, more_than: int) -> bool:
    """Whether the oracle sees a broken app trespass in more than so many of the tenants. Nobody looks further then."""
    seen = (seed for seed in range(BROKEN_TENANTS) if asyncio.run(live(tenant(seed), break_it)).trespasses)
    return len(list(islice(seen, more_than + 1))) > more_than


def test_the_oracle_notices_a_broken_guard_of_the_boundary() -> None:
    def trust_everything(watch: Watch) -> None:
        watch.app.terms = gullible(watch.app.terms)

    assert notices(trust_everything, more_than=BROKEN_TENANTS // 4)


def test_the_oracle_notices_a_broken_guard_of_callers() -> None:
    def ask_no_caller(watch: Watch) -> None:
        watch.app.terms = replace(watch.app.terms, caller_must_hold=False)

    assert notices(ask_no_caller, more_than=BROKEN_TENANTS // 10)


def test_the_oracle_notices_that_tenants_are_taken_for_one() -> None:
    def see_one_tenant(watch: Watch) -> None:
        watch.app.azure.tenants = {}

    assert notices(see_one_tenant, more_than=0)
