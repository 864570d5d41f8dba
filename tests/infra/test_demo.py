"""The demo plays under what infra/ deploys: the rights of app_access.json, the app settings of the Bicep."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from bicep import access, resources

from emulator import app_settings
from emulator.app_settings import AppSettingsError
from emulator.options import Options
from infra.check import INFRA, ROOT


def test_the_whole_demo() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "emulator.demo", "--plain"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "checks hold" in ended.stdout


def test_the_local_azure_has_the_rights_and_tables_of_infra() -> None:
    """Unless a test says otherwise; the demo does not."""
    options = Options()
    assert json.loads(options.access.read_text("utf-8")) == access()
    assert [path.parent for path in options.tables] == [INFRA, INFRA]


def test_the_local_azure_reads_the_settings_that_the_bicep_has() -> None:
    (app,) = resources("modules/function-app.bicep", "Microsoft.Web/sites")
    given = [one["name"] for one in app["properties"]["siteConfig"]["appSettings"]]
    assert list(app_settings.written()) == given


def test_literals_are_taken_and_expressions_looked_up(tmp_path: Path) -> None:
    bicep = tmp_path / "app.bicep"
    bicep.write_text("  {\n    name: 'A'\n    value: 'as it is'\n  }\n  {\n    name: 'B'\n    value: some.thing\n  }\n")
    written = app_settings.written(bicep)
    assert app_settings.deployed(written, {"some.thing": "known"}) == {"A": "as it is", "B": "known"}
    with pytest.raises(AppSettingsError, match=r"B: .* some\.thing"):
        app_settings.deployed(written, {})
