"""Random tenants of two teams and an attacker, who may write anything in a resource group of their own.

An attack is a list of raw ARM objects that one write leaves behind. Everything is drawn from one seeded generator: to
see a tenant again, its seed is enough.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

import raw
from fakes import FakeAzure
from raw import Raw
from unit.build import (
    FOREIGN,
    GROUP,
    LONG_AGO,
    OTHER_SUBSCRIPTION,
    ROLES,
    SUBSCRIPTION,
    assigned,
    guid,
    resource,
    sai,
    terms,
    uai,
)

from shared.access import own_assignments
from shared.access.model import Principal
from shared.access.permissions import RoleAssignment
from shared.access.preferences import People
from shared.access.scope import Scope
from shared.access.terms import Boundary, Caps, Terms

ATTACKER, ADMINISTRATOR, SCIENTISTS = guid("attacker"), guid("administrator"), guid("scientists")
ELSEWHERE = guid("another tenant")
ABROAD = OTHER_SUBSCRIPTION.child("resourceGroups", "rg")
# Whose names come close to a victim's, or only look like them.
LAIRS = ("evil", "rg-prod", "rg.x", "r", "rg_", "ｒg", "rɡ", "RG1", "other-teams")
BROAD = ("AML-10", "AML-37", "AML-44", "AML-75", "AML-80", "AML-82", "endpoint-writes-metrics")
KINDS = {
    "registry": "Microsoft.ContainerRegistry/registries",
    "storage": "Microsoft.Storage/storageAccounts",
    "vault": "Microsoft.KeyVault/vaults",
    "insights": "Microsoft.Insights/components",
    "cluster": "Microsoft.ContainerService/managedClusters",
}
PROPERTIES = {
    "registry": "containerRegistry",
    "storage": "storageAccount",
    "vault": "keyVault",
    "insights": "applicationInsights",
}


@dataclass
class Tenant:
    """`azure` is the whole of it; `victims` are the two teams' resource groups, `lair` is the attacker's."""

    seed: int
    random: Random
    azure: FakeAzure
    terms: Terms
    victims: tuple[Scope, ...]
    lair: Scope
    forged: list[Principal] = field(default_factory=list)

    def resources(self, kind: str) -> list[Scope]:
        return [resource(KINDS[kind], f"{kind}1", group) for group in (*self.victims, self.lair)]

    def identities(self) -> list[Principal]:
        return [uai(name, group) for group in (*self.victims, self.lair) for name in ("one", "two")]


def tenant(seed: int) -> Tenant:
    random = Random(seed)
    other = random.choice((FOREIGN, FOREIGN, ABROAD))
    home = random.choice((SUBSCRIPTION, SUBSCRIPTION, SUBSCRIPTION, OTHER_SUBSCRIPTION))
    lair = home.child("resourceGroups", random.choice(LAIRS))
    made = Tenant(seed, random, FakeAzure(), _policy(random, other), (GROUP, other), lair)
    azure = made.azure
    for group in (*made.victims, lair):
        azure.have(*_dependencies(group, random))
    for group in made.victims[: random.choice((1, 1, 1, 2))]:
        azure.have(*_team(group, random))
    if random.random() < 0.3:
        azure.tenants[OTHER_SUBSCRIPTION] = ELSEWHERE
    azure.groups = {SCIENTISTS: {guid("scientist")}}
    azure.assignments = [
        assigned("administrator", "Owner", SUBSCRIPTION),
        assigned("attacker", "Owner", lair),
        *(assigned(made.identities()[0], "Reader", group) for group in made.victims[:1] if random.random() < 0.3),
    ]
    return made


def _policy(random: Random, other: Scope) -> Terms:
    shared = (
        (),
        (),
        (other,),
        (GROUP.child("providers", *KINDS["registry"].split("/"), "registry1"),),
        (resource(KINDS["storage"], "storage1", other), uai("one").resource or other),
    )
    people = People(
        (SCIENTISTS,), "f6c7c914-8db3-469d-8ca1-694a8f32e121", "AzureML Data Scientist", (), (("team", "a"),)
    )
    return terms(
        on=BROAD if random.random() < 0.7 else (),
        boundary=random.choice((Boundary.RESOURCE_GROUP, Boundary.RESOURCE_GROUP, Boundary.SUBSCRIPTION)),
        allow=random.choice(shared),
        settle=random.choice((timedelta(), timedelta(minutes=5))),
        caps=Caps(1000, 100_000, 100_000),
        caller_must_hold=random.random() < 0.25,
        people=(people,),
    )


def _dependencies(group: Scope, random: Random) -> list[Raw]:
    of = {kind: resource(name, f"{kind}1", group) for kind, name in KINDS.items()}
    mode = {"roleAssignmentMode": random.choice((None, None, "AbacRepositoryPermissions"))}
    closed: Raw = {"networkAcls": {"defaultAction": "Deny"}} if random.random() < 0.3 else {}
    return [
        raw.registry(of["registry"], admin_user=random.random() < 0.3, **mode),
        raw.resource(of["storage"], {"provisioningState": "Succeeded", **closed}),
        raw.vault(of["vault"], rbac=random.random() < 0.5),
        raw.resource(of["insights"], {}),
        raw.cluster(of["cluster"], f"kubelet {group.key}"),
        *(raw.user_identity(uai(name, group)) for name in ("one", "two")),
    ]


def _team(group: Scope, random: Random) -> list[Raw]:
    """A workspace that needs grants of its own."""
    scope = resource("Microsoft.MachineLearningServices/workspaces", "mlw", group)
    named = {PROPERTIES[kind]: str(resource(KINDS[kind], f"{kind}1", group)) for kind in PROPERTIES}
    me = uai("one", group)
    by_uai: Raw = {"primaryUserAssignedIdentity": str(me.resource)}
    mine = random.random() < 0.5
    return [
        raw.resource(
            scope, {**named, **(by_uai if mine else {})}, identity=raw.identity([me if mine else sai(str(scope))])
        ),
        raw.compute("cpu", sai(f"{scope}/cpu"), on=scope),
        raw.endpoint("serve", uai("two", group), on=scope),
    ]


def attack(one: Tenant) -> list[Raw]:
    """What the attacker's next write leaves behind; all of it lies in their own resource group."""
    return one.random.choice((_workspace, _workspace, _workspace, _child, _child, _child, _custom))(one)


def _name(one: Tenant, kind: str) -> str:
    """Mostly somebody's resource of the kind that is meant, in any spelling; else something odd."""
    pick = one.random.random()
    scope = one.random.choice(one.resources(kind))
    if pick < 0.6:
        return _spelled(str(scope), one.random)
    if pick < 0.75:
        return str(one.random.choice(one.resources(one.random.choice(list(KINDS)))))
    if pick < 0.9:
        lies = (one.lair, one.victims[0], SUBSCRIPTION, OTHER_SUBSCRIPTION, scope.parent, scope.child("scopeMaps", "x"))
        return str(one.random.choice(lies))
    return one.random.choice(_ODD)(str(scope), str(one.lair))


_ODD: tuple[Callable[[str, str], str], ...] = (
    lambda victim, lair: f"{lair}/../{victim.split('/')[4]}/{'/'.join(victim.split('/')[5:])}",
    lambda victim, lair: f"{lair}/%2e%2e/{victim}",
    lambda victim, lair: f"{lair}{victim}",
    lambda victim, lair: f"{lair}/providers/Microsoft.CustomProviders/resourceProviders/x{victim}",
    lambda victim, lair: f"{lair}/providers/{victim.partition('/providers/')[2]}",
    lambda victim, _: victim.replace("/resourceGroups/", "//resourceGroups/"),
    lambda victim, _: f"{victim}\x00",
    lambda victim, _: f"{victim}\u200b",
    lambda victim, _: f"{victim}\ud800",
    lambda victim, _: victim.replace("/", "\uff0f"),
    lambda victim, _: f"{victim}?api-version=1",
    lambda victim, _: f"{victim}' or '1' == '1",
    lambda victim, _: victim + "a" * 3000,
    lambda _, __: "/",
    lambda _, __: "/providers/Microsoft.Management/managementGroups/research",
    lambda _, __: "registry1.azurecr.io",
)


def _spelled(text: str, random: Random) -> str:
    """As ARM itself may write it: any case, perhaps a slash at the end."""
    how: tuple[Callable[[str], str], ...] = (str, str, str.upper, str.lower, str.swapcase, lambda t: f"{t}/")
    return random.choice(how)(text) if text.isascii() else text


def _holders(one: Tenant, name: str) -> list[Principal]:
    """Own, foreign or several identities; a system-assigned one is always the resource's own."""
    drawn = one.random.choices((*one.identities(), sai(name)), k=one.random.choice((1, 1, 2)))
    return list({holder.id: holder for holder in drawn}.values())


def _lair_workspace(one: Tenant) -> Scope:
    return resource(
        "Microsoft.MachineLearningServices/workspaces", one.random.choice(("mlw", "mlw", "mlw", "mlw2")), one.lair
    )


def _workspace(one: Tenant) -> list[Raw]:
    random, scope = one.random, _lair_workspace(one)
    if random.random() < 0.05:
        one.azure.lose(scope)  # and back again, as something else
    body: Raw = {key: _name(one, kind) for kind, key in PROPERTIES.items() if random.random() < 0.8}
    holders = _holders(one, str(scope))
    attached = [holder for holder in holders if holder.resource]
    if attached and random.random() < 0.7:
        body["primaryUserAssignedIdentity"] = str(random.choice((*attached, random.choice(one.identities()))).resource)
    extras: tuple[Raw, ...] = (
        {"hubResourceId": str(resource("Microsoft.MachineLearningServices/workspaces", "mlw", one.victims[0]))},
        {"systemDatastoresAuthMode": "identity"},
        {"serverlessComputeSettings": {"x": 1}},
        {"managedNetwork": {"isolationMode": "AllowInternetOutbound"}},
        {"featureStoreSettings": {"offlineStoreConnectionName": "offline"}},
        {"encryption": {"status": "Enabled", "keyVaultProperties": {"keyVaultArmId": _name(one, "vault")}}},
    )
    for extra in random.sample(extras, k=random.randrange(4)):
        body |= extra
    tags = random.choice(({}, {"team": "a"}, {"TEAM": "a"}, {"amlguard": "on", "allow": "true"}))
    kind = random.choice(("Default", "Hub", "Project", "FeatureStore"))
    return [raw.resource(scope, body, tags=tags, kind=kind, identity=raw.identity(holders))]


def _child(one: Tenant) -> list[Raw]:
    random, on = one.random, _lair_workspace(one)
    if on not in one.azure.resources:
        return _workspace(one)
    match random.randrange(5):
        case 0:
            kind = random.choice(("AmlCompute", "ComputeInstance", "Kubernetes", "Databricks"))
            return [raw.compute(random.choice(("cpu", "gpu")), *_holders(one, f"{on}/cpu"), on=on, kind=kind)]
        case 1:
            attached = random.choice((_name(one, "cluster"), str(_forgery(one))))
            return [raw.compute("aks", on=on, kind="AKS", resourceId=attached)]
        case 2:
            return [raw.endpoint("serve", *_holders(one, f"{on}/serve"), on=on)]
        case 3:
            return [_datastore(one, on)]
        case _:
            return [_connection(one, on)]


def _datastore(one: Tenant, on: Scope) -> Raw:
    account = one.random.choice(one.resources("storage"))
    subscription, group = str(account).split("/")[2], str(account).split("/")[4]
    group = one.random.choice((group, group, f"{group}/providers/Microsoft.Storage/storageAccounts/x", "../rg"))
    where = {"accountName": account.name, "subscriptionId": subscription, "resourceGroup": group}
    credentials = {"credentialsType": "None"}
    body = {"datastoreType": "AzureBlob", "credentials": credentials, **where}
    return raw.resource(on.child("datastores", one.random.choice("pq")), body)


def _connection(one: Tenant, on: Scope) -> Raw:
    who = one.random.choice(one.identities())
    body: Raw = {
        "category": one.random.choice(("ContainerRegistry", "ACR", "AzureBlob")),
        "authType": "ManagedIdentity",
        "target": one.random.choice(
            ("registry1.azurecr.io", f"{_name(one, 'storage')}/blobServices/default/containers/c")
        ),
        "metadata": {"ResourceId": _name(one, "registry")},
        "credentials": {"resourceId": str(who.resource), "clientId": guid("client")},
    }
    return raw.resource(on.child("connections", "offline"), body)


def _forgery(one: Tenant) -> Scope:
    return one.lair.child("providers", "Microsoft.CustomProviders", "resourceProviders", "forged")


def _custom(one: Tenant) -> list[Raw]:
    """A resource whose body the attacker makes up, and a role assignment that carries amlguard's own marks."""
    someone = one.random.choice((guid("accomplice"), ATTACKER))
    fake = Principal(someone, "accomplice", _forgery(one))
    one.forged.append(fake)
    body = {
        "identityProfile": {"kubeletidentity": {"objectId": someone}},
        "principalId": someone,
        "adminUserEnabled": True,
    }
    registry = resource(KINDS["registry"], "registry1", one.lair)
    role = ROLES["AcrPull"].role_id
    made = _marked(registry, someone, role, one.random.choice((_lair_workspace(one), one.victims[0].child(*_WS))))
    if all(a.id != made.id for a in one.azure.assignments):
        one.azure.assignments.append(made)
    return [raw.resource(_forgery(one), body)]


_WS = ("providers", "Microsoft.MachineLearningServices", "workspaces", "mlw")


def _marked(scope: Scope, principal: str, role: str, on: Scope) -> RoleAssignment:
    said = own_assignments.description("compute-pull", ("AML-19",), guid("run"), on, None)
    name = own_assignments.assignment_name(scope, principal, role)
    name = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"
    return RoleAssignment(name, scope, principal, role, None, LONG_AGO, said)


def gullible(said: Terms) -> Terms:
    """The same policy, believed by an app whose guard of the boundary is broken."""
    return _Gullible(**{name: getattr(said, name) for name in said.__dataclass_fields__})


class _Gullible(Terms):
    def trusts(self, *_: Any) -> bool:
        return True

    def allows(self, *_: Any) -> bool:
        return True
