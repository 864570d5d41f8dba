"""The rule table: every rule is one entry in one of these modules. Events, rights, docs and tests follow from it."""

from shared.access.rules import (
    builds,
    clusters,
    datastores,
    feature_store,
    identities,
    jobs,
    network_attached,
    network_computes,
    network_databricks,
    network_group,
    network_private,
    network_rules,
    network_subnets,
    private_images,
    pull,
    registry,
    storage,
    storage_access,
    vault_access,
    workspace,
)
from shared.access.rules.rule import List, Mode, Rule

RULES: tuple[Rule, ...] = (
    *workspace.RULES,
    *pull.RULES,
    *storage.RULES,
    *registry.RULES,
    *identities.RULES,
    *vault_access.RULES,
    *private_images.RULES,
    *builds.RULES,
    *clusters.RULES,
    *datastores.RULES,
    *storage_access.RULES,
    *jobs.RULES,
    *feature_store.RULES,
    *network_computes.RULES,
    *network_subnets.RULES,
    *network_rules.RULES,
    *network_group.RULES,
    *network_private.RULES,
    *network_databricks.RULES,
    *network_attached.RULES,
)

__all__ = ["RULES", "List", "Mode", "Rule"]
