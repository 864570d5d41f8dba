"""A measured value beside its limit, and how both are printed."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """`limit` is the most that the design allows (the least with `at_least`). None if the design names no limit.

    `peer` is a value to compare with, measured or computed in the same run.
    """

    name: str
    value: float
    what: str
    limit: float | None = None
    peer: float | None = None
    at_least: bool = False

    @property
    def over(self) -> bool:
        return self.limit is not None and (self.value < self.limit if self.at_least else self.value > self.limit)


def table(measured: Sequence[Figure]) -> str:
    rows = [("figure", "value", "limit", "peer", "what")]
    rows += [
        (f.name, _number(f.value) + (" over" if f.over else ""), _limit(f), _number(f.peer), f.what) for f in measured
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(r, widths, strict=True)).rstrip() for r in rows)


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 1000 or value == int(value) else f"{value:.2f}"


def _limit(figure: Figure) -> str:
    return "–" if figure.limit is None else f"{'≥' if figure.at_least else '≤'} {figure.limit:g}"
