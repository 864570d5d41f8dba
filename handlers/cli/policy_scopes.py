"""`amlguard policy check --online`: which of the policy's scopes are not there, so that they do nothing."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import yaml

from handlers.cli.console import read_text
from handlers.cli.policy_check import Place, Remark, line_of
from handlers.runtime import connected
from shared.access.scope import Scope
from shared.policy import Loader, Policy
from shared.ports import AzureFailureError


async def missing(file: Path, policy: Policy) -> list[Remark]:
    """Raises `AzureFailureError` if nobody is signed in."""
    root = yaml.compose(read_text(file), Loader)
    async with connected(os.environ, file) as services:

        async def said(place: Place, scope: Scope) -> Remark | None:
            try:
                there = scope.is_management_group or await services.azure.resource(scope) is not None
                if scope.is_management_group:
                    await services.scopes.require(scope)
            except AzureFailureError as error:
                return Remark(line_of(root, place), f"{scope}: {error}")
            return (
                None
                if there
                else Remark(line_of(root, place), f"{scope} is not there: what is said of it does nothing")
            )

        remarks = await asyncio.gather(*(said(place, scope) for place, scope in _scopes(policy)))
    return [one for one in remarks if one]


def _scopes(policy: Policy) -> Iterator[tuple[Place, Scope]]:
    terms = policy.terms()
    yield from ((("scopes", at), scope) for at, scope in enumerate(terms.scopes))
    yield from ((("trust", "allow", at), scope) for at, scope in enumerate(terms.allow))
    for at, exemption in enumerate(terms.exemptions):
        if exemption.scope:
            yield ("exemptions", at, "scope"), exemption.scope
