"""The state that instances share, on Azurite: what one instance wrote, no other overwrites unseen."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
from local_azure import LocalAzure, Start
from tenants import Tenant

from shared.azure.session import transport
from shared.azure.settings import Settings
from shared.azure.store import LiveStore
from shared.ports import AzureFailureError, ConflictError, Store


@pytest.fixture(scope="module")
def azure(start_azure: Start) -> LocalAzure:
    return start_azure(Tenant().document())


@asynccontextmanager
async def _store(environment: Mapping[str, str]) -> AsyncIterator[Store]:
    """The connection string needs no credential."""
    async with transport() as shared:
        yield LiveStore(Settings.read(environment), None, shared)  # type: ignore[arg-type]  # see above


@pytest.fixture
async def store(azure: LocalAzure) -> AsyncIterator[Store]:
    async with _store({"AzureWebJobsStorage": azure.ready["storage"]}) as made:
        yield made


async def test_a_document_is_made_read_replaced_and_deleted(store: Store) -> None:
    assert await store.read("a/one") is None
    first = await store.write("a/one", b"1", None)
    second = await store.write("a/one", b"2", first)
    read = await store.read("a/one")
    assert read is not None
    assert (read.data, read.etag) == (b"2", second)
    await store.delete("a/one")
    assert await store.read("a/one") is None
    await store.delete("a/one")


async def test_only_what_is_newer_is_read_again(store: Store) -> None:
    await store.write("n/one", b"1", None)
    read = await store.read("n/one")
    assert read is not None
    assert await store.newer("n/one", read) is read
    await store.write("n/one", b"2", read.etag)
    newer = await store.newer("n/one", read)
    assert newer is not None
    assert newer.data == b"2"
    await store.delete("n/one")
    assert await store.newer("n/one", read) is None


async def test_what_another_instance_changed_is_a_conflict(store: Store) -> None:
    etag = await store.write("b/one", b"1", None)
    await store.write("b/one", b"2", etag)
    for stale in (etag, None):
        with pytest.raises(ConflictError):
            await store.write("b/one", b"3", stale)
    read = await store.read("b/one")
    assert read is not None
    assert read.data == b"2"
    await store.delete("b/one")
    with pytest.raises(ConflictError):
        await store.write("b/one", b"3", read.etag)


async def test_of_many_at_once_one_wins(store: Store) -> None:
    answers = await asyncio.gather(
        *(store.write("c/one", str(number).encode(), None) for number in range(8)), return_exceptions=True
    )
    (won,) = [number for number, answer in enumerate(answers) if isinstance(answer, str)]
    assert all(isinstance(answer, str | ConflictError) for answer in answers)
    read = await store.read("c/one")
    assert read is not None
    assert read.data == str(won).encode()


async def test_names_are_those_below_a_prefix_in_order(store: Store) -> None:
    for name in ("d/2", "d/1", "e/1"):
        await store.write(name, b"", None)
    assert await store.names("d/") == ["d/1", "d/2"]
    assert await store.names("nothing/") == []


async def test_a_store_that_is_not_there_is_a_failure(azure: LocalAzure) -> None:
    unreachable = azure.ready["storage"].replace("BlobEndpoint=http://127.0.0.1:", "BlobEndpoint=http://[::1]:")
    async with _store({"AzureWebJobsStorage": unreachable}) as store:
        with pytest.raises(AzureFailureError):
            await store.read("a/one")
        with pytest.raises(AzureFailureError):
            await store.names("a/")
