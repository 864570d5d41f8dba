"""One change of the code in one place."""

from dataclasses import dataclass, field

_LONGEST = 160


@dataclass(frozen=True, slots=True)
class Mutant:
    """`where` names the function. `lines` are those of the statement. `key` stays the same while the statement does.

    `plain`: something is missing or None, which mostly ends in an exception. Those are judged last.
    """

    path: str
    where: str
    line: int
    lines: range
    before: str
    after: str
    key: str
    plain: bool
    code: str = field(repr=False)

    def __str__(self) -> str:
        return f"{self.path}:{self.line} {self.where}: {_short(self.before)}  →  {_short(self.after)}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}…"
