"""Makes one grant of what several rules ask for: the same need of an identity, or a need that covers another."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from shared.access.actions import Grant, Withheld
from shared.access.ask_rules import GrantKey, WorkspaceAsks, grant_key
from shared.access.asks import RequiredGrant
from shared.access.model import Estate
from shared.access.rules import Rule

type Asking = list[tuple[Rule, RequiredGrant]]


def merged(asked: WorkspaceAsks) -> dict[GrantKey, Asking]:
    """The same need of the same identity at the same scope is one grant, whichever rules ask for it."""
    merged: dict[GrantKey, Asking] = {}
    for rule, one in asked.grants:
        merged.setdefault(grant_key(one), []).append((rule, one))
    return merged


def grant(acting: Asking, asking: Asking, estate: Estate) -> Grant:
    """The grant that rules ask for. `acting` are the rules that may act, `asking` all rules that need it."""
    rule, first = acting[0]
    registry, role = estate.registries.get(first.scope), estate.roles.get(first.need.role_id)
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
        role.permissions if role else (),
    )


def fewest(grants: Sequence[Grant]) -> list[Grant]:
    """Leaves out a grant if another grant's role contains its role, at the same scope or above.

    The other grant then names the rules of both. Containing is transitive, so every grant that is left out is covered
    by one that stays.
    """
    theirs: dict[str, list[Grant]] = {}
    for one in grants:
        theirs.setdefault(one.principal.id.casefold(), []).append(one)
    needless = {id(one) for same in theirs.values() for one in same if _is_needless(one, same)}
    return [
        _speaking_for(
            grant,
            [one for one in theirs[grant.principal.id.casefold()] if id(one) in needless and grant.covers(one)],
        )
        for grant in grants
        if id(grant) not in needless
    ]


def _is_needless(one: Grant, grants: Sequence[Grant]) -> bool:
    """Of several grants that give the same, the first one is needed."""
    first = next(each for each in grants if each.covers(one))
    return first is not one or any(each.covers(one) and not one.covers(each) for each in grants)


def _speaking_for(grant: Grant, needless: Sequence[Grant]) -> Grant:
    if not needless:
        return grant
    all_of_them = (grant, *needless)
    return replace(
        grant,
        rule=", ".join(dict.fromkeys(one.rule for one in all_of_them)),
        requirements=tuple(sorted({r for one in all_of_them for r in one.requirements})),
        reason="; ".join(dict.fromkeys(one.reason for one in all_of_them)),
        others=tuple(dict.fromkeys(on for one in all_of_them for on in (one.on, *one.others) if on != grant.on)),
        instead=tuple(one for one in needless if one.action_id != grant.action_id),
    )


def instead_of(failed: Iterable[Grant], made: Sequence[Grant]) -> list[Grant]:
    """The grants that `failed` grants would have made unnecessary and that no grant in `made` covers."""
    found = {one.action_id: one for grant in failed for one in grant.instead}
    return fewest([one for one in found.values() if not any(other.covers(one) for other in made)])


def once(withheld: list[Withheld], grants: list[Grant]) -> list[Withheld]:
    """A grant that is withheld for one need and made for another is made.

    A grant that is withheld twice is listed as withheld once.
    """
    made = {grant.action_id for grant in grants}
    kept: dict[str, Withheld] = {}
    for one in withheld:
        if one.action.action_id not in made:
            kept.setdefault(one.action.action_id, one)
    return list(kept.values())
