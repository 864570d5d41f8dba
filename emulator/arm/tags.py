"""Tags as a resource of their own: https://learn.microsoft.com/rest/api/resources/tags"""

from typing import Any

from emulator.arm.call import Answer, Call
from emulator.arm.scopes import Scopes
from emulator.arm.store import ResourceStore
from emulator.errors import AzureError
from emulator.ids import ResourcePath
from emulator.tenant import Tenant

type Json = dict[str, Any]


class Tags:
    """`{scope}/providers/Microsoft.Resources/tags/default` of a group, a resource or a subscription."""

    def __init__(self, tenant: Tenant, store: ResourceStore, scopes: Scopes) -> None:
        self._tenant = tenant
        self._store = store
        self._scopes = scopes

    def get(self, call: Call) -> Answer:
        return self._answer(call, self._owner(call).get("tags") or {})

    def put(self, call: Call) -> Answer:
        return self._write(call, _given(call))

    def patch(self, call: Call) -> Answer:
        held, given = dict(self._owner(call).get("tags") or {}), _given(call)
        match str(call.object_body().get("operation")).lower():
            case "merge":
                return self._write(call, held | given)
            case "replace":
                return self._write(call, given)
            case "delete":
                return self._write(call, {name: value for name, value in held.items() if name not in given})
        raise AzureError(400, "BadRequest", "The operation is Replace, Merge or Delete.")

    def delete(self, call: Call) -> Answer:
        self._write(call, {})
        return Answer(200)

    def _owner(self, call: Call) -> Json:
        path = ResourcePath.parse(call.path.extends)
        return self._scopes.found(path) or self._store.find(path)

    def _write(self, call: Call, tags: Json) -> Answer:
        owner = self._owner(call)
        self._tenant.resources[ResourcePath.parse(call.path.extends).key] = {**owner, "tags": tags}
        return self._answer(call, tags)

    def _answer(self, call: Call, tags: Json) -> Answer:
        named = {"id": call.path.text, "name": "default", "type": "Microsoft.Resources/tags"}
        return Answer(200, {**named, "properties": {"tags": tags}})


def _given(call: Call) -> Json:
    tags = (call.object_body().get("properties") or {}).get("tags")
    if not isinstance(tags, dict) or not all(isinstance(value, str) for value in tags.values()):
        raise AzureError(400, "InvalidRequestContent", "The tags are an object with values that are strings.")
    return tags
