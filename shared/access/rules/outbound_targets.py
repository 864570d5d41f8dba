"""What private-endpoint outbound rules of a managed network point to, and who approves these endpoints (AML-92).

AML makes the private endpoint in its own network, so the owner of the target has to approve it. The workspace's
identity can do that with the same role as for its dependencies (AML-75), if that role has the action for the type of
the target.
"""

from collections.abc import Iterator

from shared.access.approver import APPROVE, approve_elsewhere
from shared.access.asks import Ask, Found, RequiredGrant, Severity
from shared.access.model import Estate, Want, Workspace
from shared.access.raw import get, scope_or_none, text
from shared.access.rules.az import at, az, code
from shared.access.rules.managed_network import NETWORK, managed
from shared.access.rules.rule import Rule, RuleKind
from shared.access.rules.unreadable import unreadable
from shared.access.scope import Scope

_WATCHES = (
    "Microsoft.MachineLearningServices/workspaces",
    "Microsoft.MachineLearningServices/workspaces/outboundRules",
)
_IDS = ("AML-92", "AML-75")
# Types whose existence can be checked: those that the approver role covers, and others that a managed network reaches.
_KNOWN = (
    *APPROVE,
    "microsoft.apimanagement/service",
    "microsoft.cognitiveservices/accounts",
    "microsoft.databricks/workspaces",
    "microsoft.datafactory/factories",
    "microsoft.web/sites",
)


def _targets(workspace: Workspace) -> dict[Scope, str]:
    """The targets of the rules, except the workspace's dependencies (AML-75), each with the name of a rule.

    A project uses the network of its hub.
    """
    if workspace.hub is not None or not managed(workspace):
        return {}
    rules = get(workspace.raw, "properties", "managedNetwork", "outboundRules")
    own = (workspace.storage, workspace.vault, workspace.registry)
    found: dict[Scope, str] = {}
    for name, rule in rules.items() if isinstance(rules, dict) else ():
        target = scope_or_none(get(rule, "destination", "serviceResourceId"))
        leaving = (text(rule, "status") or "").casefold() == "deleting"
        if target and target not in own and not leaving:
            found.setdefault(target, name)
    return found


def _wants(workspace: Workspace, _: Estate) -> Iterator[Want]:
    yield from (Want(target) for target in _targets(workspace) if target.resource_type in _KNOWN)


def _reason(workspace: Workspace, target: Scope, rule: str) -> str:
    acting = workspace.acting
    who = acting.label if acting else f"workspace {workspace.id.name}"
    return f"{who} approves the managed network's private endpoint to {target.name} (outbound rule {rule})"


def _approves(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    acting = workspace.acting
    for target, rule in _targets(workspace).items() if acting else ():
        need = APPROVE.get(target.resource_type)
        if acting and need and estate.resource(target) is not None:
            yield RequiredGrant(acting, need, target, workspace.id, _IDS, _reason(workspace, target, rule))


def _cannot(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from unreadable(_wants(workspace, estate), estate)
    acting = workspace.acting
    for target, rule in _targets(workspace).items():
        if target.resource_type in _KNOWN and estate.resource(target) is None:
            if estate.facts.get(Want(target), {}) is None:
                yield _missing(workspace, target, rule)
        elif target.resource_type not in APPROVE and acting:
            reason = _reason(workspace, target, rule)
            reason += f", and the approver role of AML-75 has no action for {target.resource_type}"
            yield RequiredGrant(
                acting, approve_elsewhere(target.resource_type), target, workspace.id, ("AML-92",), reason
            )


def _missing(workspace: Workspace, target: Scope, rule: str) -> Found:
    removed = az("ml workspace outbound-rule remove", rule=rule, **at(workspace.id))
    return Found(
        workspace.id,
        f"Outbound rule {rule} of workspace {workspace.id.name} points to {target}, which does not exist.",
        {"remove": code(removed)},
    )


TARGETS = "outbound-targets"

RULES = (
    Rule(
        name="outbound-target-approver",
        requirements=("AML-92",),
        mode=RuleKind.OPT_IN,
        title="The identity of a workspace with a managed network can approve the private endpoints of its outbound "
        "rules.",
        source=NETWORK,
        examine=_approves,
        acts="an outbound rule to a search service on which the workspace's identity holds nothing",
        leaves="an outbound rule to a host name, which needs no approval",
        wants=_wants,
        also=("AML-75",),
        grants=tuple(APPROVE.values()),
        keeps_apart=False,
        watches=_WATCHES,
    ),
    Rule(
        name=TARGETS,
        requirements=("AML-92",),
        mode=RuleKind.AUDIT,
        title="The targets of outbound rules exist. If the approver role has no action for a target, another role of "
        "the identity has it.",
        source=NETWORK,
        examine=_cannot,
        acts="an outbound rule to an Azure OpenAI account that the workspace's identity may not approve endpoints of",
        leaves="an identity that holds Azure AI Administrator on the account's resource group",
        advises=True,
        severity=Severity.MEDIUM,
        remedy="Name a target that exists, or remove the rule: {remove}",
        wants=_wants,
        watches=_WATCHES,
    ),
)
