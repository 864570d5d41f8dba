"""Deployments of templates: checked when they come, carried out when their operation ends.

Each resource is written as its own call of the same caller, so that rights, locks, names and events are those of any
write. Shapes and codes: learn.microsoft.com/rest/api/resources/deployments and …/deployment-operations, and
learn.microsoft.com/azure/azure-resource-manager/templates/common-deployment-errors. What is done is kept until the
local Azure ends.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from emulator.arm.authorizer import Authorizer
from emulator.arm.call import Answer, Call, page
from emulator.arm.manners import Manners
from emulator.arm.store import SUCCEEDED
from emulator.clock import Clock
from emulator.errors import AzureError
from emulator.ids import ResourcePath
from emulator.templates.expressions import Functions, TemplateError
from emulator.templates.template import Planned, Template
from emulator.tenant import Tenant

type Json = dict[str, Any]

_READ = "Microsoft.Resources/deployments/read"
_VERSION = "2022-09-01"
_GROUPS = re.compile("/resourcegroups/", re.IGNORECASE)
_SECRET = ("securestring", "secureobject")


class _NotMadeError(Exception):
    """What is asked for has not been made yet."""


class _FailedError(AzureError):
    def __init__(self, details: list[Json]) -> None:
        message = (
            "At least one resource deployment operation failed. Please list deployment operations for details. Please "
            "see https://aka.ms/arm-deployment-operations for usage details."
        )
        super().__init__(409, "DeploymentFailed", message)
        self._details = details

    def body(self) -> Json:
        return {"error": {**super().body()["error"], "details": self._details}}


@dataclass(slots=True)
class _Run:
    """One deployment under way."""

    call: Call
    carry_out: Callable[[Call], Answer]
    template: Template
    open: list[Planned]
    failed: list[Json] = field(default_factory=list)
    operations: list[Json] = field(default_factory=list)

    def go(self) -> None:
        """Makes everything in the order of the dependencies. What depends on a failure is not made."""
        while self.open and not self.failed:
            ready = [one for one in self.open if not any(one.after & other.names for other in self.open)]
            made = [one for one in ready if self._made(one)]
            if not made and not self.failed:
                raise TemplateError("Circular dependency detected on the resources of the template.")

    def _made(self, one: Planned) -> bool:
        try:
            body = one.body()
        except _NotMadeError:
            return False
        self.open.remove(one)
        path = ResourcePath.parse(one.path)
        target = {"id": one.path, "resourceType": path.type, "resourceName": "/".join(path.names)}
        operation: Json = {"provisioningOperation": "Create", "targetResource": target}
        try:
            answer = self.ask("PUT", one.path, one.api_version, body)
            operation |= {"provisioningState": SUCCEEDED, "statusCode": "Created" if answer.created else "OK"}
        except AzureError as error:
            self.failed.append(error.body().get("error") or {"code": error.code, "message": error.message})
            state = {"provisioningState": "Failed", "statusCode": str(error.status)}
            operation |= {**state, "statusMessage": {"status": "Failed", "error": self.failed[-1]}}
        self.operations.append(operation)
        return True

    def ask(self, method: str, path: str, version: str, body: Json | None = None) -> Answer:
        query = {"api-version": version} if version else {}
        return self.carry_out(
            replace(self.call, method=method, path=ResourcePath.parse(path), query=query, body=body, ends=None)
        )

    def reference(self, name: str, version: str = "", full: str = "") -> Any:
        """The properties of a resource. One of the template must be made before."""
        if any(name.lower() in one.names for one in self.open):
            raise _NotMadeError
        path, declared = self.template.places.get(name.lower(), (name, ""))
        answer = self.ask("GET", path, version or declared)
        return answer.body if full else answer.body.get("properties") or {}


class Deployments:
    def __init__(
        self,
        tenant: Tenant,
        clock: Clock,
        authorizer: Authorizer,
        manners: Manners,
        carry_out: Callable[[Call], Answer],
    ) -> None:
        self._tenant = tenant
        self._clock = clock
        self._authorizer = authorizer
        self._manners = manners
        self._carry_out = carry_out

    def get(self, call: Call) -> Answer:
        if not call.path.is_collection:
            return Answer(200, self._found(call.path)["shown"])
        held = (one["shown"] for key, one in self._tenant.deployments.items() if _within(key, call.path))
        return page(call, (one for one in held if self._authorizer.may(call.caller, _READ, one["id"])))

    def delete(self, call: Call) -> Answer:
        if call.path.key not in self._tenant.deployments:
            return Answer(204)
        manner = self._manners.of(call.path, "delete", call.api_version)
        return Answer(manner.status, finish=lambda _: self._forget(call.path), manner=manner)

    def _forget(self, path: ResourcePath) -> None:
        self._tenant.deployments.pop(path.key, None)

    def operations(self, call: Call) -> Answer:
        """https://learn.microsoft.com/rest/api/resources/deployment-operations/list"""
        held = self._found(ResourcePath.parse(call.path.parent))["operations"]
        return page(call, held)

    def validate(self, call: Call) -> Answer:
        path = ResourcePath.parse(call.path.parent)
        run = self._run(replace(call, path=path))
        return Answer(200, _shown(run, path, SUCCEEDED, self._clock.now()))

    def put(self, call: Call) -> Answer:
        existed = call.path.key in self._tenant.deployments
        run = self._run(call)
        begun = self._clock.now()
        shown = _shown(run, call.path, "Accepted", begun)
        self._tenant.deployments[call.path.key] = {"shown": shown, "operations": run.operations}

        def finish(end: str) -> None:
            self._finish(run, begun, end)

        manner = self._manners.of(call.path, "replace" if existed else "create", call.api_version)
        return Answer(manner.status, shown, finish=finish, manner=manner, created=not existed)

    def _finish(self, run: _Run, begun: datetime, end: str) -> None:
        path, error = run.call.path, None if end == SUCCEEDED else AzureError(409, f"Deployment{end}", "It has ended.")
        outputs: Json = {}
        try:
            if error is None:
                run.go()
                outputs = run.template.outputs() if not run.failed else {}
        except AzureError as found:
            error = found
        if run.failed:
            error = _FailedError(run.failed)
        shown = _shown(run, path, "Failed" if error else SUCCEEDED, begun)
        made = [one["targetResource"]["id"] for one in run.operations if one["provisioningState"] == SUCCEEDED]
        shown["properties"] |= {"outputs": outputs, "outputResources": [{"id": one} for one in made]}
        shown["properties"] |= error.body() if error else {}
        time = self._clock.now()
        shown["properties"]["duration"] = f"PT{(time - begun).total_seconds()}S"
        listed = [_operation(path, place, one, time, begun) for place, one in enumerate(run.operations)]
        self._tenant.deployments[path.key] = {"shown": shown, "operations": listed}
        if error is not None:
            raise error

    def _run(self, call: Call) -> _Run:
        """Refuses a template that cannot be carried out."""
        properties = call.object_body().get("properties") or {}
        document = properties.get("template")
        if not isinstance(document, dict) or "templateLink" in properties or "parametersLink" in properties:
            raise TemplateError("The local Azure takes a template and its parameters in the request.")
        if call.path.resource_group is None and not isinstance(call.object_body().get("location"), str):
            raise AzureError(400, "LocationRequired", "The location property is required for this definition.")
        if str(properties.get("mode")).lower() != "incremental":
            raise TemplateError("The local Azure deploys in the mode Incremental.")

        def reference(*words: str) -> Any:
            return run.reference(*words)

        outside: Functions = {**self._outside(call), "reference": reference}
        scope = _GROUPS.sub("/resourceGroups/", call.path.extends)
        template = Template(document, properties.get("parameters") or {}, scope, outside)
        run = _Run(call, self._carry_out, template, [])
        run.open += template.planned()
        return run

    def _outside(self, call: Call) -> Functions:
        """What templates ask about where they are."""
        path = call.path

        def group() -> Any:
            asked = ResourcePath.parse(path.extends)
            return self._carry_out(replace(call, method="GET", path=asked, query={"api-version": _VERSION})).body

        subscription = self._tenant.subscriptions.get((path.subscription or "").lower(), {})
        return {
            "deployment": lambda: {"name": path.name, "location": (call.body or {}).get("location")},
            "resourcegroup": group,
            "subscription": lambda: subscription,
            "tenant": lambda: {"tenantId": self._tenant.tenant_id},
        }

    def _found(self, path: ResourcePath) -> Json:
        found = self._tenant.deployments.get(path.key)
        if found is None:
            raise AzureError(404, "DeploymentNotFound", f"Deployment '{path.name}' could not be found.")
        return found


def _within(key: str, path: ResourcePath) -> bool:
    return key.rpartition("/")[0] == path.key


def _shown(run: _Run, path: ResourcePath, state: str, begun: datetime) -> Json:
    """Secrets among the parameters are never shown."""
    parameters = {
        name: {"type": one["type"].title()} | ({} if one["type"].lower() in _SECRET else {"value": one.get("value")})
        for name, one in run.template.parameters.items()
    }
    shown: Json = {
        "id": path.text,
        "name": path.name,
        "type": "Microsoft.Resources/deployments",
        "properties": {
            "parameters": parameters,
            "mode": "Incremental",
            "provisioningState": state,
            "timestamp": begun.isoformat(),
            "duration": "PT0S",
            "correlationId": run.call.correlation_id,
            "providers": [],
            "dependencies": [],
        },
    }
    body = run.call.body
    return shown | {key: body[key] for key in ("location", "tags") if key in body}


def _operation(path: ResourcePath, place: int, one: Json, time: datetime, begun: datetime) -> Json:
    name = f"{place:016X}"
    properties = {**one, "timestamp": time.isoformat(), "duration": f"PT{(time - begun).total_seconds()}S"}
    return {"id": f"{path.text}/operations/{name}", "operationId": name, "properties": properties}
