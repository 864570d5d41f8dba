"""Approval: what the policy marks waits for a person, is looked at again when it is released, and lapses."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
import raw
from app import C1, C2, App, app
from reliability.on_record import given
from troubles import Troubles
from unit.build import GROUP, REGISTRY, WORKSPACE, assigned, uai

from shared.access.terms import RuleMode, RuleTerms, RunMode
from shared.audit_rows import Run
from shared.instructions import Instructions
from shared.memory import Memory
from shared.ports import ReadFailedError
from shared.state.approvals import Approvals, Pending
from shared.state.document import MalformedDocumentError

PERSON = "5a0f3c1e-0000-4000-8000-00000000000b"


def careful(*raws: raw.Raw, rules: Sequence[str] = ("compute-pull",), **policy: Any) -> App:
    one = app(*raws, **policy)
    said = {name: RuleTerms(mode=RuleMode.APPROVE) for name in rules}
    one.terms = replace(one.terms, rules={**one.terms.rules, **said})
    return one


async def waiting(one: App) -> Sequence[Pending]:
    return await Approvals(one.store).waiting(one.azure.now())


async def release(one: App) -> Pending:
    (pending,) = await waiting(one)
    await Approvals(one.store).approve(pending, PERSON, one.azure.now())
    return pending


def pulls(one: App) -> set[str]:
    return one.azure.holders("AcrPull", REGISTRY)


async def test_it_is_withheld_and_says_how_to_release_it() -> None:
    one = careful(raw.compute("cpu1", C1))
    result = await one.run()
    assert pulls(one) == set()
    (pending,) = await waiting(one)
    (withheld,) = [each for each in result.plan.withheld if each.refusal.guard == "approval"]
    assert withheld.refusal.reason.endswith(f"amlguard approve {pending.run}")
    (said,) = pending.actions.values()
    assert "AcrPull" in said


async def test_released_it_is_done_and_recorded_with_who_released_it() -> None:
    one = careful(raw.compute("cpu1", C1))
    await one.run()
    pending = await release(one)
    one.memory = Memory()
    await one.run()
    assert pulls(one) == {C1.id}
    (row,) = [row for row in one.audit.rows("Applied") if row["Action"] == "Grant"]
    assert PERSON in row["Reason"]
    assert pending.run in row["Reason"]
    assert await waiting(one) == []


async def test_later_looks_ask_under_the_same_run() -> None:
    one = careful(raw.compute("cpu1", C1))
    await one.run()
    (first,) = await waiting(one)
    one.azure.advance(timedelta(hours=6))
    await one.run()
    assert await waiting(one) == [first]


async def test_what_is_needed_besides_is_not_released_with_it() -> None:
    one = careful(raw.compute("cpu1", C1))
    await one.run()
    await release(one)
    one.azure.have(raw.compute("cpu2", C2))
    await one.run()
    assert pulls(one) == {C1.id}
    await one.run()
    (pending,) = await waiting(one)
    assert not pending.approved
    assert C2.id in next(iter(pending.actions.values()))


async def test_other_actions_than_those_asked_for_have_to_be_asked_for_anew() -> None:
    one = careful(raw.compute("cpu1", C1))
    await one.run()
    (first,) = await waiting(one)
    one.azure.have(raw.compute("cpu2", C2))
    await one.run()
    (second,) = await waiting(one)
    assert second.run != first.run
    await Approvals(one.store).approve(first, PERSON, one.azure.now())
    await one.run()
    assert pulls(one) == set()


async def test_what_is_no_longer_needed_is_not_done() -> None:
    one = careful(raw.compute("cpu1", C1))
    await one.run()
    await release(one)
    one.azure.lose(WORKSPACE.child("computes", "cpu1"))
    await one.run()
    assert pulls(one) == set()


async def test_it_lapses_and_is_asked_for_anew() -> None:
    one = careful(raw.compute("cpu1", C1), approval_lapses=timedelta(hours=24))
    await one.run()
    first = await release(one)
    one.azure.advance(timedelta(hours=25))
    await one.run()
    assert pulls(one) == set()
    (second,) = await waiting(one)
    assert (second.approved, second.run == first.run) == (False, False)


async def test_releasing_twice_is_harmless() -> None:
    one = careful(raw.compute("cpu1", C1))
    await one.run()
    await release(one)
    (before,) = await waiting(one)
    await Approvals(one.store).approve(before, "somebody else", one.azure.now())
    assert await waiting(one) == [before]


@pytest.mark.parametrize("guard", ["kill-switch", "lock"])
async def test_no_other_guard_is_released_by_it(guard: str) -> None:
    one = careful(raw.compute("cpu1", C1))
    await one.run()
    await release(one)
    if guard == "lock":
        one.azure.locks.append(raw.lock(REGISTRY))
    else:
        one.azure.group_tags[GROUP] = {"amlguard": "off"}
    await one.run()
    assert pulls(one) == set()


async def test_a_rule_that_needs_no_approval_does_not_wait() -> None:
    one = careful(raw.compute("cpu1", C1), rules=("registry-admin-user",), settle=timedelta())
    await one.run()
    await one.settle()
    assert pulls(one) == {C1.id}
    assert one.azure.admin_user(REGISTRY)
    await release(one)
    await one.run()
    assert not one.azure.admin_user(REGISTRY)
    assert one.azure.stale_keys == set()


async def test_without_anything_to_approve_nothing_is_read_or_kept() -> None:
    one = careful()
    one.azure.have(raw.registry(admin_user=False))
    one.troubles.down.add("store")
    result = await one.run()
    assert result.plan.withheld == ()
    assert one.store.documents == {}


async def test_in_mode_report_nothing_is_asked_for() -> None:
    one = careful(raw.compute("cpu1", C1))
    one.terms = replace(one.terms, mode=type(one.terms.mode).REPORT)
    await one.run()
    assert await waiting(one) == []


async def test_a_release_is_used_up_though_more_passes_follow() -> None:
    """Without settle time a second pass turns the admin user off, and asks for nothing any more."""
    one = careful(raw.compute("cpu1", C1), settle=timedelta())
    await one.run()
    await release(one)
    await one.run()
    assert pulls(one) == {C1.id}
    assert not one.azure.admin_user(REGISTRY)
    assert await waiting(one) == []


async def test_without_a_store_it_is_withheld_and_says_that_nobody_can_release_it() -> None:
    one = careful(raw.compute("cpu1", C1))
    exclusively = replace(one.services.reconciler, store=None, instructions=Instructions(by_hand=True))
    result = await exclusively.run(WORKSPACE, Run(RunMode.ENFORCE))
    assert pulls(one) == set()
    (withheld,) = [each for each in result.plan.withheld if each.refusal.guard == "approval"]
    assert "nobody can, set AzureWebJobsStorage" in withheld.refusal.reason


async def test_it_says_how_where_the_admin_user_goes_off_in_the_same_run_as_well() -> None:
    shared = uai("shared")
    one = careful(raw.workspace(shared), rules=("workspace-blobs",))
    one.azure.assignments = [assigned(shared, "Contributor", REGISTRY)]
    result = await one.run()
    assert not one.azure.admin_user(REGISTRY)
    (pending,) = await waiting(one)
    asked = [each for each in result.plan.withheld if each.refusal.guard == "approval"]
    assert [each.refusal.reason for each in asked if not each.refusal.reason.endswith(pending.run)] == []
    rows = [row for row in one.audit.rows("Withheld") if row["Guard"] == "approval"]
    assert asked
    assert len(rows) == len(asked)
    assert all(row["Reason"].endswith(f"amlguard approve {pending.run}") for row in rows)


@dataclass
class _UnreadAfterTheWrite(Troubles):
    """Nothing can be read any more once a change was made."""

    async def around[T](self, kind: str, effect: Callable[[], T]) -> T:
        result = await super().around(kind, effect)
        if kind == "write":
            self.down.add("read")
        return result


async def test_a_release_counts_once_although_the_run_ends_early() -> None:
    """The grant is made, and then the look that would turn the admin user off fails."""
    one = careful(raw.compute("cpu1", C1), settle=timedelta())
    await one.run()
    await release(one)
    one.azure.troubles = _UnreadAfterTheWrite()
    with pytest.raises(ReadFailedError):
        await one.run()
    given(pulls(one) == {C1.id}, "it was made")
    one.azure.troubles = Troubles()
    one.azure.assignments.clear()
    await one.run()
    assert pulls(one) == set()
    (pending,) = await waiting(one)
    assert not pending.approved


async def test_one_that_nobody_can_read_is_named_so_that_it_can_be_deleted() -> None:
    one = careful(raw.compute("cpu1", C1))
    await one.run()
    (pending,) = await waiting(one)
    (name,) = await one.store.names("approvals/")
    known = await one.store.read(name)
    assert known
    await one.store.write(name, b"{", known.etag)
    approvals, now = Approvals(one.store), one.azure.now()
    asked = approvals.ask(WORKSPACE, "run", {}, now, timedelta(days=1))
    for each in (approvals.of(WORKSPACE, now), asked, approvals.approve(pending, PERSON, now), approvals.waiting(now)):
        with pytest.raises(MalformedDocumentError, match=re.escape(name)):
            await each
