"""Which workspaces a scope chooses: the same on the command line, in the policy, for sweeps and for events (law 13).

A management group chooses the workspaces of its subscriptions, nested groups included. A subscription or resource group
chooses those that lie in it. A workspace chooses itself. A resource that workspaces use chooses these workspaces. ARM
decides. Only for users in other subscriptions does Resource Graph say where to look, and ARM is asked about each.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from shared.access.dependencies import Sought
from shared.access.scope import InvalidScopeError, Scope
from shared.access.users import is_container, is_used, unsuitable, workspace_of
from shared.memory import Memory
from shared.ports import Raw, ReadFailedError, Reads
from shared.reading.discover import Search, all_workspaces, listed, place, search
from shared.reading.users import Answer, seek, used_by, using

# For so long, a subscription that has left a management group still counts, and a new one does not count yet.
MEMBERSHIP_SECONDS = 300.0

_OF_OTHERS = ("InvalidAuthenticationTokenTenant", "LinkedInvalidAuthenticationTokenTenant")

_NO_GROUP = "there is no such management group: check its id (which is not its display name)"
# Azure also answers 403 for a management group that does not exist, except to those who may read at the root:
# https://github.com/Azure/azure-rest-api-specs/issues/9549
_CLOSED_GROUP = (
    "the management group may not be read, or does not exist, for which Azure answers the same: check its id (which is "
    "not its display name), and give the identity Reader or Management Group Reader on it "
    "(Microsoft.Management/managementGroups/read and Microsoft.Management/managementGroups/descendants/read)"
)
_NO_SUBSCRIPTION = "there is no such subscription in the tenant of the identity: check the id, and where you signed in"
_FOREIGN = (
    "the subscription is of another tenant: amlguard looks at the tenant of its identity only; sign in to that one"
)
_CLOSED = "the identity may not read it: check the id, and give the identity Reader on it"


class ScopeError(ReadFailedError):
    """amlguard cannot look at `scope`, or may not read it. Somebody has to correct that."""

    def __init__(
        self,
        scope: Scope,
        code: str,
        reason: str,
        *,
        forbidden: bool = False,
        lacks_right: bool = False,
        named: str = "",
    ) -> None:
        super().__init__(f"look at {scope}{named}", code, reason, forbidden=forbidden, lacks_right=lacks_right)
        self.scope = scope

    def named(self, where: str) -> "ScopeError":
        """The same, and who names it."""
        return ScopeError(
            self.scope,
            self.code,
            self.reason,
            forbidden=self.forbidden,
            lacks_right=self.lacks_right,
            named=f", {where}",
        )


@dataclass(frozen=True, slots=True)
class Chosen:
    """`wrong` says why scopes choose nothing. `idle` are the scopes without a workspace."""

    workspaces: tuple[Scope, ...]
    wrong: tuple[ScopeError, ...] = ()
    idle: tuple[Scope, ...] = ()


@dataclass(frozen=True, slots=True)
class Scopes:
    """`tenant` is the identity's own, or empty if unknown. `memory` keeps the members of management groups."""

    azure: Reads
    memory: Memory
    tenant: str = ""
    seconds: Callable[[], float] = time.monotonic

    async def choose(self, scopes: Sequence[Scope]) -> Chosen:
        """What the scopes choose together.

        Without any scope, all that the identity can read. Raises `ReadFailedError`.
        """
        if not scopes:
            return Chosen(tuple([one async for one in all_workspaces(self.azure)]))
        begun = await asyncio.gather(*map(self._begin, scopes), return_exceptions=True)
        for answer in begun:
            if isinstance(answer, BaseException) and not isinstance(answer, ScopeError):
                raise answer
        searches = [one for one in begun if isinstance(one, Search)]
        wrong = [one for one in begun if isinstance(one, ScopeError)]
        found: dict[Scope, None] = {}
        idle = []
        for one, (users, errors) in zip(searches, await self._finish(searches), strict=True):
            found.update(dict.fromkeys(users))
            wrong += errors
            idle += [] if users or errors else [one.scope]
        return Chosen(tuple(found), tuple(wrong), tuple(idle))

    async def workspaces(self, scope: Scope) -> Sequence[Scope]:
        """Raises `ScopeError`, and `ReadFailedError` for what may work the next time."""
        return await self._all_of(await self._begin(scope))

    async def users(self, scope: Scope) -> Sequence[Scope]:
        """Those that use a resource of any kind, also one that cannot be a scope. Raises `ReadFailedError`."""
        return await self._all_of(await search(scope, self.azure))

    async def require(self, scope: Scope) -> None:
        """Checks that the scope exists and can be looked at. Raises as `workspaces` does."""
        if reason := unsuitable(scope):
            raise ScopeError(scope, "UnsuitableScope", reason)
        if scope.is_management_group:
            await self.subscriptions(scope)
            return
        subscription = scope.subscription
        if subscription:
            await self._require_home(scope, subscription)
        if scope != subscription:
            with _about(scope):
                if await self.azure.resource(scope) is None:
                    raise ScopeError(scope, "NotFound", f"there is no such {_kind(scope)}: check the id")

    async def subscriptions(self, group: Scope) -> frozenset[Scope]:
        """Below the management group, nested groups included, at most `MEMBERSHIP_SECONDS` old.

        Raises as `workspaces`.
        """
        async with self.memory.exclusively(group):
            known = self.memory.groups.get(group)
            now = self.seconds()
            if known is None or now - known[0] >= MEMBERSHIP_SECONDS:
                self.memory.groups[group] = known = now, await self._below(group)
            return known[1]

    async def any_chooses(self, scopes: Sequence[Scope], workspace: Scope) -> bool:
        """Whether one of `scopes` chooses the workspace. Without any scope, every workspace is chosen.

        If it cannot find out, it raises as `workspaces` does: unknown is neither yes nor no.
        """
        if not scopes or any(_plainly_chooses(scope, workspace) for scope in scopes):
            return True
        for scope in scopes:
            if scope.is_management_group and workspace.subscription in await self.subscriptions(scope):
                return True
        used = [*filter(is_used, scopes)]
        if not used:
            return False
        sought = await asyncio.gather(*(seek(scope, self.azure) for scope in used))
        return bool(await used_by(workspace, sought, self.azure))

    async def _require_home(self, scope: Scope, subscription: Scope) -> None:
        try:
            with _about(scope):
                found = await self.azure.resource(subscription)
        except ScopeError as error:
            if error.forbidden and scope != subscription and error.code not in _OF_OTHERS:
                return  # an identity that may read only one resource group may still look at that group
            raise
        if found is None:
            raise ScopeError(scope, "SubscriptionNotFound", _NO_SUBSCRIPTION)
        of = found.get("tenantId")
        if self.tenant and of and str(of).casefold() != self.tenant.casefold():
            raise ScopeError(scope, "OtherTenant", _FOREIGN)

    async def _below(self, group: Scope) -> frozenset[Scope]:
        """https://learn.microsoft.com/rest/api/managementgroups/management-groups/get-descendants"""
        with _about(group, closed=_CLOSED_GROUP):
            rows = await self.azure.children(group, "descendants")
        if rows is None:
            raise ScopeError(group, "NotFound", _NO_GROUP)
        try:
            found = [Scope.parse(row.get("id")) for row in rows]
        except InvalidScopeError as error:
            raise ReadFailedError(f"look at {group}", "MalformedAnswer", "it is not what Azure answers") from error
        return frozenset(one for one in found if one == one.subscription)

    async def _lying_in(self, container: Scope) -> Sequence[Raw]:
        with _about(container):
            found = await listed(container, self.azure)
        if found is None:
            raise ScopeError(container, "NotFound", f"there is no such {_kind(container)} (any more)")
        return found

    async def _begin(self, scope: Scope) -> Search:
        """Raises as `workspaces`."""
        await self.require(scope)
        if scope.is_management_group:
            below = sorted(await self.subscriptions(scope), key=str)
            each = await asyncio.gather(*map(self._lying_in, below))
            return Search(scope, tuple(one for raws in each for raw in raws if (one := place(raw))))
        if is_container(scope):
            return Search(scope, tuple(one for raw in await self._lying_in(scope) if (one := place(raw))))
        workspace = workspace_of(scope)
        if workspace:
            return Search(scope, (workspace,))
        with _about(scope.subscription or scope):
            return await search(scope, self.azure)

    async def _all_of(self, begun: Search) -> Sequence[Scope]:
        ((users, errors),) = await self._finish([begun])
        for error in errors:
            raise error
        return users

    async def _finish(self, searches: Sequence[Search]) -> list[tuple[list[Scope], list[ScopeError]]]:
        """What ARM says of each, and the workspaces of which nobody can tell. Each is asked once for all searches.

        Raises `ReadFailedError`.
        """
        open_ones = [one for one in searches if one.told or one.unasked]
        sought = await asyncio.gather(*(seek(one.scope, self.azure) for one in open_ones))
        asked: dict[Scope, list[Sought]] = {}
        for one, what in zip(open_ones, sought, strict=True):
            for workspace in (*one.told, *one.unasked):
                asked.setdefault(workspace, []).append(what)
        told = {workspace for one in open_ones for workspace in one.told}
        answers = await using(asked, self.azure, themselves=told)
        failures = [answer for answer in answers.values() if isinstance(answer, BaseException)]
        all_failed = len(failures) == len(answers) > 1
        for failure in failures:
            if not isinstance(failure, ReadFailedError) or (all_failed and not failure.forbidden):
                raise failure
        return [_ended(one, answers) for one in searches]


def _ended(one: Search, answers: Mapping[Scope, Answer]) -> tuple[list[Scope], list[ScopeError]]:
    """Whoever may write a workspace could make reads of it fail. That must not hide the other users."""
    asked = [(workspace, answers[workspace]) for workspace in (*one.told, *one.unasked)]
    users = [workspace for workspace, answer in asked if isinstance(answer, tuple) and one.scope in answer]
    failed = [(workspace, answer) for workspace, answer in asked if isinstance(answer, ReadFailedError)]
    errors = []
    for workspace, error in failed[:1]:
        more = f" (nor whether {len(failed) - 1} more do)" if failed[1:] else ""
        reason = f"nobody can tell whether workspace {workspace} uses it{more}: {error.operation}: {error.reason}"
        remedy = "; give the identity Reader there" if error.forbidden else ""
        told = reason + remedy
        errors.append(ScopeError(one.scope, error.code, told, forbidden=error.forbidden, lacks_right=error.lacks_right))
    return [*one.here, *users], errors


def _plainly_chooses(scope: Scope, workspace: Scope) -> bool:
    """As far as the ids tell."""
    if scope.is_management_group or not is_container(scope):
        return workspace_of(scope) == workspace
    return scope.contains(workspace)


def _kind(scope: Scope) -> str:
    known = {scope.subscription: "subscription", scope.resource_group: "resource group"}
    return known.get(scope) or f"resource ({scope.resource_type})"


@contextmanager
def _about(scope: Scope, closed: str = _CLOSED) -> Iterator[None]:
    """Explains what a refused read means for the scope."""
    try:
        yield
    except ScopeError:
        raise
    except ReadFailedError as error:
        if error.code in _OF_OTHERS:
            raise ScopeError(scope, error.code, _FOREIGN, forbidden=True) from error
        if error.code == "InvalidSubscriptionId":
            raise ScopeError(scope, error.code, _NO_SUBSCRIPTION) from error
        if error.forbidden:
            raise ScopeError(scope, error.code, closed, forbidden=True, lacks_right=error.lacks_right) from error
        raise
