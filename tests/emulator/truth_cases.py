"""The truth table: who holds what, and what must follow from it. One case a function, each in a resource group of its
own, so that all of them fit into one tenant."""

from dataclasses import replace

from tenants import (
    ACR_PULL,
    ACR_PUSH,
    BLOB_CONTRIBUTOR,
    BLOB_READER,
    CONDITION,
    CONTRIBUTOR,
    OWNER,
    READER,
    REPOSITORY_READER,
    REPOSITORY_WRITER,
    Tenant,
    oid,
    user_assigned,
)
from truth_denies import add_denies
from truth_needs import CASES, ELSEWHERE, LANDING, PLATFORM, SUBSCRIPTIONS, Need, blobs, case, own_group, pull

_PULL = "Microsoft.ContainerRegistry/registries/pull/read"


def built() -> tuple[Tenant, dict[str, Need]]:
    """The tenant with all cases in it, and each case's need by its name."""
    tenant = Tenant()
    tenant.management_group("platform")
    tenant.management_group("landing", *SUBSCRIPTIONS, parent="platform")
    tenant.management_group("elsewhere")
    return tenant, {one.name: one.build(tenant, one.name) for one in CASES}


@case("held")
def directly(tenant: Tenant, name: str) -> Need:
    need = pull(tenant, name)
    tenant.assign(need.scope, need.principal, ACR_PULL)
    return need


@case("held")
def at_the_resource_group(tenant: Tenant, name: str) -> Need:
    need = pull(tenant, name)
    tenant.assign(need.group, need.principal, ACR_PULL)
    return need


@case("held")
def at_the_subscription(tenant: Tenant, name: str) -> Need:
    need = pull(tenant, name)
    tenant.assign(need.subscription, need.principal, ACR_PULL)
    return need


@case("held")
def by_the_management_group(tenant: Tenant, name: str) -> Need:
    need = pull(tenant, name)
    tenant.assign(LANDING, need.principal, ACR_PULL)
    return need


@case("held")
def by_a_management_group_further_up(tenant: Tenant, name: str) -> Need:
    need = pull(tenant, name)
    tenant.assign(PLATFORM, need.principal, READER)
    return need


@case("held")
def at_the_root(tenant: Tenant, name: str) -> Need:
    need = pull(tenant, name)
    tenant.assign("/", need.principal, READER)
    return need


@case("held")
def through_a_group(tenant: Tenant, name: str) -> Need:
    need = pull(tenant, name)
    tenant.assign(need.scope, tenant.group(f"{name} pullers", need.principal), ACR_PULL, kind="Group")
    return need


@case("held")
def through_a_nested_group(tenant: Tenant, name: str) -> Need:
    need = pull(tenant, name)
    inner = tenant.group(f"{name} inner", need.principal)
    middle = tenant.group(f"{name} middle", inner)
    tenant.assign(need.group, tenant.group(f"{name} outer", middle), ACR_PULL, kind="Group")
    return need


@case("held")
def reader_pulls(tenant: Tenant, name: str) -> Need:
    need = pull(tenant, name)
    tenant.assign(need.scope, need.principal, READER)
    return need


@case("held")
def contributor_of_the_group_pulls(tenant: Tenant, name: str) -> Need:
    need = pull(tenant, name)
    tenant.assign(need.group, need.principal, CONTRIBUTOR)
    return need


@case("held")
def pusher_pulls(tenant: Tenant, name: str) -> Need:
    need = pull(tenant, name)
    tenant.assign(need.scope, need.principal, ACR_PUSH)
    return need


@case("held")
def repository_writer_pulls_where_abac(tenant: Tenant, name: str) -> Need:
    need = pull(tenant, name, abac=True)
    tenant.assign(need.group, need.principal, REPOSITORY_WRITER)
    return need


@case("held")
def blob_contributor_reads(tenant: Tenant, name: str) -> Need:
    need = blobs(tenant, name)
    tenant.assign(need.group, need.principal, BLOB_CONTRIBUTOR)
    return need


@case("held")
def by_a_custom_role(tenant: Tenant, name: str) -> Need:
    need = pull(tenant, name)
    role = tenant.custom_role("Registry watcher", need.subscription, actions=["microsoft.containerregistry/*/Read"])
    tenant.assign(need.scope, need.principal, role)
    return need


@case("held")
def by_another_role_than_the_one_with_not_actions(tenant: Tenant, name: str) -> Need:
    """notActions is no deny: it takes away from its own role only."""
    need = pull(tenant, name)
    role = tenant.custom_role("Reader but for images", need.subscription, actions=["*/read"], notActions=[_PULL])
    tenant.assign(need.group, need.principal, role)
    tenant.assign(need.scope, need.principal, ACR_PULL)
    return need


@case("granted")
def nothing_held(tenant: Tenant, name: str) -> Need:
    return pull(tenant, name)


@case("granted")
def owner_does_not_pull_where_abac(tenant: Tenant, name: str) -> Need:
    need = pull(tenant, name, abac=True)
    tenant.assign(need.scope, need.principal, OWNER)
    return need


@case("granted")
def acr_pull_does_nothing_where_abac(tenant: Tenant, name: str) -> Need:
    need = pull(tenant, name, abac=True)
    tenant.assign(need.scope, need.principal, ACR_PULL)
    return need


@case("granted")
def owner_does_not_readblobs(tenant: Tenant, name: str) -> Need:
    need = blobs(tenant, name)
    tenant.assign(need.group, need.principal, OWNER)
    return need


@case("granted")
def only_below_the_scope(tenant: Tenant, name: str) -> Need:
    need = blobs(tenant, name)
    tenant.assign(f"{need.scope}/blobServices/default/containers/one", need.principal, BLOB_READER)
    return need


@case("granted")
def on_rg_and_not_on_rg_prod(tenant: Tenant, name: str) -> Need:
    """The name of the one group begins with that of the other."""
    need = pull(tenant, name, group=f"{own_group(name)}-prod")
    tenant.assign(own_group(name), need.principal, CONTRIBUTOR)
    tenant.storage(own_group(name), "stonrgandnotonrgprod")
    return need


@case("granted")
def on_another_registry(tenant: Tenant, name: str) -> Need:
    need = pull(tenant, name)
    tenant.assign(tenant.registry(need.group, "acranother")["id"], need.principal, ACR_PULL)
    return need


@case("granted")
def by_a_management_group_that_is_not_above(tenant: Tenant, name: str) -> Need:
    need = pull(tenant, name)
    tenant.assign(ELSEWHERE, need.principal, ACR_PULL)
    return need


@case("granted")
def by_another_identity_of_the_cluster(tenant: Tenant, name: str) -> Need:
    """A cluster pulls with its first user-assigned identity, whatever its second one may do."""
    group = own_group(name)
    registry = tenant.registry(group, "acrtwoidentities")
    first, second = tenant.uai(group, "first"), tenant.uai(group, "second")
    workspace = tenant.workspace(group, containerRegistry=registry["id"])
    tenant.compute(workspace, "cluster", identity=user_assigned(first, second))
    tenant.assign(registry["id"], second["properties"]["principalId"], ACR_PULL)
    return Need(workspace["id"], first["properties"]["principalId"], registry["id"], ACR_PULL)


@case("granted")
def by_the_workspace_and_not_by_the_cluster(tenant: Tenant, name: str) -> Need:
    need = pull(tenant, name)
    tenant.assign(need.scope, oid(need.workspace), ACR_PULL)
    return need


@case("granted")
def by_a_group_that_others_are_in(tenant: Tenant, name: str) -> Need:
    need = pull(tenant, name)
    tenant.assign(need.scope, tenant.group(f"{name} pullers", oid("someone else")), ACR_PULL, kind="Group")
    return need


@case("granted")
def minus_not_actions(tenant: Tenant, name: str) -> Need:
    need = pull(tenant, name)
    role = tenant.custom_role("Reader without images", need.subscription, actions=["*/read"], notActions=[_PULL])
    tenant.assign(need.group, need.principal, role)
    return need


@case("granted")
def minus_not_data_actions(tenant: Tenant, name: str) -> Need:
    need = blobs(tenant, name)
    namespace = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
    role = tenant.custom_role(
        "Blobs but for reading", need.subscription, dataActions=[f"{namespace}/*"], notDataActions=[f"{namespace}/read"]
    )
    tenant.assign(need.scope, need.principal, role)
    return need


@case("granted")
def with_a_condition_at_an_ancestor(tenant: Tenant, name: str) -> Need:
    need = pull(tenant, name, abac=True)
    tenant.assign(need.group, need.principal, REPOSITORY_READER, condition=CONDITION)
    return need


@case("withheld")
def with_a_condition_at_the_very_scope(tenant: Tenant, name: str) -> Need:
    """Azure takes no second assignment of the same role there."""
    need = pull(tenant, name, abac=True)
    tenant.assign(need.scope, need.principal, REPOSITORY_READER, condition=CONDITION)
    return replace(need, guard="conditional-assignment")


@case("withheld")
def under_a_deny_assignment(tenant: Tenant, name: str) -> Need:
    need = pull(tenant, name)
    tenant.deny(need.group, need.principal, actions=["Microsoft.ContainerRegistry/registries/*"])
    return replace(need, guard="deny-assignment")


@case("withheld")
def held_under_a_deny_assignment_for_everyone(tenant: Tenant, name: str) -> Need:
    need = blobs(tenant, name)
    tenant.assign(need.scope, need.principal, BLOB_READER)
    everyone = "00000000-0000-0000-0000-000000000000"
    tenant.deny(need.scope, everyone, dataActions=["Microsoft.Storage/*/read"])
    return replace(need, guard="deny-assignment")


@case("withheld")
def under_a_deny_assignment_for_its_group(tenant: Tenant, name: str) -> Need:
    need = pull(tenant, name)
    tenant.deny(need.scope, tenant.group(f"{name} denied", need.principal), actions=["*"])
    return replace(need, guard="deny-assignment")


add_denies()
