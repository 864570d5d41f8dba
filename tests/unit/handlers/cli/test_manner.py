"""One manner for all commands: help with examples, suggestions for what was mistyped, completion, the catalogue."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from handlers.cli.arguments import parser
from handlers.cli.console import UsageError
from handlers.cli.examples import EXAMPLES
from handlers.cli.formats.screen import Screen
from handlers.cli.main import COMMANDS
from handlers.cli.rules import KINDS, Wanted, catalogue, choose, text
from shared.access.rules import RULES

AMLGUARD = Path(sys.executable).with_name("amlguard")


@pytest.mark.parametrize("command", EXAMPLES, ids=lambda name: name or "amlguard")
def test_each_help_ends_with_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        parser(COMMANDS).parse_args([*command.split(), "--help"])
    assert end.value.code == 0
    said = capsys.readouterr().out
    assert said.rstrip().endswith(EXAMPLES[command][-1])
    assert "usage: amlguard" in said


@pytest.mark.parametrize("example", [one for examples in EXAMPLES.values() for one in examples])
def test_each_example_is_right(example: str) -> None:
    if found := re.search(r"\$\((.*)\)", example):
        example = found[1]
    _, *arguments = shlex.split(example)
    assert parser(COMMANDS).parse_args(arguments).run in COMMANDS.values()


@pytest.mark.parametrize(
    ("mistyped", "meant"),
    [
        (["paln"], "plan"),
        (["explian", "x"], "explain"),
        (["aply"], "apply"),
        (["policy", "chek", "x"], "check"),
        (["plan", "--format", "jsn"], "json"),
        (["plan", "--severity", "hgih"], "high"),
        (["rules", "--mode", "audti"], "audit"),
    ],
)
def test_what_is_mistyped_is_an_error_that_says_what_was_meant(
    mistyped: list[str], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        parser(COMMANDS).parse_args(mistyped)
    assert end.value.code == 1
    assert f"did you mean {meant}?" in capsys.readouterr().err


def test_what_is_like_nothing_is_not_guessed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser(COMMANDS).parse_args(["xyzzy"])
    said = capsys.readouterr().err
    assert "did you mean" not in said
    assert "see `amlguard --help`" in said


def _completed(line: str) -> set[str]:
    """As bash asks for it: argcomplete answers on the file descriptor 8."""
    env = {**os.environ, "_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE_IFS": "\n"}
    command = f"{shlex.quote(str(AMLGUARD))} 8>&1 9>&2 1>/dev/null"
    done = subprocess.run(["bash", "-c", command], env=env, capture_output=True, text=True, timeout=60, check=False)
    return {one.strip() for one in done.stdout.split("\n")}


def test_a_shell_completes_commands_and_values() -> None:
    assert _completed("amlguard pl") == {"plan"}
    assert _completed("amlguard plan --format s") == {"sarif"}
    said = subprocess.run([AMLGUARD, "completion", "bash"], capture_output=True, text=True, check=True).stdout
    assert "complete" in said
    assert "amlguard" in said


@pytest.mark.parametrize("kind", KINDS)
def test_the_catalogue_by_kind(kind: str) -> None:
    found = choose(RULES, Wanted(kinds=[kind]))
    assert {one.mode for one in found} <= {KINDS[kind]}
    assert len(found) == sum(one.mode is KINDS[kind] for one in RULES)


def test_the_catalogue_by_name_and_severity() -> None:
    assert [one.name for one in choose(RULES, Wanted(["aml-21"]))] == ["registry-admin-user"]
    high = choose(RULES, Wanted(severities=["high"]))
    assert 0 < len(high) < len(RULES)
    assert all("high" in one["severities"] for one in catalogue(high))
    assert choose(RULES, Wanted()) == list(RULES)
    with pytest.raises(UsageError, match="did you mean"):
        choose(RULES, Wanted(["registry-admin-usr"]))


def test_the_catalogue_explains_its_letters() -> None:
    said = text(RULES, Screen(), whole=False)
    for letter in {str(rule.mode) for rule in RULES}:
        assert re.search(rf"^{re.escape(letter)} +\w", said, re.MULTILINE), letter
    assert len([line for line in said.splitlines() if line.strip()]) >= len(RULES) + 1
    one = text(choose(RULES, Wanted(["AML-21"])), Screen(), whole=True)
    assert "acts: " in one
    assert "source: " in one
    assert text([], Screen(), whole=False) == "no rule is like that"


def test_an_output_that_nobody_reads_is_no_success() -> None:
    """As in `amlguard apply --yes | head -1`: nobody heard that something was refused."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        ended = subprocess.run([AMLGUARD, "rules"], stdout=closed, stderr=subprocess.PIPE, check=False)
    assert (ended.returncode, ended.stderr) == (141, b"")
