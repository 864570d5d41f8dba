"""The SCM site of an app that is closed to the public: it is opened for one address, and always closed again.

The site itself says which address it sees: App Service names the address that it refuses. If an address gets in without
a rule (a runner in the network, or a site that is not closed), nothing is opened.
"""

import ipaddress
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from infra.one_deploy import FORBIDDEN_ADDRESS
from infra.rest import Client, Clock, NotSignedInError, UnreachableError

RULE = "amlguard-deployer"
API = "2024-04-01"
_KEY = "scmIpSecurityRestrictions"
# Rules take half a minute or more to take effect.
_ACTS = 180.0
_PAUSE = 5.0
_TRIES = 5
# The rule that stands for the default action. App Service lists it, and keeps it without our help.
_DEFAULT = 2147483647
# Network address translation may send requests from more than one address.
_ADDRESSES = 4


class DoorError(Exception):
    """The site could not be opened or not be closed again. The message says what to do."""


@dataclass(frozen=True)
class Door:
    """`app` is the address of the Function App at ARM, `site` that of its SCM site."""

    app: str
    site: str
    client: Client
    clock: Clock
    say: Callable[[str], None]

    @contextmanager
    def opened(self, address: str | None = None) -> Iterator[None]:
        """Raises `DoorError`. If `address` is given, it is let in instead of the address that the site sees."""
        refused = self._refused()
        if refused is None:
            yield
            return
        self._rules()  # Whoever may not read the restrictions opens nothing, and has nothing to close.
        try:
            self._open(refused, address)
            yield
        finally:
            self.close()

    def close(self) -> None:
        """Takes away what `opened` let in, also after a run that was killed. Raises `DoorError`."""
        for _ in range(_TRIES):
            try:
                rules = self._rules()
                others = [rule for rule in rules if rule.get("name") != RULE]
                if others == rules:
                    self.say("the SCM site is as closed as it was deployed")
                    return
                self._write(others)
            except (DoorError, NotSignedInError, UnreachableError) as error:
                self.say(str(error))
                self.clock.sleep(_PAUSE)
        raise DoorError(
            f"The SCM site may still be open to what the rule {RULE} names. Close it: run this again with --close, or "
            "take the rule away in the portal (Networking, Public network access, Advanced tool site)."
        )

    def _open(self, refused: str | None, address: str | None) -> None:
        until, let_in = self.clock.now() + _ACTS, list[str]()
        while refused:
            one = _network(address or refused)
            if self.clock.now() > until or len(let_in) > _ADDRESSES:
                raise DoorError(
                    f"The SCM site still refuses {refused}. Name the addresses that you come from: --address CIDR."
                )
            if one not in let_in:
                let_in.append(one)
                self._let_in(let_in)
            self.clock.sleep(_PAUSE)
            refused = self._refused()

    def _let_in(self, networks: Sequence[str]) -> None:
        rules = [rule for rule in self._rules() if rule.get("name") != RULE]
        ours = [{"name": RULE, "action": "Allow", "priority": 100, "ipAddress": one} for one in networks]
        self._write([*rules, *ours])
        self.say(f"the SCM site is open to {', '.join(networks)}")

    def _refused(self) -> str | None:
        """The address that the site refuses. No token is sent, because the site checks the address first."""
        try:
            answer = self.client.send("GET", f"{self.site}/api/deployments", signed=False)
        except UnreachableError:
            return None
        return answer.headers.get(FORBIDDEN_ADDRESS) if answer.status == 403 else None

    def _rules(self) -> list[dict[str, Any]]:
        answer = self.client.send_json("GET", f"{self.app}/config/web?api-version={API}")
        document = answer.json()
        if answer.status != 200 or not isinstance(document, dict):
            raise DoorError(
                f"The access restrictions of the app cannot be read ({answer.status}): {answer.text()[:300]}"
            )
        properties = document["properties"]
        if properties.get("scmIpSecurityRestrictionsUseMain"):
            raise DoorError(
                "The SCM site follows the main site's restrictions. Deploy infra/ again: it keeps them apart."
            )
        return [rule for rule in properties.get(_KEY) or [] if rule.get("priority") != _DEFAULT]

    def _write(self, rules: Sequence[dict[str, Any]]) -> None:
        properties = {_KEY: list(rules), "scmIpSecurityRestrictionsDefaultAction": "Deny"}
        answer = self.client.send_json("PATCH", f"{self.app}/config/web?api-version={API}", {"properties": properties})
        if answer.status not in {200, 202}:
            raise DoorError(
                f"The access restrictions of the app cannot be changed ({answer.status}): {answer.text()[:300]} "
                "You need the right Microsoft.Web/sites/config/write, which Website Contributor has."
            )


def _network(address: str) -> str:
    try:
        return str(ipaddress.ip_network(address.strip().strip("[]"), strict=False))
    except ValueError as error:
        raise DoorError(f"{address!r} is not an address that can be let in. Name yours: --address CIDR.") from error
