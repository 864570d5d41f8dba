"""The house's habits are checked, and the check can fail."""

import subprocess
import sys
from pathlib import Path

import pytest

from checks.habits import ROOT, breaches, main, sizes

_REASON = "# long: a table, a line for each row"


def _function(lines: int, above: str = "", beside: str = "") -> str:
    body = "    pass\n" * (lines - 1)
    return f"{above}def f() -> None:{beside}\n{body}"


def _module(lines: int, head: str = "import os\n") -> str:
    return head + "os\n" * (lines - len(head.splitlines()))


def found(folder: Path, text: str, name: str = "shared/one.py") -> list[str]:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return [str(one) for one in breaches(folder)]


def test_this_house_keeps_them() -> None:
    assert list(breaches(ROOT)) == []


@pytest.mark.parametrize(
    "text",
    [
        _function(40),
        _function(41, above=f"{_REASON}\n"),
        _function(41, beside=f"  {_REASON}"),
        _function(41, above=f"{_REASON}\n@property\n"),
        _module(300),
        _module(301, head=f'"""What it is."""\n\n{_REASON}\nimport os\n'),
        _module(301, head=f"{_REASON}\nimport os\n"),
        _module(300, head="from os import *  # noqa: F403 - all of it is meant\n"),
        "x: int = y  # type: ignore[name-defined]  # noqa: F821 - found at run time only\n",
        'told = "# noqa: F403 is no comment"\n',
        "",
    ],
)
def test_what_is_kept(tmp_path: Path, text: str) -> None:
    assert found(tmp_path, text) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (_function(41), "shared/one.py:1: f has 41 lines"),
        (_function(41).replace("def", "async def"), "shared/one.py:1: f has 41 lines"),
        (f"class C:\n    {_function(41).replace('\n', '\n    ').rstrip()}\n", "shared/one.py:2: f has 41 lines"),
        (_function(41, above="# long:\n"), "shared/one.py:2: f has 41 lines"),
        (_function(41, above=f"{_REASON}\n\n"), "shared/one.py:3: f has 41 lines"),
        (_module(301), "shared/one.py:1: the module has 301 lines"),
        (_module(301, head=f"import os\n{_REASON}\n"), "shared/one.py:1: the module has 301 lines"),
        (_function(3, above=f"{_REASON}\n"), "shared/one.py:2: f has 3 lines, which is not long"),
        (f"import os\n\n{_REASON}\nos\n", "shared/one.py:3: nothing here is long"),
        ("from os import *  # noqa: F403\n", "shared/one.py:1: say beside it why"),
        ("from os import *  # noqa: F403, F401\n", "shared/one.py:1: say beside it why"),
        ("from os import *  # NOQA: F403 - x\n", "shared/one.py:1: say beside it why"),
        ("import os  # ruff: noqa\n", "shared/one.py:1: say beside it why"),
        ("import os  # type: ignore\n", "shared/one.py:1: say beside it why"),
        ("import os  # type: ignore[import]  # noqa: F401\n", "shared/one.py:1: say beside it why"),
        ("# mypy: ignore-errors\nimport os\n", "shared/one.py:1: say beside it why"),
        ("import os  # pragma: no cover\n", "shared/one.py:1: say beside it why"),
        ("import os  # pylint: disable=unused-import\n", "shared/one.py:1: say beside it why"),
        ("import os  # nosec B404\n", "shared/one.py:1: say beside it why"),
        ("import os  # pyright: ignore[reportUnused]\n", "shared/one.py:1: say beside it why"),
    ],
)
def test_what_is_not(tmp_path: Path, text: str, said: str) -> None:
    breach = found(tmp_path, text)
    assert [one.startswith(said) for one in breach].count(True) == 1, breach


@pytest.mark.parametrize("folder", ["handlers", "shared/access", "emulator", "demo", "infra", "bench"])
def test_length_counts_everywhere_but_in_tests(tmp_path: Path, folder: str) -> None:
    assert found(tmp_path, _module(301), "tests/one.py") == []
    assert len(found(tmp_path, _module(301), f"{folder}/one.py")) == 1


def test_a_silenced_check_has_its_reason_in_tests_as_well(tmp_path: Path) -> None:
    assert len(found(tmp_path, "import os  # noqa: F401\n", "tests/unit/one.py")) == 1


def test_the_program_fails_where_a_habit_is_broken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found(tmp_path, _function(41))
    command = [sys.executable, "-m", "checks.habits", str(tmp_path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "shared/one.py:1: f has 41 lines" in ran.stdout
    found(tmp_path, _function(40))
    assert main([str(tmp_path)]) == 0
    assert "lines of Python and grammar" in capsys.readouterr().out


def test_make_check_asks_for_them() -> None:
    gate = (ROOT / "Makefile").read_text("utf-8").partition("check-code:\n")[2].partition("\n\n")[0]
    assert "-m checks.habits" in gate


def test_the_sizes_are_those_of_python_and_grammars(tmp_path: Path) -> None:
    for name, lines in {
        "emulator/a.py": 3,
        "emulator/kql/b.lark": 4,
        "emulator/data/c.json": 50,
        "demo/d.py": 60,
        "shared/access/e.py": 5,
        "handlers/f.py": 6,
        "function_app.py": 7,
        "tests/g.py": 80,
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n" * lines, "utf-8")
    said = sizes(tmp_path)
    assert "emulator/ has 7 lines" in said
    assert said.endswith("function_app.py 18")
