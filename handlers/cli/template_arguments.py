"""The options of commands that look at a template."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from handlers.cli.console import UsageError, as_utf8, scope_of

if TYPE_CHECKING:
    from handlers.cli.template import Template

_SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
_TENANT = "22222222-2222-4222-8222-222222222222"
_DEFAULTS: Mapping[str, str] = {
    "subscription": _SUBSCRIPTION,
    "resource_group": "rg-ml",
    "management_group": "mg-ml",
    "tenant": _TENANT,
    "location": "westeurope",
}

_IN_SCOPES = ("subscription", "resource_group", "management_group")

_PLACES = (
    ("subscription", "ID", "the subscription it is for"),
    ("resource_group", "NAME", "the resource group"),
    ("management_group", "NAME", "the management group"),
    ("tenant", "ID", "the tenant"),
    ("location", "REGION", "the region"),
)


def add(parser: argparse.ArgumentParser, *, at_once: bool) -> None:
    """`at_once`: several files may follow the option. Where something else may follow it, it is repeated."""
    about = parser.add_argument_group(
        "a template that is not deployed yet",
        "Without --scope, this needs no Azure and nobody signed in. For .bicep, .bicepparam and ARM templates it runs "
        "the `bicep` on the path, or az's own. A snapshot knows already where it is deployed, and its parameters.",
    )
    about.add_argument(
        "--template",
        nargs="+" if at_once else None,
        action="extend" if at_once else "append",
        default=[],
        type=Path,
        metavar="FILE",
        help="what these make together: Bicep snapshots (*.snapshot.json), .bicepparam, .bicep, ARM templates (.json)",
    )
    for name, metavar, what in _PLACES:
        about.add_argument(
            f"--{name.replace('_', '-')}",
            metavar=metavar,
            type=as_utf8,
            help=f"{what} (default: {'that of --scope, or ' if name in _IN_SCOPES else ''}{_DEFAULTS[name]})",
        )
    about.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        type=as_utf8,
        help="a parameter of the template; anything but a text as JSON. Can be repeated",
    )
    about.add_argument(
        "--identity",
        action="append",
        default=[],
        metavar="RESOURCE-ID=OBJECT-ID",
        type=as_utf8,
        help="the object id of an identity that is there already. Can be repeated",
    )


def of(options: argparse.Namespace) -> "Template | None":
    """None where no template is named. Raises `UsageError`."""
    snapshot = getattr(options, "snapshot", None)
    if options.template and snapshot:
        raise UsageError(
            "--template and --snapshot do not go together: a template is laid over what is there (--scope)"
        )
    if snapshot and getattr(options, "fresh", False):
        raise UsageError("--fresh asks Azure, and --snapshot does not: use one of them")
    named = [name for name in (*_DEFAULTS, "parameter", "identity") if getattr(options, name)]
    if not options.template:
        if named:
            raise UsageError(f"--{named[0].replace('_', '-')} goes with --template")
        return None
    from handlers.cli.bicep import Deployment  # noqa: PLC0415 - only this needs it
    from handlers.cli.template import Template  # noqa: PLC0415 - as above

    defaults = {**_DEFAULTS, **_of_scopes(getattr(options, "scope", ()))}
    said = {name: getattr(options, name) or default for name, default in defaults.items()}
    deployment = Deployment(
        said["subscription"],
        said["resource_group"],
        said["management_group"],
        said["tenant"],
        said["location"],
        tuple(options.parameter),
    )
    deployment.check()
    empty_is_fine = getattr(options, "allow_empty", False)
    return Template(options.template, deployment, options.identity, options.policy, empty_is_fine)


def _of_scopes(scopes: Sequence[str]) -> dict[str, str]:
    """The subscription, resource group and management group in which all the scopes lie, as far as there is just one.

    Raises `UsageError`.
    """
    found: dict[str, str] = {}
    every = [scope_of(one) for one in scopes]
    groups = {one for one in every if one.is_management_group}
    for name, places in (
        ("subscription", {one.subscription for one in every}),
        ("resource_group", {one.resource_group for one in every}),
        ("management_group", groups),
    ):
        (place, *more) = places or {None}
        if place and not more:
            found[name] = place.name
    return found
