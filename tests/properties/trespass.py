"""What a policy allows, judged from raw ARM objects and ids as text: an oracle that shares nothing with the product."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from fakes import FakeAzure

_ASCII = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_PRIVILEGED = ("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9")
# What each role is granted for: whoever holds that could have handed it on.
_WHAT_FOR = {
    "7f951dda-4ed3-4680-a7ca-43fe172d538d": ("Microsoft.ContainerRegistry/registries/pull/read", False),
    "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1": (
        "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",
        True,
    ),
}


def same(text: object) -> str:
    """An id as ARM compares it: letters of ASCII without regard to case, nothing else."""
    return _same(str(text))


@cache
def _same(text: str) -> str:
    return text.translate(_ASCII).rstrip("/") + "/"


def within(text: str, outer: str) -> bool:
    return same(text).startswith(same(outer))


@dataclass(frozen=True)
class Said:
    """The policy, in plain words. `allow` are ids; `caller` is who caused the event, None without one."""

    by_subscription: bool
    allow: tuple[str, ...]
    caller_must_hold: bool
    groups: frozenset[str]


@dataclass(frozen=True)
class Workspace:
    """One workspace as its raw objects tell it. `holders` are identities with the id of where they come from."""

    id: str
    named: frozenset[str]
    named_by_users: frozenset[str]
    holders: frozenset[tuple[str, str]]


def workspaces(azure: FakeAzure) -> Iterator[Workspace]:
    bodies = {str(scope): one for scope, one in azure.resources.items()}
    known = {same(name): one for name, one in bodies.items()}
    for name, one in bodies.items():
        if "/workspaces/" not in name or name.count("/") != 8:
            continue
        children = [child for other, child in bodies.items() if within(other, name) and other != name]
        body = one["properties"]
        named = {same(value) for value in body.values() if isinstance(value, str) and value.startswith("/")}
        holders = {who for each in (one, *children) for who in _identities(each)}
        holders |= {who for child in children for who in _clusters(child, known)}
        theirs = {found for child in children for found in _named_by_users(child)}
        hosts = {str(child["properties"].get("target")) for child in children}
        theirs |= {scope for scope, body in known.items() if body["properties"].get("loginServer") in hosts}
        holders |= {(_object_id(known.get(found)), found) for found in theirs if "/userassignedidentities/" in found}
        yield Workspace(name, frozenset({same(name), *named}), frozenset(theirs), frozenset(holders))


def _identities(one: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    block = one.get("identity") or {}
    if block.get("principalId"):
        yield block["principalId"], ""
    for scope, user in block.get("userAssignedIdentities", {}).items():
        yield user["principalId"], same(scope)


def _clusters(child: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    where = same(child["properties"].get("resourceId"))
    cluster = known.get(where)
    if cluster and "/managedclusters/" in where:
        yield cluster["properties"]["identityProfile"]["kubeletidentity"]["objectId"], where


def _named_by_users(child: Mapping[str, Any]) -> Iterator[str]:
    body = child["properties"]
    if "accountName" in body:
        group = f"/subscriptions/{body['subscriptionId']}/resourceGroups/{body['resourceGroup']}"
        yield same(f"{group}/providers/Microsoft.Storage/storageAccounts/{body['accountName']}")
    if "metadata" in body:
        yield same(body["metadata"]["ResourceId"])
        yield same(body["credentials"]["resourceId"])
        yield same(str(body["target"]).partition("/blobServices/")[0])


def _object_id(identity: Mapping[str, Any] | None) -> str:
    return str(identity["properties"].get("principalId")) if identity else ""


@dataclass(frozen=True)
class Oracle:
    """`tenants` are those of subscriptions, by their id as `same` writes it."""

    azure: FakeAzure
    said: Said
    tenants: Mapping[str, str]

    def allows_grant(self, principal: str, scope: str, role: str, event: tuple[str, str] | None) -> bool:
        """`event` is who caused it, and about what."""
        if role in _PRIVILEGED or same(scope).count("/") < 9:
            return False
        if self.said.caller_must_hold and not self._vouched(scope, role, event):
            return False
        return any(self._leads(one, principal, scope) for one in workspaces(self.azure))

    def allows_setting(self, resource: str, principal: str | None) -> bool:
        """An admin user that goes off, keys that are resynced, an access policy for `principal`."""
        for one in workspaces(self.azure):
            if same(resource) not in one.named or not self._trusts(one, resource):
                continue
            if principal is None or self._holds(one, principal):
                return True
        return False

    def _leads(self, one: Workspace, principal: str, scope: str) -> bool:
        if not self._trusts(one, scope):
            return False
        if principal in self.said.groups:
            return same(scope) == same(one.id)
        meant = same(scope) in one.named or (same(scope) in one.named_by_users and self._allowed(scope))
        return meant and self._holds(one, principal)

    def _holds(self, one: Workspace, principal: str) -> bool:
        return any(who == principal and (not home or self._trusts(one, home)) for who, home in one.holders)

    def _trusts(self, one: Workspace, target: str) -> bool:
        boundary = "/".join(one.id.split("/")[: 3 if self.said.by_subscription else 5])
        near = within(target, boundary) or self._allowed(target)
        return near and self._tenant(target) == self._tenant(one.id)

    def _allowed(self, target: str) -> bool:
        return any(within(target, scope) for scope in self.said.allow)

    def _tenant(self, target: str) -> str:
        return self.tenants.get(same("/".join(target.split("/")[:3])), "ours")

    def _vouched(self, scope: str, role: str, event: tuple[str, str] | None) -> bool:
        if event is None:
            return False
        caller = event[0]
        (where,) = [one for one in self.azure.resources if same(one) == same(scope)]
        if self.azure.may(caller, "Microsoft.Authorization/roleAssignments/write", where):
            return True
        action, data = _WHAT_FOR.get(role, ("", False))
        return bool(action) and self.azure.may(caller, action, where, data=data)
