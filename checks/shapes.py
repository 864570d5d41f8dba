"""`python -m checks.shapes [FILE…]`: holds ARM resources against Microsoft's published types, by Microsoft's compiler.

Without a FILE it holds the tenants of the demo and of the benchmark. A FILE is a tenant file, a list of resources,
lines of resources, or the folder of those that local Azures write where AMLGUARD_SEEN names one (`make test`). A name
that Azure allows nobody, a wrong type, an unknown value, a required property that is missing and a property that the
type does not know are differences. checks/sourced.json has those that Azure's own answers show, each with its source.
Without `bicep` on the PATH nothing is checked.
"""

import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from bench import tenant as bench
from demo import tenant as demo
from emulator.http.seen import shape
from emulator.ids import ResourcePath
from infra.compiler import Bicep, Compiler

type Json = dict[str, Any]

_VERSIONS = Path(__file__).parents[1] / "emulator" / "data" / "providers.json"
_SOURCED = Path(__file__).with_name("sourced.json")
_AT_ONCE = 500
# An answer has read-only properties, which no template may have (BCP073). Some types have no published shape (BCP081).
# Here everything is in one template for a resource group, wherever it belongs (BCP135).
_NONE = {"BCP073", "BCP081", "BCP135"}
_FINDING = re.compile(r".*\((\d+),\d+\) : \w+ (BCP\d+): (.*)", re.DOTALL)
_ENVELOPE = {"id", "type", "apiVersion", "systemData", "resourceGroup", "subscriptionId", "tenantId", "etag"}


@dataclass(frozen=True, slots=True)
class Difference:
    type: str
    version: str
    name: str
    line: str
    """Of the resource as the compiler saw it."""
    said: str

    def __str__(self) -> str:
        return f"{self.type}@{self.version} {self.name}: `{self.line}`: {self.said}"


def differences(resources: Iterable[Json], bicep: Bicep) -> Iterator[Difference]:
    """Those that have no source. A resource's own `apiVersion` counts, or the newest stable one of its type."""
    known = [(one, version) for one in resources if "/" in _type(one) and (version := _version(one))]
    for start in range(0, len(known), _AT_ONCE):
        yield from (one for one in _found(known[start : start + _AT_ONCE], bicep) if not _is_sourced(one))


def _found(resources: Sequence[tuple[Json, str]], bicep: Bicep) -> Iterator[Difference]:
    text, at, seen = ["targetScope = 'resourceGroup'"], [-1], set[tuple[str, str]]()
    for number, (one, version) in enumerate(resources):
        lines = _written(number, one, version, seen)
        text += lines
        at += [number] * len(lines)
    with tempfile.TemporaryDirectory() as folder:
        template = Path(folder) / "held.bicep"
        template.write_text("\n".join(text), encoding="utf-8")
        (Path(folder) / "bicepconfig.json").write_text('{"analyzers": {"core": {"enabled": false}}}', encoding="utf-8")
        findings = bicep.compile(template).findings
    for finding in findings:
        match = _FINDING.fullmatch(finding)
        if match and match[2] not in _NONE:
            line = int(match[1]) - 1
            one, version = resources[at[line]]
            yield Difference(_type(one), version, str(one.get("id")), text[line].strip(), f"{match[2]} {match[3]}")


def _written(number: int, one: Json, version: str, seen: set[tuple[str, str]]) -> list[str]:
    kind = _type(one)
    path = ResourcePath.parse(one["id"]) if "id" in one else None
    name = "/".join(path.names[-kind.count("/") :]) if path else str(one.get("name"))
    name = next(each for each in _names(name) if (kind.lower(), each.lower()) not in seen)
    seen.add((kind.lower(), name.lower()))
    body = {key: value for key, value in one.items() if key not in _ENVELOPE} | {"name": name}
    return f"resource r{number} '{kind}@{version}' = {_literal(body)}".split("\n")


def _names(name: str) -> Iterator[str]:
    """In a template each resource has a name of its own, so those of the same name get others of the same length."""
    yield name
    for number in count():
        last = f"{number}"
        yield name[: -len(last)] + last if len(name) > len(last) + 1 else name + last


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list | tuple):
        return "[\n" + "".join(f"{_literal(one)}\n" for one in value) + "]"
    if isinstance(value, dict):
        return "{\n" + "".join(f"{_text(key)}: {_literal(one)}\n" for key, one in value.items()) + "}"
    return f"json('{value}')" if isinstance(value, float) else json.dumps(value)


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\${")
    return "'" + escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t") + "'"


def _type(one: Json) -> str:
    return str(one.get("type") or ResourcePath.parse(one["id"]).type)


def _version(one: Json) -> str | None:
    if one.get("apiVersion"):
        return str(one["apiVersion"])
    known = _versions().get(_type(one).lower(), ())
    return next((version for version in known if "preview" not in version), next(iter(known), None))


@cache
def _versions() -> Mapping[str, Sequence[str]]:
    """By type, in lower case, the newest first."""
    provided = json.loads(_VERSIONS.read_text("utf-8"))
    return {
        f"{namespace}/{kind}".lower(): sorted(group["versions"], reverse=True)
        for namespace, groups in provided.items()
        for group in groups
        for kind in group["types"]
    }


@cache
def _sourced() -> Sequence[tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]]:
    """Type, what is said, and id: an entry without one of them is about any."""
    rows = json.loads(_SOURCED.read_text("utf-8"))["differences"]
    return [
        (
            re.compile(row.get("type", ".*"), re.IGNORECASE),
            re.compile(row.get("said", "")),
            re.compile(row.get("id", ""), re.IGNORECASE),
        )
        for row in rows
    ]


def _is_sourced(one: Difference) -> bool:
    return any(
        kind.fullmatch(one.type) and said.search(one.said) and named.search(one.name)
        for kind, said, named in _sourced()
    )


def resources(path: Path) -> list[Json]:
    """What a file has of them, or the files of a folder: of each shape one."""
    if path.is_dir():
        found = [one for file in sorted(path.iterdir()) for one in resources(file)]
        return list({shape(one): one for one in found}.values())
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    document = json.loads(path.read_text("utf-8"))
    if isinstance(document, dict):
        return [*document.get("resources", ()), *document.get("roleAssignments", ())]
    return list(document)


def _own() -> list[Json]:
    tenants = (demo.tenant(), bench.tenant(5, 2, lacking=1))
    return [one for tenant in tenants for key in ("resources", "roleAssignments") for one in tenant[key]]


def check(files: Sequence[Path], say: Callable[[str], None] = print) -> int:
    compiler = Compiler.found()
    if compiler is None:
        say("no resource was held against Microsoft's types: there is no `bicep` on the PATH")
        return 0
    every = [one for path in files for one in resources(path)] if files else _own()
    with compiler.running() as bicep:
        found = list(differences(every, bicep))
    for one in found:
        say(str(one))
    say(f"{len(every)} resources held against Microsoft's types: {len(found)} differences")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(check([*map(Path, sys.argv[1:])]))
