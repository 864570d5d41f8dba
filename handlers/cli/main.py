"""The command line. Exit codes: 0 fine, 1 error, 2 something is left to do or to look at."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from handlers.cli.arguments import parser
from handlers.cli.complaints import in_words
from handlers.cli.console import (
    UsageError,
    counted,
    let_go_of_output,
    one_line,
    prepare_streams,
    read_json,
    require_writable,
    says_yes,
    write_text,
)
from handlers.cli.emulate import emulate
from handlers.cli.present import catalogue, result_document, result_text, rules_text
from shared import policy
from shared.access.condition import condition
from shared.access.plan_json import Document
from shared.access.rules import RULES
from shared.access.users import unsuitable
from shared.policy import PolicyError

if TYPE_CHECKING:
    from handlers.cli.desk import Where


def main(arguments: Sequence[str] | None = None) -> int:
    prepare_streams()
    options = parser(_COMMANDS).parse_args(arguments)
    try:
        if getattr(options, "out", None):
            require_writable(options.out)
        code: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        let_go_of_output()
        return 0
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 - people get one line, never a traceback
        return _failed(error)
    return code


def _failed(error: Exception) -> int:
    print(f"amlguard: {one_line(in_words(error, os.environ))}", file=sys.stderr)
    try:
        sys.stdout.flush()
    except OSError:
        let_go_of_output()
    return 1


def _plan(options: argparse.Namespace) -> int:
    from handlers.cli.desk import plan  # noqa: PLC0415 - the Azure SDKs load only for commands that need them

    report = asyncio.run(plan(_where(options)))
    _write(options, result_text(report), result_document(report))
    return 1 if report.errors else 0 if report.compliant else 2


def _apply(options: argparse.Namespace) -> int:
    from handlers.cli.apply import apply, can_record  # noqa: PLC0415 - see _plan
    from handlers.cli.desk import plan  # noqa: PLC0415 - see _plan

    only = _actions_of(options.plan) if options.plan else None
    if not options.yes:
        asyncio.run(can_record(options.policy, options.audit_file))
        report = asyncio.run(plan(_where(options), only))
        print(result_text(report), file=sys.stderr)
        if report.errors:
            return 1
        if not _confirmed(sum(len(plan.actions) for plan in report.plans), "apply"):
            return 2
    applied = asyncio.run(apply(_where(options), only, again=options.again, audit_file=options.audit_file))
    print(f"amlguard: {applied.in_short()}", file=sys.stderr)
    _write(options, result_text(applied.report, applied), result_document(applied.report, applied))
    return applied.exit_code


def _where(options: argparse.Namespace) -> "Where":
    from handlers.cli.desk import Where  # noqa: PLC0415 - see _plan

    return Where(options.scope, options.policy, options.allow_empty)


def _confirmed(changes: int, command: str) -> bool:
    if not changes:
        return True
    if not sys.stdin.isatty():
        raise UsageError(f"{command} asks before it changes anything, and there is no terminal to ask on: add --yes")
    print(
        f"{'Make this change' if changes == 1 else f'Make these {changes} changes'}? [y/N] ",
        end="",
        file=sys.stderr,
        flush=True,
    )
    return says_yes()


def _undo(options: argparse.Namespace) -> int:
    from handlers.cli.undo import prepare, undo  # noqa: PLC0415 - see _plan

    if not options.yes:
        found = asyncio.run(prepare(options.run_id, options.policy, options.audit_file, force=options.force))
        print(found.text(), file=sys.stderr)
        if not _confirmed(len(found.open_steps), "undo"):
            return 2
    taken = asyncio.run(undo(options.run_id, options.policy, options.audit_file, force=options.force))
    print(json.dumps(taken.document(), indent=2) if options.format == "json" else taken.text())
    return taken.exit_code


def _actions_of(path: Path) -> frozenset[tuple[str, ...]]:
    from shared.access.plan_json import key  # noqa: PLC0415 - see _plan

    document = read_json(str(path))
    try:
        changes = (*document["grants"], *document["settings"], *document.get("removals", ()))
        return frozenset(key(action) for action in changes)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} is not a plan of amlguard (`amlguard plan --format json --out FILE`)") from error


def _explain(options: argparse.Namespace) -> int:
    from handlers.cli.explain import explained  # noqa: PLC0415 - see _plan

    found = asyncio.run(explained(options.resource, options.policy))
    print(json.dumps(found.document(), indent=2) if options.format == "json" else found.text())
    return 0 if found.all_well else 2


def _event(options: argparse.Namespace) -> int:
    from handlers.cli.desk import deliver  # noqa: PLC0415 - see _plan

    delivery = read_json(options.file)
    count = asyncio.run(deliver(delivery if isinstance(delivery, list) else [delivery], options.policy))
    print(f"{counted(count, 'event')} handled")
    return 0


def _sweeps(options: argparse.Namespace) -> int:
    from handlers.cli.sweeps import start, sweeps, sweeps_document, sweeps_text  # noqa: PLC0415 - see _plan

    if options.start:
        begun = asyncio.run(start())
        said = f"sweep {begun} is on the queue; `amlguard sweeps` shows how far it is"
        print(json.dumps({"id": begun}) if options.format == "json" else said)
        return 0
    found = asyncio.run(sweeps())
    print(json.dumps(sweeps_document(found), indent=2) if options.format == "json" else sweeps_text(found))
    return 0


def _status(options: argparse.Namespace) -> int:
    from handlers.cli.status import status  # noqa: PLC0415 - see _plan

    found = asyncio.run(status(options.policy))
    print(json.dumps(found.document(), indent=2) if options.format == "json" else found.text())
    return found.exit_code


def _rules(options: argparse.Namespace) -> int:
    print(json.dumps(catalogue(RULES), indent=2) if options.format == "json" else rules_text(RULES))
    return 0


def _approve(options: argparse.Namespace) -> int:
    from handlers.cli.approve import approve, pending  # noqa: PLC0415 - see _plan

    found = asyncio.run(approve(options.run_id, options.policy) if options.run_id else pending(options.policy))
    print(json.dumps(found.document(), indent=2) if options.format == "json" else found.text())
    return 0


def _policy_check(options: argparse.Namespace) -> int:
    checked = policy.load(options.file)
    for place, scope in enumerate(checked.terms().scopes):
        if reason := unsuitable(scope):
            raise PolicyError(f"{options.file}: scopes[{place}]: {scope}: {reason}")
    print(f"{options.file} is valid: mode {checked.mode}, settings for {counted(len(checked.rules), 'rule')}")
    return 0


def _policy_condition(options: argparse.Namespace) -> int:
    from handlers.runtime import read_policy  # noqa: PLC0415 - see _plan
    from shared.azure.settings import Settings  # noqa: PLC0415 - see _plan

    print(condition(read_policy(options.policy, Settings.read(os.environ)).terms()))
    return 0


def _policy_schema(_: argparse.Namespace) -> int:
    print(json.dumps(policy.schema(), indent=2))
    return 0


def _write(options: argparse.Namespace, text: str, document: Document) -> None:
    from handlers.cli.present import html, sarif  # noqa: PLC0415 - see _plan

    match options.format:
        case "json":
            text = json.dumps(document, indent=2)
        case "sarif":
            text = json.dumps(sarif(document, RULES), indent=2)
        case "html":
            text = html(document)
    if options.out:
        write_text(options.out, text + "\n")
    else:
        print(text)


_COMMANDS = {
    "apply": _apply,
    "approve": _approve,
    "emulate": emulate,
    "event": _event,
    "explain": _explain,
    "plan": _plan,
    "policy_check": _policy_check,
    "policy_condition": _policy_condition,
    "policy_schema": _policy_schema,
    "rules": _rules,
    "status": _status,
    "sweeps": _sweeps,
    "undo": _undo,
}


if __name__ == "__main__":
    sys.exit(main())
