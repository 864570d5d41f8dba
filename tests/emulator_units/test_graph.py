"""Resource Graph over a tenant, as one caller sees it."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from emulator.clock import Clock
from emulator.errors import AzureError
from emulator.resource_graph.graph import ResourceGraph
from emulator.tenant import Tenant

type Json = dict[str, Any]

CALLER = "00000000-0000-0000-0000-0000000000f1"
SUB, OTHER = "00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b"
RG = f"/subscriptions/{SUB}/resourceGroups/ML-Prod"
WS = f"{RG}/providers/Microsoft.MachineLearningServices/workspaces/ws1"
ACR = f"{RG}/providers/Microsoft.ContainerRegistry/registries/acrml1"
FAR = f"/subscriptions/{OTHER}/resourceGroups/far/providers/Microsoft.Storage/storageAccounts/far"
READER = "/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"


def assigned(scope: str, name: str) -> Json:
    properties = {"scope": scope, "principalId": CALLER, "principalType": "User", "roleDefinitionId": READER}
    prefix = "" if scope == "/" else scope
    return {
        "id": f"{prefix}/providers/Microsoft.Authorization/roleAssignments/{name}",
        "name": name,
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": properties,
    }


DOCUMENT: Json = {
    "resources": [
        {"id": RG, "location": "West Europe", "tags": {"team": "ml"}},
        {
            "id": WS,
            "type": "Microsoft.MachineLearningServices/workspaces",
            "location": "West Europe",
            "kind": "Default",
            "properties": {"containerRegistry": ACR.lower(), "hbiWorkspace": False},
        },
        {"id": f"{WS}/computes/cluster", "location": "westeurope", "properties": {"computeType": "AmlCompute"}},
        {"id": f"{WS}/datastores/data", "properties": {}},
        {"id": f"{WS}/connections/con", "properties": {}},
        {"id": f"{WS}/onlineEndpoints/infer", "location": "westeurope", "properties": {}},
        {"id": f"{WS}/onlineEndpoints/infer/deployments/blue", "location": "westeurope", "properties": {}},
        {"id": f"{WS}/batchEndpoints/batch", "location": "westeurope", "properties": {}},
        {"id": ACR, "location": "westeurope", "sku": {"name": "Basic"}, "properties": {"adminUserEnabled": True}},
        {"id": f"{ACR}/providers/Microsoft.Insights/diagnosticSettings/x", "properties": {}},
        {"id": FAR, "location": "westeurope", "properties": {}},
    ],
    "roleAssignments": [
        assigned("/providers/Microsoft.Management/managementGroups/top", "at-top"),
        assigned(f"/subscriptions/{SUB}", "at-sub"),
        assigned(ACR, "at-acrml"),
        assigned(f"/subscriptions/{OTHER}", "at-other"),
    ],
    "managementGroups": [{"name": "top", "subscriptions": [SUB]}],
}


def graph(
    can_read: Callable[[str, str], bool] = lambda _, __: True, document: Json = DOCUMENT, **options: Any
) -> ResourceGraph:
    return ResourceGraph(Tenant(document), can_read, Clock(), **{"throttles": False, **options})


def rows(query: str, service: ResourceGraph | None = None, **body: Any) -> list[Json]:
    answer, _ = (service or graph()).query(CALLER, {"query": query, **body})
    data: list[Json] = answer["data"]
    return data


def details(service: ResourceGraph, body: Json) -> tuple[int, str, list[Json]]:
    with pytest.raises(AzureError) as refused:
        service.query(CALLER, body)
    error = refused.value.body()["error"]
    return refused.value.status, error["code"], error["details"]


def test_a_registry_leads_to_its_workspaces() -> None:
    query = (
        "resources | where type =~ 'Microsoft.MachineLearningServices/workspaces' "
        f"| where tolower(tostring(properties.containerRegistry)) == '{ACR.lower()}' "
        "| project id, name | order by id asc"
    )
    assert rows(query) == [{"id": WS, "name": "ws1"}]
    assert rows(query.replace("acrml1", "acrml2")) == []


def test_a_row_has_the_columns_of_the_service() -> None:
    [row] = rows("Resources | where name == 'ws1'")
    properties = row.pop("properties")
    assert properties == {"containerRegistry": ACR.lower(), "hbiWorkspace": False}
    absent = dict.fromkeys(("sku", "plan", "tags", "identity", "zones", "extendedLocation"))
    assert row == absent | {
        "id": WS,
        "name": "ws1",
        "type": "microsoft.machinelearningservices/workspaces",
        "tenantId": Tenant(DOCUMENT).tenant_id,
        "kind": "Default",
        "location": "westeurope",
        "resourceGroup": "ml-prod",
        "subscriptionId": SUB,
        "managedBy": "",
    }


def test_computes_datastores_connections_and_extensions_are_unknown() -> None:
    assert [row["type"] for row in rows("resources | project type | order by type asc")] == [
        "microsoft.containerregistry/registries",
        "microsoft.machinelearningservices/workspaces",
        "microsoft.machinelearningservices/workspaces/batchendpoints",
        "microsoft.machinelearningservices/workspaces/onlineendpoints",
        "microsoft.machinelearningservices/workspaces/onlineendpoints/deployments",
        "microsoft.storage/storageaccounts",
    ]


def test_a_query_without_table_asks_resources() -> None:
    assert rows("where type has 'registries' | project name") == [{"name": "acrml1"}]


def test_containers() -> None:
    assert rows("ResourceContainers | project type, name, resourceGroup | order by type asc, name asc") == [
        {"type": "microsoft.management/managementgroups", "name": "top", "resourceGroup": ""},
        {"type": "microsoft.resources/subscriptions", "name": SUB, "resourceGroup": ""},
        {"type": "microsoft.resources/subscriptions", "name": OTHER, "resourceGroup": ""},
        {"type": "microsoft.resources/subscriptions/resourcegroups", "name": "ML-Prod", "resourceGroup": "ml-prod"},
        {"type": "microsoft.resources/subscriptions/resourcegroups", "name": "far", "resourceGroup": "far"},
    ]


def test_scopes_limit_the_rows() -> None:
    query = "resources | where type has 'storageaccounts' or type has 'registries' | project name"
    assert rows(query, subscriptions=[OTHER.upper()]) == [{"name": "far"}]
    assert rows(query, managementGroups=["Top"]) == [{"name": "acrml1"}]
    assert len(rows(query, subscriptions=[OTHER], managementGroups=["top"])) == 2


@pytest.mark.parametrize(
    ("scope_filter", "expected"),
    [
        (None, ["at-acrml", "at-sub"]),
        ("AtScopeAndBelow", ["at-acrml", "at-sub"]),
        ("AtScopeExact", ["at-sub"]),
        ("AtScopeAndAbove", ["at-sub", "at-top"]),
        ("atscopeaboveandbelow", ["at-acrml", "at-sub", "at-top"]),
    ],
)
def test_role_assignments_by_scope_filter(scope_filter: str | None, expected: list[str]) -> None:
    query = (
        "authorizationresources | where type =~ 'microsoft.authorization/roleassignments' "
        f"| where tostring(properties.principalId) =~ '{CALLER.upper()}' | project name | order by name asc"
    )
    options = {} if scope_filter is None else {"authorizationScopeFilter": scope_filter}
    assert rows(query, subscriptions=[SUB], options=options) == [{"name": name} for name in expected]


def test_role_definitions_are_there_for_joins() -> None:
    query = (
        "authorizationresources | where type =~ 'microsoft.authorization/roleassignments' and name == 'at-acrml' "
        "| extend role = tolower(tostring(properties.roleDefinitionId)) | join kind=inner ("
        "authorizationresources | where type =~ 'microsoft.authorization/roledefinitions' "
        "| extend role = tolower(id), roleName = tostring(properties.roleName)) on role | project name, roleName"
    )
    assert rows(query) == [{"name": "at-acrml", "roleName": "Reader"}]


def test_only_what_the_caller_may_read() -> None:
    service = graph(lambda principal, resource: principal == CALLER and "/registries/" in resource)
    assert rows("resources | project name", service) == [{"name": "acrml1"}]
    assert rows("resources | summarize n = count()", service) == [{"n": 1}]
    assert rows("resourcecontainers", service) == []
    assert service.query("somebody else", {"query": "resources"})[0]["data"] == []


def test_named_scopes_without_any_access_are_forbidden() -> None:
    service = graph(lambda _, resource: SUB in resource)
    body = {"query": "resources", "subscriptions": [OTHER]}
    assert details(service, body)[:2] == (403, "AccessDenied")
    assert rows("resources | where name == 'nothing'", service, subscriptions=[OTHER, SUB]) == []


def registries(count: int) -> Json:
    return {"resources": [{"id": ACR + f"{at:04d}", "location": "westeurope"} for at in range(count)]}


def test_pages_hold_a_thousand_rows_and_together_every_row_once() -> None:
    service, seen = graph(document=registries(2500)), list[str]()
    options: Json = {}
    for expected in (1000, 1000, 500):
        answer, _ = service.query(CALLER, {"query": "resources | project id | order by id asc", "options": options})
        assert (answer["totalRecords"], answer["count"], answer["facets"]) == (2500, expected, [])
        assert answer["resultTruncated"] == "false"
        seen += [row["id"] for row in answer["data"]]
        options = {"$skipToken": answer.get("$skipToken")}
    assert options == {"$skipToken": None}
    assert seen == [ACR + f"{at:04d}" for at in range(2500)]


def test_pages_show_the_tenant_as_it_was_at_the_first() -> None:
    tenant = Tenant(registries(3))
    service = ResourceGraph(tenant, lambda _, __: True, throttles=False)
    body = {"query": "resources | project id | order by id asc", "options": {"$top": 2}}
    first, _ = service.query(CALLER, body)
    del tenant.resources[f"{ACR}0000".lower()]
    body["options"] = {"$skipToken": first["$skipToken"]}
    assert [row["id"] for row in service.query(CALLER, body)[0]["data"]] == [f"{ACR}0002"]
    assert rows("resources | count", service) == [{"Count": 2}]


def test_no_skip_token_without_id_or_with_take() -> None:
    service = graph(document=registries(3))
    for query in ("resources | project name", "resources | limit 3"):
        answer, _ = service.query(CALLER, {"query": query, "options": {"$top": 2}})
        assert "$skipToken" not in answer
        assert (answer["count"], answer["resultTruncated"]) == (2, "true")
    answer, _ = service.query(CALLER, {"query": "resources | project name"})
    assert answer["resultTruncated"] == "false"


def test_skip_is_ignored_with_take() -> None:
    service, options = graph(document=registries(3)), {"$skip": 2}
    assert len(rows("resources | project id", service, options=options)) == 1
    assert len(rows("resources | project id | take 3", service, options=options)) == 3


def test_table_format() -> None:
    query = "resources | where name == 'acrml1' | project name, sku, n = 1, b = true"
    answer, _ = graph().query(CALLER, {"query": query, "options": {"resultFormat": "table"}})
    assert graph().query(CALLER, {"query": query}, as_table=True)[0] == answer
    assert (
        graph().query(CALLER, {"query": query, "options": {"resultFormat": "objectArray"}}, as_table=True)[0] != answer
    )
    assert answer["data"] == {
        "columns": [
            {"name": "name", "type": "string"},
            {"name": "sku", "type": "object"},
            {"name": "n", "type": "integer"},
            {"name": "b", "type": "boolean"},
        ],
        "rows": [["acrml1", {"name": "Basic"}, 1, True]],
    }


@pytest.mark.parametrize(
    ("query", "code", "token"),
    [
        ("resources | where type ==", "ParserFailure", "<EOF>"),
        ("resources | parse id with 'a' b", "ParserFailure", "parse"),
        ("let a = 1; resources", "InvalidQueryLanguage", "let"),
        ("resources | project-keep id", "InvalidQueryLanguage", "project-keep"),
        ("resources | join kind=leftanti (resources) on id", "InvalidQueryLanguage", "leftanti"),
        ("resources | where nothing == 1", "SemanticError", None),
    ],
)
def test_bad_queries_are_invalid_queries(query: str, code: str, token: str | None) -> None:
    status, outer, (first, second) = details(graph(), {"query": query})
    assert (status, outer, first["code"]) == (400, "BadRequest", "InvalidQuery")
    assert (second["code"], second.get("token")) == (code, token)


def test_unknown_table_is_disallowed() -> None:
    _, _, [detail] = details(graph(), {"query": "advisorresources | take 1"})
    assert detail["code"] == "DisallowedLogicalTableName"
    assert "advisorresources" in detail["message"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        None,
        [],
        {"query": "  "},
        {"query": "resources", "subscriptions": [SUB] * 1001},
        {"query": "resources", "subscriptions": SUB},
        {"query": "resources", "managementGroups": ["top"] * 11},
        {"query": "resources", "options": {"$top": 1001}},
        {"query": "resources", "options": {"$top": 0}},
        {"query": "resources", "options": {"$skip": "1"}},
        {"query": "resources", "options": {"$skipToken": "bm90aGluZw=="}},
        {"query": "resources", "options": {"resultFormat": "csv"}},
        {"query": "resources", "options": {"authorizationScopeFilter": "Everywhere"}},
        {"query": "resources", "options": []},
        {"query": "resources", "facets": [{"expression": "type"}]},
    ],
)
def test_bad_bodies_are_bad_requests(body: Any) -> None:
    assert details(graph(), body)[:2] == (400, "BadRequest")


def test_a_skip_token_is_bound_to_query_scopes_and_caller() -> None:
    service = graph(document=registries(3))
    body = {"query": "resources | project id", "options": {"$top": 1}}
    token = service.query(CALLER, body)[0]["$skipToken"]
    later = {**body, "options": {"$skipToken": token}}
    assert service.query(CALLER, later)[0]["count"] == 1
    for change in ({"query": "resources | project id, name"}, {"subscriptions": [SUB]}):
        assert details(service, {**later, **change})[2][0]["code"] == "InvalidSkipToken"
    with pytest.raises(AzureError, match="BadRequest"):
        service.query("somebody else", later)


def test_fifteen_queries_in_five_seconds() -> None:
    now = [100.0]
    service = graph(throttles=True, seconds=lambda: now[0])
    left = [service.query(CALLER, {"query": "resources"})[1] for _ in range(15)]
    assert left[0] == {"x-ms-user-quota-remaining": "14", "x-ms-user-quota-resets-after": "00:00:05"}
    assert left[-1]["x-ms-user-quota-remaining"] == "0"
    now[0] += 2.5
    with pytest.raises(AzureError) as refused:
        service.query(CALLER, {"query": "resources"})
    assert (refused.value.status, refused.value.code) == (429, "RateLimiting")
    assert refused.value.headers["x-ms-user-quota-resets-after"] == "00:00:03"
    assert service.query("somebody else", {"query": "resources"})[1]["x-ms-user-quota-remaining"] == "14"
    now[0] += 2.5
    assert service.query(CALLER, {"query": "resources"})[1]["x-ms-user-quota-remaining"] == "14"


def test_without_throttling_the_quota_says_that_nobody_has_to_wait() -> None:
    service = graph(throttles=False, seconds=lambda: 100.0)
    left = [service.query(CALLER, {"query": "resources"})[1]["x-ms-user-quota-remaining"] for _ in range(30)]
    assert (left[0], left[-1]) == ("14999", "14970")


def test_rows_that_a_where_drops_are_not_checked_for_access() -> None:
    calls: list[str] = []

    def can_read(_principal: str, resource: str) -> bool:
        calls.append(resource)
        return True

    rows("resources | where name == 'acrml10042' | project id", graph(can_read, registries(10_000)))
    assert calls == [f"{ACR}0042"]


def test_a_skip_token_of_another_cluster_says_only_where_to_go_on() -> None:
    """Recorded: azure-cli-extensions, resource-graph, test_skip_token_query."""
    cluster = "https://arg-weu-four-sf.arg.core.windows.net"
    told = {"$id": "1", "MaxRows": 2, "RowsToSkip": 1, "KustoClusterUrl": cluster}
    token = base64.b64encode(json.dumps(told).encode()).decode()
    body = {"query": "resources | project id", "options": {"$skipToken": token}}
    service = graph(document=registries(4))
    answer = service.query(CALLER, body)[0]
    every = service.query(CALLER, {"query": "resources | project id"})[0]["data"]
    assert answer["data"] == every[1:3]
    for wrong in ({"RowsToSkip": -1}, {"MaxRows": 0}, {"MaxRows": 1001}, {"RowsToSkip": "x"}):
        spoilt = base64.b64encode(json.dumps(told | wrong).encode()).decode()
        assert details(service, {**body, "options": {"$skipToken": spoilt}})[2][0]["code"] == "InvalidSkipToken"
