"""What bears on a workspace without being part of it: locks."""

from dataclasses import dataclass

from shared.access.scope import Scope


@dataclass(frozen=True, slots=True)
class Lock:
    """A management lock; only `read_only` ones stop what amlguard does (grants and settings are no deletes)."""

    id: str
    scope: Scope
    read_only: bool
