"""Changes code in one place at a time: with mutmut's operators, and with some that it lacks, everywhere in a module.

mutmut itself leaves out what is outside functions and what has a decorator: tables, guards and properties, where
amlguard decides most. So only its operators are used.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators, operator_arg_removal, operator_assignment

from checks.mutants.mutant import Mutant

_MOST_ELEMENTS = 40
# What the type checker needs, or what only changes what people see while they debug.
_NO_CALLS = ("len", "isinstance", "cast", "NewType", "repr")
_NO_NODES = (cst.Annotation, cst.TypeAlias, cst.TypeParameters, cst.Import, cst.ImportFrom, cst.AssignTarget)
_NO_DECORATORS = ("dataclass", "property", "cached_property", "classmethod", "staticmethod", "override", "lru_cache")


def mutants(path: Path, root: Path) -> Iterator[Mutant]:
    source = path.read_text("utf-8")
    wrapper = MetadataWrapper(cst.parse_module(source))
    visitor = _Visitor(wrapper.module, str(path.relative_to(root)))
    wrapper.visit(visitor)
    starts = [0, *accumulate(len(line) for line in source.splitlines(keepends=True))]
    seen: dict[str, int] = {}
    for one in visitor.found:
        begin, end = (starts[at.line - 1] + at.column for at in (one.place.start, one.place.end))
        before, line = source[begin:end], one.place.start.line
        core = before.strip()
        if core == one.after:
            continue
        at = f"{one.statement}|{line - one.lines.start}|{before}|{one.after}"
        seen[at] = seen.get(at, 0) + 1
        key = hashlib.sha256(f"{visitor.path}|{one.where}|{at}|{seen[at]}".encode()).hexdigest()[:12]
        code = source[:begin] + before.replace(core, one.after) + source[end:]
        yield Mutant(visitor.path, one.where, line, one.lines, core, one.after, key, one.plain, code)


@dataclass(frozen=True, slots=True)
class _Change:
    place: CodeRange
    after: str
    where: str
    statement: str
    lines: range
    plain: bool


class _Visitor(cst.CSTVisitor):  # type: ignore[misc]  # libcst is in .venv-mutants, where mypy is not run
    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, module: cst.Module, path: str) -> None:
        super().__init__()
        self.path = path
        self.found: list[_Change] = []
        self._module = module
        self._names: list[str] = []
        self._statements: list[cst.CSTNode] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if _is_left_alone(node):
            return False
        if isinstance(node, cst.FunctionDef | cst.ClassDef):
            self._names.append(node.name.value)
        if isinstance(node, cst.SimpleStatementLine | cst.BaseCompoundStatement):
            self._statements.append(node)
        for instead, plain in _as_mutmut(node):
            self._add(node, instead, plain=plain)
        for instead in _besides(node):
            self._add(node, instead)
        if isinstance(node, cst.If):
            self._add(node.test, _negated(node.test))
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        if _is_left_alone(original_node):
            return
        if isinstance(original_node, cst.FunctionDef | cst.ClassDef):
            self._names.pop()
        if isinstance(original_node, cst.SimpleStatementLine | cst.BaseCompoundStatement):
            self._statements.pop()

    def _add(self, node: cst.CSTNode, instead: cst.CSTNode, *, plain: bool = False) -> None:
        place = self.get_metadata(PositionProvider, node, None)
        if not isinstance(place, CodeRange) or not self._statements:
            return
        statement = self._statements[-1]
        whole = self.get_metadata(PositionProvider, statement)
        assert isinstance(whole, CodeRange)
        if isinstance(statement, cst.SimpleStatementLine):
            said, lines = _said(self._module, statement), range(whole.start.line, whole.end.line + 1)
        else:  # its head, because what follows has statements of its own
            said, lines = _head(statement), range(whole.start.line, place.end.line + 1)
        where = ".".join(self._names) or "module"
        self.found.append(_Change(place, _said(self._module, instead), where, said, lines, plain))


def _is_left_alone(node: cst.CSTNode) -> bool:
    match node:
        case (
            cst.Decorator(decorator=cst.Call(func=cst.Name(value=name))) | cst.Decorator(decorator=cst.Name(value=name))
        ):
            return str(name) in _NO_DECORATORS
        case cst.Call(func=cst.Name(value=name)):
            return str(name) in _NO_CALLS
        case cst.FunctionDef(name=cst.Name(value=name)):
            return bool(name == "__repr__")
        case cst.Expr(value=cst.SimpleString()):
            return True  # a docstring
        case _:
            return isinstance(node, _NO_NODES)


def _as_mutmut(node: cst.CSTNode) -> Iterator[tuple[cst.CSTNode, bool]]:
    if isinstance(node, cst.SimpleString) and " " in node.value:
        return  # a sentence for people
    for kind, operator in mutation_operators:
        if isinstance(node, kind):
            plain = operator in (operator_arg_removal, operator_assignment)
            yield from ((instead, plain) for instead in operator(node))


def _besides(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """What a guard or a table can lose: a filter, an element, an operand, a condition, a result, a statement."""
    match node:
        case cst.CompFor(ifs=ifs):
            yield from (node.with_changes(ifs=_without(ifs, at)) for at in range(len(ifs)))
        case cst.Tuple() | cst.List() | cst.Set() | cst.Dict():
            some = len(node.elements) if 1 < len(node.elements) <= _MOST_ELEMENTS else 0
            yield from (_less(node, at) for at in range(some))
        case cst.BooleanOperation(left=left, right=right):
            yield _in_parentheses(left)
            yield _in_parentheses(right)
        case cst.Return(value=value) if value is not None and not _is_none(value):
            yield node.with_changes(value=cst.Name("None"), whitespace_after_return=cst.SimpleWhitespace(" "))
        case cst.Expr(value=cst.Call() | cst.Await()) | cst.Raise() | cst.Del():
            yield cst.Pass()


def _without[T](parts: Sequence[T], at: int) -> list[T]:
    return [*parts[:at], *parts[at + 1 :]]


def _less(node: cst.Tuple | cst.List | cst.Set | cst.Dict, at: int) -> cst.CSTNode:
    left = _without(node.elements, at)
    if isinstance(node, cst.Tuple) and len(left) == 1:
        left = [left[0].with_changes(comma=cst.Comma())]  # otherwise it would not be a tuple
    return node.with_changes(elements=left)


def _in_parentheses(node: cst.BaseExpression) -> cst.BaseExpression:
    return node if node.lpar else node.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])


def _negated(test: cst.BaseExpression) -> cst.BaseExpression:
    return cst.UnaryOperation(cst.Not(), _in_parentheses(test))


def _is_none(node: cst.BaseExpression) -> bool:
    return isinstance(node, cst.Name) and node.value == "None"


def _head(statement: cst.CSTNode) -> str:
    return type(statement).__name__


def _said(module: cst.Module, node: cst.CSTNode) -> str:
    return str(module.code_for_node(node)).strip()
