"""Microsoft's Bicep compiler, where there is one on the PATH."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

# Snapshots are made for these, wherever and by whomever: nothing of a machine or of a real tenant is in them.
TENANT = "99999999-9999-4999-8999-999999999999"
SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
MANAGEMENT_GROUP = "mg-ml"
LOCATION = "westeurope"
AGE = "use-recent-api-versions"

_USING = re.compile(r"^using '(.+)'", re.MULTILINE)
_MANAGEMENT_GROUP_SCOPE = "targetScope = 'managementGroup'"


class CompilerError(Exception):
    """The compiler could not do what was asked; the message is its own."""


@dataclass(frozen=True, slots=True)
class Compiler:
    path: str

    @classmethod
    def found(cls) -> Self | None:
        """The `bicep` on the PATH, if there is one."""
        path = shutil.which("bicep")
        return cls(path) if path else None

    def lint(self, template: Path) -> list[str]:
        """What compiler and linter say against a template and its modules, a finding each."""
        return _lines(self._run("lint", str(template)).stderr)

    def parameters(self, template: Path) -> dict[str, Any]:
        """Those that the template takes. Raises `CompilerError` when it does not compile."""
        done = self._run("build", str(template), "--stdout")
        if done.returncode:
            raise CompilerError(done.stderr.strip())
        taken: dict[str, Any] = json.loads(done.stdout)["parameters"]
        return taken

    def snapshot(self, parameters: Path) -> None:
        """Writes it, beside the parameter file. Raises `CompilerError`."""
        done = self._run("snapshot", str(parameters), "--mode", "overwrite", *_environment(parameters))
        if done.returncode:
            raise CompilerError(f"{parameters.name}: {done.stderr.strip()}")

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - the compiler that the PATH names
            [self.path, *arguments], capture_output=True, text=True, check=False
        )


def _environment(parameters: Path) -> list[str]:
    """Whom the snapshot is made for: a management group, or a subscription."""
    using = _USING.search(parameters.read_text("utf-8"))
    if using is None:
        raise CompilerError(f"{parameters.name} does not say which template it is for")
    template = (parameters.parent / using[1]).read_text("utf-8")
    group = _MANAGEMENT_GROUP_SCOPE in template
    where = ["--management-group-id", MANAGEMENT_GROUP] if group else ["--subscription-id", SUBSCRIPTION]
    return [*where, "--tenant-id", TENANT, "--location", LOCATION, "--deployment-name", "amlguard"]


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]
