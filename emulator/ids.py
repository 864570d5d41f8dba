"""ARM ids, taken apart and compared segment by segment. Case never matters."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

ROOT = "/"
_MANAGEMENT_GROUPS = ("providers", "microsoft.management", "managementgroups")


@lru_cache(maxsize=1 << 16)  # a list compares the scopes of all assignments, the same at each request
def segments(scope: str) -> tuple[str, ...]:
    return tuple(part for part in scope.lower().split("/") if part)


@lru_cache(maxsize=1 << 16)
def key_of(scope: str) -> str:
    """The form in which ids are compared and stored: lower-case, one leading slash, none at the end."""
    return "/" + "/".join(segments(scope))


def parent_of(key: str) -> str:
    return key.rpartition("/")[0] or ROOT


def guid_at_end(value: str) -> str:
    return value.rpartition("/")[2].lower()


def object_key(value: object) -> str:
    """The form in which object ids are compared and stored: lower-case, with dashes.

    Azure writes some without dashes.
    """
    try:
        return str(uuid.UUID(str(value)))
    except ValueError:
        return str(value).lower()


@dataclass(frozen=True, slots=True)
class ResourcePath:
    """A resource id or the path of a request.

    A collection, a singleton's action and an unknown verb each have one type more than names.
    """

    text: str
    extends: str
    """The scope before the last `/providers/`, or "/" if there is none."""
    namespace: str
    types: tuple[str, ...]
    names: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError if no ARM path has this form."""
        parts = text.strip("/").split("/")
        if not all(parts):
            raise ValueError(f"{text!r} has an empty segment")
        start, namespace = _last_provider(parts)
        rest = parts[start:]
        if not rest:
            raise ValueError(f"{text!r} names no resource type")
        extends = "/" + "/".join(parts[: max(start - 2, 0)])
        return cls("/" + "/".join(parts), extends, namespace, tuple(rest[0::2]), tuple(rest[1::2]))

    @property
    def key(self) -> str:
        return self.text.lower()

    @property
    def type(self) -> str:
        return "/".join((self.namespace, *self.types))

    @property
    def name(self) -> str:
        return self.names[-1] if self.names else ""

    @property
    def is_collection(self) -> bool:
        return len(self.types) > len(self.names)

    @property
    def is_top_level(self) -> bool:
        """Whether it lies in a resource group, and neither below another resource nor on one."""
        return len(self.types) == 1 and self.resource_group is not None and self.extends.count("/") == 4

    @property
    def parent(self) -> str:
        """For a collection or an action: the scope or resource of which it is asked."""
        return self.extends if len(self.types) == 1 else self.text.rpartition("/")[0]

    @property
    def subscription(self) -> str | None:
        parts = self.text.split("/")
        return parts[2] if len(parts) > 2 and parts[1].lower() == "subscriptions" else None

    @property
    def resource_group(self) -> str | None:
        parts = self.text.split("/")
        return parts[4] if len(parts) > 4 and parts[3].lower() == "resourcegroups" else None


def _last_provider(parts: list[str]) -> tuple[int, str]:
    """Where the last provider's types start, and its namespace.

    `providers` may also be the name of a resource, or the type that a subscription offers.
    """
    start, namespace, at = 0, "Microsoft.Resources", 0
    while at < len(parts):
        if parts[at].lower() == "providers" and at + 2 < len(parts):
            namespace, start = parts[at + 1], at + 2
        at += 2
    return start, namespace


class Hierarchy:
    """Which scopes lie above which: resources in groups in subscriptions in management groups in the root."""

    def __init__(self, tenant_id: str, management_groups: Iterable[dict[str, Any]]) -> None:
        """Each group has `name`, `parent` (name or id; without one, the tenant's root group) and `subscriptions`."""
        self._root_group = _group_scope(tenant_id)
        self._parents: dict[str, str] = {}
        for group in management_groups:
            self.place(group)

    def place(self, group: dict[str, Any]) -> None:
        """Puts a group where it says, wherever it was."""
        scope = _group_scope(group["name"])
        if scope != self._root_group:
            self._parents[scope] = _group_scope(group.get("parent") or self._root_group)
        for subscription in group.get("subscriptions") or ():
            self._parents["/subscriptions/" + guid_at_end(subscription)] = scope

    def remove(self, name: str) -> None:
        """Takes out a group that has nothing below it."""
        self._parents.pop(_group_scope(name), None)

    def lineage(self, scope: str) -> list[str]:
        """The scope itself, then every scope above it, nearest first, "/" last. In lower case.

        Above a management group that does not exist there is only the root.
        """
        parts = segments(scope)
        above = ["/" + "/".join(parts[:end]) for end in range(len(parts), 0, -1)]
        if parts[:1] == ("subscriptions",) and len(parts) > 1:
            above += self._groups_above(above[-2])
        elif parts[:3] == _MANAGEMENT_GROUPS and len(parts) > 3:
            group = above[-4]
            above += self._groups_above(group) if group in self._parents else []
        return [*above, ROOT]

    def contains(self, outer: str, inner: str) -> bool:
        """Whether `inner` is `outer` or lies below it."""
        return key_of(outer) in self.lineage(inner)

    def _groups_above(self, scope: str) -> list[str]:
        found: list[str] = []
        while scope != self._root_group and (scope := self._parents.get(scope, self._root_group)) not in found:
            found.append(scope)
        return found


def _group_scope(name: str) -> str:
    return "/" + "/".join((*_MANAGEMENT_GROUPS, guid_at_end(name)))
