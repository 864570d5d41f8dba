"""Azure Monitor Logs: the Logs Ingestion API's rules, and KQL over a Log Analytics workspace.

https://learn.microsoft.com/azure/azure-monitor/logs/logs-ingestion-api-overview
https://learn.microsoft.com/azure/azure-monitor/logs/api/errors
"""

import json
import re
import uuid
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from emulator.clock import Clock
from emulator.errors import AzureError
from emulator.kql.core import Environment, Table
from emulator.kql.errors import KqlError, KqlSemanticError, KqlSyntaxError
from emulator.kql.evaluate import run
from emulator.kql.values import Type, converter, parse_datetime, to_string
from emulator.logs.tables import TIME, Declared, Json, LogsTables, declared_tables, rendered, timestamp

_MOST_BYTES = 1024 * 1024
_MOST_FIELD_BYTES = 64 * 1024
_OLDEST, _NEWEST = timedelta(days=2), timedelta(days=1)
_DURATION = re.compile(
    r"P(?:(\d+)W)?(?:(\d+(?:\.\d+)?)D)?(?:T(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?"
)


@dataclass(frozen=True, slots=True)
class About:
    """What a query by resource is about."""

    resource: str
    """Its lower-case id, or "/" for all rows."""
    may_read: Callable[[str], bool]
    """Whether the caller may read the table. Others are unknown to the query."""


class Logs:
    """One workspace. `tables` holds its rows as stored. `schemas` name the files that declare tables."""

    def __init__(self, tables: dict[str, list[Json]], clock: Clock, *schemas: Path) -> None:
        self._stored = tables
        self._clock = clock
        declared = {name: table for schema in schemas for name, table in declared_tables(schema).items()}
        self._streams = {table.stream: table for table in declared.values() if table.stream}
        self._tables = LogsTables(tables, declared)

    def ingest(self, stream: str, body: bytes, encoding: str | None) -> None:
        """Takes the whole body or nothing. `encoding` is the request's Content-Encoding."""
        table = self._streams.get(stream)
        if table is None:
            message = f"The stream {stream} is not configured in the data collection rule."
            raise AzureError(400, "InvalidStream", message)
        records = _records(_unpacked(body, encoding))
        rows = [self._row(table, record) for record in records]
        self._stored.setdefault(table.name, []).extend(rows)

    def _row(self, table: Declared, record: Json) -> Json:
        """Columns that the table does not have are dropped, values are cast, and the time is filled in."""
        row = {TIME: self._time(record.get(TIME))}
        for column in table.columns:
            value = record.get(column.name)
            if value is not None and column.name != TIME:
                row[column.name] = _stored(column.type, value)
        return row

    def _time(self, given: Any) -> str:
        """Azure replaces a time more than two days past or one day ahead by the time of receipt."""
        now = self._clock.now()
        at = parse_datetime(given) if isinstance(given, str) else None
        return timestamp(at if at is not None and now - _OLDEST <= at <= now + _NEWEST else now)

    def query(self, workspace_id: str, body: object, about: About | None = None) -> Json:
        """The v1 answer to `{"query", "timespan"?}`. Raises LogsQueryError for what the service refuses."""
        asked, now = body if isinstance(body, dict) else {}, self._clock.now()
        text = asked.get("query")
        if not isinstance(text, str) or not text.strip():
            raise LogsQueryError("SyntaxError", "The query is missing.")
        within = _interval(asked.get("timespan"), now)

        def table(name: str) -> Table | None:
            if about is None:
                return self._tables.table(name, workspace_id, within)
            return self._tables.table(name, workspace_id, within, about.resource) if about.may_read(name) else None

        environment = Environment(table, now)
        try:
            return {"tables": [rendered(run(text, environment))]}
        except KqlError as error:
            raise _refused(error) from error


class LogsQueryError(AzureError):
    """`{"error": {"message", "code", "correlationId", "innererror": {"code", "message", "innererror"?}}}`."""

    def __init__(self, code: str, message: str, cause: Json | None = None) -> None:
        super().__init__(400, "BadArgumentError", "The request had some invalid properties")
        self._inner: Json = {"code": code, "message": message, **({"innererror": cause} if cause else {})}

    def body(self) -> Json:
        outer = {"message": self.message, "code": self.code, "correlationId": str(uuid.uuid4())}
        return {"error": {**outer, "innererror": self._inner}}


def _refused(error: KqlError) -> LogsQueryError:
    if isinstance(error, KqlSyntaxError):
        place = {"line": error.line, "pos": error.position, "token": error.token}
        cause = {"code": "SYN0002", "message": error.message, **place}
        return LogsQueryError("SyntaxError", "A recognition error occurred in the query.", cause)
    code = error.code if isinstance(error, KqlSemanticError) else "SEM0001"
    cause = {"code": code, "message": error.message}
    return LogsQueryError("SemanticError", "A semantic error occurred.", cause)


def _unpacked(body: bytes, encoding: str | None) -> bytes:
    _check_size(len(body))
    if encoding is None:
        return body
    if encoding.lower() != "gzip":
        raise AzureError(415, "UnsupportedMediaType", f"Content encoding '{encoding}' is not supported.")
    unzip = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        plain = unzip.decompress(body, 2 * _MOST_BYTES)
    except zlib.error as error:
        raise AzureError(400, "InvalidPayload", "The payload is not valid gzip.") from error
    if unzip.unconsumed_tail:
        _check_size(len(plain))
    if not unzip.eof:
        raise AzureError(400, "InvalidPayload", "The payload is not valid gzip.")
    return plain


def _check_size(size: int, allowed: int = _MOST_BYTES) -> None:
    if size > allowed:
        message = f"Maximum allowed content length: {_MOST_BYTES} bytes (1 MB). Provided content length: {size} bytes."
        raise AzureError(413, "ContentLengthLimitExceeded", message)


def _records(plain: bytes) -> list[Json]:
    try:
        records = json.loads(plain)
    except ValueError as error:
        raise AzureError(400, "InvalidPayload", f"The payload is not valid JSON: {error}") from error
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise AzureError(400, "InvalidPayload", "The payload must be a JSON array of objects.")
    # The client libraries fill a call up to the limit without counting what separates the records.
    _check_size(len(plain), _MOST_BYTES + 2 * len(records))
    return records


def _stored(type_: Type, value: Any) -> Any:
    """As the column's type, in JSON. Text longer than 64 KB is cut off."""
    converted = value if type_ is Type.DYNAMIC else converter(type_)(value)
    if converted is None or isinstance(converted, bool | int | float):
        return converted
    if isinstance(converted, datetime):
        return timestamp(converted)
    text = to_string(converted).encode()
    if len(text) > _MOST_FIELD_BYTES:
        return text[:_MOST_FIELD_BYTES].decode(errors="ignore")
    return converted if type_ is Type.DYNAMIC else text.decode()


def _interval(timespan: Any, now: datetime) -> tuple[datetime, datetime] | None:
    """An ISO 8601 duration (up to now), or an interval: start/end, start/duration, duration/end."""
    if timespan is None or timespan == "":
        return None
    parts = [_moment(part) for part in str(timespan).split("/")]
    match parts:
        case [timedelta() as back]:
            return now - back, now
        case [datetime() as start, datetime() as end]:
            return start, end
        case [datetime() as start, timedelta() as length]:
            return start, start + length
        case [timedelta() as length, datetime() as end]:
            return end - length, end
        case _:
            raise LogsQueryError("InvalidTimespan", f"'{timespan}' is not an ISO 8601 duration or interval.")


def _moment(text: str) -> datetime | timedelta | None:
    duration = _DURATION.fullmatch(text)
    if duration is None or text.endswith(("P", "T")):
        return parse_datetime(text)
    weeks, days, hours, minutes, seconds = (float(part or 0) for part in duration.groups())
    return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
