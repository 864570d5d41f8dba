"""A tree of lines, with guides in front of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from handlers.cli.formats.screen import Line, Piece


@dataclass(frozen=True, slots=True)
class Node:
    pieces: Sequence[Piece]
    below: "list[Node]" = field(default_factory=list)


def lines(nodes: Sequence[Node], before: Sequence[Piece] = ()) -> Iterator[Line]:
    for at, node in enumerate(nodes):
        last = at == len(nodes) - 1
        below = (*before, ("   " if last else "│  ", "dim"))
        yield Line(node.pieces, before=(*before, ("└─ " if last else "├─ ", "dim")), hang=below)
        yield from lines(node.below, below)
