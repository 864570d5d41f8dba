from datetime import timedelta
from pathlib import Path

import pytest

from emulator.functions import settings
from emulator.functions.settings import HostSettingsError, QueueSettings


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
        ("{}", "missing the required 'version'"),
        ('{"version": "2.0", "functionTimeout": "5 minutes"}', "functionTimeout"),
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


def test_a_missing_host_json_is_named(tmp_path: Path) -> None:
    with pytest.raises(HostSettingsError, match=r"host\.json"):
        settings.read(tmp_path / "host.json")


def test_bindings_find_their_settings_and_only_those() -> None:
    environment = {"QUEUE": "work", "AzureWebJobsStorage": "a", "AzureWebJobsOther": "b"}
    assert settings.resolve("%QUEUE%-items", environment) == "work-items"
    assert settings.resolve("0 */5 * * * *", environment) == "0 */5 * * * *"
    assert settings.connection(None, environment) == settings.Connection(string="a")
    assert settings.connection("Other", environment) == settings.Connection(string="b")
    with pytest.raises(HostSettingsError, match="'%NONE%' does not resolve"):
        settings.resolve("%NONE%", environment)
    with pytest.raises(HostSettingsError, match="'None' does not exist"):
        settings.connection("None", environment)
