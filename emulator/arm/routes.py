"""Puts Azure Resource Manager together."""

from collections.abc import Mapping

from emulator.arm.actions import Actions
from emulator.arm.aml import AzureMachineLearning
from emulator.arm.announcer import Announcer, Publish
from emulator.arm.api import Arm, Handler
from emulator.arm.authorization import DenyAssignments, LockRoutes, RoleDefinitions
from emulator.arm.authorizer import Authorizer
from emulator.arm.changes import Changes
from emulator.arm.identity_blocks import IdentityBlocks
from emulator.arm.locks import Locks
from emulator.arm.management_groups import ManagementGroups
from emulator.arm.manners import Manners
from emulator.arm.policies import PolicyAssignments
from emulator.arm.providers import Providers
from emulator.arm.provisioning import Provisioning
from emulator.arm.registry_services import behaviours as registry_services
from emulator.arm.resources import Resources
from emulator.arm.role_assignments import RoleAssignments
from emulator.arm.scopes import Scopes
from emulator.arm.services import behaviours
from emulator.arm.store import ResourceStore
from emulator.clock import Clock
from emulator.history import History
from emulator.identity.rbac import Rbac
from emulator.seeded_values import SeededValues
from emulator.tenant import Tenant


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
    announcer = Announcer(clock, made_up, tenant.tenant_id, publish)
    role_assignments = RoleAssignments(tenant, rbac, clock, made_up, history)
    identities = IdentityBlocks(tenant, made_up, authorizer)
    store = ResourceStore(tenant, clock, providers, identities, behaviours(tenant, clock, made_up))
    store.add_behaviours(registry_services(tenant))
    store.add_behaviours(AzureMachineLearning(tenant, clock, made_up, store, role_assignments, announcer).behaviours())
    manners = Manners.load()
    scopes = Scopes(tenant, rbac, authorizer, store, manners)
    actions = Actions(tenant, clock, made_up)
    resources = Resources(tenant, made_up, store, providers, provisioning, authorizer, actions, manners)
    groups = ManagementGroups(tenant, authorizer)
    return Arm(
        routes=_routes(tenant, rbac, scopes, groups, resources, role_assignments),
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
        "microsoft.authorization/roledefinitions": {"GET": RoleDefinitions(tenant).get},
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
            "DELETE": scopes.delete_group,
        },
        "microsoft.resources/subscriptions/resources": {"GET": scopes.resources},
        "microsoft.resources/subscriptions/resourcegroups/resources": {"GET": scopes.resources},
        "microsoft.management/managementgroups": {"GET": management_groups.get},
        "microsoft.management/managementgroups/descendants": {"GET": management_groups.descendants},
    }
