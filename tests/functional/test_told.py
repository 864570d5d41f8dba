"""What people are told by events: one for each run and kind, one for each sweep and kind, and nothing waits for it."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
import raw
from app import C1, C2, App, app
from unit.build import REGISTRY, ROLES, WORKSPACE, sai

from handlers import work_queue
from shared import told
from shared.access.terms import RuleMode, RuleTerms
from shared.audit_rows import Run
from shared.memory import Memory
from shared.messages import Tell, decode
from shared.ports import TellFailedError
from shared.state.sweep_documents import Summary, Tally
from shared.telling import Teller

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "schemas" / "events.schema.json").read_text("utf-8"))
TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"


@dataclass
class FakeTopic:
    """What arrived, each valid by the published schema; `down` refuses. `hangs` is set when it begins to."""

    events: list[Mapping[str, Any]] = field(default_factory=list)
    down: bool = False
    lacks_right: bool = False
    tries: int = 0
    hangs: asyncio.Event | None = None

    async def send(self, event: Mapping[str, Any]) -> None:
        self.tries += 1
        if self.hangs:
            self.hangs.set()
            await asyncio.Event().wait()
        if self.down:
            raise TellFailedError("send", "Down", "the topic is down", lacks_right=self.lacks_right)
        jsonschema.validate({"specversion": "1.0", **event}, SCHEMA, cls=jsonschema.Draft202012Validator)
        self.events.append(event)

    def types(self) -> list[str]:
        return [str(one["type"]).removeprefix("amlguard.") for one in self.events]


@pytest.fixture
def topic() -> FakeTopic:
    return FakeTopic()


def telling(topic: FakeTopic, *raws: raw.Raw, **policy: Any) -> App:
    one = app(*raws, **policy)
    one.topic = topic
    return one


async def drained(one: App) -> None:
    while await one.work():
        pass


def pulls(one: App) -> set[str]:
    return one.azure.holders("AcrPull", REGISTRY)


async def test_a_run_tells_once_of_what_it_applied(topic: FakeTopic) -> None:
    one = telling(topic, raw.compute("cpu1", C1), raw.compute("cpu2", C2))
    assert await one.event(WORKSPACE)
    await drained(one)
    (event,) = [each for each in topic.events if each["type"] == "amlguard.remediation.applied"]
    data = event["data"]
    applied = one.audit.rows("Applied")
    assert {each["actionId"] for each in data["actions"]} == {row["ActionId"] for row in applied}
    assert (data["total"], data["notNamed"], data["workspace"]) == (len(applied), 0, str(WORKSPACE))
    assert data["run"] == applied[0]["RunId"]
    assert event["subject"] == str(WORKSPACE)


async def test_nothing_to_do_is_nothing_to_tell(topic: FakeTopic) -> None:
    one = telling(topic)
    await one.event(WORKSPACE)
    await drained(one)
    topic.events.clear()
    await one.event(WORKSPACE)
    await drained(one)
    assert topic.types() == []


async def test_without_a_topic_nothing_goes_to_the_queue() -> None:
    one = app(raw.compute("cpu1", C1))
    await one.event(WORKSPACE)
    assert not [each for each in one.queue.messages if isinstance(decode(each.body), Tell)]


async def test_what_waits_for_approval_names_the_command(topic: FakeTopic) -> None:
    one = telling(topic, raw.compute("cpu1", C1))
    one.terms = replace(one.terms, rules={**one.terms.rules, "compute-pull": RuleTerms(mode=RuleMode.APPROVE)})
    await one.event(WORKSPACE)
    await drained(one)
    assert "approval.needed" in topic.types()
    (event,) = [each for each in topic.events if each["type"] == "amlguard.approval.needed"]
    assert f"amlguard approve {event['data']['run']}" in event["data"]["actions"][0]["reason"]


async def test_what_stands_is_told_once_a_day_however_many_events_come(topic: FakeTopic) -> None:
    one = telling(topic, raw.compute("cpu1", C1))
    one.terms = replace(one.terms, rules={**one.terms.rules, "compute-pull": RuleTerms(mode=RuleMode.APPROVE)})
    for _ in range(4):
        await one.event(WORKSPACE)
        await drained(one)
    assert topic.types().count("approval.needed") == 1


async def test_what_the_policy_itself_withholds_is_no_news(topic: FakeTopic) -> None:
    one = telling(topic, raw.compute("cpu1", C1), report=["compute-pull"])
    await one.event(WORKSPACE)
    await drained(one)
    told_of = {each["rule"] for event in topic.events for each in event["data"]["actions"]}
    assert told_of == {"registry-admin-user"}  # a guard of its own keeps that one on


async def test_what_a_guard_withholds_is(topic: FakeTopic) -> None:
    one = telling(topic, raw.compute("cpu1", C1))
    one.stopped = True
    await one.event(WORKSPACE)
    await drained(one)
    (event,) = [each for each in topic.events if each["type"] == "amlguard.remediation.withheld"]
    assert {each["guard"] for each in event["data"]["actions"]} == {"kill-switch"}


async def test_what_failed_is_told_with_its_code(topic: FakeTopic) -> None:
    one = telling(topic, raw.compute("cpu1", C1))
    one.azure.forbidden.add(ROLES["AcrPull"].role_id)
    await one.event(WORKSPACE)
    await drained(one)
    (event,) = [each for each in topic.events if each["type"] == "amlguard.remediation.failed"]
    assert {each["code"] for each in event["data"]["actions"]} == {"AuthorizationFailed"}


async def test_what_somebody_keeps_reverting_is_told_as_such(topic: FakeTopic) -> None:
    one = telling(topic, raw.compute("cpu1", C1), contested_after=1)
    one.azure.logged = True
    await one.event(WORKSPACE)
    one.azure.assignments.clear()
    one.memory = Memory()
    await one.event(WORKSPACE)
    await drained(one)
    assert "remediation.contested" in topic.types()


async def test_a_topic_that_is_down_delays_no_remediation_and_loses_no_record(topic: FakeTopic) -> None:
    one = telling(topic, raw.compute("cpu1", C1))
    topic.down = True
    assert await one.event(WORKSPACE)
    assert pulls(one) == {C1.id}
    assert one.audit.rows("Applied")
    assert topic.tries == 0  # the run did not even try: that is the queue's work
    await drained(one)
    assert topic.tries
    assert topic.events == []
    assert not one.poison
    topic.down = False
    await one.settle(hours=2)
    assert "remediation.applied" in topic.types()


async def test_a_topic_that_never_answers_holds_up_nobody(topic: FakeTopic) -> None:
    one = telling(topic, raw.compute("cpu1", C1))
    topic.hangs = asyncio.Event()
    await one.event(WORKSPACE)
    (message,) = [each for each in one.queue.messages if isinstance(decode(each.body), Tell)][:1]
    sending = asyncio.create_task(work_queue.handle(message.body, one.services))
    await topic.hangs.wait()
    one.azure.have(raw.compute("cpu2", C2))
    assert await one.event(WORKSPACE)
    assert pulls(one) == {C1.id, C2.id}
    assert len([row for row in one.audit.rows("Applied") if row["RuleId"] == "compute-pull"]) == 2
    assert not sending.done()
    sending.cancel()


async def test_nor_does_a_queue_that_is_down(topic: FakeTopic) -> None:
    one = telling(topic, raw.compute("cpu1", C1))
    one.troubles.down.add("queue")
    await one.event(WORKSPACE)
    assert pulls(one) == {C1.id}
    assert one.audit.rows("Applied")


async def test_a_right_that_is_missing_is_raised_so_that_people_hear_of_it(topic: FakeTopic) -> None:
    one = telling(topic, raw.compute("cpu1", C1))
    topic.down = topic.lacks_right = True
    await one.event(WORKSPACE)
    await one.settle(hours=1)
    found = [row for row in one.audit.findings() if row["RuleId"] == "poison-work"]
    assert found
    assert all(row["LacksRight"] and "Tell" in row["Message"] for row in found)
    assert pulls(one) == {C1.id}


async def test_an_event_that_comes_twice_has_the_same_id(topic: FakeTopic) -> None:
    one = telling(topic, raw.compute("cpu1", C1))
    await one.event(WORKSPACE)
    (message,) = [each for each in one.queue.messages if isinstance(decode(each.body), Tell)][:1]
    await work_queue.handle(message.body, one.services)
    await work_queue.handle(message.body, one.services)
    first, second = topic.events
    assert first["id"] == second["id"]


async def test_what_a_run_tells_later_has_an_id_of_its_own(topic: FakeTopic) -> None:
    """The resync after a switch-off, and changes that were open: whoever drops what comes twice must not drop these."""
    teller = Teller(topic, None, Memory(), TENANT)
    first, second, third = ({**row, "Guard": ""} for row in rows(3, "Applied"))
    await teller.rows([first])
    await teller.rows([second, third])
    await teller.rows([third, second])
    before, later, again = (event["id"] for event in topic.events)
    assert before != later == again


def rows(count: int, outcome: str = "Withheld", guard: str = "cap") -> Iterator[dict[str, Any]]:
    for n in range(count):
        yield {
            "ActionId": f"a{n}",
            "Action": "Grant",
            "RuleId": "compute-pull",
            "ResourceId": f"{WORKSPACE}/computes/cpu{n}",
            "RunId": "r",
            "Outcome": outcome,
            "Guard": guard,
            "Reason": "because " * 200,
        }


def test_at_most_fifty_are_named_and_the_others_counted() -> None:
    (event,) = told.of_run("r", str(WORKSPACE), "enforce", told.digests(rows(10_000)), TENANT)
    data = event.data
    assert 0 < len(data.actions) <= told.MOST_NAMED
    assert (data.total, data.not_named) == (10_000, 10_000 - len(data.actions))
    assert len(told.encode(event)) <= 48 * 1024  # what a message of the queue holds, before base64


@pytest.mark.parametrize("size", [1, 49, 50, 51])
def test_as_many_as_fit_are_named(size: int) -> None:
    short = [{**row, "Reason": "cap"} for row in rows(size)]
    (event,) = told.of_run("r", "", "enforce", told.digests(short), TENANT)
    assert len(event.data.actions) == min(size, told.MOST_NAMED)


async def test_a_sweep_with_ten_thousand_findings_sends_a_digest(topic: FakeTopic) -> None:
    """200 shards, each with 50 findings and 50 changes that a guard withheld."""
    tally = Tally()
    for shard in range(200):
        some = told.digests({**row, "ActionId": f"{shard}-{row['ActionId']}"} for row in rows(50))
        tally += Tally(50, findings=50, told=some)
    one = app()
    now = one.azure.now()
    await Teller(topic, None, one.memory, TENANT).sweep(
        Summary("s", now, "enforce", "Completed", 200, 200, 10_000, tally, 1000)
    )
    assert topic.types() == ["remediation.withheld", "sweep.completed"]
    withheld, ended = (event["data"] for event in topic.events)
    assert withheld["total"] == 10_000
    assert withheld["total"] == len(withheld["actions"]) + withheld["notNamed"]
    assert ended["findings"] == 10_000


async def test_a_sweep_of_the_app_tells_at_its_end_and_not_for_each_workspace(topic: FakeTopic) -> None:
    names = [f"mlw{n}" for n in range(6)]
    more = [raw.workspace(sai(name)) for name in names]
    one = telling(topic, *more, raw.compute("cpu1", C1))
    assert await one.sweep()
    await one.settle(hours=1)
    ends = [kind for kind in topic.types() if kind.startswith("sweep.")]
    assert ends == ["sweep.completed"]
    assert len(topic.types()) == len(set(topic.types()))
    sweeps = [event for event in topic.events if event["subject"].startswith("sweeps/")]
    assert "amlguard.remediation.applied" in {event["type"] for event in sweeps}


async def test_an_incomplete_sweep_is_told(topic: FakeTopic) -> None:
    one = telling(topic)
    one.troubles.down.add("read")
    await one.sweep()
    await one.settle(hours=1)
    one.troubles.heal()
    await drained(one)
    assert "sweep.incomplete" in topic.types()


async def test_by_hand_it_is_sent_at_once_and_a_topic_that_is_down_is_let_be(topic: FakeTopic) -> None:
    one = telling(topic, raw.compute("cpu1", C1))
    result = await one.services.reconciler.run(WORKSPACE, Run(one.terms.mode))
    teller = Teller(topic, None, one.memory, TENANT)
    await teller.by_hand(result.run.id, [result])
    assert "remediation.applied" in topic.types()
    topic.down = True
    await teller.by_hand(result.run.id, [result])


def test_each_column_of_the_log_is_told_under_its_own_name() -> None:
    names = [name.title().replace("_", "") for name in told.Named.__struct_fields__]
    columns = {"Rule": "RuleId", "Resource": "ResourceId", "Run": "RunId"}
    row = {columns.get(name, name): name for name in names}
    (event,) = told.of_run("r", "", "enforce", told.digests([{**row, "Outcome": "Failed"}]), TENANT)
    (named,) = event.data.actions
    assert [getattr(named, name) for name in told.Named.__struct_fields__] == names


def test_what_a_row_does_not_say_is_told_as_nothing() -> None:
    kept = json.dumps({"actionId": "a", "action": "Grant", "rule": "r", "resourceId": "x", "run": "r"})
    named = msgspec.json.decode(kept, type=told.Named)
    assert {getattr(named, name) for name in told.Named.__struct_fields__[5:]} == {""}


def test_of_a_sweep_each_kind_is_an_event_of_its_own() -> None:
    """Whoever drops what comes twice must drop neither."""
    some = {**told.digests(rows(1)), **told.digests(rows(1, "Applied", ""))}
    events = list(told.of_sweep("s", "enforce", some, TENANT))
    assert len({event.id for event in events}) == len(some) == 2
    assert {(event.data.sweep, event.data.run, event.data.workspace) for event in events} == {("s", "", "")}


async def test_every_event_names_its_tenant_and_what_it_is_about(topic: FakeTopic) -> None:
    now = app().azure.now()
    teller = Teller(topic, None, Memory(), TENANT)
    await teller.rows(rows(1))
    await teller.sweep(Summary("s", now, "enforce", "Completed", 1, 1, 1, Tally(1, told=told.digests(rows(1))), 1000))
    assert {event["source"] for event in topic.events} == {f"urn:amlguard:{TENANT}"}
    withheld, of_sweep, ended = (event["data"] for event in topic.events)
    assert (withheld["run"], of_sweep["sweep"], ended["sweep"]) == ("r", "s", "s")
