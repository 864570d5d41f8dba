"""The words that amlguard itself knows: they are no names of a tenant, and a pseudonym for them would change a plan.

Whatever a rule compares a text with is a constant in the code. So the constants of the code are the words, besides the
operations in Azure's built-in roles and a list of more that ARM writes. Everything else is taken for a name.
"""

import ast
import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Self

from shared.access.permissions import RoleDefinition
from shared.access.raw import is_guid

_PIECE = re.compile(r"[A-Za-z0-9_]+")
# No URL, no host and no file.
_OF_PROVIDER = re.compile(r"(microsoft\.[a-z0-9.-]+)(?:/|$)")
_RUN = re.compile(r"[A-Za-z0-9_.-]+")
# In what Azure says when it refuses. So people can read which right somebody lacks.
_OF_AZURE = (
    "The client with object id does not have authorization to perform action over scope or the scope is invalid If "
    "access was recently granted please refresh your credentials AuthorizationFailed Forbidden NotFound Conflict "
    "InvalidAuthenticationToken The Resource under resource group was not found For more details please go to "
    "ResourceNotFound TooManyRequests InternalServerError ServiceUnavailable BadRequest Azure answered"
)


@dataclass(frozen=True, slots=True)
class Words:
    """All in lower case. `whole` are constants and runs of letters in them, `pieces` what stands between their signs.

    `prose` are the words of sentences, `providers` Azure's resource providers, `guids` roles and Azure's own ids.
    """

    whole: frozenset[str]
    pieces: frozenset[str]
    prose: frozenset[str]
    providers: frozenset[str]
    guids: frozenset[str]

    @classmethod
    def of(cls, built_in: Collection[RoleDefinition]) -> Self:
        said = _constants()
        actions = [action.casefold() for role in built_in for action in _actions(role)]
        plain = [one for one in said if not any(map(str.isspace, one))]
        runs = {run.strip(".-") for one in (*plain, *actions) for run in _RUN.findall(one)}
        return cls(
            whole=frozenset((*plain, *said, *runs, *(role.name.casefold() for role in built_in))),
            pieces=frozenset(piece for one in (*plain, *actions) for piece in _PIECE.findall(one)),
            prose=frozenset(piece for one in (*said, _OF_AZURE.casefold()) for piece in _PIECE.findall(one)),
            providers=frozenset(
                found[1] for action in (*actions, *plain) if (found := _OF_PROVIDER.match(action.casefold()))
            ),
            guids=frozenset((*(one for one in runs if is_guid(one)), *(role.role_id for role in built_in))),
        )

    def matches(self, pattern: str) -> bool:
        """Whether there is a word like that, such as `*read` or `reg*`."""
        return any(fnmatchcase(word, pattern) for word in self.pieces)


def _actions(role: RoleDefinition) -> Iterator[str]:
    for block in role.permissions:
        yield from (*block.actions, *block.not_actions, *block.data_actions, *block.not_data_actions)


@cache
def _constants() -> tuple[str, ...]:
    """Texts of `shared`, the names of the fields that its documents have, and ARM's. No docstrings."""
    of_code = (one for file in _sources(files("shared")) for one in _in(file.read_text("utf-8")))
    of_arm = json.loads(files("shared.snapshot").joinpath("azure_words.json").read_text("utf-8"))
    more = (one for part in ("properties", "values", "applications", "regions") for one in of_arm[part].split())
    return tuple(sorted({one.casefold() for one in (*of_code, *more)}))


def _sources(folder: Traversable) -> Iterator[Traversable]:
    for one in folder.iterdir():
        if one.is_dir():
            yield from _sources(one)
        elif one.name.endswith(".py"):
            yield one


def _in(source: str) -> Iterator[str]:
    """Texts that stand alone are docstrings and notes."""
    left: list[ast.AST] = [ast.parse(source)]
    while left:
        node = left.pop()
        match node:
            case ast.Expr(value=ast.Constant()):
                continue
            case ast.Constant(value=str(said)):
                yield said
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name
        for below in vars(node).values():
            if isinstance(below, list):
                left.extend(one for one in below if isinstance(one, ast.AST))
            elif isinstance(below, ast.AST):
                left.append(below)
