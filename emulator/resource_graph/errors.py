"""Azure Resource Graph's errors: one outer code, and details that say what is wrong."""

import uuid
from datetime import datetime
from typing import Any

from emulator.errors import AzureError
from emulator.kql.errors import KqlError, KqlSyntaxError, UnknownTableError, UnsupportedError
from emulator.kql.values import datetime_text

type Detail = dict[str, Any]

_INVALID: Detail = {
    "code": "InvalidQuery",
    "message": "Query is invalid. Please refer to the documentation for the Azure Resource Graph service and fix "
    "the error before retrying.",
}


class GraphError(AzureError):
    """`{"error": {"code", "message", "details": […]}}`."""

    def __init__(
        self, status: int, code: str, now: datetime, details: list[Detail], headers: dict[str, str] | None = None
    ) -> None:
        message = (
            f"Please provide below info when asking for support: timestamp = {datetime_text(now)}, "
            f"correlationId = {uuid.uuid4()}."
        )
        super().__init__(status, code, message, headers)
        self.details = details

    def body(self) -> dict[str, Any]:
        return {"error": {"code": self.code, "message": self.message, "details": self.details}}


def bad_request(now: datetime, code: str, message: str) -> GraphError:
    return GraphError(400, "BadRequest", now, [{"code": code, "message": message}])


def refused(now: datetime, error: KqlError) -> GraphError:
    """A query that Resource Graph does not accept."""
    match error:
        case UnknownTableError(name=name):
            message = f"Table {name} is invalid, unsupported or disallowed."
            return bad_request(now, "DisallowedLogicalTableName", message)
        case KqlSyntaxError():
            detail = _failure("ParserFailure", error.line, error.position, error.token)
        case UnsupportedError():
            detail = {**_failure("InvalidQueryLanguage", -1, -1, error.token), "message": error.message}
        case _:
            detail = {"code": "SemanticError", "message": error.message}
    return GraphError(400, "BadRequest", now, [_INVALID, detail])


def _failure(code: str, line: int, position: int, token: str) -> Detail:
    return {"code": code, "message": code, "line": line, "characterPositionInLine": position, "token": token}


def throttled(now: datetime, headers: dict[str, str]) -> GraphError:
    message = (
        "Client application has been throttled and should not attempt to repeat the request until an amount of time "
        "has elapsed. Please see https://aka.ms/resourcegraph-throttling for help."
    )
    return GraphError(429, "RateLimiting", now, [{"code": "RateLimiting", "message": message}], headers)


def access_denied(now: datetime) -> GraphError:
    message = "Access is denied to the requested resource. The user might not have enough permission."
    return GraphError(403, "AccessDenied", now, [{"code": "AccessDenied", "message": message}])
