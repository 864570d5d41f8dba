"""`python -m infra.providers`: registers the resource providers that the templates need, in each subscription once.

ARM registers by itself what a template makes, if whoever deploys may. It does not register what a template only names,
as the delegation of a subnet does (Flex Consumption in a virtual network: Microsoft.App).
"""

import argparse
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from infra.rest import Client, Clock, NotSignedInError, UnreachableError, signed_in

_INFRA = Path(__file__).parent
_MADE = re.compile(r"^resource \w+ '([\w.]+)/[\w/]+@[\w-]+' = ", re.MULTILINE)
_DELEGATED = re.compile(r"serviceName: '([\w.]+)/")
_MODULES = re.compile(r"^module \w+ '([\w./-]+\.bicep)'", re.MULTILINE)
_WATCHED = ("modules/watched-subscription.bicep", "modules/subscription-events.bicep")
_API = "2022-09-01"
_PAUSE, _MOST = 10.0, 600.0


class RegistrationError(Exception):
    """The message says what to do."""


def needed(*entries: str) -> list[str]:
    """The namespaces that these templates (below infra/) and their modules make something of, or delegate to."""
    found: set[str] = set()
    for path in _with_modules({(_INFRA / entry).resolve() for entry in entries}):
        text = path.read_text("utf-8")
        found.update(_MADE.findall(text), _DELEGATED.findall(text))
    return sorted(found)


def _with_modules(files: set[Path]) -> Iterator[Path]:
    todo, seen = list(files), set(files)
    while todo:
        path = todo.pop()
        yield path
        modules = {(path.parent / name).resolve() for name in _MODULES.findall(path.read_text("utf-8"))} - seen
        todo += modules
        seen |= modules


def here() -> list[str]:
    """What the app's own subscription needs."""
    return needed("main.bicep")


def watched() -> list[str]:
    """What each watched subscription needs."""
    return needed(*_WATCHED)


def main(arguments: Sequence[str] | None = None, client: Client | None = None, clock: Clock | None = None) -> int:
    options = _parser().parse_args(arguments)
    clock = clock or Clock()
    client = client or Client(signed_in(options.subscription), clock)
    try:
        for namespace in here():
            _register(f"{options.arm.rstrip('/')}/subscriptions/{options.subscription}", namespace, client, clock)
        for subscription in options.watched:
            for namespace in watched():
                _register(f"{options.arm.rstrip('/')}/subscriptions/{subscription}", namespace, client, clock)
    except (NotSignedInError, RegistrationError, UnreachableError) as error:
        print(f"amlguard providers: {error}", file=sys.stderr)
        return 1
    return 0


def _register(subscription: str, namespace: str, client: Client, clock: Clock) -> None:
    url, until, asked = f"{subscription}/providers/{namespace}", clock.now() + _MOST, False
    while True:
        answer = client.send_json("GET", f"{url}?api-version={_API}")
        document = answer.json()
        if answer.status != 200 or not isinstance(document, dict):
            raise RegistrationError(f"{namespace} cannot be read ({answer.status}): {answer.text()[:300]}")
        state = str(document.get("registrationState"))
        if state == "Registered":
            print(f"{namespace} is registered in {subscription.rpartition('/')[2]}")
            return
        if not asked:
            answer, asked = client.send_json("POST", f"{url}/register?api-version={_API}"), True
            if answer.status != 200:
                raise RegistrationError(
                    f"{namespace} cannot be registered ({answer.status}): {answer.text()[:300]} It takes the right "
                    f"{namespace}/register/action on {subscription.rpartition('/')[2]}, which Contributor has."
                )
        if clock.now() > until:
            raise RegistrationError(f"{namespace} is {state} after {_MOST:.0f} seconds. Run this again later.")
        clock.sleep(_PAUSE)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.providers", description=(__doc__ or "").partition("\n")[0])
    home, others = os.environ.get("AZURE_SUBSCRIPTION_ID"), json.loads(os.environ.get("AMLGUARD_SUBSCRIPTIONS") or "[]")
    arm = os.environ.get("AMLGUARD_ARM_ENDPOINT") or "https://management.azure.com"
    parser.add_argument("--subscription", default=home, required=home is None, metavar="GUID", help="of the app")
    parser.add_argument("--watched", nargs="*", default=others, metavar="GUID", help="default: AMLGUARD_SUBSCRIPTIONS")
    parser.add_argument("--arm", default=arm, metavar="URL", help="Azure Resource Manager of another cloud")
    return parser


if __name__ == "__main__":
    sys.exit(main())
