"""Lists of what applies at a scope (role and deny assignments, locks) and their `$filter`."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self

from emulator.errors import AzureError
from emulator.ids import Hierarchy, key_of, object_key

type Json = dict[str, Any]

_TEXT = "(?:[^']|'')+"  # OData 4.01, part 2, 5.1.1: a quote is doubled
_TERM = re.compile(
    rf"(?P<at_scope>atScope\(\))|principalId\s+eq\s+'(?P<principal>{_TEXT})'|assignedTo\('(?P<assigned>{_TEXT})'\)"
    rf"|denyAssignmentName\s+eq\s+'(?P<name>{_TEXT})'",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Filter:
    at_scope: bool = False
    """Only at the scope and above it. Otherwise below it, too."""
    principal: str | None = None
    assigned_to: str | None = None
    """As principal, and through its groups."""
    name: str | None = None
    """In lower case. Only deny assignments can be asked for by name."""

    @classmethod
    def parse(cls, text: str | None, *, named: bool = False) -> Self:
        terms: dict[str, str] = {}
        for term in re.split(r"\s+and\s+", text.strip(), flags=re.IGNORECASE) if text and text.strip() else ():
            found = _TERM.fullmatch(term.strip())
            if found is None or (found["name"] and not named):
                raise AzureError(
                    400,
                    "UnsupportedQuery",
                    f"The filter '{text}' is not supported. Supported filters are either 'atScope()' or "
                    "'principalId eq '{value}' or assignedTo('{value}')'.",
                )
            terms |= {key: value.lower().replace("''", "'") for key, value in found.groupdict().items() if value}
        who = {name: object_key(value) for name, value in terms.items() if name in ("principal", "assigned")}
        return cls("at_scope" in terms, who.get("principal"), who.get("assigned"), terms.get("name"))


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
