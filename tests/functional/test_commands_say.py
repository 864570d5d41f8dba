"""What commands say of Azure, from the runtime on: which scopes, whose record, what waits, and what failed."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import raw
from app import App, app
from fakes import FakeAzure
from unit.build import GROUP, REGISTRY, SUBSCRIPTION, WORKSPACE, guid, sai, terms

from handlers.cli.apply import Applied
from handlers.cli.approve import Waiting, approve_by
from handlers.cli.bicep import Deployment
from handlers.cli.desk import Where, planned
from handlers.cli.explain import explained_by
from handlers.cli.recording import Both, audit_log
from handlers.cli.report import past, posture_by, waiting
from handlers.cli.snapshot import taken_by
from handlers.cli.status import found
from handlers.cli.template import Template, run_each
from handlers.cli.template_over import plan_over_by
from handlers.cli.undo import take_back
from shared.access.report import Report
from shared.access.scope import Scope
from shared.audit_file import AuditFile
from shared.audit_rows import REMEDIATIONS
from shared.ports import AuditFailedError, AzureFailureError, ReadFailedError, Row
from shared.scopes import ScopeError
from shared.state.approvals import Approvals
from shared.template.snapshot import snapshot

C1 = sai("cpu1")
EMPTY = SUBSCRIPTION.child("resourceGroups", "rg-empty")


def _one() -> App:
    return app(raw.compute("cpu1", C1))


async def test_a_report_names_the_scopes_that_were_asked_for() -> None:
    one = _one()
    asked = await planned(Where(scopes=[str(GROUP)]), one.services)
    assert [str(scope) for scope in asked.scopes] == [str(GROUP)]
    assert [str(scope) for scope in (await planned(Where(), one.services)).scopes] == []
    watching = replace(one.services, terms=terms(scopes=(SUBSCRIPTION,)))
    assert [str(scope) for scope in (await planned(Where(), watching)).scopes] == [str(SUBSCRIPTION)]


async def test_where_there_is_no_workspace_the_scope_is_named() -> None:
    one = _one()
    one.azure.have(raw.resource(EMPTY, {}))
    (error,) = (await planned(Where(scopes=[str(EMPTY)]), one.services)).errors
    assert str(EMPTY) in error


class _Forbids(FakeAzure):
    async def resource(self, scope: Scope) -> raw.Raw | None:
        raise ReadFailedError(f"read {scope}", "AuthorizationFailed", "you may not read it", lacks_right=True)


async def test_what_cannot_be_explained_is_told_with_the_reason() -> None:
    with pytest.raises(ReadFailedError, match="you may not read it") as raised:
        await explained_by(REGISTRY, App(azure=_Forbids()).services)
    assert raised.value.lacks_right
    assert str(REGISTRY) in str(raised.value)


async def test_a_workspace_of_a_template_that_cannot_be_read_is_told_with_the_reason() -> None:
    report = Report()
    await run_each([WORKSPACE], _Forbids(), terms(), report)
    assert any("you may not read it" in error for error in report.errors)
    assert report.looked_at == []


@pytest.mark.parametrize("tenant", ["home", "other"])
async def test_a_template_for_a_subscription_of_another_tenant_is_refused(tenant: str, tmp_path: Path) -> None:
    one = _one()
    one.azure.tenants[SUBSCRIPTION] = guid(tenant)
    services = replace(one.services, tenant_id=guid("home"))
    place = Deployment(SUBSCRIPTION.name, GROUP.name, "mg", guid("home"), "westeurope")
    template = Template([tmp_path / "main.bicep"], place)
    of = [snapshot({"predictedResources": [], "diagnostics": []}, "main.bicep")]
    looked = plan_over_by(template, of, [], Where(scopes=[str(GROUP)]), services)
    if tenant == "home":
        assert (await looked).report.looked_at == [WORKSPACE]
    else:
        with pytest.raises(ScopeError, match="another tenant"):
            await looked


# The record


class _Refuses:
    async def record(self, table: str, rows: Sequence[Row]) -> None:  # noqa: ARG002 - as the port has it
        raise AssertionError("nothing is to be recorded there")

    async def check(self) -> None:
        raise AuditFailedError("check", "Forbidden", "you may not write there")


async def test_a_log_that_refuses_is_known_before_the_first_change(tmp_path: Path) -> None:
    services: Any = replace(_one().services, audit=_Refuses())
    for file in (None, AuditFile(tmp_path / "audit.jsonl")):
        with pytest.raises(AuditFailedError, match="you may not write there"):
            await audit_log("apply", services, file)
    with pytest.raises(AuditFailedError):
        await Both(AuditFile(tmp_path / "audit.jsonl"), _Refuses()).check()


async def test_the_past_is_told_the_newest_first_with_its_reasons(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    rows = [
        {"TimeGenerated": f"2026-11-0{day}T10:00:00Z", "Outcome": "Applied", "RunId": f"r{day}", "Reason": f"why {day}"}
        | {"RuleId": "compute-pull", "Scope": str(REGISTRY), "PrincipalId": C1.id, "Table": REMEDIATIONS}
        for day in (1, 3, 2)
    ]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    told, _ = await past(_one().services, file)
    assert [(one["run"], one["time"], one["reason"]) for one in told] == [
        (f"r{day}", f"2026-11-0{day} 10:00:00", f"why {day}") for day in (3, 2, 1)
    ]
    assert all("registry acrml" in one["what"] for one in told)


# What waits


async def _asks(one: App) -> None:
    actions = {guid("action"): "grant AcrPull"}
    await Approvals(one.store).ask(WORKSPACE, guid("run"), actions, one.azure.clock, timedelta(days=7))


async def test_what_waits_is_listed_with_its_run_and_its_actions() -> None:
    one = _one()
    await _asks(one)
    (row,), _ = await waiting(one.services)
    assert (row["run"], row["workspace"], row["actions"]) == (guid("run"), str(WORKSPACE), ["grant AcrPull"])
    pending = await Approvals(one.store).waiting(one.azure.clock)
    (told,) = json.loads(json.dumps(Waiting(one.azure.clock, pending).document(), default=str))["pending"]
    assert (told["run"], told["actions"]) == (guid("run"), {guid("action"): "grant AcrPull"})
    page = (await posture_by(Where(), one.services, None)).html()
    assert "grant AcrPull" in page


async def test_only_a_run_that_waits_is_released() -> None:
    one = _one()
    await _asks(one)
    with pytest.raises(AzureFailureError, match=f"nothing waits for approval under run {guid('other')}") as raised:
        await approve_by(guid("other"), one.services)
    assert (raised.value.code, str(raised.value).split()[0]) == ("NotPending", "approve:")
    assert not [each for each in await Approvals(one.store).waiting(one.azure.clock) if each.approved]
    for asked in (guid("run").upper(), guid("action")):
        assert (await approve_by(asked, one.services)).released == guid("run")
    assert [each.approved_by for each in await Approvals(one.store).waiting(one.azure.clock)] == [
        one.services.own_object_id
    ]
    one.azure.advance(timedelta(days=8))
    with pytest.raises(AzureFailureError, match="it lapsed at"):
        await approve_by(guid("run"), one.services)


async def test_a_queue_that_cannot_be_read_keeps_nothing_else_back() -> None:
    one = _one()
    await _asks(one)
    one.troubles.down = {"queue"}
    told = await found(one.services)
    document = told.document()
    assert (document["waiting"]["approvals"], document["givenUp"]) == (1, [])
    assert told.exit_code == 1


# What was done


async def test_what_was_done_is_counted_and_can_be_taken_back() -> None:
    one = _one()
    one.azure.logged = True
    result = await one.run()
    applied = Applied(result.run.id, results=[result], made=list(result.outcomes))
    changes = len(result.outcomes)
    assert changes
    assert f"{changes} change" in applied.in_short()
    for said in (applied.in_short(), applied.cut_off()):
        assert f"amlguard undo {result.run.id}" in said
    assert f"{changes} change" in applied.cut_off()
    assert "nothing was changed" in Applied("r").in_short()

    taken = await take_back([result.run.id], replace(one.services, queue=None), None, force=False)
    document = taken.document()
    assert (document["undoes"], document["run"]) == ([result.run.id], taken.run)
    assert {step["outcome"] for step in document["steps"]} == {"Undone"}
    assert all(step["reliedOnBy"] == [] for step in document["steps"])


@pytest.mark.parametrize("stopped", [True, False])
async def test_a_snapshot_says_whether_the_app_is_stopped(stopped: bool) -> None:
    one = replace(_one(), stopped=stopped)
    about = (await taken_by(one.services, Where(), None)).document["snapshot"]
    assert about["stopped"] is stopped
