"""The Functions host with Microsoft's worker library and Azurite, around tests/emulator_units/fixture_app."""

import asyncio
import base64
import io
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient
from emulator_units.eventually import eventually

from emulator.clock import Clock
from emulator.events import EventGrid
from emulator.functions.errors import HostSettingsError
from emulator.functions.host import FunctionsHost

APP = Path(__file__).parent / "fixture_app"
ROOT = Path(__file__).parents[2]
MISTAKES = """
import azure.functions as func
app = func.FunctionApp()

@app.event_grid_trigger(arg_name="event")
async def changed(event: func.EventGridEvent) -> None: ...

@app.event_grid_trigger(arg_name="event")
@app.blob_output(arg_name="out", path="c/b", connection="AzureWebJobsStorage")
def output(event: func.EventGridEvent, out: func.Out[str]) -> None: ...

@app.queue_trigger(arg_name="message", queue_name="work", connection="Elsewhere")
def nowhere(message: func.QueueMessage) -> None: ...

@app.timer_trigger(arg_name="timer", schedule="%SCHEDULE%")
def whenever(timer: func.TimerRequest) -> None: ...

@app.timer_trigger(arg_name="timer", schedule="often")
def never(timer: func.TimerRequest) -> None: ...
"""
pytestmark = pytest.mark.asyncio(loop_scope="module")


class Local:
    """A running host, what its app recorded, and ways to reach it."""

    def __init__(self, host: FunctionsHost, clock: Clock, record: Path, http: aiohttp.ClientSession) -> None:
        self.host = host
        self.clock = clock
        self.record = record
        self.http = http

    def lines(self, function: str, **what: Any) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.record.read_text().splitlines()] if self.record.exists() else []
        return [
            line for line in lines if line["function"] == function and all(line.get(k) == v for k, v in what.items())
        ]

    async def post(self, body: Any, function: str = "changed", kind: str | None = "Notification") -> tuple[int, str]:
        headers = {"aeg-event-type": kind} if kind else {}
        data = io.BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
        path = f"/runtime/webhooks/EventGrid?functionName={function}"
        async with self.http.post(path, data=data, headers=headers) as response:
            return response.status, await response.text()

    async def fire(self, function: str, body: bytes) -> int:
        async with self.http.post(f"/admin/functions/{function}", data=body) as response:
            return response.status

    async def send(self, data: dict[str, Any], after: int = 0) -> str:
        message = await self.send_raw(base64.b64encode(json.dumps(data).encode()).decode(), after)
        return message.id

    async def send_raw(self, text: str, after: int = 0) -> QueueMessage:
        async with self.queue("work") as queue:
            return await queue.send_message(text, visibility_timeout=after)

    def queue(self, name: str) -> QueueClient:
        return QueueClient.from_connection_string(self.host.storage_connection, name)

    async def count(self, name: str) -> int:
        async with self.queue(name) as queue:
            properties = await queue.get_queue_properties()
            return properties.approximate_message_count or 0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def local(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Local]:
    directory = tmp_path_factory.mktemp("host")
    clock, record = Clock(), directory / "record"
    env = {"RECORD": str(record), "SCHEDULE": "0 0 3 1 1 *", "TICK_FAILURES": "1", "AzureWebJobs.idle.Disabled": "true"}
    host = FunctionsHost(APP, env, 0, clock, directory / "run")
    await host.start()
    # Before anything else ran: whoever is told that the host is ready may send work at once.
    async with QueueClient.from_connection_string(host.storage_connection, "work") as queue:
        await queue.get_queue_properties()
    async with aiohttp.ClientSession(host.url) as http:
        yield Local(host, clock, record, http)
    await host.stop()


def event(id_: str, **data: Any) -> dict[str, Any]:
    return {
        "id": id_,
        "topic": "/subscriptions/s",
        "subject": "/subscriptions/s/resourceGroups/rg",
        "eventType": "Microsoft.Resources.ResourceWriteSuccess",
        "eventTime": "2018-07-19T18:38:04.6117357Z",
        "dataVersion": "2",
        "metadataVersion": "1",
        "data": data,
    }


async def test_each_element_of_a_delivery_is_one_invocation(local: Local) -> None:
    cloud_event = {
        "specversion": "1.0",
        "id": "many-2",
        "source": "/subscriptions/s",
        "type": "Microsoft.Resources.ResourceWriteSuccess",
        "data": {"n": 2},
    }
    assert await local.post([event("many-1", n=1), cloud_event]) == (202, "")
    [first] = local.lines("changed", id="many-1", schema="EventGridEvent")
    assert first["data"] == {"n": 1}
    assert first["subject"] == "/subscriptions/s/resourceGroups/rg"
    assert local.lines("changed", id="many-2", schema="CloudEvent", data={"n": 2})
    assert await local.post(cloud_event | {"id": "single"}) == (202, "")
    assert local.lines("changed", id="single", done=True)


async def test_one_failed_element_fails_the_delivery(local: Local) -> None:
    status, text = await local.post([event("good"), event("bad", fail="on purpose")])
    assert (status, text) == (500, "ValueError: on purpose")
    assert local.lines("changed", id="good", done=True)
    assert local.lines("changed", id="bad")
    assert not local.lines("changed", id="bad", done=True)


async def test_invocations_share_one_event_loop(local: Local) -> None:
    started = time.monotonic()
    posting = asyncio.create_task(local.post([event(f"slow-{number}", sleep=0.5) for number in range(10)]))
    await eventually(lambda: local.host.running == 10)
    status, _ = await posting
    assert local.host.running == 0
    assert status == 202
    assert time.monotonic() - started < 5  # one after the other they would take as long at least
    assert len({line["pid"] for number in range(10) for line in local.lines("changed", id=f"slow-{number}")}) == 1


async def test_the_handshakes(local: Local) -> None:
    validation = [{"id": "v", "eventType": "…", "data": {"validationCode": "code-1"}}]
    status, text = await local.post(validation, kind="SubscriptionValidation")
    assert (status, json.loads(text)) == (200, {"validationResponse": "code-1"})
    encoded_twice = {"id": "v", "data": json.dumps({"validationCode": "code-2"})}
    status, text = await local.post(encoded_twice, kind="SubscriptionValidation")
    assert (status, json.loads(text)) == (200, {"validationResponse": "code-2"})
    assert (await local.post([{"id": "v"}], kind="SubscriptionValidation"))[0] == 400
    assert (await local.post([], kind="SubscriptionValidation"))[0] == 400
    assert (await local.post(validation, kind="Unsubscribe"))[0] == 202
    path = "/runtime/webhooks/eventgrid?functionName=changed"
    async with local.http.options(path, headers={"WebHook-Request-Origin": "eventgrid.azure.net"}) as response:
        assert response.status == 200
        assert response.headers["WebHook-Allowed-Origin"] == "eventgrid.azure.net"
        assert response.headers["WebHook-Allowed-Rate"] == "*"
    async with local.http.options(path) as response:
        assert response.status == 400


async def test_event_grid_delivers_to_the_host(local: Local) -> None:
    webhook = f"{local.host.url}/runtime/webhooks/EventGrid?functionName=changed"
    grid = EventGrid(local.clock, random.Random(0), webhook)
    await grid.start()
    grid.publish(event("published"))
    await grid.drain(120)
    assert local.lines("changed", id="published", done=True)
    await grid.stop()
    with pytest.raises(RuntimeError, match="404 b\"cannot find function: 'none'\""):
        await EventGrid(local.clock, random.Random(0), webhook.replace("changed", "none")).start()


async def test_what_is_no_delivery_reaches_no_function(local: Local) -> None:
    before = local.lines("changed")
    assert (await local.post([event("x")], function="other"))[0] == 404
    assert (await local.post([event("x")], function="tick"))[0] == 404
    assert (await local.post([event("x")], kind=None))[0] == 400
    assert (await local.post([event("x")], kind="Other"))[0] == 400
    for body in (b"", b"not json", b"\xff\xfe\x00", b"[" * 100_000, b'"text"', b"[1]", b"[[]]", b"null", b"[{}, 5]"):
        assert (await local.post(body))[0] == 400, body[:20]
    assert (await local.post(b"x" * 1_000_000))[0] == 400
    assert (await local.post(b"[" + b" " * 2_000_000 + b"]"))[0] == 413
    assert local.lines("changed") == before


async def test_an_event_of_a_megabyte_arrives_whole(local: Local) -> None:
    assert (await local.post([event("large", text="ä" * 150_000)]))[0] == 202
    [line] = local.lines("changed", id="large", schema="EventGridEvent")
    assert line["data"]["text"] == "ä" * 150_000


async def test_a_function_that_exceeds_the_timeout_fails_and_is_stopped(local: Local) -> None:
    status, text = await local.post([event("late", sleep=4)])
    assert status == 500
    assert text.startswith("FunctionTimeoutException: Timeout value of 00:00:03 was exceeded")
    assert (await local.post([event("after")]))[0] == 202
    [late], [after, *_] = local.lines("changed", id="late"), local.lines("changed", id="after")
    assert late["pid"] != after["pid"]
    await asyncio.sleep(1.2)
    assert not local.lines("changed", id="late", done=True)


async def test_a_worker_that_dies_fails_its_invocations_and_is_replaced(local: Local) -> None:
    slow = asyncio.create_task(local.post([event("bystander", sleep=2)]))
    await eventually(lambda: bool(local.lines("changed", id="bystander")))
    status, text = await local.post([event("killer", die=True)])
    assert (status, text) == (500, "WorkerProcessExitException: python exited with code -9")
    assert (await slow)[0] == 500
    assert (await local.post([event("survivor")]))[0] == 202


async def test_a_timer_fires_once_when_the_clock_passes_its_time_and_is_retried(local: Local) -> None:
    assert local.lines("tick") == []
    local.clock.advance(3 * 366 * 24 * 3600)  # three due times at once
    await eventually(lambda: len(local.lines("tick")) == 1)
    [first] = local.lines("tick")
    assert first["retries"] == 0
    assert first["past_due"] is False
    assert first["status"]["Last"].startswith("0001-01-01T00:00:00")
    assert first["status"]["Next"][4:] == "-01-01T03:00:00+00:00"
    await asyncio.sleep(0.3)
    assert len(local.lines("tick")) == 1
    local.clock.advance(30)  # the delay of the app's retry policy
    await eventually(lambda: len(local.lines("tick")) == 2)
    await asyncio.sleep(0.1)
    local.clock.advance(60)
    await asyncio.sleep(0.3)
    assert [line["retries"] for line in local.lines("tick")] == [0, 1]
    assert local.lines("idle") == []  # disabled, with the same schedule


async def test_a_function_can_be_fired_by_hand(local: Local) -> None:
    before = len(local.lines("tick", retries=0))
    assert await local.fire("tick", b'{"input": ""}') == 202
    await eventually(lambda: len(local.lines("tick", retries=0)) == before + 1)
    assert await local.fire("changed", json.dumps({"input": json.dumps(event("by hand"))}).encode()) == 202
    await eventually(lambda: bool(local.lines("changed", id="by hand", done=True)))
    assert await local.fire("work", b'{"input": "{\\"by\\": \\"hand\\"}"}') == 202
    await eventually(lambda: bool(local.lines("work", data={"by": "hand"})))
    assert await local.fire("idle", b'{"input": ""}') == 202
    await eventually(lambda: len(local.lines("idle")) == 1)
    assert await local.fire("none", b'{"input": ""}') == 404
    assert await local.fire("tick", b"not json") == 400
    async with local.http.get("/admin/host/status") as response:
        assert (response.status, await response.json()) == (200, {"state": "Running"})


async def test_a_message_is_handed_over_with_its_metadata_and_deleted(local: Local) -> None:
    id_ = await local.send({"text": "grüße"})
    await eventually(lambda: bool(local.lines("work", id=id_, done=True)))
    [line, _] = local.lines("work", id=id_)
    assert line["data"] == {"text": "grüße"}
    assert line["count"] == 1
    now = local.clock.now()
    assert line["inserted"].startswith(f"{now:%Y-%m-%d %H:}")
    assert line["visible"] > line["inserted"]
    assert line["expires"] > line["visible"]
    await asyncio.sleep(0.3)
    assert await local.count("work") == 0


async def test_a_message_that_keeps_failing_ends_in_the_poison_queue_after_five_tries(local: Local) -> None:
    id_ = await local.send({"fail": "always"})
    async with local.queue("work-poison") as poison:
        [message] = await _messages(poison, 1)
        assert json.loads(base64.b64decode(message.content)) == {"fail": "always"}
        await poison.delete_message(message)
    assert [line["count"] for line in local.lines("work", id=id_)] == [1, 2, 3, 4, 5]
    assert await local.count("work") == 0


async def test_a_message_that_is_not_base64_goes_to_the_poison_queue_unseen(local: Local) -> None:
    seen = len(local.lines("work"))
    await local.send_raw("{plain}")
    async with local.queue("work-poison") as poison:
        [message] = await _messages(poison, 1)
        assert message.content == "{plain}"
        await poison.delete_message(message)
    assert len(local.lines("work")) == seen


async def test_a_message_of_a_worker_that_dies_comes_back(local: Local) -> None:
    id_ = await local.send({"die": True})
    await eventually(lambda: len({line["pid"] for line in local.lines("work", id=id_)}) == 5)
    async with local.queue("work-poison") as poison:
        [message] = await _messages(poison, 1)
        await poison.delete_message(message)


async def test_a_worker_is_killed_amid_its_work(local: Local) -> None:
    id_ = await local.send({"sleep": 0.5})
    await eventually(lambda: bool(local.lines("work", id=id_)))
    local.host.kill_workers()
    await eventually(lambda: bool(local.lines("work", id=id_, done=True)))
    first, again, _ = local.lines("work", id=id_)
    assert (first["count"], again["count"]) == (1, 2)
    assert first["pid"] != again["pid"]


async def test_a_host_that_dies_leaves_its_message_until_its_time_is_over(local: Local) -> None:
    id_ = await local.send({"sleep": 0.5})
    await eventually(lambda: bool(local.lines("work", id=id_)))
    await local.host.restart()
    assert (await local.post([event("after the restart")]))[0] == 202
    assert len(local.lines("work", id=id_)) == 1
    local.clock.advance(600)
    await eventually(lambda: bool(local.lines("work", id=id_, done=True)))
    assert [one["count"] for one in local.lines("work", id=id_) if "count" in one] == [1, 2]


async def test_a_hidden_message_appears_when_someone_advances_the_clock(local: Local) -> None:
    id_ = await local.send({"settled": True}, after=900)
    local.clock.advance(890)
    await asyncio.sleep(0.6)
    assert local.lines("work", id=id_) == []
    local.clock.advance(11)
    await eventually(lambda: bool(local.lines("work", id=id_, done=True)))


async def test_a_message_that_takes_long_stays_invisible(local: Local) -> None:
    id_ = await local.send({"sleep": 2})
    await eventually(lambda: bool(local.lines("work", id=id_)))
    local.clock.advance(700)  # the invisibility of ten minutes would be over
    await asyncio.sleep(0.5)
    local.clock.advance(700)
    await eventually(lambda: bool(local.lines("work", id=id_, done=True)))
    await asyncio.sleep(0.5)
    assert len(local.lines("work", id=id_)) == 2
    assert await local.count("work") == 0


async def test_several_workers_share_the_work(tmp_path: Path) -> None:
    record = tmp_path / "record"
    host = FunctionsHost(
        APP, {"RECORD": str(record), "SCHEDULE": "0 0 3 1 1 *"}, 0, Clock(), tmp_path / "run", workers=2
    )
    await host.start()
    async with aiohttp.ClientSession(host.url) as http:
        local = Local(host, Clock(), record, http)
        assert (await local.post([event(f"{number}", sleep=0.2) for number in range(4)]))[0] == 202
    assert len({line["pid"] for line in local.lines("changed")}) == 2
    await host.stop()


async def test_what_the_host_refuses_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(HostSettingsError, match=r"host\.json"):
        await FunctionsHost(tmp_path, {}, 0, Clock(), tmp_path / "run").start()


async def test_a_function_with_a_mistake_keeps_no_other_from_running(tmp_path: Path) -> None:
    (tmp_path / "function_app.py").write_text(MISTAKES)
    shutil.copy(APP / "host.json", tmp_path)
    host = FunctionsHost(tmp_path, {}, 0, Clock(), tmp_path / "run")
    await host.start()
    try:
        assert host.function_errors == {
            "output": "The local Functions host does not run 'blob'; Azure does.",
            "nowhere": "Storage account connection string 'Elsewhere' does not exist. Make sure that it is a defined "
            "App Setting.",
            "whenever": "'%SCHEDULE%' does not resolve to a value.",
            "never": "The schedule expression 'often' was not recognized as a valid cron expression or timespan "
            "string.",
        }
        async with aiohttp.ClientSession(host.url) as http:
            local = Local(host, Clock(), tmp_path / "record", http)
            assert (await local.post([event("x")]))[0] == 202
            assert (await local.post([event("x")], function="output")) == (404, "cannot find function: 'output'")
            assert await local.fire("never", b"{}") == 404
    finally:
        await host.stop()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="finds the children in /proc")
async def test_nothing_outlives_a_host_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from emulator.clock import Clock\n"
        "from emulator.functions.host import FunctionsHost\n"
        "async def main():\n"
        "    env = {'RECORD': '', 'SCHEDULE': '0 0 3 1 1 *'}\n"
        "    await FunctionsHost(Path(sys.argv[1]), env, 0, Clock(), Path(sys.argv[2])).start()\n"
        "    print('ready', flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, script, APP, tmp_path / "run"),
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    assert await process.stdout.readline() == b"ready\n"
    children = [int(pid) for pid in _children(process.pid)]
    assert len(children) == 2
    process.send_signal(signal.SIGKILL)
    await process.wait()
    await eventually(lambda: not any(_alive(pid) for pid in children))


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def _alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and ") Z" not in stat.read_text()


async def _messages(queue: QueueClient, count: int) -> list[QueueMessage]:
    """Waits for messages of a queue that may not exist yet."""
    async with asyncio.timeout(120):
        while True:
            try:
                messages = [message async for message in queue.receive_messages()]
            except ResourceNotFoundError:
                messages = []
            if len(messages) >= count:
                return messages
            await asyncio.sleep(0.05)
