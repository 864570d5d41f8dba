"""JSON in requests and answers."""

import json
from typing import Any

from aiohttp import web

from emulator.errors import AzureError


async def json_body(request: web.Request) -> Any:
    """None without a body; 400 when it is not JSON."""
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
