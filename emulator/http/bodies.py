"""Bodies of requests and answers: JSON, and XML for the storage account's errors."""

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from xml.sax.saxutils import escape

from aiohttp import web

from emulator.errors import AzureError

_LOG = logging.getLogger(__name__)


async def json_body(request: web.Request) -> Any:
    """None without a body. Refuses with 400 if it is not JSON."""
    text = await request.read()
    if not text:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        message = "The request content was invalid and could not be deserialized."
        raise AzureError(400, "InvalidRequestContent", message) from None


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
