"""What is said of a tenant in pseudonyms, in its own names again: the test knows the key and the names."""

import json
import re
from functools import cache
from typing import Any

from shared.azure.built_in_roles import built_in_roles
from shared.snapshot.disguise import Disguise
from shared.snapshot.pseudonyms import Pseudonyms
from shared.snapshot.words import Words

KEY = b"a key that nobody needs to guess"
# Addresses are turned over bit by bit, and no name stands behind them.
_ADDRESS = re.compile(r"\b\d{1,3}(\.\d{1,3}){3}\b")
# The beginning of a GUID, for people.
_SHORT = re.compile(r"\b[0-9a-f]{8}…")


@cache
def words() -> Words:
    return Words.of(tuple(built_in_roles().values()))


def disguise(document: Any) -> Disguise:
    """What has learnt everything in the document, a snapshot with the names."""
    made = Disguise(Pseudonyms(KEY), words())
    for one in document["roleAssignments"]:
        made.learn(one)
    made.of(document)
    return made


def pseudonyms(document: Any) -> Pseudonyms:
    return disguise(document).pseudonyms


def plain(said: Any) -> Any:
    """Whatever is compared without regard to case and order: lists are sorted by names."""
    match said:
        case dict():
            return {str(name).casefold(): plain(value) for name, value in said.items()}
        case list():
            return sorted(map(plain, said), key=lambda one: json.dumps(one, sort_keys=True))
        case str():
            return _SHORT.sub("…", _ADDRESS.sub("ADDRESS", said.casefold()))
    return said


def undisguised(said: Any, made: Pseudonyms) -> Any:
    return plain(json.loads(made.names(json.dumps(said, ensure_ascii=False))))


def differences(live: Any, then: Any, at: str = "") -> list[str]:
    """Of two `plain` values, in words that say where."""
    if isinstance(live, dict) and isinstance(then, dict):
        return [
            one
            for name in sorted({*live, *then})
            for one in differences(live.get(name), then.get(name), f"{at}.{name}")
        ]
    if isinstance(live, list) and isinstance(then, list):
        gone, added = [one for one in live if one not in then], [one for one in then if one not in live]
        return [f"{at} - {one}" for one in gone] + [f"{at} + {one}" for one in added]
    return [] if live == then else [f"{at}: {live!r} is {then!r}"]
