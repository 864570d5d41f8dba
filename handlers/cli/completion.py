"""A shell completes commands, options and their values: argcomplete knows them from the parser."""

import argparse
import os
from importlib.util import find_spec

from handlers.cli.console import UsageError


def answer(known: argparse.ArgumentParser) -> None:
    """If it is a shell that asks, the process ends here."""
    if "_ARGCOMPLETE" in os.environ and find_spec("argcomplete"):
        from argcomplete import autocomplete  # noqa: PLC0415 - only a shell that completes needs it

        autocomplete(known)


def script(shell: str) -> str:
    """What the shell evaluates once. Raises `UsageError` without the extra `desk`."""
    if not find_spec("argcomplete"):
        raise UsageError("completion needs the extra `desk`: pipx install 'amlguard[desk]', or add argcomplete")
    from argcomplete.shell_integration import shellcode  # noqa: PLC0415 - only this command needs it

    return str(shellcode(["amlguard"], shell=shell))
