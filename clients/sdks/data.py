"""Data planes: azure-monitor-query, azure-monitor-ingestion, azure-eventgrid, azure-storage-blob and -queue.

The topic and the storage account are the function app's own.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from azure.core.exceptions import HttpResponseError
from azure.core.messaging import CloudEvent
from azure.eventgrid import EventGridEvent
from azure.eventgrid.aio import EventGridPublisherClient
from azure.monitor.ingestion.aio import LogsIngestionClient
from azure.monitor.query.aio import LogsQueryClient
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient

from clients.sdks.place import Operation, Place, some

_STREAM = "Custom-AmlGuardSweep_CL"
_DAY = timedelta(days=1)


async def refused(begun: Any) -> None:
    try:
        await begun
    except HttpResponseError:
        return
    raise AssertionError("it was not refused")


def query(place: Place) -> list[Operation]:
    client: Any = LogsQueryClient(place.credential(), endpoint=place.arm, audience="https://api.loganalytics.io")
    workspace = place.environment["AMLGUARD_LOG_WORKSPACE_ID"]
    own = place.own("Microsoft.OperationalInsights/workspaces")
    text = "AmlGuardSweep_CL | take 1"
    return [
        ("a workspace's logs", lambda: client.query_workspace(workspace, text, timespan=_DAY)),
        ("a resource's logs", lambda: client.query_resource(own, text, timespan=_DAY)),
        ("the logs of a resource group", lambda: client.query_resource(place.scope, "AppRequests", timespan=_DAY)),
        ("a query with an error", lambda: refused(client.query_workspace(workspace, "Nothing |", timespan=_DAY))),
        ("a resource that is not there", lambda: refused(client.query_resource(f"{own}2", text, timespan=_DAY))),
    ]


def ingestion(place: Place) -> list[Operation]:
    endpoint, rule = place.environment["AMLGUARD_LOGS_INGESTION_ENDPOINT"], place.environment["AMLGUARD_LOGS_RULE_ID"]
    client: Any = LogsIngestionClient(endpoint, place.credential())
    row = {"TimeGenerated": datetime.now(UTC).isoformat(), "SweepId": "sdk"}
    return [
        ("upload", lambda: client.upload(rule, _STREAM, [row])),
        ("upload many", lambda: client.upload(rule, _STREAM, [row] * 1000)),
        ("upload to a stream that is not there", lambda: refused(client.upload(rule, "Custom-None_CL", [row]))),
    ]


def event_grid(place: Place) -> list[Operation]:
    client: Any = EventGridPublisherClient(f"{place.arm}/topics/amlguard/api/events", place.credential())
    event = CloudEvent(source="/sdks", type="sdks.tried", data={"a": "b"})
    other = EventGridEvent(subject="/sdks", event_type="sdks.tried", data={}, data_version="1")
    return [
        ("send one", lambda: client.send(event)),
        ("send many", lambda: client.send([event, event])),
        ("send what the topic does not take", lambda: refused(client.send(other))),
    ]


def blob(place: Place) -> list[Operation]:
    client: Any = BlobServiceClient(place.environment["AzureWebJobsStorage__blobServiceUri"], place.credential())
    container = client.get_container_client("sdks")

    async def read() -> None:
        stream = await container.download_blob("one.txt")
        if await stream.readall() != b"one":
            raise AssertionError("the blob holds something else")

    return [
        ("container create", container.create_container),
        ("upload", lambda: container.upload_blob("one.txt", b"one")),
        ("download", read),
        ("list", lambda: some(container.list_blobs())),
        ("properties", lambda: container.get_blob_client("one.txt").get_blob_properties()),
        ("delete", lambda: container.delete_blob("one.txt")),
        ("container delete", container.delete_container),
    ]


def queue(place: Place) -> list[Operation]:
    client: Any = QueueServiceClient(place.environment["AzureWebJobsStorage__queueServiceUri"], place.credential())
    one = client.get_queue_client("sdks")

    async def received() -> None:
        for message in await some(one.receive_messages()):
            await one.delete_message(message)

    return [
        ("queue create", one.create_queue),
        ("send", lambda: one.send_message("hello")),
        ("peek", one.peek_messages),
        ("receive and delete", received),
        ("properties", one.get_queue_properties),
        ("queue delete", one.delete_queue),
    ]
