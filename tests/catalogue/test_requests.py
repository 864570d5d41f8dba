"""What one look at a workspace costs with every rule on: docs/architecture.md has the numbers, and they are these."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from catalogue.build import (
    ACR_PULL,
    assign,
    compute,
    datastore,
    endpoint,
    insights,
    registry,
    storage,
    system,
    uai,
    user,
    vault,
    workspace,
)
from catalogue.case import Place, Raw, Tenant
from catalogue.gathered import document, policy
from event_grid import event
from local_azure import LocalAzure
from wire import Json

type Part = Callable[[Raw, Place, str], Raw]

_PAPER = Path(__file__).parents[2] / "docs" / "architecture.md"
_NO_ARM = re.compile(r"/(ingestion|v1|metadata|_local|identity|msi)/", re.IGNORECASE)


def _cluster(ws: Raw, place: Place, _: str) -> Raw:
    return compute(ws, "cpu1", identity=system(place.object_id("cpu1")), disableLocalAuth=True)


def _endpoint(mode: str) -> Part:
    return lambda ws, place, _: endpoint(ws, "serve1", identity=system(place.object_id("serve1")), authMode=mode)


def _datastore(ws: Raw, _: Place, account: str) -> Raw:
    return datastore(ws, "d1", account)


# the table's first column: (what is in the workspace, whether it acts as a UAI, whether the admin user is on)
LOOKS: dict[str, tuple[tuple[Part, ...], bool, bool]] = {
    "an empty workspace": ((), False, False),
    "one cluster": ((_cluster,), False, False),
    "one managed online endpoint, called with tokens": ((_endpoint("AADToken"),), False, False),
    "one managed online endpoint, called with keys": ((_endpoint("Key"),), False, False),
    "one datastore": ((_datastore,), False, False),
    "a user-assigned identity": ((), True, False),
    "one cluster, and an admin user that goes off": ((_cluster,), False, True),
    "cluster, endpoint, datastore and a user-assigned identity": (
        (_cluster, _endpoint("AADToken"), _datastore),
        True,
        False,
    ),
}


def _place(name: str) -> Place:
    return Place(re.sub(r"\W+", "-", name))


def _tenant(name: str) -> Tenant:
    parts, as_uai, admin = LOOKS[name]
    place = _place(name)
    one, acr, account = uai(place), registry(place, admin=admin), storage(place)
    named = {"storageAccount": account, "keyVault": vault(place), "applicationInsights": insights(place)}
    own = {"identity": user(one), "primaryUserAssignedIdentity": one["id"]} if as_uai else {}
    ids = {key: part["id"] for key, part in named.items()}
    ws = workspace(place, containerRegistry=acr["id"], **ids, **own)
    inside = [part(ws, place, account["name"]) for part in parts]
    held = [assign(acr["id"], place.object_id(who), ACR_PULL) for who in ("cpu1", "serve1")]
    return Tenant([one, acr, *named.values(), ws, *inside], held)


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAzure]:
    tenant = document(_tenant(name) for name in LOOKS)
    made = LocalAzure.start(tmp_path_factory.mktemp("requests"), tenant, policy(mode="report"))
    try:
        # The first look signs in and finds out about the cloud.
        assert made.deliver(event(f"{_place('an empty workspace').group}/providers/{_WORKSPACE}/mlw")).ok
        made.until_quiet()
        yield made
    finally:
        made.stop()


_WORKSPACE = "Microsoft.MachineLearningServices/workspaces"


def _documented() -> dict[str, tuple[int, int]]:
    rows = re.findall(r"^\| ([^|]+) \| (\d+) \| (\d+) \|$", _PAPER.read_text(encoding="utf-8"), re.MULTILINE)
    return {name.strip(): (int(arm), int(logs)) for name, arm, logs in rows}


def test_the_paper_has_every_look() -> None:
    assert _documented().keys() == LOOKS.keys()


@pytest.mark.parametrize("name", LOOKS)
def test_a_look_costs_what_the_paper_says(azure: LocalAzure, name: str) -> None:
    azure.forget_requests()
    assert azure.deliver(event(_place(name).id(_WORKSPACE, "mlw"))).ok
    azure.until_quiet()
    mine: list[Json] = [one for one in azure.asked() if one["caller"] == azure.app]
    queries = [one for one in mine if one["path"].startswith("/v1/")]
    arm = [one for one in mine if not _NO_ARM.match(one["path"])]
    assert (len(arm), len(queries)) == _documented().get(name), [f"{one['method']} {one['path']}" for one in mine]
