"""What became of an intent, judged by its audit row and by what exists now.

A run that died, or that Azure did not answer, leaves a Planned row without an outcome. The row says what was to be
done, and the state says whether it was done.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from shared.access.asks import Property
from shared.access.model import Raw
from shared.access.own_assignments import OwnAssignment, own, unique
from shared.access.quoting import kql
from shared.access.raw import check_storable, get, object_id, parsed, scope_or_none, time
from shared.access.routing import WORKSPACE
from shared.access.scope import Scope
from shared.access.vaults import vault

type Row = Mapping[str, Any]

LONGEST_RUN = timedelta(minutes=10)
"""functionTimeout in host.json. On the command line nothing begins later than that either (`shared.writing.apply`)."""
LOG_DELAY = timedelta(minutes=20)
"""Rows mostly appear in Log Analytics within three minutes, but sometimes later."""
OPEN_AFTER = LONGEST_RUN + LOG_DELAY
"""An intent without an outcome that is older than this is open: nobody will still write its outcome."""
ENDED_EARLY = "EndedEarly"
"""The code of an outcome that a later look wrote because the run did not."""
PLANNED = "Planned"
PAGE = 500
"""So many open intents are asked for at once, oldest first."""
_DAYS = 7
_GUID_LENGTH = 36
_CLOCKS_DIFFER = timedelta(minutes=5)
_AT_REST = {"succeeded", "failed", "canceled", "none"}
_LISTS = ("Requirements", "NeededBy", "AddedPermissions")


def query(after: str = "") -> str:
    """KQL over the audit log: a page of the intents of the last week that are open, oldest first.

    `after` is the `Place` of the last row of the page before.
    """
    minutes = OPEN_AFTER // timedelta(minutes=1)
    ids = " and ".join(f"strlen({name}) == {_GUID_LENGTH}" for name in ("RunId", "ActionId"))
    return (
        f"AmlGuardRemediation_CL | where TimeGenerated > ago({_DAYS}d) and Mode == 'enforce' and {ids} "
        "| summarize arg_max(TimeGenerated, *) by RunId, ActionId "
        f"| where Outcome == '{PLANNED}' and TimeGenerated < ago({minutes}m) "
        "| extend Place = strcat(TimeGenerated, ' ', RunId, ' ', ActionId) "
        f"| where strcmp(Place, {kql(after)}) > 0 | order by Place asc | take {PAGE}"
    )


class Fate(StrEnum):
    """`MADE`: this run made it. `FOUND`: the state is as intended, and nobody can tell who made it.

    `OF_OTHERS`: the state is as intended, and this run did not make it so.
    """

    MADE = "made"
    FOUND = "found"
    OF_OTHERS = "of others"
    NOT_MADE = "not made"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Intent:
    """`target` shows what became of it: the role assignment, the registry, the vault or the workspace."""

    row: Row
    action: str
    target: Scope
    setting: Property | None = None

    @property
    def is_undo(self) -> bool:
        """Undo records under the id of the action that it takes back."""
        if self.setting:
            who = str(self.row.get("PrincipalId") or "").casefold()
            return str(self.row["ActionId"]) != unique(self.target.key, self.setting, str(self.row.get("To")), who)
        granted = str(self.row["ActionId"]).casefold() == self.target.name.casefold()
        return granted if self.action == "Removal" else not granted

    def fate(self, now: Raw | None, began: datetime | None = None) -> Fate:
        """`now` is what `target` is at this moment. None: it does not exist. Nothing shows the cached keys.

        `began` is when the run began. None: it is under way.
        """
        if self.setting is Property.ADMIN_USER:
            return self._of_admin_user(now)
        if self.setting is Property.ACCESS_POLICY:
            return self._of_access_policy(now)
        if self.setting:
            return Fate.NOT_MADE if now is None else Fate.UNKNOWN
        created = time(get(now, "properties", "createdOn"))
        if self.action == "Removal":
            made_again = began and created and created > began
            return Fate.FOUND if now is None or made_again else Fate.NOT_MADE
        return Fate.NOT_MADE if now is None else self._of_assignment(own(now), created, began)

    def _of_assignment(self, mark: OwnAssignment | None, created: datetime | None, began: datetime | None) -> Fate:
        """The mark tells. Without it, people have changed the description, and the time may tell."""
        if mark:
            return Fate.MADE if mark.run == self.row["RunId"] else Fate.OF_OTHERS
        if created and began and not began - _CLOCKS_DIFFER <= created <= began + LONGEST_RUN:
            return Fate.OF_OTHERS
        return Fate.FOUND

    def _of_admin_user(self, now: Raw | None) -> Fate:
        if str(get(now, "properties", "provisioningState")).casefold() not in _AT_REST:
            return Fate.UNKNOWN
        return _found(get(now, "properties", "adminUserEnabled") is (self.row.get("To") == "true"))

    def _of_access_policy(self, now: Raw | None) -> Fate:
        held = vault(now).policies.get(object_id(str(self.row.get("PrincipalId"))), frozenset()) if now else frozenset()
        named = {str(one).casefold() for one in _list(self.row.get("AddedPermissions"))}
        if not named:
            return Fate.UNKNOWN
        return _found(held.isdisjoint(named) if self.is_undo else named <= held)


def _found(there: bool) -> Fate:
    return Fate.FOUND if there else Fate.NOT_MADE


def intent(row: Row) -> Intent:
    """Raises `ValueError` for a row that amlguard did not write."""
    try:
        for name in ("RunId", "ActionId"):
            UUID(str(row[name]))
        action = str(row["Action"])
        if action == "Setting":
            return Intent(row, action, Scope.parse(row["ResourceId"]), Property(row["Property"]))
        if action not in ("Grant", "Removal"):
            raise ValueError(f"{action} is not a change")
        return Intent(row, action, Scope.parse(row["RoleAssignmentId"]))
    except (LookupError, TypeError) as error:
        raise ValueError(f"a column is missing or malformed: {error}") from error


_REASONS = {
    Fate.MADE: "the run ended before it could say so: the existing assignment names it",
    Fate.FOUND: "the run ended before it could say so: the state is as intended, and nobody can tell who made it",
    Fate.OF_OTHERS: "the run ended before it could say so: the existing assignment is of another run",
    Fate.NOT_MADE: "the run ended before it could say so: nothing of it exists; amlguard looks again",
}


def outcome(one: Intent, fate: Fate, now: datetime) -> dict[str, Any]:
    """The row that says what became of it."""
    done = "Undone" if one.is_undo else "Applied"
    return ended(one.row, now) | {
        "Outcome": done if fate in (Fate.MADE, Fate.FOUND) else "Deferred",
        "Reason": _REASONS[fate],
        "Found": fate is Fate.FOUND,
        "Code": ENDED_EARLY,
    }


def ended(row: Row, now: datetime) -> dict[str, Any]:
    """The intent's row once more, as of `now` by the clock of this machine: later than the intent in any case."""
    begun = moment(row.get("TimeGenerated"))
    after = max(now, begun + timedelta(milliseconds=1)) if begun else now
    return {**row, "TimeGenerated": after.isoformat()}


def as_recorded(row: Row, columns: Iterable[str]) -> dict[str, Any]:
    """Turns a row of Log Analytics into the form in which amlguard wrote it.

    Log Analytics gives lists as text and adds columns of its own. Raises `ValueError`.
    """
    try:
        found = {name: _in_text(row.get(name)) for name in columns}
        found |= {name: _list(row.get(name)) for name in _LISTS}
    except TypeError as error:
        raise ValueError(str(error)) from error
    check_storable(found)
    return found


def still_open(rows: Iterable[Row]) -> list[Row]:
    """From all rows of some runs, oldest first, those of intents without an outcome after them."""
    last: dict[tuple[str, str], Row] = {}
    for row in rows:
        last[str(row.get("RunId")), str(row.get("ActionId"))] = row
    return [row for row in last.values() if row.get("Outcome") == PLANNED]


def workspaces_of(rows: Iterable[Row]) -> frozenset[Scope]:
    """The workspaces that a run was about, as far as its rows say."""
    named = (text for row in rows for text in (row.get("ResourceId"), *_list(row.get("NeededBy"))))
    scopes = (scope_or_none(text) for text in named)
    found = (scope.ancestor(WORKSPACE) for scope in scopes if scope)
    return frozenset(workspace for workspace in found if workspace)


def moment(value: object) -> datetime | None:
    """A time as a file or Log Analytics has it."""
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _in_text(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


def _list(value: object) -> Sequence[Any]:
    found = parsed(value) if isinstance(value, str) and value else value or []
    if not isinstance(found, list | tuple):
        raise TypeError("a list is expected")
    return list(found)
