from datetime import timedelta
from pathlib import Path

import pytest

from emulator.functions import settings
from emulator.functions.errors import FunctionConfigurationError, HostSettingsError
from emulator.functions.settings import QueueSettings

SAMPLED = '{"version": "2.0", "logging": {"applicationInsights": {"samplingSettings": {"excludedTypes": "%s"}}}}'


def test_what_is_not_said_has_the_default_of_the_host(tmp_path: Path) -> None:
    path = tmp_path / "host.json"
    path.write_text('{"version": "2.0"}')
    assert settings.read(path) == settings.HostSettings(QueueSettings(), timedelta(minutes=30))


def test_what_is_said_holds(tmp_path: Path) -> None:
    path = tmp_path / "host.json"
    path.write_text(
        """{"version": "2.0", "functionTimeout": "-1", "extensions": {"queues": {
            "batchSize": 10, "maxDequeueCount": 3, "visibilityTimeout": "00:01:30",
            "maxPollingInterval": "00:00:00.5", "messageEncoding": "None"}}}"""
    )
    assert settings.read(path) == settings.HostSettings(
        QueueSettings(10, 5, 3, timedelta(seconds=90), timedelta(seconds=0.5), base64=False), None
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Unable to parse"),
        ("", "Unable to parse"),
        ("[]", "it is not a JSON object"),
        ("null", "it is not a JSON object"),
        ("[" * 100_000, "Unable to parse"),
        ('{"logging": {}}', "missing the required 'version'"),
        ('{"version": ""}', "missing the required 'version'"),
        ('{"version": null}', "missing the required 'version'"),
        ('{"Version": "2.0"}', "missing the required 'version'"),
        ('{"version": "1.0"}', "'1.0' is an invalid value for host.json 'version'"),
        ('{"version": 2.0}', "'2.0' is an invalid value for host.json 'version'"),
        ('{"version": "4.0"}', "'4.0' is an invalid value for host.json 'version'"),
        ('{"version": "2.0", "functionTimeout": "5 minutes"}', "functionTimeout"),
        ('{"version": "2.0", "functionTimeout": "00:60:00"}', "functionTimeout"),
        ('{"version": "2.0", "functionTimeout": "24:00:00"}', "functionTimeout"),
        ('{"version": "2.0", "functionTimeout": 600}', "functionTimeout"),
        ('{"version": "2.0", "functionTimeout": "00:00:00"}', "must be greater than 00:00:01"),
        ('{"version": "2.0", "extensions": []}', "extensions is not an object"),
        ('{"version": "2.0", "extensions": {"queues": {"maxPollingInterval": "00:00:00.05"}}}', "maxPollingInterval"),
        ('{"version": "2.0", "extensions": {"queues": {"batchSize": 33}}}', "batchSize"),
        ('{"version": "2.0", "extensions": {"queues": {"maxDequeueCount": 0}}}', "maxDequeueCount"),
        ('{"version": "2.0", "extensions": {"queues": {"visibilityTimeout": 30}}}', "visibilityTimeout"),
        ('{"version": "2.0", "extensions": {"queues": {"messageEncoding": "utf8"}}}', "messageEncoding"),
    ],
)
def test_what_the_host_refuses_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "host.json"
    path.write_text(text)
    with pytest.raises(HostSettingsError, match=reason):
        settings.read(path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            '{"version": "2.0", "extensionBundles": {}}',
            r"passes over 'extensionBundles'; did you mean extensionBundle\?",
        ),
        ('{"version": "2.0", "functiontimeout": "00:05:00"}', r"did you mean functionTimeout\?"),
        ('{"version": "2.0", "queues": {"batchSize": 8}}', "passes over 'queues'"),
        ('{"version": "2.0", "extensions": {"queue": {"batchSize": 8}}}', r"'extensions/queue'; did you mean queues\?"),
        ('{"version": "2.0", "extensions": {"queues": {"visibilityTimeOut": "00:00:30"}}}', "visibilityTimeout"),
        (
            '{"version": "2.0", "extensionBundle": {"id": "x", "range": "4"}}',
            "'extensionBundle/range'; it knows id, version",
        ),
        ('{"version": "2.0", "logging": {"loglevel": {"default": "Error"}}}', "did you mean logLevel"),
        ('{"version": "2.0", "logging": {"logLevel": {"default": "Info"}}}', "'Info' is none of"),
        (SAMPLED % "Trace;Rows", "'Rows' is none of"),
    ],
)
def test_what_the_schema_does_not_know_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    """The real host would pass over it in silence, and do without what was meant."""
    path = tmp_path / "host.json"
    path.write_text(text)
    with pytest.raises(HostSettingsError, match=reason):
        settings.read(path)


def test_what_the_schema_knows_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "host.json"
    path.write_text(
        """{"$schema": "https://json.schemastore.org/host.json", "version": "2.0", "telemetryMode": "OpenTelemetry",
            "healthMonitor": {}, "logging": {"fileLoggingMode": "never", "logLevel": {"My.Own": "None"}}}"""
    )
    assert settings.read(path) == settings.HostSettings(QueueSettings())


@pytest.mark.parametrize(
    ("sku", "text", "timeout"),
    [
        ("FlexConsumption", '"12:00:00"', timedelta(hours=12)),
        ("FlexConsumption", '"2.00:00:00"', timedelta(days=2)),
        ("FlexConsumption", '"-1"', None),
        ("FlexConsumption", "null", timedelta(minutes=30)),
        ("Dynamic", "null", timedelta(minutes=5)),
        ("Dynamic", '"00:10:00"', timedelta(minutes=10)),
    ],
)
def test_a_timeout_within_the_plan_holds(tmp_path: Path, sku: str, text: str, timeout: timedelta | None) -> None:
    path = tmp_path / "host.json"
    path.write_text(f'{{"version": "2.0", "functionTimeout": {text}}}')
    assert settings.read(path, sku).function_timeout == timeout


@pytest.mark.parametrize("text", ["00:10:01", "-1", "1.00:00:00"])
def test_a_timeout_beyond_the_plan_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "host.json"
    path.write_text(f'{{"version": "2.0", "functionTimeout": "{text}"}}')
    with pytest.raises(HostSettingsError, match=r"must be greater than 00:00:01 and less than 00:10:00\."):
        settings.read(path, "Dynamic")


def test_an_empty_host_json_is_one_without_a_bundle(tmp_path: Path) -> None:
    path = tmp_path / "host.json"
    path.write_text("{}")
    assert not settings.read(path).extensions.bundled


def test_a_missing_host_json_is_named(tmp_path: Path) -> None:
    with pytest.raises(HostSettingsError, match=r"host\.json"):
        settings.read(tmp_path / "host.json")


def test_bindings_find_their_settings_and_only_those() -> None:
    environment = {"QUEUE": "work", "AzureWebJobsStorage": "a", "AzureWebJobsOther": "b"}
    assert settings.resolve("%QUEUE%-items", environment) == "work-items"
    assert settings.resolve("0 */5 * * * *", environment) == "0 */5 * * * *"
    assert settings.connection(None, environment) == settings.Connection(string="a")
    assert settings.connection("Other", environment) == settings.Connection(string="b")
    with pytest.raises(FunctionConfigurationError, match="'%NONE%' does not resolve"):
        settings.resolve("%NONE%", environment)
    with pytest.raises(FunctionConfigurationError, match="'None' does not exist"):
        settings.connection("None", environment)
