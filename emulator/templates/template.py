"""One template with its parameters: the resources that it declares, and what it puts out.

https://learn.microsoft.com/azure/azure-resource-manager/templates/syntax
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from emulator.templates.expressions import Functions, TemplateError, require_known, worked_out
from emulator.templates.functions import KNOWN, PURE, in_scope

type Json = dict[str, Any]

_DEPLOYMENTS = "microsoft.resources/deployments"
_GROUPS = "microsoft.resources/resourcegroups"
_NO_BODY = ("apiVersion", "condition", "copy", "dependsOn", "name", "resourceGroup", "scope", "subscriptionId", "type")
_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "securestring": str,
    "int": int,
    "bool": bool,
    "array": list,
    "object": dict,
    "secureobject": dict,
}


@dataclass(frozen=True, slots=True)
class Planned:
    path: str
    api_version: str
    names: frozenset[str]
    """What dependencies may call it, in lower case: its id, its name, its symbol, its loop."""
    after: frozenset[str]
    """The names of those that it waits for."""
    body: Callable[[], Json]


class Template:
    def __init__(self, document: Json, given: Json, scope: str, outside: Functions) -> None:
        """`outside` has the functions that ask Azure. Refuses what does not fit, before anything is made."""
        require_known({key: value for key, value in document.items() if key != "metadata"}, KNOWN)
        self._document = document
        self._scope = scope
        self._copies: Mapping[str | None, int] = {}
        own = {"parameters": self._parameter, "variables": self._variable, "copyindex": self._index}
        self._functions: Functions = {**PURE, **in_scope(scope), **outside, **own}
        self.parameters = self._checked(given)
        self.places: dict[str, tuple[str, str]] = {}
        """The id and api-version of each declared resource, by its names in lower case."""

    def planned(self) -> list[Planned]:
        return [one for symbol, resource in self._declared() for one in self._instances(symbol, resource)]

    def outputs(self) -> Json:
        declared = self._document.get("outputs") or {}
        return {
            name: {"type": one["type"].title(), "value": self.render(one.get("value"))}
            for name, one in declared.items()
            if self.render(one.get("condition", True))
        }

    def render(self, value: Any) -> Any:
        """The value with all expressions worked out, and with its loops."""
        if isinstance(value, str):
            return worked_out(value, self._functions)
        if isinstance(value, list):
            return [self.render(one) for one in value]
        if not isinstance(value, dict):
            return value
        loops = value.get("copy")
        result = {self.render(key): self.render(one) for key, one in value.items() if key != "copy" or loops is None}
        for loop in loops if isinstance(loops, list) else ():
            result[loop["name"]] = [self.render(loop["input"]) for _ in self._repeated(loop)]
        return result

    def _declared(self) -> Iterator[tuple[str, Json]]:
        """Templates of language version 2.0 give each resource a symbol."""
        resources = self._document.get("resources") or []
        listed = resources.items() if isinstance(resources, dict) else [("", one) for one in resources]
        for symbol, resource in listed:
            yield symbol, {key: value for key, value in resource.items() if key != "resources"}
            for child in resource.get("resources") or ():
                yield "", self._below(resource, child)

    def _below(self, parent: Json, child: Json) -> Json:
        """A resource inside of another takes the start of its type and of its name, and the condition, from that."""
        if "copy" in parent or child.get("resources"):
            raise TemplateError(
                "The local Azure takes no resources inside of a loop, and none two levels below another."
            )
        whole = {
            "type": f"{parent['type']}/{child['type']}",
            "name": f"{self.render(parent['name'])}/{self.render(child['name'])}",
        }
        held = self.render(parent.get("condition", True)) and self.render(child.get("condition", True))
        return {**child, **whole, "condition": held}

    def _instances(self, symbol: str, resource: Json) -> Iterator[Planned]:
        loop = resource.get("copy")
        for _ in self._repeated(loop) if loop else (None,):
            path, version = self._path(resource), str(resource.get("apiVersion", ""))
            known = (path, self.render(resource["name"]), symbol, loop["name"] if loop else "")
            names = frozenset(name.lower() for name in known if name)
            self.places |= dict.fromkeys(names, (path, version))
            if self.render(resource.get("condition", True)) and not resource.get("existing"):
                after = frozenset(self.render(one).lower() for one in resource.get("dependsOn") or ())
                yield Planned(path, version, names, after, partial(self._body, resource, self._copies))

    def _repeated(self, loop: Json) -> Iterator[int]:
        """With `copyIndex()` set to each place in turn."""
        for place in range(self.render(loop["count"])):
            with self._at({**self._copies, None: place, loop["name"].lower(): place}):
                yield place

    @contextmanager
    def _at(self, copies: Mapping[str | None, int]) -> Iterator[None]:
        before, self._copies = self._copies, copies
        try:
            yield
        finally:
            self._copies = before

    def _path(self, resource: Json) -> str:
        kind, name, scope = str(resource["type"]), self.render(resource["name"]), self._scope
        if kind.lower() == _GROUPS:
            return f"{scope}/resourceGroups/{name}"
        own = self.render(resource.get("scope"))
        if own:
            scope = own if own.startswith("/") else f"{scope}/providers/{own}"
        group, subscription = self.render(resource.get("resourceGroup")), self.render(resource.get("subscriptionId"))
        if kind.lower() == _DEPLOYMENTS and (group or subscription):
            scope = f"/subscriptions/{subscription or scope.split('/')[2]}" + (
                f"/resourceGroups/{group}" if group else ""
            )
        namespace, *types = kind.split("/")
        names = name.split("/")
        if len(types) != len(names):
            raise TemplateError(f"The template resource '{name}' for type '{kind}' has incorrect segment lengths.")
        pairs = "/".join(f"{one}/{called}" for one, called in zip(types, names, strict=True))
        return f"{scope.rstrip('/')}/providers/{namespace}/{pairs}"

    def _body(self, resource: Json, copies: Mapping[str | None, int]) -> Json:
        """A nested template with the scope `inner` is worked out by its own deployment."""
        with self._at(copies):
            sent = {key: value for key, value in resource.items() if key not in _NO_BODY}
            properties = sent.get("properties") or {}
            options = properties.get("expressionEvaluationOptions") or {}
            if resource["type"].lower() != _DEPLOYMENTS or str(options.get("scope")).lower() != "inner":
                return dict(self.render(sent))
            rest = {key: value for key, value in properties.items() if key != "template"}
            sent = self.render({**sent, "properties": rest})
            return {**sent, "properties": {**sent["properties"], "template": properties.get("template")}}

    def _checked(self, given: Json) -> Json:
        declared = self._document.get("parameters") or {}
        known = {name.lower(): name for name in declared}
        unknown = [name for name in given if name.lower() not in known]
        if unknown:
            names = ", ".join(unknown)
            raise TemplateError(
                f"The template parameters '{names}' in the parameters file are not valid; they are not present in the "
                "original template and can therefore not be provided at deployment time."
            )
        values = {known[name.lower()]: value for name, value in given.items()}
        return {name: _value(name, one, values.get(name)) for name, one in declared.items()}

    def _parameter(self, name: str) -> Any:
        for known, one in self.parameters.items():
            if known.lower() == name.lower():
                if "value" not in one:
                    one["value"] = self.render(one["defaultValue"])
                return one["value"]
        raise TemplateError(f"The template parameter '{name}' is not found.")

    def _variable(self, name: str) -> Any:
        declared = self._document.get("variables") or {}
        for loop in declared.get("copy") or ():
            if loop["name"].lower() == name.lower():
                return [self.render(loop["input"]) for _ in self._repeated(loop)]
        for known, value in declared.items():
            if known.lower() == name.lower():
                return self.render(value)
        raise TemplateError(f"The template variable '{name}' is not found.")

    def _index(self, *arguments: Any) -> int:
        name = next((one.lower() for one in arguments if isinstance(one, str)), None)
        if name not in self._copies:
            raise TemplateError("The template function 'copyIndex' is not expected at this location.")
        return self._copies[name] + next((one for one in arguments if isinstance(one, int)), 0)


def _value(name: str, declared: Json, given: Any) -> Json:
    """`value` or `defaultValue`, with the type."""
    kind = str(declared.get("type", ""))
    if isinstance(given, dict) and "value" in given and given["value"] is not None:
        value = given["value"]
        wanted = _TYPES.get(kind.lower(), object)
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is int):
            raise TemplateError(f"Template parameter JToken type is not valid. Expected '{kind}' for '{name}'.")
        allowed = declared.get("allowedValues")
        if allowed is not None and value not in allowed:
            listed = ",".join(map(str, allowed))
            raise TemplateError(
                f"The provided value '{value}' for the template parameter '{name}' is not valid. The value '{value}' "
                f"is not part of the allowed value(s): '{listed}'."
            )
        return {"type": kind, "value": value}
    if "defaultValue" not in declared and not declared.get("nullable"):
        raise TemplateError(f"The value for the template parameter '{name}' is not provided.")
    return {"type": kind, "defaultValue": declared.get("defaultValue")}
