"""The command line. Exit codes: 0 fine, 1 error, 2 something is left to do or to look at (design §4)."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from handlers import emulate
from handlers.present import catalogue, result_document, result_text, rules_text
from shared import policy
from shared.access.condition import condition
from shared.access.documents import Document
from shared.policy import PolicyError
from shared.ports import AzureFailureError

_EXIT_CODES = "Exit code: 0 compliant or done, 1 error, 2 changes, findings, or something withheld or deferred."


class UsageError(Exception):
    """The command was given something that it cannot work with."""


class _Parser(argparse.ArgumentParser):
    """Wrong usage is an error (1): argparse's own 2 would say "something is left to do"."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(1, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (head, less) has seen enough; keep Python from complaining about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (UsageError, PolicyError, AzureFailureError, ValueError, OSError) as error:
        print(f"amlguard: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return code


def _plan(options: argparse.Namespace) -> int:
    from handlers.desk import plan  # noqa: PLC0415 - the Azure SDKs load only for commands that need them

    report = asyncio.run(plan(options.scope, options.policy))
    _write(options, result_text(report), result_document(report))
    return 1 if report.errors else 0 if report.compliant else 2


def _apply(options: argparse.Namespace) -> int:
    from handlers.desk import apply, plan  # noqa: PLC0415 - see _plan

    only = _actions_of(options.plan) if options.plan else None
    if not options.yes:
        report = asyncio.run(plan(options.scope, options.policy, only))
        print(result_text(report), file=sys.stderr)
        if report.errors:
            return 1
        if not _confirmed(sum(len(plan.actions) for plan in report.plans), "apply"):
            return 2
    applied = asyncio.run(apply(options.scope, options.policy, only, again=options.again))
    _write(options, result_text(applied.report, applied), result_document(applied.report, applied))
    return applied.exit_code


def _confirmed(changes: int, command: str) -> bool:
    if not changes:
        return True
    if not sys.stdin.isatty():
        raise UsageError(f"{command} asks before it changes anything; without a terminal, say --yes")
    print(f"Make these {changes} changes? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().casefold() in {"y", "yes"}


def _undo(options: argparse.Namespace) -> int:
    from handlers.undo import prepare, undo  # noqa: PLC0415 - see _plan

    if not options.yes:
        found = asyncio.run(prepare(options.run_id, options.policy))
        print(found.text(), file=sys.stderr)
        if not _confirmed(len(found.open_steps), "undo"):
            return 2
    taken = asyncio.run(undo(options.run_id, options.policy, force=options.force))
    print(json.dumps(taken.document(), indent=2) if options.format == "json" else taken.text())
    return taken.exit_code


def _actions_of(path: Path) -> frozenset[tuple[str, ...]]:
    from shared.access.documents import key  # noqa: PLC0415 - see _plan

    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        changes = (*document["grants"], *document["settings"], *document.get("removals", ()))
        return frozenset(key(action) for action in changes)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} is not a plan of amlguard (`amlguard plan --format json --out FILE`)") from error


def _explain(options: argparse.Namespace) -> int:
    from handlers.explain import explained  # noqa: PLC0415 - see _plan

    found = asyncio.run(explained(options.resource, options.policy))
    print(json.dumps(found.document(), indent=2) if options.format == "json" else found.text())
    return 0 if found.all_held else 2


def _event(options: argparse.Namespace) -> int:
    from handlers.desk import deliver  # noqa: PLC0415 - see _plan

    text = sys.stdin.read() if options.file == "-" else Path(options.file).read_text(encoding="utf-8")
    try:
        delivery = json.loads(text)
    except ValueError as error:
        raise UsageError(f"{options.file} is not JSON: {error}") from error
    count = asyncio.run(deliver(delivery if isinstance(delivery, list) else [delivery], options.policy))
    print(f"{count} events handled")
    return 0


def _sweeps(options: argparse.Namespace) -> int:
    from handlers.sweeps import sweeps, sweeps_document, sweeps_text  # noqa: PLC0415 - see _plan

    found = asyncio.run(sweeps())
    print(json.dumps(sweeps_document(found), indent=2) if options.format == "json" else sweeps_text(found))
    return 0


def _rules(options: argparse.Namespace) -> int:
    print(json.dumps(catalogue(), indent=2) if options.format == "json" else rules_text())
    return 0


def _policy_check(options: argparse.Namespace) -> int:
    checked = policy.load(options.file)
    print(f"{options.file} is right: mode {checked.mode}, {len(checked.rules)} rules set")
    return 0


def _policy_condition(options: argparse.Namespace) -> int:
    from handlers.services import read_policy  # noqa: PLC0415 - see _plan
    from shared.azure.settings import Settings  # noqa: PLC0415 - see _plan

    print(condition(read_policy(options.policy, Settings.read(os.environ)).terms()))
    return 0


def _policy_schema(_: argparse.Namespace) -> int:
    print(json.dumps(policy.schema(), indent=2))
    return 0


def _write(options: argparse.Namespace, text: str, document: Document) -> None:
    from handlers.present import html, sarif  # noqa: PLC0415 - see _plan

    match options.format:
        case "json":
            text = json.dumps(document, indent=2)
        case "sarif":
            text = json.dumps(sarif(document), indent=2)
        case "html":
            text = html(document)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")
    else:
        print(text)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="amlguard",
        description="Keeps Azure Machine Learning identities holding exactly the roles that they need.",
        epilog=f"{_EXIT_CODES} The ARM endpoint is AMLGUARD_ARM_ENDPOINT; sign-in is azure-identity's.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    planning = commands.add_parser("plan", help="what is missing or wrong; reads only", epilog=_EXIT_CODES)
    _reporting(planning)
    planning.set_defaults(run=_plan)

    applying = commands.add_parser(
        "apply",
        help="grants what is missing and turns admin users off, after asking",
        epilog=f"{_EXIT_CODES} Every change is recorded in the audit log first: without one, nothing is changed.",
    )
    _reporting(applying)
    applying.add_argument("--plan", type=Path, metavar="FILE", help="do only what this plan (JSON) names")
    applying.add_argument("--yes", action="store_true", help="do not ask")
    applying.add_argument("--again", action="store_true", help="also what was undone, or what somebody keeps reverting")
    applying.set_defaults(run=_apply)

    undoing = commands.add_parser(
        "undo",
        help="takes back what runs did, after asking",
        description="Turns admin users on again before grants go, and takes only what the run itself made. The audit "
        "log says what that was: its rows appear there minutes after a change. What was undone amlguard does not do "
        "again by itself.",
        epilog="Exit code: 0 undone, or nothing was left, 1 error, 2 something stays because others rely on it.",
    )
    undoing.add_argument(
        "run_id", metavar="RUN_ID", nargs="+", help="from the audit log, or a role assignment's description"
    )
    _policy_option(undoing)
    undoing.add_argument("--yes", action="store_true", help="do not ask")
    undoing.add_argument("--force", action="store_true", help="also what others rely on by now")
    undoing.add_argument("--format", choices=("text", "json"), default="text")
    undoing.set_defaults(run=_undo)

    explaining = commands.add_parser(
        "explain",
        help="who needs what on a resource, who holds it through what, and why; reads only",
        epilog="Exit code: 0 all that is needed is held, 1 error, 2 something is missing or a setting is to change.",
    )
    explaining.add_argument(
        "resource", metavar="RESOURCE_ID", help="a workspace, compute, endpoint, identity, registry …"
    )
    _policy_option(explaining)
    explaining.add_argument("--format", choices=("text", "json"), default="text")
    explaining.set_defaults(run=_explain)

    event = commands.add_parser("event", help="handles one Event Grid delivery as the trigger would")
    event.add_argument("file", metavar="FILE", help="JSON: an event or an array of them; - for standard input")
    _policy_option(event)
    event.set_defaults(run=_event)

    rules = commands.add_parser("rules", help="the catalogue of rules")
    rules.add_argument("--format", choices=("text", "json"), default="text")
    rules.set_defaults(run=_rules)
    _policy_commands(commands)
    _sweeps_command(commands)
    _policy_option(emulate.command(commands))
    return parser


def _reporting(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scope",
        action="append",
        default=[],
        metavar="ID",
        help="a workspace, or a scope or dependency whose workspaces are meant; repeatable; default: all",
    )
    _policy_option(parser)
    parser.add_argument("--format", choices=("text", "json", "html", "sarif"), default="text")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write there instead of to standard output")


def _policy_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--policy", type=Path, metavar="FILE", help="policy file (default: AMLGUARD_POLICY)")


def _sweeps_command(commands: "argparse._SubParsersAction[_Parser]") -> None:
    parser = commands.add_parser("sweeps", help="how far the sweep is, and how the last ones ended")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(run=_sweeps)


def _policy_commands(commands: "argparse._SubParsersAction[_Parser]") -> None:
    parts = commands.add_parser("policy", help="checks a policy file, or prints its condition or JSON Schema")
    kinds = parts.add_subparsers(required=True, metavar="COMMAND")
    check = kinds.add_parser("check", help="says what is wrong in a policy file, and where")
    check.add_argument("file", type=Path, metavar="FILE")
    check.set_defaults(run=_policy_check)
    printing = kinds.add_parser(
        "condition",
        help="the ABAC condition for amlguard's own role",
        description="Prints the condition (version 2.0) for the Role Based Access Control Administrator assignment of "
        "amlguard's identity: it can then assign, and take back, the roles of the rules that the policy enables, and "
        "no others. Renew it when the policy changes: az role assignment create … --condition-version 2.0 --condition "
        '"$(amlguard policy condition --policy FILE)"',
    )
    _policy_option(printing)
    printing.set_defaults(run=_policy_condition)
    kinds.add_parser("schema", help="JSON Schema, for editors").set_defaults(run=_policy_schema)


if __name__ == "__main__":
    sys.exit(main())
