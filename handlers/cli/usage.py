"""How the command line takes what people type: wrong usage, suggestions, examples and the version."""

import argparse
import re
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn

from handlers.cli.examples import EXAMPLES
from handlers.cli.version import installed


class Parser(argparse.ArgumentParser):
    """Wrong usage is an error (1). argparse exits with 2, which here means "something is left to do".

    It says what was perhaps meant, and its help ends with what people type.
    """

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(1, f"{self.prog}: {message}{_meant(message)}; see `{self.prog} --help`\n")

    def format_help(self) -> str:
        command = self.prog.partition(" ")[2]
        examples = "\n".join(f"  {one}" for one in EXAMPLES[command])
        return f"{super().format_help()}\nExamples:\n{examples}\n"


_CHOICE = re.compile(r"invalid choice: '(.*)' \(choose from (.*)\)", re.DOTALL)


def _meant(message: str) -> str:
    """What comes close to a choice that is none."""
    found = _CHOICE.search(message)
    known = [one.strip(" '") for one in found[2].split(",")] if found else []
    close = get_close_matches(found[1], known, 1, 0.5) if found else []
    return f"; did you mean {close[0]}?" if close else ""


class Version(argparse.Action):
    """Asked for the version, it prints it and ends."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        if not (version := installed()):
            parser.error(f"it runs from {Path(__file__).parents[2]} and is not installed, so it has no version")
        print(f"{parser.prog} {version}")
        parser.exit()
