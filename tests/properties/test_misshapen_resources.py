"""Whatever stands anywhere in any resource of any case of the catalogue: a look ends with a plan, or as unknown."""

import asyncio
import copy
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from typing import Any

from app import App
from catalogue.gathered import Placed, placed
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.build import terms

from shared.access.rules import RULES
from shared.access.scope import Scope
from shared.ports import AzureFailureError

type Path = tuple[str | int, ...]

JUNK: tuple[Any, ...] = (None, 7, "x", [1], {"a": 1}, True, "\ud800", [], {}, [None], ["x"], {"a": None}, "[" * 2000)
_WORKSPACE = "microsoft.machinelearningservices/workspaces"


@cache
def _cases() -> tuple[Placed, ...]:
    return placed()


def _paths(value: Any, path: Path = ()) -> Iterator[Path]:
    if path:
        yield path
    within = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, one in within:
        yield from _paths(one, (*path, step))


def _written(raw: Any, path: Path, junk: Any) -> Any:
    made = copy.deepcopy(raw)
    at = made
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = copy.deepcopy(junk)
    return made


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_look_ends_with_a_plan_or_as_unknown(data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(_cases()), label="case")
    resources = case.case.build(case.place).resources
    number = data.draw(st.sampled_from(range(len(resources))), label="resource")
    path = data.draw(st.sampled_from(list(_paths(resources[number]))), label="path")
    one = App(terms(on=[rule.name for rule in RULES]))
    for at, raw in enumerate(resources):
        written = _written(raw, path, data.draw(st.sampled_from(JUNK), label="junk")) if at == number else raw
        one.azure.resources[Scope.parse(raw["id"])] = written
    for workspace in [scope for scope in one.azure.resources if scope.resource_type == _WORKSPACE]:
        with suppress(AzureFailureError):
            asyncio.run(one.services.reconciler.prepare(workspace))
