"""Who would lack something if amlguard's changes were taken back: the rules are asked about the estate as it would be.

Those for whom a run made the change are then as they were before the run, so they are no reason to keep it. Others are:
those that have come to hold something through it since, and those that the admin user no longer serves.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from shared.access.actions import Removal, Setting
from shared.access.ask_rules import WorkspaceAsks, ask_rules
from shared.access.asks import Property, RequiredGrant
from shared.access.held import held
from shared.access.model import Estate
from shared.access.rules import Rule
from shared.access.scope import Scope
from shared.access.surroundings import Vault
from shared.access.terms import Terms
from shared.access.undo_steps import Step


@dataclass(frozen=True, slots=True)
class TakingBack:
    """`steps` as a whole. `served` are the resources for which the runs are known to have made their changes."""

    steps: tuple[Step, ...]
    served: frozenset[Scope]

    @property
    def removals(self) -> list[tuple[Step, Removal]]:
        return [(one, one.action) for one in self.steps if isinstance(one.action, Removal)]

    @property
    def policies(self) -> list[tuple[Step, Setting]]:
        return self._settings(Property.ACCESS_POLICY)

    @property
    def coming_on(self) -> set[Scope]:
        """The registries whose admin user is turned on again."""
        return {one.resource for _, one in self._settings(Property.ADMIN_USER)}

    def _settings(self, name: Property) -> list[tuple[Step, Setting]]:
        return [(one, one.action) for one in self.steps if isinstance(one.action, Setting) and one.action.name is name]

    def serves(self, on: Scope) -> bool:
        return on in self.served

    def serves_in(self, workspace: Scope) -> bool:
        return any(workspace.contains(one) for one in self.served)


def relied_on(taking: TakingBack, estates: Sequence[Estate], terms: Terms) -> dict[str, tuple[str, ...]]:
    """Who needs what would go, in words, by the action id."""
    found: dict[str, list[str]] = {}
    for estate in estates:
        asked = ask_rules(estate.subject, estate, terms)
        for rule, one in asked.grants:
            for step, why in _grants_missed(rule, one, estate, taking):
                found.setdefault(step.done.action_id, []).append(why)
        for step, why in _policies_missed(asked, estate, terms, taking):
            found.setdefault(step.done.action_id, []).append(why)
    return {action_id: tuple(dict.fromkeys(said)) for action_id, said in found.items()}


def _grants_missed(rule: Rule, one: RequiredGrant, estate: Estate, taking: TakingBack) -> Iterator[tuple[Step, str]]:
    """The needs that are held through it now and would not be held without it."""
    if not estate.sees(one.scope):  # Nobody can tell, so it counts as if everything depended on it.
        lost = [step for step, removal in taking.removals if _is_for(removal, one)]
    else:
        lost = _lost(one, estate, taking.removals)
    registry = estate.registries.get(one.scope)
    off = registry is not None and not registry.admin_user and registry.id not in taking.coming_on
    for step in lost:
        if not taking.serves(one.on):
            yield step, f"{one.reason} ({rule.name})"
        elif off and step.done.before != "false":
            yield step, f"{one.reason}, and the admin user of {one.scope.name} is off"


def _lost(one: RequiredGrant, estate: Estate, removals: Iterable[tuple[Step, Removal]]) -> list[Step]:
    going = {removal.assignment.key: step for step, removal in removals}
    access = estate.access[one.principal.id]
    gone = {a.id: going[a.id.casefold()] for a in access.assignments if a.id.casefold() in going}
    if not gone or not held(one, estate).held or held(one, _without(gone, one, estate)).held:
        return []
    enough = [step for name, step in gone.items() if held(one, _without(gone.keys() - {name}, one, estate)).held]
    return enough or list(gone.values())


def _without(gone: Iterable[str], one: RequiredGrant, estate: Estate) -> Estate:
    access = estate.access[one.principal.id]
    left = tuple(a for a in access.assignments if a.id not in set(gone))
    return replace(estate, access={one.principal.id: replace(access, assignments=left)})


def _is_for(removal: Removal, one: RequiredGrant) -> bool:
    asked = one.principal.id.casefold(), one.scope, one.need.role_id
    return asked == (removal.principal_id, removal.scope, removal.role_id)


def _policies_missed(
    asked: WorkspaceAsks, estate: Estate, terms: Terms, taking: TakingBack
) -> Iterator[tuple[Step, str]]:
    """Asks the rules again what the workspace's identity would lose in a vault."""
    if taking.serves_in(estate.subject.id):
        return
    asked_now = {one.resource for _, one in asked.settings}
    for step, setting in taking.policies:
        vault = estate.vaults.get(setting.resource)
        if vault is None:
            continue
        then = replace(estate, vaults={vault.id: _less(vault, step)})
        for rule, one in ask_rules(estate.subject, then, terms).settings:
            if one.resource not in asked_now:
                yield step, f"{one.reason} ({rule.name})"


def _less(vault: Vault, step: Step) -> Vault:
    who = step.done.principal_id.casefold()
    policies: Mapping[str, frozenset[str]] = vault.policies
    left = policies.get(who, frozenset()) - step.done.added
    return replace(vault, policies={**policies, who: left})
