"""Which rights a deployment needs, derived from what the snapshots of infra/parameters would make."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from infra.compiler import SUBSCRIPTION
from infra.snapshots import made, scope
from shared.access.permissions import includes

type Json = dict[str, Any]
type Needed = Mapping[str, Mapping[str, bool]]
"""The actions by place, and for each action whether it makes something there."""

_ROLES_FILE = Path(__file__).parents[1] / "emulator" / "data" / "roles.json"
_LINKED_FILE = Path(__file__).parent / "linked_rights.json"
_GROUPS = "/providers/Microsoft.Management/managementGroups/"
_SUBSCRIPTIONS = "Microsoft.Resources/subscriptions"
_DEFINITIONS = "Microsoft.Authorization/roleDefinitions"
_DEPLOY = "Microsoft.Resources/deployments/write"
_TOPICS = "Microsoft.EventGrid/systemTopics"
# The id of a resource, plain or inside an expression, or an expression that makes an id.
_ID = re.compile(r"/subscriptions/[\w-]+/resourceGroups/[\w.()-]+/providers/[\w.]+(?:/[\w.()-]+)+")

_CALL = re.compile(r"\bresourceId\('([^']+)', '([^']+)', '([^']+)'")
_CALLED = "/subscriptions/{0}/resourceGroups/{1}/providers/{2}/its-name"

# Each step: its parameter file, and the file of the step before, whose resources exist already.
STEPS: Sequence[tuple[str, str, str | None]] = (
    ("1 First pass, reading only (`readOnly=true`)", "read-only", None),
    ("1 First pass, with the rights to change", "many-subscriptions", None),
    ("1 at a management group, instead of each watched subscription", "management-group", "many-subscriptions"),
    ("1 isolated network, in addition", "network-isolated", "one-subscription"),
    ("3 Second pass, events, in addition", "many-subscriptions-events", "many-subscriptions"),
    ("3 with an existing system topic, in addition", "existing-topic", "many-subscriptions-events"),
)
# The table names the first of these that have every action of a place. Owner has them all.
_SUFFICING: Sequence[tuple[str, ...]] = (
    ("Reader",),
    ("EventGrid Contributor",),
    ("Contributor",),
    ("Contributor", "Role Based Access Control Administrator"),
    ("Contributor", "User Access Administrator"),
    ("Owner",),
)

_BEGIN = "<!-- From the snapshots, by `make docs`: -->\n\n"
_END = "\n<!-- Until here. -->"
_PAGE = """\
# Rights to deploy with

<!-- Generated from infra/parameters/*.snapshot.json and docs/linked_rights.json by `make docs`. -->

Every action that each step of [deploy.md](deploy.md) needs, and where: the one that makes each resource type,
`deployments/write` at each scope of the deployment, `roleDefinitions/write` on each scope in which the custom role is
assignable, and the action on another resource that naming it requires ([linked_rights.json](linked_rights.json) has the
sources). A second pass deploys everything again: it needs the rights of the first pass, and these. What-if also needs
`Microsoft.Resources/deployments/whatIf/action` and `validate/action`.
"""


def table() -> str:
    """The table in docs/deploy.md: what is made where, and which roles suffice."""
    rows = [
        f"| {step} | {place} | {_makes(actions)} | {_uses(actions)} | {' and '.join(sufficing(actions))} |"
        for step, name, base in STEPS
        for place, actions in sorted(needed(name, base).items())
        if any(actions.values()) or _uses(actions)
    ]
    return (
        "\n".join(("| step | on | makes | uses | roles that suffice |", "| --- | --- | --- | --- | --- |", *rows))
        + "\n"
    )


def within(text: str) -> str:
    """The text of docs/deploy.md with the current table in its place.

    Raises `ValueError` if there is no place for it.
    """
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError("docs/deploy.md does not say where the table of rights belongs")
    return f"{before}{begin}{table()}{end}{after}"


def page() -> str:
    """The text of docs/rights.md, which lists each action."""
    parts = [_PAGE]
    for step, name, base in STEPS:
        parts.append(f"\n## {step}\n")
        for place, actions in sorted(needed(name, base).items()):
            parts.append(f"\nOn {place}:\n\n" + "".join(f"- `{one}`\n" for one in sorted(actions)))
    return "".join(parts)


def needed(name: str, base: str | None = None) -> Needed:
    """What a parameter file needs, by place, beyond what the parameter file below it makes in the same way."""
    before = made(base) if base else []
    found: dict[str, dict[str, bool]] = {}
    for resource in made(name):
        if resource not in before:
            for where, action, makes in _actions(resource):
                there = found.setdefault(_place(where), {})
                there[action] = makes or there.get(action, False)
    return found


def _actions(resource: Json) -> Iterator[tuple[str, str, bool]]:
    """(scope, action, whether it makes something there) for everything that making the resource needs."""
    where, kind = _deployed_to(scope(resource)), resource["type"]
    yield where, _DEPLOY, True
    if kind == "Microsoft.Resources/resourceGroups":
        yield where, "Microsoft.Resources/subscriptions/resourceGroups/write", True
        yield resource["id"], _DEPLOY, True
        return
    yield where, f"{kind}/write", True
    if kind == _DEFINITIONS:
        yield from ((one, f"{kind}/write", True) for one in resource["properties"]["assignableScopes"])
    yield from ((_deployed_to(target), action, False) for target, action in linked(resource))


def linked(resource: Json) -> Iterator[tuple[str, str]]:
    """(id, action) for every resource that the resource names.

    Raises `LookupError` for a kind of reference that is new.
    """
    for identifier in (*_named(resource.get("properties", {})), *_listened_to(resource)):
        kind = _kind(identifier)
        try:
            action = _links()[resource["type"], kind]
        except KeyError:
            raise LookupError(
                f"{resource['type']} names {kind}: what right does that take? (docs/linked_rights.json)"
            ) from None
        yield identifier, action if action.startswith("Microsoft.") else f"{kind}/{action}"


def _listened_to(resource: Json) -> Iterator[str]:
    """The source of events: a topic and its event subscriptions belong to the subscription that they are about."""
    if resource["type"].startswith(_TOPICS):
        yield "/".join(resource["id"].split("/")[:3])


def _named(value: Any) -> Iterator[str]:
    """Ids of resources in a resource's properties."""
    match value:
        case dict():
            for one in value.values():
                yield from _named(one)
        case list():
            for one in value:
                yield from _named(one)
        case str():
            yield from (found[0] for found in _ID.finditer(value))
            yield from (_CALLED.format(*found.groups()) for found in _CALL.finditer(value))


def _kind(identifier: str) -> str:
    _, provider, path = identifier.rpartition("/providers/")
    first, *rest = path.split("/")
    return "/".join((first, *rest[::2])) if provider else _SUBSCRIPTIONS


@cache
def _links() -> Mapping[tuple[str, str], str]:
    rows = json.loads(_LINKED_FILE.read_text("utf-8"))["linked"]
    return {(one["from"], one["to"]): one["action"] for one in rows}


def _deployed_to(where: str) -> str:
    """The resource group, subscription or management group of a scope."""
    parts = where.split("/")
    if where.startswith(_GROUPS):
        return where
    return "/".join(parts[:5] if len(parts) > 3 and parts[3].lower() == "resourcegroups" else parts[:3])


def _place(where: str) -> str:
    if where.startswith(_GROUPS):
        return "the management group"
    _, _, subscription, *rest = where.split("/")
    if not rest:
        return "the app's subscription" if subscription == SUBSCRIPTION else "each watched subscription"
    group = rest[1]
    if group.endswith("-events") and group.startswith("rg-amlguard-"):
        return "the events' resource group in each watched subscription"
    return "the app's resource group" if group.startswith("rg-amlguard-") else "the existing topic's resource group"


def _makes(actions: Mapping[str, bool]) -> str:
    """In words. What concerns rights comes first, in bold."""
    told = {
        "Microsoft.Authorization/roleAssignments/write": "**role assignments**",
        "Microsoft.Authorization/roleDefinitions/write": "**the custom role**",
        "Microsoft.Resources/subscriptions/resourceGroups/write": "a resource group",
    }
    here = [action for action, makes in actions.items() if makes]
    providers = {one.partition("/")[0] for one in here} - {"Microsoft.Authorization", "Microsoft.Resources"}
    words = [word for action, word in told.items() if action in here]
    words += ["resources of " + ", ".join(sorted(providers))] if providers else []
    return ", ".join([*words, *(["a deployment"] if _DEPLOY in here else [])])


def _uses(actions: Mapping[str, bool]) -> str:
    """The actions that a reference from elsewhere needs, beyond reading."""
    used = (one for one, makes in actions.items() if not makes and not one.endswith("/read"))
    return ", ".join(f"`{one}`" for one in sorted(used))


def sufficing(actions: Iterable[str]) -> Sequence[str]:
    """The least built-in roles of `_SUFFICING` that together have every action."""
    asked = list(actions)
    return next(roles for roles in _SUFFICING if all(any(_has(role, one) for role in roles) for one in asked))


def _has(role: str, action: str) -> bool:
    return any(
        any(includes(one, action) for one in block["actions"])
        and not any(includes(one, action) for one in block["notActions"])
        for block in _roles()[role]
    )


@cache
def _roles() -> Mapping[str, Sequence[Json]]:
    return {one["roleName"]: one["permissions"] for one in json.loads(_ROLES_FILE.read_text("utf-8"))}
