"""Runs in .venv-az: carries out the Azure CLI's commands that come on stdin, all in one process.

Each line has the words of a command, as JSON. Each answer is one line: the exit code, the output, the error. The CLI
takes seconds to load and a fraction of one to carry out a command.
"""

import contextlib
import io
import json
import sys
from collections.abc import Iterable

from azure.cli.core import get_default_cli


def main(lines: Iterable[str]) -> None:
    answers = sys.stdout
    for line in lines:
        code, out, err = carried_out(json.loads(line))
        answers.write(json.dumps([code, out, err]) + "\n")
        answers.flush()


def carried_out(words: list[str]) -> tuple[int, str, str]:
    cli, out, err = get_default_cli(), io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = int(cli.invoke(words, out_file=out) or 0)
    except SystemExit as end:
        code = int(end.code or 0)
    error = getattr(cli.result, "error", None)
    return code or int(error is not None), out.getvalue(), f"{err.getvalue()}{error or ''}"


if __name__ == "__main__":
    main(sys.stdin)
