"""The one seam between deciding and Azure: what `shared.reconcile` is handed, and how these parts fail.

    AzureFailureError              Azure did not do what it was asked to do
    ├── ReadFailedError            the state is unknown: this reconcile stops and is retried (law 2)
    │   └── NotShownError          what is looked at, a template, does not show it; the rest of it may be known
    ├── AuditFailedError           the audit log did not accept a record: nothing is written (law 4)
    ├── TellFailedError            the topic did not take an event: it is sent again later, and nothing waits for it
    ├── ConflictError              another instance has changed the same document: read it again
    └── WriteRefusedError          Azure refused a change
        └── NotYetError            it may accept the same change later, and may have made it without saying so
            └── NotBegunError      Azure said that it did nothing

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
    """`code` is Azure's error code (or the exception's name), `operation` what was tried. Neither contains secrets.

    `lacks_right`: amlguard's own identity lacks the right. The text says so by a word of its own, because of an
    exception that ends a function, the Functions host sends Application Insights only the text. `wait` is how long
    Azure asks to be left alone. Nobody sleeps for that time: the work is done later.
    """

    def __init__(
        self, operation: str, code: str, reason: str, *, lacks_right: bool = False, wait: timedelta = timedelta()
    ) -> None:
        super().__init__(f"{operation}: {reason} ({code}{f', {LACKS_RIGHT}' if lacks_right else ''})")
        self.operation = operation
        self.code = code
        self.reason = reason
        self.lacks_right = lacks_right
        self.wait = wait


class ReadFailedError(AzureFailureError):
    """`forbidden`: Azure said that the identity may not read it (403). Another try would not change that."""

    def __init__(
        self,
        operation: str,
        code: str,
        reason: str,
        *,
        forbidden: bool = False,
        lacks_right: bool = False,
        wait: timedelta = timedelta(),
    ) -> None:
        super().__init__(operation, code, reason, lacks_right=lacks_right, wait=wait)
        self.forbidden = forbidden


class NotShownError(ReadFailedError):
    pass


class AuditFailedError(AzureFailureError):
    pass


class TellFailedError(AzureFailureError):
    pass


class ConflictError(AzureFailureError):
    pass


class WriteRefusedError(AzureFailureError):
    pass


class NotYetError(WriteRefusedError):
    pass


class NotBegunError(NotYetError):
    pass


class Reads(Protocol):
    """They raise `ReadFailedError` unless they have the whole answer.

    Only a 404 for the very thing asked for is None.
    """

    def now(self) -> datetime:
        """ARM's clock, from its last answer. Settle times must not depend on the clock of a worker."""
        ...

    async def resource(self, scope: Scope) -> Raw | None: ...

    async def children(self, parent: Scope, collection: str, *, pages: int | None = None) -> Sequence[Raw] | None:
        """All pages of `{parent}/{collection}`, or the first few: then a `Part` if there are more.

        A collection with a provider (`NS/type`) is below /providers. It may end in ?$filter=…. None if the parent does
        not exist. The list is empty for a provider that the subscription does not use.
        """
        ...

    def query(self, kql: str, subscription: Scope | None = None) -> AsyncIterator[Raw]:
        """Rows of Resource Graph, of one subscription or all. They are eventually consistent: no write depends on them.

        For a subscription it also shows the role assignments of the management groups above it.
        """
        ...

    async def logs(self, kql: str) -> Sequence[Raw] | None:
        """Rows of the Log Analytics workspace, by column name. None if no workspace is configured."""
        ...

    async def role_assignments(self, principal_id: str, subscription: Scope) -> Sequence[RoleAssignment]:
        """At, above and below the subscription, also through groups."""
        ...

    async def role_definitions(self, role_ids: frozenset[str], scope: Scope) -> Mapping[str, RoleDefinition]:
        """The answer leaves out a role that does not exist, or not any more."""
        ...

    async def deny_assignments(self, subscription: Scope, principal_id: str | None) -> Sequence[DenyAssignment]:
        """All deny assignments, or those that ARM says are assigned to the principal, also through groups.

        ARM may leave out Everyone or exclusions (`shared.access.denies`).
        """
        ...


class Azure(Reads, Protocol):
    """What is read, and what is changed."""

    def fresh(self) -> "Azure":
        """The same, and it believes nothing that was read before: by that an admin user goes off."""
        ...

    async def grant(self, grant: Grant, description: str) -> bool:
        """True if it was made, False if it existed already. Raises `WriteRefusedError`."""
        ...

    async def revoke(self, removal: Removal) -> bool:
        """True if it was taken back, False if it was gone already. Raises `WriteRefusedError`."""
        ...

    async def change(self, setting: Setting) -> None:
        """Raises `WriteRefusedError`."""
        ...


class AuditLog(Protocol):
    async def record(self, table: str, rows: Sequence[Row]) -> None:
        """Returns when the log has accepted the rows. Raises `AuditFailedError`."""
        ...

    async def check(self) -> None:
        """Whether the log would accept rows, as far as one can tell without sending any. Raises `AuditFailedError`."""
        ...


class RunRecords(AuditLog, Protocol):
    """What runs did, if the log workspace does not tell. Reading raises `ReadFailedError`."""

    async def of_runs(self, runs: Collection[str]) -> Sequence[Row]:
        """All remediation rows of the runs, oldest first."""
        ...

    async def of_actions(self, actions: Collection[str]) -> Sequence[Row]:
        """The answer to the question that `shared.access.history.query` asks the log."""
        ...

    async def open_intents(self) -> Sequence[Row]:
        """The answer to the question that `shared.access.intents.query` asks the log."""
        ...


class Topic(Protocol):
    async def send(self, event: Mapping[str, Any]) -> None:
        """One CloudEvent. Raises `TellFailedError`."""
        ...


@dataclass(frozen=True, slots=True)
class GivenUp:
    message: bytes
    at: datetime


class WorkQueue(Protocol):
    async def put(self, message: bytes, delay: timedelta) -> Receipt:
        """Work that must wait. Raises `AzureFailureError`."""
        ...

    async def withdraw(self, receipt: Receipt) -> None:
        """Takes a message back, if nobody has it yet."""
        ...

    async def length(self) -> int:
        """About how many messages there are, those that are due later among them."""
        ...

    async def given_up(self) -> Sequence[GivenUp]:
        """The first of the messages that were put aside after their last try."""
        ...


@dataclass(frozen=True, slots=True)
class Stored:
    """A document as it was read. `etag` names this version of it."""

    data: bytes
    etag: str


class Store(Protocol):
    """Small documents that all instances share, by names like `caps/2026-11-21T05`. They hold no secrets.

    Methods raise `AzureFailureError`. A document that does not exist is None, never an error.
    """

    async def read(self, name: str) -> Stored | None: ...

    async def newer(self, name: str, known: Stored) -> Stored | None:
        """The document as it is now. It is `known` itself if that is still the version: then nothing is sent."""
        ...

    async def write(self, name: str, data: bytes, etag: str | None) -> str:
        """Replaces the version `etag`, or makes the document if `etag` is None. Returns the etag of the new version.

        Raises `ConflictError` if the document has another version by now.
        """
        ...

    async def delete(self, name: str) -> None: ...

    async def names(self, prefix: str) -> Sequence[str]:
        """In alphabetical order."""
        ...
