"""Access tokens: issued by the managed identity endpoint, verified on every call.

Tokens follow real time, not the local Azure's clock, because clients cache them by their own clock.
"""

import secrets
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

import jwt

from emulator.errors import AzureError

LIFETIME_SECONDS = 24 * 3600
_SKEW_SECONDS = 300


class Audience(Enum):
    """What a token is for. Each audience has several names."""

    ARM = frozenset({"https://management.azure.com", "https://management.core.windows.net"})
    GRAPH = frozenset({"https://graph.microsoft.com"})
    INGESTION = frozenset({"https://monitor.azure.com"})
    LOGS_QUERY = frozenset({"https://api.loganalytics.io"})
    EVENT_GRID = frozenset({"https://eventgrid.azure.net"})
    STORAGE = frozenset({"https://storage.azure.com"})


@dataclass(frozen=True, slots=True)
class Caller:
    object_id: str
    app_id: str
    name: str
    kind: str = "ServicePrincipal"
    """ServicePrincipal or User."""
    operator: bool = False
    """May do everything. Nobody else may use the control routes."""


# Every request's token is looked at three times, and clients use one for hours.
@lru_cache(maxsize=1024)
def _signed(token: str, key: str) -> dict[str, Any]:
    """The claims, which were valid when this token was first seen. Raises `jwt.InvalidTokenError`."""
    found: dict[str, Any] = jwt.decode(
        token, key, algorithms=["HS256"], options={"verify_aud": False, "verify_iat": False}
    )
    return found


@lru_cache(maxsize=1024)
def _read(token: str) -> dict[str, Any]:
    """The claims, whoever signed them. Raises `jwt.InvalidTokenError`."""
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


class Tokens:
    def __init__(
        self,
        tenant_id: str,
        *,
        app: Caller,
        operator: Caller,
        key: str = "",
        identity_header: str = "",
        now: Callable[[], float] = time.time,
    ) -> None:
        """The key and the header are new ones unless they are given."""
        self._now = now
        self._tenant_id = tenant_id
        self._issuer = f"https://sts.windows.net/{tenant_id}/"
        self._key = key or secrets.token_hex(32)
        self._app = app
        self.operator = operator
        self.identity_header = identity_header or secrets.token_hex(16).upper()
        self._callers = {caller.object_id: caller for caller in (app, operator)}
        self.arm = ""
        """The local ARM's own URL, which is an audience, too."""

    def issue(self, caller: Caller, resource: str, *, lifetime: int = LIFETIME_SECONDS) -> dict[str, str]:
        """The managed identity endpoint's answer (api-version 2019-08-01)."""
        now = int(self._now())
        claims = {
            "aud": resource,
            "iss": self._issuer,
            "iat": now,
            "nbf": now - _SKEW_SECONDS,
            "exp": now + lifetime,
            "appid": caller.app_id,
            "oid": caller.object_id,
            "sub": caller.object_id,
            "tid": self._tenant_id,
            "idtyp": "app" if caller.kind == "ServicePrincipal" else "user",
            "ver": "1.0",
        }
        return {
            "access_token": jwt.encode(claims, self._key, algorithm="HS256"),
            "expires_on": str(now + lifetime),
            "resource": resource,
            "token_type": "Bearer",
            "client_id": caller.app_id,
        }

    def operator_token(self) -> str:
        return self.issue(self.operator, "https://management.azure.com/")["access_token"]

    def managed_identity(
        self, header: str | None, query: dict[str, str], lifetime: int = LIFETIME_SECONDS
    ) -> dict[str, str]:
        """App Service's endpoint: 401 without the right secret, 400 for an identity that the app does not have."""
        if header != self.identity_header:
            raise AzureError(401, "Unauthorized", "The X-IDENTITY-HEADER does not match.")
        if query.get("api-version") != "2019-08-01" or not query.get("resource"):
            raise AzureError(400, "BadRequest", "api-version 2019-08-01 and a resource are required.")
        wanted = query.get("client_id", self._app.app_id), query.get("principal_id", self._app.object_id)
        if wanted != (self._app.app_id, self._app.object_id) or "mi_res_id" in query:
            raise AzureError(400, "BadRequest", "No User Assigned or Delegated Managed Identity found for these ids.")
        return self.issue(self._app, query["resource"], lifetime=lifetime)

    def verify(self, authorization: str | None, audience: Audience) -> Caller:
        """The caller. Refuses with 401 in ARM's words anything except a valid token of this tenant."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise self._refused("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
        try:
            claims = self._valid(token)
        except jwt.ExpiredSignatureError:
            raise self._refused("ExpiredAuthenticationToken", "The access token expiry is in the past.") from None
        except jwt.InvalidTokenError:
            raise self._refused("InvalidAuthenticationToken", "The access token is invalid.") from None
        caller = self._caller(claims)
        if not caller.operator:
            own = {self.arm} if audience in (Audience.ARM, Audience.GRAPH) and self.arm else set()
            self._require_audience(claims["aud"], audience.value | own)
        return caller

    def _valid(self, token: str) -> dict[str, Any]:
        claims = _signed(token, self._key)
        if int(claims.get("exp", sys.maxsize)) <= self._now():
            raise jwt.ExpiredSignatureError
        return claims

    def claimed(self, authorization: str | None) -> Caller | None:
        """Who calls, whatever the token is for. None if nobody can tell."""
        try:
            return self._caller(_read((authorization or "").rpartition(" ")[2]))
        except (jwt.InvalidTokenError, KeyError):
            return None

    def _caller(self, claims: dict[str, str]) -> Caller:
        return self._callers.get(claims["oid"]) or Caller(claims["oid"], claims["appid"], claims["appid"])

    def _require_audience(self, given: str, accepted: Collection[str]) -> None:
        if given.rstrip("/").lower() not in accepted:
            expected = ",".join(f"{name}/" for name in sorted(accepted))
            raise self._refused(
                "InvalidAuthenticationTokenAudience",
                "The access token has been obtained for wrong audience or resource "
                f"'{given}'. It should exactly match with one of the allowed audiences '{expected}'.",
            )

    def _refused(self, code: str, message: str) -> AzureError:
        authority = f"{self.arm or 'https://login.microsoftonline.com'}/{self._tenant_id}"
        challenge = f'Bearer authorization_uri="{authority}", error="invalid_token", error_description="{message}"'
        return AzureError(401, code, message, {"WWW-Authenticate": challenge})
