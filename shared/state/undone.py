"""What a person took back. amlguard does not make it again by itself (law 9)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec
from msgspec import Struct

from shared.ports import Store
from shared.state.document import decoded, update

_NAME = "undone"


class Mark(Struct, frozen=True):
    """`by` is an object id."""

    run: str
    by: str
    at: datetime


type _Marks = dict[str, Mark]


@dataclass(frozen=True, slots=True)
class Undone:
    """Keyed by action id. Methods raise `AzureFailureError`."""

    store: Store

    async def marks(self) -> Mapping[str, Mark]:
        stored = await self.store.read(_NAME)
        return _decode(stored.data if stored else None)

    async def add(self, marks: Mapping[str, Mark]) -> None:
        await update(self.store, _NAME, lambda data: _encode({**_decode(data), **marks}))

    async def lift(self, action_ids: Iterable[str]) -> None:
        lifted = frozenset(action_ids)

        def without(data: bytes | None) -> bytes | None:
            known = _decode(data)
            return (
                _encode({one: mark for one, mark in known.items() if one not in lifted})
                if lifted & known.keys()
                else None
            )

        await update(self.store, _NAME, without)


def _decode(data: bytes | None) -> _Marks:
    return decoded(_NAME, data, dict[str, Mark]) if data else {}


def _encode(marks: _Marks) -> bytes:
    return msgspec.json.encode(marks)
