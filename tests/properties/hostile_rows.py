"""Audit rows as somebody could make them who may write to the log or to a file. What once broke it is in tests/rows."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from unit.build import FOREIGN, GROUP, LOOKALIKE, REGISTRY, ROLES, STORAGE, VAULT, WORKSPACE, guid, registry_id, sai

from shared.access.intents import moment
from shared.access.needs import VAULT_PERMISSIONS
from shared.access.own_assignments import assignment_name
from shared.access.scope import Scope
from shared.audit_rows import COLUMNS

type Row = dict[str, Any]

RUN, OTHER_RUN = guid("hostile run"), guid("another run")
C1, STRANGER = sai("cpu1"), guid("stranger")
ABROAD, NEARBY = registry_id("abroad", FOREIGN), registry_id("nearby", LOOKALIKE)
_TABLES = json.loads((Path(__file__).parents[2] / "infra" / "tables.json").read_text("utf-8"))["tables"]
_COLUMNS = {one["name"]: one["type"] for one in _TABLES["AmlGuardRemediation_CL"]["columns"]}
_FOUND = Path(__file__).parents[1] / "rows"

_SCOPES = (WORKSPACE, WORKSPACE.child("computes", "cpu1"), REGISTRY, STORAGE, VAULT, GROUP, ABROAD, NEARBY, LOOKALIKE)
_IDS = tuple(map(str, _SCOPES))
_OBJECTS = (C1.id, sai("mlw").id, STRANGER, "")
_ROLES = tuple(f"/x/{ROLES[name].role_id}" for name in ("AcrPull", "Owner", "Contributor", "Storage Blob Data Reader"))
_READ = tuple(one for one in COLUMNS if one not in {"Reason", "Guard", "DurationMs", "LacksRight", "EventTime"})
_TEXTS = ("Planned", "Applied", "Undone", "Grant", "Removal", "Setting", "enforce", "adminUserEnabled", "true", "false")
_JUNK: tuple[Any, ...] = (
    None, 7, -1.5, True, "", "x", "\x00\ud800\u202e", "../..", "/", "[" * 20_000, '{"a": 1}', '["a"]', "[null]", [], {},
    [None], [[]], {"a": []}, "9999-12-31T23:59:59.9999999Z", "0001-01-01", "2026-11-28T00:00:00", "7" * 5_000,
    [f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/w{n}" for n in range(400)],
)  # fmt: skip


def _assigned(scope: Scope, principal: str, role: str) -> str:
    name = assignment_name(scope, principal, role.rpartition("/")[2])
    return f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"


@st.composite
def _whole(draw: st.DrawFn) -> Row:
    """A row of the right form that claims anything."""
    scope = draw(st.sampled_from(_SCOPES))
    principal, role = draw(st.sampled_from(_OBJECTS)), draw(st.sampled_from(_ROLES))
    action = draw(st.sampled_from(("Grant", "Removal", "Setting")))
    row: Row = {
        "TimeGenerated": "2026-11-28T00:00:00Z",
        "RunId": draw(st.sampled_from((RUN, RUN, OTHER_RUN))),
        "ActionId": draw(st.sampled_from((guid("a"), guid("b"), assignment_name(scope, principal, role[3:])))),
        "Action": action,
        "RuleId": "compute-pull",
        "Requirements": ["AML-18"],
        "ResourceId": draw(st.sampled_from(_IDS)),
        "Mode": "enforce",
        "Outcome": draw(st.sampled_from(("Planned", "Applied", "Applied", "Failed", "Undone"))),
        "Reason": "x",
        "Code": draw(st.sampled_from(("", "EndedEarly"))),
        "Found": draw(st.booleans()),
        "PrincipalId": principal,
        "Scope": str(scope),
        "NeededBy": draw(st.lists(st.sampled_from(_IDS), max_size=2)),
    }
    if action == "Setting":
        named = draw(st.sampled_from(("adminUserEnabled", "accessPolicies", "cachedKeys")))
        row |= {"Property": named, "From": draw(st.sampled_from(("true", "false", "missing: secrets/get", "cached")))}
        row |= {"To": draw(st.sampled_from(("true", "false", "present", "resynced")))}
        row |= {"AddedPermissions": draw(st.lists(st.sampled_from(sorted(VAULT_PERMISSIONS)), max_size=3))}
        return row | {"Scope": row["ResourceId"]}
    return row | {"RoleDefinitionId": role, "RoleAssignmentId": _assigned(scope, principal, role), "From": "true"}


@st.composite
def _spoiled(draw: st.DrawFn) -> Row:
    """With anything in some columns, or without them."""
    row = draw(_whole())
    for name in draw(st.lists(st.sampled_from(_READ), min_size=1, max_size=3, unique=True)):
        value = draw(st.sampled_from((*_JUNK, *_IDS, *_TEXTS, _LEFT_OUT)))
        row = {key: each for key, each in row.items() if key != name}
        row |= {} if value is _LEFT_OUT else {name: value}
    return row


_LEFT_OUT = object()


def rows() -> st.SearchStrategy[list[Row]]:
    return st.lists(st.one_of(_whole(), _spoiled()), min_size=1, max_size=4)


def as_logged(row: Row) -> Row:
    """As Log Analytics shows it, whose columns have types. Lists are text, and every row has its time and its run."""
    shown = {name: _typed(row.get(name), kind) for name, kind in _COLUMNS.items()}
    return shown | {"RunId": shown["RunId"] or RUN}


def _typed(value: Any, kind: str) -> Any:
    match kind:
        case "dynamic":
            return value if value is None or isinstance(value, str) else json.dumps(value)
        case "string":
            return "" if value is None else value if isinstance(value, str) else json.dumps(value)
        case "datetime":
            at = moment(value) if isinstance(value, str) else None
            return (at or datetime(2026, 11, 28, tzinfo=UTC)).isoformat()
        case "boolean":
            return value if isinstance(value, bool) else None
        case _:
            return value if isinstance(value, int) and not isinstance(value, bool) else None


def found() -> Mapping[str, list[Row]]:
    """By file name."""
    return {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(_FOUND.glob("*.json"))}
