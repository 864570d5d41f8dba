"""What rules find, and what their entries say of it: a slip in a name shows here, not when something is found."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from string import Formatter

import pytest
from unit.build import REGISTRY, estate, workspace

from shared.access.ask_rules import asks_of
from shared.access.asks import Ask, Finding, Found, Severity, Unread
from shared.access.model import Want
from shared.access.rules import RULES, Rule, RuleKind
from shared.access.rules.rule import FindingKind


def _module(rule: Rule) -> str:
    looking = rule.examine.func if isinstance(rule.examine, partial) else rule.examine
    return looking.__module__


MODULES = sorted({_module(rule) for rule in RULES})


def _found(module: str) -> Iterator[tuple[frozenset[str], frozenset[str]]]:
    """Of each `Found(...)` that is written there: the kinds that it may be, and what it fills in."""
    tree = ast.parse(Path(str(sys.modules[module].__file__)).read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Found":
            kind = next((ast.walk(one.value) for one in node.keywords if one.arg == "kind"), iter(()))
            kinds = {one.value for one in kind if isinstance(one, ast.Constant) and isinstance(one.value, str)}
            named = any(one.arg == "kind" for one in node.keywords)
            fill = next((one for one in node.args[2:3] if isinstance(one, ast.Dict)), None)
            keys = {one.value for one in (fill.keys if fill else ()) if isinstance(one, ast.Constant)}
            yield frozenset(kinds if named else {""}), frozenset(map(str, keys))


def _fields(kind: FindingKind) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in Formatter().parse(kind.remedy) if name)


@pytest.mark.parametrize("module", MODULES)
def test_what_is_found_is_what_an_entry_knows_and_fills_in_all_that_it_asks_for(module: str) -> None:
    known = [item for rule in RULES if _module(rule) == module for item in rule.kinds.items()]
    found = list(_found(module))
    assert {name for kinds, _ in found for name in kinds} <= {name for name, _ in known}
    for kinds, filled in found:
        of_them = [_fields(kind) for name, kind in known if name in kinds or not kinds]
        assert filled in of_them
    assert {_fields(kind) for _, kind in known} == {filled for _, filled in found}


def test_an_entry_has_either_one_finding_or_several() -> None:
    for rule in RULES:
        assert not (rule.findings and (rule.severity or rule.remedy)), rule.name
        assert (rule.severity is None) is (rule.remedy == ""), rule.name
        assert all(kind.remedy for kind in rule.kinds.values()), rule.name


def _rule(*asks: Ask) -> Rule:
    return Rule(
        name="made-for-this",
        requirements=("AML-01", "AML-02"),
        mode=RuleKind.AUDIT,
        title="It is.",
        source="learn.microsoft.com/x",
        examine=lambda *_: asks,
        acts="acts",
        leaves="leaves",
    )


def _stamped(rule: Rule) -> list[object]:
    seen = estate(workspace())
    return list(asks_of(rule, seen.subject, seen))


def test_a_finding_is_stamped_with_its_rule() -> None:
    found = Found(REGISTRY, "Something {odd}.", {"change": "`az {x}`"})
    rule = replace(_rule(found), severity=Severity.LOW, remedy="Do {{this}}: {change}")
    names = ("made-for-this", ("AML-01", "AML-02"))
    assert _stamped(rule) == [Finding(REGISTRY, *names, Severity.LOW, "Something {odd}.", "Do {this}: `az {x}`")]


def test_one_of_several_findings_is_as_its_kind_says() -> None:
    kinds = {"worse": FindingKind(Severity.HIGH, "Run"), "bad": FindingKind(Severity.LOW, "Walk")}
    bad = Found(REGISTRY, "one", kind="bad", requirements=("AML-02",))
    rule = replace(_rule(bad, Found(REGISTRY, "two", kind="worse")), findings=kinds)
    assert _stamped(rule) == [
        Finding(REGISTRY, "made-for-this", ("AML-02",), Severity.LOW, "one", "Walk"),
        Finding(REGISTRY, "made-for-this", ("AML-01", "AML-02"), Severity.HIGH, "two", "Run"),
    ]


def test_what_may_not_be_read_is_said_in_the_rules_name() -> None:
    (one,) = _stamped(_rule(Unread(Want(REGISTRY))))
    assert isinstance(one, Finding)
    assert (one.resource, one.rule, one.severity) == (REGISTRY, "made-for-this", Severity.LOW)
    assert "whether made-for-this holds: the right microsoft.containerregistry/registries/read" in one.message
