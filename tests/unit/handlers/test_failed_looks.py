"""What failed in one of several looks, and what ends all of them."""

import asyncio

import pytest
from unit.build import WORKSPACE, workspace_id

from handlers.look import failures
from shared.ports import AzureFailureError

OTHER = workspace_id("other")


async def test_each_failure_is_that_of_its_workspace() -> None:
    error = ValueError("no")
    assert failures([WORKSPACE, OTHER], ["done", error]) == [(OTHER, error)]


@pytest.mark.parametrize("ends", [KeyboardInterrupt, SystemExit])
async def test_what_ends_the_process_ends_it(ends: type[BaseException]) -> None:
    with pytest.raises(ends):
        failures([WORKSPACE, OTHER], [ends(), ValueError("no")])


async def test_a_look_that_was_given_up_failed() -> None:
    ((scope, error),) = failures([WORKSPACE], [asyncio.CancelledError()])
    assert isinstance(error, AzureFailureError)
    assert (scope, error.operation, error.code) == (WORKSPACE, "look", "Cancelled")
    assert error.reason


async def test_a_task_that_is_to_end_ends() -> None:
    task = asyncio.current_task()
    assert task
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        failures([WORKSPACE], [asyncio.CancelledError()])
    task.uncancel()
