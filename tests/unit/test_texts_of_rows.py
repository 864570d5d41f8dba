"""What tenants write reaches the record as one line that any log takes."""

import json

import pytest
from unit.build import NOW, REGISTRY, WORKSPACE, sai

from shared.access.actions import Grant
from shared.access.asks import Finding, Severity
from shared.access.needs import PULL
from shared.access.quoting import visible
from shared.access.terms import RunMode
from shared.audit_rows import Outcome, Phase, Run, finding, remediation

HOSTILE = ["\x1b[2Jgone", "one\ntwo", "half \ud800 of it", "\u202eright to left", "a\x00b", "a\u2028b", "\x9b31m"]


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_every_text_for_people_is_one_line(text: str) -> None:
    grant = Grant(sai("cpu1"), PULL, REGISTRY, WORKSPACE, "rule", (), "why", "source")
    found = Finding(WORKSPACE, "rule", (), Severity.LOW, f"a name {text}", f"rename {text}")
    rows = [
        remediation(Run(RunMode.ENFORCE), Outcome(grant, Phase.FAILED, f"because of {text}")),
        finding(Run(RunMode.ENFORCE), found),
    ]
    for row in rows:
        said = [row[name] for name in ("Reason", "Message", "Remedy") if name in row]
        assert said
        assert all(one.isprintable() for one in said)
        assert json.dumps(row, ensure_ascii=False, default=str).encode()


@pytest.mark.parametrize("text", ["as it is", "Ünïcödé 日本語", "", f"{NOW:%Y}"])
def test_what_people_can_read_stays_as_it_is(text: str) -> None:
    assert visible(text) == text
