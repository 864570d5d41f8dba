"""Changes a document that other instances may change as well."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from random import uniform
from typing import Annotated

import msgspec
from msgspec import Meta

from shared.ports import AzureFailureError, ConflictError, Store, Stored

_MOST_CONFLICTS = 12

type Moment = Annotated[datetime, Meta(tz=True)]
"""In a document. A time without a zone cannot be compared with any other, so no version wrote it."""


class MalformedDocumentError(AzureFailureError):
    pass


def decoded[T](name: str, data: bytes, kind: type[T]) -> T:
    """Ignores fields that a newer version added. Raises `MalformedDocumentError` for what no version wrote."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise malformed(name) from None


def malformed(name: str) -> MalformedDocumentError:
    reason = "the document was not written by amlguard: look at it in the app's storage account, and delete it"
    return MalformedDocumentError(f"read {name}", "MalformedDocument", reason)


async def update(
    store: Store, name: str, change: Callable[[bytes | None], bytes | None], known: Stored | None = None
) -> Stored | None:
    """Writes what `change` makes of the document, and tries again if another instance was faster.

    `change` gets None if there is no document, and may be called several times. If it returns None, nothing is written
    and the result is None. `known` is the version to try first. Raises `AzureFailureError`.
    """
    stored = known or await store.read(name)
    for _ in range(_MOST_CONFLICTS):
        data = change(stored.data if stored else None)
        if data is None:
            return None
        try:
            return Stored(data, await store.write(name, data, stored.etag if stored else None))
        except ConflictError:
            await asyncio.sleep(uniform(0.01, 0.1))  # noqa: S311 - spreads instances out, no secret
            stored = await store.read(name)
    raise AzureFailureError(f"change {name}", "Conflict", "too many instances change it at once; try again")
