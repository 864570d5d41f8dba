"""What `plan`, `explain` and `report` work with: Azure, or a snapshot of it."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from handlers.cli.console import UsageError, read_json
from handlers.policy_file import read_policy
from handlers.runtime import Runtime, connected
from shared import policy
from shared.azure.built_in_roles import built_in_roles
from shared.azure.settings import Settings
from shared.snapshot.played import NotASnapshotError, Played, PlayedAzure, PlayedStore


@asynccontextmanager
async def services_of(policy_file: Path | None, snapshot: Path | None) -> AsyncIterator[Runtime]:
    """Raises `UsageError` for what is no snapshot, and as `connected` does."""
    if snapshot:
        yield opened(played(snapshot), policy_file)
        return
    async with connected(os.environ, policy_file) as services:
        yield services


def played(file: Path) -> Played:
    """Raises `UsageError`."""
    try:
        return Played.of(read_json(str(file)), str(file), built_in_roles())
    except NotASnapshotError as error:
        raise UsageError(str(error)) from error


def opened(snapshot: Played, policy_file: Path | None) -> Runtime:
    """By the policy of that time, unless another one is named. Raises `PolicyError`."""
    about = snapshot.about
    rules = read_policy(policy_file, Settings()) if policy_file else policy.convert(about["policy"])
    name = about["policyName"]
    return Runtime(
        azure=PlayedAzure(snapshot),
        audit=None,
        audit_reader=None,
        queue=None,
        store=PlayedStore(snapshot) if about["hasStore"] else None,
        terms=rules.terms(),
        own_object_id=about["takenBy"],
        deadline_seconds=0,
        stopped=about["stopped"],
        tenant_id=about["tenantId"],
        policy_file=policy_file or (Path(name) if name else None),
    )
