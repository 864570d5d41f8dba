"""Who gets in to the isolated app, who is told by alerts, and that a webhook's address stays a secret on its way."""

import re

from bicep import resources

from infra.check import INFRA, bicep_files


def test_the_isolated_variant_closes_both_sites() -> None:
    """The main one to all but Event Grid; the SCM site to everybody, until infra/publish.py comes."""
    (app,) = resources("modules/function-app.bicep", "Microsoft.Web/sites")
    site = app["properties"]["siteConfig"]
    for kind in ("ipSecurityRestrictions", "scmIpSecurityRestrictions"):
        assert site[f"{kind}DefaultAction"]["operator"]["operands"] == {
            "condition": "networkIsolated",
            "true_value": "Deny",
            "false_value": "Allow",
        }
    (let_in,) = site["ipSecurityRestrictions"]["operator"]["operands"]["true_value"]
    assert (let_in["tag"], let_in["ipAddress"]) == ("ServiceTag", "AzureEventGrid")
    assert site["scmIpSecurityRestrictions"] == []
    assert site["scmIpSecurityRestrictionsUseMain"] is False


def test_alerts_tell_by_mail_and_by_webhook() -> None:
    (group,) = resources("modules/alerts.bicep", "Microsoft.Insights/actionGroups")
    told = {
        kind: (group["properties"][kind]["loop_type"]["detail"]["array_name"], group["properties"][kind]["config"])
        for kind in ("emailReceivers", "webhookReceivers")
    }
    shared = {"useCommonAlertSchema": True}
    assert told == {
        "emailReceivers": ("emails", {"name": "mail-${place + 1}", "emailAddress": "address", **shared}),
        "webhookReceivers": ("webhooks", {"name": "webhook-${place + 1}", "serviceUri": "address", **shared}),
    }


def test_a_webhooks_address_is_secure_at_every_step() -> None:
    """Else it stands in the deployment's history, for whoever may read the resource group."""
    steps = {path.name: path.read_text("utf-8") for path in bicep_files() if "alertWebhook" in path.read_text("utf-8")}
    assert set(steps) == {"main.bicep", "management-group.bicep", "app.bicep", "alerts.bicep"}
    assert [
        name for name, text in steps.items() if not re.search(r"@secure\(\)\nparam alertWebhook string", text)
    ] == []


def test_storage_across_zones_is_asked_for() -> None:
    """Not every region has it: a deployment there would fail."""
    (account,) = resources("modules/storage.bicep", "Microsoft.Storage/storageAccounts")
    assert account["sku"]["name"]["operator"]["operands"] == {
        "condition": "zoneRedundant",
        "true_value": "Standard_ZRS",
        "false_value": "Standard_LRS",
    }
    for file in ("main.bicep", "management-group.bicep"):
        assert "param zoneRedundantStorage bool = false\n" in (INFRA / file).read_text("utf-8")
