"""What bears on a workspace without being part of it: locks, and container groups that pull from its registry."""

from dataclasses import dataclass

from shared.access.scope import Scope


@dataclass(frozen=True, slots=True)
class Lock:
    """A management lock; only `read_only` ones stop what amlguard does (grants and settings are no deletes)."""

    id: str
    scope: Scope
    read_only: bool


@dataclass(frozen=True, slots=True)
class ContainerGroup:
    """A Container Instances group and the registry hosts that its images come from (AML-23)."""

    id: Scope
    hosts: frozenset[str]
