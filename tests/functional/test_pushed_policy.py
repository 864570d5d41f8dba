"""A policy that is a blob: in force within a minute; a wrong one never; none at all until one was read."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import raw
from app import C1, App, app
from fake_store import FakeStore
from fakes import FakeAuditLog
from troubles import Troubles
from unit.build import REGISTRY, SUBSCRIPTION, WORKSPACE

from handlers import resource_changed, sweep, work_queue
from handlers.runtime import BROKEN_POLICY, Runtime
from shared.messages import Reconcile, Shard, encode
from shared.ports import AzureFailureError, Row, Store, Stored
from shared.state.pushed_policy import KEPT_SECONDS, MOST_BYTES, PushedPolicy, last_good

NAME = "policy.yaml"
ENFORCE = "mode: enforce\nsettle_minutes: 0\n"
REPORT = "mode: report\n"
BROKEN = "mode: sometimes\n"


@dataclass
class Instance:
    """One process of the app, with a clock of its own."""

    one: App
    blobs: FakeStore
    seconds: float = 1000.0
    pushed: PushedPolicy = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        self.pushed = PushedPolicy(self.blobs, NAME, lambda: self.seconds)

    @property
    def services(self) -> Runtime:
        return replace(self.one.services, pushed=self.pushed)

    async def message(self) -> bool:
        """Whether a message of the queue was worked on to its end."""
        work = encode(Reconcile((str(WORKSPACE),)))
        try:
            await work_queue.handle(work, self.services)
        except AzureFailureError:
            return False
        return True


@dataclass
class Slow(FakeStore):
    """What `meanwhile` does comes between the read of the policy and that of the last good one."""

    meanwhile: Callable[[], Awaitable[object]] | None = None
    asked: int = 0

    async def read(self, name: str) -> Stored | None:
        self.asked += 1
        if name == last_good(NAME) and self.meanwhile:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()
        return await super().read(name)


@dataclass
class SilentLog(FakeAuditLog):
    """Takes the connection, and never answers."""

    asked: bool = False

    async def record(self, table: str, rows: Sequence[Row]) -> None:  # noqa: ARG002 - as the port calls it
        self.asked = True
        await asyncio.Event().wait()


@pytest.fixture
def blobs() -> FakeStore:
    return FakeStore(Troubles())


@pytest.fixture
def first(blobs: FakeStore) -> Instance:
    return Instance(app(raw.compute("cpu1", C1)), blobs)


@pytest.fixture
def second(first: Instance, blobs: FakeStore) -> Instance:
    return Instance(first.one, blobs)


async def push(blobs: Store, text: str, name: str = NAME) -> None:
    known = await blobs.read(name)
    await blobs.write(name, text.encode(), known.etag if known else None)


def pulls(one: Instance) -> set[str]:
    return one.one.azure.holders("AcrPull", REGISTRY)


def broken(one: Instance) -> list[Row]:
    return [row for row in one.one.audit.findings() if row["RuleId"] == BROKEN_POLICY]


async def test_what_was_pushed_is_in_force(first: Instance, blobs: FakeStore) -> None:
    await push(blobs, ENFORCE)
    assert await first.message()
    assert pulls(first)
    assert not broken(first)


async def test_a_new_one_comes_into_force_within_a_minute_in_every_instance(
    first: Instance, second: Instance, blobs: FakeStore
) -> None:
    await push(blobs, REPORT)
    for each in (first, second):
        await each.message()
    await push(blobs, ENFORCE)
    for each in (first, second):
        each.seconds += KEPT_SECONDS - 1
        assert str((await each.services.current()).terms.mode) == "report"
        each.seconds += 1
        assert str((await each.services.current()).terms.mode) == "enforce"
    assert await second.message()
    assert pulls(first)


async def test_it_is_read_once_a_minute_however_many_ask(first: Instance, blobs: FakeStore) -> None:
    await push(blobs, ENFORCE)
    before = (await first.services.current()).terms
    blobs.troubles.down.add("store")
    assert (await first.services.current()).terms is before


async def test_nor_does_it_change_in_the_middle_of_a_shard_without_notice(first: Instance, blobs: FakeStore) -> None:
    """A shard takes minutes: each of its workspaces is looked at by the policy that is then in force."""
    await push(blobs, ENFORCE)
    services = await first.services.current()
    await push(blobs, f"{ENFORCE}scopes: [/subscriptions/99999999-9999-4999-8999-999999999999]\n")
    first.seconds += KEPT_SECONDS
    work = Shard("", "00000", (str(WORKSPACE),))
    await sweep.look_over(work, replace(services, pushed=first.pushed))
    assert not pulls(first)


@pytest.mark.parametrize(
    "text",
    [
        *(BROKEN, "mode: [", "rules: {AML-999: {enabled: true}}", "scopes: [nowhere]", "just words", "- mode: report"),
        *(
            "",
            "\ufeff",
            "# nothing\n---\n...\n",
            "null",
            "mode: report\n---\nmode: enforce",
            "mode: report\nmode: enforce",
        ),
        *("a: &a [x]\nscopes: *a", "a: &a {mode: enforce}\n<<: *a", "[" * 5000, "mode: !!python/name:os.system ''"),
        *("mode: report\n# " + "x" * MOST_BYTES, "mode: report\nsome_later_key: 1", "mode: \x00"),
    ],
)
async def test_a_wrong_one_is_never_in_force_and_is_a_finding(first: Instance, blobs: FakeStore, text: str) -> None:
    await push(blobs, ENFORCE)
    await first.services.current()
    await push(blobs, text)
    first.seconds += KEPT_SECONDS
    assert await first.message()
    assert pulls(first)
    (row,) = broken(first)
    assert row["Severity"] == "high"
    assert "blob:policy.yaml" in row["Message"]


async def test_nor_is_one_that_is_no_text(first: Instance, blobs: FakeStore) -> None:
    await push(blobs, ENFORCE)
    await first.services.current()
    known = await blobs.read(NAME)
    await blobs.write(NAME, b"\xff\xfe\x00m", known.etag if known else None)
    first.seconds += KEPT_SECONDS
    assert await first.message()
    assert pulls(first)


async def test_aliases_that_stand_for_more_than_any_memory_are_refused_at_once(
    first: Instance, blobs: FakeStore
) -> None:
    lists = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9) if n else 'x'}]" for n in range(30))
    merged = "\n".join(
        f"m{n}: &m{n} {{{'<<: [' + ', '.join([f'*m{n - 1}'] * 9) + ']' if n else 'x: 1'}}}" for n in range(30)
    )
    await push(blobs, ENFORCE)
    await first.services.current()
    for text in (lists, merged):
        await push(blobs, text)
        first.seconds += KEPT_SECONDS
        now = await first.pushed.current()
        assert "write out what stands there" in now.wrong
        assert now.terms.mode == "enforce"


async def test_where_the_last_good_one_is_gone_too_a_process_stays_by_what_it_read(
    first: Instance, blobs: FakeStore
) -> None:
    await push(blobs, ENFORCE)
    await first.services.current()
    await push(blobs, BROKEN)
    await blobs.delete(last_good(NAME))
    first.seconds += KEPT_SECONDS
    assert (await first.services.current()).terms.mode == "enforce"
    first.start()
    assert (await first.services.current()).terms.mode == "report", "one that starts then knows of none"


@pytest.mark.parametrize("kept", ["", BROKEN, "mode: enforce\nkey_of_another_version: 1"])
async def test_a_last_good_one_that_is_wrong_now_is_not_in_force_either(
    first: Instance, blobs: FakeStore, kept: str
) -> None:
    await push(blobs, BROKEN)
    await push(blobs, kept, last_good(NAME))
    assert await first.message()
    assert not pulls(first)
    assert broken(first)


async def test_a_broken_one_is_never_kept_as_the_last_good_one(first: Instance, blobs: FakeStore) -> None:
    await push(blobs, ENFORCE)
    await first.services.current()
    for text in (BROKEN, "", "mode: ["):
        await push(blobs, text)
        first.seconds += KEPT_SECONDS
        await first.services.current()
    kept = await blobs.read(last_good(NAME))
    assert kept
    assert kept.data == ENFORCE.encode()


async def test_a_policy_that_may_not_be_read_is_not_one_that_is_gone(first: Instance, blobs: FakeStore) -> None:
    """403 is unknown: nothing is done by the defaults, and by none at all after a start."""
    await push(blobs, ENFORCE)
    blobs.troubles.down.add("store")
    for look in (first.message(), first.message()):
        assert not await look
    assert not broken(first)
    assert not first.one.audit.rows()


async def test_it_changes_between_the_look_and_the_keeping(first: Instance, second: Instance, blobs: FakeStore) -> None:
    """Two instances, of which one read the version before: the last good one is a good one all the same."""
    await push(blobs, REPORT)
    await first.services.current()
    await push(blobs, ENFORCE)
    await second.services.current()
    first.seconds += KEPT_SECONDS
    second.seconds += KEPT_SECONDS
    for each in (first, second):
        assert (await each.services.current()).terms.mode == "enforce"
    kept = await blobs.read(last_good(NAME))
    assert kept
    assert kept.data == ENFORCE.encode()


async def test_the_finding_is_recorded_once_an_hour(first: Instance, blobs: FakeStore) -> None:
    await push(blobs, BROKEN)
    for _ in range(3):
        await first.message()
        first.seconds += KEPT_SECONDS
    assert len(broken(first)) == 1
    first.seconds += 3600
    await first.message()
    assert len(broken(first)) == 2


async def test_a_log_that_never_answers_keeps_nobody_from_the_last_good_one(first: Instance, blobs: FakeStore) -> None:
    """Event Grid waits 30 s, and the work itself takes most of that."""
    await push(blobs, ENFORCE)
    await first.services.current()
    await push(blobs, BROKEN)
    first.seconds += KEPT_SECONDS
    log = SilentLog(first.one.azure)
    async with asyncio.timeout(15):
        now = await replace(first.services, audit=log).current()
    assert log.asked
    assert now.terms.mode == "enforce"


async def test_the_last_good_one_survives_a_restart(first: Instance, blobs: FakeStore) -> None:
    await push(blobs, ENFORCE)
    await first.services.current()
    await push(blobs, BROKEN)
    first.start()
    assert await first.message()
    assert pulls(first)
    assert broken(first)


async def test_so_it_does_where_the_policy_is_gone(first: Instance, blobs: FakeStore) -> None:
    await push(blobs, ENFORCE)
    await first.services.current()
    await blobs.delete(NAME)
    first.start()
    assert await first.message()
    assert pulls(first)
    assert broken(first)


async def test_the_last_good_one_is_that_of_any_instance(first: Instance, second: Instance, blobs: FakeStore) -> None:
    """The second one missed the last good version."""
    await push(blobs, ENFORCE)
    await second.services.current()
    await push(blobs, REPORT)
    await first.services.current()
    await push(blobs, BROKEN)
    second.seconds += KEPT_SECONDS
    assert await second.message()
    assert not pulls(second)


async def test_one_that_is_put_right_is_in_force_again(first: Instance, blobs: FakeStore) -> None:
    await push(blobs, BROKEN)
    assert (await first.services.current()).terms.mode == "report"
    await push(blobs, ENFORCE)
    first.seconds += KEPT_SECONDS
    assert (await first.services.current()).terms.mode == "enforce"


@pytest.mark.parametrize("text", [BROKEN, None])
async def test_without_any_good_one_nothing_changes(first: Instance, blobs: FakeStore, text: str | None) -> None:
    if text is not None:
        await push(blobs, text)
    assert await first.message()
    assert not pulls(first)
    assert broken(first)


async def test_a_start_without_storage_changes_nothing_until_a_policy_was_read(
    first: Instance, blobs: FakeStore
) -> None:
    await push(blobs, ENFORCE)
    blobs.troubles.down.add("store")
    assert not await first.message()
    with pytest.raises(AzureFailureError):
        await resource_changed.handle(_event(), first.services)
    assert not pulls(first)
    assert not first.one.audit.rows()
    blobs.troubles.heal()
    await resource_changed.handle(_event(), first.services)
    assert pulls(first)


async def test_what_was_read_before_stays_while_the_storage_is_away_for_a_while(
    first: Instance, blobs: FakeStore
) -> None:
    await push(blobs, ENFORCE)
    await first.services.current()
    blobs.troubles.down.add("store")
    first.seconds += KEPT_SECONDS
    assert (await first.services.current()).terms.mode == "enforce"
    first.seconds += 600
    assert not await first.message()
    assert not pulls(first)


async def test_a_last_good_one_that_cannot_be_kept_now_is_kept_later(first: Instance, blobs: FakeStore) -> None:
    await push(blobs, ENFORCE)
    blobs.troubles.after["store"] = 2  # the policy, what is kept, and then the write
    assert (await first.services.current()).terms.mode == "enforce"
    assert await blobs.read(last_good(NAME)) is None
    first.seconds += KEPT_SECONDS
    await first.services.current()
    kept = await blobs.read(last_good(NAME))
    assert kept
    assert kept.data == ENFORCE.encode()


async def test_whoever_waited_while_it_could_not_be_read_does_not_wait_again() -> None:
    """A delivery of Event Grid has 30 s, and each read of a storage account that hangs takes eight."""
    blobs = Slow(Troubles())
    one = Instance(app(), blobs)
    await push(blobs, ENFORCE)
    blobs.troubles.down.add("store")
    blobs.asked = 0
    ends = await asyncio.gather(*(one.pushed.current() for _ in range(10)), return_exceptions=True)
    assert all(isinstance(end, AzureFailureError) for end in ends)
    assert blobs.asked == 1
    blobs.troubles.heal()
    assert (await one.pushed.current()).terms.mode == "enforce"


async def test_a_command_keeps_nothing(first: Instance, blobs: FakeStore) -> None:
    """It may be newer than the app, to which the last good one must stay readable; and `plan` writes nothing."""
    await push(blobs, ENFORCE)
    assert (await first.services.current(records=False)).terms.mode == "enforce"
    assert await blobs.read(last_good(NAME)) is None
    first.seconds += KEPT_SECONDS
    await first.services.current()
    assert await blobs.read(last_good(NAME))


async def test_a_slow_instance_does_not_keep_an_older_one_over_a_newer() -> None:
    one, blobs = app(raw.compute("cpu1", C1)), Slow(Troubles())
    slow, quick = Instance(one, blobs), Instance(one, blobs)
    await push(blobs, ENFORCE)

    async def overtake() -> None:
        await push(blobs, REPORT)
        await quick.services.current()

    blobs.meanwhile = overtake
    assert (await slow.services.current()).terms.mode == "enforce", "for a minute"
    await push(blobs, BROKEN)
    slow.start()
    assert (await slow.services.current()).terms.mode == "report"


def _event() -> dict[str, Any]:
    return {
        "id": "1",
        "topic": str(SUBSCRIPTION),
        "subject": str(WORKSPACE),
        "eventType": "Microsoft.Resources.ResourceWriteSuccess",
        "eventTime": "2026-11-20T10:00:00Z",
        "dataVersion": "2",
        "data": {
            "resourceUri": str(WORKSPACE),
            "operationName": "Microsoft.MachineLearningServices/workspaces/write",
            "correlationId": "5a0f3c1e-0000-4000-8000-00000000000c",
        },
    }
