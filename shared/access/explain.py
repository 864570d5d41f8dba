"""Who needs what on a resource, and through what they hold it: the reasons of the plan, for one resource."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from shared.access.actions import Grant, Plan, Removal, Setting, Wait
from shared.access.ask_rules import ask_all, ask_rules, grant_key
from shared.access.asks import Cover, Finding, RegistryUser, RequiredGrant
from shared.access.held import weakest
from shared.access.model import Estate, Identity, Principal, Workspace
from shared.access.needs import Need
from shared.access.permissions import Coverage, RoleAssignment
from shared.access.plan_json import Document
from shared.access.registry_users import registry_users
from shared.access.rules import Rule
from shared.access.scope import Scope
from shared.access.terms import Terms

NOT_KNOWN = "not known"
"""The verdict where the role assignments may not be read."""


@dataclass(frozen=True, slots=True)
class Explained:
    """One need of one identity, whichever rules ask for it, and what `plan` decides about it."""

    asking: tuple[tuple[Rule, RequiredGrant], ...]
    coverage: Coverage
    roles: tuple[tuple[RoleAssignment, str], ...]
    verdict: str
    reason: str

    @property
    def ask(self) -> RequiredGrant:
        return self.asking[0][1]

    @property
    def held(self) -> bool:
        return self.coverage.held

    def document(self) -> Document:
        one = self.ask
        return {
            "principalId": one.principal.id,
            "identity": one.principal.label,
            "resourceId": str(one.on),
            "need": one.need.name,
            "roleName": one.need.role_name,
            "scope": str(one.scope),
            "verdict": self.verdict,
            "reason": self.reason,
            "heldThrough": [_through(assignment, role, one.principal) for assignment, role in self.roles],
            "missing": [permission.action for permission in self.coverage.missing],
            "conditional": [assignment.id for assignment in self.coverage.conditional],
            "deniedBy": [deny.id for deny in self.coverage.denied_by],
            "rules": list(dict.fromkeys(rule.name for rule, _ in self.asking)),
            "requirements": sorted({name for _, each in self.asking for name in each.requirements}),
            "why": list(dict.fromkeys(each.reason for _, each in self.asking)),
            "sources": list(dict.fromkeys(rule.source for rule, _ in self.asking)),
        }


@dataclass(frozen=True, slots=True)
class HeldRole:
    """A role assignment of an identity, and which of its needs it serves. None: nobody asks for what it gives."""

    principal: Principal
    assignment: RoleAssignment
    role: str
    used_for: tuple[str, ...]

    def document(self) -> Document:
        return {
            "principalId": self.principal.id,
            "identity": self.principal.label,
            **_through(self.assignment, self.role, self.principal),
            "usedFor": list(self.used_for),
        }


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan of one workspace says about a resource. `changes` come with the plan's verdict.

    `roles` are those of the resource's own identities, as far as they were read.
    """

    workspace: Workspace
    needs: tuple[Explained, ...]
    changes: tuple[tuple[Setting | Removal | Wait, str], ...]
    findings: tuple[Finding, ...]
    roles: tuple[HeldRole, ...] = ()


def explain(estate: Estate, terms: Terms, made: Plan, resource: Scope) -> Seen:
    """All needs on `resource` and below it, and those of its own identities wherever they are.

    `made` is the plan of the estate. For a workspace this is all of it.
    """
    subject, whole = estate.subject, resource.contains(estate.subject.id)
    holders = _holders(resource, estate)

    def concerns(*scopes: Scope | None) -> bool:
        return whole or any(scope is not None and resource.contains(scope) for scope in scopes)

    merged: dict[tuple[str, str, Need], list[tuple[Rule, RequiredGrant]]] = {}
    for rule, one in ask_rules(subject, estate, terms).grants:
        if concerns(one.scope, one.on, one.principal.resource) or one.principal.id in holders:
            merged.setdefault(grant_key(one), []).append((rule, one))
    needs = tuple(_explained(tuple(asking), estate, made) for asking in merged.values())
    return Seen(
        subject,
        needs,
        tuple((one, verdict) for one, verdict in _changes(made) if concerns(one.resource, _at(one))),
        tuple(one for one in made.findings if concerns(one.resource) and not _told(one, needs)),
        () if whole else tuple(_held_roles(resource, needs, estate)),
    )


def _held_roles(resource: Scope, needs: Iterable[Explained], estate: Estate) -> Iterator[HeldRole]:
    """Of the identities of the resource, or of the identity that it is: what each of their roles is for."""
    own = _holders(resource, estate)
    asked = [one for one in needs if one.ask.principal.id in own or one.ask.principal.resource == resource]
    for principal in {one.ask.principal.id: one.ask.principal for one in asked}.values():
        access = estate.access.get(principal.id)
        for assignment in access.assignments if access else ():
            role = access.roles[assignment.role_id].name if access else ""
            used = (
                f"{one.ask.need.name} on {one.ask.scope.name}"
                for one in asked
                if one.ask.principal.id == principal.id and assignment in one.coverage.through
            )
            yield HeldRole(principal, assignment, role, tuple(dict.fromkeys(used)))


def users(estate: Estate, terms: Terms, made: Plan, resource: Scope) -> tuple[RegistryUser, ...]:
    """Who uses the registry of the estate's workspace. For any other resource, nobody."""
    if estate.subject.registry != resource:
        return ()
    return registry_users(resource, ask_all(estate, terms), made.grants, estate)


def user_document(one: RegistryUser) -> Document:
    return {
        "kind": str(one.kind),
        "user": one.label,
        "resourceId": str(one.resource),
        "cover": str(one.cover),
        "keepsAdminUserOn": one.counts and one.cover is not Cover.COVERED,
        "source": one.source,
        "reason": one.reason,
        "since": one.since.isoformat() if one.since else None,
    }


def _holders(resource: Scope, estate: Estate) -> frozenset[str]:
    """The identities of the resource and of what lies below it."""
    subject = estate.subject
    inside = [identity for scope, identity in _blocks(subject) if resource.contains(scope)]
    found = {holder.id for each in inside for holder in (each.system, *each.user) if holder}
    attached = [one.attached for one in subject.computes if resource.contains(one.id)]
    kubelets = [estate.clusters.get(cluster) for cluster in attached if cluster]
    return frozenset(found | {one.id for one in kubelets if one})


def _blocks(workspace: Workspace) -> list[tuple[Scope, Identity]]:
    return [
        (workspace.id, workspace.identity),
        *((one.id, one.identity) for one in workspace.computes),
        *((one.id, one.identity) for one in workspace.endpoints),
    ]


def _at(change: Setting | Removal | Wait) -> Scope | None:
    return change.scope if isinstance(change, Removal) else None


def _changes(made: Plan) -> Iterator[tuple[Setting | Removal | Wait, str]]:
    """What is planned other than grants, and why it happens, waits or is withheld."""
    yield from ((one, f"planned: {one.reason}") for one in made.settings)
    yield from ((one, f"planned: {one.reason}") for one in made.removals)
    for waiting in made.deferred:
        if not isinstance(waiting.action, Grant):
            yield waiting.action, f"deferred until {waiting.until:%Y-%m-%d %H:%M} UTC: {waiting.reason}"
    for kept in made.withheld:
        if not isinstance(kept.action, Grant):
            yield kept.action, f"withheld ({kept.refusal.guard}): {kept.refusal.reason}"


def _told(finding: Finding, needs: Iterable[Explained]) -> bool:
    """Whether it repeats what the verdict of a need says already."""
    return any(not one.held and ask in finding.needs for one in needs for _, ask in one.asking)


def _explained(asking: tuple[tuple[Rule, RequiredGrant], ...], estate: Estate, made: Plan) -> Explained:
    one = asking[0][1]
    cover = weakest((each for _, each in asking), estate)
    known = estate.access[one.principal.id].roles if one.principal.id in estate.access else {}
    roles = ((a, known[a.role_id].name if a.role_id in known else a.role_id) for a in cover.through)
    verdict, reason = ("held", "") if cover.held else _verdict(one, estate, made)
    if cover.perhaps and not cover.denied_by:
        verdict, reason = NOT_KNOWN, "; ".join(dict.fromkeys(each.doubt for each in cover.perhaps))
    return Explained(asking, cover, tuple(roles), verdict, reason)


def _verdict(one: RequiredGrant, estate: Estate, made: Plan) -> tuple[str, str]:
    if any(grant.serves(one) for grant in made.grants):
        return "to be granted", "amlguard grants it in mode enforce, or by `amlguard apply`"
    for withheld in made.withheld:
        if isinstance(withheld.action, Grant) and withheld.action.serves(one):
            return f"withheld ({withheld.refusal.guard})", withheld.refusal.reason
    if not estate.sees(one.scope):
        return NOT_KNOWN, f"amlguard may not read role assignments at {one.scope}"
    for finding in made.findings:
        if finding.resource in (one.on, one.scope) and set(one.requirements) <= set(finding.requirements):
            return "missing", finding.remedy
    return "missing", "the policy turns its rule off or exempts it"


def _through(assignment: RoleAssignment, role: str, principal: Principal) -> Document:
    by_group = assignment.principal_id.casefold() != principal.id.casefold()
    return {
        "roleName": role,
        "scope": str(assignment.scope),
        "roleAssignmentId": assignment.id,
        "group": assignment.principal_id if by_group else None,
    }
