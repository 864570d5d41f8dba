"""Builds the deployment package: the app with its pinned packages for the service's platform (ADR 22).

`python -m infra.package [--out FILE]` stages the package in build/package and writes dist/amlguard.zip. The same
sources give the same bytes.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_STAGE = _ROOT / "build" / "package"
FILES = ("function_app.py", "host.json", "requirements.txt")
FOLDERS = ("handlers", "shared")
OPTIONAL = ("policy.yaml",)
SITE_PACKAGES = Path(".python_packages") / "lib" / "site-packages"
_SOURCES = {".py", ".json"}
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MOST_MB = 60
# What Flex Consumption runs on: Linux on x86-64, Python 3.13.
_PLATFORM = (
    *("--platform", "manylinux_2_28_x86_64", "--platform", "manylinux2014_x86_64"),
    *("--implementation", "cp", "--python-version", "3.13", "--only-binary", ":all:"),
)
# pip leaves these in a target folder. The app never runs them.
_SCRIPTS = "bin"


class PackageError(Exception):
    """The package cannot be built. The message says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make package", description=__doc__)
    parser.add_argument("--out", type=Path, default=_ROOT / "dist" / "amlguard.zip", metavar="FILE")
    options = parser.parse_args(arguments)
    try:
        size = build(_STAGE)
        digest = pack(_STAGE, options.out)
    except PackageError as error:
        print(f"amlguard package: {error}", file=sys.stderr)
        return 1
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB, {size / 1e6:.1f} MB installed, sha256 {digest}")
    return 0


def build(stage: Path) -> int:
    """Makes the folder that the service will see, and returns its size in bytes. Raises `PackageError`."""
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    for name in (*FILES, *(each for each in OPTIONAL if (_ROOT / each).exists())):
        shutil.copy(_ROOT / name, stage / name)
    for folder in FOLDERS:
        for source in sorted((_ROOT / folder).rglob("*")):
            if source.suffix in _SOURCES:
                target = stage / source.relative_to(_ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)
    _install(stage / SITE_PACKAGES)
    size = sum(file.stat().st_size for file in _contents(stage))
    if size > _MOST_MB * 1e6:
        raise PackageError(f"{size / 1e6:.1f} MB is more than the {_MOST_MB} MB that a cold start allows")
    return size


def _install(target: Path) -> None:
    """Installs by hash, from wheels for the service's platform, so that nothing is compiled anywhere."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    command += ["--target", str(target), *_PLATFORM, "--require-hashes", "-r", str(_ROOT / "requirements.txt")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own arguments
    if done.returncode:
        raise PackageError(f"pip could not install requirements.txt:\n{done.stderr.strip()}")
    shutil.rmtree(target / _SCRIPTS, ignore_errors=True)


def pack(stage: Path, out: Path) -> str:
    """Zips the folder and returns the SHA-256 of the archive."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in _contents(stage):
            entry = zipfile.ZipInfo(file.relative_to(stage).as_posix(), _EPOCH)
            # Modes as on Linux, whatever machine builds it. Otherwise the service cannot read the files and finds no
            # function.
            entry.create_system, entry.compress_type, entry.external_attr = 3, zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, file.read_bytes())
    return hashlib.sha256(out.read_bytes()).hexdigest()


def _contents(stage: Path) -> Iterator[Path]:
    return (file for file in sorted(stage.rglob("*")) if file.is_file())


if __name__ == "__main__":
    sys.exit(main())
