"""The deployment package: one command builds it, only what runs is in it, and Microsoft's worker library indexes it."""

import json
import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from infra import package

_ROOT = Path(__file__).parents[2]
# What azd's createDeployableZip leaves out by itself of a Python function app without a .funcignore.
_LEFT_OUT = {"__pycache__", ".azure", "local.settings.json", "pyvenv.cfg"}
_INDEX = Path(__file__).with_name("index_app.py")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package's archive, unpacked where nothing else is."""
    folder = tmp_path_factory.mktemp("package")
    archive = folder / "amlguard.zip"
    command = [sys.executable, "-m", "infra.package", "--out", str(archive)]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    app = folder / "app"
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(app)
    return app


def test_only_what_runs_is_in_it(built: Path) -> None:
    assert {one.name for one in built.iterdir()} - set(package.OPTIONAL) == {
        *package.FILES,
        *package.FOLDERS,
        package.SITE_PACKAGES.parts[0],
    }
    own = [one for folder in package.FOLDERS for one in (built / folder).rglob("*") if one.is_file()]
    assert {one.suffix for one in own} == {".py", ".json"}
    installed = {one.name for one in (built / package.SITE_PACKAGES).iterdir()}
    assert {"pytest", "mypy", "ruff", "hypothesis", "emulator", "bin"} & installed == set()
    assert {"azure", "aiohttp", "msgspec", "yaml"} <= installed


def test_azd_leaves_nothing_out_of_it(built: Path) -> None:
    """Of what is copied; the packages are installed uncompiled, without a virtual environment."""
    names = {one.name for one in built.rglob("*")}
    assert names & (_LEFT_OUT | {".funcignore"}) == set()


def test_everything_that_is_deployed_is_source_that_is_versioned(built: Path) -> None:
    for folder in package.FOLDERS:
        for one in (built / folder).rglob("*.py"):
            assert one.read_bytes() == (_ROOT / one.relative_to(built)).read_bytes()


def test_it_stays_below_the_size_that_a_cold_start_bears(built: Path) -> None:
    assert sum(one.stat().st_size for one in built.rglob("*") if one.is_file()) <= 60e6


def test_the_same_sources_give_the_same_bytes(tmp_path: Path) -> None:
    stage = tmp_path / "stage"
    stage.mkdir()
    (stage / "b.py").write_text("b")
    (stage / "a.py").write_text("a")
    (stage / "a.py").chmod(0o600)
    first = package.pack(stage, tmp_path / "one.zip")
    (stage / "a.py").touch()
    assert package.pack(stage, tmp_path / "two.zip") == first
    with zipfile.ZipFile(tmp_path / "two.zip") as archive:
        modes = {(one.create_system, one.external_attr >> 16) for one in archive.infolist()}
    assert modes == {(3, 0o644)}


@pytest.mark.skipif(sys.platform != "linux", reason="the package holds wheels for Linux on x86-64, as the service has")
def test_the_official_worker_indexes_it_in_a_clean_directory(built: Path, tmp_path: Path) -> None:
    """With nothing of this checkout on the path; what the first event loads is the package's own."""
    library = tmp_path / "worker"
    for name in ("azure_functions_runtime", "azurefunctions"):
        spec = find_spec(name)
        assert spec is not None
        assert spec.submodule_search_locations
        for place in spec.submodule_search_locations:
            shutil.copytree(place, library / name, dirs_exist_ok=True)
    shutil.copy(_ROOT / "emulator" / "functions" / "protos.py", library / "protos.py")
    paths = [str(built), str(built / package.SITE_PACKAGES), str(library)]
    command = [sys.executable, "-I", "-S", str(_INDEX), *paths, f"{_ROOT}/"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert sorted(said["names"]) == ["resource_changed", "sweep", "work_queue"]
    assert said["wild"] == []
    assert said["shared"].startswith(str(built))
