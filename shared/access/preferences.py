"""What the policy asks for beyond Microsoft's documents, as rules see it."""

from dataclasses import dataclass
from enum import StrEnum

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


class Serverless(StrEnum):
    """When a workspace counts as one that uses serverless compute (AML-84)."""

    JOBS = "jobs"
    ALWAYS = "always"
    NEVER = "never"


class Builders(StrEnum):
    """Which roles whoever builds images gets (AML-83): what Microsoft's documents say, or no more than it takes."""

    CONTRIBUTOR = "contributor"
    LEAST = "least"


@dataclass(frozen=True, slots=True)
class Preferences:
    """What registries should be like (AML-79), how far the logs are evidence, and how AML is used.

    `anonymous_pull` and `public_access` say whether it may be on; `public_access` None: where the workspace's own is.
    `zone_redundant` and `retention_days` (None: as it may) are asked for. `evidence_required`: without readable logs
    nothing is turned off that they might show in use. `serverless` says when a workspace counts as using serverless
    compute, `builders` which roles the identities that build images get.
    """

    anonymous_pull: bool = False
    public_access: bool | None = None
    zone_redundant: bool = False
    retention_days: int | None = None
    look_back_days: int = 30
    evidence_required: bool = False
    serverless: Serverless = Serverless.JOBS
    builders: Builders = Builders.CONTRIBUTOR
