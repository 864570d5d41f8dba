"""Whatever letters a stream has: no command fails over one, and what is said is said whole."""

import codecs
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from html import unescape
from pathlib import Path
from tempfile import TemporaryDirectory

import c_locale
import pytest
from c_locale import CLocale
from event_grid import event
from forked import Forked, amlguard
from local_azure import AMLGUARD, LocalAzure, Start
from tenants import GRANTS_ONLY, Tenant, child, group_id, system_assigned
from wire import clean

# Resource groups may have letters of any script in their names; the others are in no code page of Western Europe.
GROUP = group_id("größe-中文-Ж")
WORKSPACE = child(GROUP, "Microsoft.MachineLearningServices/workspaces", "mlw")
C_LOCALE = "the C locale"
STREAMS: dict[str, dict[str, str]] = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "cp437": {"PYTHONIOENCODING": "cp437:strict"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "utf-8": {"PYTHONIOENCODING": "utf-8"},
    C_LOCALE: c_locale.ENV,
}
COMMANDS = {
    "plan": ("plan",),
    "plan as JSON": ("plan", "--format", "json"),
    "plan as SARIF": ("plan", "--format", "sarif"),
    "plan as a page": ("plan", "--format", "html"),
    "explain": ("explain", WORKSPACE),
    "explain as JSON": ("explain", WORKSPACE, "--format", "json"),
    "rules": ("rules",),
    "rules as JSON": ("rules", "--format", "json"),
    "schema": ("policy", "schema"),
    "condition": ("policy", "condition"),
    "help": ("--help",),
    "help on a command": ("apply", "--help"),
}


@dataclass(frozen=True)
class Said:
    code: int
    out: bytes
    err: bytes


@dataclass(frozen=True)
class Commands:
    """Bytes, as a file or a pipe gets them."""

    azure: LocalAzure
    forks: CLocale

    def run(self, *arguments: str, stream: str, stdin: bytes = b"") -> Said:
        env = self._env(stream)
        with TemporaryDirectory(dir=self.azure.folder) as name:
            folder = Path(name)
            (folder / "stdin").write_bytes(stdin)
            if stream == C_LOCALE:
                code = self.forks.ended(folder, [*arguments], env)
            else:
                code = Forked.start(folder, amlguard, [*arguments], env).ended(180).code
            return Said(code, (folder / "stdout").read_bytes(), (folder / "stderr").read_bytes())

    def run_anew(self, *arguments: str, stream: str, stdin: bytes = b"") -> Said:
        """As a user's own interpreter runs it."""
        command, env = [str(AMLGUARD), *arguments], self._env(stream)
        ended = subprocess.run(command, input=stdin, capture_output=True, timeout=180, env=env, check=False)
        return Said(ended.returncode, ended.stdout, ended.stderr)

    def _env(self, stream: str) -> dict[str, str]:
        return clean(self.azure.folder, {**self.azure.env, **STREAMS[stream]})


@pytest.fixture(scope="module")
def commands(start_azure: Start) -> Iterator[Commands]:
    tenant = Tenant()
    registry = tenant.registry(GROUP, "acrml", admin=True)
    workspace = tenant.workspace(GROUP, containerRegistry=registry["id"])
    tenant.compute(workspace, "cluster", identity=system_assigned("cluster"))
    tenant.compute(workspace, "nobody")
    with CLocale.running() as forks:
        yield Commands(start_azure(tenant.document(), GRANTS_ONLY, functions=False), forks)


@pytest.fixture(scope="module")
def whole(commands: Commands) -> Callable[[str], Said]:
    """What a command says in UTF-8, which is run once."""
    return cache(lambda command: commands.run(*COMMANDS[command], stream="utf-8"))


def codec(stream: str) -> str:
    return stream if stream != C_LOCALE else "ascii"


def is_there(letter: str, text: str) -> bool:
    """As itself, in letters, or as an escape."""
    spoken = {
        "├": "+",
        "└": "+",
        "│": "|",
        "─": "-",
        "●": "*",
        "•": "*",
        "→": "->",
        "✗": "!!",
        "✓": "ok",
        "…": "...",
        "–": "-",
    }
    return any(one in text for one in (letter, spoken.get(letter, letter), ascii(letter).strip("'")))


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_fails_over_a_letter(
    commands: Commands, whole: Callable[[str], Said], command: str, stream: str
) -> None:
    expected, said = whole(command), commands.run(*COMMANDS[command], stream=stream)
    assert said.code == expected.code, said.err
    for one in (said, expected):
        assert bool(one.err) == ("plan" in command), "only its progress"
        assert all(b"workspace" in line for line in one.err.splitlines())
    # Two runs say two times.
    text, meant = (
        re.sub(r"\d{4}-\d\d-\d\d[T ][\d:.]+", "TIME", one)
        for one in (said.out.decode(codec(stream)), expected.out.decode("utf-8"))
    )
    assert all(is_there(letter, text) for letter in set(meant) if ord(letter) > 127)
    assert len(text.splitlines()) == len(meant.splitlines())
    if "JSON" in command or "SARIF" in command:
        assert json.loads(text) == json.loads(meant)
    if "page" in command:
        assert "größe-中文-Ж" in unescape(text)
        assert text == meant


@pytest.mark.parametrize("stream", STREAMS)
def test_what_goes_to_a_file_is_utf8(commands: Commands, tmp_path: Path, stream: str) -> None:
    out = tmp_path / "größe.txt"
    assert commands.run("plan", "--out", str(out), stream=stream).code == 2
    text = out.read_text(encoding="utf-8")
    assert "größe-中文-Ж" in text
    assert "→" in text


@pytest.mark.parametrize("stream", STREAMS)
def test_errors_are_said_in_any_letters(commands: Commands, stream: str) -> None:
    said = commands.run("explain", f"{WORKSPACE}-gone", stream=stream)
    text = said.err.decode(codec(stream))
    assert said.code == 1
    assert is_there("中", text)
    assert "there is no workspace" in text


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8], ids=["plain", "with a byte order mark"])
@pytest.mark.parametrize("stream", ["ascii", "cp1252", C_LOCALE])
def test_what_is_read_is_utf8(commands: Commands, tmp_path: Path, stream: str, mark: bytes) -> None:
    policy, plan, told = (tmp_path / name for name in ("policy.yaml", "plan.json", "event.json"))
    policy.write_bytes(mark + f"mode: report  # größe 中文\nscopes: [{GROUP}]\n".encode())
    assert commands.run("policy", "check", str(policy), stream=stream).code == 0
    planned = commands.run("plan", "--policy", str(policy), "--format", "json", "--out", str(plan), stream=stream)
    assert planned.code == 2
    plan.write_bytes(mark + plan.read_bytes())
    # Without a terminal it asks for --yes: the plan was read then, and the workspace found.
    asked = commands.run("apply", "--plan", str(plan), "--policy", str(policy), stream=stream)
    assert asked.code == 1
    assert b"--yes" in asked.err
    delivery = mark + json.dumps([event(WORKSPACE)], ensure_ascii=False).encode()
    told.write_bytes(delivery)
    for name in (str(told), "-"):
        said = commands.run("event", name, "--policy", str(policy), stream=stream, stdin=delivery)
        assert (said.code, said.out) == (0, b"1 event handled\n"), said.err


@pytest.mark.parametrize("stream", ["ascii", "cp1252", C_LOCALE])
def test_what_is_not_utf8_is_said_to_be_none(commands: Commands, tmp_path: Path, stream: str) -> None:
    wrong = tmp_path / "größe"
    wrong.write_bytes("größe: 中".encode("utf-16"))
    for arguments in (
        ("policy", "check", str(wrong)),
        ("event", str(wrong)),
        ("apply", "--plan", str(wrong)),
        ("event", "-"),
    ):
        said = commands.run(*arguments, stream=stream, stdin=wrong.read_bytes())
        assert said.code == 1
        assert b"UTF-8" in said.err
        assert b"Traceback" not in said.err


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [
        (("rules",), b""),
        (("explain", f"{WORKSPACE}-gone"), b""),
        (("event", "-"), "größe: 中".encode("utf-16")),
    ],
    ids=["what is printed", "what is asked for", "what cannot be read"],
)
def test_a_fork_in_the_c_locale_is_like_a_new_interpreter(
    commands: Commands, arguments: tuple[str, ...], stdin: bytes
) -> None:
    said = commands.run(*arguments, stream=C_LOCALE, stdin=stdin)
    assert said == commands.run_anew(*arguments, stream=C_LOCALE, stdin=stdin)
    assert said.out or said.err
