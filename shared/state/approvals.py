"""What waits for a person. Each workspace has one document. The app writes it, and `amlguard approve` releases it.

A release covers only the actions that were asked for, and it lapses. The app looks again before it acts on one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from shared.access.own_assignments import unique
from shared.access.scope import Scope
from shared.ports import Store
from shared.state.document import Moment, decoded, update

_FOLDER = "approvals/"


class Pending(Struct, frozen=True):
    """`actions` says in words what is asked for, by action id.

    `approved_by` is an object id, or empty while it waits.
    """

    run: str
    workspace: str
    actions: dict[str, str]
    asked_at: Moment
    lapses_at: Moment
    approved_by: str = ""
    approved_at: Moment | None = None

    @property
    def approved(self) -> bool:
        return self.approved_at is not None

    @property
    def notes(self) -> dict[str, str]:
        """For the record, by action id."""
        said = f"released by {self.approved_by or 'a person'} (asked for by run {self.run})"
        return dict.fromkeys(self.actions, said)


@dataclass(frozen=True, slots=True)
class Approvals:
    """Methods raise `AzureFailureError`."""

    store: Store

    async def of(self, workspace: Scope, now: datetime) -> Pending | None:
        """What was asked for and has not lapsed."""
        name = _name(workspace)
        stored = await self.store.read(name)
        known = decoded(name, stored.data, Pending) if stored else None
        return known if known and now < known.lapses_at else None

    async def ask(
        self, workspace: Scope, run: str, actions: Mapping[str, str], now: datetime, lapse: timedelta
    ) -> Pending:
        """If a run asks for the same actions again, nothing changes. Other actions take the place of the old ones."""
        name = _name(workspace)
        wanted = Pending(run, str(workspace), dict(actions), now, now + lapse)
        kept = wanted

        def change(data: bytes | None) -> bytes | None:
            nonlocal kept
            known = decoded(name, data, Pending) if data else None
            same = known is not None and now < known.lapses_at and known.actions.keys() == wanted.actions.keys()
            kept = known if known and same else wanted
            return None if same else msgspec.json.encode(wanted)

        await update(self.store, name, change)
        return kept

    async def done(self, workspace: Scope) -> None:
        await self.store.delete(_name(workspace))

    async def waiting(self, now: datetime) -> Sequence[Pending]:
        """Oldest first. Removes what lapsed long ago."""
        found: list[Pending] = []
        for name in await self.store.names(_FOLDER):
            stored = await self.store.read(name)
            known = decoded(name, stored.data, Pending) if stored else None
            if known and now - known.lapses_at >= timedelta(days=30):
                await self.store.delete(name)
            elif known:
                found.append(known)
        return sorted(found, key=lambda one: one.asked_at)

    async def approve(self, one: Pending, by: str, now: datetime) -> None:
        """Doing it twice is harmless. It does not release what was asked for in the meantime."""
        name = _name(Scope.parse(one.workspace))

        def change(data: bytes | None) -> bytes | None:
            known = decoded(name, data, Pending) if data else None
            if known is None or known.run != one.run or known.approved:
                return None
            return msgspec.json.encode(msgspec.structs.replace(known, approved_by=by, approved_at=now))

        await update(self.store, name, change)


def _name(workspace: Scope) -> str:
    return f"{_FOLDER}{unique(workspace.key)}"
