"""What the identity of a UAI workspace needs on a Kubernetes cluster that is attached to it (AML-91).

A system-assigned identity gets this when the cluster is attached. For a user-assigned identity nobody grants it.
"""

from collections.abc import Iterator

from shared.access.asks import Ask, Found, RequiredGrant, Severity
from shared.access.cluster_needs import ADMINISTER_AKS, ATTACHED, OWN_RELAY
from shared.access.model import Compute, ComputeType, Estate, Want, Workspace
from shared.access.raw import scope_or_none
from shared.access.rules.az import assign, code
from shared.access.rules.rule import List, Rule, RuleKind
from shared.access.rules.unreadable import unreadable
from shared.access.scope import Scope

_SOURCE = "learn.microsoft.com/azure/machine-learning/how-to-attach-kubernetes-to-workspace"
_ARC = "microsoft.kubernetes/connectedclusters"
_RELAYS = "Microsoft.Relay/namespaces"
_WATCHES = (
    "Microsoft.MachineLearningServices/workspaces",
    "Microsoft.MachineLearningServices/workspaces/computes",
)


def _attached(workspace: Workspace) -> Iterator[tuple[Compute, Scope]]:
    kinds = (ComputeType.KUBERNETES, ComputeType.AKS)
    for compute in workspace.computes if workspace.acts_as_uai else ():
        if compute.attached and compute.type in kinds and compute.attached.resource_type in ATTACHED:
            yield compute, compute.attached


def _relay_lists(workspace: Workspace, _: Estate) -> Iterator[Want]:
    """The AML extension creates its relay in the resource group of the Arc cluster."""
    groups = (cluster.resource_group for _, cluster in _attached(workspace) if cluster.resource_type == _ARC)
    yield from dict.fromkeys(Want(group, _RELAYS) for group in groups if group)


def _relays(cluster: Scope, estate: Estate) -> list[Scope]:
    group = cluster.resource_group
    listed = estate.listed(group, _RELAYS) if group and cluster.resource_type == _ARC else ()
    return [scope for raw in listed if (scope := scope_or_none(raw.get("id")))]


def _access(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    me = workspace.acting
    for compute, cluster in _attached(workspace) if me else ():
        if me is None:
            return
        for need in ATTACHED[cluster.resource_type]:
            reason = f"{me.label} must {need.name} {cluster.name} (compute {compute.id.name})"
            if need is ADMINISTER_AKS:
                reason += "; with Trusted Access, Azure Kubernetes Service Contributor Role does instead"
            yield RequiredGrant(me, need, cluster, compute.id, ("AML-91",), reason)
        relays = _relays(cluster, estate)
        if len(relays) == 1:
            reason = f"{me.label} must {OWN_RELAY.name} {cluster.name} (compute {compute.id.name})"
            yield RequiredGrant(me, OWN_RELAY, relays[0], compute.id, ("AML-91",), reason)


def _which_relay(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from unreadable(_relay_lists(workspace, estate), estate)
    me = workspace.acting
    for compute, cluster in _attached(workspace) if me else ():
        relays = _relays(cluster, estate)
        if me is None or len(relays) < 2:
            continue
        names = ", ".join(relay.name for relay in relays)
        yield Found(
            compute.id,
            f"Several relays lie beside Arc cluster {cluster.name} ({names}), so nobody can tell which one compute "
            f"{compute.id.name} uses: {me.label} must be Azure Relay Owner on it.",
            {"grant": code(assign(me.id, "Azure Relay Owner", "RELAY-ID"))},
        )


RELAY = "attached-cluster-relay"

RULES = (
    Rule(
        name="attached-cluster-access",
        requirements=("AML-91",),
        mode=RuleKind.OPT_IN,
        title="A workspace's user-assigned identity can read, extend and administer an attached cluster, and owns its "
        "relay.",
        source=_SOURCE,
        examine=_access,
        acts="a UAI workspace with an attached AKS cluster on which its identity holds nothing",
        leaves="a workspace that acts as its system-assigned identity",
        wants=_relay_lists,
        grants=(*dict.fromkeys(need for needs in ATTACHED.values() for need in needs), OWN_RELAY),
        keeps_apart=False,
        reads=(List.COMPUTES,),
        watches=_WATCHES,
    ),
    Rule(
        name=RELAY,
        requirements=("AML-91",),
        mode=RuleKind.AUDIT,
        title="amlguard knows which relay an attached Arc cluster uses.",
        source=_SOURCE,
        examine=_which_relay,
        acts="an Arc cluster with two relays in its resource group",
        leaves="an Arc cluster with one relay in its resource group",
        severity=Severity.LOW,
        remedy="Find the relay in the settings of the cluster's AML extension, then: {grant}",
        wants=_relay_lists,
        reads=(List.COMPUTES,),
        watches=_WATCHES,
    ),
)
