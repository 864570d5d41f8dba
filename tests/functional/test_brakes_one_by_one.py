"""What each brake says of each change, of how many it keeps count, and which of several brakes gives the word."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import raw
from fake_store import FakeStore
from fakes import FakeAzure
from unit.build import FOREIGN, GROUP, NOW, REGISTRY, STORAGE, SUBSCRIPTION, WORKSPACE, guid, registry_id, sai, terms

from shared.access.actions import Grant, Plan, Removal, Setting
from shared.access.asks import Finding, Property, Severity
from shared.access.caps import Spent
from shared.access.guards import Guard
from shared.access.history import SOMEBODY
from shared.access.needs import PULL
from shared.access.terms import Caps, RunMode
from shared.audit_rows import Outcome, Phase, Run, remediation
from shared.instructions import Instructions
from shared.memory import Memory
from shared.messages import Trigger
from shared.ports import Row
from shared.state.document import MalformedDocumentError
from shared.state.undone import Mark, Undone
from shared.writing.brakes import Brakes, BrakeVerdict

RUN = Run(RunMode.ENFORCE)
OFF = Setting(REGISTRY, Property.ADMIN_USER, "true", "false", "registry-admin-user", ("AML-21",), "covered", "source")
KEYS = Setting(WORKSPACE, Property.CACHED_KEYS, "cached", "resynced", "cached-keys", ("AML-71",), "stale", "source")
GRANT = Grant(sai("cpu1"), PULL, REGISTRY, WORKSPACE, "compute-pull", ("AML-18",), "pulls", "source")
ELSEWHERE = replace(GRANT, scope=registry_id("theirs", FOREIGN))
WIDE = replace(GRANT, scope=SUBSCRIPTION)
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
FOUND = Finding(WORKSPACE, "workspace-identity", ("AML-01",), Severity.HIGH, "lacks a role", "Do it")
THIS_HOUR = f"caps/{NOW:%Y-%m-%dT%H}"


@dataclass
class _File:
    """An audit file that is only read."""

    rows: list[Row] = field(default_factory=list)

    async def of_actions(self, actions: Collection[str]) -> Sequence[Row]:
        return [row for row in self.rows if row["ActionId"] in actions]


class _World:
    def __init__(self, **caps: int) -> None:
        self.azure = FakeAzure(logged=True)
        self.azure.have(raw.workspace(sai("mlw")), raw.registry(), raw.storage(), raw.registry(ELSEWHERE.scope))
        self.store: FakeStore | None = FakeStore(self.azure.troubles)
        self.terms = terms(caps=Caps(**caps), contested_after=3)
        self.memory = Memory()

    async def held(
        self, made: Plan, run: Run = RUN, *, only_asks: bool = False, **instructions: Any
    ) -> tuple[BrakeVerdict, dict[str, str]]:
        brakes = Brakes(self.azure, self.store, self.terms, self.memory, Instructions(**instructions))
        held = brakes.held(made, WORKSPACE, run, reserve=False) if only_asks else brakes.held(made, WORKSPACE, run)
        verdict = await held
        return verdict, {one: refusal.guard for one, refusal in verdict.refusals.items()}

    def made(self, action: Grant | Setting | Removal, *runs: Run, found: bool = False) -> list[Row]:
        rows: list[Row] = [remediation(run, Outcome(action, Phase.APPLIED, "why", found=found)) for run in runs]
        self.azure.journal += [("AmlGuardRemediation_CL", row) for row in rows]
        return rows

    def spent(self) -> int:
        assert self.store
        stored = self.store.documents.get(THIS_HOUR)
        return msgspec.json.decode(stored.data, type=Spent).total if stored else 0


def _runs(times: int) -> list[Run]:
    return [Run(RunMode.ENFORCE) for _ in range(times)]


async def test_where_nothing_is_to_be_done_nothing_is_read_or_counted() -> None:
    one = _World()
    one.azure.troubles.down = {"read", "store"}
    verdict, _ = await one.held(Plan())
    assert verdict == BrakeVerdict()


class TestTheSetting:
    async def test_stops_all_and_counts_nothing(self) -> None:
        one = _World()
        made = Plan((GRANT,), (OFF,), (FOUND,), removals=(OLD,))
        verdict, guards = await one.held(made, stopped=True)
        assert guards == dict.fromkeys((GRANT.action_id, OFF.action_id, OLD.action_id), Guard.KILL_SWITCH)
        assert all("AMLGUARD_KILL_SWITCH" in each.reason.split() for each in verdict.refusals.values())
        assert (verdict.restored, verdict.reversed_by) == ({}, {})
        allowed = verdict.allows(made)
        assert (allowed.actions, allowed.findings, len(allowed.withheld)) == ((), (FOUND,), 3)
        assert one.spent() == 0


class TestTheTag:
    ALL = Plan((GRANT, ELSEWHERE, WIDE))

    @pytest.mark.parametrize(
        ("group", "stopped"), [(FOREIGN, {ELSEWHERE}), (GROUP, {GRANT, ELSEWHERE, WIDE}), (None, set[Grant]())]
    )
    async def test_stops_what_is_in_the_group_or_for_a_workspace_in_it(self, group: Any, stopped: set[Grant]) -> None:
        one = _World()
        one.azure.group_tags = {each: {"other": "off"} for each in (GROUP, FOREIGN)}
        if group:
            one.azure.group_tags[group] = {"amlguard": "never"}
        verdict, guards = await one.held(self.ALL)
        assert guards == {each.action_id: Guard.KILL_SWITCH for each in stopped}
        for refusal in verdict.refusals.values():
            assert group.name in refusal.reason
            assert "amlguard=never" in refusal.reason

    @pytest.mark.parametrize("value", ["on", "ON"])
    async def test_that_says_on_stops_nothing(self, value: str) -> None:
        one = _World()
        one.azure.group_tags = {GROUP: {"amlguard": value}}
        assert (await one.held(self.ALL))[1] == {}


class TestWhatAPersonTookBack:
    async def test_is_not_made_again_unless_a_person_says_so(self) -> None:
        one = _World()
        assert one.store
        marks = {GRANT.action_id: Mark("r-1", guid("ann"), NOW), OLD.action_id: Mark("r-2", "", NOW)}
        await Undone(one.store).add({**marks, guid("another"): Mark("r-3", "", NOW)})
        made = Plan((GRANT, ELSEWHERE), removals=(OLD,))
        verdict, guards = await one.held(made)
        assert guards == dict.fromkeys((GRANT.action_id, OLD.action_id), Guard.UNDONE)
        assert verdict.reversed_by == {GRANT.action_id: guid("ann"), OLD.action_id: SOMEBODY}
        said = verdict.refusals[GRANT.action_id].reason
        assert guid("ann") in said
        assert "amlguard undo r-1" in said
        assert f"{NOW:%Y-%m-%d %H:%M}" in said
        assert not verdict.refusals[OLD.action_id].reason.startswith(" ")
        assert (await one.held(made, again=True))[1] == {}


class TestWhatSomebodyReverts:
    async def test_is_made_again_with_a_word_about_it(self) -> None:
        one = _World()
        (run,) = runs = _runs(1)
        one.made(GRANT, *runs)
        about = Trigger(resource=f"{REGISTRY}/providers/Microsoft.Authorization/roleAssignments/{GRANT.name}")
        for trigger, who in (
            (Trigger(), SOMEBODY),
            (msgspec.structs.replace(about, caller_object_id=guid("ann")), guid("ann")),
            (Trigger(resource=str(STORAGE), caller_object_id=guid("ann")), SOMEBODY),
        ):
            verdict, guards = await one.held(Plan((GRANT, ELSEWHERE)), Run(RunMode.ENFORCE, trigger))
            assert (guards, verdict.findings) == ({}, ())
            assert verdict.reversed_by == {GRANT.action_id: who}
            assert [*verdict.restored] == [GRANT.action_id]
            assert run.id in verdict.restored[GRANT.action_id]
            assert (guid("ann") in verdict.restored[GRANT.action_id]) is (who != SOMEBODY)

    async def test_again_and_again_is_not_made_any_more_and_is_a_finding(self) -> None:
        one = _World()
        one.made(GRANT, *_runs(3))
        one.made(ELSEWHERE, *_runs(2))
        made = Plan((GRANT, ELSEWHERE))
        verdict, guards = await one.held(made)
        assert guards == {GRANT.action_id: Guard.CONTESTED}
        (found,) = verdict.findings
        assert (found.resource, found.rule) == (WORKSPACE, "contested")
        allowed = verdict.allows(made)
        assert (allowed.grants, allowed.findings) == ((ELSEWHERE,), (found,))
        assert [each.refusal.guard for each in allowed.withheld] == ["contested"]

    async def test_may_be_an_assignment_that_came_again(self) -> None:
        one = _World()
        one.made(OLD, *_runs(1))
        one.made(GRANT, *_runs(1))
        restored = (await one.held(Plan((GRANT,), removals=(OLD,))))[0].restored
        assert "assigned again" in restored[OLD.action_id]
        assert "taken away" in restored[GRANT.action_id]

    async def test_is_made_once_more_if_a_person_says_so(self) -> None:
        one = _World()
        one.made(GRANT, *_runs(3))
        verdict, guards = await one.held(Plan((GRANT,)), again=True)
        assert (guards, verdict.findings) == ({}, ())
        assert [*verdict.restored] == [GRANT.action_id]

    async def test_is_not_what_this_run_has_just_made(self) -> None:
        """For another workspace on the same registry."""
        one = _World()
        one.made(GRANT, RUN)
        assert (await one.held(Plan((GRANT,))))[0].restored == {}

    async def test_shows_in_a_persons_file_as_well(self) -> None:
        one = _World()
        rows = one.made(GRANT, *_runs(3))
        one.azure.journal.clear()
        assert (await one.held(Plan((GRANT,))))[1] == {}
        assert (await one.held(Plan((GRANT,)), file=_File(rows)))[1] == {GRANT.action_id: Guard.CONTESTED}
        one.azure.logged = False
        assert (await one.held(Plan((GRANT,)), file=_File(rows)))[1] == {GRANT.action_id: Guard.CONTESTED}

    async def test_is_not_asked_of_a_resync(self) -> None:
        one = _World()
        rows = one.made(KEYS, *_runs(4))
        verdict, guards = await one.held(Plan(settings=(KEYS,)), file=_File(rows))
        assert (guards, verdict.restored) == ({}, {})


class TestTheCount:
    async def test_is_kept_for_all_and_says_when_it_goes_on(self) -> None:
        one = _World(per_hour=2)
        one.azure.advance(timedelta(minutes=34))
        assert (await one.held(Plan((GRANT,))))[1] == {}
        assert one.spent() == 1
        one.memory = Memory()
        verdict, guards = await one.held(Plan((ELSEWHERE, WIDE)))
        assert guards == {WIDE.action_id: Guard.CAP_HOUR}
        assert "13:00 UTC" in verdict.refusals[WIDE.action_id].reason
        assert one.spent() == 2

    async def test_that_is_none_is_named_so_that_it_can_be_deleted(self) -> None:
        one = _World()
        assert one.store
        await one.store.write(THIS_HOUR, b"x", None)
        with pytest.raises(MalformedDocumentError) as caught:
            await one.held(Plan((GRANT,)))
        assert THIS_HOUR in str(caught.value)

    async def test_is_not_changed_by_who_only_asks(self) -> None:
        one = _World(per_hour=1)
        assert (await one.held(Plan((GRANT, WIDE)), only_asks=True))[1] == {WIDE.action_id: Guard.CAP_HOUR}
        assert one.spent() == 0

    async def test_is_not_written_where_nothing_is_allowed(self) -> None:
        one = _World(per_hour=0)
        await one.held(Plan((GRANT,)))
        assert one.store
        assert one.store.documents == {}

    async def test_counts_what_others_did_meanwhile(self) -> None:
        one = _World(per_hour=2)
        await one.held(Plan((GRANT,)))
        other = _World(per_hour=2)
        other.store = one.store
        await other.held(Plan((ELSEWHERE,)))
        assert (await one.held(Plan((WIDE,))))[1] == {WIDE.action_id: Guard.CAP_HOUR}

    @pytest.mark.parametrize("by_hand", [True, False])
    async def test_without_a_store_is_a_persons_own_affair(self, by_hand: bool) -> None:
        one = _World()
        one.store = None
        verdict, guards = await one.held(Plan((GRANT,)), by_hand=by_hand)
        assert guards == ({} if by_hand else {GRANT.action_id: Guard.CAP_HOUR})
        assert all("AzureWebJobsStorage" in each.reason for each in verdict.refusals.values())

    async def test_of_hours_that_are_over_goes_and_nothing_else(self) -> None:
        one = _World()
        assert one.store
        kept = ["caps/2026-11-02T13", "undone", "zones"]
        for name in ("caps/2026-11-01T23", "caps/2026-11-02T11", *kept):
            await one.store.write(name, b"{}", None)
        await one.held(Plan((GRANT,)))
        assert sorted(one.store.documents) == sorted([THIS_HOUR, *kept])

    async def test_of_hours_that_are_over_is_looked_for_once_an_hour(self) -> None:
        one = _World()
        assert one.store
        await one.held(Plan((GRANT,)))
        await one.store.write("caps/2026-11-02T11", b"{}", None)
        await one.held(Plan((ELSEWHERE,)))
        assert "caps/2026-11-02T11" in one.store.documents


async def test_keys_are_not_resynced_where_the_switch_off_is_withheld() -> None:
    one = _World(per_hour=0)
    made = Plan(settings=(OFF, KEYS))
    verdict, guards = await one.held(made)
    assert guards == dict.fromkeys((OFF.action_id, KEYS.action_id), Guard.CAP_HOUR)
    assert verdict.allows(made).settings == ()


async def test_the_brakes_speak_in_the_order_of_the_list() -> None:
    one = _World(per_hour=0)
    assert one.store
    said = []
    one.azure.group_tags = {GROUP: {"amlguard": "off"}}
    await Undone(one.store).add({GRANT.action_id: Mark("r-1", "", NOW)})
    one.made(GRANT, *_runs(3))
    everything: tuple[Any, ...] = (one.azure.group_tags, one.store.documents, one.azure.journal, [])
    for what in everything:
        said.append((await one.held(Plan((GRANT,))))[1][GRANT.action_id])
        what.clear()
    assert said == [Guard.KILL_SWITCH, Guard.UNDONE, Guard.CONTESTED, Guard.CAP_HOUR]
