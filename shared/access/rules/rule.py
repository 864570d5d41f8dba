"""What one entry of the rule table says.

A rule looks at one workspace of an estate and yields what it asks for. It decides nothing about what is already
held, what the policy wants or what a guard forbids: `shared.access.plan` does, for all rules alike.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from shared.access.asks import Ask, Severity
from shared.access.model import Estate, Want, Workspace
from shared.access.needs import Need
from shared.access.preferences import People
from shared.access.unasked import NOT_ASKED


class RuleKind(StrEnum):
    """As the requirements table has it."""

    FIX = "F"
    OPT_IN = "F?"
    AUDIT = "A"
    GUARD = "G"
    INPUT = "I"


class List(StrEnum):
    """What is listed below a workspace, by its name in ARM's path."""

    COMPUTES = "computes"
    ENDPOINTS = "onlineEndpoints"
    DATASTORES = "datastores"
    CONNECTIONS = "connections"

    def of(self, workspace: Workspace) -> Iterable[object]:
        """The list as the model has it, be it asked for or not."""
        listed: Iterable[object] = getattr(workspace, _ATTRIBUTES[self])
        return listed


_ATTRIBUTES = {
    List.COMPUTES: "computes",
    List.ENDPOINTS: "endpoints",
    List.DATASTORES: "datastores",
    List.CONNECTIONS: "connections",
}


def nothing(_: Workspace, __: Estate) -> Iterable[Want]:
    return ()


def no_asks(_: Workspace, __: Estate) -> Iterable[Ask]:
    """For the entries that other rules carry out (`Rule.through`)."""
    return ()


@dataclass(frozen=True, slots=True)
class FindingKind:
    """How severe a finding is, and what remedies it: `{names}` in `remedy` are filled in by what was found.

    A remedy of nothing but a name depends on what was found as a whole.
    """

    severity: Severity
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`requirements` are the AML-ids by which the policy can name the rule; `also` those that it helps with.

    `grants` are the needs that it may ever ask for: the app's own condition is made of their roles. `reads` are the
    lists below a workspace that it looks at; of the lists in `each` it looks at every member by itself, so that it can
    speak of one of these lists where another was not asked for. `wants` names what else it must see, found in
    `Estate.facts` when it examines (it is asked again until it wants nothing new, so that one thing may lead to the
    next). `watches` are the resource types (in Azure's spelling) whose events it wants. `acts` and `leaves` are its
    example, in words. An
    `optional` rule that is off is silent; any other F? rule that is off reports what it would grant. An entry with
    `through` changes nothing itself: the rules that it names carry it out. `allow_listed`: it grants nothing but on the
    policy's allow-list, so that without one the app's condition does without its roles. `to_groups`: it grants to the
    groups that the policy names and to nobody else, roles that it tells by what the policy says of them; so does the
    condition. `keeps_apart`: where people let identities like those that it asks for at different ones of its targets,
    it grants nothing there (`shared.access.separation`); each rule that grants says so or not. `of_leaving`: it looks
    at workspaces that are being deleted as well. `objects`: though no guard by its kind, it may keep a change from
    being made, or know who keeps a registry's admin user on. `objects_to_grants`: it yields objections to grants.
    `asks_everybody`: whether what it asks for is done depends on what all the other rules say.

    `severity` and `remedy` are those of what it finds (`FindingKind`); a rule that finds several things names them in
    `findings` instead. What it says of a role that is missing, `shared.access.advice` knows.
    """

    name: str
    requirements: tuple[str, ...]
    mode: RuleKind
    title: str
    source: str
    examine: Callable[[Workspace, Estate], Iterable[Ask]]
    acts: str
    leaves: str
    severity: Severity | None = None
    remedy: str = ""
    findings: Mapping[str, FindingKind] = field(default_factory=dict, hash=False)
    wants: Callable[[Workspace, Estate], Iterable[Want]] = nothing
    also: tuple[str, ...] = ()
    grants: tuple[Need, ...] = ()
    reads: tuple[List, ...] = ()
    each: tuple[List, ...] = ()
    watches: tuple[str, ...] = ()
    optional: bool = False
    through: tuple[str, ...] = ()
    allow_listed: bool = False
    to_groups: Callable[[People], tuple[str, ...]] | None = None
    keeps_apart: bool | None = None
    of_leaving: bool = False
    objects: bool = False
    objects_to_grants: bool = False
    asks_everybody: bool = False

    @property
    def is_guard(self) -> bool:
        """Whether its name may be the word under which a change is withheld."""
        return self.objects or self.mode is RuleKind.GUARD

    @property
    def kinds(self) -> Mapping[str, FindingKind]:
        """All that it finds, by name; without one where that is only one thing."""
        return self.findings if self.severity is None else {"": FindingKind(self.severity, self.remedy)}

    def examines(self, workspace: Workspace) -> bool:
        return self.of_leaving or not workspace.leaving

    def looks_at(self, name: List) -> bool:
        return name in self.reads or name in self.each

    def seen(self, workspace: Workspace) -> Workspace:
        """`workspace` without what it would look at one by one and nobody asked for: it speaks of the rest."""
        hidden: dict[str, Any] = {_ATTRIBUTES[name]: () for name in self.each if name.of(workspace) is NOT_ASKED}
        return replace(workspace, **hidden) if hidden else workspace

    def asks(self, workspace: Workspace, estate: Estate) -> Iterable[Ask]:
        return self.examine(self.seen(workspace), estate)

    def needs_to_see(self, workspace: Workspace, estate: Estate) -> Iterable[Want]:
        return self.wants(self.seen(workspace), estate)
