"""The queue listener while the clock jumps, as tests make it: no message is forgotten, and none done for twice."""

import asyncio
import random
from collections import Counter
from datetime import timedelta
from functools import partial
from pathlib import Path

from azure.storage.queue.aio import QueueClient

from emulator.alarm import Alarm
from emulator.clock import Clock
from emulator.functions.azurite import Azurite
from emulator.functions.channel import Function, Invocation, InvocationError
from emulator.functions.queues import QueueListener
from emulator.functions.settings import QueueSettings

_MESSAGES = 60
_TRIES = 3
_HIDDEN = 30
_RENEWED_AFTER = 601
_SETTINGS = QueueSettings(
    max_dequeue_count=_TRIES, visibility_timeout=timedelta(seconds=_HIDDEN), base64=False, batch_size=8
)


async def test_what_fails_while_the_clock_jumps_is_tried_again_and_given_up_once(tmp_path: Path) -> None:
    """Each jump makes visible what is worked on: its receipt may change between its end and what follows from that."""
    clock, delays = Clock(), random.Random(1)
    azurite = Azurite(clock, tmp_path)
    await azurite.start()
    tried: Counter[str] = Counter()

    async def failing(invocation: Invocation) -> None:
        tried[str(invocation.value[1])] += 1
        await asyncio.sleep(delays.uniform(0, 0.02))
        raise InvocationError("Refused: always")

    client = partial(QueueClient.from_connection_string, azurite.connection_string)
    function = Function("1", "work", [{"type": "queueTrigger"}], None)
    listener = QueueListener(function, client, "work", failing, _SETTINGS, Alarm(clock))
    async with client("work") as work, client("work-poison") as poison:
        await work.create_queue()
        for number in range(_MESSAGES):
            await work.send_message(str(number))
        listening = asyncio.create_task(listener.run())
        async with asyncio.timeout(300):
            while (await work.get_queue_properties()).approximate_message_count:
                clock.advance(_RENEWED_AFTER)
                await asyncio.sleep(delays.uniform(0, 0.005))
        given_up = [message.content async for message in poison.receive_messages()]
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await azurite.stop()
    assert sorted(given_up, key=int) == [str(number) for number in range(_MESSAGES)]
    assert set(tried.values()) == {_TRIES}
