"""A fake of `shared.ports.Store`: documents with versions, as several instances share them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from troubles import Troubles

from shared.ports import ConflictError, Stored


@dataclass
class FakeStore:
    troubles: Troubles
    documents: dict[str, Stored] = field(default_factory=dict)
    versions: int = 0

    async def read(self, name: str) -> Stored | None:
        return await self.troubles.around("store", lambda: self.documents.get(name))

    async def newer(self, name: str, known: Stored) -> Stored | None:
        now = await self.read(name)
        return known if now and now.etag == known.etag else now

    async def write(self, name: str, data: bytes, etag: str | None) -> str:
        return await self.troubles.around("store", lambda: self._write(name, data, etag))

    def _write(self, name: str, data: bytes, etag: str | None) -> str:
        known = self.documents.get(name)
        if (known.etag if known else None) != etag:
            raise ConflictError(f"write {name}", "Conflict", "another instance changed it meanwhile")
        self.versions += 1
        self.documents[name] = Stored(data, str(self.versions))
        return str(self.versions)

    async def delete(self, name: str) -> None:
        await self.troubles.around("store", lambda: self.documents.pop(name, None))

    async def names(self, prefix: str) -> Sequence[str]:
        return await self.troubles.around("store", lambda: sorted(n for n in self.documents if n.startswith(prefix)))
