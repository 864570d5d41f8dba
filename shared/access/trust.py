"""What a workspace may lead to: inside its trust boundary or on the allow-list, and in its own tenant (ADR 12)."""

from collections.abc import Iterable

from shared.access.guards import Guard
from shared.access.model import Estate, Workspace
from shared.access.quoting import in_yaml
from shared.access.scope import Scope
from shared.access.terms import Terms


def outside(what: Scope, workspace: Workspace, terms: Terms) -> str | None:
    if terms.trusts(workspace, what):
        return None
    return _withheld(f"{what.name} lies outside the workspace's {terms.boundary.replace('_', ' ')}", what)


def not_allowed(what: Scope, terms: Terms) -> str | None:
    """If a user of the workspace named it, only the allow-list permits it, wherever it is."""
    return None if terms.allows(what) else _withheld(f"{what.name} was named by a user of the workspace", what)


def _withheld(why: str, what: Scope) -> str:
    if not str(what).isascii():
        why += "; look twice, its id holds letters that may only look like others"
    return f"{why}. To allow it, add to the policy: {Guard.TARGET_OUTSIDE_BOUNDARY.in_policy(f'[{in_yaml(what)}]')}"


def of_another_tenant(scopes: Iterable[Scope | None], workspace: Workspace, estate: Estate) -> str | None:
    """With Azure Lighthouse one identity sees subscriptions of several tenants. No policy allows grants across them.

    A subscription that may not be read at all is refused for the same reason.
    """
    home = workspace.id.subscription
    for subscription in (one.subscription for one in scopes if one and estate.sees(one)):
        if subscription == home or subscription is None or home is None:
            continue
        tenants = {estate.tenants.get(subscription), estate.tenants.get(home)}
        if len(tenants) > 1 or None in tenants:
            return f"{subscription.name} is not known to be a subscription of the workspace's own tenant"
    return None
