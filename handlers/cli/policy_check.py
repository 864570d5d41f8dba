"""`amlguard policy check`: all that is wrong in a policy file, with its line and what would be right, and what is idle.

The policy itself stops at the first fault. Here a fault is noted and mended in memory, and the rest is read on.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from shared import policy
from shared.access.rules import RULES
from shared.access.rules.rule import Rule, RuleKind
from shared.access.terms import Terms
from shared.access.users import unsuitable
from shared.policy import Policy, PolicyError

type Place = tuple[str | int, ...]

_MOST_FAULTS = 100
_SCOPE = "/subscriptions/00000000-0000-4000-8000-000000000000"
# What a fault is replaced with, so that the rest of its part can be read.
_RIGHT: dict[str, Any] = {
    "rules": ["AML-21"],
    "until": date(2999, 1, 1),
    "reason": "x",
    "scope": _SCOPE,
    "groups": ["00000000-0000-4000-8000-000000000000"],
    "role": "data_scientist",
    "scopes": [_SCOPE],
    "allow": [_SCOPE],
}
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_NO_RULE = re.compile(r"no rule '(.*)'; ")
_TWICE = re.compile(r"(.*) is there twice")
_UNKNOWN = re.compile(r"unknown key `(.*)`")
_MISSING = re.compile(r"missing key `(.*)`")
_ACTING = (RuleKind.FIX, RuleKind.OPT_IN)


@dataclass(frozen=True, slots=True)
class Remark:
    """A fault or a warning; `line` is 0 where nobody can say which."""

    line: int
    said: str

    def of(self, file: Path) -> str:
        return f"{file}:{self.line}: {self.said}" if self.line else f"{file}: {self.said}"


@dataclass(frozen=True, slots=True)
class Checked:
    faults: Sequence[Remark]
    warnings: Sequence[Remark] = ()
    policy: Policy | None = None


def check(text: str, today: date) -> Checked:
    try:
        document, root = policy.document(text), yaml.compose(text, policy.Loader)
    except PolicyError as error:
        return Checked([_not_yaml(error)])
    if not isinstance(document, dict | None):
        return Checked([Remark(1, "a policy is an object: `key: value`, a line for each")])
    faults = sorted(_faults(document or {}, root), key=lambda one: one.line)
    if faults:
        return Checked(faults)
    read = policy.parse(text)
    return Checked([], list(_warnings(read, read.terms(), root, today)), read)


def _not_yaml(error: PolicyError) -> Remark:
    mark = getattr(error.__cause__, "problem_mark", None)
    return Remark(mark.line + 1 if mark else 0, " ".join(str(error).split()))


def _faults(document: dict[str, Any], root: yaml.Node | None) -> Iterator[Remark]:
    last = ""
    for _ in range(_MOST_FAULTS):
        try:
            scopes = policy.convert(document).terms().scopes
        except PolicyError as error:
            said = str(error)
            if said == last:
                return
            last = said
            path, what = _parts(said)
            yield Remark(line_of(root, path), f"{said}{_allowed(path, what)}")
            _mend(document, path, what)
            continue
        for place, scope in enumerate(scopes):
            if (reason := unsuitable(scope)) and str(scope) != _SCOPE:
                yield Remark(line_of(root, ("scopes", place)), f"scopes[{place}]: {scope}: {reason}")
        return


def _parts(said: str) -> tuple[Place, str]:
    """`exemptions[0].rules: no rule 'x'` → where it is, and what is wrong there. A key that is meant ends the path."""
    where, colon, what = said.partition(": ")
    if not colon or " " in where:
        where, what = "", said
    path: list[str | int] = [int(number) if number else name for name, number in _STEP.findall(where)]
    named = _UNKNOWN.search(what) or (path[:1] == ["rules"] and (_NO_RULE.search(what) or _TWICE.match(what)))
    return (*path, named[1]) if named else tuple(path), what


def line_of(root: yaml.Node | None, path: Place) -> int:
    """Of the key or the entry, or of what is nearest above it."""
    node, line = root, root.start_mark.line + 1 if root else 0
    for step in path:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == step]
            if not found:
                return line
            (key, node), *_ = found
            line = key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
    return line


def _mend(document: dict[str, Any], path: Place, what: str) -> None:
    """Whatever is wrong there is right afterwards."""
    if missing := _MISSING.search(what):
        path = (*path, missing[1])
    elif path and isinstance(path[-1], int):
        entry = _at(document, path)
        # An exemption or a group that does not say where, or an entry of a list.
        if isinstance(entry, dict):
            path = (*path, "scope" if path[0] == "exemptions" else "scopes")
    *above, last = path or ("",)
    parent = _at(document, tuple(above))
    right = _RIGHT.get(str(last)) if path and path[0] in {"exemptions", "people"} else None
    if isinstance(parent, list) and isinstance(last, int) and last < len(parent):
        parent[last] = _entry(above)
    elif isinstance(parent, dict) and right is not None:
        parent[last] = right
    elif isinstance(parent, dict):
        parent.pop(last, None)


def _entry(above: Sequence[str | int]) -> Any:
    """A right entry of the list there."""
    kind = str(above[-1]) if above else ""
    if kind in {"exemptions", "people"}:
        wanted = ("rules", "until", "reason", "scope") if kind == "exemptions" else ("groups", "role", "scopes")
        return {name: _RIGHT[name] for name in wanted}
    return _RIGHT.get(kind, [_SCOPE])[0]


def _at(document: Any, path: Place) -> Any:
    for step in path:
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError):
            return None
    return document


def _allowed(path: Place, what: str) -> str:
    """What may stand there, and what was perhaps meant."""
    if found := _UNKNOWN.search(what):
        known = list(_schema_at(path[:-1]).get("properties", {}))
        return f"{_meant(found[1], known)}; the keys are {', '.join(known)}" if known else ""
    if found := _NO_RULE.search(what):
        return _meant(found[1], [one for rule in RULES for one in (rule.name, *rule.requirements)])
    schema = _schema_at(path)
    values = schema.get("enum") or [one for each in schema.get("anyOf", ()) for one in _resolved(each).get("enum", ())]
    if values:
        return f"; allowed are {', '.join(map(str, values))}"
    described = schema.get("description")
    return f" ({described})" if described else ""


def _meant(said: str, known: Sequence[str]) -> str:
    close = get_close_matches(said, known, 1, 0.7)
    return f"; did you mean {close[0]}?" if close else ""


def _schema_at(path: Place) -> dict[str, Any]:
    schema = _resolved(dict(policy.schema()))
    for step in path:
        below = schema.get("items") if isinstance(step, int) else schema.get("properties", {}).get(step)
        below = below or schema.get("additionalProperties")
        if not isinstance(below, dict):
            return {}
        schema = _resolved(below)
    return schema


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """With what it refers to; its own description stays."""
    reference = schema.get("$ref")
    for one in (schema, *schema.get("anyOf", ())):
        reference = reference or one.get("$ref")
    if not reference:
        return schema
    target: dict[str, Any] = policy.schema()["$defs"][str(reference).rpartition("/")[2]]
    return target | {name: value for name, value in schema.items() if name == "description"}


def _warnings(read: Policy, terms: Terms, root: yaml.Node | None, today: date) -> Iterator[Remark]:
    """What does nothing."""
    for place, exemption in enumerate(read.exemptions):
        if exemption.until < today:
            line = line_of(root, ("exemptions", place))
            yield Remark(line, f"exemptions[{place}] has expired on {exemption.until}: it exempts nothing any more")
    for name, switch in read.rules.items():
        meant = [rule for rule in RULES if name.casefold() in {*map(str.casefold, (rule.name, *rule.requirements))}]
        line = line_of(root, ("rules", name))
        if switch.mode is not None and meant and not any(_changes(rule) for rule in meant):
            said = f"rules.{name}: mode {switch.mode} does nothing: the rule only finds or objects, and changes nothing"
            yield Remark(line, said)
        if switch.enabled and meant and all(rule.mode is not RuleKind.OPT_IN for rule in meant):
            yield Remark(line, f"rules.{name}: enabled: true does nothing: the rule is on by default")
    if terms.caps.per_run == 0 or terms.caps.per_hour == 0:
        yield Remark(line_of(root, ("caps",)), "caps: a cap of 0 stops every change: amlguard only reports")


def _changes(rule: Rule) -> bool:
    return rule.mode in _ACTING or bool(rule.through)
