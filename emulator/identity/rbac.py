"""Who may do what where: Azure's role-based access control, with groups, conditions and deny assignments.

https://learn.microsoft.com/azure/role-based-access-control/overview#how-azure-rbac-determines-if-a-user-has-access-to-a-resource
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from emulator.history import History
from emulator.identity.conditions import Attributes, Conditions
from emulator.identity.wildcards import matches
from emulator.ids import ResourcePath, guid_at_end, key_of, object_key
from emulator.tenant import Tenant, holding

type Json = dict[str, Any]

EVERYONE = "00000000-0000-0000-0000-000000000000"


class Verdict(Enum):
    ALLOWED = auto()
    NOT_GRANTED = auto()
    CONDITION_NOT_FULFILLED = auto()
    DENIED = auto()


@dataclass(frozen=True, slots=True)
class Decision:
    verdict: Verdict
    assignment: Json | None = None
    """The role assignment that allows, or the deny assignment that denies."""


class Rbac:
    """By the `history`, a role assignment may have its effect some time after it was made."""

    def __init__(self, tenant: Tenant, history: History | None = None) -> None:
        self._tenant = tenant
        self._history = history
        self._conditions = Conditions()
        self._everywhere: dict[tuple[str, str, str], bool] = {}
        self._known_at = -1

    def allowed(
        self, principal_id: str, action: str, scope: str, *, data: bool = False, attributes: Attributes | None = None
    ) -> bool:
        """`data` asks for a data action. Without attributes no condition that compares any is fulfilled."""
        decision = self.decide(principal_id, action, scope, data=data, attributes=attributes)
        return decision.verdict is Verdict.ALLOWED

    def can_read(self, principal_id: str, resource_id: str) -> bool:
        """Quick for a caller who may read a whole subscription, because Resource Graph asks this for every row."""
        path = ResourcePath.parse(resource_id)
        action = f"{path.type}/read"
        return self._reads_all(principal_id, action, path.subscription) or self.allowed(principal_id, action, path.text)

    def identities(self, principal_id: str) -> set[str]:
        """The principal and every group that it is in, in lower case."""
        return {object_key(principal_id)} | self._tenant.groups_of(principal_id)

    def decide(
        self, principal_id: str, action: str, scope: str, *, data: bool = False, attributes: Attributes | None = None
    ) -> Decision:
        identities = self.identities(principal_id)
        lineage = self._tenant.hierarchy.lineage(scope)
        given = attributes or Attributes()
        granted = self._grant(identities, lineage, action, data, given)
        if granted.verdict is not Verdict.ALLOWED:
            return granted
        denied = self._denied(identities, lineage, action, data, given)
        return Decision(Verdict.DENIED, denied) if denied else granted

    def _denied(
        self, identities: set[str], lineage: list[str], action: str, data: bool, attributes: Attributes
    ) -> Json | None:
        """The deny assignment that forbids the action at lineage[0]. One with the effect `audit` forbids nothing."""
        for deny in self._tenant.deny_assignments.values():
            properties = deny["properties"]
            scope = key_of(properties["scope"])
            reach = lineage[:1] if properties.get("doNotApplyToChildScopes") else lineage
            if (
                scope in reach
                and names(properties.get("principals"), identities, everyone=True)
                and not names(properties.get("excludePrincipals"), identities)
                and str(properties.get("denyAssignmentEffect", "")).lower() != "audit"
                and any(
                    _covers(block, action, data=data)
                    and self._fulfilled((properties.get("condition"), block.get("condition")), action, attributes)
                    for block in properties.get("permissions") or ()
                )
            ):
                return deny
        return None

    def _grant(
        self, identities: set[str], lineage: list[str], action: str, data: bool, attributes: Attributes
    ) -> Decision:
        conditional = False
        for assignment in self._held(identities, lineage):
            properties = assignment["properties"]
            role = self._tenant.role_definitions.get(guid_at_end(properties.get("roleDefinitionId") or ""))
            for block in role["properties"].get("permissions") or () if role else ():
                if not _covers(block, action, data=data):
                    continue
                if self._fulfilled((properties.get("condition"), block.get("condition")), action, attributes):
                    return Decision(Verdict.ALLOWED, assignment)
                conditional = True
        return Decision(Verdict.CONDITION_NOT_FULFILLED if conditional else Verdict.NOT_GRANTED)

    def _reads_all(self, principal_id: str, action: str, subscription: str | None) -> bool:
        late = self._history is not None and self._history.grants_late
        if subscription is None or self._tenant.deny_assignments or late:
            return False
        if self._known_at != self._tenant.role_assignments.changes:
            self._known_at = self._tenant.role_assignments.changes
            self._everywhere.clear()
        key = principal_id, action, subscription
        if key not in self._everywhere:
            self._everywhere[key] = self.allowed(principal_id, action, f"/subscriptions/{subscription}")
        return self._everywhere[key]

    def _held(self, identities: set[str], lineage: list[str]) -> Iterator[Json]:
        for scope in lineage:
            for identity in identities:
                for held in self._tenant.role_assignments.where("holding", holding(scope, identity)):
                    if self._history is None or self._history.acts(held):
                        yield held

    def _fulfilled(self, conditions: Iterable[str | None], action: str, attributes: Attributes) -> bool:
        return all(self._conditions.fulfilled(text, action, attributes) for text in conditions if text)


def _covers(block: Json, action: str, *, data: bool) -> bool:
    granted, taken = ("dataActions", "notDataActions") if data else ("actions", "notActions")
    return any(matches(pattern, action) for pattern in block.get(granted) or ()) and not any(
        matches(pattern, action) for pattern in block.get(taken) or ()
    )


def names(principals: Iterable[Json] | None, identities: set[str], *, everyone: bool = False) -> bool:
    """Whether one of `principals` is one of `identities`, or `everyone` is asked for and among them.

    Recordings show Everyone as type `Everyone` with thirty-two zeros. The documents say `SystemDefined`, with dashes.
    """
    known = identities | {EVERYONE} if everyone else identities
    return any(object_key(principal.get("id", "")) in known for principal in principals or ())
