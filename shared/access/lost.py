"""User-assigned identities that are attached to something but are gone (AML-98).

A resource keeps recording an identity after it was deleted. If another identity is made under the same name, the
resource still records the object id of the first one. That object id belongs to nobody: a role for it helps nobody, and
a role that it holds covers nobody. Only the identity itself can tell, so amlguard reads it (`attached`). An identity
that is gone is taken out of the model (`without_lost`), so that no rule takes it for an identity.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from shared.access.losses import Loss, Lost
from shared.access.model import Compute, Endpoint, Fact, Identity, Unreadable, Want, Workspace
from shared.access.raw import object_id, principal_id
from shared.access.scope import Scope
from shared.access.unasked import NOT_ASKED, if_asked

_USER_ASSIGNED = "microsoft.managedidentity/userassignedidentities"


def holders(workspace: Workspace) -> Iterator[tuple[Scope, Identity]]:
    """The workspace, and everything that was read in it and has an identity."""
    yield workspace.id, workspace.identity
    yield from ((one.id, one.identity) for one in if_asked(workspace.computes))
    yield from ((one.id, one.identity) for one in if_asked(workspace.endpoints))


def attached(identity: Identity) -> Iterator[Scope]:
    """Its user-assigned identities, including lost ones.

    A resource of another type is not one, whatever the block says.
    """
    named = (*(one.resource for one in identity.user), *identity.unresolved, *(one.id for one in identity.lost))
    return (scope for scope in named if scope and scope.resource_type == _USER_ASSIGNED)


def without_lost(workspace: Workspace, facts: Mapping[Want, Fact]) -> Workspace:
    """The workspace according to what was read about its identities. An identity that was not read stays unknown."""
    found = {scope: _without(one, facts) for scope, one in holders(workspace)}
    if all(found[scope] is one for scope, one in holders(workspace)):
        return workspace
    return replace(
        workspace,
        identity=found[workspace.id],
        computes=_having(workspace.computes, found),
        endpoints=_having(workspace.endpoints, found),
    )


def _having[T: (Compute, Endpoint)](holders: tuple[T, ...], found: Mapping[Scope, Identity]) -> tuple[T, ...]:
    return holders if holders is NOT_ASKED else tuple(replace(one, identity=found[one.id]) for one in holders)


def _without(identity: Identity, facts: Mapping[Want, Fact]) -> Identity:
    recorded = {one.resource: one.id for one in identity.user if one.resource} | dict.fromkeys(identity.unresolved, "")
    losses = {scope: how for scope, known in recorded.items() if (how := _loss(scope, known, facts))}
    if not losses:
        return identity
    living = [scope for scope in recorded if scope not in losses and scope not in identity.unresolved]
    ahead = _ahead_of(living, identity)
    return replace(
        identity,
        user=tuple(one for one in identity.user if one.resource not in losses),
        unresolved=tuple(one for one in identity.unresolved if one not in losses),
        lost=(*identity.lost, *(Lost(scope, how, first=scope in ahead) for scope, how in losses.items())),
    )


def _ahead_of(living: list[Scope], identity: Identity) -> list[Scope]:
    """What ARM lists before the first living identity. Everything, if it is not known which one ARM lists first."""
    at = next((number for number, scope in enumerate(identity.order) if scope in living), None)
    return list(attached(identity)) if at is None else list(identity.order[:at])


def _loss(scope: Scope, recorded: str, facts: Mapping[Want, Fact]) -> Loss | None:
    want = Want(scope)
    if scope.resource_type != _USER_ASSIGNED or want not in facts:
        return None
    fact = facts[want]
    if fact is None:
        return Loss.DELETED
    now = principal_id(fact, "properties", "principalId")
    if isinstance(fact, Unreadable) or not now or not recorded:
        return None
    return None if now == object_id(recorded) else Loss.MADE_ANEW
