"""Runs Microsoft's Bicep compiler, which says what a template would make: `bicep snapshot`.

The compiler takes a parameter file and writes the snapshot beside it. So for a moment two files are beside the
template, and they are removed whatever happens.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handlers.cli.bicep_text import assigned, literal, overridden, using
from handlers.cli.console import UsageError, read_json, read_text, write_text
from handlers.cli.parameters import Parameters
from shared.access.raw import is_guid, text

_SECONDS = 300
_ERROR = re.compile(r"^(.*?) ?: Error (\S+?): (.*)$", re.MULTILINE)
# The compiler's codes for a module that it cannot get: https://aka.ms/bicep/core-diagnostics
_RESTORE = ("BCP190", "BCP191", "BCP192", "BCP193", "BCP194", "BCP212", "BCP213")
_MOST_ERRORS = 5
_GET_IT = (
    "install it (https://aka.ms/bicep-install, or `az bicep install`), or give a snapshot that was made elsewhere "
    "(`bicep snapshot FILE.bicepparam --mode overwrite`)"
)


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where the template would be deployed, and its parameters as NAME=VALUE."""

    subscription: str
    group: str
    management_group: str
    tenant: str
    location: str
    parameters: tuple[str, ...] = ()

    def options(self, schema: str) -> list[str]:
        """The compiler's, by the scope that the template says it is for."""
        where = ["--tenant-id", self.tenant, "--location", self.location, "--deployment-name", "main"]
        name = schema.casefold()
        if "managementgroupdeploymenttemplate" in name:
            return [*where, "--management-group-id", self.management_group]
        if "tenantdeploymenttemplate" in name:
            return where
        where += ["--subscription-id", self.subscription]
        return where if "subscriptiondeploymenttemplate" in name else [*where, "--resource-group", self.group]

    def check(self) -> None:
        """Raises `UsageError`."""
        for option, value in (("--subscription", self.subscription), ("--tenant", self.tenant)):
            if not is_guid(value):
                raise UsageError(f"{option} {value!r} is not a GUID")


def snapshot_of(file: Path, deployment: Deployment, environment: Mapping[str, str]) -> tuple[Any, list[str]]:
    """The snapshot, and what to say about how it was made. Raises `UsageError`."""
    kind = file.suffix.casefold()
    if kind not in (".bicep", ".bicepparam", ".json"):
        raise UsageError(f"{file}: a *.snapshot.json, .bicepparam, .bicep or ARM template (.json) is wanted here")
    found = read_json(str(file)) if kind == ".json" else None
    if isinstance(found, Mapping) and "predictedResources" in found:
        return found, []
    read_text(file)
    compiler = _Compiler(_find(environment), environment)
    if kind == ".bicepparam":
        written = read_text(file)
        template = compiler.template(_beside(file, written))
        parameters = Parameters.of(template, deployment.parameters, assigned(written))
        said = overridden(written, parameters.values)
    else:
        template = found if kind == ".json" else compiler.template(file)
        parameters = Parameters.of(template, deployment.parameters)
        lines = (f"param {name} = {literal(value)}" for name, value in parameters.values.items())
        said = "\n".join((f"using {literal('./' + file.name)}", *lines, ""))
    parameters.require_all(file)
    options = deployment.options(text(template, "$schema") or "")
    return compiler.snapshot(file, said, options), parameters.notes


def _beside(file: Path, written: str) -> Path:
    named = using(written)
    if named is None or named.startswith(("br:", "br/", "ts:", "ts/")):
        raise UsageError(f"{file} does not say `using` with a template on this machine")
    return file.parent / named


def _find(environment: Mapping[str, str]) -> str:
    """On the path, or az's own. Raises `UsageError`."""
    folder = environment.get("AZURE_CONFIG_DIR") or str(Path(environment.get("HOME", "~")).expanduser() / ".azure")
    places = (environment.get("PATH", os.defpath), str(Path(folder) / "bin"))
    found = next((one for place in places if (one := shutil.which("bicep", path=place))), None)
    if found is None:
        raise UsageError(f"there is no Bicep compiler, neither on the PATH nor with the Azure CLI: {_GET_IT}")
    return found


@dataclass(frozen=True, slots=True)
class _Compiler:
    path: str
    environment: Mapping[str, str]

    def template(self, file: Path) -> Any:
        """The ARM template of a Bicep file, or an ARM template itself. Raises `UsageError`."""
        if file.suffix.casefold() == ".json":
            return read_json(str(file))
        done = self._run(file, "build", str(file), "--stdout")
        try:
            return json.loads(done)
        except ValueError as error:
            raise UsageError(f"{file}: the Bicep compiler wrote no template") from error

    def snapshot(self, file: Path, parameters: str, options: list[str]) -> Any:
        """Raises `UsageError`."""
        with _written(file.parent, parameters) as beside:
            self._run(file, "snapshot", str(beside), "--mode", "overwrite", *options)
            made = beside.with_suffix(".snapshot.json")
            if not made.exists():
                raise UsageError(f"{file}: the Bicep compiler wrote no snapshot")
            return read_json(str(made))

    def _run(self, file: Path, *arguments: str) -> str:
        try:
            done = subprocess.run(  # noqa: S603 - the compiler of whoever runs this, and no shell
                [self.path, *arguments], capture_output=True, timeout=_SECONDS, check=False, env=dict(self.environment)
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UsageError(f"{file}: the Bicep compiler {self.path} did not answer: {error}") from error
        said = done.stderr.decode("utf-8", "replace") + done.stdout.decode("utf-8", "replace")
        if done.returncode == 0:
            return done.stdout.decode("utf-8-sig", "replace")
        raise UsageError(self._why(file, arguments[0], said))

    def _why(self, file: Path, command: str, said: str) -> str:
        errors = [(code, message) for _, code, message in _ERROR.findall(said)]
        if any(code in _RESTORE for code, _ in errors):
            why = "; ".join(message for code, message in errors if code in _RESTORE)
            return f"{file} needs modules that could not be fetched (`bicep restore` does it, with network): {why}"
        if errors:
            told = [f"{message} ({code})" for code, message in dict.fromkeys(errors)]
            more = f" … and {len(told) - _MOST_ERRORS} more" if len(told) > _MOST_ERRORS else ""
            return f"{file} does not compile: {' '.join(told[:_MOST_ERRORS])}{more}"
        if command == "snapshot" and not self._has_snapshot():
            return f"the Bicep compiler {self.path} cannot make a snapshot: it is too old; {_GET_IT}"
        return f"{file}: the Bicep compiler failed: {' '.join(said.split())[:1000] or 'it said nothing'}"

    def _has_snapshot(self) -> bool:
        done = subprocess.run(  # noqa: S603 - as above
            [self.path, "snapshot", "--help"],
            capture_output=True,
            timeout=_SECONDS,
            check=False,
            env=dict(self.environment),
        )
        return done.returncode == 0 and b"--deployment-name" in done.stdout


@contextmanager
def _written(folder: Path, parameters: str) -> Iterator[Path]:
    """A parameter file that is there for as long as the compiler needs it."""
    beside = folder / f"amlguard-{uuid.uuid4().hex}.bicepparam"
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the files go also when it is ended
    try:
        try:
            write_text(beside, parameters)
        except OSError as error:
            raise UsageError(f"{folder} cannot be written to, and the compiler needs a file there: {error}") from error
        yield beside
    finally:
        beside.unlink(missing_ok=True)
        beside.with_suffix(".snapshot.json").unlink(missing_ok=True)
        signal.signal(signal.SIGTERM, before)
