"""docs/guards.md: the words under which changes are withheld, from `Guard` and the rules that may object."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from shared.access.guardrails import GRANT, GRANT_BY_POLICY, REMOVAL, SETTING, SWITCH_OFF, Check, approval
from shared.access.guards import WANTED, Guard
from shared.access.rules import Rule

_INTRODUCTION = """\
# Guards

<!-- Generated from shared/access/guards.py and the rules by `make docs`; edit those, not this file. -->

A guard can stop a change. The change is then Withheld, and the guard's word is in the column `Guard` of the audit log
and in `plan`. The words are stable, so that queries and alerts can rely on them. `Reason` says what would allow the
change. [The runbook](runbooks/withheld-by-guard.md) says what to do.

amlguard asks the guards in the order of the table, and the first that objects gives the word. A rule that objects is a
guard under its own name. It is asked after `conditional-assignment`. If it knows who still needs a registry's admin
user, it is asked together with `uncovered-puller`. The alert does not count what people asked for in the policy:
{wanted}.
"""

_RULES = """\
## Rules that are guards

"""

_BRAKES = "all changes, just before they are made"
_ELSEWHERE: Mapping[Guard, str] = {
    Guard.NOT_ASKED_FOR: "`amlguard undo`",
    Guard.CAP: "all changes",
    Guard.KILL_SWITCH: _BRAKES,
    Guard.UNDONE: _BRAKES,
    Guard.CONTESTED: _BRAKES,
    Guard.CAP_HOUR: _BRAKES,
    Guard.CAP_TARGET: _BRAKES,
    Guard.RELIED_ON: "`amlguard undo`",
}
_CHAINS: Mapping[str, Iterable[object]] = {
    "grants": (*GRANT, *GRANT_BY_POLICY),
    "settings": (*SETTING, approval),
    "the admin user": SWITCH_OFF,
    "removals": REMOVAL,
}


def page(rules: Sequence[Rule]) -> str:
    wanted = " and ".join(f"`{one}`" for one in WANTED)
    head = "| word | stops | meaning | in the policy |\n| --- | --- | --- | --- |\n"
    return "\n".join((_INTRODUCTION.format(wanted=wanted), head + "".join(map(_row, Guard)), _RULES + _named(rules)))


def _row(one: Guard) -> str:
    return f"| `{one}` | {keeps_back(one)} | {one.means} | {f'`{one.policy}`' if one.policy else '–'} |\n"


def keeps_back(one: Guard) -> str:
    """As the chains have it. Raises `KeyError` for a word that nobody says."""
    return ", ".join(name for name, chain in _CHAINS.items() if one in _words(chain)) or _ELSEWHERE[one]


def _words(chain: Iterable[object]) -> Iterator[Guard]:
    return (word for check in chain if isinstance(check, Check) for word in check.words)


def _named(rules: Iterable[Rule]) -> str:
    return "".join(f"- [{one.name}](rules.md#{one.name}): {one.title}\n" for one in rules if one.is_guard)
