"""`python -m docs.tutorial FILE`: what a shell needs to sign in to a local Azure, from the line that it printed."""

import json
import shlex
import sys
from pathlib import Path


def exports(ready: str) -> str:
    env: dict[str, str] = json.loads(ready.splitlines()[0])["env"]
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in env.items())


if __name__ == "__main__":
    print(exports(Path(sys.argv[1]).read_text("utf-8")))
