"""Kinds that amlguard does not know: it reports them, so that nobody takes silence for an all-clear."""

from collections.abc import Iterator

from shared.access.asks import Ask, Found, Severity
from shared.access.model import ComputeType, Estate, Workspace
from shared.access.raw import text
from shared.access.rules.az import az, code
from shared.access.rules.rule import List, Rule, RuleKind
from shared.access.scope import Scope

_WORKSPACES = ("default", "hub", "project", "featurestore", "lean")
_DATASTORES = ("azureblob", "azuredatalakegen1", "azuredatalakegen2", "azurefile", "onelake")
# ARM does not always give the kind of an endpoint. The others are the kinds known so far.
_ENDPOINTS = ("", "managed", "kubernetes", "k8s", "aks")


def _unknown(workspace: Workspace, _: Estate) -> Iterator[Ask]:
    if workspace.kind not in _WORKSPACES:
        yield _finding(workspace.id, "workspace", workspace.kind)
    for compute in workspace.computes:
        if compute.type is ComputeType.UNKNOWN:
            yield _finding(compute.id, "compute", compute.type_name)
    for store in workspace.datastores:
        if store.type not in _DATASTORES:
            yield _finding(store.id, "datastore", store.type or "not named")
    for endpoint in workspace.endpoints:
        kind = text(endpoint.raw, "kind") or ""
        if kind.casefold() not in _ENDPOINTS:
            yield _finding(endpoint.id, "online endpoint", kind)


def _finding(scope: Scope, what: str, kind: str) -> Found:
    return Found(
        scope,
        f"The kind of {what} {scope.name} is not known to amlguard ({kind}): what its identity needs is not checked.",
        {"show": code(az("resource show", ids=scope))},
    )


UNKNOWN_KIND = "unknown-kind"

RULES = (
    Rule(
        name=UNKNOWN_KIND,
        requirements=(),
        mode=RuleKind.AUDIT,
        title="Workspaces, computes, datastores and endpoints are of kinds that amlguard knows.",
        source="learn.microsoft.com/azure/templates/microsoft.machinelearningservices/workspaces",
        examine=_unknown,
        acts="a compute of a type that did not exist when this version of amlguard was made",
        leaves="a compute instance",
        severity=Severity.LOW,
        remedy="Check it by hand ({show}), and look for a newer version of amlguard that knows it.",
        each=(List.COMPUTES, List.DATASTORES, List.ENDPOINTS),
        watches=("Microsoft.MachineLearningServices/workspaces/computes",),
    ),
)
