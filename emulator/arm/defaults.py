"""What a service fills in where a client said nothing.

`data/defaults.json` has, for each type, what recorded answers hold beyond what was sent (Azure CLI, Azure Service
Operator; 2018 to 2026), the newest where they differ. `name[]` is about each element of the list, `name?` about an
object that the client sent, `type#sku` about one SKU. What a resource already has is kept.
"""

import json
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from emulator.ids import ResourcePath

type Json = dict[str, Any]

# learn.microsoft.com/azure/reliability/regions-paired
_PAIRS = {"westeurope": "northeurope", "northeurope": "westeurope", "eastus": "westus", "eastus2": "centralus"}
_WORD = re.compile(r"\{([a-z.]+)(?::(\w+))?\}")


class Defaults:
    def __init__(self, tenant_id: str, now: Callable[[], str]) -> None:
        file = Path(__file__).parents[1] / "data" / "defaults.json"
        self._types: dict[str, Json] = json.loads(file.read_text("utf-8"))
        self._tenant_id = tenant_id
        self._now = now

    def filled(self, resource: Json, before: Json | None, caller: str) -> Json:
        """The resource with what its service adds. `before` is what is replaced."""
        path = ResourcePath.parse(resource["id"])
        known = self._types.get(path.type.lower())
        if known is None:
            return resource
        sku = str((resource.get("sku") or {}).get("name", ""))
        of_sku = self._types.get(f"{path.type}#{sku}".lower(), {})
        region = str(resource.get("location", "")).replace(" ", "").lower()
        words = {
            "id": resource["id"],
            "name": path.name,
            "lower": path.name.lower(),
            "group": "/".join(resource["id"].split("/")[:5]),
            "group.name": path.resource_group or "",
            "subscription": path.subscription or "",
            "scope": path.extends,
            "region": region,
            "paired": _PAIRS.get(region, region),
            "tenant": self._tenant_id,
            "caller": caller,
            "now": self._now(),
            "sku.name": sku,
            "sku.family": sku.partition("_")[0],
        }
        filled: Json = _filled(_filled(resource, known, before or {}, words), of_sku, before or {}, words)
        return filled


def _filled(value: Any, default: Json, before: Any, words: dict[str, str]) -> Any:
    if not isinstance(value, dict):
        return value
    result, held = dict(value), before if isinstance(before, dict) else {}
    for key, known in default.items():
        name = key.rstrip("[]?")
        if key.endswith("[]"):
            if isinstance(result.get(name), list):
                result[name] = [_filled(one, known, {}, _about(one, words)) for one in result[name]]
        elif isinstance(known, dict) and (known or result.get(name) is None):
            if result.get(name) is not None or not key.endswith("?"):
                given = {} if result.get(name) is None else result[name]
                result[name] = _filled(given, known, held.get(name), words)
        elif name not in result:
            changes = isinstance(known, str) and "{now}" in known
            result[name] = held[name] if changes and name in held else _rendered(known, words)
    return result


def _about(element: Any, words: dict[str, str]) -> dict[str, str]:
    if not isinstance(element, dict):
        return words
    image = (element.get("properties") or {}).get("image", "")
    return {**words, "element": str(element.get("name", "")), "image": str(image)}


def _rendered(known: Any, words: dict[str, str]) -> Any:
    if isinstance(known, str):
        return _WORD.sub(lambda found: _word(found[1], found[2], words), known)
    if isinstance(known, list):
        return [_rendered(one, words) for one in known]
    return {key: _rendered(one, words) for key, one in known.items()} if isinstance(known, dict) else known


def _word(name: str, what: str | None, words: dict[str, str]) -> str:
    """A GUID stays the same as long as the resource does."""
    if name in ("guid", "hex"):
        made = uuid.uuid5(uuid.NAMESPACE_URL, f"{words['id'].lower()}|{what}")
        return made.hex if name == "hex" else str(made)
    return words[name]
