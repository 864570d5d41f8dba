"""What of a plan can be written as code, for people who let no app write: Bicep, Terraform, a script.

Everything is sorted and there once, so that the same plan gives the same text, in whatever order it came.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from handlers.cli.console import one_line
from handlers.cli.formats.view import Item, View
from shared.access.asks import Property
from shared.access.needs import VAULT_PERMISSIONS
from shared.access.own_assignments import assignment_name
from shared.access.raw import is_object_id, object_id, scope_or_none
from shared.access.scope import Scope

SCRIPT = "`amlguard plan --format az`"
_LONGEST = 400
# What Azure takes as a principal's type. It looks for itself where it is told nothing.
_KINDS = ("ForeignGroup", "Group", "ServicePrincipal", "User")


@dataclass(frozen=True, slots=True)
class Holder:
    """`id` is None where only the deployment of a template gives it. Then the resource has the identity."""

    id: str | None
    resource: Scope | None

    @classmethod
    def of(cls, action: Mapping[str, Any]) -> Self | None:
        """None if nobody can tell from the plan whose it is."""
        named, resource = action.get("principalId"), scope_or_none(action.get("principal"))
        if isinstance(named, str):
            return cls(object_id(named), resource) if is_object_id(named) else None
        return cls(None, resource) if resource else None

    @property
    def key(self) -> str:
        return self.id or (self.resource.key if self.resource else "")


@dataclass(frozen=True, slots=True)
class Assignment:
    """`kind` is the principal's type, or empty."""

    scope: Scope
    holder: Holder
    kind: str
    role_id: str
    role_name: str
    why: str

    @classmethod
    def of(cls, item: Item) -> Self | None:
        one = item.action
        scope, holder = scope_or_none(one["scope"]), Holder.of(one)
        role = str(one["roleDefinitionId"]).rpartition("/")[2]
        if scope is None or holder is None or not is_object_id(role):
            return None
        kind = one["principalType"] if one["principalType"] in _KINDS else ""
        return cls(scope, holder, kind, object_id(role), one_line(one["roleName"]), item.reason)

    @property
    def key(self) -> tuple[str, ...]:
        return (self.scope.key, self.role_id, self.holder.key)

    @property
    def name(self) -> str | None:
        """The name that amlguard itself would give it. None for an identity that nobody has yet."""
        return assignment_name(self.scope, self.holder.id, self.role_id) if self.holder.id else None

    @property
    def role_definition_id(self) -> str:
        return f"{self.scope.subscription or ''}/providers/Microsoft.Authorization/roleDefinitions/{self.role_id}"

    @property
    def description(self) -> str:
        """Without amlguard's mark, by which it takes back what it made: this belongs to whoever ran the code."""
        return shortened(f"From a plan of amlguard. {self.role_name}: {self.why}")


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """Every permission except purge. `partly`: the vault has an entry of this holder, which lacks some of them."""

    vault: Scope
    holder: Holder
    partly: bool
    why: str

    @classmethod
    def of(cls, item: Item) -> Self | None:
        vault, holder = scope_or_none(item.action["resourceId"]), Holder.of(item.action)
        missing = str(item.action["from"]).count("/")
        return cls(vault, holder, missing < len(VAULT_PERMISSIONS), item.reason) if vault and holder else None

    @property
    def key(self) -> tuple[str, ...]:
        return (self.vault.key, self.holder.key)


@dataclass(frozen=True, slots=True)
class SwitchOff:
    """`resyncs` are the workspaces that keep the admin user's password, as far as the plan names them.

    `until`: not before then, because grants have to act first. Empty: now.
    """

    registry: Scope
    resyncs: Sequence[Scope]
    until: str
    why: str


@dataclass(frozen=True, slots=True)
class TakenBack:
    """One of amlguard's own assignments; the plans of `workspaces` have it."""

    assignment: Scope
    workspaces: Sequence[Scope]
    why: str


@dataclass(frozen=True, slots=True)
class Code:
    """`changes` says in lines what only the script does, `notes` what none of the code does."""

    assignments: Sequence[Assignment]
    policies: Sequence[AccessPolicy]
    switch_offs: Sequence[SwitchOff]
    removals: Sequence[TakenBack]
    changes: Sequence[str]
    notes: Sequence[str]
    policy_file: str

    @property
    def grants(self) -> Sequence[Assignment | AccessPolicy]:
        """What adds: the plan is enough for it, however old it is."""
        return (*self.assignments, *self.policies)


def as_code(seen: View) -> Code:
    items = sorted((item for item in seen.items if item.action), key=_order)
    grants = [(item, Assignment.of(item)) for item in items if item.part == "grants"]
    policies = [(item, AccessPolicy.of(item)) for item in items if _is_policy(item)]
    lost = sorted({one_line(item.title) for item, one in (*grants, *policies) if one is None})
    return Code(
        _once(one for _, one in grants if one),
        _once(one for _, one in policies if one),
        tuple(_switch_offs(items)),
        tuple(_removals(items)),
        tuple(dict.fromkeys(one_line(item.title) for item in items if _is_for_the_script(item))),
        (
            *_notes(seen.document),
            *(f"Not written, because the plan cannot tell whose or where: {one}" for one in lost),
        ),
        one_line(str(seen.document.get("policy") or "")),
    )


def shortened(text: str) -> str:
    """One line for people."""
    line = one_line(text)
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 2]} …"


def _order(item: Item) -> tuple[str, ...]:
    """Total, so that of two spellings or reasons the same one always comes first."""
    said = (item.action.get(name) for name in ("property", "roleDefinitionId", "principalId", "principal", "scope"))
    return (item.target.casefold(), item.target, *(str(one or "") for one in said), item.title, item.reason)


def _is_policy(item: Item) -> bool:
    return item.part == "settings" and item.action["property"] == Property.ACCESS_POLICY


def _is_switch_off(item: Item) -> bool:
    return item.part in ("settings", "deferred") and item.action.get("property") == Property.ADMIN_USER


def _is_for_the_script(item: Item) -> bool:
    return item.part == "removals" or _is_switch_off(item) or (item.part == "settings" and not _is_policy(item))


def _once[T: (Assignment, AccessPolicy)](found: Iterable[T]) -> tuple[T, ...]:
    """Several workspaces may need the same, each for its own reason."""
    same: dict[tuple[str, ...], list[T]] = {}
    for one in found:
        same.setdefault(one.key, []).append(one)
    return tuple(replace(some[0], why=_joined(one.why for one in some)) for _, some in sorted(same.items()))


def _joined(reasons: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(one_line(one) for one in reasons))


def _by_id(items: Iterable[Item], name: str) -> Iterator[tuple[Scope, list[Item]]]:
    found: dict[Scope, list[Item]] = {}
    for item in items:
        if scope := scope_or_none(item.action[name]):
            found.setdefault(scope, []).append(item)
    yield from sorted(found.items(), key=lambda pair: pair[0].key)


def _switch_offs(items: Sequence[Item]) -> Iterator[SwitchOff]:
    for registry, some in _by_id(filter(_is_switch_off, items), "resourceId"):
        until = max((str(item.document["until"]) for item in some if item.part == "deferred"), default="")
        users = {one.casefold() for item in some for one in item.workspaces}
        # A workspace has one registry: what its plan wants to be resynced is on the same one.
        kept = (item for item in items if item.action.get("property") == Property.CACHED_KEYS)
        theirs = (item for item in kept if users & {one.casefold() for one in item.workspaces})
        resyncs = [at for at, _ in _by_id(theirs, "resourceId")]
        yield SwitchOff(registry, resyncs, until, _joined(item.reason for item in some))


def _removals(items: Sequence[Item]) -> Iterator[TakenBack]:
    for assignment, some in _by_id((item for item in items if item.part == "removals"), "roleAssignmentId"):
        at = {one for item in some for each in sorted(item.workspaces) if (one := scope_or_none(each))}
        yield TakenBack(assignment, sorted(at, key=lambda one: one.key), _joined(item.reason for item in some))


def _notes(document: Mapping[str, Any]) -> Iterator[str]:
    """Nobody is to take the code for all of the plan."""
    count = {name: len(document.get(name, ())) for name in ("withheld", "deferred", "unknown", "errors")}
    told = [f"{name}: {number}" for name, number in count.items() if number]
    if told:
        yield f"The plan holds more than this ({', '.join(told)}). `amlguard plan` says what, and why."
    if document.get("filter"):
        yield "It is a part of the plan: what options like --rule chose."
