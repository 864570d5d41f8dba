"""What comes of each change of a plan: in which order they are made, and what is said of each."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
import raw
from fakes import FakeAzure, FakeQueue
from unit.build import NOW, REGISTRY, STORAGE, WORKSPACE, guid, sai, uai, workspace_id

from shared.access.actions import Grant, Plan, Removal, Setting
from shared.access.asks import Property
from shared.access.history import GONE_ALREADY, THERE_ALREADY
from shared.access.intents import LONGEST_RUN
from shared.access.model import Principal
from shared.access.needs import PULL
from shared.access.permissions import RoleAssignment
from shared.access.scope import Scope
from shared.access.terms import RunMode
from shared.audit_rows import Outcome, Phase, Run
from shared.instructions import Instructions
from shared.messages import Resync, Trigger, decode
from shared.ports import (
    AzureFailureError,
    NotBegunError,
    NotYetError,
    ReadFailedError,
    WriteRefusedError,
)
from shared.stop import STOPPED, Stop
from shared.writing import apply
from shared.writing.apply import Changes, describe

RUN = Run(RunMode.ENFORCE, Trigger(caller_object_id=guid("caller")))
MINUTES = timedelta(minutes=7)
OFF = Setting(REGISTRY, Property.ADMIN_USER, "true", "false", "registry-admin-user", ("AML-21",), "covered", "source")
KEYS = Setting(WORKSPACE, Property.CACHED_KEYS, "cached", "resynced", "cached-keys", ("AML-71",), "stale", "source")
GRANT = Grant(sai("cpu1"), PULL, REGISTRY, WORKSPACE, "compute-pull", ("AML-18",), "pulls", "source")
OLD = Removal(
    STORAGE.child("providers", "Microsoft.Authorization", "roleAssignments", guid("old")),
    STORAGE,
    guid("old holder"),
    PULL.role_id,
    WORKSPACE,
    "own-grants",
    ("AML-80",),
    "unused",
    "source",
)
ALL = Plan((GRANT,), (OFF, KEYS), removals=(OLD,))


@dataclass(repr=False)
class _Azure(FakeAzure):
    """`odd` befalls a change, by action id: how it fails, after it was made or before. It may be a `secret`."""

    odd: Mapping[str, tuple[bool, Exception]] = field(default_factory=dict)
    secret: bool = False
    takes: float = 0.0
    at_once: int = 0
    most_at_once: int = 0

    async def _oddly(self, one: Any, make: Callable[[], Any]) -> Any:
        made, error = self.odd.get(one.action_id, (True, None))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(self.takes)
        answer = await make() if made else None
        self.at_once -= 1
        if error:
            raise error
        return answer

    async def grant(self, grant: Grant, description: str) -> bool:
        return bool(await self._oddly(grant, lambda: super(_Azure, self).grant(grant, description)))

    async def revoke(self, removal: Removal) -> bool:
        return bool(await self._oddly(removal, lambda: super(_Azure, self).revoke(removal)))

    async def change(self, setting: Setting) -> None:
        await self._oddly(setting, lambda: super(_Azure, self).change(setting))

    async def resource(self, scope: Scope) -> raw.Raw | None:
        if self.secret:
            raise ReadFailedError("read", "ServiceUnavailable", "Azure answered 503")
        return await super().resource(scope)


def _azure(**more: Any) -> _Azure:
    azure = _Azure(**more)
    azure.have(raw.workspace(sai("mlw")), raw.registry(), raw.storage())
    azure.assignments.append(RoleAssignment(str(OLD.assignment), STORAGE, OLD.principal_id, PULL.role_id))
    return azure


async def _carried_out(
    azure: _Azure,
    made: Plan = ALL,
    *,
    deadline: float | None = None,
    queue: FakeQueue | None = None,
    notes: Mapping[str, str] | None = None,
    stopped: tuple[Outcome, ...] = (),
    reversed_by: Mapping[str, str] | None = None,
    **instructions: Any,
) -> list[Outcome]:
    changes = Changes(azure, queue, Instructions(**instructions))
    outcomes = await changes.carry_out(made, RUN, deadline, notes or {}, stopped, reversed_by or {})
    assert all(one.reason for one in outcomes)
    return outcomes


def _made(azure: _Azure) -> list[Any]:
    return [one for _, one in azure.journal]


async def test_grants_come_before_settings_and_removals_come_last() -> None:
    azure = _azure()
    outcomes = await _carried_out(azure, deadline=time.monotonic() + 60)
    assert _made(azure) == [GRANT, OFF, KEYS, OLD]
    assert [(one.action, one.phase, one.reason) for one in outcomes] == [
        (GRANT, Phase.APPLIED, "pulls"),
        (OFF, Phase.APPLIED, "covered"),
        (KEYS, Phase.APPLIED, "stale"),
        (OLD, Phase.APPLIED, "unused"),
    ]
    assert not any(one.found or one.unclear or one.code for one in outcomes)


async def test_what_the_brakes_stopped_is_said_with_the_rest() -> None:
    stopped = Outcome(OFF, Phase.WITHHELD, "the cap")
    outcomes = await _carried_out(_azure(), Plan((GRANT,)), stopped=(stopped,))
    assert [one.phase for one in outcomes] == [Phase.APPLIED, Phase.WITHHELD]
    assert outcomes[-1] == stopped


async def test_no_more_than_eight_grants_are_under_way_at_once() -> None:
    azure = _azure(takes=0.01)
    grants = tuple(replace(GRANT, principal=sai(f"cpu{number}")) for number in range(20))
    outcomes = await _carried_out(azure, Plan(grants))
    assert azure.most_at_once == 8
    assert [one.action for one in outcomes] == [*grants]


async def test_what_azure_took_is_said_in_milliseconds() -> None:
    (one,) = await _carried_out(_azure(takes=0.05), Plan((GRANT,)))
    assert one.duration_ms is not None
    assert 40 <= one.duration_ms < 30_000


async def test_a_note_and_who_reversed_it_are_said_of_what_was_made_only() -> None:
    azure = _azure()
    azure.assignments.clear()
    every = {one.action_id: f"note on {one.rule}" for one in (GRANT, OLD)}
    granted, removed = await _carried_out(
        azure, Plan((GRANT,), removals=(OLD,)), notes=every, reversed_by=dict.fromkeys(every, guid("somebody"))
    )
    assert (granted.reason, granted.reversed_by) == ("note on compute-pull: pulls", guid("somebody"))
    assert (removed.reason, removed.reversed_by) == (f"{GONE_ALREADY}: unused", "")


async def test_who_reversed_it_is_said_of_what_azure_made_only() -> None:
    refused = {GRANT.action_id: (False, WriteRefusedError("grant", "ScopeLocked", "Azure answered 409"))}
    (one,) = await _carried_out(
        _azure(odd=refused),
        Plan((GRANT,)),
        notes={GRANT.action_id: "restored"},
        reversed_by={GRANT.action_id: guid("somebody")},
    )
    assert (one.phase, one.reversed_by) == (Phase.FAILED, "")
    assert "restored" not in one.reason


class TestTheTimeIsUp:
    async def test_then_nothing_begins(self) -> None:
        azure = _azure()
        outcomes = await _carried_out(azure, deadline=time.monotonic() - 1)
        assert _made(azure) == []
        assert azure.admin_user(REGISTRY)
        assert [(one.action, one.phase, one.unclear) for one in outcomes] == [
            (GRANT, Phase.DEFERRED, False),
            (OFF, Phase.DEFERRED, False),
            (KEYS, Phase.WITHHELD, False),
            (OLD, Phase.DEFERRED, False),
        ]

    async def test_a_resync_that_has_no_time_left_stays_open(self) -> None:
        (one,) = await _carried_out(_azure(), Plan(settings=(KEYS,)), deadline=time.monotonic() - 1)
        assert (one.phase, one.unclear) == (Phase.DEFERRED, True)

    def test_on_the_command_line_a_run_begins_nothing_that_could_outlast_it(self) -> None:
        followed = timedelta(minutes=4)
        assert vars(apply)["_BEGUN_WITHIN"] + followed < LONGEST_RUN


class TestAPersonStops:
    @staticmethod
    def _stop() -> Stop:
        stop = Stop()
        stop.ask()
        return stop

    async def test_then_nothing_more_begins(self) -> None:
        azure = _azure()
        outcomes = await _carried_out(azure, stop=self._stop())
        assert _made(azure) == []
        assert [one.action for one in outcomes] == [GRANT, OFF, KEYS, OLD]
        assert {(one.phase, one.reason) for one in outcomes if one.action != KEYS} == {(Phase.DEFERRED, STOPPED)}

    async def test_but_what_has_begun_is_finished(self) -> None:
        azure = _azure()
        (one,) = await _carried_out(azure, Plan(settings=(KEYS,)), stop=self._stop())
        assert one.phase is Phase.APPLIED
        assert _made(azure) == [KEYS]


async def test_whoever_waits_is_told_each_outcome() -> None:
    told: list[Outcome] = []
    outcomes = await _carried_out(_azure(), told=told.append)
    assert told == outcomes


class TestAGrant:
    @pytest.mark.parametrize("holder", [sai("cpu1"), uai("team")], ids=["its own", "shared"])
    async def test_says_whose_it_is(self, holder: Principal) -> None:
        azure = _azure()
        await _carried_out(azure, Plan((replace(GRANT, principal=holder),)))
        whose = f"for {WORKSPACE}, as {holder.resource}" if holder.resource else f"for {WORKSPACE}"
        assert azure.assignments[-1].description == f"amlguard: compute-pull (AML-18), run {RUN.id}, {whose}"

    @pytest.mark.parametrize("run", [Run(RunMode.ENFORCE), RUN], ids=["another run", "this run"])
    async def test_that_is_there_is_found_unless_a_first_try_of_this_run_made_it(
        self, run: Run, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Azure may have lost the answer to the first try. What a run made, undo takes back."""
        azure = _azure()
        await azure.grant(GRANT, describe(GRANT, run))
        (one,) = await _carried_out(azure, Plan((GRANT,)))
        assert (one.phase, one.found) == (Phase.APPLIED, run is not RUN)
        assert one.reason == ("pulls" if run is RUN else f"{THERE_ALREADY}: pulls")
        assert caplog.records == []

    @pytest.mark.parametrize("description", ["", describe(GRANT, Run(RunMode.ENFORCE))])
    async def test_that_azure_did_not_answer_is_found_if_nobody_can_tell_who_made_it(self, description: str) -> None:
        unanswered = NotYetError("grant", "ServiceUnavailable", "Azure answered 503")
        azure = _azure(odd={GRANT.action_id: (False, unanswered)})
        there = f"{REGISTRY}/providers/Microsoft.Authorization/roleAssignments/{GRANT.name}"
        azure.assignments.append(
            RoleAssignment(there, REGISTRY, GRANT.principal.id, PULL.role_id, None, NOW, description)
        )
        (one,) = await _carried_out(azure, Plan((GRANT,)))
        assert (one.phase, one.found, one.reason) == (Phase.APPLIED, True, f"{THERE_ALREADY}: pulls")


@pytest.mark.parametrize("action", [GRANT, OFF, OLD], ids=["grant", "setting", "removal"])
class TestAzureDoesNotSay:
    ERROR = NotYetError("write", "ServiceUnavailable", "Azure answered 503", lacks_right=True, wait=MINUTES)

    async def _came(self, action: Any, *, made: bool, error: Exception = ERROR, **more: Any) -> Outcome:
        settings, grants = (tuple(one for one in (action,) if isinstance(one, kind)) for kind in (Setting, Grant))
        removals = tuple(one for one in (action,) if isinstance(one, Removal))
        azure = _azure(odd={action.action_id: (made, error)}, **more)
        (one,) = await _carried_out(azure, Plan(grants, settings, removals=removals))  # type: ignore[arg-type]  # by kind
        assert one.action == action
        return one

    async def test_what_the_state_shows_is_made(self, action: Any) -> None:
        one = await self._came(action, made=True)
        assert (one.phase, one.reason, one.found, one.unclear) == (Phase.APPLIED, action.reason, False, False)

    @pytest.mark.parametrize("hidden", [True, False])
    async def test_of_all_else_nobody_can_tell_yet(self, action: Any, hidden: bool) -> None:
        one = await self._came(action, made=hidden, secret=hidden)
        assert (one.phase, one.unclear, one.code) == (Phase.DEFERRED, True, "ServiceUnavailable")
        assert (one.reason, one.lacks_right, one.wait) == ("Azure answered 503", True, MINUTES)

    @pytest.mark.parametrize("made", [True, False])
    async def test_a_mistake_of_amlguards_own_is_no_different_but_logged(
        self, action: Any, made: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        one = await self._came(action, made=made, error=ZeroDivisionError("a secret"))
        (record,) = caplog.records
        assert record.name == "amlguard"
        for word in (type(action).__name__, action.action_id, RUN.id, "ZeroDivisionError"):
            assert word in record.getMessage()
        assert "a secret" not in record.getMessage()
        assert (one.phase, one.unclear) == ((Phase.APPLIED, False) if made else (Phase.DEFERRED, True))
        assert one.code == ("" if made else "ZeroDivisionError")
        assert made or "ZeroDivisionError" in one.reason

    @pytest.mark.parametrize(
        ("error", "phase"),
        [
            (NotBegunError("write", "PrincipalNotFound", "it is new", wait=MINUTES), Phase.DEFERRED),
            (ReadFailedError("read", "Forbidden", "Azure answered 403", lacks_right=True), Phase.DEFERRED),
            (WriteRefusedError("write", "ScopeLocked", "Azure answered 409", lacks_right=True), Phase.FAILED),
        ],
    )
    async def test_what_was_not_begun_is_clear(self, action: Any, error: AzureFailureError, phase: Phase) -> None:
        one = await self._came(action, made=False, error=error)
        assert (one.phase, one.unclear, one.found, one.code) == (phase, False, False, error.code)
        assert (one.lacks_right, one.wait) == (error.lacks_right, error.wait)
        assert error.reason in one.reason


async def test_what_azure_refuses_stops_nothing_else() -> None:
    refused = {GRANT.action_id: (False, WriteRefusedError("grant", "ScopeLocked", "Azure answered 409"))}
    azure = _azure(odd=refused)
    outcomes = await _carried_out(azure)
    assert [one.phase for one in outcomes] == [Phase.FAILED, *[Phase.APPLIED] * 3]
    assert "ScopeLocked" in outcomes[0].reason


class TestTheCachedKeys:
    REFUSED = WriteRefusedError("write", "ScopeLocked", "Azure answered 409")
    SILENT = NotYetError("write", "ServiceUnavailable", "Azure answered 503")
    OTHERS = tuple(replace(KEYS, resource=workspace_id(f"mlw-{number}")) for number in range(120))

    async def test_stay_as_they_are_where_the_admin_user_did_not_go_off(self) -> None:
        azure = _azure(odd={OFF.action_id: (False, self.REFUSED)})
        off, keys = await _carried_out(azure, Plan(settings=(OFF, KEYS)))
        assert (off.phase, keys.phase, keys.unclear) == (Phase.FAILED, Phase.WITHHELD, False)
        assert _made(azure) == []

    async def test_wait_until_somebody_knows_whether_it_is_off(self) -> None:
        azure = _azure(odd={OFF.action_id: (True, self.SILENT)}, secret=True)
        queue = FakeQueue(azure, azure.troubles)
        off, keys = await _carried_out(azure, Plan(settings=(OFF, KEYS)), queue=queue)
        assert (off.unclear, keys.phase, keys.unclear, keys.action) == (True, Phase.DEFERRED, True, KEYS)
        assert _made(azure) == [OFF]
        assert len(queue.messages) == 1

    @pytest.mark.parametrize("error", [REFUSED, SILENT], ids=["refused", "silent"])
    async def test_that_were_not_resynced_stay_open_and_on_the_queue(self, error: Exception) -> None:
        azure = _azure(odd={KEYS.action_id: (True, error)})
        queue = FakeQueue(azure, azure.troubles)
        off, keys = await _carried_out(azure, Plan(settings=(OFF, KEYS)), queue=queue)
        assert (off.phase, keys.unclear) == (Phase.APPLIED, True)
        assert [decode(one.body) for one in queue.messages] == [Resync((str(WORKSPACE),), RUN.trigger, RUN.id)]
        assert queue.messages[0].due > azure.clock

    async def test_of_every_workspace_are_remembered_before_the_admin_user_goes_off(self) -> None:
        azure = _azure()
        queue = FakeQueue(azure, azure.troubles)
        remembered: list[str] = []

        def look(_: Scope) -> None:
            works = [decode(one.body) for one in queue.messages]
            remembered.extend(each for work in works if isinstance(work, Resync) for each in work.workspaces)

        azure.before_switch_off = look
        azure.have(*(raw.workspace(on=one.resource) for one in self.OTHERS))
        await _carried_out(azure, Plan(settings=(OFF, *self.OTHERS)), queue=queue)
        assert sorted(remembered) == sorted(str(one.resource) for one in self.OTHERS)
        assert queue.messages == []
        assert len(_made(azure)) == 1 + len(self.OTHERS)

    async def test_that_no_queue_remembers_keep_the_admin_user_on(self) -> None:
        azure = _azure()
        queue = FakeQueue(azure, azure.troubles)
        azure.troubles.down = {"queue"}
        granted, *settings, removed = await _carried_out(azure, queue=queue)
        assert azure.admin_user(REGISTRY)
        assert [(one.action, one.phase, one.code) for one in settings] == [
            (OFF, Phase.DEFERRED, "ServiceUnavailable"),
            (KEYS, Phase.DEFERRED, "ServiceUnavailable"),
        ]
        assert all("Azure answered 503" in one.reason for one in settings)
        assert (granted.phase, removed.phase) == (Phase.APPLIED, Phase.APPLIED)

    async def test_are_resynced_although_their_message_cannot_be_taken_back(self) -> None:
        azure = _azure()
        queue = FakeQueue(azure, azure.troubles)
        azure.troubles.after["queue"] = 1
        outcomes = await _carried_out(azure, Plan(settings=(OFF, KEYS)), queue=queue)
        assert [one.phase for one in outcomes] == [Phase.APPLIED] * 2
        assert len(queue.messages) == 1
