"""host.json, as far as this host follows it.

Keys and defaults: https://learn.microsoft.com/azure/azure-functions/functions-host-json. A file with which the host
would not start is refused in the words of HostJsonFileConfigurationSource and ScriptJobHostOptionsSetup
(Azure/azure-functions-host).
"""

import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, DummyCookieJar, TCPConnector
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.pipeline.transport import AioHttpTransport
from azure.storage.queue.aio import QueueClient

from emulator.functions import extensions, schema
from emulator.functions.errors import FunctionConfigurationError, HostSettingsError
from emulator.functions.extensions import Extensions

_STORAGE = "AzureWebJobsStorage"
QUEUE_URL = f"{_STORAGE}__queueServiceUri"
"""The setting of an app that reaches its storage account with its identity."""

FLEX = "FlexConsumption"
_CONSUMPTION = "Dynamic"
_LEAST_TIMEOUT = timedelta(seconds=1)
_MOST_TIMEOUT = {_CONSUMPTION: (timedelta(minutes=10), "00:10:00")}
_UNLIMITED = (timedelta.max, "10675199.02:48:05.4775807")
_LEAST_POLLING = timedelta(milliseconds=100)
_TIME_SPAN = re.compile(r"(?:(\d{1,7})\.)?([01]?\d|2[0-3]):([0-5]?\d):([0-5]?\d(?:\.\d{1,7})?)")
_SETTING = re.compile(r"%([^%]+)%")


@dataclass(frozen=True)
class QueueSettings:
    """`extensions.queues`.

    The maximum polling interval is that of a development environment, where the host polls more often than once a
    minute (StorageQueuesWebJobsBuilderExtensions).
    """

    batch_size: int = 16
    new_batch_threshold: int = 8
    max_dequeue_count: int = 5
    visibility_timeout: timedelta = timedelta()
    max_polling_interval: timedelta = timedelta(seconds=2)
    base64: bool = True


@dataclass(frozen=True)
class HostSettings:
    """`function_timeout` is None for unlimited. The default is that of a Flex Consumption plan."""

    queues: QueueSettings
    function_timeout: timedelta | None = timedelta(minutes=30)
    extensions: Extensions = field(default_factory=extensions.none)


def read(path: Path, sku: str = FLEX) -> HostSettings:
    """Raises HostSettingsError if the Functions host would not start with the file. `sku` is as in WEBSITE_SKU."""
    document = _document(path)
    schema.check(document)
    return HostSettings(
        _queues(document.get("extensions", {}).get("queues", {})),
        _timeout(document.get("functionTimeout"), sku),
        extensions.read(document.get("extensionBundle", {})),
    )


def _document(path: Path) -> dict[str, Any]:
    """A file without any key counts as one with only the version, as the host would write it."""
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise HostSettingsError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise HostSettingsError(f"Unable to parse host configuration file '{path}': {error}") from None
    if not isinstance(document, dict):
        raise HostSettingsError(f"Unable to parse host configuration file '{path}': it is not a JSON object")
    version = document.get("version", "") if document else "2.0"
    if version in ("", None):
        raise HostSettingsError(
            "The host.json file is missing the required 'version' property. See https://aka.ms/functions-hostjson for "
            "steps to migrate the configuration file."
        )
    if version != "2.0":
        raise HostSettingsError(
            f"'{version}' is an invalid value for host.json 'version' property. We recommend you set the 'version' "
            "property to '2.0'. See https://aka.ms/functions-hostjson for more information on this configuration file."
        )
    return document


def _timeout(text: Any, sku: str) -> timedelta | None:
    if text is None:
        return timedelta(minutes=5 if sku == _CONSUMPTION else 30)
    if text == "-1" and sku != _CONSUMPTION:
        return None
    timeout = timedelta(days=-1) if text == "-1" else _time_span("functionTimeout", text)
    most, written = _MOST_TIMEOUT.get(sku, _UNLIMITED)
    if not _LEAST_TIMEOUT <= timeout <= most:
        raise HostSettingsError(f"FunctionTimeout must be greater than 00:00:01 and less than {written}.")
    return timeout


def resolve(text: str, environment: dict[str, str]) -> str:
    """`text` with every `%SETTING%` replaced, as the host does in bindings."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in environment:
            raise FunctionConfigurationError(f"'%{match[1]}%' does not resolve to a value.")
        return environment[match[1]]

    return _SETTING.sub(value, text)


@dataclass(frozen=True)
class Connection:
    """A storage account as a binding's setting names it: by a connection string, or by the URL of its queues."""

    string: str = ""
    queue_url: str = ""

    def queue(self, name: str, identity: AsyncTokenCredential | None, ca: str | None) -> QueueClient:
        """A URL needs the app's identity, and trusts the `ca` of this file."""
        if self.string:
            return QueueClient.from_connection_string(self.string, name)
        return QueueClient(self.queue_url, name, credential=identity, transport=_Trusting(ca))


class _Trusting(AioHttpTransport):  # type: ignore[misc]  # azure-core loads it late, so mypy sees Any
    """Keeps its connections. The SDK's own way to trust a CA makes a context, and so a connection, for each request."""

    session: ClientSession | None

    def __init__(self, ca: str | None) -> None:
        super().__init__()
        self._context = ssl.create_default_context(cafile=ca)

    async def open(self) -> None:
        if not self.session:  # only now, because nobody would close that of a client that is never used
            connector = TCPConnector(ssl=self._context)
            self.session = ClientSession(connector=connector, cookie_jar=DummyCookieJar(), auto_decompress=False)
        await super().open()


def connection(name: str | None, environment: Mapping[str, str]) -> Connection:
    """The connection that a binding names; `AzureWebJobsStorage` if it names none."""
    name = name or _STORAGE
    for key in (name, f"AzureWebJobs{name}"):
        if environment.get(key):
            return Connection(string=environment[key])
        if environment.get(f"{key}__queueServiceUri"):
            return Connection(queue_url=environment[f"{key}__queueServiceUri"])
    raise FunctionConfigurationError(
        f"Storage account connection string '{name}' does not exist. Make sure that it is a defined App Setting."
    )


def _queues(document: dict[str, Any]) -> QueueSettings:
    batch_size = _integer(document, "batchSize", 16, most=32)
    encoding = str(document.get("messageEncoding", "base64")).lower()
    if encoding not in {"base64", "none"}:
        raise HostSettingsError(f"messageEncoding: '{encoding}' is neither base64 nor none")
    polling = _time_span("maxPollingInterval", document.get("maxPollingInterval", "00:00:02"))
    if polling < _LEAST_POLLING:
        raise HostSettingsError("maxPollingInterval must not be less than 00:00:00.1000000")
    defaults = QueueSettings()
    return QueueSettings(
        batch_size=batch_size,
        new_batch_threshold=_integer(document, "newBatchThreshold", batch_size // 2, least=0),
        max_dequeue_count=_integer(document, "maxDequeueCount", defaults.max_dequeue_count),
        visibility_timeout=_time_span("visibilityTimeout", document.get("visibilityTimeout", "00:00:00")),
        max_polling_interval=polling,
        base64=encoding == "base64",
    )


def _integer(document: dict[str, Any], key: str, default: int, least: int = 1, most: int | None = None) -> int:
    value = document.get(key, default)
    if type(value) is not int or value < least or (most is not None and value > most):
        raise HostSettingsError(f"{key}: {value!r} is not a number of {least} to {most or 'any'}")
    return value


def _time_span(key: str, text: Any) -> timedelta:
    match = _TIME_SPAN.fullmatch(text) if isinstance(text, str) else None
    if not match:
        raise HostSettingsError(f"{key}: {text!r} is not a time span (hh:mm:ss)")
    days, hours, minutes, seconds = match.groups()
    return timedelta(days=int(days or 0), hours=int(hours), minutes=int(minutes), seconds=float(seconds))
