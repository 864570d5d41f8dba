"""One role for several needs; and what it made needless where that one role cannot be granted."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import raw
from app import App, app
from unit.build import REGISTRY, ROLES, STORAGE, WORKSPACE, identity_id, sai, uai

from shared.access.actions import Grant, Setting
from shared.access.asks import Ask, Property, RequiredGrant
from shared.access.model import Estate, Workspace
from shared.access.needs import (
    CONTROL_REGISTRY,
    PUSH,
    READ_BLOBS,
    RUN_TASKS,
    WRITE_BLOBS,
    WRITE_QUEUES,
    WRITE_TABLES,
    Need,
)
from shared.access.plan_json import action, key
from shared.access.rules import RULES, Rule, RuleKind
from shared.access.scope import Scope
from shared.access.terms import Caps
from shared.audit_rows import Phase, Run
from shared.instructions import Instructions
from shared.progress import Result

TEAM = uai("team")


def asking_for(*needs: tuple[Scope, Need]) -> Rule:
    """No rule of amlguard's own asks for one role that makes two others needless."""

    def examine(workspace: Workspace, _: Estate) -> Iterator[Ask]:
        for where, need in needs:
            yield RequiredGrant(sai("cpu1"), need, where, workspace.id, ("AML-06",), "the test says so")

    return Rule(
        name="what-the-test-asks-for",
        requirements=("AML-06",),
        mode=RuleKind.FIX,
        title="A cluster's identity holds these roles.",
        source="this test",
        examine=examine,
        acts="any workspace",
        leaves="none",
        grants=tuple(need for _, need in needs),
        keeps_apart=False,
    )


def one_identity(**policy: Any) -> App:
    """The workspace's own identity is its cluster's and its endpoint's as well; the policy turns AML-08 on."""
    made = app(on=["AML-08"], **policy)
    own = raw.workspace(TEAM, primaryUserAssignedIdentity=str(identity_id("team")))
    made.azure.have(own, raw.compute("cpu1", TEAM), raw.endpoint("serve", TEAM))
    return made


def roles(one: App) -> set[str]:
    return {
        name
        for name in ("Contributor", "AcrPull", "AcrPush", "Storage Blob Data Contributor", "Storage Blob Data Reader")
        for where in (REGISTRY, STORAGE)
        if TEAM.id in one.azure.holders(name, where)
    }


def changed(result: Result) -> list[Need | Property]:
    applied = [each.action for each in result.outcomes if each.phase is Phase.APPLIED]
    return [
        each.need if isinstance(each, Grant) else each.name for each in applied if isinstance(each, Grant | Setting)
    ]


async def test_contributor_of_the_registry_makes_acrpull_needless() -> None:
    one = one_identity()
    result = await one.run()
    assert roles(one) == {"Contributor", "Storage Blob Data Contributor"}
    (grant,) = (each for each in result.plan.grants if each.scope == REGISTRY)
    assert {"AML-08", "AML-18", "AML-42"} <= set(grant.requirements)
    assert {each.name for each in (grant.on, *grant.others)} == {"mlw", "cpu1", "serve"}
    await one.run()
    assert roles(one) == {"Contributor", "Storage Blob Data Contributor"}
    await one.settle()
    assert not one.azure.admin_user(REGISTRY)


async def test_two_identities_get_a_role_each() -> None:
    one = one_identity()
    one.azure.have(raw.compute("cpu2", sai("cpu2")))
    await one.run()
    assert one.azure.holders("Contributor", REGISTRY) == {TEAM.id}
    assert one.azure.holders("AcrPull", REGISTRY) == {sai("cpu2").id}


async def test_where_azure_refuses_it_the_lesser_ones_are_granted_on_record() -> None:
    one = one_identity()
    one.azure.forbidden = {ROLES["Contributor"].role_id, ROLES["Storage Blob Data Contributor"].role_id}
    await one.run()
    assert roles(one) == {"AcrPull", "Storage Blob Data Reader"}
    for row in one.audit.rows("Applied"):
        planned = [each["ActionId"] for each in one.audit.rows("Planned")]
        assert row["ActionId"] in planned
    assert len(one.audit.rows("Failed")) == 2


async def test_one_that_waits_is_waited_for() -> None:
    one = one_identity()
    one.azure.unborn = {TEAM.id}
    await one.run()
    assert roles(one) == set()
    tried = {row["RoleDefinitionId"].rpartition("/")[2] for row in one.audit.rows("Planned")}
    assert tried == {ROLES[name].role_id for name in ("Contributor", "Storage Blob Data Contributor")}
    one.azure.unborn = set()
    await one.settle()
    assert roles(one) == {"Contributor", "Storage Blob Data Contributor"}


async def test_where_people_keep_removing_it_the_lesser_one_is_granted() -> None:
    one = one_identity()
    one.azure.logged = True
    for _ in range(one.terms.contested_after + 1):
        await one.run()
        one.azure.assignments = [each for each in one.azure.assignments if each.role_id != ROLES["Contributor"].role_id]
    assert "contested" in {row["Guard"] for row in one.audit.rows("Withheld")}
    assert "AcrPull" in roles(one)


async def test_the_cap_counts_what_is_made_instead() -> None:
    one = one_identity(caps=Caps(per_run=0))
    one.azure.forbidden = {ROLES["Contributor"].role_id}
    await one.run()
    assert roles(one) == set()


async def test_as_many_are_made_instead_as_the_cap_leaves() -> None:
    one = app(raw.compute("cpu1", sai("cpu1")), caps=Caps(per_run=3))
    on_registry = [(REGISTRY, need) for need in (CONTROL_REGISTRY, PUSH, RUN_TASKS)]
    terms = replace(one.terms, table=(asking_for((STORAGE, WRITE_TABLES), (STORAGE, WRITE_QUEUES), *on_registry),))
    one.azure.forbidden = {CONTROL_REGISTRY.role_id}
    result = await replace(one.services.reconciler, terms=terms).run(WORKSPACE, Run(terms.mode))
    assert changed(result) == [WRITE_TABLES, WRITE_QUEUES, PUSH]


async def test_a_resync_does_not_count_in_what_the_cap_leaves() -> None:
    one = app(raw.compute("cpu1", sai("cpu1")))
    await one.run()
    one.azure.advance(timedelta(hours=1))
    one.azure.forbidden = {WRITE_BLOBS.role_id}
    more = asking_for((STORAGE, WRITE_BLOBS), (STORAGE, READ_BLOBS))
    terms = replace(one.terms, table=(*RULES, more), caps=Caps(per_run=2))
    result = await replace(one.services.reconciler, terms=terms).run(WORKSPACE, Run(terms.mode))
    assert changed(result) == [Property.ADMIN_USER, Property.CACHED_KEYS, READ_BLOBS]


async def test_a_plan_document_names_what_may_be_done() -> None:
    one = one_identity()
    one.azure.forbidden = {ROLES["Contributor"].role_id}
    made = await one.services.reconciler.prepare(WORKSPACE)
    named = frozenset(key(action(each)) for each in made.grants if each.scope == REGISTRY)
    await replace(one.services.reconciler, instructions=Instructions(only=named)).run(WORKSPACE, Run(one.terms.mode))
    assert roles(one) == set()
