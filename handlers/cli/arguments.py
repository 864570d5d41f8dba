"""What the command line takes, and what its help says."""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

from handlers.cli.console import as_utf8

_EXIT_CODES = "Exit code: 0 compliant or done, 1 error, 2 changes, findings, or something withheld or deferred."

type Commands = Mapping[str, Callable[[argparse.Namespace], int]]


class _Parser(argparse.ArgumentParser):
    """Wrong usage is an error (1): argparse's own 2 would say "something is left to do"."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(1, f"{self.prog}: {message}\n")


class _Version(argparse.Action):
    """The version of what is installed: pyproject.toml is the one place that says it."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - no other command needs it

        try:
            print(f"{parser.prog} {version('amlguard')}")
        except PackageNotFoundError:
            parser.error(f"it runs from {Path(__file__).parents[2]} without being installed, which has no version")
        parser.exit()


def parser(run: Commands) -> argparse.ArgumentParser:
    made = _Parser(
        prog="amlguard",
        description="Keeps Azure Machine Learning identities holding exactly the roles that they need.",
        epilog=f"{_EXIT_CODES} The ARM endpoint is AMLGUARD_ARM_ENDPOINT; sign-in is azure-identity's.",
    )
    made.add_argument("--version", action=_Version, nargs=0, help="the version, and exit")
    commands = made.add_subparsers(required=True, metavar="COMMAND")
    planning = commands.add_parser("plan", help="what is missing or wrong; reads only", epilog=_EXIT_CODES)
    _reporting(planning)
    planning.set_defaults(run=run["plan"])
    _applying(commands, run)
    _taking_back(commands, run)
    _looking(commands, run)
    event = commands.add_parser("event", help="handles one Event Grid delivery as the trigger would")
    event.add_argument("file", metavar="FILE", help="JSON: an event or an array of them; - for standard input")
    _policy_option(event)
    event.set_defaults(run=run["event"])

    rules = commands.add_parser("rules", help="the catalogue of rules")
    rules.add_argument("--format", choices=("text", "json"), default="text")
    rules.set_defaults(run=run["rules"])
    sweeps = commands.add_parser("sweeps", help="how far the sweep is, and how the last ones ended")
    sweeps.add_argument("--format", choices=("text", "json"), default="text")
    sweeps.add_argument("--start", action="store_true", help="puts a sweep on the app's queue, as the timer does")
    sweeps.set_defaults(run=run["sweeps"])
    _policy_commands(commands, run)
    _emulate_command(commands, run)
    return made


def _applying(commands: "argparse._SubParsersAction[_Parser]", run: Commands) -> None:
    applying = commands.add_parser(
        "apply",
        help="grants what is missing and turns admin users off, after asking",
        description="Says its run id first: `amlguard undo RUN_ID` takes back what it did. Ctrl-C ends it in order: "
        "what was begun is finished and put on record, and what came of it is told; a second Ctrl-C ends it at once.",
        epilog=f"{_EXIT_CODES[:-1]}, 130 stopped by Ctrl-C. Every change is recorded first, in the app's audit log "
        "(AMLGUARD_LOGS_INGESTION_ENDPOINT, AMLGUARD_LOGS_RULE_ID) or a file: without a place to record, nothing is "
        "changed.",
    )
    _reporting(applying)
    applying.add_argument("--plan", type=Path, metavar="FILE", help="do only what this plan (JSON) names")
    applying.add_argument("--yes", action="store_true", help="do not ask")
    _audit_file_option(applying, "record in this file (JSON lines), and in the app's audit log where one is set")
    applying.add_argument("--again", action="store_true", help="also what was undone, or what somebody keeps reverting")
    applying.set_defaults(run=run["apply"])


def _taking_back(commands: "argparse._SubParsersAction[_Parser]", run: Commands) -> None:
    undoing = commands.add_parser(
        "undo",
        help="takes back what runs did, after asking",
        description="Turns admin users on again before grants go, and takes only what the run itself made. The audit "
        "log says what that was: its rows appear there minutes after a change; a file (--audit-file) has them at once. "
        "What was undone amlguard does not do again by itself.",
        epilog="Exit code: 0 undone, or nothing was left, 1 error, 2 something stays because others rely on it.",
    )
    undoing.add_argument(
        "run_id", metavar="RUN_ID", nargs="+", help="from the audit log, or a role assignment's description"
    )
    _policy_option(undoing)
    undoing.add_argument("--yes", action="store_true", help="do not ask")
    _audit_file_option(undoing, "the file that `apply` recorded the run in; what is undone is recorded there, too")
    undoing.add_argument("--force", action="store_true", help="also what others rely on by now")
    undoing.add_argument("--format", choices=("text", "json"), default="text")
    undoing.set_defaults(run=run["undo"])

    approving = commands.add_parser(
        "approve",
        help="releases what the policy wants a person to release, or lists it",
        description="Without a run id lists what waits. With one, the app looks at the workspace again and does what "
        "was asked for and is still needed, if nothing else objects. Whoever may write to the app's storage account "
        "may release; their object id goes on the record.",
        epilog="Exit code: 0 listed or released, 1 error (unknown, or lapsed).",
    )
    approving.add_argument("run_id", metavar="RUN_ID", nargs="?", help="from the list, or the audit log")
    _policy_option(approving)
    approving.add_argument("--format", choices=("text", "json"), default="text")
    approving.set_defaults(run=run["approve"])


def _looking(commands: "argparse._SubParsersAction[_Parser]", run: Commands) -> None:
    explaining = commands.add_parser(
        "explain",
        help="who needs what on a resource, who holds it through what, and why; reads only",
        epilog="Exit code: 0 all that is needed is held, 1 error, also where there is no such resource, 2 something is "
        "missing, is to change or is found.",
    )
    explaining.add_argument(
        "resource", metavar="RESOURCE_ID", type=as_utf8, help="a workspace, compute, endpoint, identity, registry …"
    )
    _policy_option(explaining)
    explaining.add_argument("--format", choices=("text", "json"), default="text")
    explaining.set_defaults(run=run["explain"])


def _reporting(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scope",
        action="append",
        default=[],
        metavar="ID",
        type=as_utf8,
        help="a workspace; a management group, subscription or resource group: all in it; a registry, storage account, "
        "vault, Application Insights or identity: all that use it; repeatable; default: the policy's scopes, or all",
    )
    parser.add_argument(
        "--allow-empty", action="store_true", help="that there is no workspace to look at is no error (exit code 0)"
    )
    _policy_option(parser)
    parser.add_argument("--format", choices=("text", "json", "html", "sarif"), default="text")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write there instead of to standard output")


def _audit_file_option(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--audit-file", type=Path, metavar="FILE", help=what)


def _policy_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--policy", type=Path, metavar="FILE", help="policy file (default: AMLGUARD_POLICY)")


def _policy_commands(commands: "argparse._SubParsersAction[_Parser]", run: Commands) -> None:
    parts = commands.add_parser("policy", help="checks a policy file, or prints its condition or JSON Schema")
    kinds = parts.add_subparsers(required=True, metavar="COMMAND")
    check = kinds.add_parser("check", help="says what is wrong in a policy file, and where")
    check.add_argument("file", type=Path, metavar="FILE")
    check.set_defaults(run=run["policy_check"])
    printing = kinds.add_parser(
        "condition",
        help="the ABAC condition for amlguard's own role",
        description="Prints the condition (version 2.0) for the Role Based Access Control Administrator assignment of "
        "amlguard's identity: it can then assign, and take back, the roles of the rules that the policy enables, and "
        "no others. Renew it when the policy changes: `az role assignment create … --condition-version 2.0 --condition "
        '"$(amlguard policy condition --policy FILE)"`',
    )
    _policy_option(printing)
    printing.set_defaults(run=run["policy_condition"])
    kinds.add_parser("schema", help="JSON Schema, for editors").set_defaults(run=run["policy_schema"])


def _emulate_command(commands: "argparse._SubParsersAction[_Parser]", run: Commands) -> None:
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
    parser.add_argument(
        "--setting", action="append", default=[], metavar="NAME=VALUE", help="an app setting of the app; repeatable"
    )
    parser.add_argument("--no-functions", action="store_true", help="only Azure, without the app")
    parser.add_argument("--verbose", action="store_true", help="logs to standard error")
    _policy_option(parser)
    parser.set_defaults(run=run["emulate"])
