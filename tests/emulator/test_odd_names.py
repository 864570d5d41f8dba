"""Names that Azure allows and few would choose: what bears one works like everything else, and so does all beside it.

The names that components of Application Insights may have are from
learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules; that ids hold them as they are, and
only URLs encode them, from github.com/Azure/azure-powershell/issues/1717.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from event_grid import cloud_event, event
from local_azure import FINDINGS, LocalAzure, Start
from tenants import ACR_PULL, CONTRIBUTOR, Tenant, child, group_id, oid, system_assigned, user_assigned
from wire import Json

from emulator import tenant_builder as build
from shared.access.condition import condition
from shared.policy import parse

RULES = "rules: {AML-09: {enabled: true}, managed-network: {enabled: false}, compute-settings: {enabled: false}}\n"
ACCESS = json.loads((Path(__file__).parents[2] / "infra" / "app_access.json").read_text(encoding="utf-8"))
NAMES = {
    "all kinds": """it's "my": app <1> ;$(x)""",
    "signs": "a#b*c|d`e{f}g^h+i=j,k~l@m!n[o]p(q)r-s_t.u",
    "letters and signs of others": "Größe ☃ € 数据",
    "a comment": "x' or 1==1 -- | take 1",
    "quotes at its ends": "'\"'",
    "only signs": "`$!",
}
"""Of an Application Insights component each. The groups beside it have parentheses and letters beyond ASCII."""


type Spell = Callable[..., Any]


@dataclass(frozen=True)
class Place:
    number: int
    name: str

    @property
    def group(self) -> str:
        return group_id(f"rg-ñ({self.number})")

    @property
    def component(self) -> str:
        return child(self.group, "Microsoft.Insights/components", self.name)

    @property
    def identity(self) -> str:
        return child(self.group, "Microsoft.ManagedIdentity/userAssignedIdentities", "mlw-id")

    @property
    def workspace(self) -> str:
        return child(self.group, "Microsoft.MachineLearningServices/workspaces", "mlw")

    @property
    def beside(self) -> str:
        return child(self.group, "Microsoft.MachineLearningServices/workspaces", "beside")

    @property
    def registry(self) -> str:
        return child(self.group, "Microsoft.ContainerRegistry/registries", f"acrodd{self.number}")


PLACES = {name: Place(number, text) for number, (name, text) in enumerate(NAMES.items())}


@pytest.fixture(scope="module")
def azure(start_azure: Start) -> LocalAzure:
    tenant = Tenant()
    for place in PLACES.values():
        identity = tenant.uai(place.group, "mlw-id")
        registry = tenant.registry(place.group, f"acrodd{place.number}")
        tenant.add(build.component(place.component))
        tenant.workspace(
            place.group,
            identity=user_assigned(identity),
            primaryUserAssignedIdentity=identity["id"],
            applicationInsights=place.component,
        )
        beside = tenant.workspace(place.group, "beside", containerRegistry=registry["id"])
        tenant.compute(beside, "cluster", identity=system_assigned(f"cluster {place.number}"))
    renewed = condition(parse(RULES).terms())
    options = {"access": ACCESS, "condition": renewed}
    return start_azure(
        tenant.document(), f"mode: enforce\ncontested_after: 1000\n{RULES}", "--operations", "none", **options
    )


@pytest.fixture(params=PLACES)
def place(azure: LocalAzure, request: pytest.FixtureRequest) -> Place:
    """Nothing is granted there yet."""
    found = PLACES[request.param]
    for scope in (found.component, found.registry):
        for one in assignments(azure, scope):
            azure.delete(quote(one["id"]))
    return found


def assignments(azure: LocalAzure, scope: str) -> list[Json]:
    """At the very scope."""
    found = azure.get(f"{quote(scope)}/providers/Microsoft.Authorization/roleAssignments?$filter=atScope()")["value"]
    return [one for one in found if one["properties"]["scope"].lower() == scope.lower()]


def controls(azure: LocalAzure, place: Place) -> bool:
    return (place.component.lower(), CONTRIBUTOR) in azure.grants(oid(place.identity), quote(place.group))


def pulls(azure: LocalAzure, place: Place) -> bool:
    return (place.registry.lower(), ACR_PULL) in azure.grants(oid(f"cluster {place.number}"), quote(place.group))


def test_an_event_leads_to_what_it_lacks(azure: LocalAzure, place: Place) -> None:
    answer = azure.deliver(event(place.workspace), event(place.beside))
    assert answer.status_code == 202, answer.text
    assert controls(azure, place)
    assert pulls(azure, place)


@pytest.mark.parametrize("spelled", [str, quote], ids=["as ARM spells it", "as URLs spell it"])
@pytest.mark.parametrize("schema", [event, cloud_event], ids=["event grid", "cloud event"])
def test_events_about_it_are_read(azure: LocalAzure, place: Place, schema: Spell, spelled: Spell) -> None:
    """No rule looks at a component for what happens to it, so nothing follows: but it is known to be one."""
    before = len(azure.rows(FINDINGS, "RuleId == 'malformed-event'"))
    answer = azure.deliver(*(schema(spelled(place.component), verb) for verb in ("write", "delete")))
    assert answer.status_code == 202, answer.text
    assert len(azure.rows(FINDINGS, "RuleId == 'malformed-event'")) == before


@pytest.mark.parametrize("spelled", [str, quote], ids=["as ARM spells it", "as URLs spell it"])
def test_a_deleted_grant_on_it_is_restored(azure: LocalAzure, place: Place, spelled: Spell) -> None:
    azure.deliver(event(place.workspace))
    (mine,) = assignments(azure, place.component)
    azure.delete(quote(mine["id"]))
    assert not controls(azure, place)
    assert azure.deliver(event(spelled(mine["id"]), "delete")).status_code == 202
    azure.until(lambda: controls(azure, place), "it is restored")


def _has_all(azure: LocalAzure, place: Place) -> bool:
    return controls(azure, place) and pulls(azure, place)


def test_the_sweep_reaches_all(azure: LocalAzure) -> None:
    azure.sweep()
    for place in PLACES.values():
        azure.until(partial(_has_all, azure, place), "all is granted")
    assert azure.poisoned_work() == []


def test_it_is_planned_without_errors(azure: LocalAzure, tmp_path: Path) -> None:
    ran = azure.run("plan", "--format", "json", "--out", str(tmp_path / "plan.json"))
    assert ran.code in (0, 2), ran.err
    document = json.loads((tmp_path / "plan.json").read_text("utf-8"))
    assert document["errors"] == []
    assert not [one for one in document["findings"] if one["rule"] == "malformed-id"]


def test_as_a_scope_it_chooses_its_workspace_and_no_other(azure: LocalAzure, place: Place) -> None:
    ran = azure.run("apply", "--yes", "--scope", place.component, "--format", "json")
    assert ran.code in (0, 2), ran.err
    assert ran.document["lookedAt"]["workspaces"] == 1
    assert controls(azure, place)
    assert not pulls(azure, place)


def test_it_is_explained(azure: LocalAzure, place: Place) -> None:
    ran = azure.run("explain", place.component, "--format", "json")
    assert ran.code in (0, 2), ran.err
    needs: list[Json] = ran.document["needs"]
    assert [(one["resourceId"], one["scope"]) for one in needs] == [(place.workspace, place.component)]


def test_undo_takes_back_what_was_granted_on_it(azure: LocalAzure, place: Place) -> None:
    ran = azure.run("apply", "--yes", "--scope", place.workspace, "--format", "json")
    assert controls(azure, place), ran.err
    azure.until(
        lambda: azure.rows(where=f"RunId == '{ran.document['run']}' and Outcome == 'Applied'"), "it is on record"
    )
    assert azure.run("undo", ran.document["run"], "--yes").code == 0
    assert not controls(azure, place)
