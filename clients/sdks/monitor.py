"""azure-mgmt-monitor."""

from datetime import UTC, datetime, timedelta
from typing import Any

from azure.mgmt.monitor.aio import MonitorManagementClient

from clients.sdks.place import REGION, Operation, Place, some


# long: one entry for each operation
def operations(place: Place) -> list[Operation]:
    client: Any = MonitorManagementClient(place.credential(), place.subscription, **place.arm_options)
    group = place.group
    points, rules, actions, alerts = (
        client.data_collection_endpoints,
        client.data_collection_rules,
        client.action_groups,
        client.scheduled_query_rules,
    )
    logs = place.id_of("Microsoft.OperationalInsights/workspaces", "sdklogs")
    vault = place.id_of("Microsoft.KeyVault/vaults", "sdkvault2")
    rule = {
        "location": REGION,
        "properties": {
            "dataCollectionEndpointId": place.id_of("Microsoft.Insights/dataCollectionEndpoints", "sdkdce"),
            "streamDeclarations": {"Custom-Sdk": {"columns": [{"name": "TimeGenerated", "type": "datetime"}]}},
            "destinations": {"logAnalytics": [{"workspaceResourceId": logs, "name": "logs"}]},
            "dataFlows": [{"streams": ["Custom-Sdk"], "destinations": ["logs"], "outputStream": "Custom-Sdk_CL"}],
        },
    }
    mail = {"name": "people", "emailAddress": "people@example.com", "useCommonAlertSchema": True}
    people = {
        "location": "Global",
        "properties": {"groupShortName": "people", "enabled": True, "emailReceivers": [mail]},
    }
    alert = {
        "location": REGION,
        "properties": {
            "severity": 2,
            "enabled": True,
            "evaluationFrequency": "PT5M",
            "windowSize": "PT5M",
            "scopes": [logs],
            "criteria": {
                "allOf": [{"query": "Heartbeat", "timeAggregation": "Count", "operator": "GreaterThan", "threshold": 0}]
            },
        },
    }
    since = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    within = f"eventTimestamp ge '{since}' and resourceGroupName eq '{group}'"
    link = {"properties": {"dataCollectionRuleId": place.id_of("Microsoft.Insights/dataCollectionRules", "sdkdcr")}}
    return [
        ("endpoints create", lambda: points.create(group, "sdkdce", {"location": REGION, "properties": {}})),
        ("endpoints get", lambda: points.get(group, "sdkdce")),
        ("endpoints list", lambda: some(points.list_by_subscription())),
        ("endpoints list by group", lambda: some(points.list_by_resource_group(group))),
        ("endpoints update", lambda: points.update(group, "sdkdce", {"tags": {"env": "test"}})),
        ("rules create", lambda: rules.create(group, "sdkdcr", rule)),
        ("rules get", lambda: rules.get(group, "sdkdcr")),
        ("rules list", lambda: some(rules.list_by_subscription())),
        ("rules list by group", lambda: some(rules.list_by_resource_group(group))),
        ("rules update", lambda: rules.update(group, "sdkdcr", {"tags": {"env": "test"}})),
        ("associations create", lambda: client.data_collection_rule_associations.create(vault, "sdk", link)),
        ("associations list", lambda: some(client.data_collection_rule_associations.list_by_resource(vault))),
        ("associations delete", lambda: client.data_collection_rule_associations.delete(vault, "sdk")),
        ("action groups create", lambda: actions.create_or_update(group, "sdkpeople", people)),
        ("action groups get", lambda: actions.get(group, "sdkpeople")),
        ("action groups list", lambda: some(actions.list_by_subscription_id())),
        ("action groups update", lambda: actions.update(group, "sdkpeople", {"tags": {"env": "test"}})),
        ("action groups delete", lambda: actions.delete(group, "sdkpeople")),
        ("query alerts create", lambda: alerts.create_or_update(group, "sdkalert", alert)),
        ("query alerts get", lambda: alerts.get(group, "sdkalert")),
        ("query alerts list", lambda: some(alerts.list_by_subscription())),
        ("query alerts update", lambda: alerts.update(group, "sdkalert", {"tags": {"env": "test"}})),
        ("query alerts delete", lambda: alerts.delete(group, "sdkalert")),
        ("activity log list", lambda: some(client.activity_logs.list(filter=within))),
        ("rules delete", lambda: rules.delete(group, "sdkdcr")),
        ("endpoints delete", lambda: points.delete(group, "sdkdce")),
    ]
