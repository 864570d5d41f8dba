"""The published JSON Schemas of what `plan` and `apply` print as JSON and CSV: `make docs` writes docs/schemas."""

from typing import Any

from handlers.cli.formats.csv_file import COLUMNS
from handlers.cli.formats.view import SEVERITIES, Status
from shared.access.guards import Guard

type Schema = dict[str, Any]

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_TEXT: Schema = {"type": "string"}
_MAYBE: Schema = {"type": ["string", "null"]}
_HOLDER: Schema = {**_MAYBE, "description": "id of the resource whose identity it is"}
_NUMBER: Schema = {"type": "integer", "minimum": 0}
_ID: Schema = {
    "type": "string",
    "pattern": "^[/\\[]",
    "description": "a resource id; the expression that gives it, where only the deployment of a template knows it",
}
_AS_OF: Schema = {
    "type": ["string", "null"],
    "format": "date-time",
    "description": "when Resource Graph was asked for the resources; null: ARM alone was asked",
}
_ASKED: Schema = {
    "rule": {**_TEXT, "description": "the rules that ask for it, separated by commas"},
    "requirements": {"type": "array", "items": {"type": "string", "pattern": "^AML-[0-9]+$"}},
    "reason": _TEXT,
    "source": _TEXT,
}
_PLACED: Schema = {
    "workspace": {**_MAYBE, "description": "id of the first workspace whose plan has it"},
    "workspaces": {"type": "array", "items": _ID, "description": "all workspaces whose plans have it"},
}
_CAME: Schema = {
    "outcome": {**_TEXT, "description": "of `apply`: Applied, Failed, Withheld or Deferred"},
    "outcomeReason": _TEXT,
    "found": {"type": "boolean", "description": "it was made already"},
    "code": {**_TEXT, "description": "Azure's error code"},
    "lacksRight": {"type": "boolean", "description": "amlguard's own identity may not do it"},
}


def plan() -> Schema:
    placed = {name: _closed(one | _PLACED | _CAME, required=[*one, *_PLACED]) for name, one in _actions().items()}
    bare = {f"{name}Action": _closed(one, required=list(one)) for name, one in _actions().items()}
    bare["wait"] = _closed({"resourceId": _ID, "rule": _TEXT, "requirements": _ASKED["requirements"]})
    for name in ("setting", "settingAction"):
        one = (placed | bare)[name]
        one["properties"] |= {"principalId": _MAYBE, "principalName": _MAYBE, "principal": _HOLDER}
    for name in ("grant", "grantAction"):
        (placed | bare)[name]["properties"]["amlMayAdd"] = {
            "type": "boolean",
            "description": "of a template: Azure Machine Learning may grant it by itself",
        }
    action = {"anyOf": [{"$ref": f"#/$defs/{name}"} for name in bare]}
    return {
        "$schema": _DRAFT,
        "$id": "https://amlguard.invalid/schemas/plan.schema.json",
        "title": "What `amlguard plan --format json` and `amlguard apply --format json` print",
        "$defs": {**placed, **bare},
        **_closed(_document(action), required=[name for name in _document(action) if name not in _OF_SOME]),
    }


_OF_SOME = ("filter", "run", "stopped", "template", "undo")


def _document(action: Schema) -> Schema:
    severity = {"enum": list(SEVERITIES)}
    withheld = {"action": action, "guard": {**_TEXT, "description": f"a rule, or {', '.join(Guard)}"}, "reason": _TEXT}
    deferred = {"action": action, "until": {"type": "string", "format": "date-time"}, "reason": _TEXT}
    unknown = {"resourceId": _TEXT, "what": _TEXT, "reason": _TEXT}
    finding = {
        "resourceId": _TEXT,
        "rule": _TEXT,
        "requirements": _ASKED["requirements"],
        "severity": severity,
        "message": _TEXT,
        "remedy": _TEXT,
    }
    return {
        "version": {**_TEXT, "description": "of amlguard; empty if it is not installed"},
        "time": {"type": ["string", "null"], "format": "date-time", "description": "by ARM's clock"},
        "scope": {"type": "array", "items": _TEXT, "description": "what was named; empty: all that can be read"},
        "policy": {**_MAYBE, "description": "the policy file; null: the defaults"},
        "lookedAt": _closed(
            {"workspaces": _NUMBER, "subscriptions": _NUMBER, "policy": _MAYBE, "identity": _MAYBE, "asOf": _AS_OF}
        ),
        "counts": _counts(),
        "filter": {"type": "object", "description": "what `--rule` and the like chose; without it, this is all"},
        "template": _template(),
        "grants": _list({"$ref": "#/$defs/grant"}),
        "settings": _list({"$ref": "#/$defs/setting"}),
        "removals": _list({"$ref": "#/$defs/removal"}),
        "findings": _list(_closed(finding | _PLACED)),
        "withheld": _list(_closed(withheld | _PLACED)),
        "deferred": _list(_closed(deferred | _PLACED)),
        "unknown": _list(_closed(unknown | _PLACED)),
        "satisfied": {**_NUMBER, "description": "needs that are held already"},
        "errors": _list(_TEXT),
        "run": {**_TEXT, "description": "of `apply`: its run id"},
        "stopped": {"type": "boolean", "description": "of `apply`: Ctrl-C ended it"},
        "undo": {**_TEXT, "description": "of `apply`: the command that takes it back; empty if nothing was changed"},
    }


def _template() -> Schema:
    place = {"type": "array", "prefixItems": [_TEXT, {"type": "integer", "minimum": 1}], "minItems": 2, "maxItems": 2}
    places = {
        "type": "object",
        "description": "by resource id: the file that makes it, and the line of its symbolic name",
        "additionalProperties": place,
    }
    needs = _closed(dict.fromkeys(("held", "missing", "unknown"), _NUMBER))
    closed = _closed({"files": {"type": "array", "items": _TEXT}, "needs": needs, "places": places})
    return {**closed, "description": "of `--template`: the files, and what is held, missing and unknown in them"}


def _actions() -> dict[str, Schema]:
    return {
        "grant": {
            "principalId": _MAYBE,
            "principalType": _TEXT,
            "principalName": {**_MAYBE, "description": "what ARM calls the identity; people have no name here"},
            "principal": _HOLDER,
            "roleDefinitionId": _TEXT,
            "roleName": _TEXT,
            "scope": _ID,
            "resourceId": _ID,
            **_ASKED,
        },
        "setting": {"resourceId": _ID, "property": _TEXT, "from": _TEXT, "to": _TEXT, **_ASKED},
        "removal": {
            "roleAssignmentId": _ID,
            "principalId": _TEXT,
            "roleDefinitionId": _TEXT,
            "scope": _ID,
            "resourceId": _ID,
            **_ASKED,
        },
    }


def _counts() -> Schema:
    lists = ("grants", "settings", "removals", "withheld", "deferred", "unknown", "errors")
    numbers = dict.fromkeys(("workspaces", "subscriptions", *lists, "satisfied"), _NUMBER)
    return _closed(numbers | {"findings": _closed(dict.fromkeys(SEVERITIES, _NUMBER))})


def table() -> Schema:
    """A row, as a reader that takes the header for names sees it: all values are texts."""
    columns: Schema = {name: {"type": "string", "description": said} for name, said in COLUMNS.items()}
    columns["status"]["enum"] = list(Status)
    columns["severity"]["enum"] = ["", *SEVERITIES]
    columns["workspaces"]["pattern"] = "^[0-9]+$"
    columns["requirements"]["pattern"] = "^(AML-[0-9]+( AML-[0-9]+)*)?$"
    for one in columns.values():
        # No cell begins a formula, and none goes on in a second line.
        one.setdefault("pattern", "^$|^[^=+\\-@\\t\\r\\n][^\\r\\n]*$")
    return {
        "$schema": _DRAFT,
        "$id": "https://amlguard.invalid/schemas/plan-csv.schema.json",
        "title": "A row of what `amlguard plan --format csv` prints",
        **_closed(columns),
    }


def _closed(properties: Schema, required: list[str] | None = None) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
        "additionalProperties": False,
    }


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}
