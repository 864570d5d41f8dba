"""Faults on demand: which calls fail, how and how often (docs/faults.md)."""

import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from emulator.faults import act
from emulator.faults.act import Act
from emulator.faults.errors import FaultsError

ENDPOINTS = ("arm", "graph", "query", "ingestion", "token", "metadata", "queue", "blob", "telemetry", "events", "topic")
LAGS = ("assignmentsActAfterSeconds", "principalsAfterSeconds", "graphBehindSeconds")
_MATCH: Mapping[str, type | tuple[type, ...]] = {
    "method": str,
    "path": str,
    "caller": str,
    "endpoint": str,
    "nth": int,
    "probability": (int, float),
    "times": int,
    "sequence": list,
}
_KEYS = {**_MATCH, **act.KEYS, **dict.fromkeys(LAGS, int)}
_ONLY_EVENTS = ("status", "code", "message", "delayMs", "drop", "after", "when")


@dataclass(slots=True)
class Fault:
    """Strikes the calls that match, from the `nth` on, `times` times, each with a `probability`.

    `acts` are what it does, in turn.
    """

    path: re.Pattern[str]
    method: str | None
    caller: str | None
    endpoint: str | None
    nth: int
    probability: float
    times: int | None
    acts: Sequence[Act]
    turn: int = 0

    @classmethod
    def parse(cls, place: str, raw: Mapping[str, Any]) -> Self:
        try:
            path = re.compile(raw.get("path") or "", re.IGNORECASE)
        except re.error as error:
            raise FaultsError(f"{place}.path is not a regular expression: {error}") from error
        _check(place, raw)
        acts = _acts(place, raw)
        times = raw.get("times")
        return cls(
            path,
            (raw.get("method") or "").upper() or None,
            (raw.get("caller") or "").lower() or None,
            raw.get("endpoint"),
            raw.get("nth") or 1,
            1.0 if raw.get("probability") is None else float(raw["probability"]),
            len(acts) if times is None and len(acts) > 1 else times,
            acts,
        )

    def matches(self, endpoint: str, method: str, path: str, caller: str) -> bool:
        return (
            self.times != 0
            and self.endpoint in (None, endpoint)
            and self.method in (None, method)
            and self.caller in (None, caller.lower())
            and self.path.search(path) is not None
        )

    def strikes(self, chance: random.Random) -> Act | None:
        """What it does to a call that matches, if it strikes this one."""
        if self.nth > 1:
            self.nth -= 1
            return None
        if self.probability < 1 and chance.random() >= self.probability:
            return None
        if self.times is not None:
            self.times -= 1
        self.turn += 1
        return self.acts[(self.turn - 1) % len(self.acts)]


class Faults:
    """`chance` decides for faults with a probability. `kills`: there is a Functions host that can be killed."""

    def __init__(self, raw: Any = (), chance: random.Random | None = None, *, kills: bool = True) -> None:
        self._chance = chance or random.Random(0)
        self._kills = kills
        self._faults: list[Fault] = []
        self._lags: dict[str, int] = {}
        self.replace(raw)

    @classmethod
    def load(cls, file: Path | None, chance: random.Random | None = None, *, kills: bool = True) -> Self:
        if file is None:
            return cls(chance=chance, kills=kills)
        try:
            return cls(json.loads(file.read_text(encoding="utf-8-sig")), chance, kills=kills)
        except OSError as error:
            raise FaultsError(f"{file}: {error.strerror}") from error
        except ValueError as error:
            raise FaultsError(f"{file}: {error}") from error

    def replace(self, raw: Any) -> None:
        """Puts these faults in place of the others. Changes nothing if they cannot be used."""
        if not isinstance(raw, list | tuple):
            raise FaultsError("faults are a JSON list")
        faults, lags = [], dict[str, int]()
        for place, item in enumerate(raw):
            _require_keys(f"faults[{place}]", item, _KEYS)
            if any(item.get(key) is not None for key in LAGS):
                lags |= _lag(f"faults[{place}]", item)
            else:
                faults.append(Fault.parse(f"faults[{place}]", item))
                if not self._kills and any(one.kill for one in faults[-1].acts):
                    raise FaultsError(f"faults[{place}] kills, and without the functions there is nothing to kill")
        self._faults, self._lags = faults, lags

    def lag(self, name: str) -> int:
        """The seconds by which one of `LAGS` is behind."""
        return self._lags.get(name, 0)

    def strike(self, endpoint: str, method: str, path: str, caller: str) -> Iterator[Act]:
        """What each fault does that strikes this call, up to the first that answers it."""
        for fault in self._faults:
            if fault.matches(endpoint, method, path, caller):
                done = fault.strikes(self._chance)
                if done is not None:
                    yield done
                    if done.answers:
                        return


def _acts(place: str, raw: Mapping[str, Any]) -> list[Act]:
    if raw.get("sequence") is None:
        return [Act.parse(place, raw)]
    beside = [key for key in act.KEYS if raw.get(key) is not None]
    if beside:
        raise FaultsError(f"{place} has a sequence and {beside[0]}: put what it does into the sequence")
    if not raw["sequence"]:
        raise FaultsError(f"{place}.sequence is empty")
    for turn, item in enumerate(raw["sequence"]):
        _require_keys(f"{place}.sequence[{turn}]", item, act.KEYS)
    return [Act.parse(f"{place}.sequence[{turn}]", item, may_pass=True) for turn, item in enumerate(raw["sequence"])]


def _check(place: str, raw: Mapping[str, Any]) -> None:
    endpoint, probability = raw.get("endpoint"), raw.get("probability")
    if endpoint not in (None, *ENDPOINTS):
        raise FaultsError(f"{place}.endpoint is none of {', '.join(ENDPOINTS)}")
    if probability is not None and not 0 < probability <= 1:
        raise FaultsError(f"{place}.probability is not above 0 and at most 1")
    if raw.get("nth") is not None and raw["nth"] < 1:
        raise FaultsError(f"{place}.nth is below 1: the first call that matches is 1")
    if raw.get("times") is not None and raw["times"] < 0:
        raise FaultsError(f"{place}.times is negative")
    if raw.get("tokenSeconds") is not None and endpoint != "token":
        raise FaultsError(f'{place}.tokenSeconds needs "endpoint": "token"')
    if endpoint == "events":
        wrong = [key for key in act.KEYS if raw.get(key) is not None and key not in _ONLY_EVENTS]
        if wrong:
            raise FaultsError(f"{place}.{wrong[0]} does nothing to events; what does: {', '.join(_ONLY_EVENTS)}")


def _lag(place: str, raw: Mapping[str, Any]) -> dict[str, int]:
    found = {key: value for key, value in raw.items() if value is not None}
    others = [key for key in found if key not in LAGS]
    if others:
        raise FaultsError(
            f"{place} is about the whole tenant, and {others[0]} is about calls: give each an element of its own"
        )
    negative = [key for key, value in found.items() if value < 0]
    if negative:
        raise FaultsError(f"{place}.{negative[0]} is negative")
    return found


def _require_keys(place: str, raw: Any, known: Mapping[str, type | tuple[type, ...]]) -> None:
    if not isinstance(raw, dict):
        raise FaultsError(f"{place} is not an object")
    for key, value in raw.items():
        if key not in known:
            raise FaultsError(f"{place}.{key} is unknown; known: {', '.join(known)}")
        wanted = known[key]
        kinds = wanted if isinstance(wanted, tuple) else (wanted,)
        if value is not None and type(value) not in kinds:
            raise FaultsError(f"{place}.{key} is not a {kinds[-1].__name__}")
