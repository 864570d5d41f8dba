"""Nothing steers by prose: no query and no code goes by the text of a reason or a message."""

import ast
import json
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import raw
from app import WITHOUT_SETTLING, App
from deployments import alerts
from fakes import FakeAzure
from kql_parser import Parser
from prose import PROSE, steered_by_prose
from reliability.host import undo
from unit.build import sai, terms

from infra.check import INFRA, ROOT, queries, unbound
from shared.access.scope import Scope
from shared.audit_rows import REMEDIATIONS
from shared.azure.audit_log import AuditReader
from shared.ports import Raw

_CODE = ("shared", "handlers", "demo")
_RUNBOOK = re.compile(r"```(?:kusto|kql)\n(.*?)```", re.DOTALL)


def _documented() -> dict[str, str]:
    papers = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    found = {path: _RUNBOOK.findall(path.read_text("utf-8")) for path in papers}
    return {f"{path.name} {number}": text for path, texts in found.items() for number, text in enumerate(texts)}


def _workbook() -> dict[str, str]:
    book = json.loads((INFRA / "generated" / "workbook.json").read_text("utf-8"))
    return {item["name"]: item["content"]["query"] for item in book["items"] if item["type"] == 3}


def test_no_query_that_is_deployed_or_documented_goes_by_prose(parser: Parser) -> None:
    deployed = {f"alert {name}": one["query"] for name, one in alerts().items()}
    documented = _documented()
    assert len(documented) > 3
    assert steered_by_prose(parser, {**queries(), **deployed, **_workbook(), **documented}) == {}


@dataclass(repr=False)
class _Asked(FakeAzure):
    asked: list[str] = field(default_factory=list)

    async def logs(self, kql: str) -> Sequence[raw.Raw] | None:
        self.asked.append(kql)
        return await super().logs(kql)

    async def query(self, kql: str, subscription: Scope | None = None) -> AsyncIterator[raw.Raw]:
        self.asked.append(kql)
        async for row in super().query(kql, subscription):
            yield row


class _Reader(AuditReader):
    def __init__(self) -> None:
        self.asked: list[str] = []

    async def rows(self, kql: str) -> Sequence[Raw]:
        self.asked.append(kql)
        return []


async def test_no_query_of_the_product_goes_by_prose(parser: Parser) -> None:
    one = App(terms(**WITHOUT_SETTLING), azure := _Asked(logged=True))
    azure.have(raw.workspace(sai("mlw")), raw.registry(), raw.storage(), raw.vault(), raw.compute("cpu1", sai("cpu1")))
    done = await one.run()
    await one.sweep()
    await one.settle()
    await undo(one, done.run.id)
    reader = _Reader()
    await reader.phases(done.run.id)
    asked = [*azure.asked, *reader.asked]
    for part in (
        "| summarize TimeGenerated = max",
        "| where RunId in",
        "| where RunId ==",
        "ContainerRegistryLoginEvents",
    ):
        assert any(part in kql for kql in asked), part
    assert steered_by_prose(parser, {kql: kql for kql in asked}) == {}
    of_the_audit = {kql: kql for kql in asked if kql.startswith(REMEDIATIONS)}
    assert unbound(of_the_audit, parser.bind) == []
    # So it is in a table that was deployed before there was the column.
    assert unbound({kql: kql.replace("'Found'", "'NoSuchColumn'") for kql in of_the_audit}, parser.bind) == []


_USES = (
    "where Reason has 'AuthorizationFailed'",
    "where Reason contains 'lacks the right'",
    "where Reason !startswith 'it was there already'",
    "where Reason matches regex 'missing: .*'",
    "where Reason has_any ('a', 'b')",
    "where Reason in ('a')",
    "where ['Reason'] == 'a'",
    "where Outcome == 'Failed' and isnotempty(extract('missing: (.*)', 1, Reason))",
    "extend About = Reason | where About has 'a'",
    "project A = Reason | project B = A | where B contains 'a'",
    "project-rename A = Reason | where A has 'a'",
    "extend A = strcat(Reason, '')",
    "extend A = iff(Reason has 'a', 1, 0)",
    "parse Reason with * 'missing: ' Permissions",
    "parse-where Reason with * 'missing: ' Permissions",
    "mv-expand A = split(Reason, ', ')",
    "summarize countif(Reason has 'a')",
    "summarize make_set(Reason) by ActionId | where set_Reason has 'a'",
    "summarize arg_max(TimeGenerated, *) by ActionId | where Reason has 'a'",
    "join kind=inner (AmlGuardFinding_CL | project Reason = Message) on Reason",
    "union (AmlGuardFinding_CL | where Message has 'a')",
    "union (AppExceptions | where InnermostMessage contains 'lacks the right')",
    "union (AppExceptions | where OuterMessage has 'LacksRight')",
    "where * has 'a'",
    "search 'a'",
    "where tostring(pack_all()) has 'a'",
    "where column_ifexists('Reason', '') has 'a'",
    "top 3 by Reason",
)


_HIDDEN = (
    "let found = AmlGuardRemediation_CL | where Reason has 'a'; found",
    "let has_it = (text: string) { text has 'a' }; AmlGuardRemediation_CL | where has_it(Reason)",
    "let words = toscalar(AmlGuardRemediation_CL | summarize take_any(Reason)); print words has 'a'",
    "find where Message has 'a'",
)


_SHOWS = (
    "project TimeGenerated, Reason",
    "project About = Reason | order by About asc",
    "summarize count() by ActionId, Reason",
    "summarize arg_max(TimeGenerated, Reason) by ActionId",
    "summarize take_any(Reason), make_set(Reason) by ActionId",
    "distinct Reason",
    "where LacksRight == true and Code == 'AuthorizationFailed' | extend About = Reason",
    "as all | union (AmlGuardFinding_CL | project Message)",
    "where RuleId has 'message' or Guard == 'Reason'",
    "union (AppExceptions | where InnermostMessage has 'LacksRight')",
)


def _piped(use: str) -> str:
    return f"AmlGuardRemediation_CL | {use}"


@pytest.fixture(scope="module")
def found(parser: Parser) -> dict[str, list[str]]:
    return steered_by_prose(parser, {text: text for text in (*map(_piped, (*_USES, *_SHOWS)), *_HIDDEN)})


@pytest.mark.parametrize("text", [*map(_piped, _USES), *_HIDDEN])
def test_a_query_that_goes_by_prose_is_noticed(found: dict[str, list[str]], text: str) -> None:
    assert found.get(text)


@pytest.mark.parametrize("use", _SHOWS)
def test_a_query_that_shows_prose_is_left_alone(found: dict[str, list[str]], use: str) -> None:
    assert _piped(use) not in found


_TEXTS = {"reason", "message", "remedy"}
_COLUMNS = {*PROSE, *_TEXTS, "outcomeReason"}
_LOOKS = {"startswith", "endswith", "find", "index", "count", "partition", "split", "removeprefix", "removesuffix"}
_SEEKS = {"search", "match", "fullmatch", "findall"}
_KQL = re.compile(
    r"\b(Reason|Remedy|\w*Message)\b\s*(!?(has|contains|startswith|endswith|in)\w*~?\s|matches regex|[=!]=|[=!]~)"
)


def _is_prose(node: ast.expr) -> bool:
    match node:
        case ast.Attribute(attr=name):
            return name in _TEXTS
        case ast.Subscript(slice=ast.Constant(value=str(column))):
            return column in _COLUMNS
        case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=str(column)), *_]):
            return column in _COLUMNS
        case ast.Call(func=ast.Name(id="str"), args=[text]):
            return _is_prose(text)
        case ast.Call(func=ast.Attribute(value=text)):
            return _is_prose(text)
    return False


def _goes_by_prose(node: ast.AST) -> bool:
    match node:
        case ast.Compare():
            return any(map(_is_prose, [node.left, *node.comparators]))
        case ast.Call(func=ast.Attribute(attr=name, value=text), args=arguments):
            return (name in _LOOKS and _is_prose(text)) or (name in _SEEKS and any(map(_is_prose, arguments)))
        case ast.Match():
            return _is_prose(node.subject)
        case ast.Constant(value=str(text)):
            return bool(_KQL.search(text))
    return False


def going_by_prose(code: str) -> list[str]:
    return [ast.unparse(node) for node in ast.walk(ast.parse(code)) if _goes_by_prose(node)]


def _all_code() -> Iterator[tuple[str, str]]:
    for path in sorted(path for folder in _CODE for path in (ROOT / folder).rglob("*.py")):
        for one in going_by_prose(path.read_text("utf-8")):
            yield path.relative_to(ROOT).as_posix(), one


def test_no_code_goes_by_prose() -> None:
    """But for rows of before there was the column `Found`: nothing else in them says it."""
    old_rows = "str(row.get('Reason')).startswith((THERE_ALREADY, GONE_ALREADY))"
    assert list(_all_code()) == [("shared/access/history.py", old_rows)]


@pytest.mark.parametrize(
    "code",
    [
        "done = not outcome.reason.startswith('it was there')",
        "told = 'lacks the right' in finding.message",
        "if row['Reason'] == 'x': pass",
        "if 'x' in str(row.get('Message')).casefold(): pass",
        "found = re.search('missing: (.*)', refusal.reason)",
        "kql = f'{TABLE} | where Reason !startswith \"x\"'",
        "match error.reason:\n    case 'x': pass",
    ],
)
def test_code_that_goes_by_prose_is_noticed(code: str) -> None:
    assert going_by_prose(code)


def test_code_that_tells_prose_is_left_alone() -> None:
    told: Any = "line = f'{error.reason}: {finding.message}'; row = {'Reason': one.reason}; '; '.join([one.reason])"
    assert going_by_prose(told) == []
