"""The key of a snapshot's pseudonyms: whoever has it can try which name a pseudonym stands for."""

import secrets
from pathlib import Path

from handlers.cli.console import UsageError

ONE_KEY = Path("-")
"""A key that is made for one snapshot and then forgotten."""
_BYTES = 32


def key_of(file: Path) -> bytes:
    """Raises `UsageError` for a file that does not hold as much as a key must."""
    if file == ONE_KEY:
        return secrets.token_bytes(_BYTES)
    try:
        key = file.read_bytes().strip()
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from error
    if len(key) < _BYTES:
        raise UsageError(f"{file} is too short for a key: `openssl rand -hex 32 > {file}` makes one")
    return key
