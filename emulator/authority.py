"""Where clients sign in: the authority's two documents, for service principals with a secret.

Paths, fields and AADSTS codes: learn.microsoft.com/entra/identity-platform (v2-oauth2-client-creds-grant-flow,
v2-protocols-oidc, reference-error-codes).
"""

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from emulator.errors import AzureError
from emulator.http.bodies import json_response
from emulator.identity.tokens import LIFETIME_SECONDS, Caller, Tokens

type Json = dict[str, Any]

_ANY_TENANT = ("common", "organizations")
_DEFAULT = "/.default"


@dataclass(frozen=True, slots=True)
class SignIn:
    """A service principal that can sign in."""

    caller: Caller
    secret: str


class Authority:
    def __init__(self, tenant_id: str, tokens: Tokens, known: list[SignIn]) -> None:
        self._tenant_id = tenant_id
        self._tokens = tokens
        self._known = {one.caller.app_id.lower(): one for one in known}

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/{tenant}/v2.0/.well-known/openid-configuration", self.configuration),
            web.get("/{tenant}/.well-known/openid-configuration", self.configuration),
            web.get("/common/discovery/instance", self.instance),
            web.post("/{tenant}/oauth2/v2.0/token", self.token),
            web.post("/{tenant}/oauth2/token", self.token),
        ]

    async def configuration(self, request: web.Request) -> web.Response:
        self._require_tenant(request)
        here = f"https://{request.host}/{self._tenant_id}"
        body = {
            "issuer": f"{here}/v2.0",
            "authorization_endpoint": f"{here}/oauth2/v2.0/authorize",
            "token_endpoint": f"{here}/oauth2/v2.0/token",
            "device_authorization_endpoint": f"{here}/oauth2/v2.0/devicecode",
            "jwks_uri": f"{here}/discovery/v2.0/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["HS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }
        return json_response(200, body)

    async def instance(self, request: web.Request) -> web.Response:
        """What a client asks that does not know an authority's host."""
        here = f"https://{request.host}"
        hosts = {"preferred_network": request.host, "preferred_cache": request.host, "aliases": [request.host]}
        configuration = f"{here}/{self._tenant_id}/v2.0/.well-known/openid-configuration"
        body = {"tenant_discovery_endpoint": configuration, "api-version": "1.1", "metadata": [hosts]}
        return json_response(200, body)

    async def token(self, request: web.Request) -> web.Response:
        self._require_tenant(request)
        form = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        if form.get("grant_type") != "client_credentials":
            message = f"AADSTS70003: The app requested an unsupported grant type '{form.get('grant_type')}'."
            raise _refused(400, "unsupported_grant_type", message)
        client = form.get("client_id", "")
        known = self._known.get(client.lower())
        if known is None:
            message = f"AADSTS700016: Application with identifier '{client}' was not found in the directory."
            raise _refused(400, "unauthorized_client", message)
        if form.get("client_secret") != known.secret:
            message = f"AADSTS7000215: Invalid client secret provided for app '{client}'."
            raise _refused(401, "invalid_client", message)
        resource = form.get("resource") or _resource(form.get("scope", ""))
        issued = self._tokens.issue(known.caller, resource)
        body = {
            "token_type": "Bearer",
            "expires_in": LIFETIME_SECONDS,
            "ext_expires_in": LIFETIME_SECONDS,
            "access_token": issued["access_token"],
        }
        return json_response(200, body)

    def _require_tenant(self, request: web.Request) -> None:
        tenant = request.match_info["tenant"]
        if tenant.lower() not in (self._tenant_id.lower(), *_ANY_TENANT):
            raise _refused(400, "invalid_request", f"AADSTS90002: Tenant '{tenant}' not found.")


def _resource(scope: str) -> str:
    if not scope.endswith(_DEFAULT):
        message = f"AADSTS1002012: The provided value for scope {scope} is not valid. It must end with '/.default'."
        raise _refused(400, "invalid_scope", message)
    return scope.removesuffix(_DEFAULT)


class _SignInError(AzureError):
    def body(self) -> Json:
        code = self.message.partition(":")[0].removeprefix("AADSTS")
        return {"error": self.code, "error_description": self.message, "error_codes": [int(code)]}


def _refused(status: int, code: str, message: str) -> AzureError:
    return _SignInError(status, code, message)
