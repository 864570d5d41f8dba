"""Bodies of requests and answers: JSON, and XML for the storage account's errors."""

import json
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any
from xml.sax.saxutils import escape

from aiohttp import web

from emulator.errors import AzureError

# texts, comments, and names without quotation marks
_LENIENT = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/|[A-Za-z_$][\w$]*(?=\s*:)', re.DOTALL)

_LOG = logging.getLogger(__name__)


async def json_body(request: web.Request, *, lenient: bool = False) -> Any:
    """None without a body. Refuses with 400 if it is not JSON.

    `lenient` takes what the Azure CLI sends for a deployment and Azure understands, as azure-cli's JsonCTemplatePolicy
    says: comments, a name without quotation marks, and texts of several lines.
    """
    text = await request.read()
    if not text:
        return None
    try:
        return json.loads(_LENIENT.sub(_strict, text.decode()), strict=False) if lenient else json.loads(text)
    except (ValueError, RecursionError):
        message = "The request content was invalid and could not be deserialized."
        raise AzureError(400, "InvalidRequestContent", message) from None


def _strict(found: re.Match[str]) -> str:
    word = found[0]
    if word.startswith('"'):
        return word
    return " " if word.startswith("/") else json.dumps(word)


def json_response(status: int, body: Any, headers: Any = None) -> web.Response:
    if body is None:
        return web.Response(status=status, headers=headers)
    text = json.dumps(body)
    return web.Response(status=status, text=text, content_type="application/json", headers=headers)


def xml_response(error: AzureError) -> web.Response:
    """An error in the storage account's form."""
    body = (
        '<?xml version="1.0" encoding="utf-8"?>'
        f"<Error><Code>{error.code}</Code><Message>{escape(error.message)}</Message></Error>"
    )
    headers = {"x-ms-error-code": error.code, **error.headers}
    return web.Response(status=error.status, text=body, content_type="application/xml", headers=headers)


async def handled(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """The handler's answer, or the one that says why there is none."""
    try:
        return await handler(request)
    except AzureError as error:
        return json_response(error.status, error.body(), error.headers)
    except web.HTTPException as error:
        body = {"error": {"code": error.reason.replace(" ", ""), "message": error.text or error.reason}}
        return json_response(error.status, body)
    except Exception:  # noqa: BLE001 - whatever went wrong, the caller gets an answer and the log the reason
        _LOG.exception("%s %s failed", request.method, request.path)
        message = "The local Azure failed; its log says why."
        return json_response(500, {"error": {"code": "InternalServerError", "message": message}})
