"""Who gets in to the isolated app, who is told by alerts, and that a webhook's address stays a secret on its way."""

import re

import pytest
from deployments import only

from infra.check import INFRA
from infra.snapshots import names

ISOLATED = {"network-isolated", "network-isolated-events"}


@pytest.mark.parametrize("name", names())
def test_the_isolated_variant_closes_both_sites(name: str) -> None:
    """The main one to all but Event Grid; the SCM site to everybody, until infra/publish.py comes."""
    site = only("Microsoft.Web/sites", name)["properties"]["siteConfig"]
    closed = name in ISOLATED
    for kind in ("ipSecurityRestrictions", "scmIpSecurityRestrictions"):
        assert site[f"{kind}DefaultAction"] == ("Deny" if closed else "Allow")
    let_in = [(one["action"], one["tag"], one["ipAddress"]) for one in site["ipSecurityRestrictions"]]
    assert let_in == ([("Allow", "ServiceTag", "AzureEventGrid")] if closed else [])
    assert site["scmIpSecurityRestrictions"] == []
    assert site["scmIpSecurityRestrictionsUseMain"] is False


def test_alerts_tell_by_mail_and_by_webhook() -> None:
    """The address of a webhook is secure: the compiler does not say what it knows of it."""
    told = only("Microsoft.Insights/actionGroups", "many-subscriptions")["properties"]
    assert told["emailReceivers"] == [
        {"name": "mail-1", "emailAddress": "ml-platform@example.com", "useCommonAlertSchema": True}
    ]
    assert told["webhookReceivers"] == "[unknown()]"
    assert only("Microsoft.Insights/actionGroups", "one-subscription")["properties"]["emailReceivers"] == []


def test_a_webhooks_address_is_secure_at_every_step() -> None:
    """Else it stands in the deployment's history, for whoever may read the resource group."""
    texts = {path.name: path.read_text("utf-8") for path in INFRA.rglob("*.bicep")}
    steps = {name: text for name, text in texts.items() if "alertWebhook" in text}
    assert set(steps) == {"main.bicep", "management-group.bicep", "app.bicep", "alerts.bicep"}
    assert [
        name for name, text in steps.items() if not re.search(r"@secure\(\)\nparam alertWebhook string", text)
    ] == []


@pytest.mark.parametrize("name", names())
def test_storage_across_zones_is_asked_for(name: str) -> None:
    """Not every region has it: a deployment there would fail."""
    wanted = "Standard_ZRS" if name in ISOLATED else "Standard_LRS"
    assert only("Microsoft.Storage/storageAccounts", name)["sku"] == {"name": wanted}
