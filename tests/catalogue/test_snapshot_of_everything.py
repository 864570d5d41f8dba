"""A snapshot of the tenant in which everything is wrong: the commands say of it what they said of the tenant."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from catalogue.gathered import Placed, document, placed, policy
from forked import Ran
from local_azure import LocalAzure, amlguard
from undisguised import KEY, differences, plain, pseudonyms, undisguised
from wire import Json

from emulator.tenant import Tenant

# One case of each rule, so that it can be explained in a reasonable time.
FIRST: dict[str, Placed] = {}
for _one in placed():
    if _one.case.acts and not _one.case.event:
        FIRST.setdefault(_one.case.rule, _one)
# What differs between two runs by itself.
_OF_THE_RUN = ("time", "policy")


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAzure]:
    tenant = document(one.case.build(one.place) for one in FIRST.values())
    started = LocalAzure.start(tmp_path_factory.mktemp("snapshot"), tenant, policy(), functions=False)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def file(azure: LocalAzure) -> Path:
    ran = azure.run(
        "snapshot", "--out", str(azure.folder / "tenant.json"), "--policy", str(azure.folder / "policy.yaml")
    )
    assert ran.code == 0, ran.err
    return azure.folder / "tenant.json"


@pytest.fixture(scope="module")
def disguised(azure: LocalAzure) -> Path:
    key = azure.folder / "key"
    key.write_bytes(KEY)
    out = azure.folder / "disguised.json"
    ran = azure.run(
        *("snapshot", "--out", str(out), "--policy", str(azure.folder / "policy.yaml"), "--pseudonyms", str(key))
    )
    assert ran.code == 0, ran.err
    return out


def _said(told: Json) -> Json:
    looked = {name: value for name, value in told["lookedAt"].items() if name not in _OF_THE_RUN}
    return {name: value for name, value in told.items() if name not in _OF_THE_RUN} | {"lookedAt": looked}


@pytest.fixture(scope="module")
def then(azure: LocalAzure, file: Path) -> Callable[[str], Json]:
    """What a command says of the snapshot in names, which is looked at once."""
    return cache(lambda command: _of_file(azure, command, file))


def _of_file(azure: LocalAzure, command: str, snapshot: Path) -> Json:
    out = azure.folder / f"{command}-{snapshot.stem}.json"
    return _told(
        amlguard(azure.folder, command, "--format", "json", "--out", str(out), "--snapshot", str(snapshot)), out
    )


def _told(ran: Ran, out: Path) -> Json:
    assert ran.code in (0, 2), ran.err
    return _said(json.loads(out.read_text(encoding="utf-8")))


@pytest.mark.parametrize("command", ["plan", "report"])
def test_it_says_what_the_connection_said(azure: LocalAzure, then: Callable[[str], Json], command: str) -> None:
    out, policy_file = (azure.folder / name for name in (f"live-{command}.json", "policy.yaml"))
    ran = azure.run(command, "--format", "json", "--out", str(out), "--fresh", "--policy", str(policy_file))
    of_file = then(command)
    for name, said in _told(ran, out).items():
        assert of_file[name] == said, name


@pytest.mark.parametrize("command", ["plan", "report"])
def test_in_pseudonyms_it_says_the_same(
    azure: LocalAzure, file: Path, disguised: Path, then: Callable[[str], Json], command: str
) -> None:
    made = pseudonyms(json.loads(file.read_text(encoding="utf-8")))
    in_names = then(command)
    assert in_names["grants"]
    assert in_names["removals"], "own assignments are recognised"
    assert differences(plain(in_names), undisguised(_of_file(azure, command, disguised), made)) == []


@pytest.mark.parametrize("rule", ["compute-pull", "encryption-key-access", "outbound-targets"])
def test_it_explains_as_the_connection_did(azure: LocalAzure, file: Path, rule: str) -> None:
    workspace = next(
        one["id"]
        for one in FIRST[rule].case.build(FIRST[rule].place).resources
        if one["type"].lower() == "microsoft.machinelearningservices/workspaces"
    )
    live = azure.run("explain", workspace, "--format", "json", "--policy", str(azure.folder / "policy.yaml"))
    then = amlguard(azure.folder, "explain", workspace, "--format", "json", "--snapshot", str(file))
    assert live.code in (0, 2), live.err
    assert (then.code, then.document) == (live.code, live.document)


def test_the_local_azure_takes_it(file: Path) -> None:
    told = json.loads(file.read_text(encoding="utf-8"))
    served = Tenant(told)
    assert served.resources.keys() >= {one["id"].lower() for one in told["resources"]}
