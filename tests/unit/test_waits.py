"""How long what Azure puts off waits: as long as Azure asks, and no shorter than a retry would."""

from datetime import timedelta

import pytest
from unit.build import NOW, REGISTRY, WORKSPACE, sai

from shared.access.actions import Grant, Plan
from shared.access.needs import PULL
from shared.audit_rows import Outcome, Phase
from shared.waiting import backoff, delay

GRANT = Grant(sai("cpu1"), PULL, REGISTRY, WORKSPACE, "rule", (), "why", "source")


@pytest.mark.parametrize(("asked", "waits"), [(60, 60), (0, 1), (1, 1)], ids=["an hour", "nothing", "a minute"])
def test_what_azure_asks_is_kept(asked: int, waits: int) -> None:
    outcome = Outcome(GRANT, Phase.DEFERRED, "why", wait=timedelta(minutes=asked))
    assert delay(Plan(), [outcome], NOW, 0) == timedelta(minutes=waits)


def test_a_retry_that_is_later_than_azure_asks_stays_so() -> None:
    outcome = Outcome(GRANT, Phase.DEFERRED, "why", wait=timedelta(minutes=2))
    assert delay(Plan(), [outcome], NOW, 4) == backoff(4) > timedelta(minutes=2)
