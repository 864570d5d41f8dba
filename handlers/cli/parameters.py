"""The parameters of a template: what is given, what is fixed because it would differ each time, and what is missing."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from handlers.cli.console import UsageError
from shared.access.raw import get, text
from shared.template.expressions import ExpressionError, Literal, parse

_CHANGING = re.compile(r"\b(utcNow|newGuid)\s*\(", re.IGNORECASE)
_MOMENT = {"": "20260101T000000Z", "u": "2026-01-01 00:00:00Z", "yyyy-MM-dd": "2026-01-01", "yyyyMMdd": "20260101"}
_GUID = "00000000-0000-4000-8000-000000000000"


@dataclass(slots=True)
class Parameters:
    """`values` are to be written, `notes` say what was made up, `missing` are those without a value."""

    values: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, template: Any, given: Sequence[str], known: Iterable[str] = ()) -> "Parameters":
        """Raises `UsageError`."""
        declared = get(template, "parameters")
        declared = declared if isinstance(declared, Mapping) else {}
        names = {name.casefold(): name for name in declared}
        made = cls()
        for one in given:
            name, sign, value = one.partition("=")
            if not sign:
                raise UsageError(f"--parameter {one!r}: NAME=VALUE is wanted")
            if name.casefold() in names:
                named = names[name.casefold()]
                made.values[named] = _value(named, value, declared[named])
            else:
                made.notes.append(f"it has no parameter {name}")
        there = {one.casefold() for one in (*known, *made.values)}
        for name, said in declared.items():
            if name.casefold() not in there:
                made._default(name, said)
        return made

    def _default(self, name: str, said: Any) -> None:
        default = said.get("defaultValue") if isinstance(said, Mapping) else None
        if isinstance(default, str) and _CHANGING.search(default):
            self.values[name] = _fixed(default)
            self.notes.append(f"parameter {name} would differ each time: it is {self.values[name]!r} here")
        elif isinstance(said, Mapping) and "defaultValue" not in said and said.get("nullable") is not True:
            self.missing.append(name)

    def require_all(self, file: Path) -> None:
        """Raises `UsageError`."""
        if self.missing:
            named = ", ".join(self.missing)
            one = self.missing[0]
            raise UsageError(f"{file} needs a value for {named}: add --parameter {one}=VALUE")


def _value(name: str, value: str, said: Any) -> Any:
    """By the type that the template says. Raises `UsageError`."""
    kind = (text(said, "type") or "").casefold()
    if kind in ("string", "securestring"):
        return value
    try:
        found = json.loads(value)
    except ValueError as error:
        if not kind:
            return value
        raise UsageError(f"--parameter {name}: {value!r} is no {kind}; as JSON it would be one") from error
    wanted: Mapping[str, type | tuple[type, ...]] = {
        "int": int,
        "bool": bool,
        "array": list,
        "object": dict,
        "secureobject": dict,
    }
    if not isinstance(found, wanted.get(kind, object)) or (kind == "int" and isinstance(found, bool)):
        raise UsageError(f"--parameter {name}: {value!r} is no {kind}")
    return found


def _fixed(default: str) -> str:
    """What a default with `utcNow()` or `newGuid()` would be like."""
    try:
        node = parse(default)
    except ExpressionError:
        return _MOMENT[""]
    if getattr(node, "name", "") == "newguid":
        return _GUID
    if getattr(node, "name", "") == "utcnow":
        shape = next((one.value for one in getattr(node, "arguments", ()) if isinstance(one, Literal)), "")
        return _MOMENT.get(str(shape)) or re.sub(r"[^0-9]", "", _MOMENT[""])[: max(len(str(shape)), 1)]
    return "20260101t000000z"
