"""What code, queries and alerts go by is in columns of its own; rows of before there were these columns still count."""

from typing import Any

import pytest
import raw
from app import App, app
from fakes import FakeAzure
from reliability.host import undo
from unit.build import REGISTRY, VAULT, WORKSPACE, guid, sai, uai

from shared.access.actions import Grant
from shared.access.history import SOMEBODY, is_found, past
from shared.access.needs import VAULT_PERMISSIONS
from shared.audit_rows import REMEDIATIONS, Run
from shared.memory import Memory
from shared.messages import Trigger
from shared.ports import ReadFailedError, WriteRefusedError

C1 = sai("mlw/computes/cpu1")
PERSON = guid("a person")
NEW = {"Found", "Code", "LacksRight", "AddedPermissions", "ReversedBy"}


def _logged(**policy: Any) -> App:
    one = app(raw.compute("cpu1", C1), **policy)
    one.azure.logged = True
    return one


def _as_of_before(one: App) -> None:
    """The log as the releases without the columns wrote it."""
    for table, row in one.azure.journal:
        if table == REMEDIATIONS:
            for column in NEW:
                row.pop(column, None)


def _applied(one: App) -> list[dict[str, Any]]:
    """The rows themselves, to be changed."""
    return [row for table, row in one.azure.journal if table == REMEDIATIONS and row["Outcome"] == "Applied"]


def _holders(one: App) -> set[str]:
    return one.azure.holders("AcrPull", REGISTRY)


@pytest.mark.parametrize("before", [False, True], ids=["with the columns", "of before"])
class TestBothKindsOfRows:
    async def test_what_a_run_made_is_taken_back(self, *, before: bool) -> None:
        one = _logged()
        run = (await one.run()).run.id
        if before:
            _as_of_before(one)
        await undo(one, run)
        assert _holders(one) == set()

    async def test_what_was_found_there_is_not(self, *, before: bool) -> None:
        one = _logged()
        one.azure.resources.pop(REGISTRY)
        one.azure.have(raw.registry(admin_user=False))
        await one.run()
        (row,) = [each for each in _applied(one) if each["Action"] == "Grant"]
        row |= {"Found": True, "Reason": f"it was there already: {row['Reason']}"}
        if before:
            _as_of_before(one)
        await undo(one, row["RunId"])
        assert _holders(one) == {C1.id}

    async def test_an_access_policy_loses_what_was_added(self, *, before: bool) -> None:
        me = uai("mlw-id")
        one = app(on=["AML-07"])
        one.azure.logged = True
        one.azure.have(raw.workspace(me, primaryUserAssignedIdentity=str(me.resource)))
        run = (await one.run()).run.id
        (row,) = [each for each in _applied(one) if each.get("Property") == "accessPolicies"]
        assert set(row["AddedPermissions"]) == VAULT_PERMISSIONS
        if before:
            _as_of_before(one)
        else:
            row["From"] = "some other words"
        await undo(one, run)
        assert one.azure.resources[VAULT]["properties"]["accessPolicies"] == []

    async def test_what_people_keep_reverting_is_left(self, *, before: bool) -> None:
        one = _logged(contested_after=2)
        for _ in range(2):
            await one.run()
            one.azure.assignments.clear()
            if before:
                _as_of_before(one)
        one.memory = Memory()
        await one.run()
        assert _holders(one) == set()

    async def test_what_was_found_there_counts_as_no_change(self, *, before: bool) -> None:
        one = _logged(contested_after=2)
        for _ in range(2):
            await one.run()
            one.azure.assignments.clear()
        for row in _applied(one):
            row |= {"Found": True, "Reason": f"it was there already: {row['Reason']}"}
        if before:
            _as_of_before(one)
        one.memory = Memory()
        await one.run()
        assert _holders(one) == {C1.id}


def test_the_column_counts_and_not_the_words() -> None:
    """Somebody's cluster may be called like our words."""
    assert not is_found({"Found": False, "Reason": "it was there already: why"})
    assert is_found({"Found": True, "Reason": "any words"})


@pytest.mark.parametrize("found", [None, "", "true", 0])
def test_what_is_no_answer_leaves_the_words(found: object) -> None:
    assert is_found({"Found": found, "Reason": "it was gone already: why"})
    assert not is_found({"Found": found, "Reason": "why: it was gone already"})


def test_the_log_and_a_file_that_tell_of_the_same_run_count_it_once() -> None:
    rows = [{"ActionId": "a", "RunId": run, "TimeGenerated": f"2026-11-2{n}"} for n, run in enumerate("xyxz")]
    assert {key: (one.times, one.run, one.last) for key, one in past(rows).items()} == {"a": (3, "z", "2026-11-23")}


async def test_who_took_it_back_is_on_record_where_the_event_tells() -> None:
    one = _logged()
    await one.run()
    (ours,) = one.azure.assignments
    for resource, by in ((str(ours.id), PERSON), (str(WORKSPACE), SOMEBODY)):
        one.azure.assignments.clear()
        one.memory = Memory()
        trigger = Trigger(caller_object_id=PERSON, resource=resource)
        await one.services.reconciler.run(WORKSPACE, Run(one.terms.mode, trigger))
        assert one.audit.rows("Applied")[-1]["ReversedBy"] == by


async def test_what_nobody_took_back_says_so() -> None:
    one = _logged()
    await one.run()
    assert {row["ReversedBy"] for row in one.audit.rows("Applied")} == {""}


async def test_what_a_person_undid_and_what_is_contested_says_by_whom() -> None:
    one = _logged(contested_after=1)
    run = (await one.run()).run.id
    one.azure.assignments.clear()
    one.memory = Memory()
    await one.run()
    (contested,) = [row for row in one.audit.rows("Withheld") if row["Guard"] == "contested"]
    assert contested["ReversedBy"] == SOMEBODY
    one = _logged()
    run = (await one.run()).run.id
    await undo(one, run)
    assert {row["ReversedBy"] for row in one.audit.rows("Undone")} == {SOMEBODY}
    one.memory = Memory()
    await one.run()
    (undone,) = [row for row in one.audit.rows("Withheld") if row["Guard"] == "undone"]
    assert undone["ReversedBy"] == SOMEBODY


class _Refusing(FakeAzure):
    refusal: WriteRefusedError | ReadFailedError

    async def grant(self, grant: Grant, description: str) -> bool:  # noqa: ARG002 - as Azure is asked
        raise self.refusal


@pytest.mark.parametrize(
    ("refusal", "outcome"),
    [
        (WriteRefusedError("grant", "AuthorizationFailed", "no", lacks_right=True), "Failed"),
        (WriteRefusedError("grant", "ScopeLocked", "a lock"), "Failed"),
        (ReadFailedError("read", "AuthorizationFailed", "no", forbidden=True, lacks_right=True), "Deferred"),
        (ReadFailedError("read", "ServiceUnavailable", "later"), "Deferred"),
    ],
)
async def test_what_azure_refused_says_its_code_and_whether_a_right_is_lacking(
    refusal: WriteRefusedError | ReadFailedError, outcome: str
) -> None:
    one = App(azure=_Refusing())
    one.azure.refusal = refusal  # type: ignore[attr-defined]  # it is a _Refusing
    one.azure.have(raw.workspace(sai("mlw")), raw.registry(admin_user=False), raw.storage(), raw.vault())
    one.azure.have(raw.compute("cpu1", C1))
    await one.run()
    rows = [row for row in one.audit.rows(outcome) if row["Action"] == "Grant"]
    assert {(row["Code"], row["LacksRight"]) for row in rows} == {(refusal.code, refusal.lacks_right)}
    assert {(row["Code"], row["LacksRight"]) for row in one.audit.rows("Planned")} == {("", False)}


def test_an_error_says_by_a_word_of_its_own_that_a_right_is_lacking() -> None:
    lacking = WriteRefusedError("grant", "AuthorizationFailed", "no", lacks_right=True)
    assert str(lacking) == "grant: no (AuthorizationFailed, LacksRight)"
    assert str(WriteRefusedError("grant", "ScopeLocked", "a lock")) == "grant: a lock (ScopeLocked)"
