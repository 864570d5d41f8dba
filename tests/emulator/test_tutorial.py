"""Every amlguard command of the tutorial and of the first hour, run as it stands there on the local Azure."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_azure import LocalAzure

from docs.tutorial import exports

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "tutorial.md").read_text("utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.splitlines() if line.startswith(".venv/bin/amlguard")]


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAzure]:
    tenant = json.loads((DOCS / "tutorial-tenant.json").read_text("utf-8"))
    running = LocalAzure.start(tmp_path_factory.mktemp("tutorial"), tenant, functions=False)
    yield running
    running.stop()


def test_it_goes_as_the_tutorial_says(azure: LocalAzure, tmp_path: Path) -> None:
    first, *commands = COMMANDS
    assert "emulate --tenant docs/tutorial-tenant.json --no-functions" in first
    said = {name: azure.env[name] for name in re.findall(r"export (\w+)=", exports(json.dumps(azure.ready)))}
    assert said.keys() >= {"AMLGUARD_ARM_ENDPOINT", "IDENTITY_ENDPOINT"}
    run, outputs = "", []
    for command in commands:
        _, *arguments = shlex.split(command.replace("RUN_ID", run))
        arguments = [str(tmp_path / one) if one.endswith((".jsonl", ".html")) else one for one in arguments]
        ran = azure.run(*arguments)
        assert ran.code in {0, 2}, (command, ran.out, ran.err)
        run = found[1] if (found := re.search(r"amlguard: run (\S+)", ran.err)) else run
        outputs.append((arguments[0], ran))
    plans = [ran.out for name, ran in outputs if name == "plan"]
    assert [" AcrPull " in one for one in plans] == [True, False, True]
    assert "deferred until" in plans[1]
    assert "undo" in next(ran.err for name, ran in outputs if name == "apply")
    assert (tmp_path / "fraud.html").read_text("ascii").startswith("<!doctype html>")
    assert {name for name, _ in outputs} == {"plan", "explain", "report", "apply", "undo"}


def test_the_first_hour_goes_as_it_says(tmp_path_factory: pytest.TempPathFactory) -> None:
    """On a tenant of its own: the first change is made, and then there is no grant left."""
    text = (DOCS / "deploy.md").read_text("utf-8").split("\n## The first hour\n", 1)[1].split("\n## ", 1)[0]
    commands = [line.strip() for line in text.splitlines() if line.strip().startswith(".venv/bin/amlguard")]
    folder = tmp_path_factory.mktemp("first-hour")
    running = LocalAzure.start(folder, json.loads((DOCS / "tutorial-tenant.json").read_text("utf-8")), functions=False)
    try:
        ended = []
        for command in commands:
            _, *arguments = shlex.split(command)
            ran = running.run(*(str(folder / one) if one.endswith((".jsonl", ".html")) else one for one in arguments))
            ended.append((arguments[0], ran.code))
            assert ran.code in {0, 2}, (command, ran.out, ran.err)
    finally:
        running.stop()
    assert [name for name, _ in ended] == ["plan", "plan", "report", "apply", "plan"]
    assert ended[0][1] == 2
    assert ended[-1][1] == 0, "no grant is left"
