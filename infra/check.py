"""`python -m infra.check [FOLDER]`: parses and scans the Bicep, and binds every query to the schemas of its tables.

Of this folder, or of another. Exit code 1, and what is wrong, when anything is.
checkov needs packages of its own: see requirements-infra.in.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lark.exceptions import LarkError
from pycep import BicepParser

from emulator.functions.node import NODE

INFRA = Path(__file__).parent
ROOT = INFRA.parent
_CHECKOV = ROOT / ".venv-infra" / "bin" / "checkov"


def bicep_files(folder: Path = INFRA) -> list[Path]:
    return sorted(folder.rglob("*.bicep"))


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


def unparsed(files: Iterable[Path]) -> Iterator[str]:
    parser = BicepParser()
    for path in files:
        try:
            parser.parse(text=path.read_text("utf-8"))
        except LarkError as error:
            yield f"{path.name}: {str(error).partition('\n')[0]}"


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


def scanned(folder: Path = INFRA) -> list[str]:
    """What checkov finds that is not explained where it is; empty when all is well."""
    arguments = ["--framework", "bicep", "--compact", "--quiet", "--skip-download", "--output", "json"]
    answer = subprocess.run(  # noqa: S603 - installed from requirements-infra.txt
        [_CHECKOV, "-d", folder, *arguments], capture_output=True, text=True, check=False
    )
    report = json.loads(answer.stdout)
    if "results" not in report:
        return [f"checkov read nothing: {answer.stdout}{answer.stderr}"]
    failed = [
        f"{one['file_path']}: {one['check_id']} {one['check_name']}" for one in report["results"]["failed_checks"]
    ]
    unread = report["summary"]["parsing_errors"]
    return failed + ([f"checkov cannot read {unread} files"] if unread else [])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m infra.check", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=INFRA)
    folder: Path = parser.parse_args(arguments).folder
    wrong = [*unparsed(bicep_files(folder)), *unbound(queries(folder)), *scanned(folder)]
    for one in wrong:
        print(f"infra: {one}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
