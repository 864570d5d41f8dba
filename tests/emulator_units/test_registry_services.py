"""Services that run images of a registry, as Azure shows them: without passwords, sites without configuration."""

from typing import Any

import pytest
from emulator_units.arm_calls import RG, SUB, WORKSPACE, Azure, resource

APP = f"{RG}/providers/Microsoft.App/containerApps/chat"
SITE = f"{RG}/providers/Microsoft.Web/sites/site"
SLOT = f"{SITE}/slots/staging"
POOL = f"{RG}/providers/Microsoft.Batch/batchAccounts/batch/pools/one"
GROUP = f"{RG}/providers/Microsoft.ContainerInstance/containerGroups/aci"
WEB, AML = "?api-version=2024-04-01", "?api-version=2025-12-01"
DOCKER = {"linuxFxVersion": "DOCKER|regml.azurecr.io/app:1", "acrUseManagedIdentityCreds": True}


def azure() -> Azure:
    credentials = [{"server": "regml.azurecr.io", "username": "regml", "password": "secret"}]
    registries = [{"server": "regml.azurecr.io", "username": "regml", "passwordSecretRef": "pw"}]
    app = {"configuration": {"registries": registries, "secrets": [{"name": "pw", "value": "secret"}]}}
    containers = {
        "containerRegistries": [{"registryServer": "regml.azurecr.io", "username": "regml", "password": "secret"}]
    }
    machines = {"virtualMachineConfiguration": {"containerConfiguration": containers}}
    return Azure(
        {
            "resources": [
                resource(APP, properties=app),
                resource(GROUP, properties={"imageRegistryCredentials": credentials}),
                resource(POOL.rpartition("/pools/")[0]),
                resource(POOL, properties={"deploymentConfiguration": machines}),
                resource(SITE, kind="app,linux,container", properties={"siteConfig": DOCKER}),
                resource(SLOT, kind="app,linux,container"),
            ]
        }
    )


@pytest.mark.parametrize(
    ("scope", "version"),
    [(APP, "2025-01-01"), (GROUP, "2023-05-01"), (POOL, "2024-07-01")],
)
def test_no_password_is_ever_shown(scope: str, version: str) -> None:
    one = azure()
    shown = one.ask("GET", f"{scope}?api-version={version}").body
    listed = one.ask("GET", f"{scope.rpartition('/')[0]}?api-version={version}").body
    assert "secret" not in str((shown, listed)).replace("'secrets'", "").replace("passwordSecretRef", "")
    assert "'username': 'regml'" in str(shown)
    assert "'username': 'regml'" in str(listed)


def test_names_of_secrets_are_shown() -> None:
    shown = azure().ask("GET", f"{APP}?api-version=2025-01-01").body
    assert shown["properties"]["configuration"]["secrets"] == [{"name": "pw"}]


@pytest.mark.parametrize("collection", [f"{SUB}/providers/Microsoft.Web/sites", f"{RG}/providers/Microsoft.Web/sites"])
def test_a_list_of_sites_leaves_their_configuration_out(collection: str) -> None:
    (listed,) = azure().ask("GET", f"{collection}{WEB}").body["value"]
    assert (listed["id"], listed["properties"]["siteConfig"]) == (SITE, None)


def test_every_site_has_its_configuration() -> None:
    one = azure()
    config = one.ask("GET", f"{SITE}/config/web{WEB}").body
    assert config["type"] == "Microsoft.Web/sites/config"
    assert config["properties"] | DOCKER == config["properties"]
    assert one.ask("GET", f"{SLOT}/config/web{WEB}").body["properties"]["linuxFxVersion"] == ""
    assert one.refusal("GET", f"{SITE}/config/other{WEB}").status == 404
    assert one.refusal("GET", f"{SITE}-gone/config/web{WEB}").status == 404


def test_a_configuration_that_was_written_is_the_one_that_counts() -> None:
    one = azure()
    one.ask("PUT", f"{SITE}/config/web{WEB}", {"properties": {"linuxFxVersion": "PYTHON|3.13"}})
    written = one.ask("GET", f"{SITE}/config/web{WEB}").body["properties"]
    assert (written["linuxFxVersion"], written["acrUseManagedIdentityCreds"]) == ("PYTHON|3.13", False)


def test_the_list_of_all_resources_has_slots() -> None:
    asked = f"{SUB}/resources?$filter=resourceType%20eq%20'Microsoft.Web/sites/slots'&api-version=2022-12-01"
    assert [one["id"] for one in azure().ask("GET", asked).body["value"]] == [SLOT]


@pytest.mark.parametrize("scope", [APP, SITE, POOL])
def test_an_api_version_that_does_not_exist_is_refused(scope: str) -> None:
    assert azure().refusal("GET", f"{scope}?api-version=2020-02-02").code == "NoRegisteredProviderFound"


class TestJobs:
    def workspace(self, *jobs: dict[str, Any]) -> Azure:
        return Azure({"resources": [resource(WORKSPACE), *jobs]})

    def test_are_listed_from_the_newest(self) -> None:
        days = [3, 9, 1, 7, 5]
        made = [
            resource(f"{WORKSPACE}/jobs/j{day}", systemData={"createdAt": f"2026-11-0{day}T00:00:00Z"}) for day in days
        ]
        listed = self.workspace(*made).ask("GET", f"{WORKSPACE}/jobs{AML}").body["value"]
        assert [one["name"] for one in listed] == ["j9", "j7", "j5", "j3", "j1"]

    @pytest.mark.parametrize(
        "properties", [{}, {"jobType": "Magic"}, {"jobType": "Command", "computeId": f"{WORKSPACE}/computes/gone"}]
    )
    def test_that_azure_would_refuse_are_refused(self, properties: dict[str, Any]) -> None:
        one = self.workspace()
        assert one.refusal("PUT", f"{WORKSPACE}/jobs/j{AML}", {"properties": properties}).status == 400

    def test_may_name_no_compute_or_one_that_is_there(self) -> None:
        one = self.workspace(resource(f"{WORKSPACE}/computes/cpu1"))
        for properties in ({}, {"computeId": f"{WORKSPACE}/computes/CPU1"}):
            body = {"properties": {"jobType": "Command", **properties}}
            assert one.ask("PUT", f"{WORKSPACE}/jobs/j{AML}", body).status in (200, 201)
