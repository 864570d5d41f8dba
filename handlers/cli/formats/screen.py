"""Lines and tables for a terminal: its colours and its width, where there is one and the extra `desk` is installed.

Elsewhere the same words come without colours. What is shown is made visible first, so that no text is taken for markup
or moves the cursor.
"""

import io
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from handlers.cli.formats.safe import visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text as RichText

WIDTH = 120
_LEAST = 10
_GAP = 3

type Piece = str | tuple[str, str]


@dataclass(frozen=True, slots=True)
class Line:
    """`pieces` are texts, or texts with their style. `whole`: what it says is never cut short.

    `before` stands before its first line, and `hang`, which is as wide, before the others that it takes.
    """

    pieces: Sequence[Piece] = ()
    indent: int = 0
    whole: bool = False
    before: Sequence[Piece] = ()
    hang: Sequence[Piece] = ()

    @property
    def plain(self) -> str:
        said = "".join(visible_piece(one)[0] for one in (*self.before, *self.pieces))
        return f"{' ' * self.indent}{said}" if said else ""


@dataclass(frozen=True, slots=True)
class Table:
    """`rows` may have fewer cells than there are `columns`. The column in `wide` gets what the others leave over."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Piece]]
    wide: int = 0
    right: frozenset[int] = frozenset()

    def left_over(self, width: int) -> int:
        """What the wide column may take of `width`."""
        return max(width - sum(self._widths()) + self._widths()[self.wide] - _GAP * (len(self.columns) - 1), _LEAST)

    def _widths(self) -> list[int]:
        cells = self._cells()
        return [max(len(row[at]) for row in cells if at < len(row)) for at in range(len(self.columns))]

    def _cells(self) -> list[list[str]]:
        return [list(self.columns), *([visible_piece(one)[0] for one in row] for row in self.rows)]

    def lines(self) -> list[str]:
        """Without rich."""
        widths = self._widths()
        return [
            "  ".join(
                cell.rjust(widths[at]) if at in self.right else cell.ljust(widths[at]) for at, cell in enumerate(row)
            ).rstrip()
            for row in self._cells()
        ]


type Block = Line | Table


def visible_piece(one: Piece) -> tuple[str, str]:
    """A text that keeps the blanks at its ends, and its style."""
    text, style = (one, "") if isinstance(one, str) else one
    if text.isspace():
        return text if not text.strip(" ") else " ", style
    inner = visible(text)
    before = " " * (len(text) - len(text.lstrip(" ")))
    after = " " * (len(text) - len(text.rstrip(" "))) if inner else ""
    return f"{before}{inner}{after}", style


@dataclass(frozen=True, slots=True)
class Screen:
    """`width` None: nobody's terminal; a line is as long as it is. `styled`: it shows colours."""

    width: int | None = None
    styled: bool = False
    terminal: bool = field(default=False)

    @classmethod
    def of_output(cls, *, to_file: bool = False) -> "Screen":
        """Standard output as it is."""
        if to_file or not sys.stdout.isatty():
            return cls()
        width = os.get_terminal_size(sys.stdout.fileno()).columns or WIDTH
        return cls(width, styled="NO_COLOR" not in os.environ and find_spec("rich") is not None, terminal=True)

    def lines(self, blocks: Iterable[Block], *, cut: bool = False) -> list[str]:
        """`cut`: what does not fit is cut short with an ellipsis; else it goes on in the next line."""
        if find_spec("rich") is None or (self.width is None and not (self.styled or cut)):
            return self._plainly(blocks, cut=cut)
        return self._richly(blocks, cut=cut)

    def text(self, blocks: Iterable[Block], *, cut: bool = False) -> str:
        return "\n".join(self.lines(blocks, cut=cut))

    def _plainly(self, blocks: Iterable[Block], *, cut: bool) -> list[str]:
        said = []
        for block in blocks:
            lines = [block.plain] if isinstance(block, Line) else block.lines()
            most = (self.width or WIDTH) if cut and not (isinstance(block, Line) and block.whole) else None
            said += [line if most is None or len(line) <= most else f"{line[: most - 1]}…" for line in lines]
        return said

    def _richly(self, blocks: Iterable[Block], *, cut: bool) -> list[str]:
        from rich.padding import Padding  # noqa: PLC0415 - other commands need no rich
        from rich.text import Text  # noqa: PLC0415 - see above

        console = self._console()
        for block in blocks:
            if isinstance(block, Table):
                console.print(_table(block, block.left_over(console.width) if cut else None), crop=False)
            elif block.whole and cut:
                console.print(Padding(_text(block), (0, 0, 0, block.indent)))
            elif cut:
                one = Text(" " * block.indent) + _text(block)
                one.truncate(console.width, overflow="ellipsis")
                console.print(one, no_wrap=True, crop=False)
            elif block.before:
                first, others = _text(Line(block.before)), _text(Line(block.hang))
                lines = _text(block).wrap(console, max(console.width - first.cell_len, _LEAST))
                for at, line in enumerate(lines):
                    console.print((others if at else first) + line, no_wrap=True, crop=False)
            else:
                console.print(Padding(_text(block), (0, 0, 0, block.indent)))
        assert isinstance(console.file, io.StringIO)
        return [line.rstrip() for line in console.file.getvalue().splitlines()]

    def _console(self) -> "Console":
        from rich.console import Console  # noqa: PLC0415 - see above

        return Console(
            file=io.StringIO(),
            width=self.width or WIDTH,
            force_terminal=self.styled,
            no_color=not self.styled,
            highlight=False,
            markup=False,
            emoji=False,
            legacy_windows=False,
        )


def _text(line: Line) -> "RichText":
    from rich.text import Text  # noqa: PLC0415 - see above

    made = Text()
    for piece in line.pieces:
        made.append(*visible_piece(piece))
    return made


def _table(table: Table, most: int | None) -> "RichTable":
    """`most` is how wide its wide column may be; what is longer is cut short."""
    from rich import box  # noqa: PLC0415 - see above
    from rich.table import Table as RichTable  # noqa: PLC0415 - see above
    from rich.text import Text  # noqa: PLC0415 - see above

    made = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for at, name in enumerate(table.columns):
        side: Literal["left", "right"] = "right" if at in table.right else "left"
        width = most if at == table.wide else None
        made.add_column(name, justify=side, overflow="ellipsis", no_wrap=True, max_width=width)
    for row in table.rows:
        made.add_row(*(Text(*visible_piece(one)) for one in row))
    return made
