"""What the command line takes, and what its help says."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from handlers.cli import policy_arguments, snapshot_arguments, template_arguments
from handlers.cli.console import as_utf8
from handlers.cli.formats.view import SEVERITIES, Status
from handlers.cli.usage import Parser, Version

_TOLD = ("text", "json", "csv", "markdown", "sarif", "html")
FORMATS = (*_TOLD, "bicep", "az", "terraform")
_EXIT_CODES = "Exit code: 0 compliant or done, 1 error, 2 changes, findings, or something withheld or deferred."

type Commands = Mapping[str, Callable[[argparse.Namespace], int]]


def commands_of(known: argparse.ArgumentParser, above: str = "") -> dict[str, argparse.ArgumentParser]:
    """All commands by name, `policy check` among them; the whole has none."""
    found = {above: known}
    for action in known._actions:  # noqa: SLF001 - argparse has no public list of them
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - as above
            for name, command in action.choices.items():
                found |= commands_of(command, f"{above} {name}".strip())
    return found


def parser(run: Commands) -> argparse.ArgumentParser:
    made = Parser(
        prog="amlguard",
        description="Keeps Azure Machine Learning identities holding exactly the roles that they need.",
        epilog=f"{_EXIT_CODES} AMLGUARD_ARM_ENDPOINT sets the ARM endpoint. You sign in as azure-identity does, for "
        "example with `az login`.",
    )
    made.add_argument("--version", action=Version, nargs=0, help="print the version and exit")
    commands = made.add_subparsers(required=True, metavar="COMMAND")
    planning = commands.add_parser("plan", help="show what is missing or wrong; only reads", epilog=_EXIT_CODES)
    _reporting(planning)
    _printing(planning, FORMATS)
    _fresh_option(planning)
    _choosing(planning)
    template_arguments.add(planning, at_once=True)
    snapshot_arguments.add(planning)
    planning.set_defaults(run=run["plan"])
    _report_command(commands, run)
    snapshot_arguments.commands(commands, run, (_reporting, _policy_option))
    _applying(commands, run)
    _taking_back(commands, run)
    _looking(commands, run)
    event = commands.add_parser("event", help="handle one Event Grid delivery as the trigger would")
    event.add_argument("file", metavar="FILE", help="JSON: an event or an array of events; - reads standard input")
    _policy_option(event)
    event.set_defaults(run=run["event"])

    _rules_command(commands, run)
    sweeps = commands.add_parser("sweeps", help="show how far the sweep is, and how the last ones ended")
    sweeps.add_argument("--format", choices=("text", "json"), default="text")
    sweeps.add_argument("--start", action="store_true", help="put a sweep on the app's queue, as the timer does")
    sweeps.set_defaults(run=run["sweeps"])
    policy_arguments.commands(commands, run, _policy_option)
    _emulate_command(commands, run)
    completing = commands.add_parser("completion", help="print what makes a shell complete amlguard's arguments")
    completing.add_argument("shell", choices=("bash", "zsh", "fish", "tcsh", "powershell"))
    completing.set_defaults(run=run["completion"])
    return made


def _rules_command(commands: "argparse._SubParsersAction[Parser]", run: Commands) -> None:
    rules = commands.add_parser("rules", help="show the catalogue of rules, or what one of them says")
    rules.add_argument("rule", nargs="*", metavar="RULE", help="a rule's name, or an AML-id: then all that it says")
    rules.add_argument("--mode", action="append", default=[], choices=("fix", "opt-in", "audit", "guard", "input"))
    rules.add_argument("--severity", action="append", default=[], choices=SEVERITIES, help="of what it may find")
    rules.add_argument("--format", choices=("text", "json"), default="text")
    rules.set_defaults(run=run["rules"])


def _report_command(commands: "argparse._SubParsersAction[Parser]", run: Commands) -> None:
    reporting = commands.add_parser(
        "report",
        help="write the posture as one page: findings, who reaches what, what was done, what waits",
        description="Writes one HTML file that needs no network. It only reads. What amlguard did comes from the audit "
        "log (AMLGUARD_LOG_WORKSPACE_ID) or a file, what waits from the app's storage account, where these are set.",
        epilog="Exit code: 0 written, 1 error, also if a workspace could not be read; the page says which.",
    )
    _reporting(reporting)
    reporting.add_argument("--format", choices=("html", "json"), default="html")
    reporting.add_argument("--out", type=Path, metavar="FILE", default=Path("amlguard-report.html"))
    _fresh_option(reporting)
    _audit_file_option(reporting, "the file in which `apply` recorded what it did")
    snapshot_arguments.add(reporting)
    reporting.set_defaults(run=run["report"])


def _applying(commands: "argparse._SubParsersAction[Parser]", run: Commands) -> None:
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
    _printing(applying, _TOLD)
    applying.add_argument("--plan", type=Path, metavar="FILE", help="do only what this plan (JSON) names")
    applying.add_argument("--yes", action="store_true", help="do not ask")
    _audit_file_option(applying, "record in this file (JSON lines), and in the app's audit log where one is set")
    applying.add_argument("--again", action="store_true", help="also what was undone, or what somebody keeps reverting")
    applying.set_defaults(run=run["apply"])


def _taking_back(commands: "argparse._SubParsersAction[Parser]", run: Commands) -> None:
    undoing = commands.add_parser(
        "undo",
        help="take back what runs did, after asking",
        description="Turns admin users on again before it removes grants, and removes only what the run itself made. "
        "It reads that from the audit log, where rows appear minutes after a change. A file (--audit-file) has them at "
        "once. amlguard does not do again by itself what was undone.",
        epilog="Exit code: 0 undone, or nothing was left, 1 error, 2 something stays because others rely on it, 130 "
        "stopped by Ctrl-C.",
    )
    undoing.add_argument(
        "run_id", metavar="RUN_ID", nargs="+", help="from the audit log, or a role assignment's description"
    )
    _policy_option(undoing)
    undoing.add_argument("--yes", action="store_true", help="do not ask")
    _audit_file_option(undoing, "the file in which `apply` recorded the run; the undo is recorded there, too")
    undoing.add_argument("--force", action="store_true", help="also take back what others rely on by now")
    undoing.add_argument("--format", choices=("text", "json"), default="text")
    undoing.set_defaults(run=run["undo"])

    approving = commands.add_parser(
        "approve",
        help="release changes that wait for a person, or list them",
        description="Without a run id, lists what waits. With a run id, the app looks at the workspace again and "
        "makes the changes that it asked for, if they are still needed and nothing else objects. Whoever may write to "
        "the app's storage account may release changes. Their object id goes on the record.",
        epilog="Exit code: 0 listed or released, 1 error (the run is unknown or has lapsed).",
    )
    approving.add_argument(
        "run_id", metavar="RUN_ID", nargs="?", help="from the list or the audit log; or the id of an action that waits"
    )
    _policy_option(approving)
    approving.add_argument("--format", choices=("text", "json"), default="text")
    approving.set_defaults(run=run["approve"])


def _looking(commands: "argparse._SubParsersAction[Parser]", run: Commands) -> None:
    telling = commands.add_parser(
        "status",
        help="show what fails and since when, what waits, what was given up, which intents are open, and the sweeps",
        description="Reads the app's storage account (AzureWebJobsStorage…), and the audit log where "
        "AMLGUARD_LOG_WORKSPACE_ID names it. Changes nothing.",
        epilog="Exit code: 0 all is well, 1 error (also if a part could not be read), 2 something fails, was given up "
        "or is open.",
    )
    _policy_option(telling)
    telling.add_argument("--format", choices=("text", "json"), default="text")
    telling.set_defaults(run=run["status"])
    explaining = commands.add_parser(
        "explain",
        help="show who needs what on a resource, through what they hold it, and why; only reads",
        epilog="Exit code: 0 everything that is needed is held, 1 error (also if there is no such resource), 2 "
        "something is missing, must change, or is a finding.",
    )
    explaining.add_argument(
        "resource", metavar="RESOURCE_ID", type=as_utf8, help="a workspace, compute, endpoint, identity, registry …"
    )
    _policy_option(explaining)
    explaining.add_argument("--format", choices=("text", "json", "mermaid"), default="text")
    template_arguments.add(explaining, at_once=False)
    snapshot_arguments.add(explaining)
    explaining.set_defaults(run=run["explain"])


def _reporting(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scope",
        action="append",
        default=[],
        metavar="ID",
        type=as_utf8,
        help="which workspaces: one workspace; all in a management group, subscription or resource group; all that "
        "use a registry, storage account, vault, Application Insights or identity. Can be repeated. Default: the "
        "policy's scopes, or everything that you can read",
    )
    parser.add_argument(
        "--allow-empty", action="store_true", help="exit with 0 instead of an error if there is no workspace to look at"
    )
    _policy_option(parser)


def _printing(parser: argparse.ArgumentParser, formats: Sequence[str]) -> None:
    parser.add_argument("--format", choices=formats, default="text")
    parser.set_defaults(formats=formats)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write to this file instead of standard output")
    parser.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="FORMAT=FILE",
        type=as_utf8,
        help="write the same in another format to a file as well. Can be repeated",
    )
    parser.add_argument("--full", action="store_true", help="tell all of it, however long, with reasons and remedies")


def _fresh_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="read everything through ARM; otherwise, Resource Graph shows the resources of a subscription that has "
        "more than 20 workspaces",
    )


def _choosing(parser: argparse.ArgumentParser) -> None:
    shown = parser.add_argument_group(
        "what is shown",
        "Each can be repeated. Of several options an item must meet each. The exit code is that of the whole plan.",
    )
    shown.add_argument("--rule", action="append", default=[], metavar="RULE", help="a rule's name, or an AML-id")
    shown.add_argument("--severity", action="append", default=[], choices=SEVERITIES, help="findings as severe as that")
    shown.add_argument(
        "--workspace", action="append", default=[], metavar="NAME", type=as_utf8, help="name (with * and ?) or id"
    )
    shown.add_argument("--status", action="append", default=[], choices=tuple(map(str, Status)))
    parser.add_argument(
        "--fail-on",
        choices=("never", "grant", *SEVERITIES),
        help="what makes the exit code 2: never; grant: only changes; a severity: findings from there up, and changes. "
        "Default: any change or finding, or anything withheld or deferred",
    )


def _audit_file_option(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--audit-file", type=Path, metavar="FILE", help=what)


def _policy_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--policy", type=Path, metavar="FILE", help="policy file (default: AMLGUARD_POLICY)")


def _emulate_command(commands: "argparse._SubParsersAction[Parser]", run: Commands) -> None:
    parser = commands.add_parser(
        "emulate",
        help="serve a local Azure with the app on it",
        description="Serves a local Azure over TLS, and the app on it. Prints one JSON line when it is ready, and runs "
        "until SIGTERM.",
    )
    parser.add_argument("--tenant", type=Path, metavar="FILE", help="raw ARM objects (JSON); default: an empty tenant")
    parser.add_argument("--port", type=int, metavar="N", help="ARM's port; 0 picks a free one")
    parser.add_argument("--functions-port", type=int, metavar="N", help="the port of the functions; 0 picks a free one")
    parser.add_argument("--latency-ms", type=float, metavar="N", help="delay every answer of Azure")
    parser.add_argument("--seed", type=int, metavar="N", help="make disorder and made-up ids repeatable")
    parser.add_argument("--faults", type=Path, metavar="FILE", help="failures to inject (JSON)")
    parser.add_argument(
        "--workers", type=int, metavar="N", help="instances of the app, as after a scale-out (default: 1)"
    )
    parser.add_argument(
        "--topic", action="store_true", help="the app sends what it did to a topic: GET /_local/topics/amlguard"
    )
    parser.add_argument(
        "--setting", action="append", default=[], metavar="NAME=VALUE", help="a setting of the app; can be repeated"
    )
    parser.add_argument(
        "--state", type=Path, metavar="FOLDER", help="keep certificates, ports and the tenant for the next start"
    )
    parser.add_argument("--no-functions", action="store_true", help="serve only Azure, without the app")
    parser.add_argument("--verbose", action="store_true", help="log to standard error")
    _policy_option(parser)
    parser.set_defaults(run=run["emulate"])
