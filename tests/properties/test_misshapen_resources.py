"""Whatever stands anywhere in any resource of any case of the catalogue: a look ends with a plan, or as unknown."""

import asyncio
from contextlib import suppress
from functools import cache

from app import App
from catalogue.gathered import Placed, placed
from hypothesis import given, settings
from hypothesis import strategies as st
from properties.spoiling import JUNK, paths, written
from unit.build import terms

from shared.access.rules import RULES
from shared.access.scope import Scope
from shared.ports import AzureFailureError

_WORKSPACE = "microsoft.machinelearningservices/workspaces"


@cache
def _cases() -> tuple[Placed, ...]:
    return placed()


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_look_ends_with_a_plan_or_as_unknown(data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(_cases()), label="case")
    resources = case.case.build(case.place).resources
    number = data.draw(st.sampled_from(range(len(resources))), label="resource")
    path = data.draw(st.sampled_from(list(paths(resources[number]))), label="path")
    one = App(terms(on=[rule.name for rule in RULES]))
    for at, raw in enumerate(resources):
        junk = data.draw(st.sampled_from(JUNK), label="junk") if at == number else None
        one.azure.resources[Scope.parse(raw["id"])] = written(raw, path, junk) if at == number else raw
    for workspace in [scope for scope in one.azure.resources if scope.resource_type == _WORKSPACE]:
        with suppress(AzureFailureError):
            asyncio.run(one.services.reconciler.prepare(workspace))
