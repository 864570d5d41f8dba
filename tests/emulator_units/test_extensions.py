"""Which bindings an extension bundle brings, as the host resolves its version."""

from typing import Any

import pytest

from emulator.functions import extensions, indexing
from emulator.functions.channel import Function
from emulator.functions.errors import FunctionConfigurationError, HostSettingsError

BUNDLE = "Microsoft.Azure.Functions.ExtensionBundle"
BUILT_IN = {"http", "httptrigger", "manualtrigger", "timertrigger", "warmuptrigger"}
NOT_REGISTERED = (
    "The binding type(s) '{}' are not registered. Please ensure the type is correct and the binding extension is "
    "installed."
)
NOT_IN_BUNDLE = (
    "The binding type(s) '{}' were not found in the configured extension bundle. Please ensure the type is correct and "
    "the correct version of extension bundle is configured"
)


def bundle(version: str, name: str = BUNDLE) -> extensions.Extensions:
    return extensions.read({"id": name, "version": version})


def function(*types: str, name: str = "changed") -> Function:
    bindings: list[dict[str, Any]] = [
        {"type": kind, "name": f"b{place}", "direction": "IN" if kind.lower().endswith("trigger") else "OUT"}
        for place, kind in enumerate(types)
    ]
    return Function("id", name, bindings, None)


def refusal(one: Function, brought: extensions.Extensions) -> str:
    with pytest.raises(FunctionConfigurationError) as caught:
        indexing.check(one, brought)
    return str(caught.value)


def test_without_a_bundle_only_what_is_built_in_is_there() -> None:
    assert extensions.none() == extensions.Extensions(frozenset(BUILT_IN), bundled=False)


@pytest.mark.parametrize(
    ("version", "there", "missing"),
    [
        (
            "[4.*, 5.0.0)",
            {"queuetrigger", "eventgridtrigger", "table", "sqltrigger", "mcptooltrigger"},
            {"fancytrigger"},
        ),
        ("[4.0.0, 5.0.0)", {"queuetrigger", "mcptooltrigger"}, set()),
        ("[4.0.0, 4.7.0)", {"queuetrigger", "sql"}, {"table", "sqltrigger"}),
        ("[4.0.0, 4.7.0]", {"queuetrigger", "table"}, {"sqltrigger"}),
        ("[4.0.2]", {"queuetrigger", "eventgridtrigger"}, {"webpubsub", "table"}),
        ("[3.*, 4.0.0)", {"queuetrigger", "eventgridtrigger", "table"}, {"sqltrigger", "mysql"}),
        ("[3.3.0, 3.9.1)", {"queuetrigger", "webpubsub"}, {"table"}),
        ("[2.*, 3.0.0)", {"queuetrigger", "eventgridtrigger", "table", "kafka"}, {"webpubsub", "sql"}),
        ("(,4.0.0)", {"queuetrigger", "table"}, {"sqltrigger"}),
        # Only an interval ends: NuGet reads a bare version as the least one.
        ("2.6.1", {"sqltrigger"}, set()),
        ("3.*", {"sqltrigger"}, set()),
        ("*", {"sqltrigger"}, set()),
    ],
)
def test_a_range_brings_the_newest_bundle_in_it(version: str, there: set[str], missing: set[str]) -> None:
    found = bundle(version)
    assert found.bundled
    assert there | BUILT_IN <= found.bindings
    assert not missing & found.bindings


@pytest.mark.parametrize(
    ("section", "reason"),
    [
        ({"id": BUNDLE, "version": "[1.*, 2.0.0)"}, "does not meet the required minimum version of 2.6.1"),
        ({"id": BUNDLE, "version": "[2.0.0, 2.6.1)"}, "does not meet the required minimum version of 2.6.1"),
        ({"id": BUNDLE, "version": "[9.*, 10.0.0)"}, r"Bundle version matching the \[9\.\*, 10\.0\.0\) was not found"),
        ({"id": BUNDLE, "version": "(5.0.0, 6.0.0)"}, "was not found"),
        ({"id": BUNDLE, "version": "[5.0.0, 4.0.0)"}, "was not found"),
        ({"id": BUNDLE, "version": "four"}, "value of version property in extensionBundle"),
        ({"id": BUNDLE, "version": "(4.0.0)"}, "value of version property in extensionBundle"),
        ({"id": BUNDLE, "version": "[4.0.0, 5.0.0"}, "value of version property in extensionBundle"),
        ({"id": BUNDLE, "version": ""}, "value of version property in extensionBundle"),
        ({"id": BUNDLE, "version": 4}, "value of version property in extensionBundle"),
        ({"id": BUNDLE}, "value of version property in extensionBundle"),
        (None, "value of version property in extensionBundle"),
        ("4", "value of version property in extensionBundle"),
        ({"version": "[4.*, 5.0.0)"}, "value of id property in extensionBundle"),
        ({"id": "not an id", "version": "[4.*, 5.0.0)"}, "value of id property in extensionBundle"),
        ({"id": f"{BUNDLE}.Preview", "version": "[4.*, 5.0.0)"}, "does not know which bindings"),
    ],
)
def test_a_bundle_with_which_the_host_does_not_start(section: Any, reason: str) -> None:
    with pytest.raises(HostSettingsError, match=reason):
        extensions.read(section)


@pytest.mark.parametrize("name", [f"{BUNDLE}s", BUNDLE.lower(), "Microsoft.Azure.Function.ExtensionBundle"])
def test_a_misspelt_bundle_brings_nothing(name: str) -> None:
    """Nothing of that name can be downloaded, and paths and URLs are case-sensitive on Linux."""
    brought = bundle("[4.*, 5.0.0)", name)
    assert brought.bindings == BUILT_IN
    assert refusal(function("queueTrigger"), brought) == NOT_IN_BUNDLE.format("queueTrigger")


@pytest.mark.parametrize(
    ("one", "brought", "said"),
    [
        (function("queueTrigger"), extensions.none(), NOT_REGISTERED.format("queueTrigger")),
        (function("eventGridTrigger"), extensions.none(), NOT_REGISTERED.format("eventGridTrigger")),
        (function("blob", "queueTrigger"), extensions.none(), NOT_REGISTERED.format("queueTrigger, blob")),
        (function("queueTriger", "timerTrigger"), bundle("[4.*, 5.0.0)"), NOT_IN_BUNDLE.format("queueTriger")),
        (function("queuesTrigger"), bundle("[4.*, 5.0.0)"), NOT_IN_BUNDLE.format("queuesTrigger")),
        (function("sqlTrigger"), bundle("[3.*, 4.0.0)"), NOT_IN_BUNDLE.format("sqlTrigger")),
        (
            function("queueTriger"),
            bundle("[4.*, 5.0.0)"),
            "No trigger binding specified. A function must have a trigger input binding.",
        ),
        (
            function("queueTrigger", "timerTrigger"),
            bundle("[4.*, 5.0.0)"),
            "Multiple trigger bindings defined. A function can only have a single trigger binding.",
        ),
        (function("timerTrigger", name="host"), extensions.none(), "'host' is not a valid function name."),
        (function("timerTrigger", name="2nd"), extensions.none(), "'2nd' is not a valid function name."),
        (
            function("httpTrigger", "http"),
            extensions.none(),
            "The local Functions host does not run 'httpTrigger, http'; Azure does.",
        ),
        (
            Function("id", "f", [{"type": "timerTrigger", "name": "a"}, {"type": "http", "name": "A"}], None),
            extensions.none(),
            "Multiple bindings with name 'A' discovered. Binding names must be unique.",
        ),
    ],
)
def test_a_function_in_error_says_what_the_host_says(one: Function, brought: extensions.Extensions, said: str) -> None:
    assert refusal(one, brought) == said


def test_what_is_brought_is_taken_whatever_its_casing() -> None:
    for kind in ("queueTrigger", "QueueTrigger", "eventGridTrigger", "timerTrigger"):
        indexing.check(function(kind), bundle("[4.*, 5.0.0)"))
    indexing.check(function("timerTrigger"), extensions.none())
    for kind in ("queueTrigger", "QueueTrigger", "eventGridTrigger"):
        assert kind in refusal(function(kind), extensions.none())
