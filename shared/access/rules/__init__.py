"""The rule table: every rule is one entry in one of these modules. Events, rights, docs and tests follow from it."""

from shared.access.rules import pull, registry, storage, workspace
from shared.access.rules.rule import List, Mode, Rule

RULES: tuple[Rule, ...] = (*workspace.RULES, *pull.RULES, *storage.RULES, *registry.RULES)

__all__ = ["RULES", "List", "Mode", "Rule"]
