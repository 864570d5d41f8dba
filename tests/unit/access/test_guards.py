"""One list of words, one order: every guard is in it, says its own word, and the papers and queries say no other."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from docs.guards import keeps_back, page
from shared import policy
from shared.access.guardrails import ADVICE, GRANT, GRANT_BY_POLICY, REMOVAL, SETTING, SWITCH_OFF, Check, approval
from shared.access.guards import WANTED, Guard
from shared.access.rules import RULES

ROOT = Path(__file__).parents[3]
RUNBOOK = (ROOT / "docs" / "runbooks" / "withheld-by-guard.md").read_text("utf-8")
QUERIES = {path.stem: path.read_text("utf-8") for path in (ROOT / "infra" / "queries").glob("*.kql")}
NAMES = {rule.name for rule in RULES if rule.is_guard}
CHAINS: dict[str, tuple[object, ...]] = {
    "grants": (*GRANT, *GRANT_BY_POLICY),
    "settings": (*SETTING, *SWITCH_OFF, approval),
    "removals": REMOVAL,
    "advice": ADVICE,
}
# Who says words that the chains do not: what reads more, and what looks at the whole plan.
SAID_ELSEWHERE = {
    Guard.NOT_ASKED_FOR: "shared/access/undo_guards.py",
    Guard.CAP: "shared/access/guardrails.py",
    Guard.KILL_SWITCH: "shared/writing/brakes.py",
    Guard.UNDONE: "shared/writing/brakes.py",
    Guard.CONTESTED: "shared/access/history.py",
    Guard.CAP_HOUR: "shared/access/caps.py",
    Guard.CAP_TARGET: "shared/access/caps.py",
    Guard.RELIED_ON: "shared/undo.py",
}


def words(chain: Iterable[object]) -> Iterator[Guard]:
    return (word for check in chain if isinstance(check, Check) for word in check.words)


@pytest.mark.parametrize("kind", CHAINS)
def test_a_chain_is_in_the_order_of_the_list(kind: str) -> None:
    said = list(words(CHAINS[kind]))
    assert said == [one for one in Guard if one in said]
    assert said


@pytest.mark.parametrize("guard", Guard)
def test_somebody_says_every_word(guard: Guard) -> None:
    if guard in SAID_ELSEWHERE:
        assert f"Guard.{guard.name}" in (ROOT / SAID_ELSEWHERE[guard]).read_text("utf-8")
    else:
        assert guard in {word for chain in CHAINS.values() for word in words(chain)}
    assert keeps_back(guard)


@pytest.mark.parametrize("guard", Guard)
def test_a_word_is_explained_in_a_sentence(guard: Guard) -> None:
    assert guard.means.endswith(".")
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", guard)


def test_the_page_has_each_word_with_its_meaning_and_its_key() -> None:
    """Queries, alerts and policies of people go by what it says."""
    assert (ROOT / "docs" / "guards.md").read_text("utf-8") == page(RULES)


def test_no_word_is_a_rules_name() -> None:
    assert {rule.name for rule in RULES} & {*Guard} == set()


@pytest.mark.parametrize("guard", [one for one in Guard if one.policy])
def test_the_key_that_steers_it_is_in_the_policy_file(guard: Guard) -> None:
    schema = dict(policy.schema())
    part = _resolved(schema, schema)
    for key in guard.policy.split("."):
        part = _resolved(part["additionalProperties"] if key == "*" else part["properties"][key], schema)


def _resolved(part: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    for one in part.get("anyOf", ()):
        if "$ref" in one:
            part = one
    ref = part.get("$ref", "")
    return _resolved(schema["$defs"][ref.rpartition("/")[2]], schema) if ref else part


@pytest.mark.parametrize(
    ("guard", "value", "said"),
    [(Guard.CAP, 5, "caps: {per_run: 5}"), (Guard.CONTESTED, 3, "contested_after: 3")],
)
def test_reasons_say_the_key_as_the_policy_file_does(guard: Guard, value: object, said: str) -> None:
    assert guard.in_policy(value) == said


def test_a_word_is_written_down_once() -> None:
    """Everywhere else in the product it is `Guard`'s: a word that is spelled out would not follow."""
    quoted = re.compile("|".join(f'"{re.escape(one)}"' for one in Guard if "-" in one))
    found = {
        str(path.relative_to(ROOT))
        for folder in ("shared", "handlers")
        for path in (ROOT / folder).rglob("*.py")
        if quoted.search(path.read_text("utf-8"))
    }
    assert found == {"shared/access/guards.py"}


@pytest.mark.parametrize("name", QUERIES)
def test_queries_ask_for_words_that_are_said(name: str) -> None:
    asked = re.findall(r"\bGuard (?:==|!=|!?in) ?\(?((?:'[^']*'(?:, )?)+)", QUERIES[name])
    assert {word for one in asked for word in re.findall(r"'([^']*)'", one)} <= {*Guard} | NAMES


def test_queries_do_ask_for_words() -> None:
    assert sum("Guard " in text for text in QUERIES.values()) >= 3


def test_the_runbook_says_what_to_do_about_every_word_of_which_the_alert_tells() -> None:
    listed = RUNBOOK.split("## Put it right", 1)[1].split("\n## ", 1)[0]
    told = {word for item in listed.split("\n- ") for word in re.findall(r"`([a-z-]+)`", item.partition(":")[0])}
    assert told >= {*Guard} - {*WANTED}
    assert told <= {*Guard} | NAMES
    assert f"Guard !in ({', '.join(f"'{one}'" for one in WANTED)})" in RUNBOOK


def test_a_word_is_json_as_it_is_said() -> None:
    assert json.loads(json.dumps({"guard": Guard.CAP})) == {"guard": "cap"}
    assert f"{Guard.CAP}" == "cap"
