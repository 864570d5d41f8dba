"""The commands that check a policy file, push it to the app, and print what follows from it."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from handlers.cli.usage import Parser


def commands(
    known: "argparse._SubParsersAction[Parser]",
    run: Mapping[str, Callable[[argparse.Namespace], int]],
    policy: Callable[[argparse.ArgumentParser], None],
) -> None:
    """`policy` adds the option that names the file."""
    parts = known.add_parser("policy", help="check a policy file, push it to the app, or print its condition")
    kinds = parts.add_subparsers(required=True, metavar="COMMAND")
    check = kinds.add_parser("check", help="show what is wrong in a policy file, and where")
    check.add_argument("file", type=Path, metavar="FILE")
    check.add_argument("--online", action="store_true", help="also ask Azure whether the scopes are there")
    check.set_defaults(run=run["policy_check"])
    printing = kinds.add_parser(
        "condition",
        help="print the ABAC condition for amlguard's own role",
        description="Prints the condition (version 2.0) for the Role Based Access Control Administrator assignment of "
        "amlguard's identity. It can then assign and take back the roles of the rules that the policy enables, and no "
        "others. Renew the condition when the policy changes: `az role assignment create … --condition-version 2.0 "
        "--condition "
        '"$(amlguard policy condition --policy FILE)"`',
    )
    policy(printing)
    printing.set_defaults(run=run["policy_condition"])
    pushing = kinds.add_parser(
        "push",
        help="put a policy into the app's storage account: it is in force within a minute",
        description="Checks the file first, and pushes nothing that is wrong. AMLGUARD_POLICY=blob:NAME names the "
        "blob, here and in the app (default: blob:policy.yaml). With AMLGUARD_PRINCIPAL_ID, the app's identity, it "
        "says what the policy grants that the condition of the app's own role does not allow: Azure refuses that.",
        epilog="Exit code: 0 pushed, 1 error: nothing was pushed, 2 pushed, and it grants more than the condition "
        "allows, or nobody could tell.",
    )
    pushing.add_argument("file", type=Path, metavar="FILE")
    pushing.set_defaults(run=run["policy_push"])
    ended = "Exit code: 0 it is what was pushed, 1 error: what was pushed is wrong, and the last good one is shown."
    showing = kinds.add_parser("show", help="print the pushed policy that is in force", epilog=ended)
    showing.set_defaults(run=run["policy_show"])
    kinds.add_parser("schema", help="print the JSON Schema, for editors").set_defaults(run=run["policy_schema"])
