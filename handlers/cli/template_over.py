"""`plan --template FILE --scope ID`: the estate as it will be after the deployment. It only reads."""

import os
from collections.abc import Sequence
from dataclasses import replace

from handlers.cli.desk import Where, new_report, workspaces
from handlers.cli.template import Looked, Template, object_ids, read, refuse_incomplete, run_each
from handlers.runtime import Runtime, connected
from shared.azure.built_in_roles import built_in_roles
from shared.reading.shared_lists import SharedLists
from shared.scopes import Scopes
from shared.template.overlay import laid_over
from shared.template.snapshot import Snapshot


async def plan_over(template: Template, where: Where) -> Looked:
    """Raises `UsageError`, and `AzureFailureError` when it cannot even find out where to look."""
    snapshots, notes = read(template, os.environ)
    async with connected(os.environ, where.policy_file) as services:
        return await plan_over_by(template, snapshots, notes, where, services)


async def plan_over_by(
    template: Template, snapshots: Sequence[Snapshot], notes: list[str], where: Where, services: Runtime
) -> Looked:
    """As `plan_over`, of services that are connected."""
    azure = SharedLists(services.azure)
    reads = await laid_over(snapshots, azure, built_in_roles(), object_ids(template.identities))
    seen, report = reads.estate, new_report(services, where)
    report.template = [str(one) for one in template.files]
    refuse_incomplete(seen, report)
    if not seen.incomplete:
        scopes = Scopes(reads, services.memory, services.tenant_id)
        found = await workspaces(where, scopes, services.terms.scopes, report)
        terms = replace(services.terms, caller_must_hold=False)
        await run_each(found, reads, terms, report, seen.unclear)
        notes += [
            f"{seen.symbols.shown(one)} is in the template, but not in the scopes, so it was not looked at"
            for one in seen.workspaces
            if one not in found
        ]
    report.unknown += [*seen.unknown, *reads.template.not_shown()]
    return Looked(report, seen, notes)
