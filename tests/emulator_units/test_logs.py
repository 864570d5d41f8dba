"""Logs ingestion and query: the rules, and Microsoft's own clients against them."""

import gzip
import json
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest
import trustme
from aiohttp import web
from aiohttp.test_utils import TestServer
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError
from azure.monitor.ingestion.aio import LogsIngestionClient
from azure.monitor.query import LogsQueryResult
from azure.monitor.query.aio import LogsQueryClient

from emulator.clock import Clock
from emulator.errors import AzureError
from emulator.logs.logs import Logs

type Json = dict[str, Any]

WORKSPACE = "11111111-2222-3333-4444-555555555555"
STREAM, TABLE = "Custom-Audit_CL", "Audit_CL"
COLUMNS = {
    "TimeGenerated": "datetime",
    "RunId": "string",
    "ActionId": "string",
    "Outcome": "string",
    "Requirements": "dynamic",
    "DurationMs": "long",
    "EventTime": "datetime",
}


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    columns = [{"name": name, "type": type_} for name, type_ in COLUMNS.items()]
    file = tmp_path / "tables.json"
    file.write_text(json.dumps({"tables": {TABLE: {"stream": STREAM, "columns": columns}}}))
    return file


@pytest.fixture
def stored() -> dict[str, list[Json]]:
    return {"AmlTraffic": [{"TimeGenerated": "2024-01-01T00:00:00Z", "Method": "POST", "Code": 200, "Body": {"a": 1}}]}


@pytest.fixture
def logs(stored: dict[str, list[Json]], schema: Path) -> Logs:
    return Logs(stored, Clock(), schema)


def send(logs: Logs, *records: Json) -> None:
    logs.ingest(STREAM, gzip.compress(json.dumps(records).encode()), "gzip")


def ask(logs: Logs, query: str, **body: Any) -> list[list[Any]]:
    [table] = logs.query(WORKSPACE, {"query": query, **body})["tables"]
    rows: list[list[Any]] = table["rows"]
    return rows


def test_rows_are_stored_as_the_table_declares_them(logs: Logs, stored: dict[str, list[Json]]) -> None:
    now = datetime.now(UTC).isoformat()
    send(logs, {"TimeGenerated": now, "RunId": 7, "Requirements": ["AML-18"], "DurationMs": "12", "Unknown": 1})
    [row] = stored[TABLE]
    assert row.pop("TimeGenerated").startswith(now[:19])
    assert row == {"RunId": "7", "Requirements": ["AML-18"], "DurationMs": 12}


@pytest.mark.parametrize("given", [None, "soon", "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"])
def test_a_missing_or_unlikely_time_becomes_that_of_receipt(
    logs: Logs, stored: dict[str, list[Json]], given: str | None
) -> None:
    send(logs, {"RunId": "r", **({"TimeGenerated": given} if given else {})})
    age = datetime.now(UTC) - datetime.fromisoformat(stored[TABLE][0]["TimeGenerated"])
    assert timedelta() <= age < timedelta(seconds=30)


def test_nothing_is_deduplicated(logs: Logs) -> None:
    for _ in range(2):
        send(logs, {"RunId": "r", "ActionId": "a"})
    assert ask(logs, f"{TABLE} | count") == [[2]]


def test_long_fields_are_cut_off(logs: Logs) -> None:
    send(logs, {"RunId": "x" * 70_000, "Requirements": ["é" * 40_000]})
    [[run, requirements]] = ask(logs, f"{TABLE} | project strlen(RunId), strlen(tostring(Requirements))")
    assert run == 65_536
    assert requirements < 40_000


@pytest.mark.parametrize(
    ("stream", "body", "encoding", "status", "code"),
    [
        ("Custom-Other_CL", b"[]", None, 400, "InvalidStream"),
        (TABLE, b"[]", None, 400, "InvalidStream"),
        (STREAM, b"nonsense", None, 400, "InvalidPayload"),
        (STREAM, b'{"RunId": "r"}', None, 400, "InvalidPayload"),
        (STREAM, b"[1]", None, 400, "InvalidPayload"),
        (STREAM, b"[]", "gzip", 400, "InvalidPayload"),
        (STREAM, gzip.compress(b"[]", mtime=0)[:-4], "gzip", 400, "InvalidPayload"),
    ],
)
def test_what_is_refused_leaves_nothing(
    logs: Logs, stored: dict[str, list[Json]], stream: str, body: bytes, encoding: str | None, status: int, code: str
) -> None:
    with pytest.raises(AzureError) as refused:
        logs.ingest(stream, body, encoding)
    assert (refused.value.status, refused.value.code) == (status, code)
    assert TABLE not in stored


@pytest.mark.parametrize(("blanks", "encoding"), [(1_048_576, None), (1_048_576, "gzip"), (99_000_000, "gzip")])
def test_too_much_is_refused(logs: Logs, stored: dict[str, list[Json]], blanks: int, encoding: str | None) -> None:
    body = b"[%b]" % (b" " * blanks)
    with pytest.raises(AzureError) as refused:
        logs.ingest(STREAM, gzip.compress(body) if encoding else body, encoding)
    assert (refused.value.status, refused.value.code) == (413, "ContentLengthLimitExceeded")
    assert TABLE not in stored


def test_the_latest_row_of_every_action(logs: Logs) -> None:
    start = datetime.now(UTC)
    for at, (action, outcome) in enumerate(
        [("a1", "Planned"), ("a1", "Applied"), ("a2", "Planned"), ("a1", "Applied")]
    ):
        time = (start - timedelta(minutes=9 - at)).isoformat()
        send(logs, {"TimeGenerated": time, "RunId": "r1", "ActionId": action, "Outcome": outcome, "DurationMs": at})
    query = (
        f"{TABLE} | where RunId == 'r1' | summarize arg_max(TimeGenerated, *) by ActionId, Outcome "
        "| order by TimeGenerated asc | project ActionId, Outcome, DurationMs"
    )
    assert ask(logs, query) == [["a1", "Planned", 0], ["a2", "Planned", 2], ["a1", "Applied", 3]]


def test_tables_of_the_tenant_file_need_no_schema(logs: Logs) -> None:
    [table] = logs.query(WORKSPACE, {"query": "AmlTraffic"})["tables"]
    assert {column["name"]: column["type"] for column in table["columns"]} == {
        "TenantId": "string",
        "TimeGenerated": "datetime",
        "Method": "string",
        "Code": "long",
        "Body": "dynamic",
        "Type": "string",
    }
    assert table["rows"] == [[WORKSPACE, "2024-01-01T00:00:00Z", "POST", 200, '{"a":1}', "AmlTraffic"]]


def test_rows_that_come_later_are_seen(logs: Logs, stored: dict[str, list[Json]]) -> None:
    assert ask(logs, "AmlTraffic | count") == [[1]]
    stored["AmlTraffic"].append({"TimeGenerated": "2024-01-02T00:00:00Z", "Latency": 1.5})
    assert ask(logs, "AmlTraffic | where Latency > 1 | count") == [[1]]
    assert ask(logs, f"{TABLE} | count") == [[0]]
    send(logs, {"RunId": "r"})
    assert ask(logs, f"{TABLE} | count") == [[1]]


@pytest.mark.parametrize(
    ("timespan", "count"),
    [
        (None, 2),
        ("P1D", 1),
        ("PT3600.0S", 1),
        ("2024-01-01/2024-01-02", 1),
        ("2023-12-31T00:00:00.000Z/P2D", 1),
        ("P2D/2024-01-02T00:00:00Z", 1),
        ("2023-01-01/2023-01-02", 0),
    ],
)
def test_timespan(logs: Logs, timespan: str | None, count: int) -> None:
    send(logs, {"RunId": "r"})
    assert ask(logs, f"union AmlTraffic, {TABLE} | count", timespan=timespan) == [[count]]


def test_errors_are_nested(logs: Logs) -> None:
    expected = {
        "Nowhere | take 1": ("SemanticError", "SEM0100", "Nowhere"),
        f"{TABLE} | where Nothing == 1": ("SemanticError", "SEM0100", "Nothing"),
        f"{TABLE} | where": ("SyntaxError", "SYN0002", "<EOF>"),
    }
    for query, (code, cause, named) in expected.items():
        with pytest.raises(AzureError) as refused:
            ask(logs, query)
        error = refused.value.body()["error"]
        assert (refused.value.status, error["code"]) == (400, "BadArgumentError")
        assert (error["innererror"]["code"], error["innererror"]["innererror"]["code"]) == (code, cause)
        assert named in error["innererror"]["innererror"]["message"]
    for body in (None, {}, {"query": f"{TABLE}", "timespan": "yesterday"}):
        with pytest.raises(AzureError, match="BadArgumentError"):
            logs.query(WORKSPACE, body)


class Credential:
    async def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        return AccessToken("token", 4_102_444_800)

    async def close(self) -> None:
        pass

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


@pytest.fixture
async def endpoint(logs: Logs, tmp_path: Path) -> AsyncIterator[tuple[str, str]]:
    """(base address, CA file) of both services behind TLS."""

    async def ingest(request: web.Request) -> web.Response:
        body = await request.content.read()
        return answered(lambda: logs.ingest(request.match_info["stream"], body, request.headers["Content-Encoding"]))

    async def query(request: web.Request) -> web.Response:
        body = await request.json()
        return answered(lambda: logs.query(request.match_info["workspace"], body))

    app = web.Application(handler_args={"auto_decompress": False})
    app.router.add_post("/dataCollectionRules/{rule}/streams/{stream}", ingest)
    app.router.add_post("/v1/workspaces/{workspace}/query", query)
    ca, context = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    server = TestServer(app, scheme="https")
    await server.start_server(ssl=context)
    yield f"https://127.0.0.1:{server.port}", str(tmp_path / "ca.pem")
    await server.close()


def answered(call: Any) -> web.Response:
    try:
        result = call()
    except AzureError as error:
        return web.json_response(error.body(), status=error.status)
    return web.Response(status=204) if result is None else web.json_response(result)


async def test_with_microsofts_clients(endpoint: tuple[str, str]) -> None:
    base, ca = endpoint
    records: list[Any] = [
        {
            "TimeGenerated": datetime.now(UTC).isoformat(),
            "RunId": "r1",
            "ActionId": f"a{at}",
            "Requirements": ["AML-18"],
        }
        for at in range(12_000)
    ]
    async with LogsIngestionClient(base, Credential(), connection_verify=ca) as ingestion:
        await ingestion.upload(rule_id="dcr-1", stream_name=STREAM, logs=records)
    async with LogsQueryClient(Credential(), endpoint=f"{base}/v1", connection_verify=ca) as client:
        result = await client.query_workspace(
            WORKSPACE, f"{TABLE} | where RunId == 'r1' | order by ActionId asc", timespan=timedelta(days=1)
        )
        assert isinstance(result, LogsQueryResult)
        [table] = result.tables
        assert len(table.rows) == 12_000
        first = table.rows[0]
        assert (first["ActionId"], first["Type"], json.loads(first["Requirements"])) == ("a0", TABLE, ["AML-18"])
        assert isinstance(first["TimeGenerated"], datetime)
        with pytest.raises(HttpResponseError, match="Nowhere"):
            await client.query_workspace(WORKSPACE, "Nowhere | take 1", timespan=None)
