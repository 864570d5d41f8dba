"""`python -m infra.publish APP_ID`: sends the package of `make package` to the Function App. Azure builds nothing.

It waits at the app's SCM site and at ARM, never at the app itself, which may be closed to everybody except Event Grid.
If the SCM site is closed, it opens the site to this machine and closes it again. It needs only Python, and you must be
signed in (`az login` or `azd auth login`).
"""

import argparse
import os
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from infra.one_deploy import DeploymentError, Site
from infra.rest import Client, Clock, NotSignedInError, UnreachableError, signed_in
from infra.scm_door import API, Door, DoorError

_PACKAGE = Path(__file__).parents[1] / "dist" / "amlguard.zip"
_APP = re.compile(r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Web/sites/[^/]+", re.IGNORECASE)
# The function that Event Grid calls. Event subscriptions can be made once ARM knows it.
FUNCTION = "resource_changed"
# The Azure CLI waits a minute before it looks.
_KNOWN, _PAUSE = 300.0, 10.0


class AppError(Exception):
    """There is no such app, or it does not start. The message says what to do."""


_ERRORS = (AppError, DeploymentError, DoorError, NotSignedInError, UnreachableError)


def main(arguments: Sequence[str] | None = None, client: Client | None = None, clock: Clock | None = None) -> int:
    options = _parser().parse_args(arguments)
    clock = clock or Clock()
    try:
        app = _app_id(options.app)
        _run(options, app, client or Client(signed_in(app.split("/")[2]), clock), clock)
    except _ERRORS as error:
        # The error that the site could not be closed must not hide why the deployment failed.
        for one in (error.__context__, error):
            if isinstance(one, _ERRORS):
                print(f"amlguard publish: {one}", file=sys.stderr)
        return 1
    return 0


def _run(options: argparse.Namespace, app_id: str, client: Client, clock: Clock) -> None:
    package: Path = options.package
    if not options.close and not package.is_file():
        raise AppError(f"{package} is not there. Make it with `make package`.")
    app = f"{options.arm.rstrip('/')}{app_id}"
    site = _scm_site(client, app)
    door = Door(app, site, client, clock, _say)
    if options.close:
        door.close()
        return
    with door.opened(options.address):
        Site(site, client, clock, _say, options.timeout).deploy(package)
    _say(f"{package} is in place")
    _until_known(client, app, clock)


def _app_id(text: str) -> str:
    if not _APP.fullmatch(text.strip()):
        raise AppError(
            f"{text!r} is not the resource id of an app. It looks like /subscriptions/GUID/resourceGroups/NAME/"
            "providers/Microsoft.Web/sites/NAME, and is the output `functionAppId` of the deployment."
        )
    return text.strip()


def _scm_site(client: Client, app: str) -> str:
    answer = client.send_json("GET", f"{app}?api-version={API}")
    if answer.status != 200:
        raise AppError(f"The app cannot be read ({answer.status}): {answer.text()[:300]}")
    for host in answer.json()["properties"].get("hostNameSslStates") or []:
        if host.get("hostType") == "Repository":
            return f"https://{host['name']}"
    raise AppError("The app has no SCM site. Is it a Function App that infra/ deployed?")


def _until_known(client: Client, app: str, clock: Clock) -> None:
    """If ARM cannot tell, that is not a failure. Nothing documents whether it can tell for a closed app."""
    until = clock.now() + _KNOWN
    while True:
        answer = client.send_json("GET", f"{app}/functions?api-version={API}")
        listed = answer.json() if answer.status == 200 else None
        names = [str(one.get("name")).rpartition("/")[2] for one in listed["value"]] if isinstance(listed, dict) else []
        if FUNCTION in names:
            _say(f"ARM knows the function {FUNCTION}: event subscriptions can be made")
            return
        if clock.now() + _PAUSE > until:
            break
        clock.sleep(_PAUSE)
    if listed is None:
        _say(f"ARM cannot tell whether the function {FUNCTION} is there ({answer.status}): {answer.text()[:300]}")
        return
    raise AppError(
        f"The package is in place, but after {_KNOWN:.0f} seconds the app has no function {FUNCTION} (it has: "
        f"{', '.join(names) or 'none'}). FunctionAppLogs in its Log Analytics workspace says why it does not start."
    )


def _say(text: str) -> None:
    print(text, flush=True)


def _unwind(number: int, _frame: FrameType | None) -> None:
    """Unwinds once, so that what was opened is closed. Another signal waits for that."""
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, signal.SIG_IGN)
    sys.exit(128 + number)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.publish", description=(__doc__ or "").partition("\n")[0])
    arm = os.environ.get("AMLGUARD_ARM_ENDPOINT") or "https://management.azure.com"
    parser.add_argument("app", metavar="APP_ID", help="the deployment's output functionAppId, a resource id")
    parser.add_argument("--package", type=Path, default=_PACKAGE, metavar="FILE", help="default: dist/amlguard.zip")
    parser.add_argument(
        "--address",
        metavar="CIDR",
        help="the address to let in to a closed SCM site; default: the one that the site sees",
    )
    parser.add_argument("--close", action="store_true", help="only close the SCM site, after a run that was killed")
    parser.add_argument("--timeout", type=float, default=1200, metavar="SECONDS", help="default: 1200")
    parser.add_argument("--arm", default=arm, metavar="URL", help="Azure Resource Manager of another cloud")
    return parser


if __name__ == "__main__":
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, _unwind)
    sys.exit(main())
