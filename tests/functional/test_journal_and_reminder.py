"""What a run writes down before and after its changes, and what reminds others of it until then."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from fake_store import FakeStore
from fakes import FakeAuditLog, FakeAzure, FakeQueue
from unit.build import NOW, REGISTRY, WORKSPACE, guid, sai, workspace_id

from shared.access.actions import Deferred, Grant, Leaning, Plan, Refusal, Setting, Withheld
from shared.access.asks import Finding, Property, Severity
from shared.access.guards import Guard
from shared.access.history import THERE_ALREADY
from shared.access.intents import OPEN_AFTER
from shared.access.needs import PULL
from shared.access.scope import Scope
from shared.access.terms import RunMode
from shared.audit_rows import Outcome, Phase, Run, planned
from shared.messages import Reconcile, Trigger, decode
from shared.ports import AuditFailedError, AzureFailureError, Row
from shared.state.open_runs import OpenRun, OpenRuns
from shared.writing.journal import Journal, in_full
from shared.writing.reminder import Reminder

MINUTE = timedelta(minutes=1)
RUN = Run(RunMode.ENFORCE, Trigger(caller_object_id=guid("caller")))
OFF = Setting(REGISTRY, Property.ADMIN_USER, "true", "false", "registry-admin-user", ("AML-21",), "covered", "source")
KEYS = Setting(WORKSPACE, Property.CACHED_KEYS, "cached", "resynced", "cached-keys", ("AML-71",), "stale", "source")
GRANT = Grant(sai("cpu1"), PULL, REGISTRY, WORKSPACE, "compute-pull", ("AML-18",), "pulls", "source")
ALL = Plan(
    grants=(GRANT,),
    findings=(Finding(WORKSPACE, "workspace-identity", ("AML-01",), Severity.HIGH, "lacks a role", "Do it"),),
    withheld=(Withheld(OFF, Refusal(Guard.LOCK, "it is locked")),),
    deferred=(Deferred(KEYS, NOW, "the grants have to act first"),),
)


class _World:
    def __init__(self) -> None:
        self.azure = FakeAzure()
        self.log = FakeAuditLog(self.azure)
        self.store = FakeStore(self.azure.troubles)
        self.queue = FakeQueue(self.azure, self.azure.troubles)
        self.troubles = self.azure.troubles

    @property
    def journal(self) -> Journal:
        log: Any = self.log
        return Journal(log)

    async def begun(self, *actions: Grant | Setting, **more: Any) -> Reminder:
        one = Reminder(**{"store": self.store, "queue": self.queue, "run": RUN, "workspace": WORKSPACE, **more})
        await one.begin([planned(RUN, each) for each in actions], NOW)
        return one

    async def documents(self) -> list[OpenRun]:
        return [one.run for one in await OpenRuns(self.store).all()]

    async def kept(self) -> tuple[list[str], list[tuple[str, str]]]:
        """Of the one document, the intents and the outcomes."""
        (one,) = await self.documents()
        return [row["ActionId"] for row in one.intents], [(row["ActionId"], row["Outcome"]) for row in one.outcomes]

    def reminders(self) -> list[timedelta]:
        """When messages about the run come."""
        about = Reconcile((str(WORKSPACE),), RUN.trigger, run=RUN.id)
        assert all(decode(one.body) == about for one in self.queue.messages)
        return [one.due - self.azure.clock for one in self.queue.messages]

    def rows(self) -> list[tuple[str, str, str]]:
        return [(row["ActionId"], row["Outcome"], row["Reason"]) for row in self.log.rows()]


def _came(action: Grant | Setting, phase: Phase = Phase.APPLIED, **more: Any) -> Outcome:
    return Outcome(action, phase, "it came", **more)


class TestTheIntent:
    async def test_has_what_is_to_be_done_what_is_not_and_what_was_found(self) -> None:
        one = _World()
        await one.journal.intent(ALL, RUN, set())
        assert one.rows() == [
            (GRANT.action_id, "Planned", "pulls"),
            (OFF.action_id, "Withheld", "it is locked"),
            (KEYS.action_id, "Deferred", "the grants have to act first"),
        ]
        assert [row["Guard"] for row in one.log.rows()] == ["", "lock", ""]
        assert [row["Message"] for row in one.log.findings()] == ["lacks a role"]
        assert {row["RunId"] for row in (*one.log.rows(), *one.log.findings())} == {RUN.id}

    async def test_is_recorded_once_as_long_as_it_stays_the_same(self) -> None:
        one, recorded = _World(), set[tuple[str, str]]()
        await one.journal.intent(ALL, RUN, recorded)
        before = list(one.azure.journal)
        await one.journal.intent(ALL, RUN, recorded)
        assert one.azure.journal == before
        await one.journal.intent(Plan(settings=(OFF,)), RUN, recorded)
        assert one.rows()[-1] == (OFF.action_id, "Planned", "covered")

    async def test_of_nothing_needs_no_log(self) -> None:
        await Journal(None).intent(Plan(), RUN, set())

    @pytest.mark.parametrize("part", [Plan((GRANT,)), Plan(findings=ALL.findings)], ids=["changes", "findings"])
    async def test_that_no_log_takes_is_a_failure(self, part: Plan) -> None:
        with pytest.raises(AuditFailedError) as caught:
            await Journal(None).intent(part, RUN, set())
        assert (caught.value.operation, caught.value.code) == ("record", "NoAuditLog")
        assert caught.value.reason

    @pytest.mark.parametrize("lets_through", [0, 1])
    async def test_of_which_the_log_takes_a_part_is_a_failure_and_only_the_rest_comes_again(
        self, lets_through: int
    ) -> None:
        one, recorded = _World(), set[tuple[str, str]]()
        one.troubles.after["audit"] = lets_through
        with pytest.raises(AuditFailedError):
            await one.journal.intent(ALL, RUN, recorded)
        await one.journal.intent(ALL, RUN, recorded)
        assert (len(one.log.rows()), len(one.log.findings())) == (3, 1)


async def test_a_failure_shows_when_everything_has_ended() -> None:
    ended = []

    async def fails() -> None:
        raise ValueError("first")

    async def goes_on() -> str:
        await asyncio.sleep(0.01)
        ended.append("the other")
        return "answer"

    with pytest.raises(ValueError, match="first"):
        await in_full(fails(), goes_on())
    assert ended == ["the other"]
    assert await in_full(goes_on(), goes_on()) == ["answer", "answer"]


class TestWhoLeansOnIt:
    """`undo` must know who needs what the run granted for another workspace."""

    MINE, OTHERS = frozenset({RUN.id, guid("older")}), frozenset({guid("older")})
    SHARED = Grant(
        sai("cpu1"), PULL, REGISTRY, WORKSPACE, "compute-pull", ("AML-18",), "pulls", "source", (workspace_id("other"),)
    )

    @pytest.mark.parametrize(
        ("runs", "told", "is_said"),
        [
            (MINE, set[Scope](), True),
            (OTHERS, set[Scope](), False),
            (MINE, {WORKSPACE}, True),
            (MINE, {workspace_id("other")}, True),
            (MINE, {WORKSPACE, workspace_id("other")}, False),
            (MINE, {WORKSPACE, workspace_id("other"), workspace_id("third")}, False),
        ],
    )
    async def test_is_said_once_of_what_this_run_made(
        self, runs: frozenset[str], told: set[Scope], is_said: bool
    ) -> None:
        one = _World()
        await one.journal.leaning([Leaning(self.SHARED, runs)], RUN, told)
        assert one.rows() == [(GRANT.action_id, "Applied", f"{THERE_ALREADY}: pulls")] * is_said
        assert all(row["Found"] and row["RunId"] == RUN.id for row in one.log.rows())


class TestTheReminder:
    async def test_is_a_document_and_a_message_for_later(self) -> None:
        one = _World()
        await one.begun(GRANT, OFF)
        (document,) = await one.documents()
        assert (document.run, document.began, document.outcomes) == (RUN.id, NOW, ())
        assert (await one.kept())[0] == [GRANT.action_id, OFF.action_id]
        assert one.reminders() == [OPEN_AFTER]

    async def test_of_nothing_is_none(self) -> None:
        one = _World()
        reminder = await one.begun()
        assert (one.store.documents, one.queue.messages) == ({}, [])
        assert not await reminder.keep([], frozenset())

    async def test_is_none_without_a_store(self) -> None:
        one = _World()
        reminder = await one.begun(GRANT, store=None)
        assert one.queue.messages == []
        assert not await reminder.keep([], frozenset())
        await reminder.end(frozenset({GRANT.action_id}))

    async def test_of_no_one_workspace_is_a_document(self) -> None:
        one = _World()
        await one.begun(GRANT, workspace=None)
        assert (len(await one.documents()), one.queue.messages) == (1, [])

    async def test_needs_no_queue(self) -> None:
        one = _World()
        one.troubles.down = {"queue"}
        reminder = await one.begun(GRANT)
        assert len(await one.documents()) == 1
        await reminder.end(frozenset())
        assert await one.documents() == []

    async def test_that_cannot_be_kept_is_a_failure(self) -> None:
        one = _World()
        one.troubles.down = {"store"}
        reminder = Reminder(one.store, one.queue, RUN, WORKSPACE)
        with pytest.raises(AzureFailureError):
            await reminder.begin([planned(RUN, GRANT)], NOW)
        await reminder.end(frozenset({GRANT.action_id}))
        assert one.queue.messages == []

    async def test_whose_message_cannot_be_taken_back_does_no_harm(self) -> None:
        one = _World()
        reminder = await one.begun(GRANT)
        one.troubles.down = {"queue"}
        await reminder.end(frozenset())
        assert await one.documents() == []

    async def test_that_cannot_be_taken_back_does_no_harm(self) -> None:
        one = _World()
        reminder = await one.begun(GRANT)
        one.troubles.down = {"store"}
        await reminder.end(frozenset())
        await reminder.end(frozenset({GRANT.action_id}))


class TestOutcomes:
    async def test_on_record_take_the_reminder_away(self) -> None:
        one = _World()
        reminder = await one.begun(GRANT, OFF)
        await one.journal.outcomes([_came(GRANT), _came(OFF, Phase.FAILED)], RUN, reminder)
        assert one.rows() == [(GRANT.action_id, "Applied", "it came"), (OFF.action_id, "Failed", "it came")]
        assert (one.store.documents, one.queue.messages) == ({}, [])

    async def test_that_are_unclear_stay_intents(self) -> None:
        one = _World()
        reminder = await one.begun(GRANT, OFF)
        await one.journal.outcomes([_came(GRANT), _came(OFF, Phase.DEFERRED, unclear=True)], RUN, reminder)
        assert one.rows() == [(GRANT.action_id, "Applied", "it came")]
        assert await one.kept() == ([OFF.action_id], [])
        (document,) = await one.documents()
        assert (document.run, document.began) == (RUN.id, NOW)
        assert one.reminders() == [OPEN_AFTER]

    @pytest.mark.parametrize(("wait", "soon"), [(timedelta(), MINUTE), (7 * MINUTE, 7 * MINUTE)])
    async def test_that_the_log_does_not_take_are_kept_until_it_does(self, wait: timedelta, soon: timedelta) -> None:
        one = _World()
        reminder = await one.begun(GRANT, OFF)

        class Down(FakeAuditLog):
            async def record(self, table: str, rows: list[Row]) -> None:  # type: ignore[override]  # is never read
                raise AuditFailedError(f"record {len(rows)} in {table}", "Throttled", "Azure answered 429", wait=wait)

        down: Any = Down(one.azure)
        outcomes = [_came(GRANT), _came(OFF, Phase.DEFERRED, unclear=True)]
        await Journal(down).outcomes(outcomes, RUN, reminder)
        assert one.log.rows() == []
        assert await one.kept() == ([OFF.action_id], [(GRANT.action_id, "Applied")])
        (document,) = await one.documents()
        assert (document.run, document.began) == (RUN.id, NOW)
        assert one.reminders() == [OPEN_AFTER, soon]

    async def test_of_which_the_document_says_nothing_have_their_intents_there(self) -> None:
        one = _World()
        reminder = await one.begun(GRANT)
        one.troubles.down = {"store", "audit"}
        await one.journal.outcomes([_came(GRANT)], RUN, reminder)
        one.troubles.heal()
        assert await one.kept() == ([GRANT.action_id], [])
        assert one.reminders() == [OPEN_AFTER, MINUTE]

    @pytest.mark.parametrize("lacks", ["store", "queue"])
    async def test_that_nobody_keeps_or_a_person_waits_for_are_a_failure(self, lacks: str) -> None:
        one = _World()
        reminder = await one.begun(GRANT, **{lacks: None})
        one.troubles.down = {"audit"}
        with pytest.raises(AuditFailedError):
            await one.journal.outcomes([_came(GRANT)], RUN, reminder)
        kept = [row["Outcome"] for each in await one.documents() for row in each.outcomes]
        assert kept == ["Applied"] * (lacks == "queue")


class TestNothingWasBegun:
    ERROR = AzureFailureError("count the changes", "ServiceUnavailable", "Azure answered 503", wait=7 * MINUTE)

    async def test_is_the_outcome_of_an_intent_that_is_on_record(self) -> None:
        one = _World()
        reminder = await one.begun(GRANT, OFF)
        await one.journal.nothing_begun(Plan((GRANT,), (OFF,)), RUN, reminder, self.ERROR, accepted=True)
        assert [(row["ActionId"], row["Outcome"], row["Code"]) for row in one.log.rows()] == [
            (GRANT.action_id, "Deferred", "ServiceUnavailable"),
            (OFF.action_id, "Deferred", "ServiceUnavailable"),
        ]
        for row in one.log.rows():
            assert "count the changes" in row["Reason"]
            assert "Azure answered 503" in row["Reason"]
        assert (one.store.documents, one.queue.messages) == ({}, [])

    async def test_waits_where_the_log_may_not_have_the_intent(self) -> None:
        one = _World()
        reminder = await one.begun(GRANT)
        await one.journal.nothing_begun(Plan((GRANT,)), RUN, reminder, self.ERROR, accepted=False)
        assert one.log.rows() == []
        assert await one.kept() == ([], [(GRANT.action_id, "Deferred")])
        assert one.reminders() == [OPEN_AFTER, 7 * MINUTE]
