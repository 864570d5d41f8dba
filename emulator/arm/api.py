"""Azure Resource Manager: one call in, one answer out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from emulator.arm.actions import Actions
from emulator.arm.announcer import Announcer
from emulator.arm.authorizer import Authorizer
from emulator.arm.call import Answer, Call, Finish
from emulator.arm.changes import Changes
from emulator.arm.locks import Locks
from emulator.arm.management_groups import READ
from emulator.arm.manners import Manner
from emulator.arm.providers import Providers
from emulator.arm.provisioning import Provisioning, rendered
from emulator.arm.resources import Resources
from emulator.arm.role_assignments import RoleAssignments
from emulator.arm.scopes import Scopes
from emulator.arm.store import SUCCEEDED
from emulator.errors import AzureError

type Json = dict[str, Any]
type Handler = Callable[[Call], Answer]

_VERBS = {"GET": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}
_READS = {"HEAD": "GET"}
_DESCENDANTS = "microsoft.management/managementgroups/descendants"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    routes: Mapping[str, Mapping[str, Handler]]
    """Lower-case type → method → handler. Every other type is a plain resource."""
    providers: Providers
    scopes: Scopes
    authorizer: Authorizer
    locks: Locks
    resources: Resources
    role_assignments: RoleAssignments
    actions: Actions
    provisioning: Provisioning
    announcer: Announcer
    changes: Changes

    def handle(self, call: Call) -> Answer:
        """Raises AzureError if ARM refuses. Then nothing is changed."""
        if self.provisioning.knows(call.path):
            return self._operation(call)
        answer, announce = self._answered(call)
        if call.method not in ("GET", "HEAD") and answer.status != 204:
            if answer.finish is not None:
                return self._begun(call, answer, answer.finish, announce)
            announce()
            if answer.manner is not None:
                return replace(answer, headers=rendered(answer.manner.headers, call, call.path))
        return answer if call.method != "HEAD" else Answer(204, None, answer.headers)

    def carry_out(self, call: Call) -> Answer:
        """As a deployment does it: what takes a while is done when this returns."""
        answer, announce = self._answered(call)
        if answer.finish is not None:
            answer.finish(SUCCEEDED)
        if call.method != "GET":
            announce()
        return answer

    def _answered(self, call: Call) -> tuple[Answer, Callable[[], None]]:
        """The answer, and what tells Event Grid of it."""
        handler = self._handler(call)
        self.scopes.require(call.path)
        operation = self._operation_name(call)
        evidence = self._authorize(call, operation)
        self._require_places(call)
        self.locks.require(call.method, call.path)
        answer = handler(call)
        if _is_filtered_list(call) and not answer.body["value"] and call.path.subscription:
            # Azure filters lists by what the caller may read, and refuses a caller who may read nothing of them
            self.authorizer.require(call.caller, operation, call.path.parent)
        return answer, partial(self._announce, call, operation, evidence, created=answer.created)

    def _handler(self, call: Call) -> Handler:
        own = self.routes.get("register" if call.path.types == ("register",) else call.path.type.lower())
        posts = own is not None and "POST" in own
        self.providers.check(call.path, call.query.get("api-version"), action=call.method == "POST" and not posts)
        if call.method == "POST" and not posts:
            if self.actions.name(call.path) is None:
                raise AzureError(
                    404,
                    "InvalidResourceType",
                    f"The resource type '{call.path.type.partition('/')[2]}' could not be found in the namespace "
                    f"'{call.path.namespace}' for api version '{call.api_version}'.",
                )
            return self.resources.post
        handler = (own or self.routes[""]).get(_READS.get(call.method, call.method))
        if handler is None or (call.path.is_collection and call.method not in ("GET", "HEAD", "POST")):
            message = f"The requested resource does not support http method '{call.method}'."
            raise AzureError(405, "UnsupportedHttpMethod", message)
        return handler

    def _operation_name(self, call: Call) -> str:
        """`namespace/type/verb` in Azure's casing."""
        if call.method == "POST":
            owner = self.providers.canonical(call.path.type.rpartition("/")[0])
            return f"{owner}/{self.actions.name(call.path) or call.path.types[-1]}/action"
        if call.path.type.lower() == _DESCENDANTS:
            return READ
        verb = _VERBS[_READS.get(call.method, call.method)]
        return f"{self.resources.operation_type(call)}/{verb}"

    def _authorize(self, call: Call, operation: str) -> Json:
        path = call.path
        if _is_filtered_list(call):
            return {}
        if path.type.lower() == "microsoft.authorization/roleassignments" and not path.is_collection:
            # deleting what does not exist succeeds: there is nothing that a condition could look at
            gone = call.method == "DELETE" and self.role_assignments.find(path) is None
            attributes = self.role_assignments.attributes(call)
            return self.authorizer.require(call.caller, operation, path.text, attributes, whatever_conditions=gone)
        return self.authorizer.require(call.caller, operation, path.parent if path.is_collection else path.text)

    def _require_places(self, call: Call) -> None:
        """The resource group, and the resource that an extension resource extends."""
        path = call.path
        if path.type.lower() != "microsoft.resources/subscriptions/resourcegroups" or call.method != "PUT":
            self.scopes.require_group(path)
        if path.namespace.lower() == "microsoft.authorization" and call.method == "PUT":
            self.resources.require_extended(path)

    def _announce(self, call: Call, operation: str, evidence: Json, *, created: bool) -> None:
        request = None if created else (call.method, call.url)
        self.announcer.announce(call.path, operation, call.caller, evidence, call.correlation_id, request=request)

    def _begun(self, call: Call, answer: Answer, finish: Finish, announce: Callable[[], None]) -> Answer:
        """Event Grid hears of a slow creation when it is accepted, and again when it is done.

        Of a slow deletion it hears when it is done.
        """
        deletes = call.method == "DELETE"
        if not deletes:
            announce()

        def done(end: str) -> None:
            finish(end)
            if (answer.created or deletes) and end == SUCCEEDED:
                announce()

        acts = call.method == "POST"
        result = answer.body if acts else answer.said
        headers = self.provisioning.begin(call, answer.manner or Manner(), done, result)
        return replace(answer, body=None if acts else answer.body, headers=headers, finish=None)

    def _operation(self, call: Call) -> Answer:
        self.authorizer.require(call.caller, f"{call.path.type}/read", call.path.text)
        if self.provisioning.asks_for_result(call):
            return self.resources.operation_result(call)
        return self.provisioning.status(call)


def _is_filtered_list(call: Call) -> bool:
    """Lists of subscriptions, groups and top-level resources contain what the caller may read."""
    path = call.path
    authorization = path.namespace.lower() == "microsoft.authorization"
    top_level = len(path.types) == 1 or path.namespace == "Microsoft.Resources"
    return path.is_collection and call.method in ("GET", "HEAD") and top_level and not authorization
