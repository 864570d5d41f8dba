"""The demo plays under what infra/ deploys: the rights of app_access.json, the app settings of a snapshot.

The whole of it is played, and all its checks are held, by `make demo`, which the gate runs after `make test`.
"""

import json
from pathlib import Path

import pytest
from deployments import written_access

from emulator import app_settings
from emulator.app_settings import AppSettingsError
from emulator.options import Options
from infra.check import INFRA
from infra.snapshots import made, names


def test_the_local_azure_has_the_rights_and_tables_of_infra() -> None:
    """Those of a deployment with a topic, unless a test says otherwise; the demo does not."""
    options = Options()
    assert json.loads(options.access.read_text("utf-8")) == written_access("many-subscriptions")
    assert [path.parent for path in options.tables] == [INFRA, INFRA]


@pytest.mark.parametrize("name", names())
def test_the_local_azure_knows_every_setting_that_is_deployed(name: str) -> None:
    """The same ones whatever the parameters: so it may go by one snapshot."""
    (app,) = made(name, "Microsoft.Web/sites")
    given = [one["name"] for one in app["properties"]["siteConfig"]["appSettings"]]
    assert list(app_settings.written()) == given


def test_literals_are_taken_and_expressions_looked_up(tmp_path: Path) -> None:
    account = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/store"
    settings = {
        "A": "as it is",
        "B": f"[reference('{account}', '2025-08-01').primaryEndpoints.blob]",
        "C": "[environment().resourceManager]",
    }
    site = {"appSettings": [{"name": name, "value": value} for name, value in settings.items()]}
    snapshot = {"predictedResources": [{"type": "Microsoft.Web/sites", "properties": {"siteConfig": site}}]}
    (tmp_path / "snapshot.json").write_text(json.dumps(snapshot), "utf-8")
    written = app_settings.written(tmp_path / "snapshot.json")
    blob, cloud = "Microsoft.Storage/storageAccounts primaryEndpoints.blob", "environment().resourceManager"
    assert app_settings.deployed(written, {blob: "b", cloud: "c"}) == {"A": "as it is", "B": "b", "C": "c"}
    with pytest.raises(AppSettingsError, match=r"B: .* Microsoft.Storage/storageAccounts primaryEndpoints\.blob"):
        app_settings.deployed(written, {cloud: "c"})


def test_an_expression_that_nobody_knows_is_no_value() -> None:
    """Never taken for a literal, which the app would then be started with."""
    with pytest.raises(AppSettingsError, match=r"nothing for \[parameters\('x'\)\]"):
        app_settings.deployed({"A": "[parameters('x')]"}, {})
