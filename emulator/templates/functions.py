"""The functions of the template language that the local Azure has. It refuses every other by its name.

They are what azure-ai-ml's own templates use, and what the Bicep compiler makes of modules, loops and scopes.
https://learn.microsoft.com/azure/azure-resource-manager/templates/template-functions
"""

import json
import uuid
from typing import Any

from emulator.templates.expressions import Functions
from emulator.templates.unique import unique_string

# What `guid()` makes its names from, seen with Microsoft's compiler (`bicep console`)
_NAMESPACE = uuid.UUID("11fb06fb-712d-4ddd-98c7-e71bbd588830")


def resource_id(scope: str, kind: str, *names: str) -> str:
    """https://learn.microsoft.com/azure/azure-resource-manager/templates/template-functions-resource"""
    namespace, *types = kind.split("/")
    if len(types) != len(names):
        raise ValueError(f"{kind} needs {len(types)} names")
    pairs = "/".join(f"{one}/{name}" for one, name in zip(types, names, strict=True))
    return f"{scope.rstrip('/')}/providers/{namespace}/{pairs}"


def in_scope(scope: str) -> Functions:
    """The functions whose value depends on the scope (a group or a subscription) of the deployment."""
    parts = scope.split("/")
    subscription = parts[2] if scope.lower().startswith("/subscriptions/") else ""

    def here(*words: str) -> str:
        at = next(place for place, word in enumerate(words) if "/" in word)
        given = list(words[:at])
        group = given.pop() if given and (len(given) > 1 or len(parts) > 4 or not _is_guid(given[-1])) else None
        if group is None:
            whole = scope if not given else f"/subscriptions/{given[0]}"
        else:
            whole = f"/subscriptions/{given[0] if given else subscription}/resourceGroups/{group}"
        return resource_id(whole, *words[at:])

    def of_subscription(*words: str) -> str:
        other = words[0] if "/" not in words[0] else None
        return resource_id(f"/subscriptions/{other or subscription}", *words[1 if other else 0 :])

    return {"resourceid": here, "subscriptionresourceid": of_subscription}


def _is_guid(text: str) -> bool:
    return len(text) == 36 and text.count("-") == 4


def _concat(*values: Any) -> Any:
    if values and isinstance(values[0], list):
        return [one for value in values for one in value]
    return "".join(_text(value) for value in values)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _format(text: str, *values: Any) -> str:
    return text.format(*map(_text, values))


def _guid(*words: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, "-".join(words)))


def _equals(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _object(*words: Any) -> dict[str, Any]:
    return dict(zip(words[0::2], words[1::2], strict=True))


PURE: Functions = {
    "and": lambda *values: all(values),
    "array": lambda value: value if isinstance(value, list) else [value],
    "concat": _concat,
    "createarray": lambda *values: list(values),
    "createobject": _object,
    "empty": lambda value: not value,
    "equals": _equals,
    "extensionresourceid": resource_id,
    "false": lambda: False,
    "format": _format,
    "guid": _guid,
    "json": json.loads,
    "length": len,
    "newguid": lambda: str(uuid.uuid4()),
    "not": lambda value: not value,
    "null": lambda: None,
    "or": lambda *values: any(values),
    "tenantresourceid": lambda *words: resource_id("", *words),
    "tolower": lambda text: text.lower(),
    "toupper": lambda text: text.upper(),
    "true": lambda: True,
    "uniquestring": unique_string,
}
OF_A_DEPLOYMENT = (
    "copyindex",
    "deployment",
    "if",
    "parameters",
    "reference",
    "resourcegroup",
    "resourceid",
    "subscription",
    "subscriptionresourceid",
    "tenant",
    "variables",
)
KNOWN = frozenset((*PURE, *OF_A_DEPLOYMENT))
