"""A workspace of a usual size, built as values: what a plan has to look at."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from shared.access.ask_rules import ask_rules
from shared.access.asks import RequiredGrant
from shared.access.model import Compute, ComputeType, Endpoint, Estate, Identity, Principal, Registry, Workspace
from shared.access.permissions import Access, PermissionBlock, RoleAssignment, RoleDefinition
from shared.access.rules import RULES
from shared.access.scope import Scope
from shared.access.terms import Terms

_NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
_GROUP = "/subscriptions/7a1c3f52-3f0e-4a53-9d1a-5f2a8f6f0c11/resourceGroups/ml"
_WORKSPACE = Scope.parse(f"{_GROUP}/providers/Microsoft.MachineLearningServices/workspaces/fraud")
_REGISTRY = Scope.parse(f"{_GROUP}/providers/Microsoft.ContainerRegistry/registries/fraud")
_STORAGE = Scope.parse(f"{_GROUP}/providers/Microsoft.Storage/storageAccounts/fraud")


def estate(*, computes: int, endpoints: int) -> Estate:
    """All identities are system-assigned.

    Every second grant that the rules ask for is held, and the others are missing.
    """
    made = tuple(_compute(number) for number in range(computes))
    served = tuple(_endpoint(number) for number in range(endpoints))
    workspace = Workspace(
        _WORKSPACE,
        "default",
        Identity(Principal(_object_id(1000), "workspace fraud")),
        registry=_REGISTRY,
        storage=_STORAGE,
        storage_by_identity=True,
        created_on=_NOW - timedelta(days=30),
        computes=made,
        endpoints=served,
    )
    registry = Registry(_REGISTRY, admin_user=True, abac=False, created_on=_NOW - timedelta(days=20))
    empty = Estate(_NOW, workspace, registries={_REGISTRY: registry})
    asks = [one for _, one in ask_rules(workspace, empty, Terms(table=RULES)).grants]
    return Estate(_NOW, workspace, registries={_REGISTRY: registry}, access=_access(asks))


def _compute(number: int) -> Compute:
    identity = Identity(Principal(_object_id(number), f"compute c{number}"))
    scope = _WORKSPACE.child("computes", f"cpu{number}")
    return Compute(scope, ComputeType.AML_COMPUTE, "AmlCompute", identity, created_on=_NOW - timedelta(days=25))


def _endpoint(number: int) -> Endpoint:
    scope = _WORKSPACE.child("onlineEndpoints", f"e{number}")
    return Endpoint(scope, Identity(Principal(_object_id(100 + number), f"endpoint e{number}")))


def _access(asks: list[RequiredGrant]) -> dict[str, Access]:
    access = {one.principal.id: Access() for one in asks}
    for number, one in enumerate(asks[::2]):
        before, role = access[one.principal.id], _role(one)
        since = _NOW - timedelta(days=1)
        held = RoleAssignment(_object_id(5000 + number), one.scope, one.principal.id, role.role_id, created_on=since)
        access[one.principal.id] = Access((*before.assignments, held), {**before.roles, role.role_id: role})
    return access


def _role(one: RequiredGrant) -> RoleDefinition:
    actions = tuple(p.action for p in one.need.permissions if not p.data)
    data = tuple(p.action for p in one.need.permissions if p.data)
    return RoleDefinition(one.need.role_id, one.need.role_name, (PermissionBlock(actions, data_actions=data),))


def _object_id(number: int) -> str:
    return str(UUID(int=number))
