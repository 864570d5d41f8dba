"""An AML workspace and everything that its identities need access to, as values.

`shared.access.parse` makes them. A missing key stays `None`: rules decide what absence means, the model does not guess.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum
from functools import cached_property
from typing import Any, NamedTuple

from shared.access.ids import PRIMARY, Field, NoId
from shared.access.losses import Lost
from shared.access.permissions import Access, RoleDefinition
from shared.access.preferences import People, Preferences
from shared.access.raw import tags
from shared.access.scope import Scope
from shared.access.surroundings import Lock, Vault
from shared.access.unasked import if_asked

# What ARM sent, for what the model has no field for. Rules read it through `shared.access.parse`.
type Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Principal:
    """A managed identity or service principal, or a group that the policy names, that may hold roles.

    `resource` is what must be trusted before the principal gets a role: the user-assigned identity's own id, or the AKS
    cluster whose kubelet it is. It is None for a system-assigned identity. `label` is for people. `type` is Azure's
    word, empty if nobody gave it.
    """

    id: str
    label: str
    resource: Scope | None = None
    type: str = "ServicePrincipal"


@dataclass(frozen=True, slots=True)
class Identity:
    """A resource's `identity` block. Empty (neither kind) if the resource has none.

    `user` keeps ARM's order, because AML takes the first user-assigned identity as the default (AML-16). A
    user-assigned identity whose object id ARM left out is in `unresolved`. One that is gone is in `lost`. `order` is
    ARM's order of all of them. `unclear`: the block contains more than can be read.
    """

    system: Principal | None = None
    user: tuple[Principal, ...] = ()
    unresolved: tuple[Scope, ...] = ()
    unclear: bool = False
    lost: tuple[Lost, ...] = ()
    order: tuple[Scope, ...] = field(default=(), compare=False)

    @property
    def default(self) -> Principal | None:
        """The identity that mounts storage, pulls images and opens datastores (AML-16).

        None also if a user-assigned identity that might be the first one is unresolved, unclear or lost.
        """
        unknown = self.unresolved or self.unclear or any(one.first for one in self.lost)
        return self.system or (None if unknown else next(iter(self.user), None))

    @property
    def empty(self) -> bool:
        return self.system is None and not (self.user or self.unresolved or self.unclear or self.lost)


class ComputeType(StrEnum):
    AML_COMPUTE = "amlcompute"
    COMPUTE_INSTANCE = "computeinstance"
    KUBERNETES = "kubernetes"
    AKS = "aks"
    VIRTUAL_MACHINE = "virtualmachine"
    HD_INSIGHT = "hdinsight"
    DATABRICKS = "databricks"
    DATA_FACTORY = "datafactory"
    DATA_LAKE_ANALYTICS = "datalakeanalytics"
    SYNAPSE_SPARK = "synapsespark"
    CONTAINER_INSTANCE = "containerinstance"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Compute:
    """`ready` is false while ARM still says Creating, because the identity may come later."""

    id: Scope
    type: ComputeType
    type_name: str
    identity: Identity
    ready: bool = True
    attached: Scope | None = None
    created_on: datetime | None = None
    raw: Raw = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An online endpoint: managed, or on Kubernetes if `compute` is set."""

    id: Scope
    identity: Identity
    ready: bool = True
    compute: str | None = None
    raw: Raw = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Datastore:
    """`identity_based`: the datastore keeps no credential, so the caller's own identity reads (AML-32)."""

    id: Scope
    type: str
    account: str | None
    identity_based: bool
    raw: Raw = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Connection:
    """A workspace connection. `registry` is the container registry that it names by resource id, if any."""

    id: Scope
    category: str
    target: str | None
    registry: Scope | None = None
    raw: Raw = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class Workspace:
    """`identity.user` may hold several. `primary` names the one that AML uses, if set. `leaving`: it is being deleted.

    `no_ids` are properties of the workspace, and of what lies below it, that hold something else in place of an id.
    What they name is unknown, which is not the same as nothing.
    """

    id: Scope
    kind: str
    identity: Identity
    primary: Scope | None = None
    registry: Scope | None = None
    storage: Scope | None = None
    vault: Scope | None = None
    app_insights: Scope | None = None
    hub: Scope | None = None
    data_isolation: bool = False
    serverless: bool = False
    storage_by_identity: bool = False
    ready: bool = True
    leaving: bool = False
    created_on: datetime | None = None
    raw: Raw = field(default_factory=dict, compare=False, repr=False)
    computes: tuple[Compute, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    datastores: tuple[Datastore, ...] = ()
    connections: tuple[Connection, ...] = ()
    no_ids: tuple[NoId, ...] = ()

    @cached_property  # most rules ask for it
    def acting(self) -> Principal | None:
        """The identity that the workspace acts as: the primary UAI, the SAI, or its only UAI. None if unclear."""
        if self.unclear(PRIMARY):
            return None
        if self.primary:
            return next((uai for uai in self.identity.user if uai.resource == self.primary), None)
        if self.identity.system:
            return self.identity.system
        return self.identity.default if len(self.identity.user) == 1 and not self.identity.lost else None

    def unclear(self, field: Field) -> bool:
        """Whether one of the workspace's own properties holds something that is not an id."""
        return any(one.on == self.id and one.name == field.name for one in self.no_ids)

    @property
    def acts_as_uai(self) -> bool:
        return self.acting is not None and self.acting.resource is not None


@dataclass(frozen=True, slots=True)
class Registry:
    """`abac`: repository permissions decide, so AcrPull does nothing there (AML-70)."""

    id: Scope
    admin_user: bool
    abac: bool
    login_server: str | None = None
    created_on: datetime | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


class Want(NamedTuple):
    """Something that a rule must see: a resource, what is listed below it (`collection`), or rows of a query.

    A `collection` is as in `shared.ports.Azure.children`. `query` is KQL over the Log Analytics workspace, or over
    Resource Graph (`graph`), which is late. Of a list that grows without bound (jobs) only the first `pages` are read.
    """

    scope: Scope
    collection: str = ""
    query: str = ""
    pages: int | None = None
    graph: bool = False


class Part(tuple[Raw, ...]):
    """The first pages of a list that goes on. What is not in it is unknown."""

    __slots__ = ()


class Unreadable(Enum):
    """The identity may not read it, no log workspace is configured, Azure's answer is no resource, or a template does
    not show it. What it holds is unknown, and rules know that.
    """

    FORBIDDEN = "forbidden"
    NOT_CONFIGURED = "not configured"
    MISSHAPEN = "misshapen"
    NOT_SHOWN = "not shown"


type Fact = Raw | tuple[Raw, ...] | Unreadable | None


@dataclass(frozen=True, slots=True)
class Estate:
    """Everything that one reconcile has read, at `now` (on ARM's clock, not the worker's).

    `subject` is the workspace to decide about. `neighbours` are the other workspaces that use its registry, read only
    while the registry's admin user is on. So are `strays`, of which nobody can tell whether they use it. `clusters`
    holds, by the cluster's id, the identity with which an AKS cluster pulls. `access` is by principal id. A principal
    that is not in it was not asked about. `missing` are dependencies that a workspace names and that do not exist.
    `facts` is what rules wanted to see, as ARM sent it. None is a 404. `people` and `preferences` come from the policy.
    `caller` is whoever caused the event by writing `changed`, if there is an event and they are known. `blind` are
    scopes that were found through the workspace's users and that the identity may not read: unknown, not empty.
    `tenants` are those of subscriptions, read if there are several subscriptions. `roles` are the definitions of roles
    that rules ask for or that the policy names by GUID.
    """

    now: datetime
    subject: Workspace
    neighbours: tuple[Workspace, ...] = ()
    strays: frozenset[Scope] = frozenset()
    registries: Mapping[Scope, Registry] = field(default_factory=dict)
    vaults: Mapping[Scope, Vault] = field(default_factory=dict)
    clusters: Mapping[Scope, Principal] = field(default_factory=dict)
    access: Mapping[str, Access] = field(default_factory=dict)
    missing: frozenset[Scope] = frozenset()
    facts: Mapping[Want, Fact] = field(default_factory=dict)
    people: tuple[People, ...] = ()
    preferences: Preferences = field(default_factory=Preferences)
    caller: Principal | None = None
    changed: Scope | None = None
    blind: frozenset[Scope] = frozenset()
    locks: tuple[Lock, ...] = ()
    tenants: Mapping[Scope, str] = field(default_factory=dict)
    roles: Mapping[str, RoleDefinition] = field(default_factory=dict)

    def resource(self, scope: Scope | None) -> Raw | None:
        """A wanted resource. None if it does not exist, may not be read, or was not read yet."""
        fact = self.facts.get(Want(scope)) if scope else None
        return fact if isinstance(fact, Mapping) else None

    def listed(
        self, scope: Scope, collection: str = "", query: str = "", *, pages: int | None = None
    ) -> tuple[Raw, ...]:
        """A wanted list, or the rows of a wanted query. Empty also if it could not be read: see `unreadable`."""
        fact = self.facts.get(Want(scope, collection, query, pages))
        return fact if isinstance(fact, tuple) else ()

    def unreadable(self, want: Want) -> bool:
        return isinstance(self.facts.get(want), Unreadable)

    @property
    def misshapen(self) -> tuple[Scope, ...]:
        """Resources of which nothing can be told: their properties are no object."""
        return tuple(want.scope for want, fact in self.facts.items() if fact is Unreadable.MISSHAPEN)

    def sees(self, scope: Scope) -> bool:
        """Whether amlguard could read who holds what at `scope`."""
        return not any(closed.contains(scope) for closed in self.blind)

    def tags(self, scope: Scope) -> Mapping[str, str]:
        """The tags of the resource and of its workspace. Names are in lower case, as Azure compares them."""
        found: dict[str, str] = {}
        for one in self.workspaces:
            if one.id.contains(scope):
                below: list[Compute | Endpoint] = [*if_asked(one.computes), *if_asked(one.endpoints)]
                for raw in (one.raw, *(each.raw for each in below if each.id == scope)):
                    found |= tags(raw)
        known = self.registries.get(scope) or self.vaults.get(scope)
        return {**found, **(known.tags if known else {})}

    @property
    def workspaces(self) -> tuple[Workspace, ...]:
        return (self.subject, *self.neighbours)
