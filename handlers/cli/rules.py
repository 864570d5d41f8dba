"""`amlguard rules`: the catalogue, or a part of it, for people and for other programs."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from handlers.cli.formats.choose import require_rules
from handlers.cli.formats.screen import Block, Line, Screen, Table
from shared.access.plan_json import Document
from shared.access.rules import Rule
from shared.access.rules.rule import RuleKind

MEANINGS = {
    RuleKind.FIX: "fix: amlguard makes the change, unless the policy turns the rule off",
    RuleKind.OPT_IN: "fix, once the policy turns the rule on; until then it says what it would do",
    RuleKind.AUDIT: "audit: a finding with its remedy, never a change",
    RuleKind.GUARD: "guard: a state in which amlguard does not act, and says why",
    RuleKind.INPUT: "input: what other rules use",
}
# By words as well: a question mark means something to shells.
KINDS = {
    "fix": RuleKind.FIX,
    "opt-in": RuleKind.OPT_IN,
    "audit": RuleKind.AUDIT,
    "guard": RuleKind.GUARD,
    "input": RuleKind.INPUT,
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Empty lists want all."""

    names: Sequence[str] = ()
    kinds: Sequence[str] = ()
    severities: Sequence[str] = ()


def choose(rules: Sequence[Rule], wanted: Wanted) -> list[Rule]:
    """Raises `UsageError` if a name is none."""
    require_rules(wanted.names, rules)
    named = {one.casefold() for one in wanted.names}
    kinds = {KINDS[one] for one in wanted.kinds}
    return [
        rule
        for rule in rules
        if (not named or named & {one.casefold() for one in (rule.name, *rule.requirements, *rule.also)})
        and (not kinds or rule.mode in kinds)
        and (not wanted.severities or {str(kind.severity) for kind in rule.kinds.values()} & {*wanted.severities})
    ]


def catalogue(rules: Iterable[Rule]) -> list[Document]:
    return [
        {
            "rule": rule.name,
            "requirements": list(rule.requirements),
            "also": list(rule.also),
            "mode": str(rule.mode),
            "severities": sorted({str(kind.severity) for kind in rule.kinds.values()}),
            "title": rule.title,
            "roles": list(dict.fromkeys(need.role_name for need in rule.grants)),
            "watches": list(rule.watches),
            "acts": rule.acts,
            "leaves": rule.leaves,
            "source": rule.source,
        }
        for rule in rules
    ]


def text(rules: Sequence[Rule], screen: Screen, *, whole: bool) -> str:
    """`whole`: with what each says besides its title."""
    return screen.text(_blocks(rules, whole=whole))


def _blocks(rules: Sequence[Rule], *, whole: bool) -> Iterator[Block]:
    if not rules:
        yield Line(("no rule is like that",))
        return
    if whole:
        for rule in rules:
            yield from _rule(rule)
    else:
        yield Table(("rule", "mode", "requirements", "what it keeps"), [_row(rule) for rule in rules], 3)
        yield Line()
    used = [mode for mode in MEANINGS if any(rule.mode is mode for rule in rules)]
    yield from (Line(((f"{mode:<3}", "bold"), MEANINGS[mode])) for mode in used)


def _row(rule: Rule) -> tuple[str, ...]:
    return rule.name, str(rule.mode), ", ".join(rule.requirements or rule.also) or "–", rule.title


def _rule(rule: Rule) -> Iterator[Block]:
    yield Line(((rule.name, "bold"), f"  {rule.mode}  {', '.join(rule.requirements or rule.also)}"))
    roles = ", ".join(dict.fromkeys(need.role_name for need in rule.grants))
    found = [f"{kind.severity}: {kind.remedy}" for kind in rule.kinds.values()]
    said = [
        rule.title,
        f"acts: {rule.acts}",
        f"leaves alone: {rule.leaves}",
        *([f"roles: {roles}"] if roles else []),
        *found,
        f"source: {rule.source}",
    ]
    yield from (Line((one,), 2) for one in said)
    yield Line()
