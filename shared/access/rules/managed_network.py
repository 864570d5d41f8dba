"""Managed virtual networks, and the network of serverless compute."""

from collections.abc import Iterator

from shared.access.approver import APPROVE_REGISTRY, APPROVE_STORAGE, APPROVE_VAULT
from shared.access.asks import Ask, Found, RequiredGrant, Severity
from shared.access.model import Estate, Workspace
from shared.access.raw import flag, get, text
from shared.access.rules.az import az, code, itself
from shared.access.rules.rule import Rule, RuleKind

_DOCS = "learn.microsoft.com/azure/machine-learning/"
NETWORK = _DOCS + "how-to-managed-network"
_WATCHES = ("Microsoft.MachineLearningServices/workspaces",)


_SERVERLESS = ("serverless_compute.custom_subnet=SUBNET-ID", "serverless_compute.no_public_ip=true")


def managed(workspace: Workspace) -> bool:
    mode = (text(workspace.raw, "properties", "managedNetwork", "isolationMode") or "disabled").casefold()
    return mode != "disabled"


def _prefers(workspace: Workspace, _: Estate) -> Iterator[Ask]:
    """A project uses the network of its hub."""
    if workspace.ready and workspace.hub is None and not managed(workspace):
        yield Found(
            workspace.id,
            f"Workspace {workspace.id.name} has no managed virtual network: its isolation mode is "
            f"{text(workspace.raw, 'properties', 'managedNetwork', 'isolationMode') or 'not set'}.",
            {"change": _turn_on(workspace)},
        )


def _turn_on(workspace: Workspace) -> str:
    return code(az("ml workspace update", **itself(workspace.id), managed_network="allow_only_approved_outbound"))


def _serverless(workspace: Workspace, _: Estate) -> Iterator[Ask]:
    closed = (text(workspace.raw, "properties", "publicNetworkAccess") or "").casefold() == "disabled"
    settings = get(workspace.raw, "properties", "serverlessComputeSettings")
    missing = []
    if text(settings, "serverlessComputeCustomSubnet") is None:
        missing.append("a subnet")
    if flag(settings, "serverlessComputeNoPublicIP") is not True:
        missing.append("no public IP")
    if closed and missing and workspace.hub is None and not managed(workspace):
        yield Found(
            workspace.id,
            f"Workspace {workspace.id.name} is closed to the public network, and its serverless compute is not set to "
            f"{' and '.join(missing)}: its nodes cannot reach the workspace.",
            {"change": code(az("ml workspace update", **itself(workspace.id), set=_SERVERLESS))},
        )


def _approves(workspace: Workspace, _: Estate) -> Iterator[Ask]:
    acting = workspace.acting
    if acting is None or workspace.hub is not None or not managed(workspace):
        return
    targets = (
        (workspace.storage, APPROVE_STORAGE),
        (workspace.vault, APPROVE_VAULT),
        (workspace.registry, APPROVE_REGISTRY),
    )
    for scope, need in targets:
        if scope:
            reason = f"{acting.label} approves the managed network's private endpoint to {scope.name}"
            yield RequiredGrant(acting, need, scope, workspace.id, ("AML-75",), reason)


RULES = (
    Rule(
        name="managed-network",
        requirements=("AML-50",),
        mode=RuleKind.AUDIT,
        title="A workspace has a managed virtual network.",
        source=NETWORK,
        examine=_prefers,
        acts="a workspace whose isolation mode is Disabled",
        leaves="a workspace that allows only approved outbound traffic",
        severity=Severity.LOW,
        remedy="Turn it on while the workspace has no compute yet, or recreate its computes (it cannot be turned off "
        "again): {change}",
        watches=_WATCHES,
    ),
    Rule(
        name="serverless-network",
        requirements=("AML-63",),
        mode=RuleKind.AUDIT,
        title="If the workspace is closed to the public network, serverless compute has a subnet and no public IP.",
        source=_DOCS + "how-to-use-serverless-compute",
        examine=_serverless,
        acts="a workspace with publicNetworkAccess Disabled and no serverless settings",
        leaves="a closed workspace with a managed network: serverless compute runs inside it",
        severity=Severity.MEDIUM,
        remedy="{change}",
        watches=_WATCHES,
    ),
    Rule(
        name="private-endpoint-approver",
        requirements=("AML-75",),
        mode=RuleKind.OPT_IN,
        title="The identity of a workspace with a managed network can approve private endpoints to its dependencies.",
        source=NETWORK,
        examine=_approves,
        acts="a workspace with a managed network made after 2025-04-30: AML no longer grants the role",
        leaves="an identity that holds Azure AI Administrator on the resource group",
        grants=(APPROVE_STORAGE, APPROVE_VAULT, APPROVE_REGISTRY),
        keeps_apart=False,
        watches=_WATCHES,
    ),
)
