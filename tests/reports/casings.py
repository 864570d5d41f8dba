"""Ids as services really write them: Azure compares them without regard to case, and no two spell them the same."""

from collections.abc import Callable
from typing import Any

type Recast = Callable[[str], str]

_KEPT = "/subscriptions/"


def _upper(identifier: str) -> str:
    return _KEPT + identifier[len(_KEPT) :].upper()


def _mixed(identifier: str) -> str:
    """In lower case, with names shouted."""
    parts = identifier.split("/")
    return "/".join(
        part.upper() if number > 0 and number % 2 == 0 else part.lower() for number, part in enumerate(parts)
    )


CASINGS: dict[str, Recast] = {"as it is": str, "upper": _upper, "mixed": _mixed}


def references(value: Any, recast: Recast) -> Any:
    """The same with every id in it recast, but for a resource's own."""
    if isinstance(value, dict):
        return {_id(key, recast): inner if key == "id" else references(inner, recast) for key, inner in value.items()}
    if isinstance(value, list):
        return [references(one, recast) for one in value]
    return _id(value, recast) if isinstance(value, str) else value


def _id(text: str, recast: Recast) -> str:
    return recast(text) if text.lower().startswith(_KEPT) else text
