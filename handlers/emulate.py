"""`amlguard emulate`: the local Azure, told what the policy makes of the app's condition and of Event Grid's filter."""

import argparse
import os
import sys
from pathlib import Path

from shared import policy
from shared.access.condition import condition
from shared.access.routing import operations


def command[P: argparse.ArgumentParser](commands: "argparse._SubParsersAction[P]") -> P:
    parser = commands.add_parser(
        "emulate",
        help="a local Azure with the app on it",
        description="Serves a local Azure over TLS, and the app on it; prints one JSON line when ready; runs until "
        "SIGTERM.",
    )
    parser.add_argument("--tenant", type=Path, metavar="FILE", help="raw ARM objects (JSON); default: an empty tenant")
    parser.add_argument("--port", type=int, metavar="N", help="ARM's port; 0 picks a free one")
    parser.add_argument("--functions-port", type=int, metavar="N", help="the functions' port; 0 picks a free one")
    parser.add_argument("--latency-ms", type=float, metavar="N", help="delays every answer of Azure")
    parser.add_argument("--seed", type=int, metavar="N", help="makes disorder and made-up ids repeatable")
    parser.add_argument("--faults", type=Path, metavar="FILE", help="failures to inject (JSON)")
    parser.add_argument("--workers", type=int, metavar="N", help="instances of the app, as after a scale-out (1)")
    parser.add_argument("--no-functions", action="store_true", help="only Azure, without the app")
    parser.add_argument("--verbose", action="store_true", help="logs to standard error")
    parser.set_defaults(run=_run)
    return parser


def _run(options: argparse.Namespace) -> int:
    """Becomes the emulator's process, so that signals reach it; the app code never imports it."""
    terms = (policy.load(options.policy) if options.policy else policy.Policy()).terms()
    arguments = [sys.executable, "-m", "emulator", "--condition", condition(terms)]
    arguments += ["--operations", ",".join(operations())]
    for name in ("tenant", "port", "functions_port", "latency_ms", "seed", "faults", "policy", "workers"):
        value = getattr(options, name)
        if value is not None:
            arguments += [f"--{name.replace('_', '-')}", str(value)]
    arguments += ["--no-functions"] if options.no_functions else []
    arguments += ["--verbose"] if options.verbose else []
    sys.stdout.flush()
    os.execv(sys.executable, arguments)  # noqa: S606 - our own interpreter and module, no shell
