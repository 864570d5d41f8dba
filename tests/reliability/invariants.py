"""What must hold whatever Azure does, in one place. Each says in words what is wrong.

By Azure's view alone: what may be granted, who needs the admin user and what is ours is worked out here, slowly.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Self

import raw
from fakes import FakeAzure
from properties.tenants_at_random import dependants
from unit.build import GROUP, ROLES

from shared.access.actions import Grant, Removal, Setting
from shared.access.asks import Property
from shared.access.intents import ENDED_EARLY
from shared.access.scope import Scope

type Row = Mapping[str, Any]

REMEDIATIONS = "AmlGuardRemediation_CL"
_ENDS = ("Applied", "Failed", "Undone")
_REGISTRY = "microsoft.containerregistry/registries"
_STORAGE = "microsoft.storage/storageaccounts"
MAY_BE_GRANTED: Mapping[str, frozenset[str]] = {
    _REGISTRY: frozenset({"AcrPull", "Container Registry Repository Reader"}),
    _STORAGE: frozenset({"Storage Blob Data Reader", "Storage Blob Data Contributor"}),
}
"""All that the rules of these tenants ask for: pulls, and reading and writing what a workspace keeps in its storage."""


@dataclass(repr=False)
class Watched(FakeAzure):
    """Notes at each write in `wrong` what must never happen. `ours` are the assignments that amlguard made.

    `unknown` are users of the registry that nobody can read now. `settle` is the policy's.
    """

    settle: timedelta = timedelta()
    wrong: list[str] = field(default_factory=list)
    ours: set[str] = field(default_factory=set)
    ever: set[str] = field(default_factory=set)
    policies: set[str] = field(default_factory=set)

    def copy(self) -> Self:
        """The same tenant, with what amlguard made known as its own."""
        twin = super().copy()
        twin.wrong, twin.ours, twin.ever, twin.policies = [], set(self.ours), set(self.ever), set(self.policies)
        return twin

    def have(self, *raws: raw.Raw, aml: bool = True) -> None:
        super().have(*raws, aml=aml)
        self.ever |= {one for each in raws for one in _identities(each)}

    def _grant(self, grant: Grant, description: str) -> bool:
        made = super()._grant(grant, description)
        if made:
            self.ours.add(self.assignments[-1].id)
            self.wrong += self._beyond(grant, description)
        return made

    def _beyond(self, grant: Grant, description: str) -> Iterator[str]:
        """No grant beyond the requirements, ever."""
        role = next((name for name, one in ROLES.items() if one.role_id == grant.need.role_id), "?")
        said = f"{role} at {grant.scope} to {grant.principal.id}"
        if role not in MAY_BE_GRANTED.get(grant.scope.resource_type, ()):
            yield f"granted beyond the requirements: {said}"
        if not GROUP.contains(grant.scope):
            yield f"granted outside the boundary: {said}"
        if grant.principal.id not in self.ever:
            yield f"granted to nobody's identity: {said}"
        if not description.startswith("amlguard: "):
            yield f"granted without a mark: {said}"

    def _revoke(self, removal: Removal) -> bool:
        there = [one for one in self.assignments if Scope.parse(one.id) == removal.assignment]
        self.wrong += [f"removed, and not ours: {one.id}" for one in there if one.id not in self.ours]
        return super()._revoke(removal)

    def _change(self, setting: Setting) -> None:
        if setting.name is Property.ADMIN_USER and setting.to == "false":
            self.wrong += self._too_early(setting.resource)
        if setting.name is Property.ACCESS_POLICY and setting.principal:
            if setting.takes and setting.principal.id not in self.policies:
                self.wrong.append(f"an access policy was removed, and not ours: {setting.principal.id}")
            self.policies.add(setting.principal.id)
        super()._change(setting)

    def _too_early(self, registry: Scope) -> Iterator[str]:
        """The admin user is never turned off while anybody is uncovered or unknown."""
        for one in dependants(self, registry, since=self.clock - self.settle):
            yield f"the admin user of {registry.name} went off while {one.name} still needed it"
        for user in self.users_of(registry):
            for collection in sorted(self.unreadable & {"computes", "onlineEndpoints"}):
                yield f"the admin user of {registry.name} went off while {collection} of {user.name} were unknown"


def _identities(one: raw.Raw) -> Iterator[str]:
    block: Any = one.get("identity") or {}
    if block.get("principalId"):
        yield block["principalId"]
    for resource, user in block.get("userAssignedIdentities", {}).items():
        if GROUP.contains(Scope.parse(resource)):
            yield user["principalId"]


def recorded(azure: FakeAzure) -> Iterator[str]:
    """Each write has an intent before it, and an outcome after it that says what it did.

    If its run died and others undid it before anybody looked, the outcome can only say that nothing of it exists.
    """
    journal = azure.journal
    for at, (kind, action) in enumerate(journal):
        if kind not in ("grant", "setting", "removal"):
            continue
        about = _about(kind, action)
        if not any(_tells(row, about, ("Planned",)) for row in _rows(journal[:at])):
            yield f"written without an intent on record: {about}"
        after = _rows(journal[at:])
        told = any(_tells(row, about, ("Applied", "Undone")) for row in after)
        gone = any(_tells(row, about, ("Deferred",)) and row["Code"] == ENDED_EARLY for row in after)
        if not told and (not gone or _shows(kind, action, azure)):
            yield f"written, and no outcome says so: {about}"


def _shows(kind: str, action: Any, azure: FakeAzure) -> bool:
    """Whether Azure shows the write now."""
    match kind:
        case "grant" | "removal":
            name = action.name if kind == "grant" else action.assignment.name
            there = any(one.id.casefold().endswith(f"/{name.casefold()}") for one in azure.assignments)
            return there == (kind == "grant")
        case _ if action.name is Property.ADMIN_USER and action.resource in azure.resources:
            return azure.admin_user(action.resource) is (action.to == "true")
    return True


def ended(journal: Sequence[tuple[str, Any]]) -> Iterator[str]:
    """Counted by RunId, ActionId and Outcome, each intent has one end, and no end comes without an intent."""
    intents, ends = set[tuple[str, str]](), dict[tuple[str, str], str]()
    last = dict[tuple[str, str], str]()
    for row in _rows(journal):
        key = row["RunId"], row["ActionId"]
        if row["Outcome"] == "Planned":
            intents.add(key)
        elif row["Outcome"] in _ENDS:
            # What was refused changed nothing, and may be done by the same run later: then that is its end.
            if ends.get(key, "Failed") not in ("Failed", row["Outcome"]):
                yield f"two ends of one intent: {ends[key]}, then {row['Outcome']} of {key}"
            ends[key] = row["Outcome"]
            if key not in intents and not row["Found"]:
                yield f"an outcome without an intent: {row['Outcome']} of {key}"
        last[key] = row["Outcome"]
    yield from (f"an intent without an outcome: {key}" for key in intents if last[key] == "Planned")


def _rows(journal: Iterable[tuple[str, Any]]) -> list[Row]:
    return [row for kind, row in journal if kind == REMEDIATIONS]


def _about(kind: str, action: Any) -> tuple[str, str, str, str]:
    match kind:
        case "grant":
            name = f"{action.scope}/providers/Microsoft.Authorization/roleAssignments/{action.name}"
            return "Grant", Scope.parse(name).key, "", ""
        case "removal":
            return "Removal", action.assignment.key, "", ""
        case _:
            principal = action.principal.id if action.principal else ""
            return "Setting", action.resource.key, str(action.name), principal


def _tells(row: Row, about: tuple[str, str, str, str], outcomes: Sequence[str]) -> bool:
    if row["Outcome"] not in outcomes or row["Action"] != about[0]:
        return False
    where = row["ResourceId"] if about[0] == "Setting" else row["RoleAssignmentId"]
    told = Scope.parse(where).key, row.get("Property", ""), row["PrincipalId"] if about[3] else ""
    return told == about[1:]


def stale(azure: FakeAzure) -> Iterator[str]:
    """A switch-off ends with the resync."""
    for workspace in azure.stale_keys:
        named = azure.resources.get(workspace, {}).get("properties", {}).get("containerRegistry")
        registry = azure.resources.get(Scope.parse(named)) if named else None
        if registry and not registry["properties"]["adminUserEnabled"]:
            yield f"the cached keys of {workspace.name} are stale"


def held(azure: FakeAzure) -> set[tuple[str, str, str]]:
    """What counts of a tenant's assignments."""
    return {(one.scope.key, one.principal_id, one.role_id) for one in azure.assignments}


def differing(azure: FakeAzure, wanted: FakeAzure) -> Iterator[str]:
    """Every required grant that no guard withholds is there, and nothing else: as where nothing went wrong."""
    yield from (f"missing: {one}" for one in held(wanted) - held(azure))
    yield from (f"too much: {one}" for one in held(azure) - held(wanted))
    for scope, one in wanted.resources.items():
        if scope.resource_type == _REGISTRY and scope in azure.resources:
            is_on, should = azure.admin_user(scope), bool(one["properties"]["adminUserEnabled"])
            if is_on != should:
                yield f"the admin user of {scope.name} is {'on' if is_on else 'off'}"


def lost(given_up: Sequence[bytes], azure: FakeAzure, wanted: FakeAzure) -> list[str]:
    """Nothing is acknowledged and lost: once the queue is empty, before any sweep, it is done.

    Or it is on record that it is not: as work that was given up, or as an action that failed.
    """
    if given_up or any(row["Outcome"] == "Failed" for row in _rows(azure.journal)):
        return []
    return [f"acknowledged and lost: {one}" for one in differing(azure, wanted)]


def always(azure: Watched) -> list[str]:
    """What holds at every moment."""
    return list(azure.wrong)


def at_rest(azure: Watched) -> list[str]:
    """What holds once nothing goes wrong any more and a sweep has come."""
    return [*azure.wrong, *recorded(azure), *ended(azure.journal), *stale(azure)]
