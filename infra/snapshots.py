"""Snapshots of infra/parameters and infra/examples: what each deployment would make, by Microsoft's own compiler.

`python -m infra.snapshots` makes them anew and needs `bicep` on the PATH. Reading them does not need it.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from infra.compiler import Bicep, Compiler, CompilerError

type Json = dict[str, Any]

PARAMETERS = Path(__file__).parent / "parameters"
EXAMPLES = Path(__file__).parent / "examples"
_SUFFIX = ".snapshot.json"
# An id that depends on a value that only Azure knows stays an expression. Its arguments tell where the resource lies.
_PLACES = (
    (re.compile(r"\[extensionResourceId\('([^']+)'"), "{0}"),
    (re.compile(r"\[subscriptionResourceId\('([^']+)'"), "/subscriptions/{0}"),
    (re.compile(r"\[resourceId\('([^']+)', '([^']+)'"), "/subscriptions/{0}/resourceGroups/{1}"),
    (
        re.compile(r"\[managementGroupResourceId\('([^']+)'"),
        "/providers/Microsoft.Management/managementGroups/{0}",
    ),
)


def parameter_files(folder: Path = PARAMETERS) -> list[Path]:
    return sorted(folder.glob("*.bicepparam"))


def snapshot_of(parameters: Path) -> Path:
    """Where the compiler writes the snapshot."""
    return parameters.with_suffix(_SUFFIX)


def names(folder: Path = PARAMETERS) -> list[str]:
    """The names of the parameter files."""
    return [path.stem for path in parameter_files(folder)]


def load(name: str, folder: Path = PARAMETERS) -> Json:
    """The snapshot of a parameter file."""
    found: Json = json.loads((folder / f"{name}{_SUFFIX}").read_text("utf-8"))
    return found


def made(name: str, kind: str | None = None) -> list[Json]:
    """The resources that a deployment with that parameter file makes: all of them, or those of one type."""
    resources: list[Json] = load(name)["predictedResources"]
    return [one for one in resources if kind is None or one["type"].lower() == kind.lower()]


def scope(resource: Json) -> str:
    """What the resource lies in. For an extension resource, what it is about. Raises `ValueError`."""
    identifier: str = resource["id"]
    if identifier.startswith("/"):
        before, provider, _ = identifier.rpartition("/providers/")
        return before if provider else identifier.rpartition("/resourceGroups/")[0]
    for pattern, place in _PLACES:
        found = pattern.match(identifier)
        if found:
            return place.format(*found.groups())
    raise ValueError(f"where does this lie? {identifier}")


def renew(bicep: Bicep, folder: Path = PARAMETERS) -> Iterator[Path]:
    """Makes each snapshot anew. Raises `CompilerError`."""
    for parameters in parameter_files(folder):
        path = snapshot_of(parameters)
        write(path, bicep.snapshot(parameters))
        yield path


def write(path: Path, snapshot: Json) -> None:
    """Sorts the outputs, because the compiler gives them in another order each time."""
    ordered = {**snapshot, "outputs": dict(sorted(snapshot["outputs"].items()))}
    path.write_text(json.dumps(ordered, indent=2, ensure_ascii=False) + "\n", "utf-8")


def main() -> int:
    compiler = Compiler.found()
    if compiler is None:
        print("infra: there is no bicep on the PATH, and nothing else can make snapshots", file=sys.stderr)
        return 1
    try:
        with compiler.running() as bicep:
            for path in (*renew(bicep), *renew(bicep, EXAMPLES)):
                print(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
    except CompilerError as error:
        print(f"infra: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
