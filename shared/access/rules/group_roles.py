"""The role that AML gave a workspace's system-assigned identity on the whole resource group (AML-95)."""

from collections.abc import Iterator
from datetime import UTC, datetime

from shared.access.asks import Ask, Found, Severity
from shared.access.model import Estate, Principal, Raw, Want, Workspace
from shared.access.raw import principal_id, scope_or_none, text
from shared.access.rules.az import assign, az, code
from shared.access.rules.rule import Rule, RuleKind
from shared.access.rules.unreadable import unreadable

_SOURCE = "learn.microsoft.com/azure/machine-learning/how-to-identity-based-service-authentication"
# Since then AML grants Azure AI Administrator instead of Contributor.
_LESS_SINCE = datetime(2024, 11, 19, tzinfo=UTC)
_CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
_ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"


def _old(workspace: Workspace) -> Principal | None:
    """The system-assigned identity to which AML gave Contributor, if the workspace is that old."""
    of_old = workspace.created_on is not None and workspace.created_on < _LESS_SINCE
    return workspace.identity.system if of_old and not workspace.acts_as_uai else None


def _wants(workspace: Workspace, _: Estate) -> Iterator[Want]:
    """A reconcile reads this list anyway."""
    if _old(workspace) and workspace.id.resource_group:
        yield Want(workspace.id.resource_group, _ASSIGNMENTS)


def _contributor(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from unreadable(_wants(workspace, estate), estate)
    me, group = _old(workspace), workspace.id.resource_group
    if me is None or group is None:
        return
    found = next((one for one in estate.listed(group, _ASSIGNMENTS) if _is_contributor(one, me, group.key)), None)
    if found:
        yield Found(
            workspace.id,
            f"{me.label} is Contributor on resource group {group.name}, as AML made it before 2024-11-19. Azure AI "
            "Administrator is enough, and cannot touch what else lies there.",
            {
                "grant": code(assign(me.id, "Azure AI Administrator", group)),
                "remove": code(az("role assignment delete", ids=found.get("id"))),
            },
        )


def _is_contributor(raw: Raw, me: Principal, group: str) -> bool:
    role = (text(raw, "properties", "roleDefinitionId") or "").rpartition("/")[2]
    at = scope_or_none(text(raw, "properties", "scope"))
    holder = principal_id(raw, "properties", "principalId")
    return role.casefold() == _CONTRIBUTOR and holder == me.id and at is not None and at.key == group


GROUP_ROLE = "workspace-group-role"

RULES = (
    Rule(
        name=GROUP_ROLE,
        requirements=("AML-95",),
        mode=RuleKind.AUDIT,
        title="A workspace's system-assigned identity is no longer Contributor on the whole resource group.",
        source=_SOURCE,
        examine=_contributor,
        acts="a workspace of early 2024 whose identity holds Contributor on its resource group",
        leaves="a workspace whose identity holds Azure AI Administrator there",
        severity=Severity.LOW,
        remedy="First: {grant}. Some minutes later, when the workspace works with that role: {remove}",
        wants=_wants,
        watches=("Microsoft.MachineLearningServices/workspaces",),
    ),
)
