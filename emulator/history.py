"""What the tenant was a while ago, for what sees its changes late, such as Resource Graph and the directory."""

from collections import deque
from collections.abc import Callable
from copy import copy
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from emulator.clock import Clock
from emulator.identities import own_principal_of
from emulator.ids import object_key
from emulator.indexed import Indexed
from emulator.tenant import Tenant

type Json = dict[str, Any]

_KEPT = 50_000
_STORES = ("resources", "role_assignments")


class History:
    """Follows the tenant from now on. What was loaded before counts as having been there always.

    `lag` says by how many seconds something is behind, by the name that faults give it.
    """

    def __init__(self, tenant: Tenant, clock: Clock, lag: Callable[[str], int]) -> None:
        self._tenant = tenant
        self._clock = clock
        self._lag = lag
        self._begun = clock.now()
        self._changes: deque[tuple[datetime, str, str, Json | None]] = deque(maxlen=_KEPT)
        for store in _STORES:
            getattr(tenant, store).heard = partial(self._heard, store)

    def in_graph(self) -> Tenant:
        """What Resource Graph knows about resources and role assignments. Must not be changed."""
        since = self._since("graphBehindSeconds")
        undone: dict[str, dict[str, Json | None]] = {store: {} for store in _STORES}
        for moment, store, key, before in reversed(self._changes):
            if moment <= since:
                break
            undone[store][key] = before
        if not any(undone.values()):
            return self._tenant
        past = copy(self._tenant)
        past.resources = _undone(self._tenant.resources, undone["resources"])
        past.role_assignments = _undone(self._tenant.role_assignments, undone["role_assignments"])
        return past

    def knows(self, principal: str) -> bool:
        """Whether the directory's replica that ARM asks knows an existing identity yet."""
        since, wanted = self._since("principalsAfterSeconds"), object_key(principal)
        for moment, store, key, before in reversed(self._changes):
            if moment <= since:
                return True
            now = self._tenant.resources.get(key)
            owned = store == "resources" and now is not None and own_principal_of(now) == wanted
            if owned and (before is None or own_principal_of(before) != wanted):
                return False
        return True

    def acts(self, assignment: Json) -> bool:
        """Whether a role assignment already has its effect. What was there from the start has."""
        try:
            made = datetime.fromisoformat(str(assignment["properties"].get("createdOn") or ""))
        except ValueError:
            return True
        return made <= self._since("assignmentsActAfterSeconds") or made <= self._begun

    @property
    def grants_late(self) -> bool:
        return self._lag("assignmentsActAfterSeconds") > 0

    def _since(self, name: str) -> datetime:
        return self._clock.now() - timedelta(seconds=self._lag(name))

    def _heard(self, store: str, key: str, before: Json | None) -> None:
        self._changes.append((self._clock.now(), store, key, before))


def _undone(now: Indexed, undone: dict[str, Json | None]) -> Indexed:
    before = now.emptied()
    for key, value in {**now.data, **undone}.items():
        if value is not None:
            before[key] = value
    return before
