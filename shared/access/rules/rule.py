"""What one entry of the rule table says.

A rule looks at one workspace of an estate and yields what it asks for. It does not decide what is already held, what
the policy wants or what a guard forbids: `shared.access.plan` does that for all rules in the same way.
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
    """The modes of the requirements table."""

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
    """For entries that other rules carry out (`Rule.through`)."""
    return ()


@dataclass(frozen=True, slots=True)
class FindingKind:
    """How severe a finding is, and its remedy. What was found fills in the `{names}` in `remedy`.

    If the remedy is nothing but one name, the whole remedy depends on what was found.
    """

    severity: Severity
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`requirements` are the AML-ids by which the policy can name the rule. `also` are AML-ids that it helps with.

    - `grants`: the needs that the rule may ask for. The app's own condition is made of their roles.
    - `advises`: it may ask for grants although it changes nothing, so that people are told what is missing.
    - `reads`: the lists below a workspace that it looks at.
    - `each`: those lists of which it looks at every member by itself. So it can judge one of them although another was
      not read.
    - `wants`: what else it must see. It finds that in `Estate.facts` when it examines. It is asked again until it
      wants nothing new, so that one thing may lead to the next.
    - `watches`: the resource types, in Azure's spelling, whose events it wants.
    - `acts` and `leaves`: an example in words of where it acts, and of where it does not.
    - `optional`: while the rule is off, it is silent. Any other F? rule that is off reports what it would grant.
    - `through`: the rules that carry this entry out. The entry itself changes nothing.
    - `allow_listed`: it grants only on the policy's allow-list. Without an allow-list, the app's condition leaves
      its roles out.
    - `to_groups`: it grants only to groups that the policy names. It takes the roles from what the policy says
      about these groups, and so does the condition.
    - `keeps_apart`: if people gave identities of this kind different ones of its targets, it grants nothing there
      (`shared.access.separation`). Each rule that grants says whether this applies.
    - `of_leaving`: it also looks at workspaces that are being deleted.
    - `objects`: it is not a guard by its kind, but it may object to a change, or know who keeps a registry's admin
      user on.
    - `objects_to_grants`: it yields objections to grants.
    - `asks_everybody`: whether amlguard does what it asks for depends on what all the other rules say.

    `severity` and `remedy` belong to what it finds (`FindingKind`). A rule that finds several things names them in
    `findings` instead. `shared.access.advice` knows what to say about a missing role.
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
    advises: bool = False
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
    def leads(self) -> bool:
        """Whether it may ask for grants or settings. What these need is read before all other rules are asked."""
        return self.advises or bool(self.grants) or self.mode is RuleKind.FIX

    @property
    def kinds(self) -> Mapping[str, FindingKind]:
        """All that it finds, by name. If it finds only one thing, the name is empty."""
        return self.findings if self.severity is None else {"": FindingKind(self.severity, self.remedy)}

    def examines(self, workspace: Workspace) -> bool:
        return self.of_leaving or not workspace.leaving

    def looks_at(self, name: List) -> bool:
        return name in self.reads or name in self.each

    def seen(self, workspace: Workspace) -> Workspace:
        """`workspace` without what it would look at one by one and nobody asked for: it speaks of the rest."""
        if not self.each:
            return workspace
        hidden: dict[str, Any] = {_ATTRIBUTES[name]: () for name in self.each if name.of(workspace) is NOT_ASKED}
        return replace(workspace, **hidden) if hidden else workspace

    def asks(self, workspace: Workspace, estate: Estate) -> Iterable[Ask]:
        return self.examine(self.seen(workspace), estate)

    def needs_to_see(self, workspace: Workspace, estate: Estate) -> Iterable[Want]:
        return self.wants(self.seen(workspace), estate)
