"""A plan as a JSON document that other programs can read, and the actions that such a document names."""

from collections.abc import Mapping
from textwrap import shorten
from typing import Any

from shared.access.actions import Action, Grant, Plan, Removal, Setting
from shared.access.asks import Finding, Property
from shared.access.model import Principal

type Document = dict[str, Any]

_MANAGED = "ServicePrincipal"
_NAMED = (_MANAGED, "Group")


# long: one document, one line for each of its keys
def action(one: Action) -> Document:
    match one:
        case Grant():
            return {
                "principalId": one.principal.id,
                "principalType": one.principal.type,
                "principalName": name_of(one.principal),
                "principal": str(one.principal.resource or one.on) if one.principal.type == _MANAGED else None,
                "roleDefinitionId": one.role_definition_id,
                "roleName": one.need.role_name,
                "scope": str(one.scope),
                "resourceId": str(one.on),
                "rule": one.rule,
                "requirements": list(one.requirements),
                "reason": one.reason,
                "source": one.source,
            }
        case Setting():
            document = {
                "resourceId": str(one.resource),
                "property": str(one.name),
                "from": one.current,
                "to": one.to,
                "rule": one.rule,
                "requirements": list(one.requirements),
                "reason": one.reason,
                "source": one.source,
            }
            return document | _holder(one)
        case Removal():
            return {
                "roleAssignmentId": str(one.assignment),
                "principalId": one.principal_id,
                "roleDefinitionId": one.role_definition_id,
                "scope": str(one.scope),
                "resourceId": str(one.on),
                "rule": one.rule,
                "requirements": list(one.requirements),
                "reason": one.reason,
                "source": one.source,
            }
        case _:
            return {"resourceId": str(one.resource), "rule": one.rule, "requirements": list(one.requirements)}


def _holder(one: Setting) -> Document:
    """Of an access policy: whose it is."""
    if one.principal is None:
        return {}
    resource = one.principal.resource or one.needed_by
    return {
        "principalId": one.principal.id,
        "principalName": name_of(one.principal),
        "principal": str(resource) if resource else None,
    }


def name_of(one: Principal) -> str | None:
    """What ARM calls it. People have no name here (law 11)."""
    return one.label if one.type in _NAMED else None


def in_words(one: Action) -> str:
    """One line for people."""
    match one:
        case Grant():
            return f"grant {one.need.role_name} on {one.scope} to {one.principal.label} ({one.principal.id})"
        case Removal():
            return f"take role {one.role_id} on {one.scope} back from {one.principal_id}"
        case Setting():
            return f"set {one.name} of {one.resource} from {short(one.current)} to {short(one.to)}"
        case _:
            return f"wait for {one.resource}"


def short(value: str) -> str:
    """For people: an access policy may lack forty permissions."""
    return shorten(value, 100, placeholder=" …")


def finding(one: Finding) -> Document:
    return {
        "resourceId": str(one.resource),
        "rule": one.rule,
        "requirements": list(one.requirements),
        "severity": str(one.severity),
        "message": one.message,
        "remedy": one.remedy,
    }


def key(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Two actions of plan documents are the same if their keys are, whoever wrote the documents.

    Raises `TypeError` where one is no action.
    """
    if "roleAssignmentId" in document:
        parts = [_part(document, "roleAssignmentId"), "removal"]
    elif "roleDefinitionId" in document:
        role = _part(document, "roleDefinitionId").rpartition("/")[2]
        parts = [_part(document, "principalId"), role, _part(document, "scope")]
    else:
        parts = [_part(document, name) for name in ("resourceId", "property", "principalId")]
    return tuple(part.casefold().rstrip("/") for part in parts)


def _part(document: Mapping[str, Any], name: str) -> str:
    told = document.get(name)
    if told is not None and not isinstance(told, str):
        raise TypeError(f"{name} is text")
    return told or ""


def restrict(plan: Plan, keys: frozenset[tuple[str, ...]]) -> Plan:
    """`plan` with only those of its actions that `keys` (of a plan document) name.

    A switch-off keeps its resyncs, even if the document did not know every workspace on the registry.
    """
    switched_off = any(key(action(one)) in keys for one in plan.settings if one.name is Property.ADMIN_USER)
    return Plan(
        tuple(one for one in plan.grants if key(action(one)) in keys),
        tuple(
            one
            for one in plan.settings
            if key(action(one)) in keys or (switched_off and one.name is Property.CACHED_KEYS)
        ),
        plan.findings,
        plan.withheld,
        plan.deferred,
        plan.satisfied,
        tuple(one for one in plan.removals if key(action(one)) in keys),
        plan.leaning,
    )
