"""Azure and the app's storage as a tenant with other names: each question gets the answer of the real one."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import raw
from fake_store import FakeStore
from fakes import FakeAzure
from troubles import Troubles
from undisguised import KEY, words
from unit.build import (
    GROUP,
    NOW,
    OTHER_SUBSCRIPTION,
    REGISTRY,
    ROLES,
    STORAGE,
    SUBSCRIPTION,
    VAULT,
    WORKSPACE,
    assigned,
    denied,
    guid,
    sai,
    uai,
)

from shared.access.actions import Deferred, Plan, Refusal, Removal, Setting, Wait, Withheld
from shared.access.asks import Property
from shared.access.guards import Guard
from shared.access.model import Part, Principal
from shared.access.permissions import PermissionBlock, RoleDefinition
from shared.access.scope import Scope
from shared.ports import Raw, Stored
from shared.snapshot.disguise import Disguise
from shared.snapshot.disguised import DisguisedAzure, DisguisedStore, Disguising
from shared.snapshot.kept import Keeping
from shared.snapshot.pseudonyms import Pseudonyms
from shared.snapshot.recorded import Notes

ELSEWHERE = OTHER_SUBSCRIPTION.child("resourceGroups", "rg-canary")
ONE, TWO = uai("one"), sai("zqcanary")
OWN = RoleDefinition(guid("custom"), "zqcanary pullers", (PermissionBlock(("*/read",)),))


def _disguising() -> Disguising:
    return Disguising(Disguise(Pseudonyms(KEY), words()), Keeping())


@dataclass(slots=True)
class Pair:
    """The tenant, and what it is in pseudonyms."""

    real: FakeAzure = field(default_factory=lambda: FakeAzure(logged=True))
    hiding: Disguising = field(default_factory=_disguising)

    @property
    def hidden(self) -> DisguisedAzure:
        return DisguisedAzure(self.real, self.hiding)

    def scope(self, scope: Scope) -> Scope:
        return self.hiding.disguise.scope(scope)

    def id(self, object_id: str) -> str:
        return self.hiding.disguise.object_id(object_id)


def _pair() -> Pair:
    pair = Pair()
    pair.real.have(raw.storage(), raw.registry(), raw.workspace(sai("mlw")), raw.compute("cpu0", TWO))
    pair.real.assignments = [assigned(ONE, "AcrPull", REGISTRY), assigned(TWO, "AcrPull", REGISTRY)]
    pair.real.roles[OWN.role_id] = OWN
    return pair


def test_what_was_asked_in_pseudonyms_is_answered_in_them() -> None:
    pair = _pair()

    async def asked() -> None:
        for scope in (WORKSPACE, REGISTRY, STORAGE, WORKSPACE.child("computes", "cpu0")):
            told = await pair.hidden.resource(pair.scope(scope))
            assert told is not None
            assert told["id"] == str(pair.scope(scope))
        assert await pair.hidden.resource(pair.scope(GROUP.child("providers", "Microsoft.Storage", "x", "no"))) is None
        (compute,) = await pair.hidden.children(pair.scope(WORKSPACE), "computes") or ()
        assert compute["id"] == str(pair.scope(WORKSPACE.child("computes", "cpu0")))

    asyncio.run(asked())


def test_a_list_that_goes_on_does_so_in_pseudonyms() -> None:
    @dataclass
    class Paged:
        asked: list[int | None] = field(default_factory=list)

        async def children(self, parent: Scope, _: str, *, pages: int | None = None) -> Sequence[Raw]:
            self.asked.append(pages)
            return Part([{"id": str(parent)}]) if pages else [{"id": str(parent)}]

    paged, hiding = Paged(), _disguising()
    azure = DisguisedAzure(cast("Any", paged), hiding)
    at = hiding.disguise.scope(GROUP)
    part, whole = (asyncio.run(azure.children(at, "x", pages=pages)) for pages in (1, None))
    assert isinstance(part, Part)
    assert not isinstance(whole, Part)
    assert list(part) == list(whole or ()) == [{"id": str(at)}]
    assert paged.asked == [1, None]


def test_a_query_of_one_subscription_asks_that_one() -> None:
    pair = _pair()
    pair.real.have(raw.resource(ELSEWHERE.child("providers", "Microsoft.Storage", "storageAccounts", "far"), {}))

    async def found(subscription: Scope) -> set[str]:
        return {row["id"] async for row in pair.hidden.query("resources", pair.scope(subscription))}

    near = asyncio.run(found(SUBSCRIPTION))
    assert near == {str(pair.scope(one)) for one in (STORAGE, REGISTRY, WORKSPACE)}
    (far,) = asyncio.run(found(OTHER_SUBSCRIPTION))
    assert Scope.parse(far) == pair.scope(ELSEWHERE.child("providers", "Microsoft.Storage", "storageAccounts", "far"))


def test_who_holds_what_and_whom_a_deny_concerns_is_answered_for_whom_it_was_asked() -> None:
    pair = _pair()
    pair.real.denies = [denied("*/delete", principals=frozenset({one.id})) for one in (ONE, TWO)]
    subscription = pair.scope(SUBSCRIPTION)

    async def asked() -> None:
        (held,) = await pair.hidden.role_assignments(pair.id(ONE.id), subscription)
        assert (held.principal_id, held.scope) == (pair.id(ONE.id), pair.scope(REGISTRY))
        (deny,) = await pair.hidden.deny_assignments(subscription, pair.id(ONE.id))
        assert deny.principals == {pair.id(ONE.id)}
        assert len(await pair.hidden.deny_assignments(subscription, None)) == 2

    asyncio.run(asked())


def test_a_custom_role_has_a_pseudonym_and_a_built_in_one_has_none() -> None:
    pair, pull = _pair(), ROLES["AcrPull"]
    wanted = frozenset({pull.role_id, pair.id(OWN.role_id)})
    found = asyncio.run(pair.hidden.role_definitions(wanted, pair.scope(GROUP)))
    assert found.keys() == wanted
    assert found[pull.role_id] == pull
    own = found[pair.id(OWN.role_id)]
    assert own.permissions == OWN.permissions
    assert "zqcanary" not in own.name


def _stored(**documents: Any) -> tuple[FakeStore, DisguisedStore]:
    real = FakeStore(Troubles())
    real.documents = {
        name: Stored(one if isinstance(one, bytes) else json.dumps(one).encode(), name)
        for name, one in documents.items()
    }
    return real, DisguisedStore(real, _disguising())


def test_a_document_of_the_app_is_there_in_pseudonyms_and_its_sentences_can_be_read() -> None:
    said = {"resource": str(WORKSPACE), "reason": "the workspace has no registry zqcanary", "count": 3}
    real, hidden = _stored(undone=said)
    stored = asyncio.run(hidden.read("undone"))
    assert stored is not None
    told = json.loads(stored.data)
    disguise = hidden.disguising.disguise
    assert told["resource"] == str(disguise.scope(WORKSPACE))
    assert told["reason"] == f"the workspace has no registry {disguise.pseudonyms.of('zqcanary')}"
    assert told["count"] == 3
    assert stored.etag == real.documents["undone"].etag


def test_a_document_that_is_no_json_or_not_there_stays_so() -> None:
    _, hidden = _stored(broken=b"zqcanary {")
    assert asyncio.run(hidden.read("broken")) == Stored(b"", "broken")
    assert asyncio.run(hidden.read("none")) is None


def test_ids_of_actions_follow_from_pseudonyms() -> None:
    pair = _pair()

    def actions(of: Callable[[Scope], Scope], who: Callable[[str], str]) -> tuple[Removal, Setting, Setting, Wait]:
        one = Principal(who(ONE.id.upper()), "one")
        at = of(REGISTRY.child("providers", "Microsoft.Authorization", "roleAssignments", "one"))
        removal = Removal(at, of(REGISTRY), one.id, OWN.role_id, of(WORKSPACE), "r", (), "", "")
        off = Setting(of(REGISTRY), Property.ADMIN_USER, "true", "false", "r", (), "", "")
        policy = Setting(of(VAULT), Property.ACCESS_POLICY, "", "all", "r", (), "", "", principal=one)
        return removal, off, policy, Wait(of(WORKSPACE))

    removal, off, policy, wait = actions(lambda one: one, str)
    refusal = Refusal(Guard.DENY_ASSIGNMENT, "")
    plan = Plan(
        settings=(off,),
        removals=(removal,),
        withheld=(Withheld(policy, refusal),),
        deferred=(Deferred(wait, NOW, ""),),
    )
    pair.hiding.learn(Notes(), [plan])
    real: Sequence[Removal | Setting | Wait] = (removal, off, policy, wait)
    hidden: Sequence[Removal | Setting | Wait] = actions(pair.scope, pair.id)
    assert [pair.id(one.action_id) for one in real] == [one.action_id for one in hidden]
    assert {one.action_id for one in real}.isdisjoint(one.action_id for one in hidden)
