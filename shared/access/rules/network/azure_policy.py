"""Which policy assignments forbid creating a kind of resource.

Only what a definition says about the type is evaluated. Any other condition is unknown (None), because the resource
does not exist yet. Custom definitions are read one by one. Of Azure's built-in definitions, two deny types by name.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from shared.access.model import Estate, Raw, Want
from shared.access.raw import get, rows, scope_or_none, text
from shared.access.scope import Scope

ASSIGNMENTS = "Microsoft.Authorization/policyAssignments"

type _Values = Mapping[str, Any]

_ANOTHER_TYPE = "Microsoft.Another/type"
# "Allowed resource types" and "Not allowed resource types", by the end of their ids.
_BUILT_IN: Mapping[str, Raw] = {
    "a08ec900-254a-4555-9bf5-e42af04b5c5c": {
        "if": {"not": {"field": "type", "in": "[parameters('listOfResourceTypesAllowed')]"}},
        "then": {"effect": "deny"},
    },
    "6c112d4e-5bc7-47ae-a041-ea2d9dccd749": {
        "if": {"field": "type", "in": "[parameters('listOfResourceTypesNotAllowed')]"},
        "then": {"effect": "[parameters('effect')]"},
    },
}
_DENY = {"effect": "Deny"}  # the default of the second one


@dataclass(frozen=True, slots=True)
class Ban:
    """`certain`: the type alone is denied, whatever the resource looks like.

    Otherwise it depends on more than the type.

    `assignment` is the display name of the assignment `name`, which was made at `scope`.
    """

    assignment: str
    name: str
    scope: str
    certain: bool


@dataclass(frozen=True, slots=True)
class _Assignment:
    title: str
    name: str
    scope: str
    definition: Scope
    values: _Values


def definitions_wanted(group: Scope, estate: Estate) -> Iterator[Want]:
    """The custom definitions, and the sets of them, whose assignments concern the resource group."""
    for scope in {each.definition for each in _assigned(group, estate)}:
        if not _is_built_in(scope):
            yield Want(scope)
            yield from (Want(member) for member, _ in _members(estate.resource(scope), {}) if not _is_built_in(member))


def bans(kind: str, group: Scope, estate: Estate) -> tuple[Ban, ...]:
    """Who forbids resources of `kind` (for example `Microsoft.Network/networkSecurityGroups`) in the resource group."""
    verdicts = ((each, _verdict(kind, each, estate)) for each in _assigned(group, estate))
    return tuple(Ban(each.title, each.name, each.scope, certain) for each, certain in verdicts if certain is not None)


def _verdict(kind: str, assignment: _Assignment, estate: Estate) -> bool | None:
    """None if no rule is about `kind`. A rule that may deny anything, for example a rule about tags, does not count."""
    found: bool | None = None
    for rule, values in _rules(assignment.definition, assignment.values, estate):
        denied = _denies(rule, values, kind)
        if denied or (denied is None and _denies(rule, values, _ANOTHER_TYPE) is False):
            found = bool(found) or denied is True
    return found


def _assigned(group: Scope, estate: Estate) -> Iterator[_Assignment]:
    """The assignments in force at the group."""
    for raw in estate.listed(group, ASSIGNMENTS):
        body = get(raw, "properties")
        definition = scope_or_none(get(body, "policyDefinitionId"))
        if definition and _in_force(body, group):
            given = get(body, "parameters")
            values = {name: get(value, "value") for name, value in given.items()} if isinstance(given, Mapping) else {}
            name = text(raw, "name") or definition.name
            yield _Assignment(
                text(body, "displayName") or name, name, text(body, "scope") or str(group), definition, values
            )


def _in_force(body: object, group: Scope) -> bool:
    """ARM lists what concerns the group or anything in it. A single resource's assignments say nothing about others."""
    where = scope_or_none(get(body, "scope"))
    if where and where.subscription and not where.contains(group):
        return False
    excluded = [scope_or_none(each) for each in rows(body, "notScopes")]
    enforced = (text(body, "enforcementMode") or "default").casefold() == "default"
    return enforced and not any(scope and scope.contains(group) for scope in excluded)


def _is_built_in(definition: Scope) -> bool:
    return definition.segments[:2] == ("providers", "microsoft.authorization")


def _rules(definition: Scope, given: _Values, estate: Estate) -> Iterator[tuple[Raw, _Values]]:
    """The rules of a definition, or of all definitions in a set, each with the values of its parameters."""
    if _is_built_in(definition):
        rule = _BUILT_IN.get(definition.name.casefold())
        if rule:
            yield rule, {**_DENY, **given}
        return
    raw = estate.resource(definition)
    values = {**_defaults(raw), **given}
    rule = get(raw, "properties", "policyRule")
    if isinstance(rule, Mapping):
        yield rule, values
    for member, own in _members(raw, values):
        yield from _rules(member, own, estate)


def _members(raw: object, values: _Values) -> Iterator[tuple[Scope, _Values]]:
    for each in rows(raw, "properties", "policyDefinitions"):
        definition = scope_or_none(get(each, "policyDefinitionId"))
        if definition and definition.resource_type.endswith("/policydefinitions"):  # a set contains no sets
            given = get(each, "parameters")
            named = given if isinstance(given, Mapping) else {}
            yield definition, {name: _resolved(get(value, "value"), values) for name, value in named.items()}


def _defaults(raw: object) -> _Values:
    declared = get(raw, "properties", "parameters")
    if not isinstance(declared, Mapping):
        return {}
    return {name: get(value, "defaultValue") for name, value in declared.items() if get(value, "defaultValue")}


def _denies(rule: Raw, values: _Values, kind: str) -> bool | None:
    effect = _resolved(get(rule, "then", "effect"), values)
    if not isinstance(effect, str) or effect.casefold() != "deny":
        return False
    return _holds(get(rule, "if"), values, kind)


def _holds(condition: object, values: _Values, kind: str) -> bool | None:
    """True, False, or None for unknown (Kleene's logic)."""
    if not isinstance(condition, Mapping):
        return None
    for operator, everything in (("allOf", True), ("anyOf", False)):
        if operator in condition:
            return _together([_holds(each, values, kind) for each in rows(condition, operator)], everything=everything)
    if "not" in condition:
        inner = _holds(condition["not"], values, kind)
        return None if inner is None else not inner
    if str(condition.get("field", "")).casefold() != "type":
        return None
    return _compared(condition, values, kind.casefold())


def _together(parts: Sequence[bool | None], *, everything: bool) -> bool | None:
    if (not everything) in parts:
        return not everything
    return None if None in parts else everything


def _compared(condition: Raw, values: _Values, kind: str) -> bool | None:
    for operator, raw in condition.items():
        wanted = _resolved(raw, values)
        if wanted is None:
            continue
        several = [str(each).casefold() for each in wanted] if isinstance(wanted, list) else [str(wanted).casefold()]
        match operator.casefold():
            case "equals" | "in":
                return kind in several
            case "notequals" | "notin":
                return kind not in several
            case "like":
                return fnmatchcase(kind, several[0])
            case "notlike":
                return not fnmatchcase(kind, several[0])
            case _:
                continue
    return None


def _resolved(value: object, values: _Values) -> Any:
    """`[parameters('name')]` is the value of the parameter. Names are compared without regard to case."""
    if not isinstance(value, str) or not value.casefold().startswith("[parameters('") or not value.endswith("')]"):
        return value
    name = value[len("[parameters('") : -len("')]")].casefold()
    return next((held for known, held in values.items() if known.casefold() == name), None)
