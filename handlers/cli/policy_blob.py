"""`amlguard policy push|show`: the policy as a blob of the app's storage account."""

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from handlers.runtime import Runtime, connected
from shared.access.condition import assignable, condition, lacking
from shared.access.raw import is_guid
from shared.access.scope import Scope
from shared.access.terms import Terms
from shared.azure.settings import BLOB
from shared.policy import Policy
from shared.ports import AzureFailureError
from shared.state.pushed_policy import InForce, PushedPolicy, right

_DEFAULT = "policy.yaml"
_PRINCIPAL = "AMLGUARD_PRINCIPAL_ID"
_UNTOLD = "nobody could tell whether the condition of the app's own role allows what this policy grants"
_MAY_ASSIGN = "f58310d9-a9f6-439a-9e8d-f62e7b41a168"  # Role Based Access Control Administrator


@dataclass(frozen=True, slots=True)
class Pushed:
    """`needs` says what the policy needs and the condition of the app's own role does not allow."""

    name: str
    changed: bool
    needs: Sequence[str] = ()

    @property
    def exit_code(self) -> int:
        return 2 if self.needs else 0

    def text(self) -> str:
        how = "is in force within a minute" if self.changed else "was there already: nothing changed"
        return "\n".join((f"{BLOB}{self.name} {how}", *self.needs))


async def push(checked: Policy, text: str) -> Pushed:
    """Raises `AzureFailureError` if it could not be written, also because somebody else pushed one meanwhile.

    Raises `PolicyError` for one that the app would not take, such as an empty one.
    """
    right(text.encode())
    async with _connected() as (services, pushed):
        needs = [one async for one in _needs(services, checked.terms())]
        data, known = text.encode(), await pushed.store.read(pushed.name)
        if known and known.data == data:
            return Pushed(pushed.name, changed=False, needs=needs)
        await pushed.store.write(pushed.name, data, known.etag if known else None)
        return Pushed(pushed.name, changed=True, needs=needs)


async def show() -> tuple[str, InForce]:
    """The blob's name, and the policy in force."""
    async with _connected() as (_, pushed):
        return f"{BLOB}{pushed.name}", await pushed.current(keeps=False)


async def terms_in_force() -> Terms:
    """Of the policy that AMLGUARD_POLICY names."""
    async with connected(os.environ, None) as services:
        return services.terms


@asynccontextmanager
async def _connected() -> AsyncIterator[tuple[Runtime, PushedPolicy]]:
    """Whatever policy this machine works by: the blob is the one that AMLGUARD_POLICY names, or else the default."""
    named = os.environ.get("AMLGUARD_POLICY", "").strip()
    blob = named if named.startswith(BLOB) else f"{BLOB}{_DEFAULT}"
    async with connected({**os.environ, "AMLGUARD_POLICY": blob}, None, by_policy=False) as services:
        if services.pushed is None:
            raise AssertionError("the policy is a blob")
        yield services, services.pushed


async def _needs(services: Runtime, terms: Terms) -> AsyncIterator[str]:
    """A policy cannot widen what Azure lets the app assign, so whoever pushes it hears what it would need."""
    principal = os.environ.get(_PRINCIPAL, "").strip()
    if not is_guid(principal):
        yield (f"{_UNTOLD}: set {_PRINCIPAL}, an output of the deployment, and push it again")
        return
    try:
        found = await _in_force(services, principal)
    except AzureFailureError as error:
        yield f"{_UNTOLD}: {error}"
        return
    if found is None:
        yield f"{_UNTOLD}: you can read no subscription"
    elif not found:
        yield "the app's identity may assign no role in the subscriptions that you can read, so it only reports there"
    for where, text in (found or {}).items():
        for line in _outside(terms, where, text):
            yield line


async def _in_force(services: Runtime, principal: str) -> dict[str, str] | None:
    """The condition of each assignment that lets the app assign roles, by where it is. Empty text: no condition.

    None for people who can read no subscription: ARM lists none then, which says nothing of the app.
    """
    listed = await services.azure.children(Scope.parse("/"), "subscriptions")
    if not listed:
        return None
    found: dict[str, str] = {}
    for one in listed:
        held = await services.azure.role_assignments(principal, Scope.parse(str(one["id"])))
        found |= {str(each.scope): each.condition or "" for each in held if each.role_id == _MAY_ASSIGN}
    return found


def _outside(terms: Terms, where: str, text: str) -> Iterator[str]:
    missing = lacking(terms, text) if text else ()
    if not missing:
        return
    names = {need.role_id: need.role_name for need in assignable(terms)}
    roles = ", ".join(f"{names.get(role, role)}{' (to groups)' if kind == 'Group' else ''}" for kind, role in missing)
    yield f"the condition of the app's own role on {where} does not allow: {roles}. Azure refuses these grants until"
    yield f"it is this one: {condition(terms)}"
