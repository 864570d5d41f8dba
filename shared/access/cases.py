"""What the guards judge: a change that a rule asks for, and everything that is known about where it would be made."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from shared.access.actions import Grant
from shared.access.ask_rules import WorkspaceAsks
from shared.access.asks import Objection, Property, RegistryUser, RequiredGrant, RequiredRemoval, RequiredSetting
from shared.access.model import Estate, Workspace
from shared.access.own_assignments import assignment_name
from shared.access.permissions import Coverage
from shared.access.registry_users import registry_users
from shared.access.rules import Rule
from shared.access.scope import Scope
from shared.access.terms import Terms

type Concern = tuple[Rule, tuple[str, ...], Scope]
"""A rule, the requirements for which it acts, and a resource: what exemptions and the policy's modes apply to."""


@dataclass(frozen=True)
class Situation:
    """The situation of one workspace. `asked` is what rules ask for all workspaces at hand, the subject first.

    Any of them may object.
    """

    asked: Sequence[WorkspaceAsks]
    estate: Estate
    terms: Terms

    @property
    def workspace(self) -> Workspace:
        return self.asked[0].workspace

    @cached_property
    def objections(self) -> list[Objection]:
        return [one for each in self.asked for one in each.objections]


@dataclass(frozen=True, slots=True)
class GrantCase:
    """`cover` says how far what is asked for is held already."""

    at: Situation
    rule: Rule
    ask: RequiredGrant
    cover: Coverage

    @property
    def requirements(self) -> tuple[str, ...]:
        return self.ask.requirements

    @property
    def action_id(self) -> str:
        return assignment_name(self.ask.scope, self.ask.principal.id, self.ask.need.role_id)

    @property
    def target(self) -> Scope:
        return self.ask.scope

    @property
    def identity(self) -> Scope | None:
        return self.ask.principal.resource

    @property
    def is_explicit(self) -> bool:
        return self.ask.explicit

    @property
    def written(self) -> tuple[Scope, ...]:
        return (self.ask.scope,)

    @property
    def concerns(self) -> tuple[Concern, ...]:
        return tuple((self.rule, self.requirements, scope) for scope in (self.ask.on, self.ask.scope))

    def is_meant_by(self, objection: Objection) -> bool:
        concerns = objection.setting is None and objection.target.contains(self.ask.scope)
        return concerns and objection.principal in (None, self.ask.principal.id)


@dataclass(frozen=True)
class SettingCase:
    """`grants` are those of the same plan. They may cover users of a registry."""

    at: Situation
    rule: Rule
    ask: RequiredSetting
    action_id: str
    grants: Sequence[Grant] = ()
    is_explicit = False

    @property
    def requirements(self) -> tuple[str, ...]:
        return self.ask.requirements

    @property
    def target(self) -> Scope:
        return self.ask.resource

    @property
    def identity(self) -> Scope | None:
        return self.ask.principal.resource if self.ask.principal else None

    @property
    def is_switch_off(self) -> bool:
        return self.ask.name is Property.ADMIN_USER

    @property
    def written(self) -> tuple[Scope, ...]:
        """What is written: when the admin user goes off, the keys of every workspace are resynced as well."""
        return (self.target, *(on for _, one, on in self._following if one.name is Property.CACHED_KEYS))

    @property
    def concerns(self) -> tuple[Concern, ...]:
        """The admin user stays on if a workspace is exempt, or if its keys could not be resynced afterwards."""
        following = ((rule, one.requirements, on) for rule, one, on in self._following)
        return ((self.rule, self.requirements, self.target), *following)

    def is_meant_by(self, objection: Objection) -> bool:
        return objection.setting is self.ask.name and objection.target == self.ask.resource

    @cached_property
    def users(self) -> tuple[RegistryUser, ...]:
        """The users of the registry whose admin user would go off."""
        return registry_users(self.ask.resource, self.at.asked, self.grants, self.at.estate)

    @cached_property
    def _following(self) -> list[tuple[Rule, RequiredSetting, Scope]]:
        """What follows from the switch-off for each workspace at hand, unless the policy turned that off."""
        if not self.is_switch_off:
            return []
        return [
            (rule, one, each.workspace.id)
            for each in self.at.asked
            for rule, one in each.settings
            if one.name in (Property.ADMIN_USER, Property.CACHED_KEYS)
            and not self.at.terms.explicitly_off(rule, one.requirements)
        ]


@dataclass(frozen=True, slots=True)
class RemovalCase:
    at: Situation
    rule: Rule
    ask: RequiredRemoval
    action_id: str

    @property
    def requirements(self) -> tuple[str, ...]:
        return self.ask.requirements

    @property
    def concerns(self) -> tuple[Concern, ...]:
        return tuple((self.rule, self.requirements, scope) for scope in (self.ask.on, self.ask.scope))

    @property
    def target(self) -> Scope:
        return self.ask.scope


type Case = GrantCase | SettingCase | RemovalCase
