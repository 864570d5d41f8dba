"""Whatever a file holds, people get one line that says what is wrong with it, and never a traceback."""

import json
from pathlib import Path

import pytest

from handlers.cli.main import main

POLICIES = {
    "deep": "scopes: " + "[" * 100_000,
    "a list as a key": "? [a, b]\n: c\n",
    "an object as a key": "? {a: b}\n: c\n",
    "no date": "exemptions:\n - {rules: [AML-21], until: 2027-99-99, reason: x, scope: /}\n",
    "no offset": "mode: 2027-01-01 10:10:10 +99:99\n",
    "a huge number": f"caps: {{per_run: {'9' * 5000}}}\n",
    "infinite": "settle_minutes: .inf\n",
    "not a number": "settle_minutes: .nan\n",
    "no truth": 'mode: !!bool "abc"\n',
    "no time": 'mode: !!timestamp "abc"\n',
    "no float": 'mode: !!float "abc"\n',
    "a foreign tag": "mode: !!python/object:os.system x\n",
    "within itself": "scopes: &a [*a]\n",
    "half a character": 'mode: "\\ud800"\n',
    "two documents": "mode: report\n---\nmode: enforce\n",
    "twice": "mode: report\nmode: enforce\n",
}
PLANS: dict[str, str] = {
    "deep": "[" * 100_000,
    "deep within": '{"grants":' + "[" * 100_000,
    "deep in a grant": '{"grants":[{"roleDefinitionId":"x","scope":' + "[" * 900 + "]" * 900 + '}],"settings":[]}',
    "not a number": '{"grants":[{"principalId":NaN}],"settings":[]}',
    "a huge number": '{"grants":[{"principalId":' + "9" * 5000 + '}],"settings":[]}',
    "twice": '{"grants":[],"grants":[{"principalId":"a"}],"settings":[]}',
    "an empty list for a text": '{"grants":[{"principalId":[],"roleDefinitionId":"x","scope":"y"}],"settings":[]}',
    "a zero for a text": '{"grants":[],"settings":[{"resourceId":"x","property":"y","principalId":0}]}',
    "null": "null",
    "texts": '{"grants":"ab","settings":"cd"}',
    "numbers": '{"grants":[],"settings":[{"resourceId":5}]}',
}


def _complaint(capsys: pytest.CaptureFixture[str]) -> str:
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert "fault in amlguard" not in said[0]
    return said[0]


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICIES[name])
    assert main(["policy", "check", str(file)]) == 1
    assert str(file) in _complaint(capsys)


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_document(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "plan.json"
    file.write_text(PLANS[name])
    assert main(["apply", "--yes", "--plan", str(file)]) == 1
    assert str(file) in _complaint(capsys)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": NaN}', '{"a": 1, "a": 2}', "", '"\ud800'])
def test_an_event(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "event.json"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    assert main(["event", str(file)]) == 1
    assert str(file) in _complaint(capsys)


@pytest.mark.parametrize("run", ["x", "", "9" * 100_000, "\x1b[2J"])
@pytest.mark.parametrize("confirmed", [["--yes"], []], ids=["at once", "asking first"])
def test_a_run_that_is_none(run: str, confirmed: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """It is said before anybody signs in."""
    assert main(["undo", *confirmed, run]) == 1
    said = _complaint(capsys)
    assert said.isprintable()
    assert "is not a run id, which looks like" in said


def test_a_byte_order_mark_is_none_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "policy.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps({"mode": "report"}).encode())
    assert main(["policy", "check", str(file)]) == 0
    assert "is valid" in capsys.readouterr().out
