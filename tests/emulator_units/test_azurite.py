import re
from pathlib import Path

import aiohttp
import pytest
from azure.storage.queue.aio import QueueClient

from emulator.clock import Clock
from emulator.functions.azurite import Azurite
from emulator.storage import KEPT_SECONDS


async def test_messages_become_visible_and_expire_by_the_clock(tmp_path: Path) -> None:
    clock = Clock()
    clock.advance(3600)  # before Azurite starts
    azurite = Azurite(clock, tmp_path)
    await azurite.start()
    async with QueueClient.from_connection_string(azurite.connection_string, "queue") as queue:
        await queue.create_queue()
        sent = await queue.send_message("hidden", visibility_timeout=900, time_to_live=1800)
        assert sent.inserted_on
        assert abs((clock.now() - sent.inserted_on).total_seconds()) < 600

        assert [message.content for message in await queue.peek_messages()] == []
        clock.advance(890)
        assert [message.content for message in await queue.peek_messages()] == []
        clock.advance(11)
        assert [message.content for message in await queue.peek_messages()] == ["hidden"]
        clock.advance(900)
        assert [message.content for message in await queue.peek_messages()] == []
    await _keeps_connections_longer_than_we_do(azurite)
    await azurite.stop()
    clock.advance(1)  # nobody listens any more


async def _keeps_connections_longer_than_we_do(azurite: Azurite) -> None:
    """Here, because an Azurite takes seconds to start. Half of its time leaves room for a slow machine."""
    async with aiohttp.ClientSession() as http, http.get(azurite.endpoints["queue"]) as answer:
        told = re.fullmatch(r"timeout=(\d+)", answer.headers["Keep-Alive"])
    assert told
    assert int(told[1]) / 2 >= KEPT_SECONDS


async def test_without_azurite_the_remedy_is_named(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="make setup"):
        await Azurite(Clock(), tmp_path, program=tmp_path / "azurite.js").start()


async def test_an_azurite_that_does_not_start_says_why(tmp_path: Path) -> None:
    program = tmp_path / "azurite.js"
    program.write_text("console.error('no more ports'); process.exit(1)")
    with pytest.raises(RuntimeError, match="no more ports"):
        await Azurite(Clock(), tmp_path, program=program).start()
