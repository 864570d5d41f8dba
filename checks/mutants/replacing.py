"""A plugin of pytest: replaces a module by a mutant before it is imported, and runs the tests that matter."""

import json
import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

import pytest

FILE = "AMLGUARD_MUTANT"
_said = json.loads(Path(os.environ[FILE]).read_text("utf-8"))
_place: dict[str, int] = {test: at for at, test in enumerate(_said["tests"])}


class _Changed(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - as importlib calls it
        return compile(_said["code"], self.path, "exec")


class _Finder(MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:  # noqa: ARG002 - as importlib calls it
        if name != _said["path"].removesuffix(".py").replace("/", "."):
            return None
        file = str(Path(_said["path"]).resolve())
        return spec_from_file_location(name, file, loader=_Changed(name, file))


sys.meta_path.insert(0, _Finder())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = sorted((one for one in items if one.nodeid in _place), key=lambda one: _place[one.nodeid])
