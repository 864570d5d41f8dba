"""`amlguard diff`: what changed between two snapshots, and nothing else."""

import asyncio
import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import raw
from fakes import FakeAzure
from functional.test_snapshots import C0, _services, _taken, _tenant
from undisguised import KEY
from unit.build import GROUP, REGISTRY, VAULT, WORKSPACE, assigned, guid, uai

from handlers.cli.desk import Where
from handlers.cli.difference import Difference, difference
from handlers.cli.main import main
from handlers.cli.snapshot import taken_by

ONE = uai("one")
CONDITION = "((!(ActionMatches{'Microsoft.ContainerRegistry/registries/pull/read'})))"

type Change = Callable[[FakeAzure], None]


def _policies(*policies: tuple[str, dict[str, list[str]]], **more: str) -> list[dict[str, Any]]:
    return [{"objectId": who, "tenantId": guid("tenant"), "permissions": what, **more} for who, what in policies]


def _set_policies(azure: FakeAzure, policies: list[dict[str, Any]]) -> None:
    body = deepcopy(azure.resources[VAULT])
    body["properties"]["accessPolicies"] = policies
    azure.resources[VAULT] = body


def _before() -> FakeAzure:
    azure = _tenant()
    azure.have(raw.vault(rbac=False))
    _set_policies(azure, _policies((ONE.id, {"secrets": ["get"]})))
    return azure


def _compared(tmp_path: Path, change: Change) -> Difference:
    azure = _before()
    old = _taken(azure, tmp_path, "old.json")
    change(azure)
    return asyncio.run(difference(old, _taken(azure, tmp_path, "new.json"), None))


def _changed(found: Difference, part: str = "holds") -> dict[str, list[Any]]:
    return {name: rows for name, rows in found.document()[part].items() if rows}


def _more_secrets(azure: FakeAzure) -> None:
    _set_policies(azure, _policies((ONE.id, {"secrets": ["get", "list"]})))


def _in_other_words(azure: FakeAzure) -> None:
    _set_policies(azure, _policies((ONE.id.upper(), {"secrets": ["Get"]})))


def test_an_access_policy_that_allows_more(tmp_path: Path) -> None:
    found = _compared(tmp_path, _more_secrets)
    ((one,),) = _changed(found).values()
    assert (one["from"]["permissions"], one["to"]["permissions"]) == (["secrets/get"], ["secrets/get", "secrets/list"])
    assert found.exit_code == 2
    assert f"~ {ONE.id} holds access policy on {VAULT}, with secrets/get, secrets/list" in found.text()


def test_an_access_policy_in_other_words_is_no_difference(tmp_path: Path) -> None:
    assert _compared(tmp_path, _in_other_words).exit_code == 0


def test_access_policies_that_come_and_go(tmp_path: Path) -> None:
    found = _compared(tmp_path, lambda azure: _set_policies(azure, _policies((C0.id, {"keys": ["wrapKey"]}))))
    told = _changed(found)
    assert [one["principalId"] for one in told["gone"]] == [ONE.id]
    assert [(one["principalId"], one["permissions"]) for one in told["added"]] == [(C0.id, ["keys/wrapkey"])]


def test_a_second_policy_of_one_identity_for_another_application(tmp_path: Path) -> None:
    def change(azure: FakeAzure) -> None:
        through = _policies((ONE.id, {"keys": ["get"]}), applicationId=guid("app"))
        _set_policies(azure, [*_policies((ONE.id, {"secrets": ["get"]})), *through])

    told = _changed(_compared(tmp_path, change))
    assert [(one["applicationId"], one["permissions"]) for one in told["added"]] == [(guid("app"), ["keys/get"])]
    assert told.keys() == {"added"}


def test_an_assignment_that_moved_to_another_scope(tmp_path: Path) -> None:
    def move(azure: FakeAzure) -> None:
        azure.assignments = [assigned(ONE, "AcrPull", GROUP)]

    told = _changed(_compared(tmp_path, move))
    assert [one["scope"] for one in told["gone"]] == [str(REGISTRY)]
    assert [one["scope"].casefold() for one in told["added"]] == [str(GROUP).casefold()]


def test_an_assignment_with_a_condition_now(tmp_path: Path) -> None:
    def limit(azure: FakeAzure) -> None:
        azure.assignments = [replace(one, condition=CONDITION) for one in azure.assignments]

    found = _compared(tmp_path, limit)
    ((one,),) = _changed(found).values()
    assert (one["from"]["condition"], one["to"]["condition"]) == (None, CONDITION)
    assert CONDITION in found.text()
    verdicts = [(each["from"]["verdict"], each["to"]["verdict"]) for each in _changed(found, "needs")["changed"]]
    assert all(before == "held" != after for before, after in verdicts)
    assert verdicts


def test_another_role_in_place_of_one(tmp_path: Path) -> None:
    def other(azure: FakeAzure) -> None:
        azure.assignments = [assigned(ONE, "AcrPush", REGISTRY)]

    told = _changed(_compared(tmp_path, other))
    assert ([one["role"] for one in told["gone"]], [one["role"] for one in told["added"]]) == (["AcrPull"], ["AcrPush"])


def test_needs_and_findings_come_and_go(tmp_path: Path) -> None:
    def change(azure: FakeAzure) -> None:
        azure.lose(WORKSPACE.child("computes", "cpu0"))
        azure.have(raw.endpoint("fresh", uai("two")))
        azure.resources[REGISTRY]["properties"]["anonymousPullEnabled"] = True

    found = _compared(tmp_path, change)
    needs, findings = _changed(found, "needs"), _changed(found, "findings")
    assert {one["principalId"] for one in needs["gone"]} == {C0.id}
    assert uai("two").id in {one["principalId"] for one in needs["added"]}
    assert any(one["resourceId"] == str(REGISTRY) for one in findings["added"])


def test_what_nobody_can_tell_any_more_is_said_as_that(tmp_path: Path) -> None:
    def forbid(azure: FakeAzure) -> None:
        azure.unreadable = {"computes"}

    found = _compared(tmp_path, forbid)
    assert _changed(found, "unknown")["added"]
    assert not _changed(found, "findings").get("added")


def test_the_same_state_has_no_difference_however_the_lists_are_sorted(tmp_path: Path) -> None:
    def shuffle(azure: FakeAzure) -> None:
        azure.assignments.reverse()
        azure.resources = dict(reversed(azure.resources.items()))

    found = _compared(tmp_path, shuffle)
    assert found.exit_code == 0
    assert found.text().count("nothing changed") == 4


@pytest.mark.parametrize("place", [0, 1])
def test_a_snapshot_of_a_template_is_refused_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], place: int
) -> None:
    ours, bicep = _taken(_before(), tmp_path), tmp_path / "main.snapshot.json"
    bicep.write_text(json.dumps({"predictedResources": [], "diagnostics": []}), encoding="utf-8")
    files = [str(ours), str(ours)]
    files[place] = str(bicep)
    assert main(["diff", *files]) == 1
    said = capsys.readouterr().err
    assert "main.snapshot.json" in said
    assert "--template" in said


def test_by_one_key_snapshots_in_pseudonyms_can_be_compared(tmp_path: Path) -> None:
    azure = _before()

    def taken(name: str, key: bytes) -> Path:
        file = tmp_path / name
        file.write_text(asyncio.run(taken_by(_services(azure), Where(), None, key)).text(), encoding="utf-8")
        return file

    old = taken("old.json", KEY)
    azure.assignments = [*azure.assignments, assigned(C0, "AcrPull", REGISTRY)]
    found = asyncio.run(difference(old, taken("new.json", KEY), None))
    told = _changed(found)
    assert [one["role"] for one in told["added"]] == ["AcrPull"]
    assert told.keys() == {"added"}
    assert C0.id not in found.text()
    assert str(WORKSPACE) not in found.text()
