"""Token scopes and endpoints follow from what a cloud tells of itself, never from its name (law 12)."""

from typing import Any

import pytest

from shared.azure.session import PUBLIC, Cloud, cloud_of

GOVERNMENT = Cloud(
    "https://management.usgovcloudapi.net/.default",
    "https://api.loganalytics.us/v1",
    "https://api.loganalytics.us/.default",
    "https://monitor.azure.us/.default",
)
CHINA = Cloud(
    "https://management.chinacloudapi.cn/.default",
    "https://api.loganalytics.azure.cn/v1",
    "https://api.loganalytics.azure.cn/.default",
    "https://monitor.azure.cn/.default",
)


def metadata(audience: str, logs: str) -> dict[str, Any]:
    """As api-version 2022-09-01 answers; the addresses are those of azure/cli/core/cloud.py."""
    legacy = audience.replace("management.", "management.core.")
    return {"authentication": {"audiences": [legacy, audience]}, "logAnalyticsResourceId": logs}


@pytest.mark.parametrize("name", [None, "AzureCloud", "AzureUSGovernment", "AmlGuardLocal", "", 5])
@pytest.mark.parametrize(
    ("said", "cloud"),
    [
        (metadata("https://management.azure.com/", "https://api.loganalytics.io"), PUBLIC),
        (metadata("https://management.usgovcloudapi.net", "https://api.loganalytics.us"), GOVERNMENT),
        (metadata("https://management.chinacloudapi.cn/", "https://api.loganalytics.azure.cn/"), CHINA),
    ],
)
def test_a_cloud_is_what_it_says_whatever_its_name(name: object, said: dict[str, Any], cloud: Cloud) -> None:
    assert cloud_of(said if name is None else said | {"name": name}) == cloud


def test_what_a_cloud_does_not_say_is_as_in_the_public_one() -> None:
    assert cloud_of({"name": "Stack"}) == PUBLIC
