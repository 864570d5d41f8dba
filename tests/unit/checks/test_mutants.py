"""The judge of the tests: what it notices, remembers and says. Which changes it makes needs libcst: `make mutants`."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from checks.mutants.judging import of_few_files
from checks.mutants.mutant import Mutant
from checks.mutants.verdicts import KILLED, SURVIVED, TIMED_OUT, UNCOVERED, Verdict, Verdicts, figures

ROOT = Path(__file__).parents[3]


def _mutant(key: str, path: str = "shared/one.py", before: str = "a < b") -> Mutant:
    return Mutant(path, "f", 1, range(1, 2), before, "a <= b", key, plain=False, code="")


class TestVerdicts:
    def test_what_was_killed_stays_killed_and_what_survived_other_tests_is_judged_again(self, tmp_path: Path) -> None:
        file = tmp_path / "results.jsonl"
        first = Verdicts(file, "then", 1.0)
        for key, word in zip("abcd", (KILLED, SURVIVED, TIMED_OUT, UNCOVERED), strict=True):
            first.add(Verdict(_mutant(key), word))
        assert set(first.known()) == {"a", "b", "c", "d"}
        assert Verdicts(file, "now", 1.0).known() == {"a": KILLED, "c": TIMED_OUT}

    def test_the_last_word_counts_and_a_line_that_was_cut_off_does_not(self, tmp_path: Path) -> None:
        file = tmp_path / "results.jsonl"
        one = Verdicts(file, "now", 1.0)
        one.add(Verdict(_mutant("a"), SURVIVED))
        one.add(Verdict(_mutant("a"), KILLED, "test_a"))
        whole = file.read_text("utf-8")
        file.write_text(whole + json.dumps({"key": "b", "word": KILLED})[:-4], "utf-8")
        assert one.known() == {"a": KILLED}

    def test_what_survived_quick_tests_is_judged_again_when_slower_ones_are_asked(self, tmp_path: Path) -> None:
        file = tmp_path / "results.jsonl"
        for key, word in zip("ab", (KILLED, SURVIVED), strict=True):
            Verdicts(file, "now", 0.1).add(Verdict(_mutant(key), word))
        assert Verdicts(file, "now", 1.0).known() == {"a": KILLED}
        assert Verdicts(file, "now", 0.1).known() == {"a": KILLED, "b": SURVIVED}

    def test_what_was_killed_on_one_machine_is_known_on_another(self, tmp_path: Path) -> None:
        file = tmp_path / "killed.txt"
        here = Verdicts(tmp_path / "here", "now", 1.0)
        some = [_mutant("a"), _mutant("b"), _mutant("c", "shared/two.py"), _mutant("d")]
        for one, word in zip(some, (KILLED, SURVIVED, TIMED_OUT, KILLED), strict=True):
            here.add(Verdict(one, word))
        here.keep(some[:3], file)
        assert file.read_text("utf-8") == "shared/one.py f a\nshared/two.py f c\n"
        assert Verdicts(tmp_path / "there", "now", 1.0, file).known() == {"a": KILLED, "c": KILLED}

    def test_before_the_first_run_nothing_is_known(self, tmp_path: Path) -> None:
        assert Verdicts(tmp_path / "none", "now", 1.0).known() == {}


def test_what_an_import_runs_is_judged_first_by_those_that_import_it(tmp_path: Path) -> None:
    for at in range(20):
        (tmp_path / f"test_{at}.py").write_text("import shared.two\n", "utf-8")
    for at, text in ((17, "from shared.one import LIMIT\n"), (18, "from shared import six, one\n")):
        (tmp_path / f"test_{at}.py").write_text(text, "utf-8")
    named = [f"{tmp_path}/test_{at}.py::test_a" for at in range(20)]
    few = of_few_files(named, "shared/one.py")
    assert len(few) == 8
    assert few[-2:] == [named[17], named[18]]
    assert of_few_files(named, "shared/two.py") == named[:8]


class TestFigures:
    def _explained(self, folder: Path, text: str) -> Path:
        file = folder / "explained.toml"
        file.write_text(text, "utf-8")
        return file

    def test_each_word_is_counted_and_who_survives_is_named(self, tmp_path: Path) -> None:
        some = [_mutant("a"), _mutant("b"), _mutant("c", "shared/two.py"), _mutant("d", "shared/two.py", "x")]
        known = {"a": KILLED, "b": SURVIVED, "c": UNCOVERED}  # what is explained need not be judged
        explained = self._explained(tmp_path, '[[survivor]]\npath = "shared/two.py"\nwhy = "it is equivalent"\n')
        told = figures(some, known, explained)
        assert [str(one.key) for one in told.open] == ["b"]
        lines = list(told.lines())
        assert lines[1].split() == ["shared/one.py", "1", "0", "0", "1", "0"]
        assert lines[2].split() == ["shared/two.py", "0", "0", "2", "0", "0"]
        assert lines[3].split() == ["all", "1", "0", "2", "1", "0"]
        assert lines[4] == f"survived: {some[1]}"

    @pytest.mark.parametrize(
        "said",
        [
            'path = "shared/one.py"\nwhy = ""',
            'path = "shared/one.py"',
            'path = "shared/two.py"\nwhy = "x"',
            'where = "g"\nwhy = "x"',
            'before = "a > b"\nwhy = "x"',
            'after = "b*"\nwhy = "x"',
            'only = "case"\nwhy = "x"',
        ],
    )
    def test_an_explanation_of_something_else_or_without_a_reason_explains_nothing(
        self, tmp_path: Path, said: str
    ) -> None:
        told = figures([_mutant("a")], {"a": SURVIVED}, self._explained(tmp_path, f"[[survivor]]\n{said}\n"))
        assert len(told.open) == 1

    def test_that_only_the_case_of_letters_changes_can_be_the_reason(self, tmp_path: Path) -> None:
        one = replace(_mutant("a", before='"providers"'), after='"PROVIDERS"')
        explained = self._explained(tmp_path, '[[survivor]]\nonly = "case"\nwhy = "ids are compared without it"\n')
        assert figures([one], {"a": SURVIVED}, explained).open == []

    def test_an_explanation_of_what_no_longer_survives_is_named(self, tmp_path: Path) -> None:
        entry = '[[survivor]]\npath = "shared/{}.py"\nwhy = "it is equivalent"\n'
        explained = self._explained(tmp_path, entry.format("two") + entry.format("six"))
        some = [_mutant("a"), _mutant("b", "shared/two.py")]
        for word, named in ((KILLED, True), (SURVIVED, False), (None, False)):
            known = {"a": KILLED} | ({"b": word} if word else {})
            said = [line for line in figures(some, known, explained).lines() if line.startswith("explains nothing")]
            assert said == (["explains nothing: path=shared/two.py why=it is equivalent"] if named else [])

    def test_those_of_this_house_have_reasons(self) -> None:
        explained = ROOT / "checks" / "mutants" / "explained.toml"
        assert figures([], {}, explained).open == []


_MODULE = """\
LIMIT = 3


def under(a: int) -> bool:
    return a < LIMIT


def unused(a: int) -> int:
    return a + 1


def doubled(a: int) -> int:
    return 2 * a


SIX = doubled(LIMIT)
"""
_TESTS = """\
from shared.one import LIMIT, SIX, under


def test_it() -> None:
    assert under(LIMIT - 1)
    assert not under(LIMIT + 1)
    assert SIX == 2 * LIMIT
"""
_JUDGE = """\
import json
from pathlib import Path

import pytest

from checks.mutants.judging import Judge
from checks.mutants.mutant import Mutant

TEST = "tests/test_one.py::test_it"
code = Path("shared/one.py").read_text()
changes = [
    ("a < LIMIT", "a > LIMIT", [TEST]),
    ("return a < LIMIT", "return a <= LIMIT", [TEST]),
    ("a + 1", "a - 1", []),
    ("LIMIT = 3", "LIMIT = 'a'", [TEST]),
    ("2 * a", "3 * a", [TEST]),
]
mutants = [
    Mutant("shared/one.py", "f", n, range(n, n + 1), before, after, str(n), False, code.replace(before, after))
    for n, (before, after, _) in enumerate(changes)
]
words = {}
judge = Judge(
    Path.cwd(),
    mutants,
    lambda one: changes[one.line][2],
    lambda one: one.before == "2 * a",
    lambda _: 0.1,
    lambda one: words.update({one.mutant.key: one.word}),
    1,
)
pytest.main(["-q", "-p", "no:cacheprovider", "tests"], [judge])
print(json.dumps(words))
"""


def test_it_judges_in_forks_and_what_imports_run_in_a_process_of_its_own(tmp_path: Path) -> None:
    """What is turned round is noticed, what no test tells apart survives, what no test runs is not covered."""
    for name, text in {
        "pyproject.toml": '[tool.pytest.ini_options]\npythonpath = ["."]\n',
        "shared/__init__.py": "",
        "shared/one.py": _MODULE,
        "tests/test_one.py": _TESTS,
        "judge.py": _JUDGE,
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    environment = {"PYTHONPATH": f"{tmp_path}:{ROOT}", "PATH": "/usr/bin:/bin", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "judge.py"]
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    told = json.loads(ran.stdout.splitlines()[-1]) if ran.stdout else ran.stderr
    assert told == {"0": KILLED, "1": SURVIVED, "2": UNCOVERED, "3": KILLED, "4": KILLED}
