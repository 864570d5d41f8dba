"""`python -m infra.providers`: registers the resource providers that the templates need in each subscription.

ARM registers a provider for what a template makes, if the person who deploys may do that. It does not register a
provider that a template only names, for example in the delegation of a subnet (Microsoft.App for Flex Consumption in a
virtual network).
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from infra.compiler import SUBSCRIPTION
from infra.rest import Client, Clock, NotSignedInError, UnreachableError, signed_in
from infra.snapshots import made, names, scope

_DELEGATED = "serviceName"
_API = "2022-09-01"
_PAUSE, _MOST = 10.0, 600.0


class RegistrationError(Exception):
    """The message says what to do."""


def here() -> list[str]:
    """What the app's own subscription needs with any parameters, for its resources and for delegated subnets."""
    return _namespaces(lambda subscription: subscription == SUBSCRIPTION)


def watched() -> list[str]:
    """What each watched subscription needs."""
    return _namespaces(lambda subscription: subscription != SUBSCRIPTION)


def _namespaces(chosen: Callable[[str], bool]) -> list[str]:
    """The namespaces of the resources that the parameter files make in the chosen subscriptions."""
    made_there = [one for name in names() for one in made(name) if chosen(_subscription(one))]
    found = {one["type"] for one in made_there} | {one for each in made_there for one in _delegated_to(each)}
    # Half of Azure's answers and documents call it Microsoft.Insights.
    return sorted({one.partition("/")[0].replace(".insights", ".Insights") for one in found})


def _subscription(resource: Mapping[str, Any]) -> str:
    """The subscription of an id.

    For a management group it is SUBSCRIPTION: the group's own providers are always registered.
    """
    where = scope(dict(resource)).split("/")
    return where[2] if where[1] == "subscriptions" else SUBSCRIPTION


def _delegated_to(value: Any) -> Iterator[str]:
    match value:
        case dict():
            yield from (str(one) for key, one in value.items() if key == _DELEGATED)
            yield from (found for one in value.values() for found in _delegated_to(one))
        case list():
            yield from (found for one in value for found in _delegated_to(one))


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
                    f"{namespace} cannot be registered ({answer.status}): {answer.text()[:300]} You need the right "
                    f"{namespace}/register/action on {subscription.rpartition('/')[2]}, which Contributor has."
                )
        if clock.now() > until:
            raise RegistrationError(f"{namespace} is {state} after {_MOST:.0f} seconds. Run this command again later.")
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
