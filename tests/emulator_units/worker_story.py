"""What becomes of an app's workers, however their processes are started."""

import asyncio
import json
import os
from functools import partial
from pathlib import Path
from typing import Any

from emulator_units.eventually import eventually
from forked_workers import forked_workers

from emulator.functions.channel import Invocation, InvocationError, Starting, WorkerError
from emulator.functions.pool import WorkerPool

APP = """
import asyncio, os, sys
import azure.functions as func
app = func.FunctionApp()
@app.queue_trigger(arg_name="message", queue_name="q", connection="S")
async def work(message: func.QueueMessage) -> None:
    text = message.get_body().decode()
    if text == "says":
        print("to standard output")
        raise ValueError([os.getcwd(), sorted(set(os.environ) - {"LC_CTYPE"}), sys.stdin.read(), sys.path])
    if text == "exits":
        os._exit(7)
    await asyncio.sleep(float(text))
"""
_PATH_OF_THE_LIBRARY = "Current sys.path"  # as it was when the library was loaded
BROKEN = {
    "missing": "import no_such_module",
    "exits": "raise SystemExit(3)",
    "exits with a text": "raise SystemExit('no')",
    "no app": "x = 1",
    "no functions": "import azure.functions as func\napp = func.FunctionApp()",
}


async def story(folder: Path, starting: Starting) -> dict[str, Any]:
    """By what happens, what is said of it. In the end no process is left."""
    told: dict[str, Any] = {}
    for name, code in BROKEN.items():
        (folder / "function_app.py").write_text(code)
        try:
            await _pool(folder, starting).start()
        except WorkerError as error:
            told[name] = str(error).partition(_PATH_OF_THE_LIBRARY)[0].splitlines()[0]
    (folder / "function_app.py").write_text(APP)
    pool = _pool(folder, starting)
    (work,) = await pool.start()
    ask = partial(_answer, pool, work)
    first = pool.workers[0].pid
    told["asked"] = await ask("says")
    running = asyncio.create_task(ask("60"))
    await eventually(lambda: pool.workers[0].in_flight > 0)
    pool.kill()
    told["killed"] = await running
    told["exited"] = await ask("exits")
    told["after that"] = await ask("0")
    second = pool.workers[0].pid
    await pool.stop()
    told["left"] = [one for one in (first, second) if _is_there(one)]
    return told


def forked_story(arguments: list[str]) -> int:
    """A program: prints it."""
    with forked_workers() as starting:
        print(json.dumps(asyncio.run(story(Path(*arguments), starting))))  # noqa: T201 - what a program says
    return 0


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _pool(folder: Path, starting: Starting) -> WorkerPool:
    return WorkerPool(folder, {"PATH": os.environ["PATH"], "GIVEN": "yes"}, 1, None, starting=starting)


async def _answer(pool: WorkerPool, work: Any, text: str) -> str:
    try:
        await pool.invoke(Invocation(work, ("string", text)))
    except InvocationError as error:
        return error.message
    return ""
