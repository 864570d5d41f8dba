"""Which properties of a workspace and of what lies below it hold ids, and which of these hold something else.

Whoever may write a workspace may write anything there. If something else is in the place of an id, that is known: it is
a finding (`rules.malformed`), not a failed read. No message quotes it.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from shared.access.raw import get, is_group_name, is_guid, is_object_id, scope, text
from shared.access.scope import InvalidScopeError, Scope

type Check = Callable[[object], object]

# In a field's path: each item of a list or object, and each key of an object.
EACH, NAMES = "*", "{}"

_WORKSPACE = "microsoft.machinelearningservices/workspaces"
_IDENTITY = "microsoft.managedidentity/userassignedidentities"
_REGISTRY = "microsoft.containerregistry/registries"
_SUBNET = "microsoft.network/virtualnetworks/subnets"
_ENDPOINT = "microsoft.network/privateendpoints"
_VAULT = "microsoft.keyvault/vaults"
_CLUSTER = "microsoft.containerservice/managedclusters"
_ATTACHED = {
    "aks": (_CLUSTER,),
    "kubernetes": (_CLUSTER, "microsoft.kubernetes/connectedclusters"),
    "virtualmachine": ("microsoft.compute/virtualmachines",),
    "databricks": ("microsoft.databricks/workspaces",),
    "hdinsight": ("microsoft.hdinsight/clusters",),
}
_ACCOUNT = re.compile(r"[a-z0-9]{3,24}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class NoId:
    """The property `name` of `on` should hold `what` but does not. `why` says why."""

    on: Scope
    name: str
    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Field:
    """A place where `what` belongs. `check` raises `InvalidScopeError` for anything else.

    `sometimes`: the object around it may have another shape, and then there is no such place.
    """

    path: tuple[str, ...]
    what: str
    check: Check
    sometimes: bool = False

    @property
    def name(self) -> str:
        return ".".join(self.path)

    def of(self, raw: object) -> Scope | None:
        """None if nothing is there (absent, null, empty), or if it is not an id; `no_ids` reports the latter."""
        try:
            found = self.check(get(raw, *self.path))
        except InvalidScopeError:
            return None
        return found if isinstance(found, Scope) else None

    def malformed(self, value: object) -> bool:
        """Whether there is something that does not belong there."""
        return value not in (None, "") and self.error(value) is not None

    def error(self, value: object) -> InvalidScopeError | None:
        try:
            self.check(value)
        except InvalidScopeError as error:
            return error
        return None


def an_id(*types: str) -> Callable[[object], Scope]:
    """The id of a resource of one of the types, in lower case. Without types, of any resource."""

    def check(value: object) -> Scope:
        found = scope(value)
        if types and found.resource_type not in types:
            raise InvalidScopeError("it is the id of something else")
        return found

    return check


def _is(holds: Callable[[object], bool], why: str) -> Check:
    def check(value: object) -> None:
        if not holds(value):
            raise InvalidScopeError(why)

    return check


def _is_account(value: object) -> bool:
    return isinstance(value, str) and _ACCOUNT.fullmatch(value) is not None


_identity_id = an_id(_IDENTITY)


def _attached(value: object) -> Scope:
    """As ARM wrote it beside the object id, so that nobody needs to ask for it in its subscription."""
    found = Scope.parse(value)
    if found.resource_type != _IDENTITY:
        raise InvalidScopeError("it is the id of something else")
    return found


def _properties(*path: str) -> tuple[str, ...]:
    return ("properties", *path)


REGISTRY = Field(_properties("containerRegistry"), "the id of a container registry", an_id(_REGISTRY))
STORAGE = Field(
    _properties("storageAccount"), "the id of a storage account", an_id("microsoft.storage/storageaccounts")
)
VAULT = Field(_properties("keyVault"), "the id of a key vault", an_id(_VAULT))
INSIGHTS = Field(
    _properties("applicationInsights"),
    "the id of an Application Insights component",
    an_id("microsoft.insights/components"),
)
PRIMARY = Field(_properties("primaryUserAssignedIdentity"), "the id of a user-assigned identity", _identity_id)
HUB = Field(_properties("hubResourceId"), "the id of a workspace", an_id(_WORKSPACE))

_HOLDERS = (
    Field(("identity", "type"), "the kind of identity", _is(lambda value: isinstance(value, str), "it is not text")),
    Field(("identity", "principalId"), "an object id", _is(is_object_id, "no object id looks like that")),
    Field(("identity", "userAssignedIdentities", NAMES), "ids of user-assigned identities", _attached),
    Field(
        ("identity", "userAssignedIdentities", EACH, "principalId"),
        "object ids",
        _is(is_object_id, "no object id looks like that"),
    ),
)
_WORKSPACES = (
    *(REGISTRY, STORAGE, VAULT, INSIGHTS, PRIMARY, HUB, *_HOLDERS),
    Field(
        _properties("encryption", "keyVaultProperties", "keyVaultArmId"),
        "the id of a key vault",
        an_id(_VAULT, "microsoft.keyvault/managedhsms"),
    ),
    Field(
        _properties("encryption", "identity", "userAssignedIdentity"),
        "the id of a user-assigned identity",
        _identity_id,
    ),
    Field(
        _properties("serverlessComputeSettings", "serverlessComputeCustomSubnet"), "the id of a subnet", an_id(_SUBNET)
    ),
    Field(
        _properties("managedNetwork", "outboundRules", EACH, "destination", "serviceResourceId"),
        "the id of a resource",
        an_id(),
        sometimes=True,  # for a host, the destination of a rule is the host's name
    ),
    Field(
        _properties("privateEndpointConnections", EACH, "properties", "privateEndpoint", "id"),
        "the id of a private endpoint",
        an_id(_ENDPOINT),
    ),
    Field(
        _properties("privateEndpointConnections", EACH, "properties", "privateEndpoint", "subnetArmId"),
        "the id of a subnet",
        an_id(_SUBNET),
    ),
)
_COMPUTES = (
    *_HOLDERS,
    Field(_properties("properties", "subnet", "id"), "the id of a subnet", an_id(_SUBNET)),
)
_STORES = (
    Field(
        _properties("accountName"), "the name of a storage account", _is(_is_account, "no account can have that name")
    ),
    Field(_properties("subscriptionId"), "the id of a subscription", _is(is_guid, "it is not a GUID")),
    Field(
        _properties("resourceGroup"), "the name of a resource group", _is(is_group_name, "no group can have that name")
    ),
)


def unclear_holders(raw: object) -> bool:
    """Whether a resource's `identity` block has something in place of an identity that is not one."""
    return any(True for field in _HOLDERS[:-1] for _ in _errors(raw, field))


def user_assigned(value: object) -> Scope | None:
    """The id, if it is that of a user-assigned identity."""
    return _or_none(_identity_id, value)


def attached(value: object) -> Scope | None:
    """The identity of one name in an `identity` block."""
    return _or_none(_attached, value)


def _or_none(read: Callable[[object], Scope], value: object) -> Scope | None:
    try:
        return read(value)
    except InvalidScopeError:
        return None


def of_workspace(raw: object, on: Scope) -> Iterator[NoId]:
    return no_ids(raw, _WORKSPACES, on)


def attachment(raw: object) -> Field:
    """What a compute is attached to. Each kind of compute that rules follow has its own field."""
    kind = (text(raw, "properties", "computeType") or "").casefold()
    what = "the id of what the compute is attached to"
    return Field(_properties("resourceId"), what, an_id(*_ATTACHED.get(kind, ())))


def of_compute(raw: object, on: Scope) -> Iterator[NoId]:
    return no_ids(raw, (*_COMPUTES, attachment(raw)), on)


def of_endpoint(raw: object, on: Scope) -> Iterator[NoId]:
    return no_ids(raw, _HOLDERS, on)


def of_datastore(raw: object, on: Scope) -> Iterator[NoId]:
    return no_ids(raw, _STORES, on)


def no_ids(raw: object, fields: Iterable[Field], on: Scope) -> Iterator[NoId]:
    for field in fields:
        errors = list(_errors(raw, field))
        if errors:
            why = "; ".join(dict.fromkeys(map(str, errors)))
            yield NoId(on, field.name, field.what, why)


def _errors(raw: object, field: Field) -> Iterator[InvalidScopeError]:
    try:
        values = list(_values(raw, field.path))
    except InvalidScopeError as error:
        yield from () if field.sometimes else (error,)
        return
    for value in values:
        absent = value is None or (value == "" and field.path[-1] != NAMES)
        wrong = None if absent else field.error(value)
        if wrong:
            yield wrong


def _values(raw: object, path: tuple[str, ...]) -> Iterator[object]:
    """All values at that place.

    Raises `InvalidScopeError` if the path leads through something that is not an object.
    """
    if not path or raw is None:
        yield raw
        return
    step, rest = path[0], path[1:]
    if step == EACH and isinstance(raw, list):
        within: Iterable[object] = raw
    elif not isinstance(raw, Mapping):
        raise InvalidScopeError("what should contain it is not an object")
    else:
        within = raw.values() if step == EACH else raw.keys() if step == NAMES else (raw.get(step),)
    for one in within:
        yield from _values(one, rest)
