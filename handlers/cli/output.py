"""Where a plan goes: to the screen or a file, and to other files in other formats."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from handlers.cli.console import UsageError, require_writable, write_text
from handlers.cli.formats.sarif import left_out
from handlers.cli.formats.screen import Screen
from handlers.cli.present import files, render
from shared.access.plan_json import Document


def require_free(options: argparse.Namespace) -> None:
    """Before the work is done, not after: each file can be written, and is none that the command reads.

    Raises `UsageError`.
    """
    taken = {path.resolve(): option for option, path in _inputs(options)}
    for option, path in _outputs(options):
        if str(path) == "-":
            raise UsageError(f"{option} - is no file name here: ./- is one")
        require_writable(option, path)
        if path.exists() and not path.is_file():
            continue  # such as /dev/null
        if other := taken.get(path.resolve()):
            raise UsageError(f"{option} {path} would overwrite the file of {other}: choose another one")
        taken[path.resolve()] = option


def _inputs(options: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    for name, value in vars(options).items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, Path) and name != "out":
                yield f"--{name.replace('_', '-')}", one


def _outputs(options: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    if out := getattr(options, "out", None):
        yield "--out", out
    for form, file in besides(getattr(options, "also", ()), getattr(options, "formats", ())):
        yield f"--also {form}", file


def write(options: argparse.Namespace, document: Document) -> None:
    if options.format == "sarif" and (note := left_out(document)):
        print(f"amlguard: {note}", file=sys.stderr)
    if options.out:
        _write(options, document, options.format, options.out)
    else:
        print(render(document, options.format, Screen.of_output(to_file=False), full=options.full))
    for form, file in besides(options.also, options.formats):
        _write(options, document, form, file)


def _write(options: argparse.Namespace, document: Document, form: str, file: Path) -> None:
    for path, text in files(document, form, file, full=options.full).items():
        write_text(path, text + "\n")


def besides(named: Sequence[str], formats: Sequence[str]) -> list[tuple[str, Path]]:
    """Raises `UsageError`."""
    found = [one.partition("=") for one in named]
    for form, sign, file in found:
        if form not in formats or not sign or not file:
            raise UsageError(f"--also {form}{sign}{file}: FORMAT=FILE is wanted; the formats are {', '.join(formats)}")
    return [(form, Path(file)) for form, _, file in found]
