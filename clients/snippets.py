"""The snippets of docs/emulator.md, as they stand there, one after another in one shell."""

import os
import re
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from clients.local import CLIENTS, ROOT, SDKS
from clients.results import Results

PAGE = ROOT / "docs" / "emulator.md"
_BLOCK = re.compile(r"^### (?P<title>.*?)$|^```(?P<kind>sh|python)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_FIRST = "Start"
_MARK = "@@"
_SECONDS = 600


def blocks(page: str) -> list[tuple[str, str, str]]:
    """The heading above each, its language, and the text."""
    title, found = _FIRST, []
    for match in _BLOCK.finditer(page):
        if match["title"]:
            title = match["title"]
        else:
            found.append((title, match["kind"], match["text"]))
    return found


def played(results: Results) -> Results:
    every = blocks(PAGE.read_text("utf-8"))
    with TemporaryDirectory(prefix="amlguard-snippets-") as name:
        path = os.pathsep.join((str(CLIENTS.parent), os.environ["PATH"]))
        given = {"AZURE_CONFIG_DIR": f"{name}/az", "AZURE_CORE_COLLECT_TELEMETRY": "no", "TMPDIR": name, "PATH": path}
        script = "\n".join(("set -m", "trap 'failed=$BASH_COMMAND' ERR", *map(_shown, every)))
        ran = subprocess.run(
            ["bash", "-u"],  # noqa: S607 - the shell of whoever reads the page
            check=False,
            cwd=ROOT,
            env={**os.environ, **given},
            input=script,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
        left = [one.name for one in Path(name).iterdir() if one.name.startswith("tmp.")]
    ends = [line.removeprefix(_MARK).strip() for line in ran.stdout.splitlines() if line.startswith(_MARK)]
    for number, (title, kind, _) in enumerate(every):
        ended = ends[number] if number < len(ends) else "it was not reached"
        results.add(f"{title} ({kind})", f"{ended}: {ran.stderr}" if ended else None)
    untidy = [f"{one} is left" for one in left] + (["it broke off"] if "Traceback" in ran.stderr else [])
    results.add("nothing is left", ", ".join(untidy) or None)
    return results


def _shown(block: tuple[str, str, str]) -> str:
    _, kind, text = block
    python = CLIENTS if "azure.ai.ml" in text else SDKS
    run = text if kind == "sh" else f"{python} - <<'END'\n{text}END\n"
    return f'failed=\n{run}echo; echo "{_MARK}$failed"'
