"""The one seam between deciding and Azure: what `shared.reconcile` is handed, and how those parts fail.

    AzureFailureError              something that was asked of Azure did not happen
    ├── ReadFailedError            so the state is unknown: this reconcile stops and is retried (law 2)
    ├── AuditFailedError           the audit log did not accept a record: nothing is written (law 4)
    ├── ConflictError              another instance changed the same document meanwhile: read it again
    └── WriteRefusedError          Azure refused a change
        └── NotYetError            it may accept the same change later

`shared.azure` implements these for Azure; the tests have a fake of them.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from shared.access.actions import Grant, Removal, Setting
from shared.access.permissions import DenyAssignment, RoleAssignment, RoleDefinition
from shared.access.scope import Scope

type Raw = Mapping[str, Any]
type Row = Mapping[str, Any]
type Receipt = tuple[str, str]

LACKS_RIGHT = "LacksRight"


class AzureFailureError(Exception):
    """`code` is Azure's error code (or the exception's name), `operation` what was tried; no secrets in either.

    `lacks_right`: amlguard's own identity may not do it. The text says so by a word of its own: of an exception that
    ends a function, the Functions host tells Application Insights the text and no more.
    """

    def __init__(self, operation: str, code: str, reason: str, *, lacks_right: bool = False) -> None:
        super().__init__(f"{operation}: {reason} ({code}{f', {LACKS_RIGHT}' if lacks_right else ''})")
        self.operation = operation
        self.code = code
        self.reason = reason
        self.lacks_right = lacks_right


class ReadFailedError(AzureFailureError):
    """`forbidden`: Azure said that the identity may not read it (403), which trying again does not change."""

    def __init__(
        self, operation: str, code: str, reason: str, *, forbidden: bool = False, lacks_right: bool = False
    ) -> None:
        super().__init__(operation, code, reason, lacks_right=lacks_right)
        self.forbidden = forbidden


class AuditFailedError(AzureFailureError):
    pass


class ConflictError(AzureFailureError):
    pass


class WriteRefusedError(AzureFailureError):
    pass


class NotYetError(WriteRefusedError):
    pass


class Reads(Protocol):
    """They raise `ReadFailedError` for anything but a whole answer; only a 404 of the very thing is None."""

    def now(self) -> datetime:
        """ARM's clock, as of its last answer: settle times must not depend on the clock of a worker."""
        ...

    async def resource(self, scope: Scope) -> Raw | None: ...

    async def children(self, parent: Scope, collection: str, *, pages: int | None = None) -> Sequence[Raw] | None:
        """All pages of `{parent}/{collection}`, or the first few: a `Part` where there are more.

        A collection with a provider (`NS/type`) hangs below /providers; it may end in ?$filter=…. None when the parent
        is not there; nothing of a provider that the subscription does not use.
        """
        ...

    def query(self, kql: str, subscription: Scope | None = None) -> AsyncIterator[Raw]:
        """Rows of Resource Graph, of one subscription or all: eventually consistent, so nothing is written by them.

        Of a subscription, role assignments of the management groups above it are shown as well.
        """
        ...

    async def logs(self, kql: str) -> Sequence[Raw] | None:
        """Rows of the Log Analytics workspace, by column name; None when none is configured."""
        ...

    async def role_assignments(self, principal_id: str, subscription: Scope) -> Sequence[RoleAssignment]:
        """At, above and below the subscription, groups expanded."""
        ...

    async def role_definitions(self, role_ids: frozenset[str], scope: Scope) -> Mapping[str, RoleDefinition]:
        """A role that does not exist (any more) is not in the answer."""
        ...

    async def deny_assignments(self, subscription: Scope, principal_id: str | None) -> Sequence[DenyAssignment]:
        """All of them, or those that ARM says are assigned to the principal: groups expanded, but it may leave Everyone
        or exclusions aside (`shared.access.denies`).
        """
        ...


class Azure(Reads, Protocol):
    """What is read, and what is changed."""

    async def grant(self, grant: Grant, description: str) -> bool:
        """True if made, False if it was there already. Raises `WriteRefusedError`."""
        ...

    async def revoke(self, removal: Removal) -> bool:
        """True if taken back, False if it was gone already. Raises `WriteRefusedError`."""
        ...

    async def change(self, setting: Setting) -> None:
        """Raises `WriteRefusedError`."""
        ...


class AuditLog(Protocol):
    async def record(self, table: str, rows: Sequence[Row]) -> None:
        """Returns when the log has accepted the rows. Raises `AuditFailedError`."""
        ...

    async def check(self) -> None:
        """Whether it would accept rows, as far as can be told without one. Raises `AuditFailedError`."""
        ...


class RunRecords(Protocol):
    """What runs did, where that is not asked of the log workspace. Methods raise `ReadFailedError`."""

    async def of_runs(self, runs: Collection[str]) -> Sequence[Row]:
        """All remediation rows of the runs, oldest first."""
        ...

    async def of_actions(self, actions: Collection[str]) -> Sequence[Row]:
        """As `shared.access.history.query` asks the log."""
        ...


class WorkQueue(Protocol):
    async def put(self, message: bytes, delay: timedelta) -> Receipt:
        """Work that must wait. Raises `AzureFailureError`."""
        ...

    async def withdraw(self, receipt: Receipt) -> None:
        """Takes back what was put, if nobody has it yet."""
        ...


@dataclass(frozen=True, slots=True)
class Stored:
    """A document as it was read; `etag` names this very version of it."""

    data: bytes
    etag: str


class Store(Protocol):
    """Small documents that all instances share, by names like `caps/2026-11-21T05`. They hold no secrets.

    Methods raise `AzureFailureError`; a document that is not there is None, never an error.
    """

    async def read(self, name: str) -> Stored | None: ...

    async def write(self, name: str, data: bytes, etag: str | None) -> str:
        """Replaces the version `etag`, or makes the document where `etag` is None; gives the new version's etag.

        Raises `ConflictError` when that version is not the one that is there.
        """
        ...

    async def delete(self, name: str) -> None: ...

    async def names(self, prefix: str) -> Sequence[str]:
        """In alphabetical order."""
        ...
