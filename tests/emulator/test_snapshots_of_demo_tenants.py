"""Snapshots of the tenants that people meet first: the demo's and the tutorial's. They say what the connection said."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from compared import RESULT, compared, untimed
from forked import Forked
from local_azure import LocalAzure, amlguard
from undisguised import differences, plain, pseudonyms, undisguised
from wire import Json, clean

from demo import tenant as demo

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial-tenant.json"
# What the workspaces use. A snapshot knows no other resources (docs/snapshots.md).
_EXPLAINED = re.compile(
    r"(?i)/(workspaces/(forecast|fraud)|registries/(forecastregistry|fraudacr)|storageAccounts/f\w+e)$"
)


@dataclass(frozen=True, slots=True)
class Compared:
    azure: LocalAzure
    result: Json

    def file(self, name: str) -> Json:
        told: Json = json.loads((self.azure.folder / name).read_text("utf-8"))
        return told


def _tenants() -> dict[str, tuple[Json, str]]:
    return {
        "demo": (demo.tenant(), demo.POLICY),
        "tutorial": (json.loads(TUTORIAL.read_text("utf-8")), ""),
    }


@pytest.fixture(scope="module", params=["demo", "tutorial"])
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compared]:
    tenant, policy = _tenants()[request.param]
    azure = LocalAzure.start(tmp_path_factory.mktemp(request.param), tenant, policy, functions=False)
    (azure.folder / "ready.json").write_text(json.dumps(azure.ready), encoding="utf-8")
    used = json.dumps([one for one in tenant["resources"] if one["id"].rpartition("/")[0].endswith("/workspaces")])
    resources = [one["id"] for one in tenant["resources"] if _EXPLAINED.search(one["id"]) and one["id"] in used]
    forbid = "forbid" if request.param == "demo" else "all"
    arguments = [str(azure.folder), forbid, *resources]
    folder = tmp_path_factory.mktemp("compared")
    ran = Forked.start(folder, compared, arguments, clean(azure.folder, azure.env)).ended(600)
    assert ran.code == 0, ran.err
    snapshot = json.loads((azure.folder / "names.json").read_text("utf-8"))["snapshot"]
    result = json.loads((azure.folder / RESULT).read_text("utf-8"))
    yield Compared(azure, untimed(result, snapshot["time"][:10]))
    azure.stop()


def test_plan_report_and_explain_are_those_of_the_connection(told: Compared) -> None:
    live, then = told.result["live"], told.result["then"]
    assert live["plan"]["grants"], "something is missing"
    assert len(live["explain"]) > 2
    assert then == live


def test_in_pseudonyms_they_are_the_same_but_for_the_names(told: Compared) -> None:
    made = pseudonyms(told.file("names.json"))
    live, then = told.result["live"], told.result["disguised"]
    assert not live["explain"].keys() & then["explain"].keys()
    assert differences(plain(live), undisguised(then, made)) == []


@pytest.mark.parametrize("told", ["demo"], indirect=True)
def test_what_is_forbidden_is_unknown_in_a_snapshot_too(told: Compared) -> None:
    """Each kind of request that plan, report or explain makes, in turn."""
    forbidden = told.result["forbidden"]
    assert len(forbidden) > 20
    plan = told.result["live"]["plan"]
    assert sum(one["live"].get("plan") != plan for one in forbidden.values()) > 15, "most make a difference"
    for kind, said in told.result["forbidden"].items():
        live, then = said["live"], said["then"]
        if then is None:
            assert said["why"] == live["error"], kind
            continue
        assert differences(_known(live), _known(then)) == [], kind


def _known(said: Json) -> Json:
    """An explanation that cannot be given is unknown: a snapshot may not say why, where it could not even ask."""
    explained = {one: told if isinstance(told, dict) else "unknown" for one, told in said["explain"].items()}
    return {**said, "explain": explained}


def test_the_local_azure_serves_what_the_file_holds(told: Compared, tmp_path: Path) -> None:
    """Under other names as well."""
    name = "disguised.json" if told.result["forbidden"] else "names.json"
    file = told.azure.folder / name
    policy = json.dumps(told.file(name)["snapshot"]["policy"])
    served = LocalAzure.start(tmp_path, told.file(name), policy, functions=False)
    try:
        live = served.run("plan", "--fresh", "--format", "json", "--policy", str(tmp_path / "policy.yaml"))
        then = amlguard(tmp_path, "plan", "--format", "json", "--snapshot", str(file))
    finally:
        served.stop()
    assert live.code == 2, live.err
    today = told.file(name)["snapshot"]["time"][:10]
    parts = ("grants", "settings", "findings", "withheld", "deferred", "removals", "unknown", "satisfied", "errors")
    served_now, in_file = ({part: one.document[part] for part in parts} for one in (live, then))
    assert differences(untimed(in_file, today), untimed(served_now, today)) == []
