"""What the policy asks for beyond Microsoft's documents, as rules see it."""

from dataclasses import dataclass
from enum import StrEnum

from shared.access.scope import Scope


@dataclass(frozen=True, slots=True)
class People:
    """Groups that the policy wants to hold `role_id` on the workspaces in `scopes` that carry all of `tags` (AML-44).

    Without scopes, the tags alone select the workspaces. Without either, no workspace is meant.
    """

    groups: tuple[str, ...]
    role_id: str
    role_name: str
    scopes: tuple[Scope, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()


class Serverless(StrEnum):
    """When amlguard takes it that a workspace uses serverless compute (AML-84)."""

    JOBS = "jobs"
    ALWAYS = "always"
    NEVER = "never"


class Builders(StrEnum):
    """Which roles identities that build images get (AML-83): those of Microsoft's documents, or the least possible."""

    CONTRIBUTOR = "contributor"
    LEAST = "least"


@dataclass(frozen=True, slots=True)
class Preferences:
    """How registries should be (AML-79), how far the logs count as evidence, and how AML is used.

    `anonymous_pull` and `public_access` say whether it may be on. If `public_access` is None, it may be on if the
    workspace's own is. `zone_redundant` and `retention_days` are required (None: not required). `evidence_required`:
    without readable logs amlguard turns nothing off that they might show in use. `serverless` says when a workspace
    counts as using serverless compute, `builders` which roles the identities that build images get.
    """

    anonymous_pull: bool = False
    public_access: bool | None = None
    zone_redundant: bool = False
    retention_days: int | None = None
    look_back_days: int = 30
    evidence_required: bool = False
    serverless: Serverless = Serverless.JOBS
    builders: Builders = Builders.CONTRIBUTOR
