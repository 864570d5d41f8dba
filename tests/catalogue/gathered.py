"""All cases of the catalogue, each with its place, and the one tenant that they make together."""

import importlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from catalogue.case import ALLOWED_GROUP, PEOPLE_GROUP, PEOPLE_TAG, TENANT_ID, Case, Place, Raw, Tenant

from emulator import tenant_builder as build
from shared.access.rules import RULES, RuleKind

_HERE = Path(__file__).parent
_WORKSPACE = re.compile(r".*/Microsoft\.MachineLearningServices/workspaces/[^/]+", re.IGNORECASE)


@dataclass(frozen=True)
class Placed:
    case: Case
    place: Place

    @property
    def id(self) -> str:
        return self.place.name


def placed(*only: ModuleType) -> tuple[Placed, ...]:
    """Of every `cases_*.py` here, or of `only` these; places are named after rule, side and number among all."""
    modules = [importlib.import_module(f"catalogue.{path.stem}") for path in sorted(_HERE.glob("cases_*.py"))]
    numbers = Counter[str]()
    found = []
    for module in modules:
        for case in module.CASES:
            side = f"{case.rule}-{'acts' if case.acts else 'leaves'}"
            numbers[side] += 1
            if not only or module in only:
                found.append(Placed(case, Place(f"{side}-{numbers[side]}")))
    return tuple(found)


def document(parts: Iterable[Tenant]) -> Raw:
    """A tenant file."""
    parts = tuple(parts)
    logs: dict[str, list[Raw]] = {}
    for part in parts:
        for table, rows in part.logs.items():
            logs.setdefault(table, []).extend(rows)
    return build.tenant_file(
        TENANT_ID,
        [one for part in parts for one in part.resources],
        roleAssignments=[one for part in parts for one in (*part.role_assignments, *_granted_by_aml(part))],
        roleDefinitions=[one for part in parts for one in part.role_definitions],
        denyAssignments=[one for part in parts for one in part.deny_assignments],
        locks=[one for part in parts for one in part.locks],
        principals=[one for part in parts for one in part.principals],
        groups={group: list(members) for part in parts for group, members in part.groups.items()},
        logs=logs,
    )


def _granted_by_aml(part: Tenant) -> Iterator[Raw]:
    for one in part.resources if part.aml else ():
        if _WORKSPACE.fullmatch(one["id"]):
            yield from build.granted_by_aml(one)


def policy(**more: object) -> str:
    """Everything on, without waiting."""
    return json.dumps(
        {
            "mode": "enforce",
            "settle_minutes": 0,
            "trust": {"allow": [ALLOWED_GROUP]},
            "rules": {rule.name: {"enabled": True} for rule in RULES if rule.mode is RuleKind.OPT_IN},
            "caps": {"per_run": 1000, "per_hour": 100000},
            "people": [{"groups": [PEOPLE_GROUP], "role": "data_scientist", "tags": {PEOPLE_TAG: "data-science"}}],
            **more,
        }
    )


def told_twice(findings: Iterable[tuple[str, str, str]]) -> list[tuple[str, str]]:
    """Resource and remedy of those that several findings (resource, remedy, rule) give."""
    said = Counter((resource.lower(), remedy) for resource, remedy, _ in findings)
    return [one for one, times in said.items() if times > 1]


def requirements() -> Mapping[str, frozenset[str]]:
    """The modes of each AML-id."""
    raw = json.loads((_HERE / "requirements.json").read_text(encoding="utf-8"))
    return {name: frozenset(modes) for name, modes in raw.items()}


def workspaces(tenant: Raw) -> list[str]:
    return [one["id"] for one in tenant["resources"] if _WORKSPACE.fullmatch(one["id"])]
