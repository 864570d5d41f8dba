"""Puts anything in any place of a JSON value."""

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

type Path = tuple[str | int, ...]

JUNK: tuple[Any, ...] = (None, 7, "x", [1], {"a": 1}, True, "\ud800", [], {}, [None], ["x"], {"a": None}, "[" * 2000)


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    if path:
        yield path
    within = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, one in within:
        yield from paths(one, (*path, step))


def written(raw: Any, path: Path, junk: Any) -> Any:
    made = copy.deepcopy(raw)
    at = made
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = copy.deepcopy(junk)
    return made


@st.composite
def spoiled(draw: st.DrawFn, value: Any, *more: Any) -> Any:
    """`value` with `JUNK`, or something of `more`, in one or two places."""
    for _ in range(draw(st.integers(1, 2))):
        if there := list(paths(value)):
            value = written(value, draw(st.sampled_from(there)), draw(st.sampled_from((*JUNK, *more))))
    return value


@st.composite
def cut(draw: st.DrawFn, data: bytes) -> bytes:
    """A part of it is missing, or there are bytes too many."""
    begin, end = sorted(draw(st.tuples(st.integers(0, len(data)), st.integers(0, len(data)))))
    return data[:begin] + draw(st.sampled_from((b"", b"\xff", b"\x00", b"{", b"[" * 50_000, b"9" * 5_000))) + data[end:]
