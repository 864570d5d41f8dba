"""`python -m infra.check [FOLDER]`: compiles and scans the templates, and checks the queries against the tables.

It checks the folder infra/, or FOLDER. If it finds anything wrong, it says what and exits 1. Without a `bicep` on the
PATH it says what it did not check. checkov needs packages of its own: see requirements-infra.in.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from emulator.functions.node import NODE
from infra.compiler import AGE, Bicep, Compiler, CompilerError
from infra.scan import accepted, scanned
from infra.snapshots import parameter_files, snapshot_of

type Json = dict[str, Any]
type Scan = Callable[[Mapping[str, Json], Sequence[Mapping[str, str]]], list[str]]
type Bind = Callable[[Json], Json]

INFRA = Path(__file__).parent
ROOT = INFRA.parent
BIND = INFRA / "bind.cjs"
TEMPLATES = ("main.bicep", "management-group.bicep", "examples/topic-subscriptions.bicep")
_AZD = "main.parameters.json"
_ERROR = " : Error "
_UNCHECKED = (
    "there is no bicep on the PATH: not checked: the templates' syntax and types, the linter's rules, azd's "
    "parameters, and whether the templates still give the snapshots"
)


def queries(folder: Path = INFRA) -> dict[str, str]:
    """The text of each query, by its name."""
    return {path.stem: path.read_text("utf-8") for path in sorted((folder / "queries").glob("*.kql"))}


def tables() -> dict[str, list[tuple[str, str]]]:
    """The columns (name, Kusto type) of each table, by its name.

    amlguard's own tables, and those of Azure that queries read.
    """
    files = [json.loads((INFRA / name).read_text("utf-8")) for name in ("tables.json", "azure_tables.json")]
    return {
        name: [(column["name"], column["type"]) for column in table["columns"]]
        for file in files
        for name, table in file["tables"].items()
    }


def _bound(given: Json) -> Json:
    answer = subprocess.run(  # noqa: S603 - our own script, run by our own Node
        [NODE, BIND], input=json.dumps(given), capture_output=True, text=True, check=True
    )
    found: Json = json.loads(answer.stdout)
    return found


def unbound(texts: Mapping[str, str], bind: Bind = _bound) -> list[str]:
    """What Microsoft's language service finds wrong in the queries."""
    schemas = {name: f"({', '.join(f'{c}:{t}' for c, t in columns)})" for name, columns in tables().items()}
    wrong = bind({"tables": schemas, "queries": dict(texts)})
    return [f"{name}.kql: {one}" for name, found in wrong.items() for one in found]


def committed(folder: Path) -> tuple[dict[str, Json], list[str]]:
    """The committed snapshots, by the name of their parameter file, and a complaint about each that cannot be read."""
    found, unread = {}, []
    for parameters in _parameters(folder):
        path = snapshot_of(parameters)
        try:
            found[parameters.stem] = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            unread.append(f"{path.relative_to(folder)} cannot be read: {error}")
    return found, unread


def _parameters(folder: Path) -> Sequence[Path]:
    """Of the app's deployments, and of the examples."""
    return (*parameter_files(folder / "parameters"), *parameter_files(folder / "examples"))


def disabled(folder: Path) -> list[str]:
    """The lines that silence a finding of the compiler. A rule is turned off in bicepconfig.json, with its reason."""
    return [
        f"{path.relative_to(folder)}:{number}: {line.strip()} hides findings of the compiler"
        for path in sorted(folder.rglob("*.bicep*"))
        if path.suffix in {".bicep", ".bicepparam"}
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if line.lstrip().startswith("#disable")
    ]


def compiled(bicep: Bicep, folder: Path, then: Mapping[str, Json]) -> tuple[list[str], Mapping[str, Json]]:
    """What the compiler finds, and the snapshots that it makes now.

    Where it cannot make one, the one in `then` stands in.
    """
    templates = {name: bicep.compile(folder / name) for name in TEMPLATES}
    # Each finding once, because the templates share modules.
    lines = dict.fromkeys(line for one in templates.values() for line in one.findings)
    found = [line.replace(f"{folder}/", "") for line in lines]
    try:
        now = {path.stem: bicep.snapshot(path) for path in _parameters(folder)}
    except CompilerError as error:
        said = any(_ERROR in line for line in found)  # The snapshots then fail for the same reason.
        return [*found, *([] if said else [str(error)])], then
    return [*found, *drifted(now, then), *unknown_to_azd(templates[TEMPLATES[0]].parameters, folder)], now


def drifted(now: Mapping[str, Json], then: Mapping[str, Json]) -> Iterator[str]:
    """Snapshots that the templates no longer give. The compiler's own `--mode validate` does not compare outputs."""
    for name, snapshot in now.items():
        if snapshot != then.get(name):
            yield f"{name}.snapshot.json is not what the templates give: run `make snapshots`"


def unknown_to_azd(taken: Collection[str], folder: Path) -> list[str]:
    """Parameters in azd's file that the template does not have."""
    given = json.loads((folder / _AZD).read_text("utf-8"))["parameters"]
    return [f"{_AZD}: {TEMPLATES[0]} has no parameter {name}" for name in given if name not in taken]


def worked_out(
    compiler: Compiler | None, folder: Path, then: Mapping[str, Json]
) -> tuple[list[str], Mapping[str, Json]]:
    if compiler is None:
        return [], then
    try:
        with compiler.running() as bicep:
            return compiled(bicep, folder, then)
    except CompilerError as error:
        return [str(error)], then


def main(arguments: Sequence[str] | None, compiler: Compiler | None, scan: Scan = scanned, bind: Bind = _bound) -> int:
    parser = argparse.ArgumentParser(prog="python -m infra.check", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=INFRA)
    parser.add_argument("--ages", choices=("fail", "note"), default="fail", help="what an old api-version does")
    options = parser.parse_args(arguments)
    folder: Path = options.folder.resolve()
    snapshots, unread = committed(folder)
    with ThreadPoolExecutor() as pool:
        binding = pool.submit(unbound, queries(folder), bind)
        # The committed snapshots are mostly what the templates give. Where they are not, the new ones are scanned.
        scanning = pool.submit(scan, snapshots, accepted())
        found, now = worked_out(compiler, folder, snapshots)
    insecure = scanning.result() if now == snapshots else scan(now, accepted())
    old = [one for one in found if f"Warning {AGE}:" in one] if options.ages == "note" else []
    notes = old if compiler else [_UNCHECKED]
    wrong = [*unread, *disabled(folder), *(one for one in found if one not in old), *insecure, *binding.result()]
    for one in [*notes, *wrong]:
        print(f"infra: {one}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(None, Compiler.found()))
