"""What a resource type does itself when it is written, read or deleted. The default is nothing."""

from typing import Any

from emulator.identity.tokens import Caller
from emulator.ids import ResourcePath

type Json = dict[str, Any]


class Behaviour:
    identity_comes_late = False
    """The identity does not exist before provisioning is done."""
    identity_is_fixed = False
    has_state = True
    """Its properties have a provisioningState."""
    keeps_when_replaced: tuple[str, ...] = ()
    """Properties that a PUT without them does not remove."""
    brings_its_parent = False
    """A write of it makes what it lies below, where that is not there."""
    needs_no_body = False
    """A PUT of it may have no body at all."""
    lies_in_its_parent = False
    """What is always there was written with the parent, and can be deleted."""
    newest_first = False
    """Lists are in the order of creation, the newest first. Other lists have no order."""

    def shaped(self, resource: Json, before: Json | None, caller: Caller) -> Json:
        """The resource with what the service adds. Raises AzureError if the service refuses it."""
        del before, caller
        return resource

    def settled(self, resource: Json, *, created: bool) -> None:
        """Called when a write is complete."""

    def removed(self, resource: Json) -> None:
        """Called when it is deleted."""

    def changes_slowly(self, change: Json, before: Json | None) -> bool:
        """Whether a write with this body takes a while, although others of its type are done at once."""
        del change, before
        return False

    def leaves_slowly(self, resource: Json) -> bool:
        """The same of its deletion."""
        del resource
        return False

    def view(self, resource: Json, api_version: str) -> Json:
        """The resource as this api-version shows it."""
        del api_version
        return resource

    def listed(self, resource: Json, api_version: str) -> Json:
        """The same in a list."""
        return self.view(resource, api_version)

    def always_there(self, path: ResourcePath) -> Json | None:
        """What can be read at `path` although nobody wrote it there."""
        del path
        return None


class Plain(Behaviour):
    has_state = False
