"""An Azurite that a local Azure has given back is like a new one, or nobody gets it again."""

import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import azurites
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient
from forked import Forked
from lent import Lent, lend
from wire import clean

from emulator.clock import Clock


async def test_it_is_empty_and_its_time_is_now(tmp_path: Path) -> None:
    lent, clock = azurites.take(), Clock()
    clock.advance(timedelta(days=40).total_seconds())
    borrowed = lent.to(clock, tmp_path)
    await borrowed.start()
    blobs, queues = _clients(borrowed.connection_string)
    with blobs, queues:
        blobs.create_container("kept").upload_blob("leased", b"1").acquire_lease()
        shown = queues.create_queue("kept").send_message("hidden", visibility_timeout=3600)
        assert _age(shown.inserted_on) < timedelta(days=-39)
    await borrowed.stop()

    azurites.give_back(lent)
    assert azurites.take() is lent
    blobs, queues = _clients(borrowed.connection_string)
    with blobs, queues:
        assert (list(blobs.list_containers()), list(queues.list_queues())) == ([], [])
        blobs.create_container("kept")
        shown = queues.create_queue("kept").send_message("new")
        assert abs(_age(shown.inserted_on)) < timedelta(hours=1)
    azurites.give_back(lent)


def test_one_that_has_ended_is_not_lent_again(tmp_path: Path) -> None:
    running = Forked.start(tmp_path, lend, [str(tmp_path)], clean(tmp_path))
    ready = running.ready(120)
    lent = Lent(ready["endpoints"], Path(ready["clock"]))
    lent.empty()
    running.signal(signal.SIGTERM)
    running.ended(60)
    azurites.give_back(lent)
    other = azurites.take()
    assert other is not lent
    azurites.give_back(other)


def _clients(connection: str) -> tuple[BlobServiceClient, QueueServiceClient]:
    return BlobServiceClient.from_connection_string(connection), QueueServiceClient.from_connection_string(connection)


def _age(when: datetime | None) -> timedelta:
    assert when
    return datetime.now(UTC) - when
