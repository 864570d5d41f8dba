"""What goes wrong on the command line is said in one line that names what to do. Never a traceback, never a secret."""

import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from forked import Ran
from local_azure import AMLGUARD, LocalAzure, Start, amlguard
from tenants import GRANTS_ONLY, Tenant, child, group_id, system_assigned
from wire import clean

GROUP = group_id("rg-desk")
WORKSPACE = child(GROUP, "Microsoft.MachineLearningServices/workspaces", "mlw")
RUN = "6d8f6d3e-3d0c-4b8e-9a52-8f7a0c6e2b11"
SECRET = "a-secret-that-must-not-be-said"
PROGRESS = "signing in and looking for workspaces …"
_AS_A_PRINCIPAL = {
    "AZURE_CLIENT_ID": "11111111-1111-4111-8111-111111111111",
    "AZURE_TENANT_ID": "7d1c2b6e-0d0b-4d0e-9f3e-5a4f2f6b9a01",
    "AZURE_CLIENT_SECRET": SECRET,
    "IDENTITY_ENDPOINT": "",
    "IDENTITY_HEADER": "",
}


@pytest.fixture(scope="module")
def azure(start_azure: Start) -> LocalAzure:
    tenant = Tenant()
    workspace = tenant.workspace(GROUP, containerRegistry=tenant.registry(GROUP, "acrml")["id"])
    tenant.compute(workspace, "cluster", identity=system_assigned("cluster"))
    return start_azure(tenant.document(), GRANTS_ONLY, functions=False)


def complaint(ran: Ran) -> str:
    assert ran.code == 1, (ran.out, ran.err)
    assert ran.out == ""
    said = [line for line in ran.err.strip().splitlines() if not line.endswith(PROGRESS)]
    assert len(said) == 1, ran.err
    assert said[0].startswith("amlguard: ")
    assert SECRET not in ran.err
    return said[0]


@pytest.mark.parametrize("command", [("plan",), ("explain", WORKSPACE), ("undo", RUN)], ids=" ".join)
def test_who_is_not_signed_in_is_told_how(tmp_path: Path, command: tuple[str, ...]) -> None:
    # Nothing answers where Azure's virtual machines find their identity, and no az is on the path.
    said = complaint(amlguard(tmp_path, *command, env={"PATH": "", "AZURE_IMDS_HOST": "127.0.0.1"}))
    assert "az login" in said


@pytest.mark.parametrize(
    ("setting", "value", "command"),
    [
        ("AMLGUARD_ARM_ENDPOINT", "https://nowhere.invalid", ("plan",)),
        ("AMLGUARD_ARM_ENDPOINT", "https://127.0.0.1:1", ("explain", WORKSPACE)),
        ("AZURE_AUTHORITY_HOST", "https://login.invalid", ("plan",)),
        ("AMLGUARD_LOGS_INGESTION_ENDPOINT", "https://ingest.invalid", ("apply", "--yes")),
    ],
)
def test_a_host_that_is_not_reached_is_named_and_so_is_its_setting(
    azure: LocalAzure, setting: str, value: str, command: tuple[str, ...]
) -> None:
    env = {setting: value} | (_AS_A_PRINCIPAL if "AUTHORITY" in setting else {})
    ran = azure.run(*command, env=env)
    assert ran.code == 1, ran.out
    assert value.removeprefix("https://") in ran.err + ran.out
    if command[0] != "apply":
        assert f"[see {setting}]" in complaint(ran)


def test_a_certificate_that_is_not_trusted_says_where_to_name_its_maker(azure: LocalAzure) -> None:
    said = complaint(azure.run("plan", env={"SSL_CERT_FILE": "", "REQUESTS_CA_BUNDLE": ""}))
    assert "certificate" in said
    assert "SSL_CERT_FILE" in said
    assert "[see AMLGUARD_ARM_ENDPOINT" in said


@pytest.fixture
def plain() -> Iterator[int]:
    """A port where somebody answers, but not with TLS."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            while True:
                try:
                    with server.accept()[0] as one:
                        one.recv(1000)
                        one.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                except OSError:
                    return

        threading.Thread(target=answer, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def test_who_speaks_no_tls_is_named(azure: LocalAzure, plain: int) -> None:
    said = complaint(azure.run("plan", env={"AMLGUARD_ARM_ENDPOINT": f"https://127.0.0.1:{plain}"}))
    assert "no TLS connection to host 127.0.0.1" in said


@pytest.mark.parametrize("wrong", ["acrml", "", "..", "/", "//x", "/subscriptions", "x" * 5000, "a\nb", "/a b"])
def test_an_id_that_is_none_is_echoed_and_shown_a_right_one(azure: LocalAzure, wrong: str) -> None:
    said = complaint(azure.run("explain", wrong))
    assert wrong[:100].replace("\n", "\\n") in said
    assert any(right in said for right in ("/subscriptions/1", "check the id", "managementGroups/TENANT-ID"))
    assert len(said) < 1000


@pytest.mark.parametrize("command", ["plan", "apply"])
def test_where_nothing_can_be_written_is_said_before_any_work(azure: LocalAzure, tmp_path: Path, command: str) -> None:
    (tmp_path / "file").write_text("")
    azure.forget_requests()
    for out, why in {
        tmp_path / "missing" / "plan.json": "make it first",
        tmp_path: "Is a directory",
        tmp_path / "file" / "plan.json": "make it first",
    }.items():
        said = complaint(azure.run(command, "--out", str(out)))
        assert str(out) in said
        assert why in said
    assert azure.asked() == []


def test_looking_whether_a_file_can_be_written_neither_makes_nor_changes_it(azure: LocalAzure, tmp_path: Path) -> None:
    kept, new = tmp_path / "kept", tmp_path / "new"
    kept.write_text("old")
    for out in (kept, new):
        assert azure.run("plan", "--scope", f"{WORKSPACE}-gone", "--out", str(out)).code == 1
    assert kept.read_text() == "old"
    assert not new.exists()
    assert azure.run("plan", "--out", str(kept), "--format", "json").code == 2
    assert json.loads(kept.read_text(encoding="utf-8"))["grants"]


def test_a_full_disk_is_an_error_and_no_more(azure: LocalAzure) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [str(AMLGUARD), "rules"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=clean(azure.folder),
            check=False,
        )
    assert ended.returncode == 1
    assert ended.stderr == f"amlguard: {os.strerror(28)}\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "line 1 column 2"),
        ('[\n  {"a": 1},\n  {b}\n]', "line 3 column 4"),
        ("[" * 100_000, "nested too deeply"),
        ("9" * 5000, "is not"),
        ("\ufeff", "line 1 column 1"),
    ],
)
@pytest.mark.parametrize("command", [("event",), ("apply", "--plan")], ids=" ".join)
def test_what_is_no_json_says_where(
    azure: LocalAzure, tmp_path: Path, command: tuple[str, ...], text: str, says: str
) -> None:
    file = tmp_path / "file.json"
    file.write_text(text, encoding="utf-8")
    said = complaint(azure.run(*command, str(file)))
    assert str(file) in said
    assert says in said


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "line 1"),
        ("[" * 100_000, "nested too deeply"),
        ("mode: x", "mode"),
        ("- 1", "object"),
        ("\x07", "YAML"),
    ],
)
def test_what_is_no_policy_says_where(azure: LocalAzure, tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(text, encoding="utf-8")
    for said in (
        complaint(azure.run("policy", "check", str(file))),
        complaint(azure.run("plan", "--policy", str(file))),
        complaint(azure.run("plan", env={"AMLGUARD_POLICY": str(file)})),
    ):
        assert str(file) in said
        assert says in said
    assert "AMLGUARD_POLICY" in said


@pytest.mark.parametrize(
    "arguments",
    [
        ("policy", "check", "DIR"),
        ("plan", "--policy", "DIR"),
        ("event", "DIR"),
        ("apply", "--plan", "DIR"),
        ("event", "DIR/none"),
        ("policy", "check", "DIR/none"),
    ],
    ids=" ".join,
)
def test_a_folder_is_no_file(azure: LocalAzure, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    said = complaint(azure.run(*(one.replace("DIR", str(tmp_path)) for one in arguments)))
    assert str(tmp_path) in said
