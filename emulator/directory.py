"""The part of Microsoft Graph that `az role assignment` asks: users, groups and service principals, by id or by name.

Shapes and codes: learn.microsoft.com/graph/api (directoryobject-getbyids, user-list, group-list, serviceprincipal-list,
user-get) and learn.microsoft.com/graph/errors. Only the operator may ask: amlguard itself has no right in Graph.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from aiohttp import web

from emulator.errors import AzureError
from emulator.http.bodies import json_body, json_response
from emulator.identity.tokens import Audience, Caller, Tokens
from emulator.tenant import Tenant

type Json = dict[str, Any]

_KINDS = {"users": "User", "groups": "Group", "servicePrincipals": "ServicePrincipal"}
_EQUAL = re.compile(r"(?P<name>\w+) eq '(?P<value>(?:[^']|'')*)'")
_STARTS = re.compile(r"startswith\((?P<name>\w+),\s*'(?P<value>(?:[^']|'')*)'\)")
_ANY = re.compile(r"(?P<name>servicePrincipalNames)/any\(\w:\s?\w eq '(?P<value>(?:[^']|'')*)'\)")


class Directory:
    def __init__(self, tenant: Tenant, tokens: Tokens) -> None:
        self._tenant = tenant
        self._tokens = tokens

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1.0/directoryObjects/getByIds", self.by_ids),
            web.get("/v1.0/me", self.me),
            web.get("/v1.0/{kind:users|groups|servicePrincipals}", self.listed),
            web.get("/v1.0/{kind:users|groups|servicePrincipals}/{id}", self.one),
        ]

    async def by_ids(self, request: web.Request) -> web.Response:
        """Of those that are not there, it says nothing."""
        self._caller(request)
        asked = await json_body(request)
        wanted = {str(one).lower() for one in asked.get("ids") or ()}
        found = [_shown(one) | {"@odata.type": f"#microsoft.graph.{_graph_type(one)}"} for one in self._all(wanted)]
        return json_response(200, {"value": found})

    async def me(self, request: web.Request) -> web.Response:
        caller = self._caller(request)
        return json_response(
            200, {"id": caller.object_id, "displayName": caller.name, "userPrincipalName": caller.name}
        )

    async def listed(self, request: web.Request) -> web.Response:
        self._caller(request)
        wanted = _filter(request.query.get("$filter", ""))
        kind = _KINDS[request.match_info["kind"]]
        shown = (_shown(one) for one in self._all() if one.get("type") == kind)
        return json_response(200, {"value": [one for one in shown if wanted(one)]})

    async def one(self, request: web.Request) -> web.Response:
        """By the object id, of a user also by the name to sign in with."""
        self._caller(request)
        name, kind = request.match_info["id"].lower(), _KINDS[request.match_info["kind"]]
        for one in self._all():
            if one.get("type") == kind and name in (one["id"].lower(), str(one.get("userPrincipalName")).lower()):
                return json_response(200, _shown(one))
        message = f"Resource '{name}' does not exist or one of its queried reference-property objects are not present."
        raise AzureError(404, "Request_ResourceNotFound", message)

    def _caller(self, request: web.Request) -> Caller:
        caller = self._tokens.verify(request.headers.get("Authorization"), Audience.GRAPH)
        if not caller.operator:
            message = "Insufficient privileges to complete the operation."
            raise AzureError(403, "Authorization_RequestDenied", message)
        return caller

    def _all(self, wanted: set[str] | None = None) -> Iterator[Json]:
        for key, one in self._tenant.principals.items():
            if wanted is None or key in wanted:
                yield one


def _graph_type(principal: Json) -> str:
    kind = str(principal.get("type") or "ServicePrincipal")
    return kind[0].lower() + kind[1:]


def _shown(principal: Json) -> Json:
    shown: Json = {"id": principal["id"], "displayName": principal.get("displayName") or principal["id"]}
    if principal.get("type") == "User":
        return {**shown, "userPrincipalName": principal.get("userPrincipalName") or shown["displayName"]}
    if principal.get("type") == "Group":
        return {**shown, "securityEnabled": True}
    application = principal.get("appId") or principal["id"]
    return {**shown, "appId": application, "servicePrincipalNames": [application]}


def _filter(text: str) -> Callable[[Json], bool]:
    """Alternatives of comparisons. What is not known is refused, never ignored."""
    terms = [_term(one.strip(), text) for one in re.split(r"\s+or\s+", text)] if text else []
    return lambda one: not terms or any(term(one) for term in terms)


def _term(term: str, text: str) -> Callable[[Json], bool]:
    found = _EQUAL.fullmatch(term) or _STARTS.fullmatch(term) or _ANY.fullmatch(term)
    if found is None:
        raise AzureError(400, "BadRequest", f"Invalid filter clause: '{text}'.")
    name, value = found["name"], found["value"].replace("''", "'").lower()

    def holds(one: Json) -> bool:
        held = one.get(name)
        values = [str(word).lower() for word in (held if isinstance(held, list) else [held])]
        return any(word.startswith(value) for word in values) if found.re is _STARTS else value in values

    return holds
