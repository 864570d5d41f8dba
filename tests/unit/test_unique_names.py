"""Folders of tests are no packages: pytest imports each module by its base name, and stops where two share one."""

from collections import Counter
from pathlib import Path

TESTS = Path(__file__).parents[1]


def test_no_two_modules_of_tests_share_a_name() -> None:
    names = Counter(path.name for path in TESTS.rglob("test_*.py") if "fixture_app" not in path.parts)
    assert len(names) > 100
    assert [name for name, count in names.items() if count > 1] == []
