"""How a datastore names its storage account: by its name, which is unique in all of Azure, and perhaps its place.

CLI and SDK do not know the resource group of a datastore. ARM's own calls do.
"""

import re
from dataclasses import dataclass

from shared.access.model import Raw
from shared.access.raw import scope_or_none, text
from shared.access.scope import Scope

ACCOUNT = re.compile(r"[a-z0-9]{3,24}", re.IGNORECASE)
STORAGE = "microsoft.storage/storageaccounts"


@dataclass(frozen=True, slots=True)
class Somewhere:
    """A resource of a type (lower case) somewhere in `within`: the one with that name, or any if the name is empty."""

    type: str
    within: Scope
    name: str = ""

    def may_be(self, scope: Scope) -> bool:
        same = not self.name or scope.name.casefold() == self.name.casefold()
        return same and scope.resource_type == self.type and self.within.contains(scope)


def account_of(name: str | None, store: Raw, own: Scope | None, home: Scope | None) -> Scope | Somewhere | None:
    """`own` is the workspace's account, `home` its subscription. None if the datastore names no account."""
    if name and own and name.casefold() == own.name.casefold():
        return own
    if name is None or not ACCOUNT.fullmatch(name):
        return None
    told = text(store, "properties", "subscriptionId")
    within = scope_or_none(f"/subscriptions/{told}") if told else home
    group = text(store, "properties", "resourceGroup")
    if within and group:
        return scope_or_none(f"{within}/resourceGroups/{group}/providers/Microsoft.Storage/storageAccounts/{name}")
    return Somewhere(STORAGE, within, name) if within else None
