"""The app settings that `infra/` deploys, with what they stand for in the local Azure."""

import re
from collections.abc import Mapping
from pathlib import Path

_BICEP = Path(__file__).parents[1] / "infra" / "modules" / "function-app.bicep"
_SETTING = re.compile(r"^ +name: '(?P<name>\w+)'\n +value: (?P<value>.+)$", re.MULTILINE)


class AppSettingsError(Exception):
    """The Bicep gives a setting a value that the local Azure does not know."""


def written(bicep: Path = _BICEP) -> dict[str, str]:
    """Names and Bicep expressions, as they stand in the file."""
    return {found["name"]: found["value"] for found in _SETTING.finditer(bicep.read_text("utf-8"))}


def deployed(expressions: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    """Values of `expressions`: literals as they are, others as `known` has them."""
    return {name: _value(name, expression, known) for name, expression in expressions.items()}


def _value(name: str, expression: str, known: Mapping[str, str]) -> str:
    literal = re.fullmatch(r"'([^'$]*)'", expression)
    if literal:
        return literal[1]
    if expression not in known:
        raise AppSettingsError(f"app setting {name}: the local Azure has nothing for {expression}")
    return known[expression]
