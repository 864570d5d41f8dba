"""The commands that take and compare snapshots of a tenant, and the option of those that work from one."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from handlers.cli.snapshot_key import ONE_KEY
from handlers.cli.usage import Parser


def commands(
    known: "argparse._SubParsersAction[Parser]",
    run: Mapping[str, Callable[[argparse.Namespace], int]],
    options: tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.ArgumentParser], None]],
) -> None:
    """`options` add those about what is looked at, and the policy's."""
    reporting, policy = options
    taking = known.add_parser(
        "snapshot",
        help="write what plan, explain and report read to a file, to work from it without a connection",
        description="Writes a tenant file with what was asked and what could not be read, the policy, ARM's time and "
        "the object id of whoever took it. It only reads, by ARM alone. Secrets, texts that people wrote, and the "
        "values of tags that the policy does not name are left out.",
        epilog="Exit code: 0 written, 1 error, also if a workspace could not be read; the file says so, too.",
    )
    reporting(taking)
    taking.add_argument("--out", type=Path, metavar="FILE", required=True, help="the file to write")
    taking.add_argument(
        "--pseudonyms",
        type=Path,
        metavar="KEY-FILE",
        nargs="?",
        const=ONE_KEY,
        help="put pseudonyms in the place of all names, ids and texts of the tenant. Snapshots that are taken with the "
        "same key file (`openssl rand -hex 32`) have the same ones. Without a file, nobody can tell them again",
    )
    taking.set_defaults(run=run["snapshot"])
    comparing = known.add_parser(
        "diff",
        help="show what changed between two snapshots: who holds what, what is needed, and findings",
        epilog="Exit code: 0 nothing changed, 1 error, 2 something changed.",
    )
    comparing.add_argument("old", type=Path, metavar="OLD", help="the earlier snapshot")
    comparing.add_argument("new", type=Path, metavar="NEW", help="the later one")
    comparing.add_argument("--format", choices=("text", "json"), default="text")
    policy(comparing)
    comparing.set_defaults(run=run["diff"])


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--snapshot",
        type=Path,
        metavar="FILE",
        help="work from a file that `amlguard snapshot` took: no Azure, and nobody signed in. The policy is the "
        "file's, unless --policy names another one",
    )
