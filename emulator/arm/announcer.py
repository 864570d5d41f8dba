"""Subscription events: what Event Grid hears about every successful write, delete and action.

https://learn.microsoft.com/azure/event-grid/event-schema-subscriptions
"""

from collections.abc import Callable
from typing import Any

from emulator.clock import Clock
from emulator.identity.tokens import Caller
from emulator.ids import ResourcePath
from emulator.seeded_values import SeededValues

type Json = dict[str, Any]
type Publish = Callable[[Json], None]

_ADDRESS = "203.0.113.7"
_CLAIM = "http://schemas.microsoft.com/identity/claims/"
_PERSON = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"


class Announcer:
    def __init__(self, clock: Clock, made_up: SeededValues, tenant_id: str, *publish: Publish) -> None:
        self._clock = clock
        self._made_up = made_up
        self._tenant_id = tenant_id
        self._publish = publish

    def announce(
        self,
        path: ResourcePath,
        operation: str,
        caller: Caller,
        evidence: Json,
        correlation_id: str,
        *,
        request: tuple[str, str] | None = None,
    ) -> None:
        """`operation` ends in write, delete or action. `request` is method and URL, given for all except creations."""
        if path.subscription is None:
            return
        data = {
            "authorization": {"scope": path.text, "action": operation, "evidence": evidence},
            "claims": self._claims(caller),
            "correlationId": correlation_id,
            "resourceProvider": operation.partition("/")[0],
            "resourceUri": path.text,
            "operationName": operation,
            "status": "Succeeded",
            "subscriptionId": path.subscription,
            "tenantId": self._tenant_id,
        }
        if request is not None:
            method, url = request
            client = {"clientRequestId": self._made_up.another("client request"), "clientIpAddress": _ADDRESS}
            data["httpRequest"] = {**client, "method": method, "url": url}
        event = {
            "subject": path.text,
            "eventType": f"Microsoft.Resources.Resource{operation.rpartition('/')[2].capitalize()}Success",
            "eventTime": self._clock.now().strftime("%Y-%m-%dT%H:%M:%S.%f0Z"),
            "id": self._made_up.another("event"),
            "data": data,
            "dataVersion": "2",
            "metadataVersion": "1",
            "topic": f"/subscriptions/{path.subscription}",
        }
        for hears in self._publish:
            hears(event)

    def _claims(self, caller: Caller) -> dict[str, str]:
        issued = int(self._clock.now().timestamp()) - 300
        claims = {
            "aud": "https://management.core.windows.net/",
            "iss": f"https://sts.windows.net/{self._tenant_id}/",
            "iat": str(issued),
            "nbf": str(issued),
            "exp": str(issued + 3900),
            "appid": caller.app_id,
            "appidacr": "2",
            f"{_CLAIM}objectidentifier": caller.object_id,
            f"{_PERSON}nameidentifier": caller.object_id,
            f"{_CLAIM}tenantid": self._tenant_id,
            "uti": self._made_up.another("token")[:22],
            "ver": "1.0",
        }
        if caller.kind == "User":
            # what Azure says about a person in an event: the product must keep it out of its records
            mail = f"{caller.name.lower()}@contoso.example"
            claims |= {"ipaddr": _ADDRESS, "name": caller.name, f"{_PERSON}upn": mail, f"{_PERSON}name": mail}
        return claims
