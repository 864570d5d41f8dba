"""What azure-ai-ml asks of Azure Machine Learning besides workspaces, computes and endpoints.

azure-ai-ml 1.35 says what it takes: the status of each write, and fields that it reads without a look whether they are
there (`flavors` of a model, `scaleSettings` of a deployment).
"""

import pytest
from emulator_units.arm_calls import RG, SUB, WORKSPACE, Azure, resource

AML = "?api-version=2024-10-01"
COMPUTE = f"{WORKSPACE}/computes/ci1"
ENDPOINT = f"{WORKSPACE}/onlineEndpoints/infer"


def azure() -> Azure:
    return Azure({"resources": [resource(one) for one in (WORKSPACE, COMPUTE, ENDPOINT)]})


@pytest.mark.parametrize("kind", ["environments", "data", "models", "components", "codes"])
def test_the_first_version_makes_the_asset(kind: str) -> None:
    one = azure()
    assert one.refusal("GET", f"{WORKSPACE}/{kind}/a{AML}").status == 404
    one.ask("PUT", f"{WORKSPACE}/{kind}/a/versions/1{AML}", {"properties": {}})
    one.ask("PUT", f"{WORKSPACE}/{kind}/a/versions/2{AML}", {"properties": {}})
    asset = one.ask("GET", f"{WORKSPACE}/{kind}/a{AML}").body
    assert (asset["name"], asset["properties"]["latestVersion"]) == ("a", "2")
    assert len(one.ask("GET", f"{WORKSPACE}/{kind}/a/versions{AML}").body["value"]) == 2


def test_no_version_without_a_workspace() -> None:
    missing = f"{RG}/providers/Microsoft.MachineLearningServices/workspaces/none"
    assert azure().refusal("PUT", f"{missing}/models/a/versions/1{AML}", {"properties": {}}).status == 404


@pytest.mark.parametrize("action", ["start", "stop", "restart"])
async def test_an_instance_starts_and_stops_in_a_while(action: str) -> None:
    answer = azure().ask("POST", f"{COMPUTE}/{action}{AML}")
    assert (answer.status, answer.body) == (202, None)
    assert "Location" in answer.headers


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("connections/con", {"properties": {"category": "ContainerRegistry", "authType": "None", "target": "t"}}),
        ("outboundRules/pypi", {"properties": {"type": "FQDN", "destination": "pypi.org"}}),
    ],
)
def test_connections_and_rules_are_there_at_once(path: str, body: dict[str, object]) -> None:
    assert azure().ask("PUT", f"{WORKSPACE}/{path}{AML}", body).status == 200


def test_what_a_client_reads_without_a_look_is_there() -> None:
    one = azure()
    model = one.ask("PUT", f"{WORKSPACE}/models/m/versions/1{AML}", {"properties": {}}).body
    deployment = one.ask("PUT", f"{ENDPOINT}/deployments/blue{AML}", {"properties": {}}).body
    assert model["properties"]["flavors"] == {}
    assert deployment["properties"]["scaleSettings"] == {"scaleType": "Default"}


def test_sizes_for_computes() -> None:
    where = f"{SUB}/providers/Microsoft.MachineLearningServices/locations/westeurope/vmSizes"
    found = azure().ask("GET", where + AML).body["value"]
    assert "STANDARD_DS3_V2" in {one["name"] for one in found}
