"""`amlguard emulate`: the local Azure of a checkout, with what the policy and the rules say to it."""

import argparse
import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from itertools import batched
from pathlib import Path

from handlers.cli.console import UsageError
from shared import policy
from shared.access.condition import condition
from shared.access.routing import operations

_CHECKOUT = Path(__file__).parents[2]
_FILTER_VALUES = 25  # https://learn.microsoft.com/azure/event-grid/event-filtering#limitations


def emulate(options: argparse.Namespace) -> int:
    """This process becomes the emulator, so that signals reach it. The code of the app never imports the emulator."""
    if not all((_CHECKOUT / part).exists() for part in ("emulator", "function_app.py", "host.json")):
        raise UsageError(
            "emulate only works in a checkout of amlguard: an installed amlguard does not include the local Azure. In "
            "a clone of the repository, run `make setup`, then `.venv/bin/amlguard emulate`"
        )
    if not find_spec("trustme"):
        raise UsageError(f"emulate needs the packages that `make setup` installs; run it in {_CHECKOUT}")
    arguments = [sys.executable, "-m", "emulator", *emulator_arguments(options)]
    sys.stdout.flush()
    os.execve(sys.executable, arguments, emulator_environment(os.environ))  # noqa: S606 - our own module, no shell


def emulator_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The module is found from wherever the command is run."""
    path = os.pathsep.join(filter(None, (str(_CHECKOUT), environment.get("PYTHONPATH"))))
    return {**environment, "PYTHONPATH": path}


def emulator_arguments(options: argparse.Namespace) -> list[str]:
    """What `amlguard emulate` with `options` says to `python -m emulator`."""
    terms = (policy.load(options.policy) if options.policy else policy.Policy()).terms()
    arguments = ["--condition", condition(terms)]
    for passed in batched(operations(terms.table), _FILTER_VALUES, strict=False):
        arguments += ["--operations", ",".join(passed)]
    for name in ("tenant", "port", "functions_port", "latency_ms", "seed", "faults", "policy", "state", "workers"):
        value = getattr(options, name)
        if value is not None:
            arguments += [f"--{name.replace('_', '-')}", str(value)]
    arguments += [part for one in options.setting for part in ("--setting", one)]
    arguments += ["--no-functions"] if options.no_functions else []
    arguments += ["--topic"] if options.topic else []
    arguments += ["--verbose"] if options.verbose else []
    return arguments
