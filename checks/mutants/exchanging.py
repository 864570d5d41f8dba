"""Changes modules that are already imported: it exchanges the code of their functions, and imports nothing anew."""

import gc
import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FunctionType

from checks.mutants.mutant import Mutant

type _Place = tuple[str, int]
"""A function's qualified name, and its number among those with that name."""


@dataclass(slots=True)
class _Compiled:
    """`frames` is what an import runs."""

    frames: list[object] = field(default_factory=list)
    functions: dict[_Place, CodeType] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Exchange:
    """`now` is what the function does in the mutant."""

    function: FunctionType
    now: CodeType

    def make(self) -> None:
        self.function.__code__ = self.now


class Imported:
    """The functions of all modules below `root`, as they are at this moment."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._functions: dict[str, list[FunctionType]] = {}
        for one in gc.get_objects():
            if isinstance(one, FunctionType) and one.__code__.co_filename.startswith(str(root)):
                self._functions.setdefault(one.__code__.co_filename, []).append(one)

    def exchanges(self, mutant: Mutant) -> Sequence[Exchange] | None:
        """None if more changes than what functions do. Raises `SyntaxError`."""
        path = str(self._root / mutant.path)
        before = _compiled(compile(Path(path).read_text("utf-8"), path, "exec"))
        after = _compiled(compile(mutant.code, path, "exec"))
        if before.frames != after.frames or before.functions.keys() != after.functions.keys():
            return None
        places = {(code.co_qualname, code.co_firstlineno): place for place, code in before.functions.items()}
        found = []
        for function in self._functions.get(path, ()):
            place = places.get((function.__code__.co_qualname, function.__code__.co_firstlineno))
            if place is None:
                return None
            now = after.functions[place]
            if now != before.functions[place]:
                if now.co_freevars != function.__code__.co_freevars:
                    return None
                found.append(Exchange(function, now))
        return found or None


def _compiled(module: CodeType) -> _Compiled:
    found = _Compiled()
    _take(module, found)
    return found


def _take(code: CodeType, into: _Compiled) -> None:
    inner = [one for one in code.co_consts if isinstance(one, CodeType)]
    if _is_a_frame(code):
        consts = [repr(one) for one in code.co_consts if not isinstance(one, CodeType)]
        into.frames.append((code.co_qualname, code.co_code, code.co_names, consts))
    else:
        same = sum(1 for name, _ in into.functions if name == code.co_qualname)
        into.functions[code.co_qualname, same] = code
    for one in inner:
        _take(one, into)


def _is_a_frame(code: CodeType) -> bool:
    return not code.co_flags & inspect.CO_OPTIMIZED or code.co_name.startswith("<generic parameters")
