"""What a run of many cases went through, in figures."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from reliability.invariants import Watched
from reliability.weather import Weather

_WRITES = ("grant", "setting", "removal")


@dataclass
class Tally:
    """`deaths` are those of single processes, by the call at which they died."""

    cases: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    deaths: Counter[str] = field(default_factory=Counter)
    writes: Counter[str] = field(default_factory=Counter)
    records: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def add(self, weather: Weather, azure: Watched, wrong: Iterable[str]) -> None:
        """One case at its end."""
        self.cases += 1
        self.faults += weather.struck
        self.deaths += weather.deaths
        self.writes += Counter(kind for kind, _ in azure.journal if kind in _WRITES)
        self.records += Counter(
            row["Outcome"] for _, row in azure.journal if isinstance(row, dict) and "Outcome" in row
        )
        self.violations += wrong

    def join(self, other: "Tally") -> None:
        self.cases += other.cases
        self.faults += other.faults
        self.deaths += other.deaths
        self.writes += other.writes
        self.records += other.records
        self.violations += other.violations

    def line(self) -> str:
        """All of it in short."""
        counts = {
            "cases": self.cases,
            "faults": self.faults.total(),
            "crashes": self.deaths.total(),
            "writes": self.writes.total(),
            "records": self.records.total(),
            "violations": len(self.violations),
        }
        return ", ".join(f"{count:,} {name}" for name, count in counts.items())

    def lines(self) -> Iterator[str]:
        yield self.line()
        for name, counted in {
            "faults": self.faults,
            "crashes": self.deaths,
            "writes": self.writes,
            "records": self.records,
        }.items():
            yield f"  {name}: " + (", ".join(f"{n:,} {what}" for what, n in sorted(counted.items())) or "none")
        yield from (f"  VIOLATION: {one}" for one in self.violations)
