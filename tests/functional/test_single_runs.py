"""What one run of the reconciler shares with others, what it waits for, and what it leaves on record."""

import asyncio
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import raw
from app import C1, C2, SETTLE, App, app, waiting
from fakes import FakeAzure
from reliability.on_record import given
from troubles import Crashed, Dies
from unit import hurried
from unit.build import GROUP, REGISTRY, ROLES, WORKSPACE, guid, registry_id, sai, terms, uai, workspace_id

from shared.access.intents import OPEN_AFTER
from shared.access.rules import List
from shared.access.scope import Scope
from shared.access.terms import Caps, RunMode
from shared.audit_rows import Phase, Run
from shared.instructions import Instructions
from shared.messages import Reconcile, Resync, Trigger, Work, decode
from shared.pace import in_the_background
from shared.ports import AuditFailedError, ReadFailedError
from shared.progress import EVERYTHING, Look, Result
from shared.reconcile import Reconciler
from shared.state.open_runs import OpenRuns
from shared.stop import Stop, StoppedError

TEAM = uai("team")
OTHER = workspace_id("other")
EVENT = Trigger(resource=f"{WORKSPACE}/computes/cpu1")


def _by_hand(one: App, **more: Any) -> Reconciler:
    return replace(one.services.reconciler, queue=None, instructions=Instructions(by_hand=True, **more))


def _enforce(**trigger: Any) -> Run:
    return Run(RunMode.ENFORCE, Trigger(**trigger))


class TestRunsAtOnce:
    """They share a result only if nobody could tell it from their own."""

    @pytest.mark.parametrize(
        ("second", "look", "instructions"),
        [
            (_enforce(), Look(attempt=1), Instructions()),
            (_enforce(), Look(deadline=1e12), Instructions()),
            (_enforce(), Look(touched=List.COMPUTES), Instructions()),
            (_enforce(caller_object_id=guid("ann")), EVERYTHING, Instructions()),
            (Run(RunMode.REPORT), EVERYTHING, Instructions()),
            (_enforce(), EVERYTHING, Instructions(by_hand=True)),
            (_enforce(), EVERYTHING, Instructions(again=True)),
            (_enforce(), EVERYTHING, Instructions(only=frozenset())),
        ],
        ids=["attempt", "deadline", "touched", "caller", "mode", "by hand", "again", "only"],
    )
    async def test_are_two_that_differ(self, second: Run, look: Look, instructions: Instructions) -> None:
        one = app(raw.compute("cpu1", C1))
        first = _enforce()
        mine = one.services.reconciler
        theirs = replace(mine, instructions=instructions)
        results = await asyncio.gather(mine.run(WORKSPACE, first), theirs.run(WORKSPACE, second, look))
        assert [each.run.id for each in results] == [first.id, second.id]

    async def test_are_two_if_only_one_gives_way_to_events(self) -> None:
        one = app(raw.compute("cpu1", C1))
        first, second = _enforce(), _enforce()

        async def behind() -> Result:
            with in_the_background():
                return await one.services.reconciler.run(WORKSPACE, first)

        results = await asyncio.gather(behind(), one.services.reconciler.run(WORKSPACE, second))
        assert [each.run.id for each in results] == [first.id, second.id]

    async def test_are_two_for_two_workspaces(self) -> None:
        one = app()
        one.azure.have(raw.workspace(sai("other"), on=OTHER))
        results = await asyncio.gather(one.run(), one.run(OTHER))
        assert [each.workspace for each in results] == [WORKSPACE, OTHER]

    @pytest.mark.parametrize("careful", [True, False])
    async def test_are_one_for_events_about_two_resources_unless_callers_vouch(self, careful: bool) -> None:
        one = app(raw.compute("cpu1", C1), caller_must_hold=careful)
        runs = [_enforce(resource=f"{WORKSPACE}/computes/{name}") for name in ("cpu1", "cpu2")]
        results = await asyncio.gather(*(one.services.reconciler.run(WORKSPACE, run) for run in runs))
        assert len({each.run.id for each in results}) == (2 if careful else 1)


class TestPatience:
    @dataclass(repr=False)
    class Slow(FakeAzure):
        async def resource(self, scope: Scope) -> raw.Raw | None:
            await asyncio.sleep(300)
            return await super().resource(scope)

    @pytest.mark.parametrize("by_hand", [True, False])
    def test_a_person_has_more_than_an_app(self, by_hand: bool) -> None:
        one = App(terms(), self.Slow())
        one.azure.have(raw.workspace(sai("mlw")), raw.registry(), raw.storage(), raw.vault(), raw.compute("cpu1", C1))
        reconciler = _by_hand(one) if by_hand else one.services.reconciler

        async def work() -> None:
            with nullcontext() if by_hand else pytest.raises(TimeoutError):
                await reconciler.run(WORKSPACE, _enforce())

        hurried.run(work())
        assert one.azure.holders("AcrPull", REGISTRY) == ({C1.id} if by_hand else set())

    async def test_ends_where_a_person_stops(self) -> None:
        one, stop = app(raw.compute("cpu1", C1)), Stop()
        stop.ask()
        with pytest.raises(StoppedError):
            await _by_hand(one, stop=stop).run(WORKSPACE, _enforce())
        assert one.azure.journal == []


class TestWhatIsOnlyPlanned:
    async def test_is_what_a_plan_document_names(self) -> None:
        one = app(raw.compute("cpu1", C1))
        assert (await one.services.reconciler.prepare(WORKSPACE)).grants
        assert not (await _by_hand(one, only=frozenset()).prepare(WORKSPACE)).grants

    async def test_counts_nothing_and_says_what_the_brakes_would_stop(self) -> None:
        one = app(raw.compute("cpu1", C1), raw.compute("cpu2", C2), caps=Caps(per_hour=1))
        made = await one.services.reconciler.preview(WORKSPACE)
        assert (len(made.grants), [each.refusal.guard for each in made.withheld]) == (1, ["cap-hour"])
        assert (one.store.documents, one.azure.journal) == ({}, [])

    async def test_is_believed_without_a_look_only_if_there_is_nothing_but_findings(self) -> None:
        locked = app(raw.compute("cpu1", C1))
        locked.azure.locks.append(raw.lock(REGISTRY))
        waits = app(raw.compute("cpu1", provisioningState="Creating"))
        acts = app(raw.compute("cpu1", C1))
        for one in (locked, waits, acts):
            one.azure.have(raw.registry(admin_user=False))
            assert await one.services.reconciler.evaluate(WORKSPACE, one.azure) is None
        found = app(raw.compute("cpu1"))
        found.azure.have(raw.registry(admin_user=False))
        made = await found.services.reconciler.evaluate(WORKSPACE, found.azure)
        assert made is not None
        assert made.findings

    async def test_of_a_workspace_that_is_gone_is_nothing(self) -> None:
        assert await app().services.reconciler.evaluate(workspace_id("gone"), app().azure) is None


class TestAPersonsRun:
    @staticmethod
    async def _dies() -> App:
        """The admin user went off, and the keys are stale."""
        azure = FakeAzure(troubles=Dies(armed=True), logged=True)
        azure.have(raw.workspace(sai("mlw")), raw.registry(), raw.storage(), raw.vault())
        one = App(terms(settle=timedelta()), azure)
        with suppress(Crashed):
            await _by_hand(one).run(WORKSPACE, _enforce())
        one.restart()
        given(azure.stale_keys == {WORKSPACE}, "it died before the resync")
        azure.advance(OPEN_AFTER)
        return one

    @pytest.mark.parametrize("stopped", [True, False])
    async def test_finishes_what_is_open_there_unless_nothing_may_be_changed(self, stopped: bool) -> None:
        one = await self._dies()
        await _by_hand(one, stopped=stopped).run(WORKSPACE, _enforce())
        assert one.azure.stale_keys == ({WORKSPACE} if stopped else set())
        told = {row["Property"]: row["Outcome"] for row in one.audit.rows("Applied")}
        assert told == {"adminUserEnabled": "Applied"} | ({} if stopped else {"cachedKeys": "Applied"})

    async def test_leaves_what_is_open_elsewhere(self) -> None:
        one = await self._dies()
        one.azure.have(raw.workspace(sai("other"), on=OTHER, registry=registry_id("another")))
        await _by_hand(one).run(OTHER, _enforce())
        assert WORKSPACE in one.azure.stale_keys

    async def test_of_the_app_leaves_it_to_the_sweep(self) -> None:
        one = await self._dies()
        await one.run()
        assert one.azure.stale_keys == {WORKSPACE}

    async def test_says_who_leans_on_what_it_granted_for_another_workspace_and_says_it_once(self) -> None:
        one = app(raw.compute("cpu1", TEAM), raw.compute("cpu2", TEAM), settle=timedelta())
        one.azure.have(raw.workspace(sai("other"), on=OTHER), raw.compute("cpu3", TEAM, on=OTHER))
        run = _enforce()
        for workspace in (WORKSPACE, OTHER):
            await _by_hand(one).run(workspace, run)
        rows = [row for row in one.audit.rows("Applied") if row["PrincipalId"] == TEAM.id]
        assert [(row["Found"], sorted(row["NeededBy"])) for row in rows] == [
            (False, [f"{WORKSPACE}/computes/cpu1", f"{WORKSPACE}/computes/cpu2"]),
            (True, [f"{OTHER}/computes/cpu3"]),
        ]
        assert {row["RunId"] for row in rows} == {run.id}

    async def test_of_the_app_says_nothing_of_who_leans_on_it(self) -> None:
        one = app(raw.compute("cpu1", TEAM))
        one.azure.have(raw.workspace(sai("other"), on=OTHER), raw.compute("cpu3", TEAM, on=OTHER))
        run = _enforce()
        for workspace in (WORKSPACE, OTHER):
            await one.services.reconciler.run(workspace, run)
        assert not any(row["Found"] for row in one.audit.rows("Applied"))


class TestTheRecord:
    async def test_has_findings_of_events_once_a_day_until_they_change(self) -> None:
        one = app(raw.compute("cpu1"))
        one.azure.have(raw.registry(admin_user=False))

        async def told() -> int:
            await one.services.reconciler.run(WORKSPACE, Run(RunMode.ENFORCE, EVENT))
            return len(one.audit.findings())

        one.troubles.after["audit"] = 0
        with pytest.raises(AuditFailedError):
            await told()
        assert [await told(), await told()] == [1, 1]
        one.azure.advance(timedelta(days=1))
        assert await told() == 2
        await one.run()
        assert len(one.audit.findings()) == 3

    async def test_has_what_an_event_leads_to(self) -> None:
        one = app(raw.compute("cpu1", C1))
        run = Run(RunMode.ENFORCE, EVENT)
        await one.services.reconciler.run(WORKSPACE, run)
        assert [(row["Outcome"], row["RunId"]) for row in one.audit.rows() if row["PrincipalId"] == C1.id] == [
            ("Planned", run.id),
            ("Applied", run.id),
        ]

    async def test_says_that_it_was_restored_and_by_whom_it_was_taken(self) -> None:
        one = app(raw.compute("cpu1", C1), contested_after=2)
        one.azure.logged = True
        first = await one.run()
        (made,) = one.azure.assignments
        about = msgspec.structs.replace(EVENT, resource=made.id, caller_object_id=guid("ann"))
        for _ in range(2):
            one.azure.assignments.clear()
            await one.services.reconciler.run(WORKSPACE, Run(RunMode.ENFORCE, about))
        restored, contested = (one.audit.rows(outcome)[-1] for outcome in ("Applied", "Withheld"))
        assert restored["ReversedBy"] == contested["ReversedBy"] == guid("ann")
        assert first.run.id in restored["Reason"]
        assert contested["Guard"] == "contested"

    async def test_says_of_nobody_that_they_reversed_what_a_cap_stops(self) -> None:
        one = app(raw.compute("cpu1", C1), caps=Caps(per_hour=0))
        await one.run()
        (row,) = [row for row in one.audit.rows("Withheld") if row["Guard"] == "cap-hour"]
        assert (row["PrincipalId"], row["ReversedBy"]) == (C1.id, "")

    async def test_of_a_resync_is_that_of_the_rule(self) -> None:
        one = app()
        one.azure.stale_keys = {WORKSPACE}
        run = _enforce()
        await one.services.reconciler.resync(WORKSPACE, run)
        assert one.azure.stale_keys == set()
        rows = one.audit.rows()
        assert [row["Outcome"] for row in rows] == ["Planned", "Applied"]
        for row in rows:
            assert (row["RunId"], row["ResourceId"], row["Property"]) == (run.id, str(WORKSPACE), "cachedKeys")
            assert (row["RuleId"], row["Requirements"]) == ("workspace-cached-keys", ["AML-71"])
            assert (row["From"], row["To"]) == ("cached", "resynced")


class TestInstead:
    """The workspace's own identity is its cluster's as well, so one role does for both."""

    @staticmethod
    def _one(**policy: Any) -> App:
        one = app(raw.compute("cpu1", TEAM), on=["AML-08"], **policy)
        one.azure.have(raw.workspace(TEAM, primaryUserAssignedIdentity=str(TEAM.resource)))
        return one

    @pytest.mark.parametrize("refused", [True, False])
    async def test_the_lesser_role_is_part_of_the_result_where_the_greater_is_refused(self, refused: bool) -> None:
        one = self._one()
        one.azure.forbidden = {ROLES["Contributor"].role_id} if refused else set()
        result = await one.run()
        done = [(each.phase, each.action.need.role_name) for each in result.outcomes if hasattr(each.action, "need")]
        assert ((Phase.APPLIED, "AcrPull") in done) is refused
        assert ((Phase.FAILED, "Contributor") in done) is refused
        assert one.azure.holders("AcrPull", REGISTRY) == ({TEAM.id} if refused else set())


async def test_what_is_made_again_needs_no_shared_documents() -> None:
    """At a desk without a storage account nobody knows what was undone."""
    one = app(raw.compute("cpu1", C1))
    await replace(_by_hand(one, again=True), store=None).run(WORKSPACE, _enforce())
    assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}


async def test_each_try_of_one_run_has_its_intent_on_record() -> None:
    """It looks again once the admin user can go off, and tries again what Azure refused."""
    one = app(raw.compute("cpu1", C1), settle=timedelta(), on=["AML-08"])
    one.azure.have(raw.workspace(TEAM, primaryUserAssignedIdentity=str(TEAM.resource)))
    refused = ROLES["Storage Blob Data Contributor"].role_id
    one.azure.forbidden = {refused}
    await one.run()
    tries = [row["Outcome"] for row in one.audit.rows() if str(row.get("RoleDefinitionId")).endswith(refused)]
    assert tries == ["Planned", "Failed", "Planned", "Failed"]


class TestWhatWaits:
    """The settle time is a quarter of an hour."""

    async def test_is_looked_at_again_once_when_it_can_go_on(self) -> None:
        one = app(raw.compute("cpu1", C1))
        run = _enforce(caller_object_id=guid("ann"))
        await one.services.reconciler.run(WORKSPACE, run)
        await one.run()
        (message,) = one.queue.messages
        assert decode(message.body) == Reconcile((str(WORKSPACE),), run.trigger, 1)
        assert message.due == one.azure.clock + SETTLE

    async def test_is_looked_at_again_after_the_look_that_it_led_to(self) -> None:
        one = app(raw.compute("cpu1", C1))
        await one.run()
        one.queue.messages.clear()
        await one.run(attempt=1)
        assert [decode(each.body) for each in one.queue.messages] == [Reconcile((str(WORKSPACE),), attempt=2)]

    @pytest.mark.parametrize("mode", [RunMode.REPORT, RunMode.ENFORCE])
    async def test_is_left_alone_in_report_mode_and_where_nothing_waits(self, mode: RunMode) -> None:
        one = app(raw.compute("cpu1", C1), mode=mode, settle=timedelta())
        await one.run()
        assert one.queue.messages == []

    async def test_is_not_gone_on_with_where_a_person_stops(self) -> None:
        one, stop = app(raw.compute("cpu1", C1), settle=timedelta()), Stop()
        result = await _by_hand(one, stop=stop, told=lambda _: stop.ask()).run(WORKSPACE, _enforce())
        assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}
        assert one.azure.admin_user(REGISTRY)
        assert len(result.outcomes) == 1


class TestNothingWasBegun:
    @dataclass(repr=False)
    class Tagless(FakeAzure):
        """Its tags cannot be read. `then` happens once the log has taken the intent."""

        then: Callable[[], None] = lambda: None

        async def resource(self, scope: Scope) -> raw.Raw | None:
            if scope == GROUP:
                await asyncio.sleep(0.01)
                self.then()
                raise ReadFailedError("read tags", "ServiceUnavailable", "Azure answered 503")
            return await super().resource(scope)

    async def test_where_a_brake_fails_and_the_record_says_so(self) -> None:
        one = App(terms(), self.Tagless())
        one.azure.have(raw.workspace(sai("mlw")), raw.registry(), raw.storage(), raw.vault(), raw.compute("cpu1", C1))
        run = _enforce()
        with pytest.raises(ReadFailedError):
            await one.services.reconciler.run(WORKSPACE, run)
        assert one.azure.assignments == []
        rows = [row for row in one.audit.rows() if row["PrincipalId"] == C1.id]
        assert [(row["RunId"], row["Outcome"], row["Code"]) for row in rows] == [
            (run.id, "Planned", ""),
            (run.id, "Deferred", "ServiceUnavailable"),
        ]
        assert "read tags" in rows[-1]["Reason"]
        assert not await one.store.names("open/")
        assert one.queue.messages == []

    async def test_where_the_log_takes_no_intent_and_the_outcome_waits_for_it(self) -> None:
        one = app(raw.compute("cpu1", C1))
        one.troubles.down = {"audit"}
        with pytest.raises(AuditFailedError):
            await one.run()
        one.troubles.heal()
        assert one.azure.assignments == []
        (kept,) = await OpenRuns(one.store).all()
        assert (kept.run.intents, [row["Outcome"] for row in kept.run.outcomes]) == ((), ["Deferred"])

    async def test_where_the_log_goes_down_with_it_and_the_first_failure_is_told(self) -> None:
        """At a desk without a storage account nothing keeps an outcome."""
        azure = self.Tagless()
        one = App(terms(), azure)
        azure.have(raw.workspace(sai("mlw")), raw.registry(), raw.storage(), raw.vault(), raw.compute("cpu1", C1))
        azure.then = lambda: one.troubles.down.add("audit")
        with pytest.raises(ReadFailedError):
            await replace(one.services.reconciler, store=None, queue=None).run(WORKSPACE, _enforce())
        assert one.azure.assignments == []


async def test_the_queue_remembers_the_keys_before_the_admin_user_goes_off() -> None:
    one = app(settle=timedelta())
    remembered: list[Work] = []
    one.azure.before_switch_off = lambda _: remembered.extend(waiting(one))
    run = _enforce()
    await one.services.reconciler.run(WORKSPACE, run)
    assert Resync((str(WORKSPACE),), run.trigger, run.id) in remembered
    assert one.queue.messages == []
