"""Records what each trigger hands over, one JSON line each in the file of the setting RECORD, and fails on demand."""

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import azure.functions as func

app = func.FunctionApp()


def record(function: str, **what: Any) -> None:
    with Path(os.environ["RECORD"]).open("a") as file:
        file.write(json.dumps({"function": function, "pid": os.getpid(), **what}) + "\n")


async def behave(data: dict[str, Any]) -> None:
    """`sleep` for some seconds, `die`, or `fail` with a ValueError."""
    await asyncio.sleep(data.get("sleep", 0))
    if data.get("die"):
        os.kill(os.getpid(), signal.SIGKILL)
    if data.get("fail"):
        raise ValueError(data["fail"])


@app.event_grid_trigger(arg_name="event")
async def changed(event: func.EventGridEvent) -> None:
    data = event.get_json()
    record("changed", id=event.id, subject=event.subject, data=data, schema=type(event).__name__)
    await behave(data)
    record("changed", id=event.id, done=True)


@app.timer_trigger(arg_name="timer", schedule="%SCHEDULE%")
@app.retry(strategy="fixed_delay", max_retry_count="2", delay_interval="00:00:30")
async def tick(timer: func.TimerRequest, context: func.Context) -> None:
    retries = context.retry_context.retry_count
    record("tick", status=timer.schedule_status, past_due=timer.past_due, retries=retries)
    if retries < int(os.environ.get("TICK_FAILURES", "0")):
        raise RuntimeError("not yet")


@app.timer_trigger(arg_name="timer", schedule="%SCHEDULE%")
async def idle(timer: func.TimerRequest) -> None:
    record("idle", past_due=timer.past_due)


@app.queue_trigger(arg_name="message", queue_name="work", connection="AzureWebJobsStorage")
async def work(message: func.QueueMessage) -> None:
    data = json.loads(message.get_body())
    record(
        "work",
        data=data,
        id=message.id,
        count=message.dequeue_count,
        inserted=str(message.insertion_time),
        expires=str(message.expiration_time),
        visible=str(message.time_next_visible),
    )
    await behave(data)
    record("work", id=message.id, done=True)
