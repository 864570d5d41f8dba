"""Worker processes without a host around them."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from emulator_units.eventually import eventually

from emulator.functions.channel import Function, Invocation, InvocationError, WorkerError
from emulator.functions.pool import WorkerPool

OUT_OF_BUILTIN_LIST = """
import azure.functions as func
app = func.FunctionApp()
@app.queue_trigger(arg_name="message", queue_name="q", connection="AzureWebJobsStorage")
@app.queue_output(arg_name="out", queue_name="o", connection="AzureWebJobsStorage")
def work(message: func.QueueMessage, out: func.Out[list[str]]) -> None: ...
"""
WRONG_PARAMETER = """
import azure.functions as func
app = func.FunctionApp()
@app.event_grid_trigger(arg_name="event")
def changed(wrong: func.EventGridEvent) -> None: ...
"""
INVOKED_BY_TEXT = """
import asyncio, os
import azure.functions as func
app = func.FunctionApp()
@app.queue_trigger(arg_name="message", queue_name="q", connection="S")
async def wait(message: func.QueueMessage, context: func.Context) -> None:
    if message.get_body() == b"retry":
        assert (context.retry_context.retry_count, context.retry_context.rpc_exception.message) == (1, "E: e")
    elif message.get_body() == b"environment":
        raise ValueError(sorted(os.environ))
    elif message.get_body() == b"where":
        raise ValueError(os.getcwd())
    else:
        await asyncio.sleep(float(message.get_body()))
@app.queue_trigger(arg_name="message", queue_name="q", connection="S")
def block(message: func.QueueMessage) -> None:
    import time
    time.sleep(float(message.get_body()))
"""


@asynccontextmanager
async def running(
    directory: Path, code: str, limit: timedelta | None = None
) -> AsyncIterator[tuple[WorkerPool, dict[str, Function]]]:
    (directory / "function_app.py").write_text(code)
    pool = WorkerPool(directory, {"PATH": os.environ["PATH"], "GIVEN": "yes"}, 1, limit)
    functions = await pool.start()
    try:
        yield pool, {function.name: function for function in functions}
    finally:
        await pool.stop()


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise SystemExit(3)", "exited with code 3"),
        ("x = 1", r"Could not find top level function app instances in function_app\.py"),
        ("import azure.functions as func\napp = func.FunctionApp()", "0 functions found"),
        (OUT_OF_BUILTIN_LIST, "cannot load the work function"),
        (WRONG_PARAMETER, "declared in Python but not in the function definition"),
    ],
)
async def test_an_app_that_cannot_be_indexed_does_not_start(tmp_path: Path, code: str, reason: str) -> None:
    with pytest.raises(WorkerError, match=reason):
        async with running(tmp_path, code):
            pass


async def test_functions_run_in_their_directory_with_their_settings_alone(tmp_path: Path) -> None:
    async with running(tmp_path, INVOKED_BY_TEXT) as (pool, functions):
        assert functions["wait"].trigger["queueName"] == "q"
        await invoke(pool, functions["wait"], "0")
        await invoke(pool, functions["block"], "0")
        retry = {"retry_count": 1, "max_retry_count": 3, "message": "E: e", "stack": ""}
        await pool.invoke(Invocation(functions["wait"], ("string", "retry"), retry=retry))
        with pytest.raises(InvocationError, match=f"^ValueError: {tmp_path}$"):
            await invoke(pool, functions["wait"], "where")
        with pytest.raises(InvocationError, match="'GIVEN'") as failure:
            await invoke(pool, functions["wait"], "environment")
        assert "'HOME'" not in failure.value.message


async def test_stopping_lets_running_functions_end(tmp_path: Path) -> None:
    async with running(tmp_path, INVOKED_BY_TEXT) as (pool, functions):
        task = asyncio.create_task(invoke(pool, functions["wait"], "2"))
        await asyncio.sleep(0.1)
        assert not task.done()
    await task
    assert task.exception() is None


async def test_a_function_that_blocks_its_worker_is_stopped_too(tmp_path: Path) -> None:
    async with running(tmp_path, INVOKED_BY_TEXT, timedelta(seconds=0.3)) as (pool, functions):
        with pytest.raises(InvocationError, match="FunctionTimeoutException"):
            await invoke(pool, functions["block"], "60")
        await invoke(pool, functions["wait"], "0")


async def test_a_worker_that_is_killed_while_idle_is_replaced_and_ctrl_c_ends_none(tmp_path: Path) -> None:
    async with running(tmp_path, INVOKED_BY_TEXT) as (pool, functions):
        [worker] = pool.workers
        os.kill(worker.pid, signal.SIGKILL)
        await eventually(worker.ended.is_set)
        await invoke(pool, functions["wait"], "0")
        assert [other.pid for other in pool.workers] != [worker.pid]
        [worker] = pool.workers
        os.kill(worker.pid, signal.SIGINT)  # Ctrl-C reaches all processes; whoever started them ends them in order
        await invoke(pool, functions["wait"], "0.1")
        assert [other.pid for other in pool.workers] == [worker.pid]


async def invoke(pool: WorkerPool, function: Function, text: str) -> None:
    await pool.invoke(Invocation(function, ("string", text)))
