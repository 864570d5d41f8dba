"""What the management SDKs ask besides resources, as `make clients` plays it.

Where an answer comes from is said in the module that gives it.
"""

import pytest
from emulator_units.arm_calls import REGISTRY, RG, STORAGE, SUB, UAI, VAULT, WORKSPACE, Azure, resource
from emulator_units.eventually import eventually

GROUP = f"{RG}/providers/Microsoft.ContainerInstance/containerGroups/cg"
TABLE = f"{STORAGE}/tableServices/default/tables/runs"
AML_REGISTRY = f"{RG}/providers/Microsoft.MachineLearningServices/registries/shared"
COMPUTE = f"{WORKSPACE}/computes/ci1"
DCR = f"{RG}/providers/Microsoft.Insights/dataCollectionRules/dcr"


def azure() -> Azure:
    workspace = resource(WORKSPACE, identity={"type": "SystemAssigned", "principalId": "p1"})
    others = [resource(one) for one in (STORAGE, VAULT, GROUP, UAI, AML_REGISTRY, COMPUTE)]
    return Azure({"resources": [workspace, resource(REGISTRY, sku={"name": "Standard"}), *others]})


@pytest.mark.parametrize(
    ("owner", "version", "groups"),
    [
        (STORAGE, "2022-09-01", ["blob", "table", "queue", "file", "web", "dfs"]),
        (VAULT, "2023-07-01", ["vault"]),
        (REGISTRY, "2025-11-01", ["registry"]),
        (WORKSPACE, "2025-12-01", ["amlworkspace"]),
        (AML_REGISTRY, "2022-10-01-preview", ["amlregistry"]),
    ],
)
def test_what_a_private_endpoint_can_lead_to(owner: str, version: str, groups: list[str]) -> None:
    one = azure()
    listed = one.ask("GET", f"{owner}/privateLinkResources?api-version={version}").body["value"]
    assert [found["properties"]["groupId"] for found in listed] == groups
    assert one.ask("GET", f"{listed[0]['id']}?api-version={version}").body == listed[0]
    assert one.refusal("GET", f"{owner}/privateLinkResources/other?api-version={version}").status == 404
    assert one.refusal("GET", f"{owner}x/privateLinkResources?api-version={version}").status == 404


@pytest.mark.parametrize(
    ("provider", "version", "name"),
    [
        ("Microsoft.Storage", "2026-09-01", "StorageAccounts"),
        ("Microsoft.ContainerInstance", "2023-05-01", "ContainerGroups"),
    ],
)
def test_how_much_there_is_in_a_region(provider: str, version: str, name: str) -> None:
    def used(region: str) -> int:
        target = f"{SUB}/providers/{provider}/locations/{region}/usages?api-version={version}"
        [found] = azure().ask("GET", target).body["value"]
        assert (found["name"]["value"], found["unit"]) == (name, "Count")
        return int(found["currentValue"])

    assert (used("westeurope"), used("northeurope")) == (1, 0)


def test_how_much_there_is_in_a_registry() -> None:
    one = azure()
    one.ask("PUT", f"{REGISTRY}/webhooks/hook?api-version=2025-11-01", {"location": "westeurope"})
    listed = one.ask("GET", f"{REGISTRY}/listUsages?api-version=2025-11-01").body["value"]
    assert [(found["name"], found["limit"], found["currentValue"]) for found in listed] == [
        ("Size", 100 * 1024**3, 0),
        ("Webhooks", 10, 1),
    ]


def test_a_workspaces_identity_as_a_resource() -> None:
    one, below = azure(), "providers/Microsoft.ManagedIdentity/identities"
    found = one.ask("GET", f"{WORKSPACE}/{below}/default?api-version=2024-11-30").body
    assert (found["name"], found["properties"]["principalId"]) == ("default", "p1")
    assert one.refusal("GET", f"{WORKSPACE}/{below}/other?api-version=2024-11-30").status == 404
    assert one.refusal("GET", f"{STORAGE}/{below}/default?api-version=2024-11-30").status == 404


async def test_containers_stop_and_start() -> None:
    one, version = azure(), "api-version=2023-05-01"

    def state() -> str:
        return str(one.ask("GET", f"{GROUP}?{version}").body["properties"]["instanceView"]["state"])

    assert one.ask("POST", f"{GROUP}/stop?{version}").status == 204
    assert state() == "Stopped"
    assert one.ask("POST", f"{GROUP}/start?{version}").status == 202
    assert state() == "Running"
    assert one.ask("GET", f"{GROUP}/containers/one/logs?{version}").body == {"content": ""}
    assert one.refusal("GET", f"{GROUP}x/containers/one/logs?{version}").status == 404


def test_a_table_needs_no_body_and_all_else_does() -> None:
    one, version = azure(), "api-version=2023-01-01"
    assert one.ask("PUT", f"{TABLE}?{version}", None).status == 200
    assert one.refusal("PUT", f"{STORAGE}/queueServices/default/queues/q?{version}", None).status == 400
    assert one.refusal("PUT", f"{VAULT}?api-version=2023-07-01", None).status == 400


@pytest.mark.parametrize("spark", [True, False])
async def test_a_managed_network_is_provisioned_in_a_while(spark: bool) -> None:
    one, version = azure(), "api-version=2024-04-01"
    begun = one.ask("POST", f"{WORKSPACE}/provisionManagedNetwork?{version}", {"includeSpark": spark})
    assert (begun.status, begun.body) == (202, None)
    status = {"status": "Active", "sparkReady": spark}
    location = begun.headers["Location"].removeprefix("https://127.0.0.1:1")
    assert one.ask("GET", location).status == 202
    await eventually(lambda: one.ask("GET", location).status == 200)
    assert one.ask("GET", location).body == status
    assert one.ask("GET", f"{WORKSPACE}?{version}").body["properties"]["managedNetwork"]["status"] == status


@pytest.mark.parametrize(("version", "status"), [("2022-10-01-preview", 202), ("2023-04-01", 201), ("2025-12-01", 201)])
async def test_a_registry_of_aml_answers_as_its_version_says(version: str, status: int) -> None:
    """Recorded: 202 without a body. From 2023-04-01 on the specification has 200 and 201 only."""
    made = azure().ask("PUT", f"{AML_REGISTRY}2?api-version={version}", {"location": "westeurope", "properties": {}})
    assert (made.status, made.body is None) == (status, status == 202)


@pytest.mark.parametrize(
    ("action", "version", "status"),
    [
        (f"{WORKSPACE}/resyncKeys", "2020-08-01", 200),
        (f"{WORKSPACE}/resyncKeys", "2024-04-01", 202),
        (f"{COMPUTE}/start", "2020-08-01", 200),
        (f"{COMPUTE}/start", "2021-04-01", 202),
        (f"{COMPUTE}/restart", "2021-04-01", 200),
        (f"{COMPUTE}/restart", "2023-04-01", 202),
    ],
)
async def test_older_versions_act_at_once(action: str, version: str, status: int) -> None:
    """As the examples of azure-rest-api-specs say: resyncKeys.json and restart.json have 202 from 2021-07-01 on.

    The answer of resyncKeys in 2024-04-01 was recorded.
    """
    one = azure()
    answer = one.ask("POST", f"{action}?api-version={version}")
    assert (answer.status, "Location" in answer.headers) == (status, status == 202)
    if "resync" in action:
        assert bool(one.tenant.synced_keys) is (status == 200)


def test_an_alert_has_no_provisioning_state() -> None:
    alert = f"{RG}/providers/Microsoft.Insights/scheduledQueryRules/many"
    made = azure().ask("PUT", f"{alert}?api-version=2023-12-01", {"location": "westeurope", "properties": {}})
    assert (made.status, made.headers) == (201, {})
    assert "provisioningState" not in made.body["properties"]


def test_an_association_of_a_rule_is_below_what_it_is_about() -> None:
    one, version = azure(), "api-version=2023-03-11"
    below = f"{VAULT}/providers/Microsoft.Insights/dataCollectionRuleAssociations"
    made = one.ask("PUT", f"{below}/a?{version}", {"properties": {"dataCollectionRuleId": DCR}})
    assert (made.status, made.headers) == (201, {})
    assert [found["name"] for found in one.ask("GET", f"{below}?{version}").body["value"]] == ["a"]
