"""Reads what one workspace's reconcile must know, and nothing else.

What to read follows from what the rules ask. The workspace and its lists come first. Then the dependencies and the
access of each identity that a rule names are read all at once. Custom roles, deny assignments and unresolved identities
are read only if there are any. Nothing is decided here: whoever decides calls `look_around` and `look_further`.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from shared.access import parse
from shared.access.ask_rules import WorkspaceAsks, ask_all, lead_on
from shared.access.cases import Situation
from shared.access.lost import without_lost
from shared.access.model import Compute, ComputeType, Estate, Fact, Principal, Unreadable, Want
from shared.access.permissions import RoleDefinition
from shared.access.raw import get, misshapen
from shared.access.rules import Rule, RuleKind
from shared.access.rules.pull import AKS_CLUSTER, PULLS
from shared.access.rules.rule import nothing
from shared.access.rules.workspace import granted_by_nobody
from shared.access.scope import Scope
from shared.access.surroundings import Lock
from shared.access.terms import Terms
from shared.access.unasked import if_asked
from shared.messages import Trigger
from shared.ports import Reads
from shared.reading.cached import CachedReads
from shared.reading.facts import read_dependency, read_fact, read_facts
from shared.reading.neighbours import neighbours
from shared.reading.role_holdings import ROLE_ASSIGNMENTS, access, at_hand
from shared.reading.subscriptions import LOCKS, around, named_by
from shared.reading.whom_to_read import holders_at_hand, unknown_holders
from shared.reading.workspace import read_workspace


async def observe(
    workspace: Scope,
    azure: CachedReads,
    terms: Terms,
    trigger: Trigger | None = None,
    *,
    frugal: bool = False,
    listed: bool = False,
) -> Situation | None:
    """Reads what must be known of the workspace, with what the rules ask for then. None if it does not exist.

    Raises `ReadFailedError`, and never returns a partial estate. `frugal` prefers one more round trip to one request
    for each identity. `listed` saves that request, too, where no group is near (see `at_hand`). `azure` is kept for
    `look_around` and `look_further`, which add to this estate.
    """
    subject, _ = await asyncio.gather(read_workspace(workspace, azure, terms), _ahead(workspace, azure))
    if subject is None:
        return None
    trigger = trigger or Trigger()
    estate = Estate(
        azure.now(),
        subject,
        people=terms.people,
        preferences=terms.preferences,
        caller=_caller(trigger),
        changed=Scope.parse(trigger.resource) if trigger.resource else None,
    )
    return await _complete(estate, azure, terms, frugal=frugal, listed=listed)


async def look_around(
    estate: Estate, azure: CachedReads, terms: Terms, *, frugal: bool = False, listed: bool = False
) -> Situation:
    """`estate` with the other workspaces on the registry, and with what they need."""
    others, strays = await neighbours(estate.subject, azure, terms)
    return await _complete(
        replace(estate, neighbours=others, strays=strays), azure, terms, frugal=frugal, listed=listed
    )


async def look_further(
    estate: Estate,
    wants: Iterable[Want],
    azure: CachedReads,
    terms: Terms,
    *,
    frugal: bool = False,
    listed: bool = False,
) -> Situation:
    """`estate` with `wants`, and with what they lead to."""
    facts = await read_facts(wants, azure)
    return await _complete(replace(estate, facts={**estate.facts, **facts}), azure, terms, frugal=frugal, listed=listed)


async def look_for(estate: Estate, besides: WorkspaceAsks, azure: CachedReads, terms: Terms) -> Estate:
    """`estate` with what guards must know about `besides`, which no rule needs to ask for now."""
    seen = await _complete(estate, azure, terms, frugal=False, besides=(besides,))
    return seen.estate


async def _ahead(workspace: Scope, azure: Reads) -> None:
    """What every workspace's reconcile needs and what the id alone tells.

    `azure` keeps the answers, including failures.
    """
    subscription, group = workspace.subscription, workspace.resource_group
    if subscription and group:
        await asyncio.gather(
            azure.children(group, ROLE_ASSIGNMENTS),
            azure.children(subscription, LOCKS),
            azure.deny_assignments(subscription, None),
            return_exceptions=True,
        )


def _caller(trigger: Trigger) -> Principal | None:
    """Who they are is not recorded (law 11), nor whether they are a person."""
    caller = trigger.caller_object_id
    return Principal(caller, f"whoever made the change ({caller})", type="") if caller else None


async def _complete(
    estate: Estate,
    azure: Reads,
    terms: Terms,
    *,
    frugal: bool,
    listed: bool = False,
    besides: Sequence[WorkspaceAsks] = (),
) -> Situation:
    """Reads until the rules that lead name nobody whose access is unknown. The others are asked once, at the end."""
    estate = replace(estate, access={})
    seen: set[Scope] = set()
    known: frozenset[Scope] = frozenset()
    rules = _that_want(terms)
    leading: Sequence[Rule] = [rule for rule in terms.asked if rule.leads]
    while True:
        led = ask_all(estate, terms, leading)
        asked = (*led, *besides)
        subscriptions, estate = await around(asked, known, estate, azure)
        # The rules need not be asked again after this. They look at what an identity holds only if a workspace acts as
        # it, and of such an identity nothing is `at_hand`.
        found = await at_hand(*holders_at_hand(asked, estate, frugal=frugal), azure, listed=listed)
        estate = replace(estate, access={**estate.access, **found}) if found else estate
        dependencies = _dependencies(estate) - seen
        wants = _wants(estate, rules) - estate.facts.keys()
        principals = unknown_holders(asked, estate, terms)
        if not dependencies and not principals and not wants and subscriptions <= known:
            mine = ask_all(estate, terms, before=led)
            if not lead_on(mine, led):
                estate = await _with_backgrounds(replace(estate, now=azure.now()), asked, known, azure)
                return Situation(mine, estate, terms)
            leading = terms.asked
        seen |= dependencies
        known |= subscriptions
        facts, estate = await asyncio.gather(
            read_facts(wants, azure), _read(estate, dependencies, principals, known, azure)
        )
        estate = _without_lost(replace(estate, facts={**estate.facts, **facts}))


def _without_lost(estate: Estate) -> Estate:
    found = [without_lost(workspace, estate.facts) for workspace in estate.workspaces]
    return replace(estate, subject=found[0], neighbours=tuple(found[1:]))


async def _read(
    estate: Estate, dependencies: set[Scope], principals: set[str], subscriptions: frozenset[Scope], azure: Reads
) -> Estate:
    scopes, holders, subs = list(dependencies), sorted(principals), sorted(subscriptions, key=str)
    named = {scope for workspace in estate.workspaces for scope in named_by(workspace)}
    raws, held, locks = await asyncio.gather(
        asyncio.gather(
            *(read_dependency(scope, azure) if scope in named else read_fact(Want(scope), azure) for scope in scopes)
        ),
        access(holders, subs, azure),
        _locks(subs, azure),
    )
    estate = replace(estate, access={**estate.access, **held}, locks=locks)
    for scope, raw in zip(scopes, raws, strict=True):
        estate = _with(estate, scope, raw)
    return estate


def _with(estate: Estate, scope: Scope, raw: Fact) -> Estate:
    if raw is None:
        return replace(estate, missing=estate.missing | {scope})
    if raw is Unreadable.NOT_SHOWN:
        return estate
    if misshapen(raw):
        raw = Unreadable.MISSHAPEN
        estate = replace(estate, facts={**estate.facts, Want(scope): raw})
    if not isinstance(raw, Mapping):
        return replace(estate, blind=estate.blind | {scope})
    match scope.resource_type:
        case "microsoft.containerregistry/registries":
            return replace(estate, registries={**estate.registries, scope: parse.registry(raw, scope)})
        case "microsoft.keyvault/vaults":
            return replace(estate, vaults={**estate.vaults, scope: parse.vault(raw, scope)})
        case _:
            kubelet = parse.cluster(raw, scope)
            return replace(estate, clusters={**estate.clusters, scope: kubelet}) if kubelet else estate


def _that_want(terms: Terms) -> Sequence[Rule]:
    """The rules that may want to see more than the workspace and its lists."""
    able = (rule for rule in terms.table if rule.wants is not nothing)
    return [rule for rule in able if terms.enabled(rule) or _reports_while_off(rule, terms)]


def _wants(estate: Estate, rules: Iterable[Rule]) -> set[Want]:
    return {
        want
        for rule in rules
        for workspace in estate.workspaces
        if rule.examines(workspace) and (workspace is estate.subject or _bears_on_registry(rule))
        for want in rule.needs_to_see(workspace, estate)
    }


def _reports_while_off(rule: Rule, terms: Terms) -> bool:
    """An F? rule that is off says what it would do, unless it is optional or the policy turned it off by name."""
    return rule.mode is RuleKind.OPT_IN and not rule.optional and not terms.explicitly_off(rule, rule.requirements)


def _bears_on_registry(rule: Rule) -> bool:
    """Only what concerns the registry matters about the other workspaces on it."""
    return rule.mode is RuleKind.GUARD or any(need in PULLS for need in rule.grants)


def _dependencies(estate: Estate) -> set[Scope]:
    """The dependencies with properties that rules look at. Storage accounts and components are only ever named."""
    found: set[Scope] = set()
    for workspace in estate.workspaces:
        named = (workspace.registry, *(connection.registry for connection in if_asked(workspace.connections)))
        found |= {scope for scope in named if scope}
        if workspace.vault and granted_by_nobody(workspace, workspace.vault):
            found.add(workspace.vault)
        found |= {cluster for compute in if_asked(workspace.computes) if (cluster := _cluster(compute))}
    return found


def _cluster(compute: Compute) -> Scope | None:
    """The owner of a resource of another type could make up the identity."""
    attached = compute.attached if compute.type in (ComputeType.AKS, ComputeType.KUBERNETES) else None
    return attached if attached and attached.resource_type == AKS_CLUSTER else None


async def _with_backgrounds(
    estate: Estate, asked: Iterable[WorkspaceAsks], subscriptions: frozenset[Scope], azure: Reads
) -> Estate:
    """What the roles to be granted give, and what guards must know about the few grants outside the subscription."""
    asking = [one for each in asked for _, one in each.grants]
    granted = {one.need.role_id for one in asking}
    holders = [one.principal for one in asking]
    holders += [one.principal for each in asked for _, one in each.settings if one.principal]
    resources = (holder.resource for holder in holders)
    away = {scope.subscription for scope in resources if scope} - {None}
    scopes = sorted({*subscriptions, *filter(None, away)}, key=str)
    roles, facts = await asyncio.gather(
        _roles(frozenset(granted), estate.subject.id, azure),
        read_facts([Want(scope) for scope in scopes] if len(scopes) > 1 else [], azure),
    )
    known = [(want.scope, get(fact, "tenantId")) for want, fact in facts.items()]
    return replace(estate, roles=roles, tenants={scope: tenant for scope, tenant in known if isinstance(tenant, str)})


async def _roles(role_ids: frozenset[str], at: Scope, azure: Reads) -> Mapping[str, RoleDefinition]:
    return await azure.role_definitions(role_ids, at.subscription or at) if role_ids else {}


async def _locks(subscriptions: Sequence[Scope], azure: Reads) -> tuple[Lock, ...]:
    raws = await asyncio.gather(*(azure.children(subscription, LOCKS) for subscription in subscriptions))
    found = (parse.lock(raw, at) for at, rows in zip(subscriptions, raws, strict=True) for raw in rows or ())
    return tuple(lock for lock in found if lock)
