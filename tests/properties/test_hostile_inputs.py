"""Whatever anybody writes: deliveries, messages, documents, policies, plans. What once broke it is in tests/inputs."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import raw
import yaml
from app import App
from event_grid import CANARY, cloud_event, cloud_notification, event, notification
from hypothesis import given, settings
from hypothesis import strategies as st
from properties.spoiling import cut, spoiled
from reliability.host import MOST_TRIES, calm
from reliability.invariants import Watched, held
from troubles import Crashed, Dies
from unit.build import GROUP, REGISTRY, WORKSPACE, cluster, estate, guid, registry, sai, terms, workspace

from handlers import resource_changed, sweep, work_queue
from handlers.cli.console import UsageError
from handlers.cli.plan_file import actions_of
from shared import policy
from shared.access.plan import plan
from shared.access.plan_json import action, key, restrict
from shared.access.report import Report
from shared.messages import Dependency, Reconcile, Record, Resync, Shard, Sweep, Trigger, encode
from shared.ports import AzureFailureError

_INPUTS = Path(__file__).parents[1] / "inputs"
C1 = sai("cpu1")


def _app() -> App:
    """A cluster that cannot pull yet."""
    azure = Watched(logged=True)
    azure.have(raw.workspace(sai("mlw")), raw.registry(), raw.storage(), raw.vault(), raw.compute("cpu1", C1))
    return App(terms(settle=timedelta()), azure)


def _harmless(one: App) -> None:
    """No more was done than a look at the workspace would do, and nothing of a person is kept."""
    assert one.azure.wrong == []  # type: ignore[attr-defined]  # see Watched
    assert {who for _, who, _ in held(one.azure)} <= {C1.id}
    assert CANARY not in repr(one.azure.journal)


# Deliveries

_COMPUTE: dict[str, Any] = raw.compute("cpu1", C1) | {"location": "westeurope", "name": "cpu1"}
_EVENTS = (
    event(str(WORKSPACE)),
    cloud_event(f"{WORKSPACE}/computes/cpu1", "delete"),
    event(str(REGISTRY)),
    notification(_COMPUTE),
    cloud_notification(_COMPUTE),
)


async def _delivered(one: object) -> None:
    app = _app()
    with suppress(AzureFailureError):
        await resource_changed.handle(one, app.services)
    _harmless(app)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(_EVENTS).flatmap(lambda one: spoiled(one, str(GROUP), "/", "%2F", "Microsoft.X", "\x00", 1e400)))
def test_whatever_is_delivered_is_taken_or_recorded_as_malformed(one: object) -> None:
    asyncio.run(_delivered(one))


# Messages of the queue

_MESSAGES = tuple(
    encode(one)
    for one in (
        Reconcile((str(WORKSPACE),), Trigger(guid("c"), guid("who"), None, str(WORKSPACE)), 3, guid("run")),
        Dependency(str(REGISTRY)),
        Sweep(id="20261129T000000"),
        Shard("20261129T000000", "0", (str(WORKSPACE),)),
        Resync((str(WORKSPACE),), run=guid("run")),
        Record("AmlGuardRemediation_CL", ({"RunId": guid("run"), "ActionId": guid("a"), "Outcome": "Applied"},)),
    )
)


def _spoiled_json(data: bytes) -> st.SearchStrategy[bytes]:
    """JSON writes half of a UTF-16 pair as an escape."""
    within = spoiled(json.loads(data), str(GROUP), str(REGISTRY), "reconcile", "record", -1, 10**30)
    return st.one_of(within.map(lambda one: json.dumps(one).encode()), cut(data))


async def _worked_off(message: bytes) -> None:
    """It is done, or fails in a way that puts it among what was given up, with a finding."""
    app = _app()
    try:
        await work_queue.handle(message, app.services, MOST_TRIES)
    except (AzureFailureError, ValueError):
        assert [row["RuleId"] for row in app.audit.findings()][-1:] == ["poison-work"]
    _harmless(app)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(_MESSAGES).flatmap(_spoiled_json))
def test_whatever_is_on_the_queue_is_done_or_given_up_on_record(message: bytes) -> None:
    asyncio.run(_worked_off(message))


# Stored documents


async def _left_open() -> App:
    """A run died after its first grant; its document and the log tell of it."""
    one = _app()
    one.azure.troubles = Dies(armed=True)
    one = App(one.terms, one.azure)
    with suppress(Crashed):
        await one.run()
    one.restart()
    one.queue.messages.clear()
    return one


async def _kept(change: Callable[[bytes], bytes]) -> None:
    """What the document does not tell any more, the log tells."""
    one = await _left_open()
    (name,) = await one.store.names("open/")
    stored = await one.store.read(name)
    assert stored
    await one.store.write(name, change(stored.data), stored.etag)
    one.azure.advance(timedelta(hours=1))
    await sweep.handle(one.services)
    await calm(one, sweeps=1)
    assert one.poison == []
    assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}
    _harmless(one)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_whatever_stands_in_a_document_of_a_run_no_sweep_fails(data: st.DataObject) -> None:
    asyncio.run(_awaited(_kept(lambda document: data.draw(_spoiled_json(document)))))


async def _awaited(work: Awaitable[None]) -> None:
    await work


# Policies

_POLICY: dict[str, Any] = {
    "mode": "enforce",
    "scopes": [str(GROUP)],
    "settle_minutes": 15,
    "trust": {"boundary": "subscription", "allow": [str(GROUP)]},
    "rules": {"AML-08": {"enabled": True}, "AML-21": {"mode": "report"}},
    "exemptions": [{"scope": str(GROUP), "rules": ["AML-21"], "until": "2027-01-31", "reason": "moves"}],
    "caps": {"per_run": 50, "per_hour": 200},
    "evidence": {"look_back_days": 30, "required": False},
    "serverless": "jobs",
    "builders": "contributor",
    "contested_after": 3,
}
_ODD = (
    "!!python/object:os.system {}",
    "&a [*a]",
    "2026-02-30",
    ".inf",
    "!!binary x",
    "? [a]: b",
    "{a: 1, a: 2}",
    "0o9",
)


def _policies() -> st.SearchStrategy[bytes]:
    written = yaml.safe_dump(_POLICY).encode()
    odd = st.sampled_from([f"{name}: {one}\n".encode() for name in (*_POLICY, "x") for one in _ODD])
    spoilt = spoiled(_POLICY, -1, 1e300, str(REGISTRY), "AML-999")
    dumped = spoilt.map(lambda one: yaml.safe_dump(one, allow_unicode=True).encode("utf-8", "surrogatepass"))
    return st.one_of(dumped, cut(written), odd)


def _read(data: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "policy.yaml"
        path.write_bytes(data)
        with suppress(policy.PolicyError):
            assert policy.load(path).terms().table


def test_the_policy_is_right_as_it_is() -> None:
    assert policy.parse(yaml.safe_dump(_POLICY)).contested_after == 3


@settings(max_examples=100, deadline=None)
@given(_policies())
def test_whatever_stands_in_a_policy_is_used_or_a_mistake_that_is_named(data: bytes) -> None:
    _read(data)


# Plan documents

_PLANNED = plan(estate(workspace(cluster("cpu1", C1)), registry(admin_user=True)), terms(settle=timedelta()))
_PLAN = json.dumps(Report([_PLANNED]).document() | {"removals": []}).encode()


def _chosen(data: bytes) -> None:
    """No action that the document does not name. None of it is made worse by what it names besides."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "plan.json"
        path.write_bytes(data)
        keys = frozenset[tuple[str, ...]]()
        with suppress(UsageError):
            keys = actions_of(path)
    left = restrict(_PLANNED, keys)
    assert {key(action(one)) for one in left.grants} <= keys
    assert set(left.grants) <= set(_PLANNED.grants)


def test_the_plan_is_right_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_bytes(_PLAN)
    assert restrict(_PLANNED, actions_of(tmp_path / "plan.json")).grants == _PLANNED.grants != ()


@settings(max_examples=60, deadline=None)
@given(_spoiled_json(_PLAN))
def test_whatever_stands_in_a_plan_chooses_or_is_refused(data: bytes) -> None:
    _chosen(data)


# Found by the tests above, and kept


_AGAIN: dict[str, Callable[[bytes], object]] = {
    "deliveries": lambda data: asyncio.run(_delivered(json.loads(data))),
    "messages": lambda data: asyncio.run(_worked_off(data)),
    "documents": lambda data: asyncio.run(_kept(lambda _: data)),
    "policies": _read,
    "plans": _chosen,
}


@pytest.mark.parametrize("path", sorted(_INPUTS.glob("*/*")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_once_broke_it(path: Path) -> None:
    _AGAIN[path.parent.name](path.read_bytes())
