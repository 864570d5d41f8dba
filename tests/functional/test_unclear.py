"""Azure does not say whether it made a change, and the state does not tell either: the intent stays work."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
import raw
from app import App
from fakes import FakeAzure
from reliability.host import calm, undo, work_off
from reliability.on_record import given, open_intents, unrecorded
from unit.build import REGISTRY, WORKSPACE, assigned, sai, terms

from shared.access.actions import Grant, Removal, Setting
from shared.access.asks import Property
from shared.access.intents import ENDED_EARLY, OPEN_AFTER
from shared.access.scope import Scope
from shared.ports import NotYetError, ReadFailedError
from shared.state.open_runs import OpenRuns

C1, C2 = sai("cpu1"), sai("cpu2")
KEYS, ADMIN = Property.CACHED_KEYS, Property.ADMIN_USER


@dataclass(repr=False)
class _Silent(FakeAzure):
    """It does not answer to a change of `silent` (an object id or a property), which is `made` or not.

    Nobody can read what became of it until it `speaks`.
    """

    silent: set[str] = field(default_factory=set)
    made: bool = True
    hidden_targets: set[Scope] = field(default_factory=set)

    def _unanswered(self, about: str, target: Scope) -> None:
        if about in self.silent:
            self.hidden_targets.add(target)
            raise NotYetError("write", "ServiceUnavailable", "Azure answered 503")

    async def grant(self, grant: Grant, description: str) -> bool:
        answer = True
        if self.made or grant.principal.id not in self.silent:
            answer = await super().grant(grant, description)
        made = grant.scope.child("providers", "Microsoft.Authorization", "roleAssignments", grant.name)
        self._unanswered(grant.principal.id, made)
        return answer

    async def revoke(self, removal: Removal) -> bool:
        answer = True
        if self.made or removal.principal_id not in self.silent:
            answer = await super().revoke(removal)
        self._unanswered(removal.principal_id, removal.assignment)
        return answer

    async def change(self, setting: Setting) -> None:
        if self.made or setting.name not in self.silent:
            await super().change(setting)
        self._unanswered(setting.name, setting.resource)

    async def resource(self, scope: Scope) -> raw.Raw | None:
        if scope in self.hidden_targets:
            raise ReadFailedError("read", "ServiceUnavailable", "Azure answered 503")
        return await super().resource(scope)

    def speaks(self) -> None:
        self.silent, self.hidden_targets = set(), set()


def _app(silent: str, *, made: bool, can_pull: bool = False) -> App:
    """Two clusters that cannot pull yet; or all that is left to do is the switch-off."""
    azure = _Silent(logged=True, silent={silent}, made=made)
    azure.have(raw.workspace(sai("mlw")), raw.registry(), raw.storage(), raw.vault())
    azure.have(raw.compute("cpu1", C1), raw.compute("cpu2", C2))
    if can_pull:
        azure.assignments += [assigned(one, "AcrPull", REGISTRY) for one in (C1, C2)]
    return App(terms(settle=timedelta()), azure)


async def _speaks(one: App, *runs: str) -> None:
    """And what became of the runs is looked at when they are over."""
    one.azure.speaks()  # type: ignore[attr-defined]  # see _Silent
    one.azure.advance(OPEN_AFTER)
    for run in runs:
        await one.services.leftovers.settling.of_run(run)


def _said(one: App, **columns: str) -> list[str]:
    rows = [row for row in one.audit.rows() if columns.items() <= row.items()]
    return [row["Outcome"] for row in rows]


async def _waiting(one: App) -> list[tuple[str, str]]:
    """The intents in documents."""
    kept = await OpenRuns(one.store).all()
    return sorted((row["Action"], row.get("Property", "")) for each in kept for row in each.run.intents)


@pytest.mark.parametrize("made", [True, False])
async def test_a_grant_has_no_outcome_until_the_state_tells(made: bool) -> None:
    one = _app(C1.id, made=made)
    await one.run()
    assert _said(one, PrincipalId=C1.id) == ["Planned"]
    assert _said(one, PrincipalId=C2.id) == ["Planned", "Applied"]
    assert one.azure.admin_user(REGISTRY)
    assert await _waiting(one) == [("Grant", "")]
    run = one.audit.rows()[0]["RunId"]
    await _speaks(one, run)
    (told,) = [row for row in one.audit.rows() if row["Code"] == ENDED_EARLY]
    assert (told["PrincipalId"], told["Outcome"]) == (C1.id, "Applied" if made else "Deferred")
    await calm(one)
    assert one.azure.holders("AcrPull", REGISTRY) == {C1.id, C2.id}
    assert (open_intents(one.audit.rows()), unrecorded(one.azure)) == (set(), [])
    assert await _waiting(one) == []


async def test_a_grant_that_shows_at_once_is_made() -> None:
    one = _app(C1.id, made=True)
    one.azure.hidden_targets = _Never()  # type: ignore[attr-defined]  # see _Silent
    await one.run()
    assert _said(one, PrincipalId=C1.id) == ["Planned", "Applied"]
    assert {row["Found"] for row in one.audit.rows("Applied")} == {False}
    assert await _waiting(one) == []


class _Never(set[Scope]):
    def add(self, _: Scope) -> None:
        """The state can be read."""


@pytest.mark.parametrize("made", [True, False])
async def test_no_keys_are_resynced_while_nobody_knows_whether_the_admin_user_is_off(made: bool) -> None:
    one = _app(ADMIN, made=made, can_pull=True)
    await one.run()
    assert _said(one, Property=KEYS) == ["Planned"]
    assert ("setting", KEYS) not in [(kind, getattr(each, "name", "")) for kind, each in one.azure.journal]
    assert await _waiting(one) == [("Setting", ADMIN), ("Setting", KEYS)]


async def test_the_queue_resyncs_them_all_the_same() -> None:
    """The message that went before the switch-off stays: another resync does no harm, none at all does."""
    one = _app(ADMIN, made=True, can_pull=True)
    await one.run()
    given(one.azure.stale_keys == {WORKSPACE}, "the keys are stale")
    await work_off(one, hours=0.2)
    assert one.azure.stale_keys == set()


@pytest.mark.parametrize(("made", "ends"), [(True, ["Applied", "Applied"]), (False, ["Deferred", "Applied"])])
async def test_a_switch_off_ends_when_the_state_tells(made: bool, ends: list[str]) -> None:
    one = _app(ADMIN, made=made, can_pull=True)
    await one.run()
    await _speaks(one, one.audit.rows()[0]["RunId"])
    told = {row["Property"]: row["Outcome"] for row in one.audit.rows() if row["Code"] == ENDED_EARLY}
    assert [told[ADMIN], told[KEYS]] == ends
    assert one.azure.stale_keys == set()


async def test_what_is_unclear_outlives_a_log_that_is_down() -> None:
    """The document has the outcomes that are known, and the intents without one."""
    one = _app(C1.id, made=True)
    one.troubles.after["audit"] = 1  # the intent goes well
    await one.run()
    assert one.audit.rows("Applied") == []
    assert [len(each.run.outcomes) for each in await OpenRuns(one.store).all()] == [1]
    assert await _waiting(one) == [("Grant", "")]
    await _speaks(one)
    await calm(one)
    assert (open_intents(one.audit.rows()), unrecorded(one.azure)) == (set(), [])


@pytest.mark.parametrize("made", [True, False])
async def test_undo_says_nothing_of_what_it_cannot_tell(made: bool) -> None:
    one = _app("nobody", made=made)
    run = (await one.run()).run.id
    one.azure.silent = {C1.id}  # type: ignore[attr-defined]  # see _Silent
    since = len(one.audit.rows())
    await undo(one, run)
    rows = [row for row in one.audit.rows()[since:] if row["PrincipalId"] == C1.id]
    assert [row["Outcome"] for row in rows] == ["Planned"]
    assert await _waiting(one) == [("Removal", "")]
    await _speaks(one, rows[0]["RunId"])
    (told,) = [row for row in one.audit.rows() if row["Code"] == ENDED_EARLY]
    assert (told["Action"], told["Outcome"]) == ("Removal", "Undone" if made else "Deferred")


async def test_undo_resyncs_no_keys_before_it_knows_that_the_admin_user_is_back() -> None:
    one = _app("nobody", made=True, can_pull=True)
    run = (await one.run()).run.id
    given(not one.azure.admin_user(REGISTRY), "the admin user went off")
    one.azure.silent = {ADMIN}  # type: ignore[attr-defined]  # see _Silent
    await undo(one, run)
    assert await _waiting(one) == [("Setting", ADMIN), ("Setting", KEYS)]
    assert one.azure.stale_keys == {WORKSPACE}
    await _speaks(one)
    await calm(one)
    assert one.azure.stale_keys == set()
    assert open_intents(one.audit.rows()) == set()


async def test_what_a_later_run_granted_is_not_said_of_one_that_died() -> None:
    one = _app(C1.id, made=False)
    dead = (await one.run()).run.id
    one.azure.speaks()  # type: ignore[attr-defined]  # see _Silent
    later = (await one.run()).run.id
    given(one.azure.holders("AcrPull", REGISTRY) == {C1.id, C2.id}, "the later run has granted it")
    await _speaks(one, dead)
    rows = [row for row in one.audit.rows() if row["PrincipalId"] == C1.id and row["Outcome"] != "Planned"]
    assert [(row["RunId"], row["Outcome"], row["Found"]) for row in rows] == [
        (later, "Applied", False),
        (dead, "Deferred", False),
    ]
    await undo(one, dead, force=True)
    assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}


async def test_a_grant_whose_description_people_changed_is_found() -> None:
    one = _app(C1.id, made=True)
    dead = (await one.run()).run.id
    one.azure.assignments = [replace(each, description="for the team") for each in one.azure.assignments]
    await _speaks(one, dead)
    (told,) = [row for row in one.audit.rows() if row["Code"] == ENDED_EARLY]
    assert (told["PrincipalId"], told["Outcome"], told["Found"]) == (C1.id, "Applied", True)


async def test_a_removal_is_on_record_although_it_was_granted_again() -> None:
    one = _app("nobody", made=True)
    run = (await one.run()).run.id
    one.azure.silent = {C1.id}  # type: ignore[attr-defined]  # see _Silent
    since = len(one.audit.rows())
    await undo(one, run)
    given(C1.id not in one.azure.holders("AcrPull", REGISTRY), "it is taken away, and Azure did not say so")
    one.azure.speaks()  # type: ignore[attr-defined]  # see _Silent
    one.azure.advance(timedelta(hours=1))
    one.store.documents.pop("undone")
    await one.run()
    given(C1.id in one.azure.holders("AcrPull", REGISTRY), "somebody wants it again")
    undone_by = one.audit.rows()[since]["RunId"]
    await _speaks(one, undone_by)
    (told,) = [row for row in one.audit.rows() if row["Code"] == ENDED_EARLY]
    assert (told["Action"], told["Outcome"], told["Found"]) == ("Removal", "Undone", True)
