"""`python -m docs.pictures`: what the documents show of the terminal and of the report, from a made-up tenant.

It runs the commands on a local Azure: plan and explain in a terminal, whose letters and colours become an SVG, and the
report in a Chromium. Needs POSIX. GUIDs are made up, too, and the same every time.
"""

import fcntl
import io
import json
import os
import pty
import struct
import subprocess
import sys
import tempfile
import termios
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from bench.browser import Browser, found
from emulator import tenant_builder as build
from emulator.tenant_builder import Json

PICTURES = Path(__file__).parent / "pictures"
AMLGUARD = Path(sys.executable).with_name("amlguard")
WIDTH = 110
_TENANT_ID = "7d1c2b6e-0d0b-4d0e-9f3e-5a4f2f6b9a01"
_SUBSCRIPTIONS = ("11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222")
_WELL = ("claims", "credit", "forecast")
_NEGLECTED = ("fraud", "churn", "pricing", "ranking", "search", "speech", "support", "vision")
# What rich has around the letters fetches a font; a picture in a page fetches nothing.
_FRAME = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg"><style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, monospace; font-size: {char_height}px;
line-height: {line_height}px; font-variant-east-asian: full-width; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}</style><defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>{lines}</defs>
{chrome}<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g></svg>
"""


def tenant() -> Json:
    """Of workspaces that nobody looked after, and a few that somebody did."""
    resources: list[Json] = []
    held: list[Json] = []
    for at, name in enumerate((*_NEGLECTED, *_WELL)):
        group = build.group(_SUBSCRIPTIONS[at % 2], f"ml-{name}")
        registry, storage = (
            build.below(group, kind, f"{name}{end}")
            for kind, end in ((build.REGISTRIES, "acr"), (build.STORAGE_ACCOUNTS, "store"))
        )
        workspace = build.below(group, build.WORKSPACES, name)
        made = build.workspace(workspace, _identity(workspace), containerRegistry=registry, storageAccount=storage)
        train = None if at % 4 == 1 else _identity(f"{workspace}/computes/train")
        neglected = name in _NEGLECTED
        resources += [
            made,
            build.registry(registry, admin=neglected, sku="Premium" if at % 3 else "Standard"),
            build.storage(storage, allowSharedKeyAccess=neglected),
            build.compute(workspace, "train", identity=train),
            build.compute(workspace, "batch", identity=_identity(f"{workspace}/computes/batch")),
            build.endpoint(
                workspace, "scorer", _identity(f"{workspace}/scorer"), authMode="Key" if at % 5 == 0 else "AADToken"
            ),
        ]
        held += build.granted_by_aml(made)
        if not neglected:
            pullers = (f"{workspace}/computes/train", f"{workspace}/computes/batch", f"{workspace}/scorer")
            held += [build.role_assignment(registry, _principal(one), build.ACR_PULL) for one in pullers]
            held.append(build.role_assignment(storage, _principal(f"{workspace}/scorer"), build.BLOB_READER))
    return build.tenant_file(_TENANT_ID, resources, roleAssignments=held)


def _principal(owner: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, owner))


def _identity(owner: str) -> Json:
    return build.system_assigned(_principal(owner), _TENANT_ID)


def main() -> int:
    chromium = found()
    if chromium is None:
        print("the picture of the report needs a Chromium: set AMLGUARD_CHROMIUM", file=sys.stderr)
        return 1
    registry = build.below(build.group(_SUBSCRIPTIONS[0], "ml-fraud"), build.REGISTRIES, "fraudacr")
    with tempfile.TemporaryDirectory() as folder, _local_azure(Path(folder)) as env:
        _terminal("plan", ("plan",), env)
        _terminal("explain", ("explain", registry), env)
        page = Path(folder) / "report.html"
        _run(("report", "--out", str(page)), env)
        _report(page, chromium)
    return 0


@contextmanager
def _local_azure(folder: Path) -> Iterator[Mapping[str, str]]:
    """What a client of it has in its environment."""
    file = folder / "tenant.json"
    file.write_text(json.dumps(tenant()), encoding="utf-8")
    command = (str(AMLGUARD), "emulate", "--tenant", str(file), "--no-functions", "--port", "0", "--seed", "1")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own program
        try:
            assert process.stdout
            yield {**os.environ, **json.loads(process.stdout.readline())["env"], "TERM": "xterm-256color"}
        finally:
            process.terminate()


def _terminal(name: str, arguments: tuple[str, ...], env: Mapping[str, str]) -> None:
    """As a person sees it who types the command."""
    said = f"$ amlguard {' '.join(arguments)}\n{_run(arguments, env)}"
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print(Text.from_ansi(said))
    text = console.export_svg(title=f"amlguard {arguments[0]}", theme=MONOKAI, code_format=_FRAME, unique_id=name)
    (PICTURES / f"{name}.svg").write_text(text, encoding="utf-8")


def _run(arguments: tuple[str, ...], env: Mapping[str, str]) -> str:
    """What the command prints on a terminal. Its progress goes elsewhere."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 60, WIDTH, 0, 0))
    with subprocess.Popen((str(AMLGUARD), *arguments), stdout=its, stderr=subprocess.DEVNULL, env=env):  # noqa: S603 - as above
        os.close(its)
        return b"".join(_read(ours)).decode("utf-8").replace("\r\n", "\n")


def _read(terminal: int) -> Iterator[bytes]:
    """Until whoever writes there has ended: Linux says that by an error."""
    try:
        while some := os.read(terminal, 65536):
            yield some
    except OSError:
        pass
    finally:
        os.close(terminal)


def _report(page: Path, chromium: str) -> None:
    with Browser(chromium) as browser:
        browser.visit(page, ["screenshot", str(PICTURES / "report.png")], size=[1200, 800])
        workspace = ["go", "#/w/3"]
        browser.visit(page, workspace, ["screenshot", str(PICTURES / "workspace.png")], size=[1200, 800], theme="dark")


if __name__ == "__main__":
    sys.exit(main())
