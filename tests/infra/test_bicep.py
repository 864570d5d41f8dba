"""What infra/ deploys is what the code reads and serves: a drift between them fails here."""

import json
import re
from dataclasses import replace
from pathlib import Path

from bicep import access, items, loaded, parsed, resources

from docs import infra as generated
from docs.generate import stale
from infra.check import INFRA, bicep_files, unparsed
from shared.access import routing
from shared.access.rules import RULES
from shared.access.terms import Terms
from shared.azure.settings import CONTAINER, QUEUE, Settings

ROOT = INFRA.parent
HOSTS_OWN = {
    "AzureWebJobsStorage__credential",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
}
# A deployment that talks to Azure needs neither: the defaults are right.
LEFT_ALONE = {"AzureWebJobsStorage", "AMLGUARD_LOGS_QUERY_ENDPOINT", "AMLGUARD_DEADLINE_SECONDS"}


class Asked(dict[str, str]):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def get(self, name: str, default: str | None = None) -> str:  # type: ignore[override]
        self.names.add(name)
        return default or ""


def test_all_bicep_parses() -> None:
    assert list(unparsed(bicep_files())) == []


def test_bicep_that_does_not_parse_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "wrong.bicep").write_text("resource x = {", "utf-8")
    assert len(list(unparsed([tmp_path / "wrong.bicep"]))) == 1


def test_app_settings_are_what_the_code_reads() -> None:
    (app,) = resources("modules/function-app.bicep", "Microsoft.Web/sites")
    given = {one["name"] for one in app["properties"]["siteConfig"]["appSettings"]}
    asked = Asked()
    Settings.read(asked)
    assert given - HOSTS_OWN == asked.names - LEFT_ALONE


# What `amlguard apply`, `undo` and `approve` need at a desk, where there is an app.
AT_A_DESK = {
    "AMLGUARD_LOGS_INGESTION_ENDPOINT",
    "AMLGUARD_LOGS_RULE_ID",
    "AMLGUARD_LOG_WORKSPACE_ID",
    "AzureWebJobsStorage__blobServiceUri",
    "AzureWebJobsStorage__queueServiceUri",
}


def test_outputs_are_the_settings_of_the_command_line() -> None:
    asked = Asked()
    Settings.read(asked)
    assert asked.names >= AT_A_DESK
    for entry in ("main.bicep", "management-group.bicep"):
        assert parsed(entry)["outputs"].keys() >= AT_A_DESK
    guide = (ROOT / "docs" / "deploy.md").read_text("utf-8")
    assert [name for name in AT_A_DESK if f"`{name}`" not in guide] == []


def test_runtime_is_the_projects_python() -> None:
    (app,) = resources("modules/function-app.bicep", "Microsoft.Web/sites")
    wanted = (ROOT / ".python-version").read_text("utf-8").strip()
    assert app["properties"]["functionAppConfig"]["runtime"] == {"name": "python", "version": wanted}


def test_storage_has_what_the_code_uses() -> None:
    assert items("modules/storage.bicep", "queues") == [QUEUE, f"{QUEUE}-poison"]
    assert CONTAINER in items("modules/storage.bicep", "containers")


def test_no_keys() -> None:
    (account,) = resources("modules/storage.bicep", "Microsoft.Storage/storageAccounts")
    assert account["properties"]["allowSharedKeyAccess"] is False
    assert account["properties"]["allowBlobPublicAccess"] is False
    (insights,) = resources("modules/monitoring.bicep", "Microsoft.Insights/components")
    assert insights["properties"]["DisableLocalAuth"] is True


def test_streams_are_the_tables() -> None:
    (rule,) = resources("modules/monitoring.bicep", "Microsoft.Insights/dataCollectionRules")
    tables = json.loads((INFRA / "tables.json").read_text("utf-8"))["tables"]
    declared = {name.strip("'") for name in rule["properties"]["streamDeclarations"]}
    assert declared == {table["stream"] for table in tables.values()}


# https://learn.microsoft.com/azure/templates/microsoft.insights/datacollectionrules#columndefinition
STREAM_TYPES = {"boolean", "datetime", "dynamic", "int", "long", "real", "string"}
# https://learn.microsoft.com/azure/templates/microsoft.operationalinsights/workspaces/tables#column
TABLE_TYPES = {"boolean", "dateTime", "dynamic", "guid", "int", "long", "real", "string"}


def test_columns_have_types_that_stream_and_table_know() -> None:
    """One list serves both, although they spell datetime differently: the stream's is exact, and the table's service
    answers with that spelling and takes it (Microsoft's own sample of a table has `type: 'datetime'`).
    """
    tables = json.loads((INFRA / "tables.json").read_text("utf-8"))["tables"]
    used = {column["type"] for table in tables.values() for column in table["columns"]}
    assert used <= STREAM_TYPES
    assert used <= {one.lower() for one in TABLE_TYPES}
    assert loaded(parsed("modules/monitoring.bicep")["variables"]["tables"]["value"]) == "tables.json"


def test_every_right_of_the_access_file_is_deployed() -> None:
    """On the places of the Bicep, with the ids of the roles that are named."""
    written = json.loads((INFRA / "app_access.json").read_text("utf-8"))
    assert access() == written
    roles = json.loads((ROOT / "emulator" / "data" / "roles.json").read_text("utf-8"))
    known = {role["name"]: role["roleName"] for role in roles}
    known[written["roleDefinition"]["name"]] = written["roleDefinition"]["roleName"]
    for one in written["roleAssignments"]:
        assert known.get(one["id"], one["role"]) == one["role"]


def test_management_group_gives_what_a_subscription_gives() -> None:
    one, other = (
        [
            (name, found["config"]["loop_type"], found["config"].get("condition"))
            for name, found in parsed(f"modules/watched-{kind}.bicep")["resources"].items()
        ]
        for kind in ("subscription", "management-group")
    )
    assert one == other


def test_read_only_gives_nothing_that_changes() -> None:
    """What is on 'changed' hangs on `readOnly`; what is left in the watched scopes reads."""
    roles = json.loads((ROOT / "emulator" / "data" / "roles.json").read_text("utf-8"))
    actions = {role["name"]: [one for block in role["permissions"] for one in block["actions"]] for role in roles}
    left = [one["id"] for one in access()["roleAssignments"] if one["on"] == "watched"]
    assert {action for role in left for action in actions[role]} == {"*/read"}
    for kind in ("subscription", "management-group"):
        made = parsed(f"modules/watched-{kind}.bicep")["resources"]
        assert made["watched"]["config"].get("condition") is None
        assert made["changed"]["config"]["condition"] == {
            "operator": {"type": "not", "operands": {"bool_value": "readOnly"}}
        }
    for file in ("main.bicep", "management-group.bicep"):
        text = (INFRA / file).read_text("utf-8")
        assert "param readOnly bool = false" in text
        assert "    readOnly: readOnly\n" in text
        assert re.search(r"resource settingsWriter .* = if \((grantRights && )?!readOnly\) \{", text)


def test_filters_let_every_watched_operation_through_once() -> None:
    subscriptions = generated.derived(Terms(), RULES)["eventSubscriptions"]
    passed = [operation for one in subscriptions for operation in one["operations"]]
    assert sorted(passed) == sorted(routing.operations())
    assert all(len(one["operations"]) <= 25 for one in subscriptions)


def test_more_operations_than_a_filter_takes_are_split() -> None:
    subscriptions = list(generated.event_subscriptions([f"P/kind{n}/write" for n in range(60)]))
    assert [len(one["operations"]) for one in subscriptions] == [25, 25, 10]
    assert len({one["name"] for one in subscriptions}) == 3


def test_events_lead_to_the_function() -> None:
    (delivery,) = resources("modules/event-subscriptions.bicep", "Microsoft.EventGrid/systemTopics/eventSubscriptions")
    (name,) = [delivery["properties"]["destination"]["properties"]["resourceId"].rpartition("/")[2]]
    assert f'@app.function_name("{name}")\n@app.event_grid_trigger' in (ROOT / "function_app.py").read_text("utf-8")


def test_a_rule_more_changes_filter_and_condition() -> None:
    """And the files of before are noticed: this is what the gate asks of the files that are there."""
    need = next(rule for rule in RULES if rule.grants and not Terms().enabled(rule)).grants[0]
    base = next(rule for rule in RULES if Terms().enabled(rule) and rule.grants)
    more = replace(base, name="new", grants=(need,), watches=("Microsoft.New/things",))
    before, after = (generated.derived(Terms(), rules) for rules in (RULES, (*RULES, more)))
    assert need.role_id in after["condition"]
    assert need.role_id not in before["condition"]
    passed = {operation for one in after["eventSubscriptions"] for operation in one["operations"]}
    assert {"Microsoft.New/things/write", "Microsoft.New/things/delete"} <= passed
    assert stale() == []
    assert INFRA / "generated" / "derived.json" in stale(rules=(*RULES, more))
