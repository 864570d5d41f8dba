"""What the audience sees: colours and a spinner on a terminal, plain lines everywhere else."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.rule import Rule
from rich.status import Status
from rich.table import Table
from rich.text import Text

_COLOURS = {"AML": "yellow", "Event Grid": "blue", "amlguard": "green", "people": "magenta", "clock": "cyan"}
_WHO_WIDTH = 10


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
        self._status: Status | None = None

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

    def entry(self, milliseconds: float, who: str, text: str, more: str = "") -> None:
        moment = f"{milliseconds:+,.0f} ms"
        if self._plain:
            print(f"{moment:>11}  {who:<{_WHO_WIDTH}}  {text}{f' - {more}' if more else ''}", flush=True)
            return
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(width=11, justify="right", style="dim")
        grid.add_column(width=_WHO_WIDTH, style=_COLOURS.get(who, ""))
        grid.add_column(overflow="fold")
        grid.add_row(moment, who, Text.assemble(text, (f"  {more}", "dim") if more else ""))
        self._console.print(grid)

    def note(self, text: str, style: str = "dim") -> None:
        self._labelled("", text, style)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self.line()
        if self._plain:
            self.line(title)
            for line in _aligned([columns, *rows]):
                self.line(f"  {line}")
            return
        table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
        for column in columns:
            table.add_column(column, overflow="fold", justify="right" if column.endswith("ms") else "left")
        for row in rows:
            table.add_row(*(Text(cell, style=_cell_style(cell)) for cell in row))
        self._console.print(table)

    def check(self, title: str, differences: Sequence[str]) -> None:
        self.line(f"  {'✗' if differences else '✓'} {title}", "bold red" if differences else "green")
        for difference in differences:
            self.line(f"      {difference}", "red")

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """A spinner under the lines that appear meanwhile."""
        if self._plain:
            yield
            return
        with self._console.status(Text(text, style="dim")):
            yield

    def _labelled(self, label: str, text: str, style: str = "") -> None:
        if self._plain:
            self.line(f"{label:>11}  {text}")
            return
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(width=11, justify="right", style="dim")
        grid.add_column(overflow="fold")
        grid.add_row(label, Text(text, style=style))
        self._console.print(grid)


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _cell_style(cell: str) -> str:
    return next((colour for who, colour in _COLOURS.items() if cell.startswith(who)), "")
