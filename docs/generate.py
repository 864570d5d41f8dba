"""`python -m docs.generate [--check]`: the files that follow from the rules and the policy, to read and to deploy.

With `--check` it writes nothing and exits 1 if a file is not current.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from string import Formatter

from docs import cli, fidelity, guards, leading, rights
from handlers.cli.formats import schemas
from infra import derive
from shared import policy, told
from shared.access.condition import assignable, condition
from shared.access.needs import Need
from shared.access.permissions import Permission
from shared.access.routing import operations
from shared.access.rules import RULES, Rule, RuleKind
from shared.access.rules.rule import FindingKind
from shared.access.terms import Terms

ROOT = Path(__file__).parent.parent

_MODES: Mapping[RuleKind, str] = {
    RuleKind.FIX: "fix: on unless the policy turns it off",
    RuleKind.OPT_IN: "fix, once the policy turns it on",
    RuleKind.AUDIT: "audit: reports a finding with its remedy, never a change",
    RuleKind.GUARD: "guard: in this state amlguard does not act, and says why",
    RuleKind.INPUT: "an input that other rules use",
}

_INTRODUCTION = """\
# Rules

<!-- Generated from shared/access/rules by `make docs`; edit the rules, not this file. -->

Each rule is one entry in `shared/access/rules/`. An AML-id is the number of a requirement that was drawn from
Microsoft's Azure Machine Learning documents. The policy file names rules by AML-id or by name. amlguard grants nothing
that an identity already holds, and what counts is the permission, not the role ([ADR
2](adr/0002-coverage-not-equality.md)).

amlguard looks at a workspace after the events that the rules name. It also looks after somebody deletes a role
assignment whose scope contains the workspace or is [used by it](#what-leads-to-a-workspace). The sweep looks at every
workspace.

Each finding is listed with its severity and its remedy. Where this page has a word in capitals, such as `CHANGE`, the
finding itself has the value or the whole command.
"""

_ROLES = """\
## Roles

Azure itself limits what amlguard can assign: the app's own Role Based Access Control Administrator assignment carries a
condition that is derived from the enabled rules. With the default policy it lists these roles:
"""

_CONDITION = """\
This is the condition (version 2.0):
"""

_OPT_IN = """\
The condition lists the following roles only if the policy turns their rules on. For rules that only grant on the
policy's allow-list, the policy must have an allow-list. Renew the condition then (`amlguard policy condition --policy
FILE` prints it). Until you do, Azure refuses the grants and amlguard records them as Failed.
"""

_EVENTS = """\
## Events

An Event Grid subscription should let these operations (`data.operationName`) through. amlguard acknowledges all other
events and does nothing about them:
"""


def documents(rules: Sequence[Rule] = RULES) -> dict[str, str]:
    """The text of every generated file, by its path from the root."""
    return {
        "docs/rules.md": rules_page(rules),
        "docs/guards.md": guards.page(rules),
        "docs/policy.schema.json": json.dumps(policy.schema(), indent=2) + "\n",
        "docs/cli.md": cli.page(),
        "docs/schemas/plan.schema.json": json.dumps(schemas.plan(), indent=2) + "\n",
        "docs/schemas/plan-csv.schema.json": json.dumps(schemas.table(), indent=2) + "\n",
        "docs/schemas/events.schema.json": json.dumps(told.schema(), indent=2) + "\n",
        "docs/rights.md": rights.page(),
        "docs/fidelity.md": fidelity.page(),
        "docs/deploy.md": rights.within((ROOT / "docs" / "deploy.md").read_text("utf-8")),
        **derive.documents(replace(derive.deployed_terms(ROOT), table=tuple(rules))),
    }


def stale(root: Path = ROOT, rules: Sequence[Rule] = RULES) -> list[Path]:
    """Generated files that are missing or not current."""
    files = {root / name: text for name, text in documents(rules).items()}
    return [path for path, text in files.items() if not path.exists() or path.read_text("utf-8") != text]


def rules_page(rules: Sequence[Rule]) -> str:
    parts = (
        _INTRODUCTION,
        _overview(rules),
        _roles(rules),
        _events(rules),
        leading.section(),
        *(_section(rule) for rule in rules),
    )
    return "\n".join(parts)


def _overview(rules: Iterable[Rule]) -> str:
    rows = ((f"[{r.name}](#{r.name})", _ids(r.requirements), r.mode, r.title) for r in rules)
    used = {rule.mode for rule in rules}
    meanings = "".join(f"- **{mode}** {meaning}\n" for mode, meaning in _MODES.items() if mode in used)
    return _table(("rule", "requirements", "mode", "what it ensures"), rows) + "\nModes:\n\n" + meanings


def _roles(rules: Sequence[Rule]) -> str:
    terms = Terms(table=tuple(rules))
    default = assignable(terms)
    more = {need.role_id: need for rule in rules for need in rule.grants if need not in default}
    return "\n".join(
        (
            _ROLES,
            _role_table(default, [rule for rule in rules if terms.enabled(rule)]),
            _CONDITION,
            f"```text\n{condition(terms)}\n```\n",
            _OPT_IN,
            _role_table(more.values(), rules),
        )
    )


def _role_table(needs: Iterable[Need], rules: Sequence[Rule]) -> str:
    def asking(role_id: str) -> str:
        return ", ".join(r.name for r in rules if role_id in {need.role_id for need in r.grants})

    rows = ((need.role_name, f"`{need.role_id}`", asking(need.role_id)) for need in needs)
    return _table(("role", "id", "rules that grant it"), rows)


def _events(rules: Sequence[Rule]) -> str:
    return f"{_EVENTS}\n" + "".join(f"- `{operation}`\n" for operation in operations(rules))


def _section(rule: Rule) -> str:
    return f"## {rule.name}\n\n{rule.title}\n\n" + "".join(f"- {line}\n" for line in _facts(rule))


def _facts(rule: Rule) -> Iterator[str]:
    yield f"Requirements: {_ids(rule.requirements)}" + (f"; also {_ids(rule.also)}" if rule.also else "")
    yield f"Mode: **{rule.mode}**, {_MODES[rule.mode]}" + ("; silent while it is off" if rule.optional else "")
    for need in rule.grants:
        yield f"Needs to {need.name}: {_permissions(need.permissions)}. Grants: **{need.role_name}**"
    if rule.allow_listed:
        yield "Grants only on what is on the policy's allow-list"
    if rule.through:
        yield f"Carried out by {', '.join(f'[{name}](#{name})' for name in rule.through)}"
    elif not rule.grants:
        yield "Grants: nothing"
    if rule.is_guard:
        yield "Withholds changes under its own name ([guards](guards.md))"
    listed = ", ".join((*rule.reads, *rule.each)) or "nothing"
    yield f"Reads below the workspace: {listed}{_by_itself(rule)}"
    for name, kind in rule.kinds.items():
        yield f"Finding{f', {name}' if name else ''}: **{kind.severity}**{_remedy(kind)}"
    if rule.watches:
        yield f"Events: write and delete of {', '.join(f'`{kind}`' for kind in rule.watches)}"
    yield f"Acts when: {rule.acts}"
    yield f"Leaves alone: {rule.leaves}"
    yield f"Source: <https://{rule.source}>"


def _by_itself(rule: Rule) -> str:
    return "; looks at each of them by itself" if rule.each else ""


def _remedy(kind: FindingKind) -> str:
    """Empty if the whole remedy depends on what was found."""
    said = any(literal.strip() for literal, *_ in Formatter().parse(kind.remedy))
    return f". {kind.remedy.format_map(_Named())}" if said else ""


class _Named(dict[str, str]):
    """Shows the name of each placeholder in capitals."""

    def __missing__(self, name: str) -> str:
        return f"`{name.upper()}`"


def _permissions(permissions: Iterable[Permission]) -> str:
    return ", ".join(f"`{one.action}`" + (" (data)" if one.data else "") for one in permissions)


def _ids(requirements: Iterable[str]) -> str:
    return ", ".join(requirements) or "–"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(prog="python -m docs.generate", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file is not current")
    if parser.parse_args(arguments).check:
        late = stale(root)
        for path in late:
            print(f"{path.relative_to(root)} is not current: run `make docs`", file=sys.stderr)
        return 1 if late else 0
    for name, text in documents().items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
