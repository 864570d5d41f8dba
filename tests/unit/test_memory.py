"""What a process remembers: what it said already, and the newest document of each folder."""

from datetime import date

from unit.build import WORKSPACE

from shared.memory import Memory
from shared.ports import Stored

TODAY, TOMORROW = date(2026, 11, 2), date(2026, 11, 3)


def test_a_failure_is_noted_once_a_minute() -> None:
    memory = Memory()
    assert [memory.is_noted(each) for each in ("ARM 503", "ARM 503", "logs 403")] == [False, True, False]


def test_the_same_is_told_once_a_day_and_something_else_at_once() -> None:
    memory = Memory()
    said = [("a", TODAY), ("a", TODAY), ("b", TODAY), ("b", TOMORROW), ("b", TOMORROW)]
    assert [memory.is_untold(WORKSPACE, what, day) for what, day in said] == [True, False, True, True, False]


def test_of_each_folder_the_last_document_is_remembered() -> None:
    """A document for each hour: those of hours that are over are of no use."""
    memory = Memory()
    kept = {name: Stored(name.encode(), "1") for name in ("caps/1", "settings/1", "caps/2")}
    for name, stored in kept.items():
        memory.remember(name, stored)
    assert {name: memory.recall(name) for name in kept} == {**kept, "caps/1": None}
