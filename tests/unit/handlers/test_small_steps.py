"""Small steps of the handlers: whom a token names, which policy is read, what is given up, and what is tried again."""

import base64
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import raw
from app import C1, App, app, waiting
from unit.build import REGISTRY, SUBSCRIPTION, WORKSPACE, guid, workspace_id

from handlers import resource_changed, sweep, work_queue
from handlers.look import look_now
from handlers.policy_file import chosen_policy
from handlers.runtime import claim, closed
from shared.access.actions import Setting
from shared.access.asks import Property
from shared.access.scope import InvalidScopeError, Scope
from shared.access.terms import RunMode
from shared.audit_rows import Run, planned
from shared.azure.settings import Settings
from shared.messages import Dependency, Reconcile, Resync, Shard, Sweep, Trigger, Work, encode
from shared.ports import AzureFailureError, ReadFailedError
from shared.state.open_runs import OpenRun, OpenRuns
from shared.state.pushed_policy import PushedPolicy

OTHER = workspace_id("other")
NAMED, SET, BESIDE = Path("named.yaml"), Path("set.yaml"), Path("beside.yaml")


@pytest.mark.parametrize("more", range(4))
def test_a_claim_is_read_however_long_the_token_is(more: int) -> None:
    said = json.dumps({"oid": guid("app").upper(), "name": "x" * more}).encode()
    payload = base64.urlsafe_b64encode(said).decode().rstrip("=")
    assert claim(f"head.{payload}.signature", "oid") == guid("app")
    assert claim(f"head.{payload}.signature", "tid") == ""


@pytest.mark.parametrize(
    ("named", "settings", "read"),
    [
        (NAMED, Settings(), NAMED),
        (NAMED, Settings(policy_file=str(SET)), NAMED),
        (NAMED, Settings(policy_blob="policy.yaml"), NAMED),
        (None, Settings(policy_file=str(SET)), SET),
        (None, Settings(policy_blob="policy.yaml"), None),
    ],
)
def test_a_file_that_is_named_comes_before_one_that_is_set(
    named: Path | None, settings: Settings, read: Path | None
) -> None:
    assert chosen_policy(named, settings) == read


async def test_who_may_approve_need_not_read_the_policy() -> None:
    one = app()
    one.troubles.down = {"store"}
    services = replace(one.services, pushed=PushedPolicy(one.store, "policy.yaml"))
    async with closed(services, by_policy=False) as opened:
        assert opened is services
    with pytest.raises(AzureFailureError):
        async with closed(services, by_policy=True):
            pass


async def test_what_is_no_event_is_a_finding_and_changes_nothing() -> None:
    one = app(raw.compute("cpu1", C1))
    await resource_changed.handle(["no event"], one.services)
    (row,) = one.audit.findings()
    assert (row["RuleId"], row["ResourceId"]) == ("malformed-event", "/")
    assert row["Remedy"]
    assert one.azure.assignments == []


async def test_without_a_queue_the_sweep_fails_under_its_name() -> None:
    services: Any = type("Services", (), {"queue": None})
    with pytest.raises(AzureFailureError) as failure:
        await sweep.handle(services)
    assert (failure.value.operation, failure.value.code) == ("sweep", "NoQueue")


def failing(one: App, *broken: Scope) -> None:
    """Reads of these workspaces fail."""
    read = one.azure.resource

    async def resource(scope: Scope) -> raw.Raw | None:
        if scope in broken:
            raise ReadFailedError("read", "InternalServerError", "Azure answered 500")
        return await read(scope)

    one.azure.resource = resource  # type: ignore[method-assign]  # some workspaces cannot be read


async def test_one_that_fails_keeps_no_other_and_is_looked_at_again_alone() -> None:
    one = app(raw.compute("cpu1", C1), raw.workspace(on=OTHER, registry=None))
    failing(one, OTHER)
    (result,) = await look_now([WORKSPACE, OTHER], one.services, Trigger())
    assert result.workspace == WORKSPACE
    assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}
    assert (str(OTHER),) in [work.workspaces for work in waiting(one) if isinstance(work, Reconcile)]


async def test_in_a_shard_as_well() -> None:
    one = app(raw.workspace(on=OTHER, registry=None))
    failing(one, OTHER)
    await sweep.look_over(Shard("", "00000", (str(WORKSPACE), str(OTHER))), one.services)
    again = [work.workspaces for work in waiting(one) if isinstance(work, Reconcile)]
    assert (str(OTHER),) in again


async def test_who_uses_a_registry_is_looked_at() -> None:
    one = app(raw.compute("cpu1", C1))
    await work_queue.handle(encode(Dependency(str(REGISTRY))), one.services)
    assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}


@pytest.mark.parametrize(
    "work", [Shard("s", "00000", (str(WORKSPACE), str(OTHER))), Dependency(str(REGISTRY)), Sweep(id="s")]
)
async def test_an_outage_puts_a_look_off_before_it_is_given_up(work: Work) -> None:
    one = app()
    one.troubles.down = {"read"}
    await work_queue.handle(encode(work), one.services, work_queue.MOST_TRIES)
    (again,) = waiting(one)
    assert type(again) is type(work)
    assert one.audit.findings() == []


@pytest.mark.parametrize(
    ("work", "about", "put_back"),
    [
        (Reconcile((str(WORKSPACE),), attempt=9), WORKSPACE, True),
        (Reconcile((str(WORKSPACE), str(OTHER)), attempt=9), SUBSCRIPTION, True),
        (Resync((str(WORKSPACE),)), WORKSPACE, True),
        (Dependency(str(REGISTRY), attempt=9), REGISTRY, True),
        (Shard("", "00000", (str(WORKSPACE),), attempt=9), WORKSPACE, False),
        (Reconcile(("no id",), attempt=9), Scope.parse("/"), True),
    ],
)
async def test_work_that_is_given_up_is_a_finding_where_it_was_to_be_done(
    work: Work, about: Scope, put_back: bool
) -> None:
    """A message of a sweep has no effect any more: nobody is asked to put it back."""
    one = app()
    one.troubles.down = {"read", "write", "queue"}
    with pytest.raises((AzureFailureError, InvalidScopeError)):
        await work_queue.handle(encode(work), one.services, work_queue.MOST_TRIES)
    (row,) = (each for each in one.audit.findings() if each["RuleId"] == sweep.POISON)
    assert Scope.parse(row["ResourceId"]) == about
    assert ("put the message back" in row["Remedy"]) is put_back


async def test_a_sweep_leads_to_what_an_earlier_run_left_open() -> None:
    one = app()
    run = Run(RunMode.ENFORCE)
    keys = Setting(WORKSPACE, Property.CACHED_KEYS, "", "resynced", "cached-keys", ("AML-71",), "why", "source")
    began = one.azure.now() - timedelta(days=1)
    await OpenRuns(one.store).begin(OpenRun(run.id, began, (planned(run, keys),)))
    await sweep.find(one.services, "")
    assert [work.run for work in waiting(one) if isinstance(work, Reconcile)] == [run.id]
