"""AML-91 and AML-95: roles of the workspace's identity on attached clusters, and on its whole resource group."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from unit.build import (
    FOREIGN,
    GROUP,
    SUBSCRIPTION,
    assigned,
    compute,
    estate,
    granted,
    guards,
    identity,
    resource,
    role,
    sai,
    terms,
    uai,
    uai_workspace,
    workspace,
)

from shared.access.ask_rules import asks_of
from shared.access.asks import Finding
from shared.access.model import ComputeType, Estate, Fact, Unreadable, Want, Workspace
from shared.access.plan import plan
from shared.access.rules import RULES
from shared.access.scope import Scope

RULE = {rule.name: rule for rule in RULES}
AKS = resource("Microsoft.ContainerService/managedClusters", "aks")
ARC = resource("Microsoft.Kubernetes/connectedClusters", "arc")
RELAYS = Want(GROUP, "Microsoft.Relay/namespaces")
ASSIGNMENTS = Want(GROUP, "Microsoft.Authorization/roleAssignments")
ON_AKS = {"Reader", "Kubernetes Extension Contributor", "Azure Kubernetes Service Cluster Admin Role"}
ME = uai("mlw-id")


def attached(cluster: Scope | None, kind: ComputeType = ComputeType.KUBERNETES, **more: Any) -> Workspace:
    return uai_workspace(compute("k", kind, sai("k"), attached=cluster), **more)


def roles(one: Estate, *on: str, allow: tuple[Scope, ...] = ()) -> set[tuple[str, str]]:
    made = plan(one, terms(on=on, allow=allow))
    return {(name, scope) for who, name, scope in granted(made) if who == "mlw-id" and scope in ("aks", "arc", "relay")}


def relays(*names: str) -> tuple[dict[str, str], ...]:
    return tuple({"id": str(resource("Microsoft.Relay/namespaces", name))} for name in names)


@pytest.mark.parametrize("kind", [ComputeType.KUBERNETES, ComputeType.AKS])
def test_on_aks(kind: ComputeType) -> None:
    assert roles(estate(attached(AKS, kind)), "AML-91") == {(name, "aks") for name in ON_AKS}
    assert roles(estate(attached(AKS, kind))) == set()


def test_on_arc_with_its_relay() -> None:
    one = replace(estate(attached(ARC)), facts={RELAYS: relays("relay")})
    wanted = {("Reader", "arc"), ("Kubernetes Extension Contributor", "arc"), ("Azure Relay Owner", "relay")}
    assert roles(one, "AML-91") == wanted


def test_a_relay_is_none_of_an_aks_cluster_beside_it() -> None:
    """Only the extension on an Arc cluster makes one."""
    both = (compute(cluster.name, ComputeType.KUBERNETES, sai("k"), attached=cluster) for cluster in (ARC, AKS))
    one = replace(estate(uai_workspace(*both)), facts={RELAYS: relays("relay")})
    owners = [each for each in plan(one, terms(on=["AML-91"])).grants if each.need.role_name == "Azure Relay Owner"]
    assert [(each.on.name, each.others) for each in owners] == [("arc", ())]


@pytest.mark.parametrize("fact", [(), None, Unreadable.FORBIDDEN, relays("one", "relay")])
def test_a_relay_that_is_not_known_gets_no_owner(fact: Fact) -> None:
    one = replace(estate(attached(ARC)), facts={RELAYS: fact})
    assert "Azure Relay Owner" not in {name for name, _ in roles(one, "AML-91")}
    said = list(asks_of(RULE["attached-cluster-relay"], one.subject, one))
    assert bool(said) == (fact not in ((), None))


@pytest.mark.parametrize(
    "one",
    [
        workspace(compute("k", ComputeType.KUBERNETES, sai("k"), attached=AKS)),
        attached(None),
        attached(resource("Microsoft.Compute/virtualMachines", "aks")),
        attached(AKS, ComputeType.VIRTUAL_MACHINE),
    ],
    ids=["its own identity", "no cluster named", "no cluster", "no Kubernetes"],
)
def test_where_nothing_is_needed(one: Workspace) -> None:
    assert roles(estate(one), "AML-91") == set()


@pytest.mark.parametrize(("held", "missing"), [("Contributor", set()), ("Reader", ON_AKS - {"Reader"})])
def test_what_is_held_already(held: str, missing: set[str]) -> None:
    one = estate(attached(AKS), held=[assigned(ME, held, GROUP)])
    assert roles(one, "AML-91") == {(name, "aks") for name in missing}


def test_a_cluster_of_somebody_else() -> None:
    theirs = resource("Microsoft.ContainerService/managedClusters", "aks", FOREIGN)
    one = estate(attached(theirs))
    assert guards(plan(one, terms(on=["AML-91"]))) == {"target-outside-boundary"}
    assert roles(one, "AML-91", allow=(FOREIGN,)) == {(name, "aks") for name in ON_AKS}


BEFORE, AFTER = datetime(2024, 11, 18, tzinfo=UTC), datetime(2024, 11, 20, tzinfo=UTC)


def held(name: str, at: Scope = GROUP, who: str = "") -> dict[str, Any]:
    role_id = f"/subscriptions/x/providers/Microsoft.Authorization/roleDefinitions/{role(name).role_id.upper()}"
    body = {"principalId": (who or sai("mlw").id).upper(), "roleDefinitionId": role_id, "scope": str(at).upper()}
    return {"id": f"{at}/providers/Microsoft.Authorization/roleAssignments/a", "properties": body}


@pytest.mark.parametrize(
    ("created", "assignment", "told"),
    [
        (BEFORE, held("Contributor"), True),
        (AFTER, held("Contributor"), False),
        (None, held("Contributor"), False),
        (BEFORE, held("Azure AI Administrator"), False),
        (BEFORE, held("Contributor", SUBSCRIPTION), False),
        (BEFORE, held("Contributor", who=sai("else").id), False),
    ],
    ids=["old", "new", "of unknown age", "less", "above the group", "somebody else"],
)
def test_contributor_on_the_group(created: datetime | None, assignment: dict[str, Any], *, told: bool) -> None:
    one = replace(estate(workspace(created_on=created)), facts={ASSIGNMENTS: (assignment,)})
    found = [ask for ask in asks_of(RULE["workspace-group-role"], one.subject, one) if isinstance(ask, Finding)]
    assert [finding.severity.value for finding in found] == (["low"] if told else [])


def test_a_uai_workspace_was_granted_nothing_by_aml() -> None:
    one = uai_workspace(created_on=BEFORE, identity=identity(sai("mlw"), ME))
    assert list(RULE["workspace-group-role"].wants(one, estate(one))) == []


def test_a_list_that_may_not_be_read_is_said() -> None:
    one = replace(estate(workspace(created_on=BEFORE)), facts={ASSIGNMENTS: Unreadable.FORBIDDEN})
    (found,) = asks_of(RULE["workspace-group-role"], one.subject, one)
    assert isinstance(found, Finding)
    assert "could not be read" in found.message
