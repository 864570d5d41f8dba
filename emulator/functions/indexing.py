"""Whether the host takes a function as the worker indexed it.

Follows WorkerFunctionMetadataProvider and FunctionDescriptorProvider of Azure/azure-functions-host: a function with a
mistake is "in error" and does not run; the others do.
"""

import re
from collections.abc import Mapping

from emulator.functions.channel import Function
from emulator.functions.errors import FunctionConfigurationError
from emulator.functions.extensions import Extensions

EVENT_GRID, QUEUE, TIMER = "eventgridtrigger", "queuetrigger", "timertrigger"
_RUN_HERE = {EVENT_GRID, QUEUE, TIMER}
_NAME = re.compile(r"(?!host$)[a-z][a-z0-9_-]{0,127}", re.ASCII | re.IGNORECASE)


def check(function: Function, extensions: Extensions) -> None:
    """FunctionConfigurationError says what the host would."""
    if not _NAME.fullmatch(function.name):
        raise FunctionConfigurationError(f"'{function.name}' is not a valid function name.")
    seen: set[str] = set()
    for binding in function.bindings:
        if (name := binding["name"].lower()) in seen:
            raise FunctionConfigurationError(
                f"Multiple bindings with name '{binding['name']}' discovered. Binding names must be unique."
            )
        seen.add(name)
    triggers = [binding for binding in function.bindings if binding["type"].lower().endswith("trigger")]
    if len(triggers) > 1:
        raise FunctionConfigurationError(
            "Multiple trigger bindings defined. A function can only have a single trigger binding."
        )
    if not triggers:
        raise FunctionConfigurationError("No trigger binding specified. A function must have a trigger input binding.")
    _check_types(function, extensions)


def is_disabled(function: Function, environment: Mapping[str, str]) -> bool:
    """Its trigger is ignored, and it still runs by hand.

    https://learn.microsoft.com/azure/azure-functions/disable-function
    """
    return environment.get(f"AzureWebJobs.{function.name}.Disabled", "").lower() in {"1", "true"}


def _check_types(function: Function, extensions: Extensions) -> None:
    inputs_first = sorted(function.bindings, key=lambda binding: str(binding.get("direction", "in")).lower() == "out")
    types = list(dict.fromkeys(binding["type"] for binding in inputs_first))
    if missing := [kind for kind in types if kind.lower() not in extensions.bindings]:
        raise FunctionConfigurationError(extensions.refusal(", ".join(missing)))
    # To pass over one of them would be to lose what the app means by it.
    if foreign := [kind for kind in types if kind.lower() not in _RUN_HERE]:
        raise FunctionConfigurationError(f"The local Functions host does not run '{', '.join(foreign)}'; Azure does.")
