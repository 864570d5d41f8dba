"""What is built has Azure's shape, and the local Azure takes it."""

import pytest

from emulator import tenant_builder as build
from emulator.tenant import Tenant
from emulator.tenant_builder import Json

TENANT_ID = "0c2f6d5e-0000-4000-8000-00000000000a"
GROUP = build.group("11111111-1111-4111-8111-111111111111", "team")
WORKSPACE = build.below(GROUP, build.WORKSPACES, "churn")
ACCOUNT = build.below(GROUP, build.STORAGE_ACCOUNTS, "stchurn")
SYSTEM = build.system_assigned("22222222-2222-4222-8222-222222222222", TENANT_ID)
IDENTITY = build.user_assigned_identity(
    build.below(GROUP, build.USER_ASSIGNED_IDENTITIES, "puller"),
    "33333333-3333-4333-8333-333333333333",
    "44",
    TENANT_ID,
)


# By Microsoft's published types: https://learn.microsoft.com/azure/templates/
@pytest.mark.parametrize(
    ("made", "has", "has_not"),
    [
        (build.workspace(WORKSPACE, SYSTEM), {"location", "kind", "sku", "identity"}, set()),
        (build.compute(WORKSPACE, "cpu"), {"location"}, {"identity", "sku"}),
        (build.datastore(WORKSPACE, "data"), set(), {"location", "provisioningState"}),
        (build.connection(WORKSPACE, "images", "ContainerRegistry", "a.azurecr.io"), set(), {"location"}),
        (build.registry(build.below(GROUP, build.REGISTRIES, "acrchurn")), {"location", "sku"}, {"kind"}),
        (build.storage(ACCOUNT), {"location", "sku", "kind"}, set()),
        (build.component(build.below(GROUP, build.COMPONENTS, "churn")), {"location", "kind"}, {"sku"}),
        (build.lock(WORKSPACE), set(), {"location", "provisioningState"}),
        (IDENTITY, {"location"}, {"provisioningState"}),
    ],
    ids=lambda one: one["type"] if isinstance(one, dict) else "",
)
def test_each_type_has_what_azure_gives_it_and_no_more(made: Json, has: set[str], has_not: set[str]) -> None:
    assert has <= made.keys()
    assert not has_not & {*made, *made["properties"]}


def test_what_a_compute_is_made_of_is_told_from_the_compute_itself() -> None:
    attached = build.compute(WORKSPACE, "k8s", "Kubernetes", resourceId=GROUP, namespace="ml")
    assert attached["properties"]["resourceId"] == GROUP
    assert attached["properties"]["properties"] == {"namespace": "ml"}
    assert build.compute(WORKSPACE, "cpu", vmSize="X")["properties"]["properties"] == {"vmSize": "X"}


@pytest.mark.parametrize(
    ("identity", "account", "scopes"),
    [
        (SYSTEM, ACCOUNT, [GROUP, ACCOUNT]),
        (SYSTEM, None, [GROUP]),
        (SYSTEM, "no id", [GROUP]),
        (build.user_assigned(IDENTITY), ACCOUNT, []),
        (None, ACCOUNT, []),
    ],
)
def test_aml_grants_to_a_system_assigned_identity_and_to_no_other(
    identity: Json | None, account: str | None, scopes: list[str]
) -> None:
    granted = build.granted_by_aml(build.workspace(WORKSPACE, identity, storageAccount=account))
    assert [one["properties"]["scope"] for one in granted] == scopes


def test_the_local_azure_knows_what_the_file_holds() -> None:
    made = build.workspace(WORKSPACE, SYSTEM, storageAccount=ACCOUNT)
    held = build.granted_by_aml(made)
    role = build.role_definition("Scorer", GROUP, {"actions": ["*/read"]})
    tenant = Tenant(
        build.tenant_file(
            TENANT_ID,
            [made, build.storage(ACCOUNT)],
            roleAssignments=held,
            roleDefinitions=[role],
            locks=[build.lock(GROUP)],
        )
    )
    assert tenant.tenant_id == TENANT_ID
    assert {WORKSPACE.lower(), ACCOUNT.lower()} <= {*tenant.resources}
    assert {one["id"].lower() for one in held} == {*tenant.role_assignments}
    assert role["name"] in tenant.role_definitions
    assert len([*tenant.locks]) == 1
