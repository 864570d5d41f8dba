"""A fake of `shared.ports`: a little Azure, an audit log and a queue that share a clock, a journal and their troubles.

It refuses what Azure refuses. What it knows of access is `oracle`'s, not the product's.
"""

import re
from collections.abc import AsyncIterator, Callable, Container, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NoReturn, Self

import fake_log
from oracle import matches
from raw import Raw
from troubles import Troubles
from unit.build import MANAGEMENT_GROUP, NOW, ROLES, SUBSCRIPTION, assigned, guid

from shared.access.actions import Grant, Removal, Setting
from shared.access.asks import Property
from shared.access.model import Principal
from shared.access.needs import VAULT_PERMISSIONS
from shared.access.permissions import EVERYONE, DenyAssignment, RoleAssignment, RoleDefinition
from shared.access.raw import get, scope_or_none
from shared.access.scope import Scope
from shared.ports import AzureFailureError, GivenUp, NotBegunError, ReadFailedError, Receipt, Row, WriteRefusedError

_WORKSPACE = "microsoft.machinelearningservices/workspaces"
# A queue message holds 64 KiB, of which base64 takes a quarter.
_LONGEST_MESSAGE = 48 * 1024


@dataclass(repr=False)
class FakeAzure:
    """`journal` holds what was written, in order, together with the audit log's rows.

    `automatic` are the assignments that AML makes, `assignments` all others; `groups` are members by group id; `above`
    the subscriptions below each management group; `unborn` are principals that have not replicated yet; `forbidden` are
    role ids and properties that the app's own rights do not cover; `unreadable` is what the app may not list;
    `assignable` limits where a custom role is known; `tenants` are subscriptions of other tenants,
    `group_tags` the tags of resource groups; `hidden` is what Resource Graph does not know yet, `remembered` what it
    still believes; `log_behind` is how long a row that the log accepted does not show in it yet.
    """

    journal: list[tuple[str, Any]] = field(default_factory=list)
    troubles: Troubles = field(default_factory=Troubles)
    clock: datetime = NOW
    resources: dict[Scope, Raw] = field(default_factory=dict)
    assignments: list[RoleAssignment] = field(default_factory=list)
    automatic: list[RoleAssignment] = field(default_factory=list)
    denies: list[DenyAssignment] = field(default_factory=list)
    locks: list[Raw] = field(default_factory=list)
    groups: dict[str, set[str]] = field(default_factory=dict)
    above: dict[Scope, set[Scope]] = field(default_factory=lambda: {MANAGEMENT_GROUP: {SUBSCRIPTION}})
    roles: dict[str, RoleDefinition] = field(default_factory=lambda: {r.role_id: r for r in ROLES.values()})
    assignable: dict[str, Scope] = field(default_factory=dict)
    unborn: set[str] = field(default_factory=set)
    unreadable: set[str] = field(default_factory=set)
    forbidden: set[str] = field(default_factory=set)
    tenants: dict[Scope, str] = field(default_factory=dict)
    group_tags: dict[Scope, dict[str, str]] = field(default_factory=dict)
    logged: bool = False
    log_behind: timedelta = timedelta()
    accepted: dict[int, datetime] = field(default_factory=dict)
    hidden: set[Scope] = field(default_factory=set)
    remembered: list[Raw] = field(default_factory=list)
    stale_keys: set[Scope] = field(default_factory=set)
    before_switch_off: Callable[[Scope], None] = lambda _: None

    def __repr__(self) -> str:
        held = [(a.scope.key, a.principal_id, self.roles[a.role_id].name, a.condition) for a in self.assignments]
        return f"FakeAzure(resources={[*self.resources.values()]}, assignments={held}, locks={self.locks})"

    def copy(self) -> Self:
        """The same tenant, without its past and its troubles."""
        return replace(
            self,
            journal=[],
            troubles=Troubles(),
            resources=deepcopy(self.resources),
            assignments=list(self.assignments),
            automatic=list(self.automatic),
            stale_keys=set(self.stale_keys),
            before_switch_off=lambda _: None,
        )

    def have(self, *raws: Raw, aml: bool = True) -> None:
        """A new workspace's system-assigned identity holds what AML gives it (azure-facts §4)."""
        for raw in raws:
            scope = Scope.parse(raw["id"])
            system = (raw.get("identity") or {}).get("principalId")
            if aml and system and scope not in self.resources and scope.resource_type == _WORKSPACE:
                me, storage = Principal(system, scope.name), scope_or_none(raw["properties"].get("storageAccount"))
                self.automatic.append(assigned(me, "Contributor", scope.resource_group or scope))
                if storage:
                    self.automatic.append(assigned(me, "Storage Blob Data Contributor", storage))
            self.resources[scope] = raw

    def lose(self, scope: Scope) -> None:
        self.resources = {known: raw for known, raw in self.resources.items() if not scope.contains(known)}
        self.assignments = [one for one in self.assignments if not scope.contains(one.scope)]

    @property
    def held(self) -> list[RoleAssignment]:
        return [*self.assignments, *self.automatic]

    def advance(self, by: timedelta) -> None:
        self.clock += by

    # what shared.ports.Azure promises

    def fresh(self) -> Self:
        return self

    def now(self) -> datetime:
        return self.clock

    async def resource(self, scope: Scope) -> Raw | None:
        return await self.troubles.around("read", lambda: self._resource(scope))

    def _resource(self, scope: Scope) -> Raw | None:
        if scope in self._subscriptions():
            return {"id": str(scope), "tenantId": self.tenants.get(scope, guid("tenant"))}
        if scope == scope.resource_group:
            there = any(scope.contains(one) for one in self.resources)
            return {"id": str(scope), "tags": self.group_tags.get(scope, {})} if there else None
        if scope.resource_type == "microsoft.authorization/roleassignments":
            return next((_listed(one, self.groups) for one in self.held if Scope.parse(one.id) == scope), None)
        return self.resources.get(scope) or self._identity(scope)

    def _identity(self, scope: Scope) -> Raw | None:
        """What something has attached is there, as the one that is recorded."""
        blocks = (get(raw, "identity", "userAssignedIdentities") for raw in self.resources.values())
        found = (
            body
            for block in blocks
            if isinstance(block, Mapping)
            for name, body in block.items()
            if scope_or_none(name) == scope
        )
        return next(({"id": str(scope), "properties": body} for body in found if body), None)

    async def logs(self, kql: str) -> Sequence[Raw] | None:
        """Of the app's own rows; None, as where no log workspace is configured, unless `logged`."""
        if not self.logged:
            return None
        return await self.troubles.around("read", lambda: fake_log.answer(kql, self._shown(), self._is_old))

    def _shown(self) -> list[tuple[str, Any]]:
        """The journal without the rows that the log accepted too lately to show them."""
        return [(kind, one) for kind, one in self.journal if not self._is_late(one)]

    def _is_late(self, row: object) -> bool:
        return self.clock - self.accepted.get(id(row), self.clock - self.log_behind) < self.log_behind

    def _is_old(self, row: Row) -> bool:
        return self.clock - self.accepted.get(id(row), self.clock) > timedelta(minutes=30)

    async def children(self, parent: Scope, collection: str, *, pages: int | None = None) -> Sequence[Raw] | None:  # noqa: ARG002 - one page holds all
        if collection in self.unreadable:
            raise ReadFailedError(f"list {collection}", "AuthorizationFailed", "Azure answered 403", forbidden=True)
        return await self.troubles.around("read", lambda: self._children(parent, collection))

    def _children(self, parent: Scope, collection: str) -> Sequence[Raw] | None:
        if parent.is_root or collection == "descendants":
            below = self._subscriptions() if parent.is_root else self._descendants(parent)
            return [{"id": str(one)} for one in sorted(below, key=str)]
        if collection.endswith("/locks"):
            return [raw for raw in self.locks if _is_within(str(raw["id"]), str(parent))]
        if collection.endswith("/roleAssignments"):
            return [_listed(one, self.groups) for one in self.held if self._concerns(one.scope, parent)]
        if "/" in collection:
            kind = collection.casefold()
            found = [
                raw for scope, raw in self.resources.items() if scope.resource_type == kind and parent.contains(scope)
            ]
            return found if self._resource(parent) is not None else None
        if parent not in self.resources:
            return None
        kind = f"{parent.resource_type}/{collection.casefold()}"
        return [raw for scope, raw in self.resources.items() if scope.resource_type == kind and parent.contains(scope)]

    def _descendants(self, group: Scope) -> set[Scope]:
        """Azure says no more of a group that is not there than of one that may not be read."""
        if group not in self.above:
            raise ReadFailedError("list descendants", "AuthorizationFailed", "Azure answered 403", forbidden=True)
        return self.above[group]

    def _subscriptions(self) -> set[Scope]:
        return {scope.subscription for scope in self.resources if scope.subscription}

    async def query(self, kql: str, subscription: Scope | None = None) -> AsyncIterator[Raw]:
        if subscription:
            for raw in await self.troubles.around("read", lambda: self._graph(kql, subscription)):
                yield raw
            return
        elsewhere = re.search(r'subscriptionId !in~ \(([^)]*)\).*contains "([^"]*)"', kql)
        if elsewhere:
            for raw in await self.troubles.around("read", lambda: self._elsewhere(elsewhere[1], elsewhere[2])):
                yield raw
            return
        within = re.search(r'contains "\\"([^"\\]*)', kql)
        for raw in await self.troubles.around("read", lambda: self._workspaces(within[1] if within else "/")):
            yield raw

    def _graph(self, kql: str, subscription: Scope) -> list[Raw]:
        """All of the subscription: a query that narrows it down only leaves out what it does not ask for."""
        if kql.startswith("authorizationresources"):
            return [_listed(one, self.groups) for one in self.held if self._concerns(one.scope, subscription)]
        if kql.startswith("resourcecontainers"):
            groups = {one.resource_group for one in self.resources if one.resource_group and subscription.contains(one)}
            return [{"id": str(one), "tags": self.group_tags.get(one, {})} for one in groups]
        shown = [(scope, raw) for scope, raw in self.resources.items() if scope not in self.hidden]
        return [raw for scope, raw in shown if subscription.contains(scope) and "/computes/" not in str(scope)]

    def _elsewhere(self, subscriptions: str, host: str) -> list[Raw]:
        """Services of all other subscriptions that name a registry."""
        found = [(scope, raw) for scope, raw in self.resources.items() if scope not in self.hidden]
        there = [
            (scope, raw) for scope, raw in found if scope.subscription and scope.subscription.name not in subscriptions
        ]
        return [raw for scope, raw in there if host in str(raw) or scope.resource_type.endswith("/batchaccounts")]

    def _workspaces(self, within: str) -> list[Raw]:
        found = []
        believed = [(scope, raw) for scope, raw in self.resources.items() if scope not in self.hidden]
        for scope, raw in believed + [(Scope.parse(raw["id"]), raw) for raw in self.remembered]:
            if scope.resource_type == "microsoft.machinelearningservices/workspaces":
                attached = (raw.get("identity") or {}).get("userAssignedIdentities") or {}
                named = [raw["id"], *raw["properties"].values(), *attached]
                if any(isinstance(one, str) and _is_within(one, within) for one in named):
                    found.append({"id": raw["id"].lower(), "registry": raw["properties"].get("containerRegistry")})
        return found

    async def role_assignments(self, principal_id: str, subscription: Scope) -> Sequence[RoleAssignment]:
        return await self.troubles.around("read", lambda: self._assigned(principal_id, subscription))

    def _assigned(self, principal_id: str, subscription: Scope) -> list[RoleAssignment]:
        who = {principal_id, *self.groups_of(principal_id)}
        return [a for a in self.held if a.principal_id in who and self._concerns(a.scope, subscription)]

    def _concerns(self, scope: Scope, subscription: Scope) -> bool:
        """At, above or below the subscription."""
        return (
            scope.contains(subscription) or subscription.contains(scope) or subscription in self.above.get(scope, set())
        )

    def groups_of(self, member: str) -> set[str]:
        direct = {group for group, members in self.groups.items() if member in members}
        return direct | {outer for group in direct for outer in self.groups_of(group)}

    async def role_definitions(self, role_ids: frozenset[str], scope: Scope) -> Mapping[str, RoleDefinition]:
        return await self.troubles.around(
            "read",
            lambda: {
                role_id: self.roles[role_id]
                for role_id in role_ids & self.roles.keys()
                if self.assignable.get(role_id, scope).contains(scope)
            },
        )

    async def deny_assignments(self, subscription: Scope, principal_id: str | None) -> Sequence[DenyAssignment]:
        def found() -> list[DenyAssignment]:
            """ARM's filter leaves Everyone out, and may leave exclusions aside."""
            who = {principal_id, *self.groups_of(principal_id)} if principal_id else set()
            here = [deny for deny in self.denies if self._concerns(deny.scope, subscription)]
            return [deny for deny in here if principal_id is None or deny.principals & who]

        return await self.troubles.around("read", found)

    async def grant(self, grant: Grant, description: str) -> bool:
        return await self.troubles.around("write", lambda: self._grant(grant, description))

    def _grant(self, grant: Grant, description: str) -> bool:
        role_id, principal, scope = grant.need.role_id, grant.principal.id, grant.scope
        if self._resource(scope) is None:
            _refuse("ResourceNotFound")
        self._check_lock(scope)
        if role_id not in self.roles:
            _refuse("RoleDefinitionDoesNotExist")
        if role_id in self.forbidden:
            _refuse("AuthorizationFailed")
        if principal in self.unborn:
            raise NotBegunError("grant", "PrincipalNotFound", "the identity is not in the directory yet")
        if any((a.scope, a.principal_id, a.role_id) == (scope, principal, role_id) for a in self.assignments):
            return False  # 409 RoleAssignmentExists
        made = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{grant.name}"
        if any(a.id == made for a in self.assignments):
            _refuse("RoleAssignmentUpdateNotPermitted")
        self.assignments.append(RoleAssignment(made, scope, principal, role_id, None, self.clock, description))
        self.journal.append(("grant", grant))
        return True

    async def revoke(self, removal: Removal) -> bool:
        return await self.troubles.around("write", lambda: self._revoke(removal))

    def _revoke(self, removal: Removal) -> bool:
        self._check_lock(removal.scope, deleting=True)
        if removal.role_id in self.forbidden:
            _refuse("AuthorizationFailed")
        left = [one for one in self.assignments if Scope.parse(one.id) != removal.assignment]
        gone = len(left) == len(self.assignments)
        self.assignments = left
        self.journal.append(("removal", removal))
        return not gone

    async def change(self, setting: Setting) -> None:
        await self.troubles.around("write", lambda: self._change(setting))

    def _change(self, setting: Setting) -> None:
        raw = self.resources.get(setting.resource)
        if raw is None:
            _refuse("ResourceNotFound")
        self._check_lock(setting.resource)
        if setting.name in self.forbidden:
            _refuse("AuthorizationFailed")
        self.journal.append(("setting", setting))
        body = raw["properties"]
        match setting.name:
            case Property.ADMIN_USER:
                self.before_switch_off(setting.resource)
                body["adminUserEnabled"] = setting.to == "true"
                self.stale_keys |= self.users_of(setting.resource)
            case Property.CACHED_KEYS:
                self.stale_keys.discard(setting.resource)
            case Property.ACCESS_POLICY:
                assert setting.principal is not None
                if setting.takes:
                    body["accessPolicies"] = _without(body["accessPolicies"], setting.principal.id, setting.takes)
                    return
                kinds = {kind: [] for kind in ("keys", "secrets", "certificates")}  # type: dict[str, list[str]]
                for permission in VAULT_PERMISSIONS:
                    kinds[permission.partition("/")[0]].append(permission.partition("/")[2])
                body["accessPolicies"].append({"objectId": setting.principal.id, "permissions": kinds})

    def users_of(self, registry: Scope) -> set[Scope]:
        return {
            scope
            for scope, raw in self.resources.items()
            if scope.resource_type == _WORKSPACE
            and str(raw["properties"].get("containerRegistry")).lower().rstrip("/") == registry.key
        }

    def _check_lock(self, scope: Scope, *, deleting: bool = False) -> None:
        for raw in self.locks:
            held = str(raw["id"]).lower().partition("/providers/microsoft.authorization/locks/")[0]
            if (deleting or raw["properties"]["level"] == "ReadOnly") and _is_within(str(scope), held):
                _refuse("ScopeLocked")

    # what tests look at

    def admin_user(self, registry: Scope) -> bool:
        return bool(self.resources[registry]["properties"]["adminUserEnabled"])

    def holders(self, role: str, scope: Scope) -> set[str]:
        return {a.principal_id for a in self.assignments if a.scope == scope and a.role_id == ROLES[role].role_id}

    def may(
        self, principal: str, action: str, scope: Scope, *, data: bool = False, since: datetime | None = None
    ) -> bool:
        """Whether Azure would let `principal` do it, the slow and obvious way; and did already at `since`."""
        who = {principal, *self.groups_of(principal)}
        allowed = any(
            _any(b.data_actions if data else b.actions, action)
            and not _any(b.not_data_actions if data else b.not_actions, action)
            for a in self.held
            if a.principal_id in who and not a.condition and self._reaches(a.scope, scope)
            if since is None or a.created_on is None or a.created_on <= since
            for b in self.roles[a.role_id].permissions
        )
        return allowed and not any(
            _any(b.data_actions if data else b.actions, action)
            for deny in self.denies
            if deny.principals & {EVERYONE, *who} and principal not in deny.excluded
            if self._reaches(deny.scope, scope)
            for b in deny.blocks
        )

    def _reaches(self, assigned: Scope, scope: Scope) -> bool:
        return _is_within(str(scope), str(assigned)) or scope.subscription in self.above.get(assigned, set())


def _without(policies: Iterable[Raw], holder: str, gone: Iterable[str]) -> list[Raw]:
    """What is left; an entry without a permission is no entry."""
    left = []
    for entry in policies:
        kinds = entry["permissions"]
        if entry["objectId"] == holder:
            kinds = {k: [n for n in names if f"{k}/{n}".casefold() not in gone] for k, names in kinds.items()}
        if any(kinds.values()):
            left.append(entry | {"permissions": kinds})
    return left


def _any(patterns: Iterable[str], action: str) -> bool:
    return any(matches(pattern, action) for pattern in patterns)


def _is_within(text: str, outer: str) -> bool:
    return f"{text}/".lower().startswith(f"{outer.rstrip('/')}/".lower())


def _refuse(code: str) -> NoReturn:
    raise WriteRefusedError("write", code, "Azure refused it")


@dataclass
class FakeAuditLog:
    """`rows` are those that it accepted; it also answers as the reader of the log."""

    azure: FakeAzure

    @property
    def journal(self) -> list[tuple[str, Any]]:
        return self.azure.journal

    @property
    def troubles(self) -> Troubles:
        return self.azure.troubles

    async def record(self, table: str, rows: Sequence[Row]) -> None:
        await self.troubles.around("audit", lambda: self._accept(table, rows))

    def _accept(self, table: str, rows: Sequence[Row]) -> None:
        """Rows bear the real time. When the log accepted them is by the clock of the fakes."""
        self.journal.extend((table, row) for row in rows)
        self.azure.accepted.update((id(row), self.azure.clock) for row in rows)

    async def check(self) -> None:
        await self.troubles.around("audit", lambda: None)

    async def phases(self, run_id: str) -> set[tuple[str, str]]:
        return {(row["ActionId"], row["Outcome"]) for row in self.rows() if row["RunId"] == run_id}

    def rows(self, *outcomes: str) -> list[Row]:
        rows = [row for kind, row in self.journal if kind == "AmlGuardRemediation_CL"]
        return [row for row in rows if not outcomes or row["Outcome"] in outcomes]

    def findings(self) -> list[Row]:
        return [row for kind, row in self.journal if kind == "AmlGuardFinding_CL"]


@dataclass(frozen=True)
class Message:
    receipt: Receipt
    body: bytes
    due: datetime
    tries: int = 0


@dataclass
class FakeQueue:
    """`messages` that wait; whoever takes one takes it out. `poison` are those that were given up."""

    azure: FakeAzure
    troubles: Troubles
    messages: list[Message] = field(default_factory=list)
    poison: list[bytes] = field(default_factory=list)
    put_so_far: int = 0

    async def put(self, message: bytes, delay: timedelta) -> Receipt:
        if len(message) > _LONGEST_MESSAGE:
            raise AzureFailureError("put work on the queue", "RequestBodyTooLarge", "Azure answered 413")
        return await self.troubles.around("queue", lambda: self._put(message, delay))

    def _put(self, message: bytes, delay: timedelta) -> Receipt:
        self.put_so_far += 1
        receipt = (guid(f"message {self.put_so_far}"), "pop")
        self.messages.append(Message(receipt, message, self.azure.clock + delay))
        return receipt

    async def withdraw(self, receipt: Receipt) -> None:
        def gone() -> None:
            self.messages = [one for one in self.messages if one.receipt != receipt]

        await self.troubles.around("queue", gone)

    async def length(self) -> int:
        return await self.troubles.around("queue", lambda: len(self.messages))

    async def given_up(self) -> Sequence[GivenUp]:
        return await self.troubles.around("queue", lambda: [GivenUp(one, self.azure.clock) for one in self.poison])

    def take(self) -> Message | None:
        """The next message that is due."""
        due = [one for one in self.messages if one.due <= self.azure.clock]
        if not due:
            return None
        first = min(due, key=lambda one: one.due)
        self.messages.remove(first)
        return first

    def put_back(self, message: Message) -> None:
        self.messages.append(replace(message, tries=message.tries + 1))


def _listed(one: RoleAssignment, groups: Container[str]) -> Raw:
    """As ARM lists it."""
    return {
        "id": one.id,
        "name": one.id.rpartition("/")[2],
        "properties": {
            "scope": str(one.scope),
            "principalId": one.principal_id,
            "principalType": "Group" if one.principal_id in groups else "ServicePrincipal",
            "roleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{one.role_id}",
            "condition": one.condition,
            "createdOn": one.created_on.isoformat() if one.created_on else None,
            "description": one.description,
        },
    }
