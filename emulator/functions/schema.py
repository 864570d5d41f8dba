"""What the public schema of host.json allows, as far as emulator/data/host_json.json has it.

The real host ignores a key that it does not know, and so ignores what somebody meant by it: `extensionBundles`, for
example, is not a bundle. Here such a file is refused, as an editor with the schema would mark it.
"""

import json
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from emulator.functions.errors import HostSettingsError

_FACTS = Path(__file__).parents[1] / "data" / "host_json.json"
_SAMPLING = "logging/applicationInsights/samplingSettings"


def check(document: dict[str, Any]) -> None:
    """Raises HostSettingsError for an unknown key, or a word that means nothing to the host."""
    facts = _facts()
    for section, known in facts["sections"].items():
        for key in _section(document, section):
            if key not in known and not (section == "" and key == "$schema"):
                near = get_close_matches(key, known, n=1)
                hint = f"; did you mean {near[0]}?" if near else f"; it knows {', '.join(known)}"
                where = "/".join(filter(None, (section, key)))
                raise HostSettingsError(f"host.json: the Functions host passes over '{where}'{hint}")
    for category, level in _section(document, "logging/logLevel").items():
        if level not in facts["logLevels"]:
            raise HostSettingsError(
                f"host.json: logging/logLevel/{category}: '{level}' is none of {facts['logLevels']}"
            )
    for key in ("excludedTypes", "includedTypes"):
        for name in filter(None, str(_section(document, _SAMPLING).get(key, "")).split(";")):
            if name not in facts["telemetryTypes"]:
                raise HostSettingsError(f"host.json: {key}: '{name}' is none of {facts['telemetryTypes']}")


def _section(document: dict[str, Any], path: str) -> dict[str, Any]:
    """Empty if the file has none. Raises HostSettingsError if it has something else."""
    found: Any = document
    for key in filter(None, path.split("/")):
        found = found.get(key, {})
        if not isinstance(found, dict):
            raise HostSettingsError(f"host.json: {key} is not an object")
    section: dict[str, Any] = found
    return section


@cache
def _facts() -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(_FACTS.read_text("utf-8"))
    return facts
