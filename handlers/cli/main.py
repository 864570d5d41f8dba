# PYTHON_ARGCOMPLETE_OK
"""The command line. Exit codes: 0 fine, 1 error, 2 something is left to do or to look at."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from handlers.cli import completion, planning, policy_commands, template_arguments
from handlers.cli.arguments import parser
from handlers.cli.complaints import in_words
from handlers.cli.console import (
    UsageError,
    counted,
    let_go_of_output,
    one_line,
    prepare_streams,
    read_json,
    says_yes,
    write_text,
)
from handlers.cli.formats import mermaid
from handlers.cli.formats.choose import Choice, chosen, exit_code, require_rules
from handlers.cli.formats.screen import Screen
from handlers.cli.formats.text import summary
from handlers.cli.output import require_free, write
from handlers.cli.plan_file import actions_of
from handlers.cli.present import render, result_document
from handlers.cli.progress import begin
from shared.access.rules import RULES

if TYPE_CHECKING:
    from handlers.cli.desk import Where


# As a shell tells of a program that wrote to a closed pipe. Nobody heard how the command ended: it is not 0.
_NOBODY_READS = 141


def main(arguments: Sequence[str] | None = None) -> int:
    prepare_streams()
    known = parser(COMMANDS)
    completion.answer(known)
    options = known.parse_args(arguments)
    try:
        require_free(options)
        code: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        let_go_of_output()
        return _NOBODY_READS
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
    require_rules(options.rule, RULES)
    document = planning.document(options, _where)
    choice = Choice(options.rule, options.severity, options.workspace, options.status)
    write(options, chosen(document, choice))
    return exit_code(document, options.fail_on)


def _apply(options: argparse.Namespace) -> int:
    from handlers.cli.apply import apply, can_record  # noqa: PLC0415 - see _plan
    from handlers.cli.desk import plan  # noqa: PLC0415 - see _plan

    only = actions_of(options.plan) if options.plan else None
    if not options.yes:
        asyncio.run(can_record(options.policy, options.audit_file))
        begin("apply")
        report = asyncio.run(plan(_where(options), only))
        print(render(result_document(report), "text", Screen(), full=options.full), file=sys.stderr)
        if report.errors:
            return 1
        if not _confirmed(sum(len(plan.actions) for plan in report.plans), "apply"):
            return 2
    applied = asyncio.run(apply(_where(options), only, again=options.again, audit_file=options.audit_file))
    print(f"amlguard: {applied.in_short()}", file=sys.stderr)
    write(options, result_document(applied.report, applied))
    return applied.exit_code


def _report(options: argparse.Namespace) -> int:
    from handlers.cli.report import posture  # noqa: PLC0415 - see _plan

    where = _where(options)
    made = asyncio.run(posture(where, options.audit_file))
    write_text(options.out, (made.json() if options.format == "json" else made.html()) + "\n")
    print(f"{options.out}: {summary(made.document)}")
    return 1 if made.document["errors"] else 0


def _snapshot(options: argparse.Namespace) -> int:
    from handlers.cli.snapshot import take  # noqa: PLC0415 - see _plan

    return take(_where(options), options.out, options.pseudonyms)


def _diff(options: argparse.Namespace) -> int:
    from handlers.cli.difference import compare  # noqa: PLC0415 - see _plan

    return compare(options.old, options.new, options.policy, options.format)


def _where(options: argparse.Namespace) -> "Where":
    """Raises `UsageError` and `PolicyError`: what is wrong on this machine is said before anything is asked."""
    from handlers.cli.desk import where_of  # noqa: PLC0415 - see _plan

    return where_of(options)


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
        print(found.text(Screen()), file=sys.stderr)
        if not _confirmed(len(found.open_steps), "undo"):
            return 2
    taken = asyncio.run(undo(options.run_id, options.policy, options.audit_file, force=options.force))
    print(json.dumps(taken.document(), indent=2) if options.format == "json" else taken.text(Screen.of_output()))
    return taken.exit_code


def _explain(options: argparse.Namespace) -> int:
    template = template_arguments.of(options)
    if template:
        from handlers.cli.template import explained_template  # noqa: PLC0415 - only this needs it

        found = explained_template(template, options.resource, os.environ)
    else:
        from handlers.cli.explain import explained  # noqa: PLC0415 - see _plan

        found = asyncio.run(explained(options.resource, options.policy, options.snapshot))
    match options.format:
        case "json":
            print(json.dumps(found.document(), indent=2))
        case "mermaid":
            print(mermaid.text(found.document()))
        case _:
            print(found.text(Screen.of_output()))
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
    said = (
        json.dumps(sweeps_document(found), indent=2)
        if options.format == "json"
        else sweeps_text(found, Screen.of_output())
    )
    print(said)
    return 0


def _status(options: argparse.Namespace) -> int:
    from handlers.cli.status import status  # noqa: PLC0415 - see _plan

    found = asyncio.run(status(options.policy))
    print(json.dumps(found.document(), indent=2) if options.format == "json" else found.text(Screen.of_output()))
    return found.exit_code


def _rules(options: argparse.Namespace) -> int:
    from handlers.cli.rules import Wanted, catalogue, choose, text  # noqa: PLC0415 - only this command needs it

    found = choose(RULES, Wanted(options.rule, options.mode, options.severity))
    if options.format == "json":
        print(json.dumps(catalogue(found), indent=2))
    else:
        print(text(found, Screen.of_output(), whole=bool(options.rule)))
    return 0


def _completion(options: argparse.Namespace) -> int:
    print(completion.script(options.shell))
    return 0


def _approve(options: argparse.Namespace) -> int:
    from handlers.cli.approve import approve, pending  # noqa: PLC0415 - see _plan

    found = asyncio.run(approve(options.run_id, options.policy) if options.run_id else pending(options.policy))
    print(json.dumps(found.document(), indent=2) if options.format == "json" else found.text(Screen.of_output()))
    return 0


def _emulate(options: argparse.Namespace) -> int:
    from handlers.cli.emulate import emulate  # noqa: PLC0415 - only this command needs it

    return emulate(options)


COMMANDS = {
    "apply": _apply,
    "approve": _approve,
    "completion": _completion,
    "diff": _diff,
    "emulate": _emulate,
    "event": _event,
    "explain": _explain,
    "plan": _plan,
    "report": _report,
    **policy_commands.COMMANDS,
    "rules": _rules,
    "snapshot": _snapshot,
    "status": _status,
    "sweeps": _sweeps,
    "undo": _undo,
}


if __name__ == "__main__":
    sys.exit(main())
