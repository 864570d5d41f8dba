"""Scopes: ARM ids compared segment by segment and without regard to case.

`rg` never contains `rg-prod`, and one response may spell the same id three ways (`Microsoft.Keyvault`,
`resourcegroups`), so ids are never compared as text.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Self

from shared.access.names import complaint, is_plain

MAX_LENGTH = 2048

_MANAGEMENT_GROUPS = ("providers", "microsoft.management", "managementgroups")
# Only characters that the name of anything may hold, and separators: this is so for most ids.
_PLAINLY = re.compile(r"(?:/[0-9A-Za-z_()-]+(?:\.+[0-9A-Za-z_()-]+)*)+/?")
_LONGEST_OF_ALL = 90
_NO_NAMES = ("", ".", "..")


def is_odd(text: object) -> bool:
    """Whether it has the form of an ARM id, but names that no `Scope` allows.

    Azure allows some of these for resources that no workspace can use, so they do not concern amlguard.
    """
    if not isinstance(text, str) or _is_scope(text):
        return False
    parts = text[:MAX_LENGTH].split("/")
    return _is_scope("/".join(part if _PLAINLY.fullmatch(f"/{part}") or part in _NO_NAMES else "x" for part in parts))


class InvalidScopeError(ValueError):
    """The text is not an ARM id that could name a scope. The message says why and quotes nothing from it."""


@dataclass(frozen=True)
class Scope:
    """The root, a management group, a subscription, a resource group, a resource or a child resource.

    Two are equal if their segments are, whatever the case. `str()` gives the original spelling.
    """

    segments: tuple[str, ...]
    text: str = field(compare=False)

    @classmethod
    def parse(cls, text: object) -> Self:
        """Raises `InvalidScopeError` for anything but a well-formed ARM id (or `/`, the root)."""
        if not isinstance(text, str):
            raise InvalidScopeError("an ARM id is text")
        return cls._parse(text)

    @classmethod
    @lru_cache(maxsize=4096)
    def _parse(cls, text: str) -> Self:
        if len(text) > MAX_LENGTH:
            raise InvalidScopeError(f"an ARM id has at most {MAX_LENGTH} characters")
        if not text.startswith("/"):
            raise InvalidScopeError("an ARM id starts with /")
        names = text.removesuffix("/").split("/")[1:]
        if any(name in _NO_NAMES for name in names):
            raise InvalidScopeError("an ARM id holds no empty or relative segment")
        segments = tuple(fold(name) for name in names)
        _check_shape(segments)
        if not _PLAINLY.fullmatch(text) or max(map(len, names)) > _LONGEST_OF_ALL:
            _check_names(names, segments)
        return cls(segments, "/" + "/".join(names))

    def __str__(self) -> str:
        return self.text

    # Scopes are used as keys everywhere, and there are few of them, so what follows from the segments is computed once.
    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(self.segments)

    @cached_property
    def key(self) -> str:
        """The id in one spelling, for hashing and for Resource Graph comparisons."""
        return "/" + "/".join(self.segments)

    def contains(self, other: "Scope") -> bool:
        """Whether `other` is this scope or lies below it by its path.

        A management group contains subscriptions that its path does not show; `permissions.applies_at` knows.
        """
        return other.segments[: len(self.segments)] == self.segments

    @property
    def is_root(self) -> bool:
        return not self.segments

    @cached_property
    def is_management_group(self) -> bool:
        return len(self.segments) == 4 and self.segments[:3] == _MANAGEMENT_GROUPS

    @cached_property
    def subscription(self) -> "Scope | None":
        return self._prefix(2) if self.segments[:1] == ("subscriptions",) else None

    @cached_property
    def resource_group(self) -> "Scope | None":
        return self._prefix(4) if self.subscription and self.segments[2:3] == ("resourcegroups",) else None

    @cached_property
    def resource_type(self) -> str:
        """In lower case, like `microsoft.machinelearningservices/workspaces/computes`, of the innermost provider.

        Containers have ARM's own types: `…/subscriptions`, `…/resourcegroups`. The root has none.
        """
        at = _last_provider(self.segments)
        if at is None:
            return "/".join(("microsoft.resources", *self.segments[::2])) if self.segments else ""
        return "/".join((self.segments[at + 1], *self.segments[at + 2 :: 2]))

    @cached_property
    def name(self) -> str:
        return self.text.rpartition("/")[2]

    @property
    def parent(self) -> "Scope":
        """The resource to which a child resource belongs. For an extension resource, what it extends."""
        at, end = _last_provider(self.segments), len(self.segments)
        return self._prefix(at if at is not None and end == at + 4 else end - 2)

    def ancestor(self, resource_type: str) -> "Scope | None":
        """This scope, or the closest one above it, that has `resource_type` (lower case)."""
        for length in range(len(self.segments), 0, -2):
            candidate = self._prefix(length)
            if candidate.resource_type == resource_type:
                return candidate
        return None

    def child(self, *names: str) -> "Scope":
        return Scope.parse("/".join((self.text.removesuffix("/"), *names)))

    def _prefix(self, length: int) -> "Scope":
        return Scope(self.segments[:length], "/" + "/".join(self.text.split("/")[1 : length + 1]))


def _is_scope(text: str) -> bool:
    try:
        Scope.parse(text)
    except InvalidScopeError:
        return False
    return True


def fold(name: str) -> str:
    """Lower case, letter by letter as ARM does it: `ß` is not `ss`, and the Kelvin sign is not `k`.

    The names of resource groups may have any letter, and resource groups are the trust boundary. No two of them may be
    confused.
    """
    return name.lower() if name.isascii() else "".join(map(_fold_letter, name))


def _fold_letter(letter: str) -> str:
    lower = letter.lower()
    return lower if lower.upper() == letter else letter


def _last_provider(segments: tuple[str, ...]) -> int | None:
    return max((at for at in range(0, len(segments), 2) if segments[at] == "providers"), default=None)


def _check_shape(segments: tuple[str, ...]) -> None:
    """`[/subscriptions/S[/resourceGroups/G]] [/providers/NS/type/name[/type/name]…]…`."""
    at = 0
    if segments[:1] == ("subscriptions",):
        at = 4 if segments[2:3] == ("resourcegroups",) else 2
    if len(segments) < at:
        raise InvalidScopeError("an ARM id pairs types with names")
    while at < len(segments):
        if segments[at] != "providers":
            raise InvalidScopeError("after subscription and resource group an ARM id goes on with /providers/")
        end = next((i for i in range(at + 4, len(segments), 2) if segments[i] == "providers"), len(segments))
        if end - at < 4 or end % 2:
            raise InvalidScopeError("a provider's part of an ARM id pairs types with names")
        at = end


def _check_names(names: Sequence[str], segments: tuple[str, ...]) -> None:
    """Providers and types have plain names. Each other name must be one that its type can have."""
    kind = ""
    for at in range(0, len(names), 2):
        if segments[at] == "providers":
            kind, what = segments[at + 1], names[at : at + 2]
            wrong = None
        else:
            kind = f"{kind or 'microsoft.resources'}/{segments[at]}"
            what = names[at : at + 1]
            wrong = complaint(kind, names[at + 1])
        if not all(map(is_plain, what)):
            wrong = "the name of a provider or type cannot hold such characters"
        if wrong:
            raise InvalidScopeError(wrong)
