"""What a local Azure keeps in a folder, so that clients that were set up once go on working after a restart.

The folder has the authority of the certificates, the operator's secret, the key of the tokens, the ports, and the
tenant as it was at the end. Whoever can read it can be the operator, so it is for its owner alone.
"""

import json
import os
import secrets
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import trustme

type Json = dict[str, Any]

_FILE, _TENANT = "kept.json", "tenant.json"
_OWNER_ONLY = 0o700


class KeptError(Exception):
    """The folder cannot be used. The message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """New at each start, unless they are kept."""

    operator: str
    tokens: str
    identity_header: str
    certificate: str
    key: str
    port: int = 0
    functions_port: int = 0
    starts: int = 0
    """How often the local Azure was started with them before."""

    @classmethod
    def new(cls) -> Self:
        authority = trustme.CA(organization_name="amlguard local Azure")
        return cls(
            operator=secrets.token_urlsafe(24),
            tokens=secrets.token_hex(32),
            identity_header=secrets.token_hex(16).upper(),
            certificate=authority.cert_pem.bytes().decode(),
            key=authority.private_key_pem.bytes().decode(),
        )

    @property
    def authority(self) -> trustme.CA:
        return trustme.CA.from_pem(self.certificate.encode(), self.key.encode())


class Kept:
    def __init__(self, folder: Path | None) -> None:
        """Without a folder nothing is kept."""
        self._folder = folder
        self.secrets = Secrets.new() if folder is None else _secrets(folder)

    def tenant(self, given: Path | None) -> Path | None:
        """The file to start from: what was kept, else the given one."""
        file = self._folder / _TENANT if self._folder else None
        return file if file is not None and file.exists() else given

    def started(self, port: int, functions_port: int) -> None:
        if self._folder:
            starts = self.secrets.starts + 1
            found = replace(self.secrets, port=port, functions_port=functions_port or self.secrets.functions_port)
            _write(self._folder / _FILE, asdict(replace(found, starts=starts)))

    def ended(self, tenant: Json) -> None:
        if self._folder:
            _write(self._folder / _TENANT, tenant)


def _secrets(folder: Path) -> Secrets:
    folder.mkdir(mode=_OWNER_ONLY, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise KeptError(f"{folder} belongs to somebody else. Name a folder of your own with --state.")
    folder.chmod(_OWNER_ONLY)
    file = folder / _FILE
    if not file.exists():
        return Secrets.new()
    try:
        return Secrets(**json.loads(file.read_text("utf-8")))
    except (ValueError, TypeError) as error:
        message = f"{file} cannot be read ({error}). Name another folder with --state, or remove this one."
        raise KeptError(message) from error


def _write(file: Path, content: Json) -> None:
    """Whole, or not at all."""
    new = file.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        json.dump(content, out)
    new.replace(file)
