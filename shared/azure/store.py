"""What instances share: blobs in a container of the app's storage account. Every change depends on the ETag.

The SDK loads with the first document, because most events need none.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from azure.core import MatchConditions
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import (
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
    ResourceNotModifiedError,
)
from azure.core.pipeline.transport import AsyncHttpTransport

from shared.azure.settings import CONTAINER, Settings, SettingsError
from shared.azure.storage import PATIENCE, Patience, operating, options
from shared.ports import AzureFailureError, ConflictError, Stored

if TYPE_CHECKING:
    from azure.storage.blob.aio import ContainerClient

# Many times what the app, or a person's policy, can fill. More would only fill the app's memory.
MOST_BYTES = 16 * 2**20


class LiveStore:
    def __init__(
        self,
        settings: Settings,
        credential: AsyncTokenCredential,
        transport: AsyncHttpTransport[Any, Any],
        container: str = CONTAINER,
        patience: Patience = PATIENCE,
    ) -> None:
        """Raises `SettingsError` if no storage account is configured."""
        if not settings.has_store:
            raise SettingsError("no shared state: set AzureWebJobsStorage or AzureWebJobsStorage__blobServiceUri")
        self._settings, self._credential, self._transport = settings, credential, transport
        self._name, self._patience = container, patience
        # On the whole account, the role that the app needs would let whoever writes a policy release changes as well.
        at = "Storage Blob Data Owner" if container == CONTAINER else f"Storage Blob Data Contributor on {container}"
        self._operating = partial(operating, role=at, patience=patience)

    @cached_property
    def _container(self) -> "ContainerClient":
        from azure.storage.blob.aio import ContainerClient  # noqa: PLC0415 - see the module's docstring

        given = options(self._transport, self._patience)
        if self._settings.storage_connection:
            return ContainerClient.from_connection_string(self._settings.storage_connection, self._name, **given)
        return ContainerClient(str(self._settings.blob_url), self._name, credential=self._credential, **given)

    async def read(self, name: str) -> Stored | None:
        return await self._read(name, {}, None)

    async def newer(self, name: str, known: Stored) -> Stored | None:
        return await self._read(name, {"etag": known.etag, "match_condition": MatchConditions.IfModified}, known)

    async def _read(self, name: str, condition: Mapping[str, Any], known: Stored | None) -> Stored | None:
        operation = f"read {name}"
        async with self._operating(operation):
            try:
                answer = await self._container.download_blob(name, **condition)
                if answer.size > MOST_BYTES:
                    raise AzureFailureError(
                        operation, "TooLarge", f"it has {answer.size:,} bytes, and is not amlguard's"
                    )
                return Stored(await answer.readall(), str(answer.properties.etag))
            except (ResourceNotModifiedError, ResourceModifiedError):
                return known  # 304, for which the SDK raises the second: its body says ConditionNotMet
            except ResourceNotFoundError:
                return None

    async def write(self, name: str, data: bytes, etag: str | None) -> str:
        operation = f"write {name}"
        async with self._operating(operation):
            try:
                return await self._upload(name, data, etag)
            except (ResourceExistsError, ResourceModifiedError) as error:
                raise ConflictError(operation, "Conflict", "another instance changed it meanwhile") from error

    async def _upload(self, name: str, data: bytes, etag: str | None) -> str:
        blob = self._container.get_blob_client(name)
        if etag is not None:
            answer = await blob.upload_blob(
                data, overwrite=True, etag=etag, match_condition=MatchConditions.IfNotModified
            )
            return str(answer["etag"])
        try:
            answer = await blob.upload_blob(data)
        except ResourceNotFoundError:
            with suppress(ResourceExistsError):  # another instance may make it at the same moment
                await self._container.create_container()
            answer = await blob.upload_blob(data)
        return str(answer["etag"])

    async def delete(self, name: str) -> None:
        async with self._operating(f"delete {name}"):
            try:
                await self._container.delete_blob(name)
            except ResourceNotFoundError:
                return

    async def names(self, prefix: str) -> Sequence[str]:
        async with self._operating(f"list {prefix}"):
            try:
                return [str(blob.name) async for blob in self._container.list_blobs(name_starts_with=prefix)]
            except ResourceNotFoundError:
                return []
