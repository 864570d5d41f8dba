"""What a workspace's networks must let through."""

from shared.access.rules.network import (
    attached,
    computes,
    databricks,
    group,
    private,
    rules,
    subnets,
)

RULES = (
    *computes.RULES,
    *subnets.RULES,
    *rules.RULES,
    *group.RULES,
    *private.RULES,
    *databricks.RULES,
    *attached.RULES,
)
