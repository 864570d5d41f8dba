"""Reads and plans for one workspace. Changes and records nothing.

The plan is for what the workspace needs. If an event touched one of its lists, the rules for that list are asked first,
and decide what they can decide alone (`shared.access.touched`). Other users of the registry matter only if the plan
would turn the registry's admin user off. Then the other workspaces on the registry are read, and after them whatever
the plan still needs in order to tell who needs the admin user (law 15).
"""

from dataclasses import dataclass

from shared.access.actions import Plan
from shared.access.model import Estate
from shared.access.plan import decide
from shared.access.registry_users import unread
from shared.access.rules import List
from shared.access.scope import Scope
from shared.access.terms import Terms
from shared.access.touched import about, decided
from shared.messages import Trigger
from shared.ports import Reads
from shared.reading.cached import CachedReads
from shared.reading.estate import look_around, look_further, observe


@dataclass(frozen=True, slots=True)
class Prepared:
    """`plan` was made from `estate`, which has everything that it needs."""

    estate: Estate
    plan: Plan


async def prepare(
    workspace: Scope,
    azure: Reads,
    terms: Terms,
    trigger: Trigger | None = None,
    *,
    touched: List | None = None,
    frugal: bool = False,
    listed: bool = False,
) -> Prepared | None:
    """None if the workspace does not exist (any more). Raises `ReadFailedError`.

    `touched` is the only list below the workspace that changed. None: anything may have changed. `frugal` and `listed`
    are as for `observe`.
    """
    once = CachedReads(azure)
    if touched:
        few = about(terms, touched)
        at = await observe(workspace, once, few, trigger)
        if at is None:
            return None
        alone = decided(decide(at), at.asked[0], at.estate, few)
        if alone:
            return Prepared(at.estate, alone)
    at = await observe(workspace, once, terms, trigger, frugal=frugal, listed=listed)
    if at is None:
        return None
    made = decide(at)
    if made.unread:
        # Nothing that was read so far keeps the admin user on. The other workspaces on the registry are read first,
        # because they may need it.
        at = await look_around(at.estate, once, terms, frugal=frugal, listed=listed)
        made = decide(at)
    while wants := made.unread - at.estate.facts.keys():
        at = await look_further(at.estate, wants, once, terms, frugal=frugal, listed=listed)
        made = decide(at)
    return Prepared(at.estate, made)


async def prepare_for_everybody(workspace: Scope, azure: Reads, terms: Terms) -> Prepared | None:
    """Like `prepare`, but reads all users of the registry, whatever keeps its admin user on."""
    once = CachedReads(azure)
    at = await observe(workspace, once, terms)
    if at is None:
        return None
    at = await look_around(at.estate, once, terms)
    while wants := unread(at.asked, at.estate) - at.estate.facts.keys():
        at = await look_further(at.estate, wants, once, terms)
    return Prepared(at.estate, decide(at))
