"""Role definitions: the built-in ones, and the two shapes in which files hold them."""

import json
from pathlib import Path
from typing import Any

from emulator.ids import guid_at_end

type Json = dict[str, Any]

_PREFIX = "/providers/Microsoft.Authorization/roleDefinitions/"


def built_in(file: Path = Path(__file__).parent / "data" / "roles.json") -> dict[str, Json]:
    """By lower-case GUID, as REST GET returns them."""
    return {role["name"].lower(): as_resource(role) for role in json.loads(file.read_text())}


def as_resource(role: Json, kind: str = "BuiltInRole") -> Json:
    """REST's shape, from that or from the flat shape that `az role definition list` prints."""
    if isinstance(role.get("properties"), dict):
        name = role.get("name") or guid_at_end(role["id"])
        return {"id": _PREFIX + name, "type": "Microsoft.Authorization/roleDefinitions", **role, "name": name}
    return {
        "id": role.get("id", _PREFIX + role["name"]),
        "type": "Microsoft.Authorization/roleDefinitions",
        "name": role["name"],
        "properties": {
            "roleName": role.get("roleName"),
            "type": role.get("roleType", kind),
            "description": role.get("description", ""),
            "assignableScopes": role.get("assignableScopes", ["/"]),
            "permissions": role.get("permissions", []),
            # the file does not say them, and GET has them
            **dict.fromkeys(("createdOn", "updatedOn", "createdBy", "updatedBy")),
        },
    }
