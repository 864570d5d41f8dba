"""amlguard installed as people install it: a wheel, in an environment with nothing but what the wheel asks for.

Its dependencies come from the registry by the hashes of requirements.txt. They are fetched into a folder first, and pip
then installs from that folder only: what the wheel forgets to ask for is not there.
"""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path

import pytest
from forked import Ran
from local_azure import LocalAzure
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tenants import ACR_PULL, BLOB_READER, GRANTS_ONLY, Tenant, group_id, oid, system_assigned
from wire import clean

from infra import package

_ROOT = Path(__file__).parents[2]
_PROJECT = tomllib.loads((_ROOT / "pyproject.toml").read_text("utf-8"))["project"]
_NOT_SOURCE = shutil.ignore_patterns(".*", "node_modules", "build", "dist", "__pycache__", "*.egg-info")
_GROUP = group_id("rg-wheel")


@dataclass(frozen=True)
class Installed:
    """An environment in which only the wheel and what it asks for is installed."""

    folder: Path
    python: Path
    wheel: Path
    sdist: Path

    def run(self, *arguments: str, **env: str) -> Ran:
        """`amlguard` from a folder that is no checkout."""
        ended = subprocess.run(
            [str(self.python.with_name("amlguard")), *arguments],
            cwd=self.folder,
            env=clean(self.folder, env),
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        return Ran(ended.returncode, ended.stdout, ended.stderr)


def _pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _built(kind: str, source: Path, out: Path) -> Path:
    """The wheel or sdist of a source tree, by the hook that pip calls; setuptools is that of this environment."""
    code = "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"
    subprocess.run([sys.executable, "-c", code, f"build_{kind}", str(out)], cwd=source, check=True, capture_output=True)
    (made,) = out.glob({"wheel": "*.whl", "sdist": "*.tar.gz"}[kind])
    return made


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel is made of the sdist, so that both have all that is needed."""
    folder = tmp_path_factory.mktemp("wheel")
    checkout = folder / "checkout"
    shutil.copytree(_ROOT, checkout, ignore=_NOT_SOURCE)
    for name in ("out", "direct", "packages"):
        (folder / name).mkdir()
    sdist = _built("sdist", checkout, folder / "out")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (source,) = (folder / "unpacked").iterdir()
    wheel = _built("wheel", source, folder / "out")
    with zipfile.ZipFile(_built("wheel", checkout, folder / "direct")) as direct, zipfile.ZipFile(wheel) as made:
        assert sorted(direct.namelist()) == sorted(made.namelist())
    _pip("download", "--no-deps", "--require-hashes", "-r", _ROOT / "requirements.txt", "-d", folder / "packages")
    venv.create(folder / "environment", with_pip=False)
    python = folder / "environment" / "bin" / "python"
    offline = ("--isolated", "install", "--no-compile", "--no-index", "--find-links", folder / "packages")
    _pip("--python", python, *offline, wheel)
    return Installed(folder, python, wheel, sdist)


def _pins(name: str = "requirements.txt") -> dict[str, str]:
    lines = (_ROOT / name).read_text("utf-8").splitlines()
    pinned = (line.split()[0].split("==") for line in lines if "==" in line and not line.startswith((" ", "#")))
    return {canonicalize_name(name): version for name, version in pinned}


def test_it_holds_what_is_deployed_and_nothing_else(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as opened:
        names = {name for name in opened.namelist() if ".dist-info/" not in name}
    sources = (one for folder in package.FOLDERS for one in (_ROOT / folder).rglob("*"))
    kept = {".py", ".json", ".css", ".j2", ".js", ".sh"}
    assert names == {one.relative_to(_ROOT).as_posix() for one in sources if one.suffix in kept}


def _asked(installed: Installed) -> list[Requirement]:
    with zipfile.ZipFile(installed.wheel) as opened:
        (metadata,) = (name for name in opened.namelist() if name.endswith(".dist-info/METADATA"))
        said = Parser().parsestr(opened.read(metadata).decode()).get_all("Requires-Dist", [])
    return [Requirement(one) for one in said]


def _written(name: str) -> set[str]:
    lines = (line.partition("#")[0].strip() for line in (_ROOT / name).read_text("utf-8").splitlines())
    return {str(Requirement(line)) for line in lines if line}


def test_it_asks_for_what_the_app_is_pinned_by(installed: Installed) -> None:
    asked = [one for one in _asked(installed) if one.marker is None]
    assert {str(one) for one in asked} == _written("requirements.in")
    assert {canonicalize_name(one.name) for one in asked} <= _pins().keys()


def test_what_people_look_at_is_an_extra_that_is_not_deployed(installed: Installed) -> None:
    extra = [one for one in _asked(installed) if one.marker and one.marker.evaluate({"extra": "desk"})]
    assert extra == [one for one in _asked(installed) if one.marker], "there is no other extra"
    assert {f"{one.name}{one.specifier}" for one in extra} == _written("requirements-desk.in")
    names = {canonicalize_name(one.name) for one in extra}
    assert names <= _pins("requirements-dev.txt").keys()
    assert not names & _pins().keys()


def test_what_is_installed_is_what_is_pinned(installed: Installed) -> None:
    code = "import json, importlib.metadata as m; print(json.dumps([(d.name, d.version) for d in m.distributions()]))"
    said = subprocess.run([installed.python, "-I", "-c", code], capture_output=True, text=True, check=True)
    found = {canonicalize_name(name): version for name, version in json.loads(said.stdout)}
    assert found.pop(canonicalize_name("amlguard")) == _PROJECT["version"]
    assert found.items() <= _pins().items()


def test_it_runs_from_where_it_is_installed(installed: Installed) -> None:
    code = "import shared.policy, handlers; print(shared.policy.__file__); print(handlers.__file__)"
    said = subprocess.run(
        [installed.python, "-c", code], cwd=installed.folder, capture_output=True, text=True, check=True
    )
    assert all(line.startswith(str(installed.folder / "environment")) for line in said.stdout.splitlines())


def test_version(installed: Installed) -> None:
    ran = installed.run("--version")
    assert (ran.code, ran.out, ran.err) == (0, f"amlguard {_PROJECT['version']}\n", "")


def test_the_template_of_azd_bears_the_same_version() -> None:
    assert f"  template: amlguard@{_PROJECT['version']}\n" in (_ROOT / "azure.yaml").read_text("utf-8")


def test_rules(installed: Installed) -> None:
    ran = installed.run("rules", "--format", "json")
    assert ran.code == 0, ran.err
    here = subprocess.run(
        [Path(sys.executable).with_name("amlguard"), "rules", "--format", "json"], capture_output=True, check=True
    )
    assert json.loads(ran.out) == json.loads(here.stdout)


def test_policy_check(installed: Installed) -> None:
    ran = installed.run("policy", "check", str(_ROOT / "policy.example.yaml"))
    assert (ran.code, ran.err) == (0, ""), ran.err
    wrong = installed.folder / "wrong.yaml"
    wrong.write_text("mode: sometimes\n", encoding="utf-8")
    assert installed.run("policy", "check", str(wrong)).code == 1


def test_emulate_belongs_to_a_checkout(installed: Installed) -> None:
    """Also beside a folder of that name, which is somebody else's."""
    (installed.folder / "emulator").mkdir(exist_ok=True)
    (installed.folder / "emulator" / "__main__.py").write_text("print('not ours')\n")
    ran = installed.run("emulate")
    assert (ran.code, ran.out) == (1, "")
    assert "only works in a checkout of amlguard" in ran.err
    assert "Traceback" not in ran.err


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAzure]:
    tenant = Tenant()
    registry, account = tenant.registry(_GROUP, "acrwheel"), tenant.storage(_GROUP, "stwheel")
    workspace = tenant.workspace(
        _GROUP, containerRegistry=registry["id"], storageAccount=account["id"], systemDatastoresAuthMode="identity"
    )
    tenant.compute(workspace, "cluster", identity=system_assigned("wheel"))
    running = LocalAzure.start(tmp_path_factory.mktemp("azure"), tenant.document(), GRANTS_ONLY, functions=False)
    yield running
    running.stop()


def test_plan(installed: Installed, azure: LocalAzure) -> None:
    ran = installed.run("plan", "--format", "json", **azure.env)
    assert ran.code == 2, ran.err
    found = {(one["principalId"], one["roleDefinitionId"].rpartition("/")[2]) for one in ran.document["grants"]}
    assert found == {(oid("wheel"), ACR_PULL), (oid("wheel"), BLOB_READER)}
    assert os.linesep + "2 grants" in installed.run("plan", **azure.env).out
