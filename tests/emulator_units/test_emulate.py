"""`amlguard emulate` and what it becomes, `python -m emulator`: one line when ready, clear refusals, a clean end."""

import json
import signal
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import forked
import pytest
from emulator_units.arm_calls import REGISTRY, resource
from local_azure import LocalAzure

from emulator.options import Options, parse

ROOT = Path(__file__).parents[2]


@contextmanager
def started(
    *arguments: str | Path, program: Sequence[str] = (sys.executable, "-m", "emulator")
) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    command = [*program, "--no-functions", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def test_ready_line_and_clean_end(tmp_path: Path) -> None:
    tenant = tmp_path / "tenant.json"
    short = REGISTRY.removesuffix("regml") + "reg"
    tenant.write_text(json.dumps({"resources": [resource(REGISTRY), resource(short)]}))
    policy = tmp_path / "policy.yaml"
    policy.write_text("mode: enforce\n")
    installed = (str(Path(sys.executable).with_name("amlguard")), "emulate")
    with started("--tenant", tenant, "--seed", "5", "--policy", policy, program=installed) as (process, ready):
        assert ready["ready"] is True
        assert ready["functions"] is None
        assert set(ready["env"]) == {
            "AMLGUARD_ARM_ENDPOINT",
            "AMLGUARD_KILL_SWITCH",
            "AMLGUARD_LOGS_INGESTION_ENDPOINT",
            "AMLGUARD_LOGS_QUERY_ENDPOINT",
            "AMLGUARD_LOGS_RULE_ID",
            "AMLGUARD_LOG_WORKSPACE_ID",
            "AMLGUARD_POLICY",
            "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
            "AzureWebJobsStorage__credential",
            "IDENTITY_ENDPOINT",
            "IDENTITY_HEADER",
            "REQUESTS_CA_BUNDLE",
            "SSL_CERT_FILE",
        }
        request = urllib.request.Request(
            f"{ready['arm']}{REGISTRY}?api-version=2025-11-01",
            headers={"Authorization": f"Bearer {ready['operatorToken']}"},
        )
        with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=ready["ca"])) as answer:
            assert json.load(answer)["name"] == "regml"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
        assert (process.returncode, out) == (0, "")
        assert err.startswith("amlguard emulate: Azure allows no such name: resources[1].id: ")
        assert (
            err.strip().partition("/docs/emulator.md ")[2]
            == "says how to use it with az, azure-ai-ml, curl and the SDKs"
        )
    assert not Path(ready["ca"]).exists()


def test_the_same_seed_makes_up_the_same(tmp_path_factory: pytest.TempPathFactory) -> None:
    def rule_id(seed: str) -> str:
        azure = LocalAzure.start(tmp_path_factory.mktemp("seed"), None, "", "--seed", seed, functions=False)
        azure.stop()
        return azure.env["AMLGUARD_LOGS_RULE_ID"]

    assert rule_id("5") == rule_id("5") != rule_id("6")


@pytest.mark.parametrize(
    ("option", "text", "said"),
    [
        ("--tenant", "{", "is not JSON"),
        ("--tenant", '{"resources": [{}]}', "resources[0] has no id"),
        ("--faults", '[{"stat": 1}]', "faults[0].stat is unknown"),
        ("--access", "{}", "no roleAssignments"),
        ("--access", '{"roleAssignments": [{"role": "King", "on": "watched"}]}', "unknown role"),
    ],
)
def test_refusals(tmp_path: Path, option: str, text: str, said: str) -> None:
    file = tmp_path / "given.json"
    file.write_text(text)
    ran = forked.emulator_ended(tmp_path, "--no-functions", option, str(file))
    assert (ran.code, ran.out) == (1, "")
    assert said in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    "arguments", [["--port", "70000"], ["--latency-ms", "-1"], ["--latency-ms", "soon"], ["--workers", "0"]]
)
def test_options_that_make_no_sense(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(arguments)
    assert arguments[1] in capsys.readouterr().err
    assert parse(["--port", "7", "--latency-ms", "1.5", "--workers", "2"]) == Options(port=7, latency_ms=1.5, workers=2)
