"""Asks of several rules become one grant: the same need of an identity, or one that covers another."""

from dataclasses import replace

from shared.access.asks import RequiredGrant
from shared.access.compare import Asked, GrantKey, grant_key
from shared.access.model import Estate
from shared.access.needs import contains
from shared.access.outcomes import Grant, Withheld
from shared.access.rules import Rule

type Asking = list[tuple[Rule, RequiredGrant]]


def merged(asked: Asked) -> dict[GrantKey, Asking]:
    """The same need of the same identity at the same scope is one grant, whichever rules ask for it."""
    merged: dict[GrantKey, Asking] = {}
    for rule, one in asked.grants:
        merged.setdefault(grant_key(one), []).append((rule, one))
    return merged


def grant(acting: Asking, asking: Asking, estate: Estate) -> Grant:
    """The one that rules ask for: `acting` are those whose word counts, `asking` all that need it."""
    rule, first = acting[0]
    registry = estate.registries.get(first.scope)
    return Grant(
        first.principal,
        first.need,
        first.scope,
        first.on,
        ", ".join(dict.fromkeys(each.name for each, _ in acting)),
        tuple(sorted({r for _, one in acting for r in one.requirements})),
        "; ".join(dict.fromkeys(one.reason for _, one in acting)),
        rule.source,
        tuple(dict.fromkeys(one.on for _, one in asking if one.on != first.on)),
        str(registry.admin_user).lower() if registry else "",
    )


def widest(grants: list[Grant]) -> list[Grant]:
    """Without those that another one of the same plan covers; that one names their rules as well."""
    kept = []
    for grant in grants:
        if any(_covers(other, grant) for other in grants):
            continue
        covered = (grant, *(other for other in grants if _covers(grant, other)))
        kept.append(
            replace(
                grant,
                rule=", ".join(dict.fromkeys(one.rule for one in covered)),
                requirements=tuple(sorted({r for one in covered for r in one.requirements})),
                reason="; ".join(dict.fromkeys(one.reason for one in covered)),
                others=tuple(dict.fromkeys(on for one in covered for on in (one.on, *one.others) if on != grant.on)),
            )
        )
    return kept


def _covers(one: Grant, other: Grant) -> bool:
    same = (one.principal.id, one.scope) == (other.principal.id, other.scope)
    return same and contains(one.need, other.need) and not contains(other.need, one.need)


def once(withheld: list[Withheld], grants: list[Grant]) -> list[Withheld]:
    """What is withheld of one need and made for another is made; what is withheld twice is withheld once."""
    made = {grant.action_id for grant in grants}
    kept: dict[str, Withheld] = {}
    for one in withheld:
        if one.action.action_id not in made:
            kept.setdefault(one.action.action_id, one)
    return list(kept.values())
