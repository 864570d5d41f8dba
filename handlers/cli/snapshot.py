"""`amlguard snapshot`: what `plan`, `explain` and `report` read, as a file. It only reads.

By ARM alone, however many workspaces there are: a file that others work from must not be minutes behind.
"""

import asyncio
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from handlers.cli.console import counted, write_text
from handlers.cli.desk import Where, at_a_desk, each, looking, new_report
from handlers.cli.progress import begin
from handlers.cli.report import past, waiting
from handlers.cli.snapshot_key import key_of
from handlers.cli.version import installed
from handlers.policy_file import policy_document
from handlers.runtime import Runtime, connected
from shared.access.actions import Plan
from shared.access.ids import HUB, INSIGHTS, REGISTRY, STORAGE, VAULT
from shared.access.report import Report
from shared.access.scope import Scope
from shared.access.terms import Terms
from shared.azure.built_in_roles import built_in_roles
from shared.azure.settings import Settings
from shared.memory import Memory
from shared.policy import convert
from shared.ports import Azure, AzureFailureError
from shared.prepare import Prepared, prepare, prepare_for_everybody
from shared.reading.discover import WORKSPACES
from shared.reading.users import read_below
from shared.snapshot.disguise import Disguise
from shared.snapshot.disguised import DisguisedAzure, DisguisedStore, Disguising
from shared.snapshot.kept import Keeping
from shared.snapshot.pseudonyms import Pseudonyms
from shared.snapshot.recorded import Notes, RecordedAzure, RecordedStore
from shared.snapshot.words import Words
from shared.snapshot.written import About, Document, document, registries

_POLICY = Path("policy.yaml")
_ML_REGISTRIES = "Microsoft.MachineLearningServices/registries"


@dataclass(frozen=True, slots=True)
class Taken:
    """`report` is that of a plan at the same time: it says what could not be read."""

    document: Document
    report: Report

    def in_short(self) -> str:
        asked = self.document["snapshot"]["asked"]
        failed = sum("failed" in one for one in asked)
        said = (
            f"{counted(len(self.report.looked_at), 'workspace')}, {counted(len(asked), 'question')} and their answers"
        )
        return f"{said}, {failed} of which could not be had" if failed else said

    def text(self) -> str:
        return json.dumps(self.document, indent=1) + "\n"


def take(where: Where, file: Path, pseudonyms: Path | None = None) -> int:
    """`pseudonyms` is a file with a key, or `ONE_KEY`. Raises `UsageError` for another file."""
    key = None if pseudonyms is None else key_of(pseudonyms)
    begin("snapshot")
    made = asyncio.run(taken(where, key))
    write_text(file, made.text())
    print(f"{file}: {made.in_short()}")
    return 1 if made.report.errors else 0


async def taken(where: Where, key: bytes | None = None) -> Taken:
    """Raises `AzureFailureError` when it cannot even find out where to look."""
    said = policy_document(where.policy_file, Settings.read(os.environ))
    async with connected(os.environ, where.policy_file) as services:
        return await taken_by(services, where, said, key)


async def taken_by(services: Runtime, where: Where, policy: Any, key: bytes | None = None) -> Taken:
    """As `taken`, of services that are connected. `policy` is what the policy file says. `key` is for pseudonyms."""
    with suppress(AzureFailureError):
        await services.azure.children(Scope.parse("/"), "subscriptions")  # so that the clock is ARM's
    looked = await _look(services, where, policy)
    return (await _look(*_disguised(looked, policy, key))).taken if key else looked.taken


@dataclass(frozen=True, slots=True)
class _Looked:
    taken: Taken
    services: Runtime
    where: Where
    notes: Notes


async def _look(services: Runtime, where: Where, policy: Any) -> _Looked:
    notes = Notes()
    azure = RecordedAzure(services.azure, notes, services.azure.now())
    store = RecordedStore(services.store, notes) if services.store else None
    recorded = replace(services, azure=azure, store=store)
    where = replace(where, fresh=True)
    report = new_report(recorded, where)
    looks = await looking(where, recorded, report)

    async def look(workspace: Scope) -> Plan:
        prepared = None
        try:
            prepared = await looks.prepare(workspace)
            return await looks.braked(prepared.plan if prepared else Plan(), workspace)
        finally:  # whoever explains it asks for more, also where a part of it could not be read
            await _besides(workspace, prepared, recorded)

    await each(looks.workspaces, look, report, recorded)
    await asyncio.gather(past(recorded, None), waiting(recorded))
    made = document(notes, _about(recorded, where, policy), _tags(services.terms), built_in_roles())
    return _Looked(Taken(made, report), recorded, where, notes)


def _disguised(looked: _Looked, policy: Any, key: bytes) -> tuple[Runtime, Where, Any]:
    """The same tenant with other names. What was read once is not read again."""
    services, where = looked.services, looked.where
    disguise = Disguise(Pseudonyms(key), Words.of(tuple(built_in_roles().values())))
    names = registries([(one, answer) for one, answer in looked.notes.asked.values()])
    disguising = Disguising(disguise, Keeping(_tags(services.terms), names))
    disguising.learn(looked.notes, looked.taken.report.plans)
    said = disguise.of(policy)
    hidden = replace(
        services,
        azure=DisguisedAzure(services.azure, disguising),
        store=DisguisedStore(services.store, disguising) if services.store else None,
        terms=services.terms if policy is None else convert(said).terms(),
        own_object_id=disguise.object_id(services.own_object_id),
        tenant_id=disguise.object_id(services.tenant_id),
        policy_file=_POLICY if services.policy_file else None,
        memory=Memory(),
    )
    return hidden, replace(where, scopes=[disguise.path(one) for one in where.scopes]), said


async def _besides(workspace: Scope, prepared: Prepared | None, services: Runtime) -> None:
    """What `explain` asks of it, and of what it uses. What fails is in the notes."""
    azure, terms = services.azure, at_a_desk(services, None).terms
    subscription, group = workspace.subscription, workspace.resource_group
    near = [scope for scope in (subscription, group) if scope]
    asked: list[Any] = [prepare(workspace, azure, terms), read_below(workspace, azure)]
    asked += [
        azure.resource(scope) for scope in (workspace, *near, *(_used(prepared) or await _named(workspace, azure)))
    ]
    asked += [azure.children(scope, WORKSPACES) for scope in near]
    asked += [azure.children(scope, _ML_REGISTRIES) for scope in near[:1]]
    if prepared and prepared.estate.subject.registry:
        asked.append(prepare_for_everybody(workspace, azure, services.terms))
    for answer in await asyncio.gather(*asked, return_exceptions=True):
        if isinstance(answer, BaseException) and not isinstance(answer, AzureFailureError | ValueError):
            raise answer


def _used(prepared: Prepared | None) -> Sequence[Scope]:
    if prepared is None:
        return ()
    one = prepared.estate.subject
    identities = [one.identity, *(each.identity for each in one.computes), *(each.identity for each in one.endpoints)]
    named = [one.registry, one.storage, one.vault, one.app_insights, one.hub]
    named += [each.resource for identity in identities for each in identity.user]
    return list(dict.fromkeys(scope for scope in named if scope))


async def _named(workspace: Scope, azure: Azure) -> Sequence[Scope]:
    """What the workspace itself names, where not all of it could be read."""
    with suppress(AzureFailureError):
        raw = await azure.resource(workspace)
        found = (field.of(raw) for field in (REGISTRY, STORAGE, VAULT, INSIGHTS, HUB))
        return [scope for scope in found if scope]
    return ()


def _about(services: Runtime, where: Where, policy: Any) -> About:
    file = services.policy_file
    return About(
        time=services.azure.now().isoformat(),
        version=installed(),
        tenantId=services.tenant_id,
        takenBy=services.own_object_id,
        policy=policy,
        policyName=file.name if file else None,
        scopes=tuple(where.scopes),
        stopped=services.stopped,
        hasStore=services.store is not None,
        hasLogs=services.audit_reader is not None,
    )


def _tags(terms: Terms) -> frozenset[str]:
    """Those by which the policy chooses: no others are kept."""
    of_exemptions = {one.tag[0] for one in terms.exemptions if one.tag}
    return frozenset(
        name.casefold() for name in of_exemptions.union(name for one in terms.people for name, _ in one.tags)
    )
