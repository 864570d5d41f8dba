"""Microsoft's Bicep compiler, if there is one on the PATH.

It runs as a JSON-RPC server (`bicep jsonrpc`), so that one process answers everything. A process for each question
would spend most of its time starting.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

type Json = dict[str, Any]

# Snapshots are made for these made-up ids, so that they hold nothing about a machine or a real tenant.
TENANT = "99999999-9999-4999-8999-999999999999"
SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
MANAGEMENT_GROUP = "mg-ml"
LOCATION = "westeurope"
AGE = "use-recent-api-versions"

# .NET compiles a method anew once it is called often. The compiler ends before that pays.
_ONCE = {"DOTNET_TieredCompilation": "0"}
_USING = re.compile(r"^using '(.+)'", re.MULTILINE)
_MANAGEMENT_GROUP_SCOPE = "targetScope = 'managementGroup'"


class CompilerError(Exception):
    """The compiler could not do what it was asked to do. The message is the compiler's own."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """What the compiler and the linter say about a template and its modules, and the ARM template that it makes.

    Each finding is one line. Where one is an error, the template is empty.
    """

    findings: list[str]
    template: Json

    @property
    def parameters(self) -> frozenset[str]:
        return frozenset(self.template.get("parameters", ()))


@dataclass(frozen=True, slots=True)
class Compiler:
    path: str

    @classmethod
    def found(cls) -> Self | None:
        """The `bicep` on the PATH, if there is one."""
        path = shutil.which("bicep")
        return cls(path) if path else None

    @contextmanager
    def running(self) -> Iterator["Bicep"]:
        with subprocess.Popen(  # noqa: S603 - the compiler that the PATH names
            [self.path, "jsonrpc", "--stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**_ONCE, **os.environ},
        ) as process:
            assert process.stdin
            try:
                yield Bicep(process)
            finally:
                with suppress(BrokenPipeError):  # it has ended, and what it was asked is still in the buffer
                    process.stdin.close()
                process.terminate()


class Bicep:
    """The compiler while it runs. Every method raises `CompilerError` if the compiler gives no answer."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._asked = 0

    def compile(self, template: Path) -> Compiled:
        answer = self._ask("bicep/compile", {"path": str(template)})
        made = json.loads(answer["contents"]) if answer["success"] else {}
        return Compiled([_line(one) for one in answer["diagnostics"]], made)

    def snapshot(self, parameters: Path, where: Mapping[str, str] | None = None) -> Json:
        """Every resource that a deployment with this parameter file would make, there or at a made-up place."""
        place = _environment(parameters) if where is None else dict(where)
        asked = {"path": str(parameters), "metadata": place, "externalInputs": []}
        try:
            answer = self._ask("bicep/getSnapshot", asked)
        except CompilerError as error:
            raise CompilerError("\n".join([f"{parameters.name}: {error}", *self._said_of(parameters)])) from error
        found: Json = json.loads(answer["snapshot"])
        return found

    def _said_of(self, parameters: Path) -> list[str]:
        answer = self._ask("bicep/compileParams", {"path": str(parameters), "parameterOverrides": {}})
        return [_line(one) for one in answer["diagnostics"]]

    def _ask(self, method: str, parameters: Json) -> Json:
        self._asked += 1
        self._send({"jsonrpc": "2.0", "id": self._asked, "method": method, "params": parameters})
        answer = self._receive()
        if "error" in answer:
            raise CompilerError(answer["error"]["message"])
        result: Json = answer["result"]
        return result

    def _send(self, message: Json) -> None:
        assert self._process.stdin
        body = json.dumps(message).encode()
        try:
            self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
            self._process.stdin.flush()
        except OSError as error:
            raise CompilerError("bicep does not listen: `bicep jsonrpc` needs a newer version") from error

    def _receive(self) -> Json:
        assert self._process.stdout
        length = 0
        while header := self._process.stdout.readline().strip():
            name, _, value = header.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        body = self._process.stdout.read(length)
        if not body:
            raise CompilerError("bicep ended without an answer: `bicep jsonrpc` needs a newer version")
        answer: Json = json.loads(body)
        return answer


def _environment(parameters: Path) -> dict[str, str]:
    """The scope for which the snapshot is made: a management group or a subscription."""
    using = _USING.search(parameters.read_text("utf-8"))
    if using is None:
        raise CompilerError(f"{parameters.name} does not say which template it is for")
    template = (parameters.parent / using[1]).read_text("utf-8")
    group = _MANAGEMENT_GROUP_SCOPE in template
    where = {"managementGroupId": MANAGEMENT_GROUP} if group else {"subscriptionId": SUBSCRIPTION}
    return {**where, "tenantId": TENANT, "location": LOCATION, "deploymentName": "amlguard"}


def _line(one: Mapping[str, Any]) -> str:
    start = one["range"]["start"]
    place = f"{one['source']}({start['line'] + 1},{start['char'] + 1})"
    return f"{place} : {one['level']} {one['code']}: {one['message']}"
