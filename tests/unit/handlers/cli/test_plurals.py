"""What is counted for people is in the right number: "1 grant", never "1 grants"."""

from dataclasses import replace

import pytest
from unit.build import cluster, estate, sai, workspace

from handlers.cli.console import counted
from handlers.cli.formats.screen import Screen
from handlers.cli.present import render, result_document
from shared.access.plan import plan
from shared.access.report import Report
from shared.access.rules import RULES
from shared.access.terms import Terms


@pytest.mark.parametrize(
    ("number", "what", "said"),
    [
        (0, "grant", "0 grants"),
        (1, "grant", "1 grant"),
        (2, "grant", "2 grants"),
        (1, "change made", "1 change made"),
        (2, "change made", "2 changes made"),
    ],
)
def test_the_noun_follows_its_number(number: int, what: str, said: str) -> None:
    assert counted(number, what) == said


def test_a_plan_counts_in_words() -> None:
    made = plan(estate(workspace(cluster("cpu1", sai("cpu1")), cluster("cpu2", sai("cpu2")))), Terms(table=RULES))
    assert len(made.grants) == 2
    one = Report([replace(made, grants=made.grants[:1], satisfied=1)], ["it could not be read"])
    two = Report([replace(made, satisfied=2)], ["it could not be read", "nor could this"])
    last = [render(result_document(report), "text", Screen()).splitlines()[-1] for report in (one, two)]
    assert last[0].startswith("1 grant, 0 settings, ")
    assert last[0].endswith("; 1 need already satisfied, 1 error")
    assert last[1].startswith("2 grants, 0 settings, ")
    assert last[1].endswith("; 2 needs already satisfied, 2 errors")
