"""What is known of mutants: verdicts on file, one a line, and what people have explained."""

import fnmatch
import json
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from checks.mutants.mutant import Mutant

KILLED, SURVIVED, TIMED_OUT, UNCOVERED = "killed", "survived", "timed out", "uncovered"
ALIVE = (SURVIVED, UNCOVERED)
_DEAD = (KILLED, TIMED_OUT)
_COLUMNS = (KILLED, TIMED_OUT, "explained", "survived", "not judged")


@dataclass(frozen=True, slots=True)
class Verdict:
    """`by` is the test that noticed it, if that is known."""

    mutant: Mutant
    word: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """`tests` is the digest of the tests as they are. That something survived them says nothing of other tests.

    Nor does it of slower ones than `slowest`, in seconds. `kept` names what was killed on other machines.
    """

    file: Path
    tests: str
    slowest: float
    kept: Path | None = None

    def add(self, verdict: Verdict) -> None:
        one = verdict.mutant
        judged = {"key": one.key, "word": verdict.word, "by": verdict.by, "mutant": str(one)}
        row = judged | {"tests": self.tests, "slowest": self.slowest}
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def known(self) -> dict[str, str]:
        """By key. A line that was cut off, because the process was ended, says nothing."""
        found = dict.fromkeys(_kept(self.kept) if self.kept else (), KILLED)
        for line in self.file.read_text("utf-8").splitlines() if self.file.exists() else ():
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if row["word"] not in ALIVE or (row["tests"] == self.tests and row["slowest"] >= self.slowest):
                found[row["key"]] = row["word"]
        return found

    def keep(self, found: Sequence[Mutant], file: Path) -> None:
        """In `file`, by module and function, without what no mutant of today is."""
        known = self.known()
        lines: dict[str, list[str]] = {}
        for one in found:
            if known.get(one.key) in _DEAD:
                lines.setdefault(f"{one.path} {one.where}", []).append(one.key)
        text = "".join(f"{place} {' '.join(sorted(keys))}\n" for place, keys in sorted(lines.items()))
        file.write_text(text, "utf-8")


def _kept(file: Path) -> Iterator[str]:
    for line in file.read_text("utf-8").splitlines() if file.exists() else ():
        yield from line.split()[2:]


@dataclass(frozen=True, slots=True)
class Figures:
    """By module: how many mutants ended how. `open` are those that survived and that nobody has explained.

    `needless` are the explanations of which no survivor is left, once everything that they could be about is judged.
    """

    words: Mapping[str, Counter[str]]
    open: Sequence[Mutant]
    explained: Sequence[Mutant] = ()
    needless: Sequence[str] = ()

    def lines(self) -> Iterator[str]:
        yield f"{'':44}" + "".join(f"{one:>12}" for one in _COLUMNS)
        for path in (*sorted(self.words), "all"):
            counts = self.words[path] if path in self.words else sum(self.words.values(), Counter())
            yield f"{path:44}" + "".join(f"{counts[one]:>12,}" for one in _COLUMNS)
        yield from (f"survived: {one}" for one in self.open)
        yield from (f"explains nothing: {one}" for one in self.needless)


def figures(found: Sequence[Mutant], known: Mapping[str, str], explained: Path) -> Figures:
    said = tomllib.loads(explained.read_text("utf-8"))["survivor"]
    words: dict[str, Counter[str]] = {}
    alive, reasoned = [], []
    paths = {one.path for one in found}
    needless = {at for at, each in enumerate(said) if fnmatch.filter(paths, each.get("path", "*"))}
    for one in found:
        word = known.get(one.key, "not judged")
        fitting = {at for at, each in enumerate(said) if _explains(each, one)} if word not in _DEAD else set()
        needless -= fitting
        if fitting:
            word = "explained"
            reasoned.append(one)
        elif word in ALIVE:
            word = "survived"
            alive.append(one)
        words.setdefault(one.path, Counter())[word] += 1
    named = [" ".join(f"{key}={text}" for key, text in said[at].items()) for at in sorted(needless)]
    return Figures(words, alive, reasoned, named)


def _explains(said: Mapping[str, str], one: Mutant) -> bool:
    """An explanation names the module, the function and the change, as patterns, and gives a reason.

    `only = "case"`: nothing but the case of letters changes.
    """
    asked = (("path", one.path), ("where", one.where), ("before", one.before), ("after", one.after))
    fits = all(fnmatch.fnmatchcase(" ".join(text.split()), said.get(key, "*")) for key, text in asked)
    cased = said.get("only") != "case" or one.before.casefold() == one.after.casefold()
    return fits and cased and bool(said.get("why"))
