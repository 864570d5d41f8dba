"""For tests, workers are forked. They must not differ from those that users have, which are new interpreters."""

import json
from pathlib import Path

import pytest
from emulator_units.worker_story import BROKEN, forked_story, story
from forked import Forked
from wire import clean

from emulator.functions.channel import new_interpreter


async def test_a_forked_worker_is_like_a_new_interpreter(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ran = Forked.start(tmp_path_factory.mktemp("forked"), forked_story, [str(tmp_path)], clean(tmp_path)).ended(120)
    told = json.loads(ran.out)
    assert told == await story(tmp_path, new_interpreter)
    assert set(BROKEN) < told.keys()
    assert (told["killed"], told["after that"], told["left"]) == (
        "WorkerProcessExitException: python exited with code -9",
        "",
        [],
    )
    assert "to standard output" in ran.err
