"""Who needs what on a resource, who holds it and through what: the plan's own reasons, told for one resource."""

from collections.abc import Iterator
from dataclasses import dataclass

from shared.access.asks import RequiredGrant
from shared.access.compare import ask, grant_key, held
from shared.access.documents import Document
from shared.access.model import Estate, Principal
from shared.access.needs import Need
from shared.access.outcomes import Grant, Plan, Setting
from shared.access.permissions import Coverage, RoleAssignment
from shared.access.rules import Rule
from shared.access.scope import Scope
from shared.access.terms import Terms


@dataclass(frozen=True, slots=True)
class Explained:
    """One need of one identity, whichever rules ask for it, and what `plan` makes of it."""

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


def explain(estate: Estate, terms: Terms, made: Plan, resource: Scope) -> tuple[Explained, ...]:
    """The needs on `resource`, and those of its own identity elsewhere. `made` is the estate's plan."""
    asked = ask(estate.subject, estate, terms)
    merged: dict[tuple[str, str, Need], list[tuple[Rule, RequiredGrant]]] = {}
    for rule, one in asked.grants:
        if resource in (one.scope, one.on, one.principal.resource):
            merged.setdefault(grant_key(one), []).append((rule, one))
    return tuple(_explained(tuple(asking), estate, made) for asking in merged.values())


def settings(made: Plan, resource: Scope) -> Iterator[tuple[Setting, str]]:
    """What is planned for the resource's own settings, and why it happens, waits or is withheld."""
    planned = ((one, "planned", one.reason) for one in made.settings)
    waiting = ((one.action, "deferred", one.reason) for one in made.deferred)
    kept = ((one.action, f"withheld ({one.refusal.guard})", one.refusal.reason) for one in made.withheld)
    for action, verdict, reason in (*planned, *waiting, *kept):
        if isinstance(action, Setting) and action.resource == resource:
            yield action, f"{verdict}: {reason}"


def _explained(asking: tuple[tuple[Rule, RequiredGrant], ...], estate: Estate, made: Plan) -> Explained:
    one = asking[0][1]
    cover = held(one, estate)
    known = estate.access[one.principal.id].roles if one.principal.id in estate.access else {}
    roles = ((a, known[a.role_id].name if a.role_id in known else a.role_id) for a in cover.through)
    verdict, reason = ("held", "") if cover.held else _verdict(one, estate, made)
    return Explained(asking, cover, tuple(roles), verdict, reason)


def _verdict(one: RequiredGrant, estate: Estate, made: Plan) -> tuple[str, str]:
    if any(_serves(grant, one) for grant in made.grants):
        return "to be granted", "amlguard grants it in mode enforce, or by `amlguard apply`"
    for withheld in made.withheld:
        if isinstance(withheld.action, Grant) and _serves(withheld.action, one):
            return f"withheld ({withheld.refusal.guard})", withheld.refusal.reason
    if not estate.sees(one.scope):
        return "not known", f"amlguard may not read role assignments at {one.scope}"
    for finding in made.findings:
        if finding.resource == one.on and set(finding.requirements) == set(one.requirements):
            return "missing", finding.remedy
    return "missing", "the policy turns its rule off or exempts it"


def _serves(grant: Grant, one: RequiredGrant) -> bool:
    same = (grant.principal.id.casefold(), grant.scope) == (one.principal.id.casefold(), one.scope)
    return same and (grant.need == one.need or set(grant.need.permissions) > set(one.need.permissions))


def _through(assignment: RoleAssignment, role: str, principal: Principal) -> Document:
    by_group = assignment.principal_id.casefold() != principal.id.casefold()
    return {
        "roleName": role,
        "scope": str(assignment.scope),
        "roleAssignmentId": assignment.id,
        "group": assignment.principal_id if by_group else None,
    }
