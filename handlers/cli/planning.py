"""What `plan` looks at: what is there, what a template would make, or both."""

import argparse
import asyncio
import os
import sys
from typing import TYPE_CHECKING

from handlers.cli import template_arguments
from handlers.cli.console import one_line
from handlers.cli.present import result_document
from handlers.cli.progress import begin
from shared.access.plan_json import Document

if TYPE_CHECKING:
    from collections.abc import Callable

    from handlers.cli.desk import Where
    from handlers.cli.template import Template


def document(options: argparse.Namespace, where: "Callable[[argparse.Namespace], Where]") -> Document:
    template = template_arguments.of(options)
    return _of_template(template, options, where) if template else _of_azure(options, where)


def _of_azure(options: argparse.Namespace, where: "Callable[[argparse.Namespace], Where]") -> Document:
    from handlers.cli.desk import plan  # noqa: PLC0415 - the Azure SDKs load only for commands that need them

    chosen = where(options)
    if not options.snapshot:
        begin("plan")
    return result_document(asyncio.run(plan(chosen)))


def _of_template(
    template: "Template", options: argparse.Namespace, where: "Callable[[argparse.Namespace], Where]"
) -> Document:
    """With a scope, laid over what is there."""
    if options.scope:
        from handlers.cli.template_over import plan_over  # noqa: PLC0415 - see _of_azure

        looked = asyncio.run(plan_over(template, where(options)))
    else:
        from handlers.cli.template import plan  # noqa: PLC0415 - only this needs it

        looked = plan(template, os.environ)
    for note in looked.notes:
        print(f"amlguard: {one_line(note)}", file=sys.stderr)
    return looked.document()
