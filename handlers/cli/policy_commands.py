"""`amlguard policy …`."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from handlers.cli.console import counted, one_line, read_text
from shared import policy
from shared.access.condition import condition

if TYPE_CHECKING:
    from handlers.cli.policy_check import Checked, Remark


def _check(options: argparse.Namespace) -> int:
    _, checked = _checked(options.file)
    if checked.policy is None:
        return 1
    _warn(options.file, (*checked.warnings, *(_not_there(options, checked.policy) if options.online else ())))
    said = f"mode {checked.policy.mode}, settings for {counted(len(checked.policy.rules), 'rule')}"
    print(f"{options.file} is valid: {said}")
    return 0


def _checked(file: Path) -> "tuple[str, Checked]":
    """The file's text, and what is said of it. Prints the faults."""
    from handlers.cli.policy_check import check  # noqa: PLC0415 - only these commands need it

    text = read_text(file)
    checked = check(text, datetime.now(UTC).date())
    for fault in checked.faults:
        print(f"amlguard: {one_line(fault.of(file))}", file=sys.stderr)
    return text, checked


def _warn(file: Path, warnings: "Sequence[Remark]") -> None:
    for warning in warnings:
        print(f"amlguard: warning: {one_line(warning.of(file))}", file=sys.stderr)


def _not_there(options: argparse.Namespace, checked: policy.Policy) -> "Sequence[Remark]":
    from handlers.cli.policy_scopes import missing  # noqa: PLC0415 - the Azure SDKs load only for what needs them

    return asyncio.run(missing(options.file, checked))


def _condition(options: argparse.Namespace) -> int:
    from handlers.cli.policy_blob import terms_in_force  # noqa: PLC0415 - see _not_there
    from handlers.policy_file import is_a_blob, read_policy  # noqa: PLC0415 - see _not_there
    from shared.azure.settings import Settings  # noqa: PLC0415 - see _not_there

    settings = Settings.read(os.environ)
    online = is_a_blob(options.policy, settings)
    print(condition(asyncio.run(terms_in_force()) if online else read_policy(options.policy, settings).terms()))
    return 0


def _schema(_: argparse.Namespace) -> int:
    print(json.dumps(policy.schema(), indent=2))
    return 0


def _push(options: argparse.Namespace) -> int:
    from handlers.cli.policy_blob import push  # noqa: PLC0415 - see _not_there

    text, checked = _checked(options.file)
    if checked.policy is None:
        print("amlguard: nothing was pushed", file=sys.stderr)
        return 1
    _warn(options.file, checked.warnings)
    pushed = asyncio.run(push(checked.policy, text))
    print(pushed.text())
    return pushed.exit_code


def _show(_: argparse.Namespace) -> int:
    from handlers.cli.policy_blob import show  # noqa: PLC0415 - see _not_there

    name, found = asyncio.run(show())
    print(found.text or "# The defaults: mode report, which changes nothing.", end="" if found.text else "\n")
    said = f"{name} is not in force: {found.wrong}" if found.wrong else f"{name}, version {found.version}: in force"
    print(f"amlguard: {one_line(said)}", file=sys.stderr)
    return 1 if found.wrong else 0


COMMANDS = {
    "policy_check": _check,
    "policy_condition": _condition,
    "policy_push": _push,
    "policy_schema": _schema,
    "policy_show": _show,
}
