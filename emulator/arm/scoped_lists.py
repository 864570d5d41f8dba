"""Lists of what holds at a scope (role and deny assignments, locks) and their `$filter`."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self

from emulator.errors import AzureError
from emulator.ids import Hierarchy, key_of

type Json = dict[str, Any]

_TERM = re.compile(
    r"(?P<at_scope>atScope\(\))|principalId\s+eq\s+'(?P<principal>[^']+)'|assignedTo\('(?P<assigned>[^']+)'\)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Filter:
    at_scope: bool = False
    """At the scope and above it only; otherwise below it too."""
    principal: str | None = None
    assigned_to: str | None = None
    """As principal, and through its groups."""

    @classmethod
    def parse(cls, text: str | None) -> Self:
        terms: dict[str, str] = {}
        for term in re.split(r"\s+and\s+", text.strip(), flags=re.IGNORECASE) if text and text.strip() else ():
            found = _TERM.fullmatch(term.strip())
            if found is None:
                raise AzureError(
                    400,
                    "UnsupportedQuery",
                    f"The filter '{text}' is not supported. Supported filters are either 'atScope()' or "
                    "'principalId eq '{value}' or assignedTo('{value}')'.",
                )
            terms |= {key: value.lower() for key, value in found.groupdict().items() if value}
        return cls("at_scope" in terms, terms.get("principal"), terms.get("assigned"))


def holding_at(
    items: Iterable[Json], scope_of: Callable[[Json], str], scope: str, hierarchy: Hierarchy, *, at_scope: bool
) -> Iterator[Json]:
    above = set(hierarchy.lineage(scope))
    within = key_of(scope)
    for item in items:
        place = key_of(scope_of(item))
        if place in above or (not at_scope and _below(place, within, hierarchy)):
            yield item


def _below(place: str, within: str, hierarchy: Hierarchy) -> bool:
    if within.startswith("/subscriptions/"):
        return place.startswith(within + "/")
    return hierarchy.contains(within, place)
