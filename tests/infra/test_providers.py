"""The resource providers that the templates need: found in them, registered where they are needed, and told of."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from deployed_site import TOKEN, Azure, served

from infra import providers
from infra.check import ROOT
from infra.rest import Client, Clock
from infra.snapshots import made, names

HOME, OTHER = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"

type Register = Callable[..., int]


def test_the_namespaces_are_those_of_what_is_made() -> None:
    """And of what the isolated variant's subnet is delegated to, which ARM does not register by itself."""
    types = {one["type"].lower() for name in names() for one in made(name)}
    assert {one.lower() for one in providers.here()} == {one.partition("/")[0] for one in types} | {"microsoft.app"}


def test_a_watched_subscription_needs_those_of_what_is_made_there() -> None:
    assert {"Microsoft.EventGrid", "Microsoft.Insights"} <= set(providers.watched()) < set(providers.here())
    assert {"Microsoft.Web", "Microsoft.App", "Microsoft.Storage"} & set(providers.watched()) == set()


def test_the_documentation_names_them() -> None:
    text = (ROOT / "docs" / "deploy.md").read_text("utf-8")
    (line,) = re.findall(r"^The app's subscription needs (.+?)\.$", text, re.MULTILINE | re.DOTALL)
    assert re.findall(r"Microsoft\.\w+", line) == providers.here()
    (line,) = re.findall(r"^A watched one needs (.+?)\.$", text, re.MULTILINE | re.DOTALL)
    assert re.findall(r"Microsoft\.\w+", line) == providers.watched()
    assert "python3 -m infra.providers" in text


def test_azd_and_the_workflow_register_them_first() -> None:
    hook = yaml.safe_load((ROOT / "azure.yaml").read_text("utf-8"))["hooks"]["preprovision"]
    assert {one["run"].partition(" ")[2] for one in hook.values()} == {"-m infra.providers"}
    workflow = (ROOT / ".github" / "workflows" / "deploy.yml").read_text("utf-8")
    assert workflow.index("python -m infra.providers") < workflow.index("az deployment sub create")


@pytest.fixture
def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Azure]:
    azure = Azure()
    for name in ("AZURE_SUBSCRIPTION_ID", "AMLGUARD_SUBSCRIPTIONS"):
        monkeypatch.delenv(name, raising=False)
    with served(azure, tmp_path) as authority:
        monkeypatch.setenv("SSL_CERT_FILE", authority)
        yield azure


@pytest.fixture
def register(azure: Azure) -> Register:
    def run(*more: str) -> int:
        clock = Clock(azure.now, azure.sleep)
        return providers.main([*more, "--arm", azure.url], Client(lambda: TOKEN, clock), clock)

    return run


def test_what_is_registered_is_left_alone(azure: Azure, register: Register) -> None:
    assert register("--subscription", HOME) == 0
    assert azure.asked("POST", "") == 0
    assert azure.asked("GET", f"/subscriptions/{HOME}/") == len(providers.here())


def test_what_is_not_is_registered_and_waited_for(azure: Azure, register: Register) -> None:
    azure.providers[f"{HOME}/Microsoft.App"] = ["NotRegistered", "Registering", "Registering", "Registered"]
    assert register("--subscription", HOME) == 0
    assert [path.partition("?")[0] for method, path in azure.requests if method == "POST"] == [
        f"/subscriptions/{HOME}/providers/Microsoft.App/register"
    ]


def test_watched_subscriptions_get_theirs(azure: Azure, register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    """As azd has them in its environment."""
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", HOME)
    monkeypatch.setenv("AMLGUARD_SUBSCRIPTIONS", f'["{OTHER}"]')
    azure.providers[f"{OTHER}/Microsoft.EventGrid"] = ["NotRegistered", "Registered"]
    assert register() == 0
    assert azure.asked("POST", f"/subscriptions/{OTHER}/providers/Microsoft.EventGrid/register") == 1
    assert azure.asked("GET", f"/subscriptions/{OTHER}/") == len(providers.watched()) + 1


@pytest.mark.parametrize(
    ("states", "said"),
    [
        (["Forbidden"], "Microsoft.App/register/action"),
        (["Registering"], "Microsoft.App is Registering after 600 seconds"),
    ],
)
def test_what_cannot_be_registered_is_said(
    azure: Azure, register: Register, capsys: pytest.CaptureFixture[str], states: list[str], said: str
) -> None:
    azure.providers[f"{HOME}/Microsoft.App"] = states
    assert register("--subscription", HOME) == 1
    assert said in capsys.readouterr().err
