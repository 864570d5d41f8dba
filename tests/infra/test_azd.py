"""azd deploys what `make package` made, and asks for what docs/settings.md names."""

import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest
import yaml

from infra.check import INFRA, ROOT

AZURE_YAML: dict[str, Any] = yaml.safe_load((ROOT / "azure.yaml").read_text("utf-8"))
SERVICE: dict[str, Any] = AZURE_YAML["services"]["amlguard"]
PARAMETERS: dict[str, Any] = json.loads((INFRA / "main.parameters.json").read_text("utf-8"))["parameters"]


def test_azd_takes_the_staged_folder_and_builds_nothing() -> None:
    assert (ROOT / SERVICE["project"] / SERVICE["dist"]).resolve() == (ROOT / "build" / "package").resolve()
    assert SERVICE["remoteBuild"] is False
    runs = {one["run"].partition(" ")[2] for one in SERVICE["hooks"]["prepackage"].values()}
    assert runs == {"-m infra.package"}


def test_an_azd_that_would_build_it_all_the_same_is_refused() -> None:
    """`remoteBuild` came with 1.23.5 (Azure/azure-dev pull request 6748, its change log); before, it is passed over."""
    (least,) = re.findall(r"^>= (\d+)\.(\d+)\.(\d+)$", AZURE_YAML["requiredVersions"]["azd"])
    assert tuple(map(int, least)) >= (1, 23, 5)
    for document in ("README.md", "docs/deploy.md", "docs/adr/0022-a-package-with-its-packages.md"):
        assert f"azd {'.'.join(least)}" in (ROOT / document).read_text("utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="the hook of POSIX")
@pytest.mark.parametrize(("isolated", "code"), [("true", 1), ("false", 0), ("", 0)])
def test_azd_does_not_deploy_to_a_site_that_it_could_not_close_again(isolated: str, code: int) -> None:
    hook = AZURE_YAML["hooks"]["predeploy"]["posix"]
    env = {**os.environ, "AMLGUARD_NETWORK_ISOLATED": isolated}
    done = subprocess.run([hook["shell"], "-c", hook["run"]], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert ("docs/deploy.md" in done.stderr) == (code == 1)


def _documented() -> dict[str, str]:
    """Environment variable → parameter, as the table of the settings has them."""
    text = (ROOT / "docs" / "settings.md").read_text("utf-8")
    return dict(re.findall(r"^\| `(A\w+)` \| `(\w+)` \|", text, re.MULTILINE))


def test_the_settings_have_every_parameter_of_azd_with_its_default() -> None:
    asked = {name: re.fullmatch(r"\$\{(\w+)(?:=(.*))?\}", one["value"]) for name, one in PARAMETERS.items()}
    assert _documented() == {found[1]: name for name, found in asked.items() if found}
    assert None not in asked.values()
    text = (ROOT / "docs" / "settings.md").read_text("utf-8")
    for name, found in asked.items():
        assert found
        default = f"`{found[2]}`" if found[2] else "–"
        assert re.search(rf"^\| `{found[1]}` \| `{name}` \| {re.escape(default)} \|", text, re.MULTILINE), name


def test_azd_asks_for_parameters_that_the_template_has() -> None:
    declared = re.findall(r"^param (\w+) ", (INFRA / "main.bicep").read_text("utf-8"), re.MULTILINE)
    assert set(PARAMETERS) <= set(declared)


def test_the_deployment_guide_has_what_azd_does_not_ask_for() -> None:
    """And every parameter of the management group's template."""
    text = (ROOT / "docs" / "deploy.md").read_text("utf-8")
    for file in ("main.bicep", "management-group.bicep"):
        declared = re.findall(r"^param (\w+) ", (INFRA / file).read_text("utf-8"), re.MULTILINE)
        assert [name for name in declared if name not in PARAMETERS and f"`{name}`" not in text] == []
