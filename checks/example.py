"""`python -m checks.example`: plans the template of docs/templates.md, which must be well. It needs Bicep."""

import shutil
import sys
from pathlib import Path

from handlers.cli.main import main

EXAMPLE = Path("docs/examples/template/main.bicep")


def check() -> int:
    if shutil.which("bicep") is None:
        print(f"{EXAMPLE} was not planned: there is no `bicep` on the PATH")
        return 0
    return main(["plan", "--template", str(EXAMPLE), "--format", "json", "--out", "/dev/null"])


if __name__ == "__main__":
    sys.exit(check())
