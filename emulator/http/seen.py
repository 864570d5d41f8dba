"""Writes down which resources the local Azure answered with, so that they can be held against Microsoft's types."""

import hashlib
import json
import os
import re
import uuid
from pathlib import Path
from typing import Any

type Json = dict[str, Any]

_FOLDER = "AMLGUARD_SEEN"
# Of a resource by itself, and held by the local Azure itself (emulator/names.py).
_OWN = ("id", "name", "tags", "etag", "systemData")
_WORD = re.compile(r"(?!(.*\d){3})[^/@.:]{0,40}")


class Seen:
    """One file for each local Azure, a resource a line, each with the api-version that it was answered in.

    Of those of one shape there is one.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / f"{uuid.uuid4()}.jsonl"
        self._known: set[str] = set()
        self._noted: set[bytes] = set()

    def note(self, answer: bytes, api_version: str) -> None:
        """The resources in an answer, be it one or a list. Most answers are the same as one before."""
        digest = hashlib.sha256(f"{api_version}\n".encode() + answer).digest()
        if digest not in self._noted:
            self._noted.add(digest)
            self._note(answer, api_version)

    def _note(self, answer: bytes, api_version: str) -> None:
        try:
            body = json.loads(answer)
        except ValueError:
            return
        rows = body.get("value", [body]) if isinstance(body, dict) else []
        rows = rows if isinstance(rows, list) else []
        found = {
            shape(one): one
            for one in ({**row, "apiVersion": api_version} for row in rows if isinstance(row, dict))
            if isinstance(one.get("id"), str) and isinstance(one.get("type"), str)
        }
        new = {key: one for key, one in found.items() if key not in self._known}
        if new:
            self._known.update(new)
            with self._file.open("a", encoding="utf-8") as file:
                file.writelines(f"{json.dumps(one, sort_keys=True)}\n" for one in new.values())


def shape(resource: Json) -> str:
    """The same for resources in which only names, numbers and texts differ: its keys, types of values, and words."""
    return json.dumps(_shape({key: value for key, value in resource.items() if key not in _OWN}), sort_keys=True)


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {"/" if "/" in key else key: _shape(one) for key, one in value.items()}
    if isinstance(value, list):
        return sorted({json.dumps(_shape(one), sort_keys=True) for one in value})
    if isinstance(value, str):
        return value if _WORD.fullmatch(value) else "…"
    return value if isinstance(value, bool) or value is None else 0


def wanted() -> Seen | None:
    """Where the environment names a folder for it."""
    folder = os.environ.get(_FOLDER)
    return Seen(Path(folder)) if folder else None
