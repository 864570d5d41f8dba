"""CRUD for resources of any type, as ARM answers it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from emulator import names
from emulator.arm.actions import Actions
from emulator.arm.authorizer import Authorizer
from emulator.arm.call import Answer, Call, page
from emulator.arm.manners import Manners
from emulator.arm.providers import Providers
from emulator.arm.provisioning import Provisioning
from emulator.arm.store import SUCCEEDED, ResourceStore, not_found
from emulator.errors import AzureError
from emulator.ids import ResourcePath, key_of
from emulator.seeded_values import SeededValues
from emulator.tenant import Tenant

type Json = dict[str, Any]

_WORKSPACES = "Microsoft.MachineLearningServices/workspaces"
_OF_KIND = {"hub": "/hubs", "featurestore": "/featurestores"}


class Resources:
    def __init__(
        self,
        tenant: Tenant,
        made_up: SeededValues,
        store: ResourceStore,
        providers: Providers,
        provisioning: Provisioning,
        authorizer: Authorizer,
        actions: Actions,
        manners: Manners,
    ) -> None:
        self._tenant = tenant
        self._made_up = made_up
        self._store = store
        self._providers = providers
        self._provisioning = provisioning
        self._authorizer = authorizer
        self._actions = actions
        self._manners = manners

    def get(self, call: Call) -> Answer:
        if not call.path.is_collection:
            return Answer(200, self._view(call, self._store.find(call.path)))
        found = list(self._listed(call.path))
        if not found:
            self._require_parent(call.path)
        found = self._ordered(call.path, found)
        return page(call, (self._in_list(call, resource) for resource in found if self._readable(call, resource)))

    def _ordered(self, path: ResourcePath, found: list[Json]) -> list[Json]:
        first = ResourcePath.parse(found[0]["id"]) if found else path
        if self._store.behaviour(first).newest_first:
            return sorted(found, key=lambda one: (one.get("systemData") or {}).get("createdAt") or "", reverse=True)
        return self._made_up.rotated(path.key, found)

    def _in_list(self, call: Call, resource: Json) -> Json:
        return self._store.behaviour(ResourcePath.parse(resource["id"])).listed(resource, call.api_version)

    def put(self, call: Call) -> Answer:
        self._require_parent(call.path)
        existed, behaviour = self._store.held(call.path) is not None, self._store.behaviour(call.path)
        body = {} if call.body is None and behaviour.needs_no_body else call.object_body()
        if not existed:
            names.require(call.path.type.lower(), call.path.name, body)
        write = "replace" if existed else "create"
        if behaviour.changes_slowly(body, self._store.held(call.path)):
            write = "slow update" if existed else "slow create"
        manner = self._manners.of(call.path, write, call.api_version)
        resource, finish = self._store.replace(call.path, body, call.caller, state=manner.state)
        shown = manner.shown(self._view(call, resource))
        return Answer(manner.status, shown, finish=finish, manner=manner, created=not existed)

    def patch(self, call: Call) -> Answer:
        body = call.object_body()
        held = self._store.held(call.path)
        slow = call.ends is not None or self._store.behaviour(call.path).changes_slowly(body, held)
        manner = self._manners.of(call.path, "slow update" if slow else "update", call.api_version)
        resource, finish = self._store.merge(call.path, body, call.caller, state=manner.state)
        return Answer(manner.status, self._view(call, resource), finish=finish, manner=manner)

    def delete(self, call: Call) -> Answer:
        held = self._store.written(call.path)
        if held is None:
            return Answer(204)
        slow = self._store.behaviour(call.path).leaves_slowly(held)
        manner = self._manners.of(call.path, "slow delete" if slow else "delete", call.api_version)
        shows = manner.body == "resource"
        if manner.state is None:
            self._store.remove(call.path)
            return Answer(manner.status, self._view(call, held) if shows else None)
        finish = self._store.remove_slowly(call.path, manner.state)
        shown = self._view(call, self._store.find(call.path)) if shows else None
        return Answer(manner.status, shown, finish=finish, manner=manner)

    def post(self, call: Call) -> Answer:
        """What a type's manner does not make slow is done at once."""
        owner = ResourcePath.parse(call.path.parent)
        answer = self._actions.run(call, owner, self._store.find(owner))
        manner = self._manners.of(owner, call.path.types[-1], call.api_version)
        if answer.finish is None or manner.slow or call.ends is not None:
            return replace(answer, manner=manner)
        answer.finish(SUCCEEDED)
        return replace(answer, status=manner.status, finish=None)

    def operation_result(self, call: Call) -> Answer:
        """What a Location says."""
        path, manner, done, said = self._provisioning.result(call)
        if manner.result == "status":
            return self._provisioning.status(call)
        if not done:
            return Answer(202, None, {"Retry-After": "1", "Location": call.url})
        if isinstance(manner.result, int):
            return Answer(manner.result, said)
        resource = self._tenant.resources.get(path.key)
        return Answer(204) if resource is None else Answer(200, self._view(call, resource))

    def _view(self, call: Call, resource: Json) -> Json:
        return self._store.behaviour(ResourcePath.parse(resource["id"])).view(resource, call.api_version)

    def _listed(self, path: ResourcePath) -> Iterator[Json]:
        """A nested collection or one of a resource group is one key.

        One of a subscription gathers those of its groups.
        """
        yield from self._tenant.resources.where("collection", path.key)
        if path.resource_group is None and path.subscription is not None and len(path.types) == 1:
            within = f"/subscriptions/{path.subscription.lower()}/"
            for resource in self._tenant.resources.where("type", path.type.lower()):
                key = key_of(resource["id"])
                if key.startswith(within) and not key.startswith(path.key + "/"):
                    yield resource

    def _readable(self, call: Call, resource: Json) -> bool:
        """Lists of top-level resources contain only what the caller may read."""
        if len(call.path.types) > 1:
            return True
        return self._authorizer.may(call.caller, f"{call.path.type}/read", resource["id"])

    def operation_type(self, call: Call) -> str:
        """The type in Azure's casing. Hubs and feature stores are workspaces with operations of their own."""
        kind = self._providers.canonical(call.path.type)
        if kind == _WORKSPACES and call.method not in ("GET", "HEAD"):
            held = self._tenant.resources.get(call.path.key, {})
            body = call.body if isinstance(call.body, dict) else {}
            return kind + _OF_KIND.get(str(held.get("kind") or body.get("kind") or "").lower(), "")
        return kind

    def require_extended(self, path: ResourcePath) -> None:
        """Refuses with 404 if the top-level resource does not exist that an extension resource extends.

        One below it that exists stands for it, as a tenant file may leave out what lies between.
        """
        words = path.extends.split("/")
        if path.resource_group is not None and len(words) > 8 and path.extends.lower() not in self._tenant.resources:
            top = ResourcePath.parse("/".join(words[:9]))
            if top.key not in self._tenant.resources:
                raise not_found(top, self._providers.canonical(top.type))

    def _require_parent(self, path: ResourcePath) -> None:
        if len(path.types) == 1:
            if path.resource_group is None or path.extends.count("/") <= 4:
                return
            missing = ResourcePath.parse(path.extends)
        else:
            words = path.text.rsplit("/", 1 if path.is_collection else 2)
            missing = ResourcePath.parse(words[0])
        if self._store.held(missing) is not None:
            return
        if self._store.behaviour(path).brings_its_parent:
            self._require_parent(missing)
            return
        if path.is_collection:
            raise not_found(missing, self._providers.canonical(missing.type))
        raise AzureError(
            404,
            "ParentResourceNotFound",
            f"Failed to perform 'write' on resource(s) of type '{path.type.partition('/')[2]}', because the parent "
            f"resource '{missing.text}' could not be found.",
        )
