"""Where undo looks up what a run did: the file, the log, and what neither of them shows yet."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import raw
from app import App
from fakes import FakeAzure
from unit.build import REGISTRY, ROLES, VAULT, WORKSPACE, guid, sai, terms

from shared.access.own_assignments import assignment_name
from shared.access.scope import Scope
from shared.ports import ReadFailedError, Row
from shared.undo import Undo, Undoing, run_ids
from shared.writing.journal import Journal

FIRST, SECOND = guid("first run"), guid("second run")
PULL = ROLES["AcrPull"].role_id


@dataclass
class _File:
    """`shared.ports.RunRecords`."""

    rows: list[Row] = field(default_factory=list)

    async def record(self, table: str, rows: Sequence[Row]) -> None:
        raise NotImplementedError

    async def check(self) -> None:
        raise NotImplementedError

    async def of_runs(self, runs: Collection[str]) -> Sequence[Row]:
        return [row for row in self.rows if row["RunId"] in runs]

    async def of_actions(self, actions: Collection[str]) -> Sequence[Row]:
        raise NotImplementedError

    async def open_intents(self) -> Sequence[Row]:
        raise NotImplementedError


def _row(run: str = FIRST, cpu: str = "cpu1", outcome: str = "Applied") -> dict[str, Any]:
    """A grant, which is gone by now: nothing else has to be read."""
    who = sai(cpu).id
    return {
        "RunId": run,
        "ActionId": guid(cpu),
        "Action": "Grant",
        "RuleId": "compute-pull",
        "ResourceId": str(WORKSPACE.child("computes", cpu)),
        "PrincipalId": who,
        "RoleDefinitionId": f"/x/{PULL}",
        "RoleAssignmentId": str(_assignment(who)),
        "Scope": str(REGISTRY),
        "Outcome": outcome,
        "Reason": "why",
    }


def _assignment(who: str) -> Scope:
    name = assignment_name(REGISTRY, who, PULL)
    return REGISTRY.child("providers", "Microsoft.Authorization", "roleAssignments", name)


def _app(*rows: Row, logged: bool = True) -> App:
    one = App(terms(), FakeAzure(logged=logged))
    one.azure.have(raw.workspace(sai("mlw")), raw.registry())
    one.azure.journal += [("AmlGuardRemediation_CL", row) for row in rows]
    return one


async def _prepared(one: App, *runs: str, file: _File | None = None, written: Sequence[Row] = ()) -> Undoing:
    more: dict[str, Any] = {"file": file} if file else {}
    return await Undo(one.azure, Journal(one.audit), one.store, one.terms, written=written, **more).prepare(runs)


def _done(found: Undoing) -> list[tuple[str, str]]:
    return [(each.done.run, each.done.on.name) for each in found.steps]


async def test_the_log_tells_of_the_runs_that_are_asked_about_and_of_no_others() -> None:
    one = _app(_row(), _row(SECOND, "cpu2"), _row(guid("third"), "cpu3"))
    found = await _prepared(one, FIRST.upper(), SECOND, FIRST)
    assert found.runs == (FIRST, SECOND)
    assert _done(found) == [(FIRST, "cpu1"), (SECOND, "cpu2")]


async def test_the_file_tells_of_the_runs_that_it_knows_and_the_log_of_the_others() -> None:
    one = _app(_row(cpu="claimed"), _row(SECOND, "cpu2"))
    file = _File([_row(), _row(guid("third"), "cpu3")])
    assert _done(await _prepared(one, FIRST, SECOND, file=file)) == [(FIRST, "cpu1"), (SECOND, "cpu2")]
    assert _done(await _prepared(one, FIRST, file=file)) == [(FIRST, "cpu1")]


async def test_a_file_that_knows_all_runs_needs_no_log() -> None:
    one = _app(logged=False)
    assert _done(await _prepared(one, FIRST, file=_File([_row()]))) == [(FIRST, "cpu1")]


@pytest.mark.parametrize(
    ("logged", "file", "code", "said"),
    [
        (False, None, "NoLogWorkspace", "--audit-file"),
        (True, None, "RunNotFound", f"the audit log shows nothing that run {SECOND} did;"),
        (False, _File([_row()]), "RunNotFound", f"the audit file shows nothing that run {SECOND} did"),
        (True, _File([_row()]), "RunNotFound", f"the audit file shows nothing that run {SECOND} did"),
    ],
    ids=["neither", "not in the log", "not in the file", "in neither"],
)
async def test_a_run_of_which_nothing_is_known_is_named(logged: bool, file: _File | None, code: str, said: str) -> None:
    one = _app(_row(), logged=logged)
    with pytest.raises(ReadFailedError) as failed:
        await _prepared(one, FIRST, SECOND, file=file)
    assert (failed.value.operation, failed.value.code, failed.value.forbidden) == ("undo", code, False)
    assert said in failed.value.reason
    assert failed.value.reason.endswith("did") is (file is not None)


def test_who_gives_no_run_id_is_shown_one() -> None:
    """And where to find it."""
    with pytest.raises(ValueError, match="`apply` prints it") as failed:
        run_ids(["last tuesday"])
    shown = tuple(word for word in re.split("[: ]", str(failed.value)) if len(word) == len(FIRST))
    assert run_ids(shown) == shown != ()


async def test_what_has_just_been_written_counts_as_well_and_for_its_own_run_only() -> None:
    """The intent is on record, and that it failed neither log nor file may show yet."""
    one = _app(_row(outcome="Planned"), _row(SECOND, "cpu2", "Planned"))
    written = [_row(outcome="Failed"), _row(guid("third"), "cpu3")]
    assert _done(await _prepared(one, FIRST, SECOND)) == [(FIRST, "cpu1"), (SECOND, "cpu2")]
    assert _done(await _prepared(one, FIRST, SECOND, written=written)) == [(SECOND, "cpu2")]


async def test_rows_of_nobody_and_of_nothing_that_may_be_read_are_both_told() -> None:
    class _Closed(FakeAzure):
        async def resource(self, scope: Scope) -> raw.Raw | None:
            if scope == VAULT:
                raise ReadFailedError("read", "AuthorizationFailed", "Azure answered 403", forbidden=True)
            return await super().resource(scope)

    one = _app(_row())
    one.azure = _Closed(logged=True, journal=one.azure.journal, resources=one.azure.resources)
    setting = {"Action": "Setting", "Property": "accessPolicies", "ResourceId": str(VAULT), "To": "present"}
    one.azure.journal += [
        ("AmlGuardRemediation_CL", _row() | setting | {"From": "absent", "AddedPermissions": ["keys/get"]}),
        ("AmlGuardRemediation_CL", _row() | {"Action": "Wait"}),
    ]
    found = await _prepared(one, FIRST)
    assert _done(found) == [(FIRST, "cpu1")]
    assert [FIRST in said for said in found.refused] == [True, True]
    assert [str(VAULT) in said for said in found.refused] == [False, True]
    assert found.kept == {}
    assert found.unclear == frozenset()


async def test_what_cannot_be_read_now_stops_all_of_it() -> None:
    one = _app(_row())
    one.troubles.after["read"] = 1  # the log answers
    with pytest.raises(ReadFailedError):
        await _prepared(one, FIRST)
