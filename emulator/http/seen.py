"""Writes down which resources the local Azure answered with, so that they can be held against Microsoft's types."""

import json
import os
import uuid
from pathlib import Path
from typing import Any

type Json = dict[str, Any]

_FOLDER = "AMLGUARD_SEEN"


class Seen:
    """One file for each local Azure, a resource a line, each with the api-version that it was answered in."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / f"{uuid.uuid4()}.jsonl"
        self._known: set[str] = set()

    def note(self, answer: bytes, api_version: str) -> None:
        """The resources in an answer, be it one or a list."""
        try:
            body = json.loads(answer)
        except ValueError:
            return
        rows = body.get("value", [body]) if isinstance(body, dict) else []
        lines = [
            json.dumps({**row, "apiVersion": api_version}, sort_keys=True)
            for row in (rows if isinstance(rows, list) else [])
            if isinstance(row, dict) and isinstance(row.get("id"), str) and isinstance(row.get("type"), str)
        ]
        new = [line for line in dict.fromkeys(lines) if line not in self._known]
        if new:
            self._known.update(new)
            with self._file.open("a", encoding="utf-8") as file:
                file.writelines(f"{line}\n" for line in new)


def wanted() -> Seen | None:
    """Where the environment names a folder for it."""
    folder = os.environ.get(_FOLDER)
    return Seen(Path(folder)) if folder else None
