"""Single fields of what Azure answers and of what amlguard keeps: each is read as it is, and nothing in its place."""

from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.build import (
    CLUSTER,
    GROUP,
    LOOKALIKE,
    NOW,
    REGISTRY,
    STORAGE,
    VAULT,
    WORKSPACE,
    cluster,
    estate,
    resource,
    terms,
    workspace,
)

from shared.access import ids, parse
from shared.access.asks import Cover, RegistryUser, UserKind
from shared.access.cluster_needs import ATTACHED
from shared.access.connections import named, of_connection
from shared.access.exemptions import expired
from shared.access.explain import user_document
from shared.access.intents import moment
from shared.access.jobs import is_serverless
from shared.access.quoting import query
from shared.access.rules import List
from shared.access.scope import Scope
from shared.access.services import SERVICES, SLOTS, SignIn
from shared.access.surroundings import Lock
from shared.access.terms import Exemption

ARC = resource("Microsoft.Kubernetes/connectedClusters", "arc")
HSM = resource("Microsoft.KeyVault/managedHSMs", "hsm")
PRIVATE_ENDPOINT = resource("Microsoft.Network/privateEndpoints", "pe")


def test_each_need_on_an_attached_cluster_is_about_its_own_type() -> None:
    for kind, needs in ATTACHED.items():
        assert {need.resource_type for need in needs} == {kind}


@pytest.mark.parametrize(("metadata", "wrong"), [({"ResourceId": str(REGISTRY)}, []), ({"resourceid": "acrml"}, [1])])
def test_the_registry_of_a_connection_must_be_the_id_of_one(metadata: Any, wrong: list[int]) -> None:
    raw = {"properties": {"category": "ContainerRegistry", "metadata": metadata}}
    found = list(of_connection(raw, WORKSPACE))
    assert len(found) == len(wrong)
    assert all("metadata" in one.name for one in found)


@pytest.mark.parametrize("named", [VAULT, HSM])
def test_the_key_that_encrypts_a_workspace_may_lie_in_a_vault_or_an_hsm(named: Scope) -> None:
    raw = {"properties": {"encryption": {"keyVaultProperties": {"keyVaultArmId": str(named)}}}}
    assert list(ids.of_workspace(raw, WORKSPACE)) == []


@pytest.mark.parametrize("key", [STORAGE, REGISTRY])
def test_and_nowhere_else(key: Scope) -> None:
    raw = {"properties": {"encryption": {"keyVaultProperties": {"keyVaultArmId": str(key)}}}}
    assert len(list(ids.of_workspace(raw, WORKSPACE))) == 1


@pytest.mark.parametrize(("named", "wrong"), [(PRIVATE_ENDPOINT, 0), (STORAGE, 1)])
def test_a_private_endpoint_is_named_by_its_id(named: Scope, wrong: int) -> None:
    raw = {"properties": {"privateEndpointConnections": [{"properties": {"privateEndpoint": {"id": str(named)}}}]}}
    assert len(list(ids.of_workspace(raw, WORKSPACE))) == wrong


@pytest.mark.parametrize(
    ("kind", "named", "right"),
    [
        ("AKS", CLUSTER, True),
        ("AKS", ARC, False),
        ("AKS", STORAGE, False),
        ("Kubernetes", ARC, True),
        ("Kubernetes", STORAGE, False),
    ],
)
def test_a_compute_is_attached_to_what_its_kind_can_be_attached_to(kind: str, named: Scope, right: bool) -> None:
    raw = {"properties": {"computeType": kind, "resourceId": str(named)}}
    assert ids.attachment(raw).of(raw) == (named if right else None)


@pytest.mark.parametrize(
    ("scope", "tag", "told"),
    [
        (WORKSPACE.child("computes", "cpu1"), None, True),
        (WORKSPACE.child("computes", "cpu1"), ("team", "a"), False),
        (LOOKALIKE, None, False),
        (LOOKALIKE, ("team", "a"), False),
    ],
)
def test_an_exemption_that_ended_is_told_where_it_held(scope: Scope, tag: tuple[str, str] | None, told: bool) -> None:
    ended = Exemption(scope, frozenset({"aml-21"}), date(2026, 1, 1), "moves", tag)
    found = list(expired(estate(workspace(cluster("cpu1"))), terms(exemptions=(ended,))))
    assert bool(found) is told


@pytest.mark.parametrize("counts", [True, False])
@pytest.mark.parametrize("cover", Cover)
def test_who_keeps_the_admin_user_on_is_who_counts_and_is_not_covered(cover: Cover, counts: bool) -> None:
    user = RegistryUser(REGISTRY, UserKind.PULLER, "cpu1", WORKSPACE, cover, "x", "why", counts=counts)
    assert user_document(user)["keepsAdminUserOn"] is (counts and cover is not Cover.COVERED)


def test_a_moment_is_the_same_in_any_time_zone() -> None:
    assert moment("2026-11-02T14:00:00+02:00") == moment("2026-11-02T12:00:00") == moment(NOW) == NOW


@pytest.mark.parametrize("control", ["do_while", "if_else", "parallel_for"])
def test_a_step_that_only_controls_others_runs_nowhere(control: str) -> None:
    steps = {"loop": {"type": control}, "train": {"type": "command", "computeId": "azureml:cpu1"}}
    assert not is_serverless({"properties": {"jobType": "Pipeline", "jobs": steps}})


def test_what_a_workspace_says_wrongly_is_not_what_something_below_it_says_wrongly() -> None:
    raw = {"id": str(WORKSPACE), "properties": {"primaryUserAssignedIdentity": "uami"}}
    found = parse.workspace(raw, {}, {})
    assert found.unclear(ids.PRIMARY)
    assert not found.unclear(ids.REGISTRY)
    assert found.raw == raw


@pytest.mark.parametrize(
    ("level", "read_only"), [("ReadOnly", True), ("CanNotDelete", False), ("NotSpecified", False), ("new", True)]
)
def test_a_lock_is_known_by_its_id_and_forbids_changes_unless_it_says_less(level: str, read_only: bool) -> None:
    told = f"{GROUP}/providers/Microsoft.Authorization/locks/keep"
    assert parse.lock({"id": told, "properties": {"level": level}}, GROUP) == Lock(told, GROUP, read_only)


@pytest.mark.parametrize(
    "said",
    [{"systemData": {"createdAt": "2026-01-02T03:04:05Z"}}, {"properties": {"creationTime": "2026-01-02T03:04:05Z"}}],
)
def test_when_a_workspace_was_made(said: dict[str, Any]) -> None:
    found = parse.workspace({"id": str(WORKSPACE), **said}, {}, {})
    assert found.created_on == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "said",
    [{"systemData": {"createdAt": "2026-01-02T03:04:05Z"}}, {"properties": {"createdOn": "2026-01-02T03:04:05Z"}}],
)
def test_when_a_compute_was_made(said: dict[str, Any]) -> None:
    raw = {"id": f"{WORKSPACE}/computes/cpu1", **said}
    (found,) = parse.workspace({"id": str(WORKSPACE)}, {List.COMPUTES: [raw]}, {}).computes
    assert found.created_on == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@given(st.text())
def test_a_value_in_a_query_ends_neither_itself_nor_the_path(text: str) -> None:
    assert not set(query(text)) & set("/?#&=+ ")


@pytest.mark.parametrize("image", ["ü", "YQ=", "!"])
def test_a_file_of_several_containers_that_nobody_can_read_is_unclear(image: str) -> None:
    site = next(one for one in SERVICES if one.words == "App Service or Functions app")
    registry = parse.registry({"id": str(REGISTRY), "properties": {}})
    raw = {"properties": {"linuxFxVersion": f"COMPOSE|{image}"}}
    assert list(site.reading(raw, registry)) == [SignIn.UNCLEAR]


def test_slots_are_asked_for_as_azure_writes_its_filters() -> None:
    """https://learn.microsoft.com/rest/api/resources/resources/list"""
    assert unquote(SLOTS) == "resources?$filter=resourceType eq 'Microsoft.Web/sites/slots'"


def test_a_connection_leads_to_what_its_metadata_and_its_target_name() -> None:
    said = {"metadata": {"ResourceId": str(REGISTRY)}, "target": f"{STORAGE}/blobServices/default/containers/offline"}
    to_registry, to_container = named({"properties": said})
    assert to_registry == REGISTRY
    assert STORAGE.contains(to_container)
    assert named({"properties": {"target": "https://acrml.azurecr.io"}}) == ()
