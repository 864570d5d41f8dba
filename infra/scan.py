"""Runs checkov over what the templates make: each snapshot as one flat ARM template.

The compiler's own JSON nests a template for each module, and checkov does not look into those: it finds 0 resources and
nothing wrong. Therefore the number of resources that checkov looked at is compared with the number that there are.
"""

import atexit
import hashlib
import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

type Json = dict[str, Any]

_PYTHON = Path(__file__).parents[1] / ".venv-infra" / "bin" / "python"
_SCRIPT = Path(__file__).with_name("run_checkov.py")
_ACCEPTED = Path(__file__).parent / "accepted.json"
_SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
_NESTED = "Microsoft.Resources/deployments"
# This many lines of checkov's error are enough to see what it is about.
_MOST_LINES = 5


@dataclass(frozen=True, slots=True)
class _Checkov:
    """Goes on until Python ends: to load it takes longer than most scans."""

    process: subprocess.Popen[str]
    errors: IO[str]

    def report(self, folder: str) -> str:
        """Nothing if it ended."""
        if not (self.process.stdin and self.process.stdout):
            return ""
        with suppress(BrokenPipeError):
            self.process.stdin.write(f"{folder}\n")
            self.process.stdin.flush()
        return self.process.stdout.readline()

    def ended(self) -> str:
        """What it said of its end."""
        with suppress(BrokenPipeError):
            self.process.communicate()
        if self.errors.closed:
            return ""
        with self.errors as errors:
            errors.seek(0)
            return errors.read()


@cache
def _checkov() -> _Checkov:
    errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - as long as the process
    process = subprocess.Popen(  # noqa: S603 - installed from requirements-infra.txt
        # -P, because some of our modules have the names of others' packages.
        [_PYTHON, "-P", _SCRIPT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
    )
    made = _Checkov(process, errors)
    atexit.register(made.ended)
    return made


def accepted() -> list[Mapping[str, str]]:
    """The accepted findings: check, resource type and reason."""
    found: list[Mapping[str, str]] = json.loads(_ACCEPTED.read_text("utf-8"))["accepted"]
    return found


def scanned(snapshots: Mapping[str, Json], excused: Sequence[Mapping[str, str]]) -> list[str]:
    """What checkov finds, by the name of the snapshot, and what it could not look at. Empty if all is well."""
    if not snapshots:
        return ["there is no snapshot to scan"]
    with tempfile.TemporaryDirectory() as folder:
        for name, snapshot in snapshots.items():
            (Path(folder) / f"{name}.json").write_text(json.dumps(_flat(snapshot), indent=1), "utf-8")
        told = _checkov().report(folder)
    try:
        report = json.loads(told)
        failed, summary = report["results"]["failed_checks"], report["summary"]
    except (ValueError, KeyError, TypeError):
        said = "\n".join((told + _checkov().ended()).splitlines()[-_MOST_LINES:])
        _checkov.cache_clear()
        return [f"checkov read nothing: {said}"]
    there = {one["type"] for snapshot in snapshots.values() for one in snapshot["predictedResources"]}
    return [*_unread(snapshots, summary), *_found(failed, [one for one in excused if one["type"] in there])]


def _flat(snapshot: Json) -> Json:
    return {"$schema": _SCHEMA, "contentVersion": "1.0.0.0", "resources": _plain(snapshot["predictedResources"])}


def _plain(value: Any) -> Any:
    """Removes expressions, which stand for values that only Azure knows. checkov fails on some of them."""
    match value:
        case dict():
            return {key: _plain(one) for key, one in value.items()}
        case list():
            return [_plain(one) for one in value]
        case str() if value.startswith("["):
            return hashlib.sha256(value.encode()).hexdigest()
        case _:
            return value


def _unread(snapshots: Mapping[str, Json], summary: Mapping[str, int]) -> Iterator[str]:
    """Checkov counts resources of the same type and name in a file only once."""
    resources = [(name, one) for name, snapshot in snapshots.items() for one in snapshot["predictedResources"]]
    there = {(name, one["type"], one["name"]) for name, one in resources}
    if summary["parsing_errors"] or summary["resource_count"] != len(there):
        yield f"checkov looked at {summary['resource_count']} of {len(there)} resources"
    for name, one in resources:
        if one["type"] == _NESTED:
            yield f"{name}: nobody looked into {one['name']}, which the compiler left nested"


def _found(failed: Sequence[Json], excused: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """Each finding once for each file, then the exceptions in accepted.json that nothing needs any more."""
    known = {(one["check"], one["type"]) for one in excused}
    used = {(one["check_id"], _type(one["resource"])) for one in failed}
    for one in failed:
        if (one["check_id"], _type(one["resource"])) not in known:
            yield f"{Path(one['file_path']).stem}: {one['check_id']} {one['check_name']} ({one['resource']})"
    for check, kind in sorted(known - used):
        yield f"accepted.json: {check} of {kind} excuses nothing"


def _type(resource: str) -> str:
    """The type in checkov's `Microsoft.Storage/storageAccounts.name`. Only its first segment has a full stop."""
    provider, _, rest = resource.partition("/")
    return f"{provider}/{rest.partition('.')[0]}"
