"""The Azure CLI: the commands of `az.txt`."""

import json
import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from clients.local import CLIENTS, PRINCIPAL, Local
from clients.results import Expected, Results

type Command = Callable[[list[str]], tuple[int, str, str]]

_HERE = Path(__file__).parent
_PREPARES = "!"


def carry_out(local: Local, results: Results, most: int | None = None) -> Results:
    """`most` ends after so many of the commands."""
    principal = PRINCIPAL
    subscription = f"/subscriptions/{local.sign_in['subscriptionId']}"
    with process(local) as az:
        for line in islice(_lines(local), most):
            mark = line[0] if line[0] in "!~-" else ""
            text = line.removeprefix(mark).replace("$ARM", local.ready["arm"]).replace("$S", subscription)
            words = [principal if word == "PID" else word for word in shlex.split(text)]
            code, out, err = az(words)
            if mark != _PREPARES:
                results.add(text, err if code else None, Expected(mark))
            elif text.endswith("principalId -o tsv"):
                principal = out.strip()
            elif code:
                print(f"az {words[0]}: {err.strip()}")  # else only what follows would fail, and nobody knew why
    return results


def _lines(local: Local) -> Iterator[str]:
    """Signs in as soon as the cloud is known."""
    listed = [line for line in (_HERE / "az.txt").read_text("utf-8").splitlines() if line and line[0] != "#"]
    who = local.sign_in
    yield listed[0]
    yield "!cloud set -n Cnt"
    yield f"!login --service-principal -u {who['clientId']} -p {who['clientSecret']} --tenant {who['tenantId']}"
    yield from listed[1:]


@contextmanager
def process(local: Local) -> Iterator[Command]:
    with subprocess.Popen(  # noqa: S603 - our own module in the clients' environment
        [CLIENTS, _HERE / "az.py"],
        env=local.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as running:

        def az(words: list[str]) -> tuple[int, str, str]:
            assert running.stdin
            assert running.stdout
            print(json.dumps(words), file=running.stdin, flush=True)
            code, out, err = json.loads(running.stdout.readline())
            return code, out, err

        try:
            yield az
        finally:
            running.kill()
