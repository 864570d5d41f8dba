"""`python -m infra.check [FOLDER]`: compiles and scans the templates, and binds every query to its tables' schemas.

Of this folder, or of another. Exit code 1, and what is wrong, when anything is. Where there is no `bicep` on the PATH,
it says what it did not check. checkov needs packages of its own: see requirements-infra.in.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from emulator.functions.node import NODE
from infra.compiler import AGE, Compiler, CompilerError
from infra.scan import accepted, scanned
from infra.snapshots import parameter_files, snapshot_of

type Json = dict[str, Any]

INFRA = Path(__file__).parent
ROOT = INFRA.parent
TEMPLATES = ("main.bicep", "management-group.bicep")
_AZD = "main.parameters.json"
_UNCHECKED = (
    "there is no bicep on the PATH: not checked are the templates' syntax and types, the linter's rules, azd's "
    "parameters, and whether the templates still give the snapshots"
)


def queries(folder: Path = INFRA) -> dict[str, str]:
    """By name, the text."""
    return {path.stem: path.read_text("utf-8") for path in sorted((folder / "queries").glob("*.kql"))}


def tables() -> dict[str, list[tuple[str, str]]]:
    """By name, the columns (name, Kusto type) of amlguard's own tables and of Azure's that queries read."""
    files = [json.loads((INFRA / name).read_text("utf-8")) for name in ("tables.json", "azure_tables.json")]
    return {
        name: [(column["name"], column["type"]) for column in table["columns"]]
        for file in files
        for name, table in file["tables"].items()
    }


def unbound(texts: Mapping[str, str]) -> list[str]:
    """What Microsoft's language service has to say against queries."""
    schemas = {name: f"({', '.join(f'{c}:{t}' for c, t in columns)})" for name, columns in tables().items()}
    answer = subprocess.run(  # noqa: S603 - our own script, run by the Node of our packages
        [NODE, INFRA / "bind.cjs"],
        input=json.dumps({"tables": schemas, "queries": dict(texts)}),
        capture_output=True,
        text=True,
        check=True,
    )
    wrong: dict[str, Any] = json.loads(answer.stdout)
    return [f"{name}.kql: {one}" for name, found in wrong.items() for one in found]


def committed(folder: Path) -> tuple[dict[str, Json], list[str]]:
    """The snapshots that are there, by the name of their parameter file; and which of them cannot be read."""
    found, unread = {}, []
    for parameters in parameter_files(folder / "parameters"):
        path = snapshot_of(parameters)
        try:
            found[parameters.stem] = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            unread.append(f"parameters/{path.name} cannot be read: {error}")
    return found, unread


def disabled(folder: Path) -> list[str]:
    """Where a finding of the compiler is kept quiet: a rule that is turned off says why in bicepconfig.json."""
    return [
        f"{path.relative_to(folder)}:{number}: {line.strip()} hides what the compiler has to say"
        for path in sorted(folder.rglob("*.bicep*"))
        if path.suffix in {".bicep", ".bicepparam"}
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if line.lstrip().startswith("#disable")
    ]


def fresh(compiler: Compiler, folder: Path) -> dict[str, Json]:
    """The snapshots that the templates give now, made in a copy. Raises `CompilerError`.

    The compiler's own `--mode validate` does not look at outputs.
    """
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / "infra"
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("*.py", "*.snapshot.json", "__pycache__"))
        with ThreadPoolExecutor() as pool:
            list(pool.map(compiler.snapshot, parameter_files(copy / "parameters")))
        return {
            path.stem: json.loads(snapshot_of(path).read_text("utf-8")) for path in parameter_files(copy / "parameters")
        }


def linted(compiler: Compiler, folder: Path) -> list[str]:
    """What compiler and linter say, each finding once: the templates share their modules."""
    with ThreadPoolExecutor() as pool:
        found = pool.map(compiler.lint, [folder / name for name in TEMPLATES])
    return list(dict.fromkeys(line.replace(f"{folder}/", "") for lines in found for line in lines))


def drifted(now: Mapping[str, Json], then: Mapping[str, Json]) -> Iterator[str]:
    """Snapshots that the templates no longer give."""
    for name, snapshot in now.items():
        if snapshot != then.get(name):
            yield f"parameters/{name}.snapshot.json is not what the templates give: run `make snapshots`"


def unknown_to_azd(compiler: Compiler, folder: Path) -> list[str]:
    """Parameters of azd's file that the template does not have. Raises `CompilerError`."""
    given = json.loads((folder / _AZD).read_text("utf-8"))["parameters"]
    taken = compiler.parameters(folder / TEMPLATES[0])
    return [f"{_AZD}: {TEMPLATES[0]} has no parameter {name}" for name in given if name not in taken]


def compiled(compiler: Compiler, folder: Path, then: Mapping[str, Json]) -> tuple[list[str], Mapping[str, Json]]:
    """What the compiler finds, and the snapshots of now; those of `then` where it cannot make any."""
    found = linted(compiler, folder)
    try:
        now = fresh(compiler, folder)
        return [*found, *drifted(now, then), *unknown_to_azd(compiler, folder)], now
    except CompilerError as error:
        return [*found, *([] if found else [str(error)])], then


def main(arguments: Sequence[str] | None, compiler: Compiler | None) -> int:
    parser = argparse.ArgumentParser(prog="python -m infra.check", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=INFRA)
    parser.add_argument("--ages", choices=("fail", "note"), default="fail", help="what an old api-version does")
    options = parser.parse_args(arguments)
    folder: Path = options.folder.resolve()
    snapshots, wrong = committed(folder)
    wrong += disabled(folder)
    notes = [] if compiler else [_UNCHECKED]
    if compiler:
        found, now = compiled(compiler, folder, snapshots)
        old = [one for one in found if f"Warning {AGE}:" in one] if options.ages == "note" else []
        wrong, notes, snapshots = [*wrong, *(one for one in found if one not in old)], old, dict(now)
    wrong += [*scanned(snapshots, accepted()), *unbound(queries(folder))]
    for one in [*notes, *wrong]:
        print(f"infra: {one}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(None, Compiler.found()))
