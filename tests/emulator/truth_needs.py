"""What a case of the truth table is, and the needs that its cases are about."""

from collections.abc import Callable
from dataclasses import dataclass

from tenants import ACR_PULL, BLOB_READER, REPOSITORY_READER, Tenant, group_id, oid, system_assigned

# ARM throttles a caller in each subscription apart: several of them keep the table fast.
SUBSCRIPTIONS = tuple(f"{digit * 8}-{digit * 4}-4{digit * 3}-8{digit * 3}-{digit * 12}" for digit in "1234")
PLATFORM = "/providers/Microsoft.Management/managementGroups/platform"
LANDING = "/providers/Microsoft.Management/managementGroups/landing"
ELSEWHERE = "/providers/Microsoft.Management/managementGroups/elsewhere"


@dataclass(frozen=True)
class Need:
    """`principal` of `workspace` needs `role` at `scope`, unless something else holds it already."""

    workspace: str
    principal: str
    scope: str
    role: str
    guard: str = ""
    """The guard that withholds the grant."""

    @property
    def about(self) -> tuple[str, str]:
        """By which a row of the audit table is told apart."""
        return self.principal, self.scope.lower()

    @property
    def group(self) -> str:
        return "/".join(self.scope.split("/")[:5])

    @property
    def subscription(self) -> str:
        return "/".join(self.scope.split("/")[:3])


@dataclass(frozen=True)
class Case:
    name: str
    outcome: str
    """held, granted or withheld."""
    build: Callable[[Tenant, str], Need]


CASES: list[Case] = []
type _Build = Callable[[Tenant, str], Need]


def case(outcome: str) -> Callable[[_Build], _Build]:
    def add(build: _Build) -> _Build:
        CASES.append(Case(build.__name__, outcome, build))
        return build

    return add


def own_group(name: str) -> str:
    number = next(number for number, case in enumerate(CASES) if case.name == name)
    return group_id(f"rg-{name.replace('_', '-')}", SUBSCRIPTIONS[number % len(SUBSCRIPTIONS)])


def pull(tenant: Tenant, name: str, *, abac: bool = False, group: str | None = None) -> Need:
    """A cluster that pulls from its workspace's registry."""
    group = group or own_group(name)
    registry = tenant.registry(group, f"acrml{name.replace('_', '')}", abac=abac)
    workspace = tenant.workspace(group, containerRegistry=registry["id"])
    tenant.compute(workspace, "cluster", identity=system_assigned(name))
    return Need(workspace["id"], oid(name), registry["id"], REPOSITORY_READER if abac else ACR_PULL)


def blobs(tenant: Tenant, name: str) -> Need:
    """A cluster that reads its workspace's storage as itself."""
    group = own_group(name)
    account = tenant.storage(group, f"st{name.replace('_', '')}"[:24])
    workspace = tenant.workspace(group, storageAccount=account["id"], systemDatastoresAuthMode="identity")
    tenant.compute(workspace, "cluster", identity=system_assigned(name))
    return Need(workspace["id"], oid(name), account["id"], BLOB_READER)
