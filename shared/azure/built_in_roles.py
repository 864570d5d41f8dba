"""The built-in roles ship with amlguard, so that nobody needs to ask Azure for them. It loads no SDK."""

import json
from importlib.resources import files

from shared.access.parse import role_definition
from shared.access.permissions import RoleDefinition


def built_in_roles() -> dict[str, RoleDefinition]:
    raw = json.loads(files("shared.azure").joinpath("built_in_roles.json").read_text(encoding="utf-8"))
    return {role.role_id: role for role in map(role_definition, raw)}
