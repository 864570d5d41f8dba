"""Rows of alert cases as amlguard itself makes them: whoever changes a word there, changes it here."""

import asyncio
import json
from collections.abc import Coroutine
from contextlib import AbstractContextManager
from types import SimpleNamespace
from typing import Any

import pytest
import raw
from app import App, app
from azure.core.exceptions import HttpResponseError
from fakes import FakeAzure
from unit.build import GROUP, NOW, STORAGE, estate, sai, workspace

from emulator.functions.channel import InvocationError
from emulator.functions.telemetry import exception_data
from emulator.logs.telemetry import stored
from shared.access.actions import Grant
from shared.access.model import Unreadable, Want
from shared.access.rules import unreadable
from shared.access.terms import Caps, Exemption, RuleMode, RuleTerms, RunMode
from shared.audit_rows import Run, finding
from shared.azure.errors import writing
from shared.memory import Memory
from shared.ports import AzureFailureError

type Rows = dict[str, list[dict[str, Any]]]

C1 = sai("mlw/computes/cpu1")
CLUSTER = raw.compute("cpu1", C1)


def forbidden(by: AbstractContextManager[None], code: str = "AuthorizationFailed") -> AzureFailureError:
    """What Azure's 403 becomes in amlguard's words."""
    refused = HttpResponseError(message="The client 'amlguard' does not have authorization to perform action.")
    refused.status_code, refused.error = 403, SimpleNamespace(code=code)  # type: ignore[assignment]  # all of it that is read
    with pytest.raises(AzureFailureError) as caught, by:
        raise refused
    return caught.value


class WithoutRight(FakeAzure):
    async def grant(self, grant: Grant, description: str) -> bool:  # noqa: ARG002 - as Azure is asked
        raise forbidden(writing("assign a role", "Role Based Access Control Administrator"))


def exception(error: Exception) -> Rows:
    """As the Functions host tells Application Insights of a function that raised it."""
    raised = InvocationError(f"{type(error).__name__}: {error}", "Stack")
    table, row = stored("ExceptionData", exception_data("resource_changed", raised))
    return {table: [row | {"age": 5}]}


def failed() -> Rows:
    one = App(azure=WithoutRight())
    one.azure.have(raw.workspace(sai("mlw")), raw.registry(), raw.storage(), raw.vault(), CLUSTER)
    return _after(one, one.run())


def withheld(guard: str) -> Rows:
    """By the guard of this name and no other."""
    one = app(*(raw.compute(name, sai(name)) for name in ("cpu1", "cpu2")), **_POLICIES.get(guard, {}))
    one.azure.have(raw.registry(admin_user=False))
    one.stopped = guard == "kill-switch"
    if guard == "lock":
        one.azure.locks.append(raw.lock(GROUP))
    rows = _after(one, one.run())
    assert {row["Guard"] for row in rows["AmlGuardRemediation_CL"]} - {""} == {guard}
    return rows


_POLICIES: dict[str, dict[str, Any]] = {
    "cap": {"caps": Caps(per_run=1)},
    "cap-hour": {"caps": Caps(per_hour=1)},
    "cap-target": {"caps": Caps(per_target=1)},
    "approval": {"rules": {"compute-pull": RuleTerms(mode=RuleMode.APPROVE)}},
    "report-mode": {"rules": {"compute-pull": RuleTerms(mode=RuleMode.REPORT)}},
    "exemption": {"exemptions": (Exemption(GROUP, frozenset({"compute-pull"}), NOW.date(), "moves"),)},
}


def reported() -> Rows:
    one = app(CLUSTER, mode=RunMode.REPORT)
    return _after(one, one.run())


def contested() -> Rows:
    one = app(CLUSTER, contested_after=1)
    one.azure.logged = True

    async def reverted() -> None:
        await one.run()
        one.azure.assignments.clear()
        one.memory = Memory()
        await one.run()

    return _after(one, reverted())


def granted(count: int) -> Rows:
    one = app(*(raw.compute(f"cpu{number}", sai(f"cpu{number}")) for number in range(count)))
    return _after(one, one.run())


def swept(*, whole: bool = True) -> Rows:
    one = app()

    async def ended() -> None:
        await one.sweep()
        await one.work()
        if not whole:
            one.troubles.down = {"read"}
        await one.settle()

    return _after(one, ended())


def poisoned() -> Rows:
    """Given up, as nothing could be read."""
    return {"AmlGuardFinding_CL": swept(whole=False)["AmlGuardFinding_CL"]}


def unreadable_list() -> Rows:
    want = Want(STORAGE, "providers/Microsoft.Insights/diagnosticSettings")
    known = estate(workspace(), facts={want: Unreadable.FORBIDDEN})
    (forbidden,) = unreadable.unreadable([want], known)
    one = unreadable.finding("endpoint-traffic-logs", ("AML-49",), forbidden.want)
    return {"AmlGuardFinding_CL": [_told(finding(Run(RunMode.ENFORCE), one), 5)]}


def _after(one: App, story: Coroutine[Any, Any, Any]) -> Rows:
    """What is on record when the story is over: five minutes ago."""
    asyncio.run(story)
    rows: Rows = {}
    for table, row in one.azure.journal:
        if table.startswith("AmlGuard"):
            rows.setdefault(table, []).append(_told(row, 5))
    return rows


def _told(row: dict[str, Any], age: float) -> dict[str, Any]:
    """The engine's tables hold dynamic columns as text, and Case knows the time by the age."""
    flat = {key: json.dumps(value) if isinstance(value, list) else value for key, value in row.items()}
    return {key: value for key, value in flat.items() if key != "TimeGenerated" and value is not None} | {"age": age}
