"""What the policy asks for beyond Microsoft's documents, as rules see it."""

from dataclasses import dataclass

from shared.access.scope import Scope


@dataclass(frozen=True, slots=True)
class People:
    """Groups that the policy wants to hold `role_id` on the workspaces in `scopes` that carry all of `tags` (AML-44).

    Without scopes, every workspace is meant that the tags select; never all without either.
    """

    groups: tuple[str, ...]
    role_id: str
    role_name: str
    scopes: tuple[Scope, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Wishes:
    """What registries should be like (AML-79), and how far the logs are evidence.

    `anonymous_pull` and `public_access` say whether it may be on; `public_access` None: where the workspace's own is.
    `zone_redundant` and `retention_days` (None: as it may) are asked for. `evidence_required`: without readable logs
    nothing is turned off that they might show in use.
    """

    anonymous_pull: bool = False
    public_access: bool | None = None
    zone_redundant: bool = False
    retention_days: int | None = None
    look_back_days: int = 30
    evidence_required: bool = False
