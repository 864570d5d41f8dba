"""What runs did, read back from their audit rows, and the actions that take it back, in safe order.

What was taken back by the run comes again first, then admin users, then access policies, and grants go last: at no
moment is there less than before the run (law 5). Only assignments that carry the run's own marks go (law 8).
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.access.asks import Property
from shared.access.history import NOTHING_DONE
from shared.access.marks import own
from shared.access.model import Principal, Raw
from shared.access.needs import Need
from shared.access.outcomes import Grant, Removal, Setting
from shared.access.raw import get
from shared.access.scope import Scope
from shared.access.vaults import vault

type Change = Grant | Setting | Removal
_ON, _OFF = "true", "false"
_SOURCE = "amlguard undo"
_MISSING = "missing: "


@dataclass(frozen=True, slots=True)
class Done:
    """One change that a run made. `action_id` is that of the run's own action."""

    run: str
    action_id: str
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

    @property
    def target(self) -> Scope:
        return self.on if self.setting else self.assignment or self.on


def done(rows: Iterable[Mapping[str, Any]]) -> tuple[Done, ...]:
    """From rows whose outcome is Applied, oldest first; what was made several times counts once, as of the last."""
    found: dict[str, Done] = {}
    for row in rows:
        if not str(row.get("Reason")).startswith(NOTHING_DONE):
            found[str(row["ActionId"])] = _done(row)
    return tuple(found.values())


def _done(row: Mapping[str, Any]) -> Done:
    requirements = row.get("Requirements") or []
    common = (
        str(row["RunId"]),
        str(row["ActionId"]),
        str(row["RuleId"]),
        tuple(json.loads(requirements) if isinstance(requirements, str) else requirements),
        Scope.parse(row["ResourceId"]),
        str(row.get("PrincipalId") or ""),
    )
    if row["Action"] == "Setting":
        named = Property(row["Property"])
        return Done(*common, setting=named, before=str(row.get("From") or ""), after=str(row.get("To") or ""))
    role = str(row["RoleDefinitionId"]).rpartition("/")[2]
    assignment, scope = Scope.parse(row["RoleAssignmentId"]), Scope.parse(row["Scope"])
    return Done(*common, role, assignment, scope, removed=row["Action"] == "Removal")


@dataclass(frozen=True, slots=True)
class Step:
    """`action` takes `done` back; None with the reason why there is nothing to do, or nothing of ours."""

    done: Done
    action: Change | None
    reason: str


def step(one: Done, now: Raw | None) -> Step:
    """`now` is what `one.target` is at this moment: the role assignment, the registry, the vault; None: not there."""
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
        return Step(one, None, f"{one.on.name} is not there any more")
    current = _ON if get(now, "properties", "adminUserEnabled") is True else _OFF
    if current == one.before:
        return Step(one, None, f"it is as it was before: {one.setting} {one.before}")
    return Step(one, _setting(one, current, one.before, why), why)


def _access_policy(one: Done, now: Raw | None, why: str) -> Step:
    added = frozenset(one.before.removeprefix(_MISSING).split(", "))
    held = vault(now).policies.get(one.principal_id.casefold(), frozenset()) if now else frozenset()
    if not added & held:
        return Step(one, None, "the access policy does not hold any more what the run added")
    return Step(one, _setting(one, one.after, one.before, why), why)


def _setting(one: Done, current: str, to: str, why: str) -> Setting:
    principal = Principal(one.principal_id, one.principal_id) if one.principal_id else None
    named = one.setting or Property.ADMIN_USER
    return Setting(one.on, named, current, to, one.rule, one.requirements, why, _SOURCE, principal)


def _grant(one: Done, now: Raw | None, why: str) -> Step:
    if now is None:
        return Step(one, None, "it is gone already")
    mark = own(now)
    if mark is None or mark.run != one.run:
        return Step(one, None, "the assignment that is there now is not the one that the run made: it stays")
    scope = one.scope or mark.scope
    removal = Removal(
        mark.assignment, scope, mark.principal_id, mark.role_id, one.on, one.rule, one.requirements, why, _SOURCE
    )
    return Step(one, removal, why)


def _again(one: Done, now: Raw | None, why: str) -> Step:
    if now is not None:
        return Step(one, None, "it is there again")
    need = Need("hold it as before", (), one.role_id, one.role_id)
    principal = Principal(one.principal_id, one.principal_id)
    scope = one.scope or one.on
    return Step(one, Grant(principal, need, scope, one.on, one.rule, one.requirements, why, _SOURCE), why)


def order(steps: Iterable[Step]) -> list[Step]:
    """Those with something to do: what comes again, admin users, access policies, and what goes."""
    ranks = {Grant: 0, Setting: 1, Removal: 3}

    def rank(one: Step) -> int:
        policy = isinstance(one.action, Setting) and one.action.name is Property.ACCESS_POLICY
        return 2 if policy else ranks[type(one.action)]

    return sorted((one for one in steps if one.action), key=rank)
