"""Which steps of an undo the guards of a plan allow now: reads what they must know, and asks `access.undo_guards`.

A step that takes a grant away needs no guard, because Azure itself shows that the grant is the run's (law 8). A step
that makes something again, or sets it back, is judged for a workspace that the policy watches and that has to do with
it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from shared.access import undo_guards
from shared.access.actions import Grant, Refusal, Setting
from shared.access.asks import Property
from shared.access.guards import Guard
from shared.access.routing import WORKSPACE
from shared.access.scope import Scope
from shared.access.terms import Terms
from shared.access.undo_steps import Step
from shared.memory import Memory
from shared.ports import ReadFailedError
from shared.reading.cached import CachedReads
from shared.reading.discover import search
from shared.reading.estate import look_for, observe
from shared.scopes import Scopes
from shared.writing.tags import stopped_by_tag


@dataclass(frozen=True, slots=True)
class Vetted:
    """`withheld` says by action id what a guard stops. These actions are among `steps` all the same."""

    steps: tuple[Step, ...]
    withheld: Mapping[str, Refusal]


@dataclass(frozen=True, slots=True)
class Vet:
    """`_users` are the workspaces that use what is set back. What is as it was before has none there."""

    azure: CachedReads
    terms: Terms
    _users: dict[Scope, Sequence[Scope]] = field(default_factory=dict)

    async def vet(self, steps: Sequence[Step]) -> Vetted:
        """Raises `ReadFailedError`, except for what may not be read at all, because a row can name anything."""
        answers = await asyncio.gather(*(self._judge(one) for one in steps))
        pairs = list(zip(steps, answers, strict=True))
        withheld = {one.done.action_id: said for one, said in pairs if isinstance(said, Refusal)}
        off = {one.done.on for one in steps if one.done.setting is Property.ADMIN_USER}
        pullers = {user for registry in off for user in self._users.get(registry, ())}
        withheld |= {
            one.done.action_id: undo_guards.nobody(one.done)
            for one in steps
            if one.done.setting is Property.CACHED_KEYS and one.done.on not in pullers
        }
        return Vetted(tuple(one if isinstance(said, Refusal) else said for one, said in pairs), withheld)

    async def _judge(self, one: Step) -> Step | Refusal:
        if not isinstance(one.action, Grant | Setting):
            return one
        said: Step | Refusal = undo_guards.nobody(one.done)
        try:
            for workspace in await self._concerned(one):
                said = await self._by(workspace, one, one.action)
                if isinstance(said, Step):
                    break
        except ReadFailedError as error:
            if not error.forbidden:
                raise
            return Refusal(Guard.UNREADABLE, f"{error.operation}: {error.reason}")
        return said

    async def _concerned(self, one: Step) -> Sequence[Scope]:
        on = one.done.on
        if one.done.setting:
            self._users[on] = (await search(on, self.azure)).users
            return self._users[on]
        workspace = on.ancestor(WORKSPACE)
        return (workspace,) if workspace else ()

    async def _by(self, workspace: Scope, one: Step, change: Grant | Setting) -> Step | Refusal:
        """What the guards say, as far as this workspace is concerned."""
        if not await Scopes(self.azure, Memory()).any_chooses(self.terms.scopes, workspace):
            return undo_guards.not_watched(one.done, workspace)
        at = await observe(workspace, self.azure, self.terms)
        if at is None:
            return undo_guards.nobody(one.done)
        estate = at.estate
        said: Grant | Setting | Refusal
        if isinstance(change, Setting):
            said = undo_guards.back(one.done, change, estate, self.terms) or change
        else:
            asked = undo_guards.asking(one.done, estate, self.terms)
            estate = await look_for(estate, undo_guards.as_asked(estate.subject, asked), self.azure, self.terms)
            said = undo_guards.again(one.done, asked, estate, self.terms)
        if isinstance(said, Refusal):
            return said
        stopped = await stopped_by_tag([said], workspace, self.azure)
        return stopped.get(said.action_id) or replace(one, action=said)
