"""The app in the local Functions host: with its own host.json, and with those that Azure would not run it with."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import forked
import pytest
import pytest_asyncio

from emulator.clock import Clock
from emulator.functions import extensions, indexing
from emulator.functions.channel import Function
from emulator.functions.errors import HostSettingsError
from emulator.functions.host import FunctionsHost
from emulator.functions.pool import WorkerPool

ROOT = Path(__file__).parents[2]
APP = ("function_app.py", "handlers", "shared")
HOST_JSON = json.loads((ROOT / "host.json").read_text("utf-8"))
WITHOUT_BUNDLE = {key: value for key, value in HOST_JSON.items() if key != "extensionBundle"}
BUNDLE = HOST_JSON["extensionBundle"]
QUEUES = "https://127.0.0.1:1/queue/nobody/"  # nobody listens there, and no test of this module needs it
UNKNOWN = """

@app.generic_trigger(arg_name="row", type="fancyTrigger")
async def fancy(row: str) -> None: ...
"""
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def indexed() -> list[Function]:
    """The functions as Microsoft's worker library indexes them."""
    pool = WorkerPool(ROOT, {"AzureWebJobsStorage__queueServiceUri": QUEUES}, 1, None)
    try:
        return await pool.start()
    finally:
        await pool.stop()


def app(folder: Path, host_json: Any, more: str = "") -> Path:
    for name in APP:
        (folder / name).symlink_to(ROOT / name)
    (folder / "host.json").write_text(json.dumps(host_json))
    if more:
        (folder / "function_app.py").unlink()
        (folder / "function_app.py").write_text((ROOT / "function_app.py").read_text("utf-8") + more)
    return folder


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[FunctionsHost, aiohttp.ClientSession]]:
    env = {"AzureWebJobsStorage__queueServiceUri": QUEUES}
    host = FunctionsHost(folder, env, 0, Clock(), folder / "run")
    await host.start()
    try:
        async with aiohttp.ClientSession(host.url) as http:
            yield host, http
    finally:
        await host.stop()


async def answer(http: aiohttp.ClientSession, function: str) -> tuple[int, str]:
    event = [{"id": "v", "eventType": "…", "data": {"validationCode": "code"}}]
    path = f"/runtime/webhooks/EventGrid?functionName={function}"
    async with http.post(path, json=event, headers={"aeg-event-type": "SubscriptionValidation"}) as response:
        return response.status, await response.text()


async def test_every_binding_of_the_app_is_in_the_bundle_that_host_json_names(indexed: list[Function]) -> None:
    assert {one.name for one in indexed} == {"resource_changed", "sweep", "work_queue"}
    brought = extensions.read(BUNDLE)
    for one in indexed:
        indexing.check(one, brought)
        assert {binding["type"].lower() for binding in one.bindings} <= brought.bindings


async def test_without_a_bundle_only_the_timer_runs(tmp_path: Path) -> None:
    said = "are not registered. Please ensure the type is correct and the binding extension is installed."
    async with running(app(tmp_path, WITHOUT_BUNDLE)) as (host, http):
        assert host.function_errors == {
            "resource_changed": f"The binding type(s) 'eventGridTrigger' {said}",
            "work_queue": f"The binding type(s) 'queueTrigger' {said}",
        }
        # No extension answers on the path, so that Azure could not make the event subscription.
        status, text = await answer(http, "resource_changed")
        assert status == 404
        assert "code" not in text
        async with http.options("/runtime/webhooks/EventGrid?functionName=resource_changed") as response:
            assert response.status == 404
        async with http.get("/admin/functions/work_queue/status") as response:
            assert await response.json() == {"errors": [host.function_errors["work_queue"]]}
        for name, expected in {"work_queue": 404, "resource_changed": 404, "sweep": 202}.items():
            async with http.post(f"/admin/functions/{name}", json={"input": ""}) as response:
                assert (name, response.status) == (name, expected)


async def test_with_its_own_host_json_all_of_it_runs_and_an_unknown_binding_does_not(tmp_path: Path) -> None:
    async with running(app(tmp_path, HOST_JSON, UNKNOWN)) as (host, http):
        assert list(host.function_errors) == ["fancy"]
        assert "'fancyTrigger' were not found in the configured extension bundle" in host.function_errors["fancy"]
        status, text = await answer(http, "resource_changed")
        assert (status, json.loads(text)) == (200, {"validationResponse": "code"})
        assert (await answer(http, "fancy"))[0] == 404
        for name in ("resource_changed", "sweep", "work_queue"):
            async with http.get(f"/admin/functions/{name}/status") as response:
                assert (response.status, await response.json()) == (200, {})
        async with http.get("/admin/functions/nobody/status") as response:
            assert response.status == 404


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        (
            {"extensionBundle": {"id": f"{BUNDLE['id']}s", "version": "[4.*, 5.0.0)"}},
            {"resource_changed", "work_queue"},
        ),
        ({"extensionBundle": {}}, {"resource_changed", "work_queue"}),
        ({"extensionBundle": {"id": BUNDLE["id"], "version": "[3.*, 4.0.0)"}}, set()),
        ({}, set()),
    ],
)
async def test_what_a_host_json_brings_decides(
    indexed: list[Function], change: dict[str, Any], refused: set[str]
) -> None:
    brought = extensions.read((HOST_JSON | change)["extensionBundle"])
    found = set()
    for one in indexed:
        try:
            indexing.check(one, brought)
        except ValueError:
            found.add(one.name)
    assert found == refused


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": "1.0"}, "invalid value"),
        ({"extensionBundle": {"id": BUNDLE["id"], "version": "[1.*, 2.0.0)"}}, "minimum version of 2.6.1"),
        ({"extensionBundles": BUNDLE}, "did you mean extensionBundle"),
        ({"functionTimeout": "00:00:00"}, "FunctionTimeout"),
    ],
)
async def test_a_host_json_that_the_host_does_not_start_with(
    tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    with pytest.raises(HostSettingsError, match=reason):
        await FunctionsHost(app(tmp_path, HOST_JSON | change), {}, 0, Clock(), tmp_path / "run").start()


async def test_emulate_does_not_start_with_a_function_in_error(tmp_path: Path) -> None:
    """As a process: the host's words go to standard error, and it ends with 1."""
    command = (sys.executable, "-m", "emulator", "--app", str(app(tmp_path, WITHOUT_BUNDLE)))
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=PIPE, stderr=PIPE)
    out, err = await process.communicate()
    assert (process.returncode, out) == (1, b"")
    for name, kind in {"resource_changed": "eventGridTrigger", "work_queue": "queueTrigger"}.items():
        text = f"The '{name}' function is in error: The binding type(s) '{kind}' are not registered."
        assert text.encode() in err


@pytest.mark.parametrize("name", ["FUNCTIONS_WORKER_RUNTIME", "FUNCTIONS_EXTENSION_VERSION", "Logging:Level"])
async def test_an_app_setting_that_flex_consumption_refuses_is_refused(tmp_path: Path, name: str) -> None:
    ran = forked.emulator_ended(tmp_path, "--setting", f"{name}=python")
    assert (ran.code, ran.out) == (1, "")
    assert f"The following app setting (Site.SiteConfig.AppSettings.{name}) for Flex Consumption" in ran.err
