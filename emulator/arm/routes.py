"""Puts Azure Resource Manager together."""

from collections.abc import Mapping
from typing import Any

from emulator.arm.actions import Actions
from emulator.arm.activity_log import ActivityLog
from emulator.arm.aml import AzureMachineLearning
from emulator.arm.announcer import Announcer, Publish
from emulator.arm.api import Arm, Handler
from emulator.arm.authorization import DenyAssignments, LockRoutes
from emulator.arm.authorizer import Authorizer
from emulator.arm.call import Answer, Call
from emulator.arm.changes import Changes
from emulator.arm.clusters import Cluster
from emulator.arm.deleted_vaults import DeletedVaults
from emulator.arm.deployments import Deployments
from emulator.arm.identity_blocks import IdentityBlocks
from emulator.arm.locks import Locks
from emulator.arm.management_groups import ManagementGroups
from emulator.arm.manners import Manners
from emulator.arm.network import Subnet
from emulator.arm.offers import Offers
from emulator.arm.own_identity import IdentityOf
from emulator.arm.policies import PolicyAssignments
from emulator.arm.private_endpoints import PrivateEndpoint
from emulator.arm.private_links import PrivateLinks
from emulator.arm.providers import Providers
from emulator.arm.provisioning import Provisioning
from emulator.arm.registry_services import behaviours as registry_services
from emulator.arm.resources import Resources
from emulator.arm.role_assignments import RoleAssignments
from emulator.arm.role_definitions import Permissions, RoleDefinitions
from emulator.arm.scopes import Scopes
from emulator.arm.services import UserAssignedIdentity, behaviours
from emulator.arm.storage_services import behaviours as storage_services
from emulator.arm.store import ResourceStore
from emulator.arm.tags import Tags
from emulator.arm.usages import Usages
from emulator.clock import Clock
from emulator.history import History
from emulator.identity.rbac import Rbac
from emulator.seeded_values import SeededValues
from emulator.tenant import Tenant


# long: one line for each part of Azure Resource Manager
def build(
    tenant: Tenant,
    rbac: Rbac,
    clock: Clock,
    made_up: SeededValues,
    publish: Publish,
    *,
    operation_seconds: float,
    history: History | None = None,
) -> Arm:
    """`publish` gets every subscription event. `operation_seconds` is how long a slow creation takes."""
    authorizer = Authorizer(rbac, tenant)
    providers = Providers.load(tenant)
    provisioning = Provisioning(clock, made_up, operation_seconds)
    activity_log, deleted_vaults = ActivityLog(), DeletedVaults(clock)
    announcer = Announcer(clock, made_up, tenant.tenant_id, publish, activity_log.add)
    role_assignments = RoleAssignments(tenant, rbac, clock, made_up, history)
    identities = IdentityBlocks(tenant, made_up, authorizer)
    store = ResourceStore(tenant, clock, providers, identities, behaviours(tenant, made_up, deleted_vaults))
    store.add_behaviours(registry_services(tenant))
    store.add_behaviours(storage_services(tenant))
    store.add_behaviours(
        {
            "microsoft.containerservice/managedclusters": Cluster(tenant, UserAssignedIdentity(tenant, made_up)),
            "microsoft.network/privateendpoints": PrivateEndpoint(tenant),
            "microsoft.network/virtualnetworks/subnets": Subnet(tenant),
        }
    )
    store.add_behaviours(AzureMachineLearning(tenant, clock, made_up, store, role_assignments, announcer).behaviours())
    manners = Manners.load()
    scopes = Scopes(tenant, rbac, authorizer, store, manners)
    actions = Actions(tenant, clock, made_up)
    resources = Resources(tenant, made_up, store, providers, provisioning, authorizer, actions, manners)
    groups = ManagementGroups(tenant, authorizer, manners)

    def carry_out(call: Call) -> Answer:
        return arm.carry_out(call)

    deployments = Deployments(tenant, clock, authorizer, manners, carry_out)
    arm = Arm(
        routes={
            **_routes(tenant, rbac, scopes, groups, resources, role_assignments),
            **_asked_besides(Offers(tenant, providers), Tags(tenant, store, scopes)),
            **_deleted_vaults(deleted_vaults),
            **_told_of(PrivateLinks(store), Usages(tenant, store), IdentityOf(tenant, made_up, store)),
            "microsoft.resources/deployments": _methods(deployments),
            "microsoft.resources/deployments/operations": {"GET": deployments.operations},
            "microsoft.resources/deployments/validate": {"POST": deployments.validate},
            "microsoft.authorization/permissions": {"GET": Permissions(tenant, rbac).get},
            "microsoft.authorization/roledefinitions": _methods(RoleDefinitions(tenant, clock)),
            "microsoft.insights/eventtypes/values": {"GET": activity_log.get},
        },
        providers=providers,
        scopes=scopes,
        authorizer=authorizer,
        locks=Locks(tenant),
        resources=resources,
        role_assignments=role_assignments,
        actions=actions,
        provisioning=provisioning,
        announcer=announcer,
        changes=Changes(tenant, made_up, store),
    )
    return arm


def _routes(
    tenant: Tenant,
    rbac: Rbac,
    scopes: Scopes,
    management_groups: ManagementGroups,
    resources: Resources,
    assignments: RoleAssignments,
) -> Mapping[str, Mapping[str, Handler]]:
    locks = LockRoutes(tenant)
    return {
        "": {"GET": resources.get, "PUT": resources.put, "PATCH": resources.patch, "DELETE": resources.delete},
        "microsoft.authorization/roleassignments": {
            "GET": assignments.get,
            "PUT": assignments.put,
            "DELETE": assignments.delete,
        },
        "microsoft.authorization/denyassignments": {"GET": DenyAssignments(tenant, rbac).get},
        "microsoft.authorization/locks": {"GET": locks.get, "PUT": locks.put, "DELETE": locks.delete},
        "microsoft.authorization/policyassignments": {
            "GET": PolicyAssignments(tenant, resources).get,
            "PUT": resources.put,
            "PATCH": resources.patch,
            "DELETE": resources.delete,
        },
        "microsoft.resources/subscriptions": {"GET": scopes.subscriptions},
        "microsoft.resources/subscriptions/resourcegroups": {
            "GET": scopes.groups,
            "PUT": scopes.put_group,
            "PATCH": scopes.patch_group,
            "DELETE": scopes.delete_group,
        },
        "microsoft.resources/subscriptions/resources": {"GET": scopes.resources},
        "microsoft.resources/subscriptions/resourcegroups/resources": {"GET": scopes.resources},
        "microsoft.management/managementgroups": _methods(management_groups),
        "microsoft.management/managementgroups/descendants": {"GET": management_groups.descendants},
    }


def _methods(routes: Any) -> dict[str, Handler]:
    """What an object answers, by method."""
    return {name.upper(): getattr(routes, name) for name in ("get", "put", "patch", "delete") if hasattr(routes, name)}


def _asked_besides(offers: Offers, tags: Tags) -> Mapping[str, Mapping[str, Handler]]:
    """What clients ask before they do anything."""
    free = {"POST": offers.name_availability}
    return {
        "microsoft.resources/providers": {"GET": offers.providers},
        "microsoft.resources/subscriptions/providers": {"GET": offers.providers},
        "microsoft.resources/subscriptions/locations": {"GET": offers.locations},
        "microsoft.machinelearningservices/locations/vmsizes": {"GET": offers.sizes},
        "microsoft.resources/tenants": {"GET": offers.tenants},
        "microsoft.resources/tags": _methods(tags),
        "register": {"POST": offers.register},
        "microsoft.storage/checknameavailability": free,
        "microsoft.containerregistry/checknameavailability": free,
        "microsoft.keyvault/checknameavailability": free,
    }


def _told_of(links: PrivateLinks, usages: Usages, identity: IdentityOf) -> Mapping[str, Mapping[str, Handler]]:
    """What Azure knows of a resource, and nobody writes."""
    return {
        **{kind: {"GET": links.get} for kind in links.types()},
        **{kind: {"GET": usages.of_a_region} for kind in usages.types()},
        "microsoft.containerregistry/registries/listusages": {"GET": usages.of_a_registry},
        "microsoft.containerinstance/containergroups/containers/logs": {"GET": usages.container_logs},
        "microsoft.managedidentity/identities": {"GET": identity.get},
    }


def _deleted_vaults(deleted: DeletedVaults) -> Mapping[str, Mapping[str, Handler]]:
    return {
        "microsoft.keyvault/deletedvaults": {"GET": deleted.get},
        "microsoft.keyvault/locations/deletedvaults": {"GET": deleted.get},
        "microsoft.keyvault/locations/deletedvaults/purge": {"POST": deleted.purge},
    }
