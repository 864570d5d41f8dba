"""`plan --template` and `explain --template`: what a template would make, planned as if it were there.

Nothing here talks to Azure, and no SDK is loaded.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from handlers.cli.bicep import Deployment, snapshot_of
from handlers.cli.console import UsageError, read_json, scope_of
from handlers.cli.explanation import Explanation
from handlers.cli.formats.view import LISTS
from handlers.cli.places import places
from handlers.cli.version import installed
from handlers.policy_file import chosen_policy, read_policy
from shared.access.actions import Plan
from shared.access.aml_grants import aml_may_add
from shared.access.explain import Seen, explain
from shared.access.plan_json import Document
from shared.access.raw import is_object_id, object_id, scope_or_none
from shared.access.report import Report
from shared.access.scope import Scope
from shared.access.terms import RunMode, Terms
from shared.access.users import is_container
from shared.audit_rows import Run
from shared.azure.built_in_roles import built_in_roles
from shared.azure.settings import Settings
from shared.instructions import Instructions
from shared.memory import Memory
from shared.ports import AzureFailureError, Reads
from shared.prepare import prepare
from shared.template.estate import estate
from shared.template.made import TemplateEstate
from shared.template.reads import TemplateReads
from shared.template.snapshot import Snapshot, SnapshotError, snapshot
from shared.writing.brakes import Brakes

INCOMPLETE = "the template is not shown as a whole, so nothing is called missing"


@dataclass(frozen=True, slots=True)
class Template:
    """What a command was given. `identities` are texts like RESOURCE-ID=OBJECT-ID."""

    files: Sequence[Path]
    deployment: Deployment
    identities: Sequence[str] = ()
    policy_file: Path | None = None
    empty_is_fine: bool = False


@dataclass(slots=True)
class Looked:
    """What came of it. `notes` are for people, about how the files were read."""

    report: Report
    estate: TemplateEstate
    notes: list[str] = field(default_factory=list)

    def document(self) -> Document:
        """The plan's, with what the template says in place of symbols, and where the files declare what it is about."""
        plain, symbols = with_aml(self.report.document()), self.estate.symbols
        about = [(one, symbols.shown(one)) for one in _about(plain)]
        plain["template"] |= {"places": places(self.estate.sources, about)}
        made: Document = symbols.told(plain)
        return made


def _about(document: Document) -> list[Scope]:
    """The resources that the items of a plan are about, and those of which that is a part."""
    every = [one.get("action") or one for name in LISTS for one in document[name]]
    found = [scope for one in every if (scope := scope_or_none(one.get("resourceId") or one.get("scope")))]
    return list(dict.fromkeys(found))


@dataclass(slots=True)
class Shown:
    """The files of a command, read."""

    terms: Terms
    policy: Path | None
    estate: TemplateEstate
    reads: TemplateReads
    notes: list[str]


def show(template: Template, environment: Mapping[str, str]) -> Shown:
    """Raises `UsageError` and `PolicyError`."""
    settings = Settings.read(environment)
    terms = replace(read_policy(template.policy_file, settings).terms(), caller_must_hold=False)
    snapshots, notes = read(template, environment)
    roles = built_in_roles()
    seen = estate(snapshots, object_ids(template.identities), roles)
    reads = TemplateReads(seen, roles, datetime.now(UTC), template.deployment.tenant)
    return Shown(terms, chosen_policy(template.policy_file, settings), seen, reads, notes)


def plan(template: Template, environment: Mapping[str, str]) -> Looked:
    """Raises `UsageError` and `PolicyError`."""
    shown = show(template, environment)
    seen, reads = shown.estate, shown.reads
    report = Report(policy=str(shown.policy) if shown.policy else None, time=reads.now(), version=installed())
    report.template = [str(one) for one in template.files]
    refuse_incomplete(seen, report)
    found = [scope for scope in seen.workspaces if chosen(scope, shown.terms)]
    if not found and not seen.incomplete and not template.empty_is_fine:
        report.errors.append(_nothing(seen))
    if not seen.incomplete:
        asyncio.run(run_each(found, reads, shown.terms, report, seen.unclear))
    report.unknown += [*seen.unknown, *reads.not_shown()]
    return Looked(report, seen, shown.notes)


def refuse_incomplete(seen: TemplateEstate, report: Report) -> None:
    """What is not shown as a whole is an error: nothing of it is called missing, or fine."""
    report.errors += [f"{INCOMPLETE}: {said}" for said in seen.incomplete]


def explained_template(template: Template, resource: str, environment: Mapping[str, str]) -> Explanation:
    """Raises `UsageError`, also if the template does not show all that there will be."""
    scope, shown = scope_of(resource), show(template, environment)
    for said in shown.estate.incomplete:
        raise UsageError(f"{INCOMPLETE}: {said}")
    seen = asyncio.run(_seen(scope, shown))
    made, named = shown.estate.resources, (text for one in seen for text in (str(one.workspace.raw),))
    if not any(scope.contains(one) for one in made) and not any(
        str(scope).casefold() in one.casefold() for one in named
    ):
        raise UsageError(f"the template neither makes nor names {scope}: check the id")
    return Explanation(scope, tuple(one for one in seen if _concerns(one, scope)), told=shown.estate.symbols.told)


async def _seen(resource: Scope, shown: Shown) -> list[Seen]:
    found = []
    for workspace in shown.estate.workspaces:
        prepared = await prepare(workspace, shown.reads, shown.terms)
        if prepared:
            found.append(explain(prepared.estate, shown.terms, prepared.plan, resource))
    return found


def _concerns(one: Seen, resource: Scope) -> bool:
    return bool(one.needs or one.changes or one.findings) or resource.contains(one.workspace.id)


def read(template: Template, environment: Mapping[str, str]) -> tuple[list[Snapshot], list[str]]:
    """Raises `UsageError`."""
    snapshots, notes = [], []
    for file in template.files:
        if file.name.casefold().endswith(".snapshot.json"):
            document: Any = read_json(str(file))
        else:
            document, said = snapshot_of(file, template.deployment, environment)
            notes += [f"{file}: {one}" for one in said]
        try:
            snapshots.append(snapshot(document, str(file)))
        except SnapshotError as error:
            raise UsageError(str(error)) from error
    return snapshots, notes


def object_ids(given: Sequence[str]) -> dict[Scope, str]:
    """Raises `UsageError`."""
    found: dict[Scope, str] = {}
    for one in given:
        resource, sign, known = one.rpartition("=")
        if not sign or not is_object_id(known):
            raise UsageError(f"--identity {one!r}: RESOURCE-ID=OBJECT-ID is wanted, an object id like a GUID")
        found[scope_of(resource)] = object_id(known)
    return found


def chosen(workspace: Scope, terms: Terms) -> bool:
    """Whether the policy watches it. A template does not show what is in a management group, or uses a resource."""
    return not terms.scopes or any(
        one.is_management_group or not is_container(one) or one.contains(workspace) for one in terms.scopes
    )


async def run_each(
    found: Sequence[Scope], reads: Reads, terms: Terms, report: Report, unclear: Collection[Scope] = ()
) -> None:
    for workspace in found:
        try:
            made = without_unclear(await look(workspace, reads, terms), unclear)
        except (AzureFailureError, ValueError) as error:
            report.fail(workspace, str(error))
            continue
        report.plans.append(made)
        report.looked_at.append(workspace)


async def look(workspace: Scope, reads: Reads, terms: Terms) -> Plan:
    """As a plan of what is there: with the brakes, as far as a template shows them."""
    prepared = await prepare(workspace, reads, terms)
    made = prepared.plan if prepared else Plan()
    brakes = Brakes(reads, None, terms, Memory(), Instructions(by_hand=True))
    return (await brakes.held(made, workspace, Run(RunMode.REPORT), reserve=False)).allows(made)


def without_unclear(made: Plan, unclear: Collection[Scope]) -> Plan:
    """Without findings about what the template does not say in full: `unknown` has what is not said."""
    return replace(made, findings=tuple(one for one in made.findings if one.resource not in unclear))


def _nothing(seen: TemplateEstate) -> str:
    where = "the template makes no workspace"
    if seen.workspaces:
        where = f"the policy's scopes choose none of the {len(seen.workspaces)} workspaces of the template"
    check = "check the files and their parameters, or add --allow-empty if there may be none"
    return f"nothing was looked at: {where}; {check}"


def with_aml(document: Document) -> Document:
    return document | {
        "grants": [one | _added(one) for one in document["grants"]],
        **{
            name: [one | {"action": one["action"] | _added(one["action"])} for one in document[name]]
            for name in ("withheld", "deferred")
        },
    }


def _added(one: Document) -> Document:
    """What stays a grant although AML may make it by itself says so."""
    if "roleName" not in one:
        return {}
    holder = scope_or_none(one.get("principal"))
    return {"amlMayAdd": holder is not None and aml_may_add(holder, one["roleDefinitionId"].rpartition("/")[2])}
