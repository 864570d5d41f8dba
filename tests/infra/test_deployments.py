"""What infra/ deploys is what the code reads and serves: a drift between them fails here.

Read from the snapshots: what Microsoft's compiler worked out for each parameter file, resource by resource.
"""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from deployments import WHOLE, Json, access, of_the_app, only, written_access

from docs.generate import stale
from infra import derive as generated
from infra.check import INFRA
from infra.snapshots import load, made, names, parameter_files, scope, snapshot_of
from shared.access import routing
from shared.access.rules import RULES
from shared.access.terms import Terms
from shared.azure.settings import CONTAINER, POLICIES, QUEUE, Settings

ROOT = INFRA.parent
NAMES = names()
HOSTS_OWN = {
    "AzureWebJobsStorage__credential",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
}
# A deployment that talks to Azure needs neither: the defaults are right.
LEFT_ALONE = {"AzureWebJobsStorage", "AMLGUARD_LOGS_QUERY_ENDPOINT", "AMLGUARD_DEADLINE_SECONDS"}
EVENT_SUBSCRIPTIONS = "Microsoft.EventGrid/systemTopics/eventSubscriptions"
TOPICS = "Microsoft.EventGrid/systemTopics"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class WorkspaceAsks(dict[str, str]):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def get(self, name: str, default: str | None = None) -> str:  # type: ignore[override]  # settings are strings
        self.names.add(name)
        return default or ""


def test_every_shape_has_a_parameter_file_and_every_parameter_file_a_snapshot() -> None:
    shapes = {"one-subscription", "many-subscriptions", "management-group", "network-isolated", "read-only"}
    assert set(NAMES) >= {*shapes, "existing-topic", WHOLE}
    assert {path.name for path in (INFRA / "parameters").iterdir()} == {
        name for path in parameter_files() for name in (path.name, snapshot_of(path).name)
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_snapshot_is_whole_and_of_nobody(name: str) -> None:
    """The compiler had nothing to say; and there is nothing in it of the machine or the tenant that it was made on."""
    snapshot = load(name)
    assert snapshot["diagnostics"] == []
    subscriptions = {scope(one).split("/")[2] for one in made(name) if scope(one).startswith("/subscriptions/")}
    assert subscriptions <= {f"{digit * 8}-{digit * 4}-4{digit * 3}-8{digit * 3}-{digit * 12}" for digit in "123"}
    assert str(Path.home()) not in json.dumps(snapshot)


@pytest.mark.parametrize("name", [one for one in NAMES if f"{one}-events" in NAMES])
def test_the_second_pass_adds_the_events_and_changes_nothing_else(name: str) -> None:
    first, second = ({one["id"]: one for one in made(each)} for each in (name, f"{name}-events"))
    assert {key: second.get(key) for key in first} == first
    added = [one for key, one in second.items() if key not in first]
    assert {one["type"] for one in added} == {
        "Microsoft.Resources/resourceGroups",
        TOPICS,
        EVENT_SUBSCRIPTIONS,
        "Microsoft.Authorization/roleAssignments",
        "Microsoft.Insights/metricAlerts",
    }


@pytest.mark.parametrize("name", NAMES)
def test_app_settings_are_what_the_code_reads(name: str) -> None:
    given = {one["name"] for one in only("Microsoft.Web/sites", name)["properties"]["siteConfig"]["appSettings"]}
    asked = WorkspaceAsks()
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


@pytest.mark.parametrize("name", NAMES)
def test_outputs_are_the_settings_of_the_command_line(name: str) -> None:
    """With the values that the app itself is given."""
    asked = WorkspaceAsks()
    Settings.read(asked)
    assert asked.names >= AT_A_DESK
    settings = only("Microsoft.Web/sites", name)["properties"]["siteConfig"]["appSettings"]
    given = {one["name"]: one["value"] for one in settings}
    outputs = load(name)["outputs"]
    assert {one: outputs[one] for one in AT_A_DESK} == {one: given[one] for one in AT_A_DESK}
    guide = (ROOT / "docs" / "deploy.md").read_text("utf-8")
    assert [name for name in AT_A_DESK if f"`{name}`" not in guide] == []


def test_runtime_is_the_projects_python() -> None:
    wanted = (ROOT / ".python-version").read_text("utf-8").strip()
    app = only("Microsoft.Web/sites")
    assert app["properties"]["functionAppConfig"]["runtime"] == {"name": "python", "version": wanted}


@pytest.mark.parametrize("name", NAMES)
def test_storage_has_what_the_code_uses(name: str) -> None:
    queues = made(name, "Microsoft.Storage/storageAccounts/queueServices/queues")
    containers = made(name, "Microsoft.Storage/storageAccounts/blobServices/containers")
    assert {one["name"].rpartition("/")[2] for one in queues} == {QUEUE, f"{QUEUE}-poison"}
    assert {CONTAINER, POLICIES} <= {one["name"].rpartition("/")[2] for one in containers}


@pytest.mark.parametrize("name", NAMES)
def test_no_keys(name: str) -> None:
    account = only("Microsoft.Storage/storageAccounts", name)["properties"]
    assert (account["allowSharedKeyAccess"], account["allowBlobPublicAccess"]) == (False, False)
    assert only("Microsoft.Insights/components", name)["properties"]["DisableLocalAuth"] is True
    policies = made(name, "Microsoft.Web/sites/basicPublishingCredentialsPolicies")
    allowed = {one["name"].rpartition("/")[2]: one["properties"]["allow"] for one in policies}
    assert allowed == {"scm": False, "ftp": False}


def _tables() -> Json:
    found: Json = json.loads((INFRA / "tables.json").read_text("utf-8"))["tables"]
    return found


def test_streams_are_the_tables() -> None:
    rule = only("Microsoft.Insights/dataCollectionRules")["properties"]
    assert {name: stream["columns"] for name, stream in rule["streamDeclarations"].items()} == {
        table["stream"]: table["columns"] for table in _tables().values()
    }
    made_tables = made(WHOLE, "Microsoft.OperationalInsights/workspaces/tables")
    schemas = {one["properties"]["schema"]["name"]: one["properties"]["schema"]["columns"] for one in made_tables}
    assert schemas == {name: table["columns"] for name, table in _tables().items()}


# https://learn.microsoft.com/azure/templates/microsoft.insights/datacollectionrules#columndefinition
STREAM_TYPES = {"boolean", "datetime", "dynamic", "int", "long", "real", "string"}
# https://learn.microsoft.com/azure/templates/microsoft.operationalinsights/workspaces/tables#column
TABLE_TYPES = {"boolean", "dateTime", "dynamic", "guid", "int", "long", "real", "string"}


def test_columns_have_types_that_stream_and_table_know() -> None:
    """One list serves both, although they spell datetime differently: the stream's is exact, and the table's service
    answers with that spelling and takes it (Microsoft's own sample of a table has `type: 'datetime'`).
    """
    used = {column["type"] for table in _tables().values() for column in table["columns"]}
    assert used <= STREAM_TYPES
    assert used <= {one.lower() for one in TABLE_TYPES}


def _rights(document: Json) -> set[tuple[str, str, bool]]:
    """(role, place, whether with a condition). Installations have their own name for the custom role."""
    return {
        (
            one["role"].removesuffix(" (prod)"),
            one["on"].replace("changed", "watched"),
            "condition" in one,
        )
        for one in document["roleAssignments"]
    }


@pytest.mark.parametrize("name", [one for one in NAMES if one != "read-only"])
def test_every_right_of_the_access_file_is_deployed(name: str) -> None:
    assert _rights(access(name)) == _rights(written_access(name))
    (definition,) = made(name, "Microsoft.Authorization/roleDefinitions")
    assert definition["properties"]["permissions"] == written_access()["roleDefinition"]["permissions"]


def test_roles_of_the_access_file_are_azures() -> None:
    roles = json.loads((ROOT / "emulator" / "data" / "roles.json").read_text("utf-8"))
    written = written_access("many-subscriptions")
    assert "topic" in {one["on"] for one in written["roleAssignments"]}
    known = {role["name"]: role["roleName"] for role in [*roles, written["roleDefinition"]]}
    assert {one["id"]: one["role"] for one in written["roleAssignments"]}.items() <= known.items()


def test_read_only_gives_nothing_that_changes() -> None:
    """In the watched scopes: no role of its own, and of Azure's only what reads."""
    assert made("read-only", "Microsoft.Authorization/roleDefinitions") == []
    changed = {one["role"] for one in written_access()["roleAssignments"] if one["on"] == "changed"}
    left = {one for one in _rights(written_access()) if one[0] not in changed}
    assert _rights(access("read-only")) == left
    assert [one["id"] for one in access("read-only")["roleAssignments"] if one["on"] == "watched"] == [READER]


@pytest.mark.parametrize("name", NAMES)
def test_the_right_to_assign_roles_has_the_derived_condition(name: str) -> None:
    derived = json.loads((INFRA / "generated" / "derived.json").read_text("utf-8"))["condition"]
    conditions = {one["properties"].get("condition") for one in of_the_app(name)} - {None}
    assert conditions == (set() if name == "read-only" else {derived})


@pytest.mark.parametrize("name", NAMES)
def test_roles_are_named_by_the_documented_id_of_their_scope(name: str) -> None:
    """With the subscription; only at a management group is the form without it Azure's own.

    https://learn.microsoft.com/azure/templates/microsoft.authorization/roleassignments: subscriptionResourceId(...) or
    resourceId(...) for a subscription and a resource group, tenantResourceId(...) where there is no subscription.
    """
    for one in made(name, "Microsoft.Authorization/roleAssignments"):
        where = scope(one)
        subscription = "/".join(where.split("/")[:3]) if where.startswith("/subscriptions/") else ""
        role = one["properties"]["roleDefinitionId"]
        assert re.fullmatch(f"{subscription}/providers/Microsoft.Authorization/roleDefinitions/{GUID.pattern}", role)


@pytest.mark.parametrize("name", NAMES)
def test_the_custom_role_that_is_assigned_is_the_one_that_is_made(name: str) -> None:
    roles = {
        one["name"]: one["properties"]["assignableScopes"]
        for one in made(name, "Microsoft.Authorization/roleDefinitions")
    }
    for one in of_the_app(name):
        role = one["properties"]["roleDefinitionId"].rpartition("/")[2]
        if role in roles:
            assert scope(one) in roles[role]


def test_filters_let_every_watched_operation_through_once() -> None:
    subscriptions = generated.derived(Terms(table=RULES))["eventSubscriptions"]
    passed = [operation for one in subscriptions for operation in one["operations"]]
    assert sorted(passed) == sorted(routing.operations(RULES))
    assert all(len(one["operations"]) <= 25 for one in subscriptions)


@pytest.mark.parametrize("name", [one for one in NAMES if made(one, EVENT_SUBSCRIPTIONS)])
def test_every_topic_delivers_what_is_derived(name: str) -> None:
    wanted = json.loads((INFRA / "generated" / "derived.json").read_text("utf-8"))["eventSubscriptions"]
    topics: dict[str, list[Json]] = {}
    for one in made(name, EVENT_SUBSCRIPTIONS):
        (criterion,) = one["properties"]["filter"]["advancedFilters"]
        assert (criterion["operatorType"], criterion["key"]) == ("StringIn", "data.operationName")
        kinds = one["properties"]["filter"]["includedEventTypes"]
        told = {"name": one["name"].rpartition("/")[2], "eventTypes": kinds, "operations": criterion["values"]}
        topics.setdefault(one["id"].rpartition("/eventSubscriptions/")[0], []).append(told)
    assert len(topics) >= 1
    assert list(topics.values()) == [wanted] * len(topics)


def test_more_operations_than_a_filter_takes_are_split() -> None:
    subscriptions = list(generated.event_subscriptions([f"P/kind{n}/write" for n in range(60)]))
    assert [len(one["operations"]) for one in subscriptions] == [25, 25, 10]
    assert len({one["name"] for one in subscriptions}) == 3


def test_events_lead_to_the_function() -> None:
    destinations = {
        one["properties"]["destination"]["properties"]["resourceId"] for one in made(WHOLE, EVENT_SUBSCRIPTIONS)
    }
    (leads_to,) = destinations
    app, _, function = leads_to.partition("/functions/")
    assert app == only("Microsoft.Web/sites")["id"]
    assert f'@app.function_name("{function}")\n@app.event_grid_trigger' in (ROOT / "function_app.py").read_text("utf-8")


def test_a_rule_more_changes_filter_and_condition() -> None:
    """And the files of before are noticed: this is what the gate asks of the files that are there."""
    need = next(rule for rule in RULES if rule.grants and not Terms(table=RULES).enabled(rule)).grants[0]
    base = next(rule for rule in RULES if Terms(table=RULES).enabled(rule) and rule.grants)
    more = replace(base, name="new", grants=(need,), watches=("Microsoft.New/things",))
    before, after = (generated.derived(Terms(table=rules)) for rules in (RULES, (*RULES, more)))
    assert need.role_id in after["condition"]
    assert need.role_id not in before["condition"]
    passed = {operation for one in after["eventSubscriptions"] for operation in one["operations"]}
    assert {"Microsoft.New/things/write", "Microsoft.New/things/delete"} <= passed
    assert stale() == []
    assert INFRA / "generated" / "derived.json" in stale(rules=(*RULES, more))
