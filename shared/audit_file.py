"""The audit log as a file, for people without a deployed app. It has JSON lines, and amlguard only appends to it.

A record counts once it is on disk (fsync). If others may write to a file, they can put anything into it. Such a file is
refused, and so is everything that is not a plain file. A crash may leave an incomplete line. It is skipped and
reported.
"""

import asyncio
import json
import os
import stat
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shared.access.history import DAYS, is_found
from shared.access.intents import OPEN_AFTER, moment, still_open
from shared.audit_rows import REMEDIATIONS
from shared.ports import AuditFailedError, ReadFailedError, Row

_MODE = 0o600
_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_ADDING = os.O_RDWR | os.O_APPEND
# Follow no links, and do not wait for the other end of a pipe. Not every system has all of these flags.
_SAFELY = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))


@dataclass(slots=True)
class AuditFile:
    """`AuditLog` and `RunRecords` of `shared.ports`.

    `passed_over` lists what the file contains that is not a record.
    """

    path: Path
    must_be_there: bool = False
    passed_over: list[str] = field(default_factory=list)

    async def check(self) -> None:
        await asyncio.to_thread(self._add, b"")

    async def record(self, table: str, rows: Sequence[Row]) -> None:
        lines = "".join(json.dumps({"Table": table, **row}) + "\n" for row in rows)
        await asyncio.to_thread(self._add, lines.encode())

    async def of_runs(self, runs: Collection[str]) -> Sequence[Row]:
        rows = await asyncio.to_thread(self._read)
        return [row for row in rows if _is_one_of(row.get("RunId"), runs)]

    async def of_actions(self, actions: Collection[str]) -> Sequence[Row]:
        rows = await asyncio.to_thread(self._read)
        since = (datetime.now(UTC) - timedelta(days=DAYS)).isoformat()
        mine = [row for row in rows if _is_one_of(row.get("ActionId"), actions)]
        mine = [row for row in mine if str(row.get("TimeGenerated")) > since]
        return [row for row in mine if row.get("Outcome") == "Applied" and not is_found(row)]

    async def open_intents(self) -> Sequence[Row]:
        if not self.path.exists():
            return []
        rows = await asyncio.to_thread(self._read)
        now = datetime.now(UTC)
        return [row for row in still_open(rows) if _is_of(row, now - timedelta(days=DAYS), now - OPEN_AFTER)]

    async def of_outcomes(self, outcomes: Collection[str]) -> Sequence[Row]:
        rows = await asyncio.to_thread(self._read)
        return [row for row in rows if row.get("Outcome") in outcomes]

    def _add(self, lines: bytes) -> None:
        """All of `lines` or none. Raises `AuditFailedError`."""
        try:
            new = not self.path.exists()
            with self._opened(_ADDING | (0 if self.must_be_there else os.O_CREAT)) as file, _alone(file):
                size = os.lseek(file, 0, os.SEEK_END)
                whole = size == 0 or _byte_at(file, size - 1) == b"\n"
                try:
                    _write(file, lines if whole or not lines else b"\n" + lines)
                    os.fsync(file)
                except OSError:
                    os.ftruncate(file, size)
                    raise
            if new and os.name == "posix":
                _sync_folder(self.path.absolute().parent)
        except OSError as error:
            raise AuditFailedError("record", type(error).__name__, self._said(error)) from None

    def _read(self) -> list[Row]:
        """Rows in the order in which they were added. Raises `ReadFailedError`."""
        rows: list[Row] = []
        self.passed_over.clear()
        try:
            with self._opened(os.O_RDONLY) as file, _alone(file), os.fdopen(os.dup(file), "rb") as lines:
                for number, line in enumerate(lines, 1):
                    row = _row(line)
                    if row is None:
                        self.passed_over.append(
                            f"line {number} of {self.path} is not a complete record, and is skipped"
                        )
                    elif row.get("Table") == REMEDIATIONS:
                        rows.append(row)
        except OSError as error:
            raise ReadFailedError("read the audit file", type(error).__name__, self._said(error)) from None
        return rows

    @contextmanager
    def _opened(self, flags: int) -> Iterator[int]:
        file = os.open(self.path, flags | _SAFELY, _MODE)
        try:
            found = os.fstat(file)
            if not stat.S_ISREG(found.st_mode):
                raise OSError(f"{self.path} is not a plain file")
            if os.name == "posix" and (found.st_uid not in {0, os.geteuid()} or found.st_mode & _BY_OTHERS):
                raise OSError(f"others may write to {self.path}: own it, and chmod 600 it")
            yield file
        finally:
            os.close(file)

    def _said(self, error: OSError) -> str:
        if error.strerror is None:
            return str(error)
        return f"{self.path}: {error.strerror}; name a file that you may write to, in a folder that exists"


def _is_of(row: Row, earliest: datetime, latest: datetime) -> bool:
    at = moment(row.get("TimeGenerated"))
    return row.get("Mode") == "enforce" and at is not None and earliest < at < latest


def _is_one_of(value: object, ids: Collection[str]) -> bool:
    return isinstance(value, str) and value in ids


def _row(line: bytes) -> Row | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and line.endswith(b"\n") else None


def _byte_at(file: int, place: int) -> bytes:
    os.lseek(file, place, os.SEEK_SET)
    return os.read(file, 1)


def _write(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def _sync_folder(folder: Path) -> None:
    """Syncs the folder, so that the name of the new file also survives a crash."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


@contextmanager
def _alone(file: int) -> Iterator[None]:
    """One process at a time, so that the lines of two do not mix."""
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 - only there

        os.lseek(file, 0, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_LOCK, 1)
        try:
            yield
        finally:
            os.lseek(file, 0, os.SEEK_SET)
            msvcrt.locking(file, msvcrt.LK_UNLCK, 1)
    else:
        import fcntl  # noqa: PLC0415 - not on Windows

        fcntl.flock(file, fcntl.LOCK_EX)
        yield
