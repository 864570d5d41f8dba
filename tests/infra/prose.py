"""Where KQL goes by text that is for people. Of exceptions the host tells nothing else: they may hold fixed words."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

from emulator.functions.node import NODE
from infra.check import tables

PROSE = ("Reason", "Message", "Remedy", "InnermostMessage", "OuterMessage")
FIXED = {"InnermostMessage": ("AuditFailedError", "LacksRight")}


def steered_by_prose(queries: Mapping[str, str]) -> dict[str, list[str]]:
    """By query, what of it goes by prose; those that do not are left out."""
    schemas = {name: f"({', '.join(f'{c}:{t}' for c, t in columns)})" for name, columns in tables().items()}
    given = {"tables": schemas, "queries": dict(queries), "columns": PROSE, "fixed": FIXED}
    script = Path(__file__).with_name("prose.cjs")
    ended = subprocess.run([NODE, script], input=json.dumps(given), capture_output=True, text=True, check=True)
    found: dict[str, list[str]] = json.loads(ended.stdout)
    return {name: uses for name, uses in found.items() if uses}
