"""Where a plan goes: to the screen or a file, and to other files in other formats."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from handlers.cli.arguments import FORMATS
from handlers.cli.console import UsageError, write_text
from handlers.cli.formats.sarif import left_out
from handlers.cli.formats.screen import Screen
from handlers.cli.present import render
from shared.access.plan_json import Document


def write(options: argparse.Namespace, document: Document) -> None:
    text = render(document, options.format, Screen.of_output(to_file=bool(options.out)), full=options.full)
    if options.format == "sarif" and (note := left_out(document)):
        print(f"amlguard: {note}", file=sys.stderr)
    if options.out:
        write_text(options.out, text + "\n")
    else:
        print(text)
    for form, file in besides(options.also):
        write_text(file, render(document, form, Screen.of_output(to_file=True), full=options.full) + "\n")


def besides(named: Sequence[str]) -> list[tuple[str, Path]]:
    """Raises `UsageError`."""
    found = [one.partition("=") for one in named]
    for form, sign, file in found:
        if form not in FORMATS or not sign or not file:
            raise UsageError(f"--also {form}{sign}{file}: FORMAT=FILE is wanted; the formats are {', '.join(FORMATS)}")
    return [(form, Path(file)) for form, _, file in found]
