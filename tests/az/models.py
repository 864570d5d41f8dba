"""Reads resources by Microsoft's models of them, and writes them again. Run by .venv-az's Python; see `test_models.py`.

stdin: [[module, class, resource], …]. stdout: for each, {"lost": paths that the model knows and does not give back,
"changed": paths whose value is another one then, "unknown": paths that the model does not know}.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import azure


def _without_the_sdk() -> None:
    """The models of Azure Machine Learning by themselves: to import the packages around them takes five seconds."""
    for name in ("azure.ai", "azure.ai.ml", "azure.ai.ml._restclient"):
        bare = ModuleType(name)
        bare.__path__ = [str(Path(azure.__path__[0], *name.split(".")[1:]))]
        sys.modules[name] = bare


def _read(module: str, name: str, body: Mapping[str, Any]) -> tuple[Any, Any]:
    """The model, and what it writes."""
    kind = getattr(import_module(module), name)
    if hasattr(kind, "_attribute_map"):
        read = kind.deserialize(body)
        return read, read.serialize(keep_readonly=True)
    base = import_module(next(one.__module__ for one in kind.__mro__ if one.__name__ == "_MyMutableMapping"))
    read = base._deserialize(kind, body)
    return read, read.as_dict()


def _known(model: Any) -> dict[str, Any] | None:
    """What a model has, by the names in JSON. None for what is no model."""
    old = getattr(model, "_attribute_map", None)
    if old is not None:
        return {one["key"].replace("\\.", "\0"): getattr(model, attribute) for attribute, one in old.items()}
    new = getattr(model, "_attr_to_rest_field", None)
    if new is None:
        return None
    return {field._rest_name: getattr(model, attribute) for attribute, field in new.items()}


def _unknown(model: Any, body: Any, at: str = "") -> Iterator[str]:
    if isinstance(body, list):
        for one, part in zip(model if isinstance(model, list) else [], body, strict=False):
            yield from _unknown(one, part, f"{at}[]")
        return
    if not isinstance(body, dict):
        return
    known = _known(model)
    if known is None:
        for key, part in body.items() if isinstance(model, Mapping) else ():
            yield from _unknown(model.get(key), part, f"{at}.{{}}")
        return
    flat = {key.partition(".")[0] for key in known}
    for key, part in body.items():
        if key not in flat:
            yield f"{at}.{key}".lstrip(".")
        elif key in known:
            yield from _unknown(known[key], part, f"{at}.{key}")
        else:  # an older model has what lies below as its own
            below = {name.partition(".")[2]: value for name, value in known.items() if name.startswith(f"{key}.")}
            yield from (f"{at}.{key}.{name}".lstrip(".") for name in part or () if name not in below)


def _values(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, part in value.items():
            yield from _values(part, f"{at}.{key}".lstrip("."))
    elif isinstance(value, list) and value:
        for number, part in enumerate(value):
            yield from _values(part, f"{at}[{number}]")
    else:
        yield at, value


def _same(one: Any, other: Any) -> bool:
    return one == other or (_moment(one) is not None and _moment(one) == _moment(other))


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)[:19])
    except ValueError:
        return None


def _judged(module: str, name: str, body: dict[str, Any]) -> dict[str, list[str]]:
    model, written = _read(module, name, body)
    unknown = sorted(set(_unknown(model, body)))
    before, after = dict(_values(body)), dict(_values(written))
    of_unknown = [path for path in before if any(f"{path}.".startswith((f"{one}.", f"{one}[")) for one in unknown)]
    known = {path: value for path, value in before.items() if path not in of_unknown and value not in (None, {}, [])}
    lost = [path for path in known if path not in after]
    changed = [path for path, value in known.items() if path in after and not _same(value, after[path])]
    return {"lost": lost, "changed": changed, "unknown": unknown}


if __name__ == "__main__":
    _without_the_sdk()
    json.dump([_judged(*one) for one in json.load(sys.stdin)], sys.stdout)
