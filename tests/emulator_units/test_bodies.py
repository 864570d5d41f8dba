"""Bodies of requests: JSON, and for deployments what the Azure CLI sends for a template and Azure understands."""

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from emulator.http.bodies import handled, json_body, json_response

SENT = """{"properties": {"mode": "Incremental", template:{
  // one line
  "$schema": "https://schema/x.json#", /* several
  lines */ "a": "say \\"b: c\\" // no comment",
  "long": "two
lines"}}}"""
MEANT = {"$schema": "https://schema/x.json#", "a": 'say "b: c" // no comment', "long": "two\nlines"}


async def read(text: str, *, lenient: bool) -> tuple[int, Any]:
    async def echo(request: web.Request) -> web.Response:
        return json_response(200, {"read": await json_body(request, lenient=lenient)})

    application = web.Application(middlewares=[web.middleware(handled)])
    application.router.add_post("/", echo)
    async with TestClient(TestServer(application)) as client:
        answer = await client.post("/", data=text.encode())
        return answer.status, await answer.json()


async def test_a_template_as_the_azure_cli_sends_it() -> None:
    """azure-cli 2.91, command_modules/resource/custom.py: JsonCTemplatePolicy."""
    status, body = await read(SENT, lenient=True)
    assert (status, body["read"]["properties"]["template"]) == (200, MEANT)


@pytest.mark.parametrize("text", ['{"a": tru}', '{"a"', "{a}", '{"a": b: "c"}', "[" * 100_000])
async def test_what_is_no_json_in_any_way(text: str) -> None:
    assert (await read(text, lenient=True))[0] == 400


async def test_all_else_is_read_as_json() -> None:
    assert (await read(SENT, lenient=False))[1]["error"]["code"] == "InvalidRequestContent"
    assert await read('{"a": "b: c"}', lenient=False) == (200, {"read": {"a": "b: c"}})
    assert await read("", lenient=True) == (200, {"read": None})
