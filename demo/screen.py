"""What the audience sees: colours and a spinner on a terminal, plain lines everywhere else."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from demo.timeline import Entry

_COLOURS = {"AML": "yellow", "Event Grid": "blue", "amlguard": "green", "people": "magenta", "clock": "cyan"}
_MARGIN, _WHO_WIDTH = 11, 10
_TABLE_WIDTH = 120


@dataclass(frozen=True, slots=True)
class Heading:
    number: int
    of: int
    title: str
    what: str
    why: str


class Screen:
    def __init__(self, *, plain: bool) -> None:
        self._plain = plain or not sys.stdout.isatty()
        self._console = Console(highlight=False)

    def line(self, text: str = "", style: str = "") -> None:
        if self._plain:
            print(text, flush=True)
        else:
            self._console.print(Text(text, style=style))

    def heading(self, heading: Heading) -> None:
        title = f"{heading.number}/{heading.of}  {heading.title}"
        self.line()
        if self._plain:
            self.line(f"=== {title} ===")
        else:
            self._console.print(Rule(Text(title, style="bold"), align="left", style="dim"))
        self._labelled("What", heading.what)
        self._labelled("Why", heading.why, "italic")

    def entry(self, milliseconds: float, entry: Entry) -> None:
        moment = f"{milliseconds:+,.0f} ms"
        if self._plain:
            more = f" - {entry.more}" if entry.more else ""
            self.line(f"{moment:>{_MARGIN}}  {entry.who:<{_WHO_WIDTH}}  {entry.text}{more}")
            return
        grid = _grid(_MARGIN, _WHO_WIDTH)
        who = Text(entry.who, style=_COLOURS.get(entry.who, ""))
        grid.add_row(moment, who, Text.assemble((entry.text, entry.style), (f"  {entry.more}", "dim")))
        self._console.print(grid)

    def note(self, text: str, style: str = "dim") -> None:
        self._labelled("", text, style)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """On a narrow terminal, a list in which the first column is the heading."""
        self.line()
        self.line(title, "bold")
        if self._plain:
            for line in _aligned([columns, *rows]):
                self.line(f"  {line}")
        elif self._console.width < _TABLE_WIDTH:
            self._list(rows)
        else:
            table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
            for column in columns:
                table.add_column(column, justify="right" if column == "after" else "left")
            for row in rows:
                table.add_row(*(Text(cell, style=_cell_style(cell)) for cell in row))
            self._console.print(table)

    def check(self, title: str, differences: Sequence[str]) -> None:
        self._labelled("differs" if differences else "✓", title, "bold red" if differences else "green")
        for difference in differences:
            self._labelled("", f"- {difference}", "red")

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """A spinner below the lines that appear meanwhile."""
        if self._plain:
            yield
            return
        with self._console.status(Text(text, style="dim")):
            yield

    def _list(self, rows: Sequence[Sequence[str]]) -> None:
        for first, *others in rows:
            if first:
                self.line(f" {first}", "bold")
            grid = _grid(1)
            cells = [Text(cell, style=_cell_style(cell)) for cell in others if cell]
            grid.add_row("", Text(" · ", style="dim").join(cells))
            self._console.print(grid)

    def _labelled(self, label: str, text: str, style: str = "") -> None:
        if self._plain:
            self.line(f"{label:>{_MARGIN}}  {text}")
            return
        grid = _grid(_MARGIN)
        grid.add_row(label, Text(text, style=style))
        self._console.print(grid)


def _grid(*widths: int) -> Table:
    """Columns of these widths, the first one right-aligned, then a column for text, which wraps within itself."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    for place, width in enumerate(widths):
        grid.add_column(width=width, justify="left" if place else "right", style="" if place else "dim")
    grid.add_column(overflow="fold")
    return grid


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _cell_style(cell: str) -> str:
    return next((colour for who, colour in _COLOURS.items() if cell.startswith(who)), "")
