"""What affects a workspace without being part of it: its key vault, and locks."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.access.scope import Scope


@dataclass(frozen=True, slots=True)
class Lock:
    """A management lock. Only `read_only` locks stop amlguard, because grants and settings delete nothing."""

    id: str
    scope: Scope
    read_only: bool


@dataclass(frozen=True, slots=True)
class Vault:
    """`policies` is what access policies give, by object id: `keys/get` and so on, in lower case.

    `full`: the vault has as many policies as Azure allows.
    """

    id: Scope
    rbac: bool
    tenant: str | None = None
    policies: Mapping[str, frozenset[str]] = field(default_factory=dict)
    full: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
