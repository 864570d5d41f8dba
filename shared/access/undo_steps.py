"""What runs did, read back from their audit rows, and the actions that take it back, in safe order.

What a run removed is made again first. Then admin users are turned on, then access policies lose what was added, and
grants are removed last. So at no moment is there less access than before the run (law 5). Only assignments that carry
the run's own marks are removed (law 8).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from shared.access.actions import Grant, Removal, Setting
from shared.access.asks import Property
from shared.access.history import is_found
from shared.access.intents import ENDED_EARLY
from shared.access.model import Principal, Raw
from shared.access.needs import VAULT_PERMISSIONS, Need
from shared.access.own_assignments import assignment_name, own
from shared.access.privileged import PRIVILEGED
from shared.access.raw import check_storable, get, is_object_id, object_id, parsed
from shared.access.routing import WORKSPACE
from shared.access.scope import Scope
from shared.access.terms import Terms
from shared.access.vaults import vault

type Change = Grant | Setting | Removal
SOURCE = "amlguard undo"
_ON, _OFF = "true", "false"
_MISSING = "missing: "
_ASSIGNMENTS = ("providers", "Microsoft.Authorization", "roleAssignments")
_REGISTRY, _VAULT = "microsoft.containerregistry/registries", "microsoft.keyvault/vaults"
_RESOURCE_TYPES = {Property.ADMIN_USER: _REGISTRY, Property.ACCESS_POLICY: _VAULT, Property.CACHED_KEYS: WORKSPACE}


@dataclass(frozen=True, slots=True)
class Done:
    """One change that a run made.

    `before` is what was there. For a grant at a registry, it says whether the admin user was on. `added` are the
    permissions that an access policy did not have before. `open`: the intent is on record, and no outcome.
    """

    run: str
    rule: str
    requirements: tuple[str, ...]
    on: Scope
    principal_id: str
    role_id: str = ""
    assignment: Scope | None = None
    scope: Scope | None = None
    removed: bool = False
    setting: Property | None = None
    before: str = ""
    after: str = ""
    added: frozenset[str] = frozenset()
    open: bool = False

    @property
    def at(self) -> Scope:
        """Where the role was assigned, or whose setting it was."""
        return self.scope or self.on

    @property
    def target(self) -> Scope:
        return self.assignment or self.on

    @property
    def action_id(self) -> str:
        """The id of the run's own action, computed from what it changed, because a row could name any other id."""
        if self.setting:
            return _setting(self, self.before, self.after, "").action_id
        return _removal(self, "").action_id if self.removed else self.target.name.casefold()


@dataclass(frozen=True, slots=True)
class Past:
    """`served` are the resources for which the changes were made. `refused` says which rows are not amlguard's."""

    done: tuple[Done, ...]
    served: frozenset[Scope]
    refused: tuple[str, ...] = ()


def past(rows: Iterable[Mapping[str, Any]], terms: Terms) -> Past:
    """From all rows of runs, oldest first. What was made several times counts once, with the least that the rows say.

    A row is a claim: a row that amlguard could not have written leads to nothing. If a run ended early, nobody can tell
    whether it made what a later run found. What is as the run wanted it is then taken back.
    """
    found: dict[str, Done] = {}
    served: set[Scope] = set()
    refused: list[str] = []
    for row in _told(rows):
        try:
            one = _done(row, terms)
            served |= {one.on, *(Scope.parse(each) for each in _list(row.get("NeededBy")))}
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            refused.append(
                f"a row of run {row.get('RunId')} is not as amlguard writes them, and is left alone: {error}"
            )
            continue
        if not is_found(row) or row.get("Code") == ENDED_EARLY:
            found[one.action_id] = _least(found[one.action_id], one) if one.action_id in found else one
    return Past(tuple(found.values()), frozenset(served), tuple(dict.fromkeys(refused)))


def _least(one: Done, later: Done) -> Done:
    """A row together with others adds nothing to what they all say."""
    before = later.before if later.setting or one.before == later.before else ""
    return replace(later, before=before, added=one.added & later.added)


def _told(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What was applied, and what was only planned and has no outcome of any kind."""
    rows = list(rows)
    ended = {_key(row) for row in rows if row.get("Outcome") != "Planned"}
    return [row for row in rows if row.get("Outcome") == "Applied" or _key(row) not in ended]


def _key(row: Mapping[str, Any]) -> tuple[str, str]:
    return str(row.get("RunId")), str(row.get("ActionId"))


def _done(row: Mapping[str, Any], terms: Terms) -> Done:
    check_storable(row)
    on = Scope.parse(row["ResourceId"])
    UUID(str(row["ActionId"]))
    common = (
        str(UUID(str(row["RunId"]))),
        str(row["RuleId"]),
        tuple(str(one) for one in _list(row.get("Requirements"))),
        on,
        object_id(row.get("PrincipalId") or ""),
    )
    before, after, is_open = str(row.get("From") or ""), str(row.get("To") or ""), row["Outcome"] == "Planned"
    if row["Action"] == "Setting":
        named = Property(row["Property"])
        added = _added(row, before) if named is Property.ACCESS_POLICY else frozenset()
        _check_setting(named, on, before, after)
        if added and not is_object_id(common[-1]):
            raise ValueError("it does not say whose access policy it was")
        return Done(*common, setting=named, before=before, after=after, added=added, open=is_open)
    role = str(row["RoleDefinitionId"]).rpartition("/")[2].casefold()
    assignment, scope = Scope.parse(row["RoleAssignmentId"]), Scope.parse(row["Scope"])
    removed = {"Grant": False, "Removal": True}[row["Action"]]
    if assignment != scope.child(*_ASSIGNMENTS, assignment.name):
        raise ValueError(f"{assignment} is not a role assignment at {scope}")
    if removed:  # for a grant, the assignment itself shows what was granted
        _check_assignment(assignment, scope, common[-1], role, terms)
    return Done(*common, role, assignment, scope, removed=removed, before=before, open=is_open)


def _check_setting(named: Property, on: Scope, before: str, after: str) -> None:
    if on.resource_type != _RESOURCE_TYPES.get(named):
        raise ValueError(f"{on} has no {named} that amlguard changes")
    if named is Property.ADMIN_USER and (before, after) != (_ON, _OFF):
        raise ValueError(f"amlguard turns admin users off, and this one went from {before} to {after}")


def _added(row: Mapping[str, Any], before: str) -> frozenset[str]:
    """The permissions that the access policy did not have before. Old rows without that column list them in `From`."""
    added = [str(one) for one in _list(row.get("AddedPermissions"))]
    if not added and before.startswith(_MISSING):
        added = before.removeprefix(_MISSING).split(", ")
    if not added:
        raise ValueError("it does not say which permissions were added")
    if strange := sorted({one.casefold() for one in added} - VAULT_PERMISSIONS):
        raise ValueError(f"amlguard adds no such permission of a vault: {', '.join(strange)}")
    return frozenset(one.casefold() for one in added)


def _check_assignment(assignment: Scope, scope: Scope, principal_id: str, role_id: str, terms: Terms) -> None:
    """What is made again has amlguard's name for it, and a role that rules or the policy give on such a resource."""
    if assignment.name.casefold() != assignment_name(scope, principal_id, role_id):
        raise ValueError(f"{assignment} is not named as amlguard names its own")
    known = {(need.role_id, need.resource_type) for rule in terms.table for need in rule.grants}
    known |= {(people.role_id.casefold(), WORKSPACE) for people in terms.people}
    if role_id in PRIVILEGED or (role_id, scope.resource_type) not in known:
        raise ValueError(f"no rule and no policy gives role {role_id} on {scope}")


def _list(value: Any) -> Sequence[Any]:
    """Log Analytics gives a dynamic column as text."""
    found = parsed(value) if isinstance(value, str) and value else value or ()
    if not isinstance(found, list | tuple):
        raise TypeError("a list is expected")
    return found


@dataclass(frozen=True, slots=True)
class Step:
    """`action` takes `done` back. If it is None, the reason says why there is nothing to do, or nothing of amlguard's.

    `shared` is the identity to which a grant was made, if others may have it, too.
    """

    done: Done
    action: Change | None
    reason: str
    shared: Scope | None = None


def step(one: Done, now: Raw | None) -> Step:
    """`now` is what `one.target` is at this moment: the role assignment, the registry or the vault.

    None: it does not exist.
    """
    why = f"undoes run {one.run}"
    if one.setting is Property.ADMIN_USER:
        return _admin_user(one, now, why)
    if one.setting is Property.ACCESS_POLICY:
        return _access_policy(one, now, why)
    if one.setting:
        return Step(one, None, "cached keys follow the admin user")
    if one.removed:
        return _again(one, now, why)
    return _grant(one, now, why)


def _admin_user(one: Done, now: Raw | None, why: str) -> Step:
    if now is None:
        return Step(one, None, f"{one.on.name} does not exist any more")
    current = _ON if get(now, "properties", "adminUserEnabled") is True else _OFF
    if current == one.before:
        return Step(one, None, f"it is as it was before: {one.setting} {one.before}")
    return Step(one, _setting(one, current, one.before, why), why)


def _access_policy(one: Done, now: Raw | None, why: str) -> Step:
    held = vault(now).policies.get(one.principal_id.casefold(), frozenset()) if now else frozenset()
    if held.isdisjoint(one.added):
        return Step(one, None, "the access policy no longer has what the run added")
    return Step(one, _setting(one, one.after, one.before, why), why)


def _setting(one: Done, current: str, to: str, why: str) -> Setting:
    principal = Principal(one.principal_id, one.principal_id) if one.principal_id else None
    named = one.setting or Property.ADMIN_USER
    return Setting(
        one.on, named, current, to, one.rule, one.requirements, why, SOURCE, principal, takes=tuple(sorted(one.added))
    )


def _grant(one: Done, now: Raw | None, why: str) -> Step:
    """What Azure shows decides what is removed, not what the row says."""
    if now is None:
        return Step(one, None, "it is gone already")
    mark = own(now)
    if mark is None or mark.run != one.run or mark.assignment != one.assignment:
        return Step(one, None, "the assignment that is there now is not the one that the run made: it stays")
    if (mark.on, mark.scope, mark.principal_id, mark.role_id) != (one.on, one.scope, one.principal_id, one.role_id):
        return Step(one, None, "the row does not say the same about the assignment as Azure: it stays")
    return Step(one, _removal(one, why), why, mark.shared)


def _removal(one: Done, why: str) -> Removal:
    return Removal(one.target, one.at, one.principal_id, one.role_id, one.on, one.rule, one.requirements, why, SOURCE)


def _again(one: Done, now: Raw | None, why: str) -> Step:
    if now is not None:
        return Step(one, None, "it is there again")
    need = Need("hold it as before", (), one.role_id, one.role_id)
    principal = Principal(one.principal_id, one.principal_id)
    return Step(one, Grant(principal, need, one.at, one.on, one.rule, one.requirements, why, SOURCE), why)


def order(steps: Iterable[Step]) -> list[Step]:
    """Steps with something to do: first what is made again, then admin users, access policies, and what is removed."""
    turns = (Grant, Property.ADMIN_USER, Property.ACCESS_POLICY, Removal)

    def turn(one: Step) -> int:
        return turns.index(one.action.name if isinstance(one.action, Setting) else type(one.action))

    return sorted((one for one in steps if one.action), key=turn)
