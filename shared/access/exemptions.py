"""Exemptions that have run out. amlguard reports again what they silenced, and somebody should know why."""

from collections.abc import Iterator

from shared.access.asks import Finding, Severity
from shared.access.model import Estate
from shared.access.terms import Exemption, Terms

EXPIRED = "expired-exemption"


def expired(estate: Estate, terms: Terms) -> Iterator[Finding]:
    """One finding for each that concerns the subject workspace or what it depends on."""
    workspace = estate.subject
    named = (workspace.id, workspace.registry, workspace.storage, workspace.vault)
    for one in terms.exemptions:
        if one.until >= estate.now.date():
            continue
        if any(one.concerns(scope, estate.tags(scope)) for scope in named if scope) or _inside(one, estate):
            yield Finding(
                workspace.id,
                EXPIRED,
                tuple(sorted(name.upper() for name in one.rules if name.startswith("aml-"))),
                Severity.MEDIUM,
                f"The exemption of {', '.join(sorted(one.rules))} ended on {one.until} ({one.reason}).",
                "Remove it from the policy (exemptions), or renew its `until` with a reason that is still true.",
            )


def _inside(one: Exemption, estate: Estate) -> bool:
    """Whether it is in the workspace: a compute or an endpoint."""
    return one.scope is not None and one.tag is None and estate.subject.id.contains(one.scope)
