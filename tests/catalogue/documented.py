"""Cases that are the rule's own example, as the documentation shows it."""

from collections.abc import Callable
from typing import Any

from catalogue.case import Case, Place, Tenant

from shared.access.rules import RULES

_RULES = {rule.name: rule for rule in RULES}


def acts(rule: str, build: Callable[[Place], Tenant], says: str, title: str = "", **more: Any) -> Case:
    """The rule's `acts`, unless the case is another one and has a title."""
    return Case(rule, True, title or _RULES[rule].acts, build, says, **more)


def leaves(rule: str, build: Callable[[Place], Tenant], title: str = "", **more: Any) -> Case:
    return Case(rule, False, title or _RULES[rule].leaves, build, **more)
