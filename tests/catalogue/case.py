"""One rule's example as a piece of a tenant: what is there, and whether the rule acts.

Every case lives in a subscription and resource group of its own, so that all of them fit into one tenant and one
sweep, and what holds for a subscription (locks, custom roles) stays in its case.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

type Raw = dict[str, Any]

SUBSCRIPTION = "/subscriptions/5b9a4c1e-0000-4000-8000-000000000001"  # no case's own
ALLOWED_GROUP = f"{SUBSCRIPTION}/resourceGroups/allowed"  # on the policy's allow-list
# The policy wants this group on workspaces that carry the tag with the value data-science.
PEOPLE_GROUP = "3f0b8f0e-0000-4000-8000-0000000000f1"
PEOPLE_TAG = "scored-by"
TENANT_ID = "0c2f6d5e-0000-4000-8000-00000000000a"


@dataclass(frozen=True)
class Place:
    """A case's own corner of the tenant. Ids are made from names, the same in every run."""

    name: str

    @property
    def subscription(self) -> str:
        return f"/subscriptions/{self.object_id('subscription')}"

    @property
    def group(self) -> str:
        return f"{self.subscription}/resourceGroups/{self.name}"

    @property
    def unique(self) -> str:
        """For names that are unique in all of Azure: eight letters and digits."""
        return self.object_id("unique")[:8]

    def id(self, resource_type: str, name: str) -> str:
        return f"{self.group}/providers/{resource_type}/{name}"

    def object_id(self, name: str) -> str:
        return _guid(f"{self.name}/{name}")


@cache  # asked for again with every row that is looked at
def _guid(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


@dataclass(frozen=True)
class Tenant:
    """What a case puts into the tenant file; keys as in the tenant file.

    `aml`: system-assigned identities of its workspaces hold what AML gave them.
    """

    resources: Sequence[Raw] = ()
    role_assignments: Sequence[Raw] = ()
    role_definitions: Sequence[Raw] = ()
    deny_assignments: Sequence[Raw] = ()
    locks: Sequence[Raw] = ()
    logs: Mapping[str, Sequence[Raw]] = field(default_factory=dict)
    principals: Sequence[Raw] = ()
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    aml: bool = True


@dataclass(frozen=True)
class Case:
    """`acts`: the rule yields a grant, a setting, a finding or a withheld action of its name; else none.

    A guard acts when an action is withheld in its name. `says` is text that the row's reason, message or remedy must
    contain when it acts. `outcome` is Applied, Withheld or Finding; empty: any of them. `event` is delivered to the
    webhook after the sweep, for rules that must know who made a change.
    """

    rule: str
    acts: bool
    title: str
    build: Callable[[Place], Tenant]
    says: str = ""
    outcome: str = ""
    event: Callable[[Place], Raw] | None = None
