"""Beside this file lies what tests share: pytest puts its folder on the path (`from fakes import …`, `unit.build`)."""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from infra.compiler import Bicep, Compiler

settings.register_profile("amlguard", deadline=None, derandomize=True, print_blob=False)
settings.load_profile("amlguard")

_TESTS = Path(__file__).parent
# These modules take longest. They begin first, so that no process works on one of them when the others are done.
_LONGEST = {
    _TESTS / name: place
    for place, name in enumerate(
        (
            "reports/test_reports.py",
            "catalogue/test_catalogue.py",
            "emulator/test_registry_users.py",
            "properties/test_hostile_tenants.py",
            "browser/test_report_page.py",
            "properties/test_narrow_and_full_looks.py",
            "emulator/test_what_leads_here.py",
            "infra/test_played.py",
            "infra/test_check.py",
            "emulator/test_scopes.py",
            "emulator/test_scopes_of_sweeps.py",
            "emulator/test_sweeping.py",
            "emulator/test_truth_table.py",
            "emulator/test_snapshots_of_demo_tenants.py",
            "reliability/test_fault_matrix.py",
            "emulator/test_encodings.py",
            "catalogue/test_new_rule.py",
            "infra/test_rights.py",
            "properties/test_malformed_ids.py",
            "emulator/test_guardrails_stop.py",
            "emulator/test_undo_at_once.py",
            "emulator/test_odd_names.py",
            "emulator/test_failing_reads.py",
            "emulator/test_teams.py",
            "package/test_wheel.py",
            "unit/handlers/cli/formats/test_hostile_text.py",
        )
    )
}


@pytest.fixture(scope="session")
def bicep() -> Iterator[Bicep]:
    """Microsoft's compiler: started once for all that one process of pytest asks of it."""
    compiler = Compiler.found()
    if compiler is None:
        pytest.skip("there is no bicep on the PATH")
    with compiler.running() as running:
        yield running


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """Nothing that is collected goes away again, so nobody looks for garbage meanwhile: a sixth of the time."""
    gc.disable()
    try:
        _load_share(session.config)
        return (yield)
    finally:
        gc.enable()


def _load_share(config: pytest.Config) -> None:
    """In a fresh clone pytest rewrites the asserts of each module when it is first loaded.

    All processes of xdist load all modules, in the same order. So that not each of them rewrites all, each begins with
    a share of its own. What cannot be loaded is told when it is collected.
    """
    worker: dict[str, Any] | None = getattr(config, "workerinput", None)
    if not worker or not any((config.invocation_params.dir / one).resolve() == _TESTS for one in config.args):
        return
    modules = sorted(path for path in _TESTS.rglob("test_*.py") if "fixture_app" not in path.parts)
    for path in modules[int(worker["workerid"].removeprefix("gw")) :: worker["workercount"]]:
        sys.path.insert(0, str(path.parent))
        with suppress(Exception, pytest.skip.Exception):
            import_module(path.stem)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """xdist gives modules to its processes in this order (`--no-loadscope-reorder`)."""
    if gone := [str(path) for path in _LONGEST if not path.exists()]:
        raise pytest.UsageError(f"tests/conftest.py names modules that are not there: {', '.join(gone)}")
    items.sort(key=lambda item: _LONGEST.get(item.path, len(_LONGEST)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests tell of themselves in figures (`record_property`), whichever worker they ran on."""
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, told in report.user_properties:
            terminalreporter.write_line(f"{name}: {told}")


def pytest_xdist_auto_num_workers() -> int:
    """One more than processors: tests on the local Azure wait for much of their time."""
    return (os.process_cpu_count() or 1) + 1
