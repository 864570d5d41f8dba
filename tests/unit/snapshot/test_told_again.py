"""What was asked while a snapshot was taken is answered from it as it was then, and nothing else is."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
import raw
from fake_store import FakeStore
from fakes import FakeAzure
from troubles import Troubles
from unit.build import (
    GROUP,
    NOW,
    OTHER_SUBSCRIPTION,
    REGISTRY,
    ROLES,
    STORAGE,
    SUBSCRIPTION,
    WORKSPACE,
    assigned,
    denied,
    guid,
    sai,
    uai,
)

from shared.access.permissions import PermissionBlock, RoleDefinition
from shared.access.scope import Scope
from shared.ports import Azure, NotShownError, Store, Stored
from shared.snapshot.kept import Keeping
from shared.snapshot.played import Played, PlayedAzure, PlayedStore
from shared.snapshot.recorded import Notes, RecordedAzure, RecordedStore
from shared.snapshot.written import About, document

ONE, TWO = uai("one"), sai("two")
FAR = OTHER_SUBSCRIPTION.child("resourceGroups", "far").child(
    "providers", "Microsoft.Storage", "storageAccounts", "far"
)
OWN, OTHER = (RoleDefinition(guid(one), one, (PermissionBlock((f"*/{one}",)),)) for one in ("read", "write"))
PULL = ROLES["AcrPull"]
ROLE_IDS = frozenset({OWN.role_id, OTHER.role_id, PULL.role_id, guid("of nobody")})
ABOUT = About(NOW.isoformat(), "1", "t", "me", None, None, (), stopped=False, hasStore=True, hasLogs=True)


def _real() -> FakeAzure:
    azure = FakeAzure(logged=True)
    azure.have(raw.storage(), raw.registry(), raw.workspace(sai("mlw")), raw.compute("cpu0", ONE), raw.storage(FAR))
    azure.assignments = [assigned(ONE, "AcrPull", REGISTRY), assigned(TWO, "AcrPull", STORAGE)]
    azure.roles |= {one.role_id: one for one in (OWN, OTHER)}
    azure.denies = [denied("*/delete", principals=frozenset({one.id})) for one in (ONE, TWO)]
    return azure


async def _rows(azure: Azure, *asked: Any) -> list[Any]:
    return [row async for row in azure.query(*asked)]


ASKED: Mapping[str, Callable[[Azure], Awaitable[Any]]] = {
    "a resource": lambda azure: azure.resource(STORAGE),
    "one that is not there": lambda azure: azure.resource(GROUP.child("providers", "Microsoft.Storage", "x", "none")),
    "a list": lambda azure: azure.children(WORKSPACE, "computes"),
    "all workspaces": lambda azure: _rows(azure, "resources"),
    "a subscription": lambda azure: _rows(azure, "resources", SUBSCRIPTION),
    "another subscription": lambda azure: _rows(azure, "resources", OTHER_SUBSCRIPTION),
    "who holds what": lambda azure: azure.role_assignments(ONE.id, SUBSCRIPTION),
    "what somebody else holds": lambda azure: azure.role_assignments(TWO.id, SUBSCRIPTION),
    "what is held elsewhere": lambda azure: azure.role_assignments(ONE.id, OTHER_SUBSCRIPTION),
    "roles": lambda azure: azure.role_definitions(ROLE_IDS, GROUP),
    "denies": lambda azure: azure.deny_assignments(SUBSCRIPTION, None),
    "denies of one": lambda azure: azure.deny_assignments(SUBSCRIPTION, ONE.id),
    "denies of another": lambda azure: azure.deny_assignments(SUBSCRIPTION, TWO.id),
    "denies elsewhere": lambda azure: azure.deny_assignments(OTHER_SUBSCRIPTION, None),
}


def _again(notes: Notes) -> Played:
    built_in = {PULL.role_id: PULL}
    text = json.dumps(document(notes, ABOUT, frozenset(), built_in))
    return Played.of(json.loads(text), "x", built_in)


def _kept(answer: Any) -> Any:
    """A workspace has a name for people, which is free text."""
    rows = [Keeping().of(one) if isinstance(one, Mapping) else one for one in answer] if answer else answer
    return rows if isinstance(answer, list) else answer


@pytest.mark.parametrize("what", ASKED)
def test_azure_answers_as_it_did_then(what: str) -> None:
    async def told() -> None:
        real, notes = _real(), Notes()
        recorded = RecordedAzure(real, notes, NOW)
        answers = {name: await ask(recorded) for name, ask in ASKED.items()}
        assert answers[what] == await ASKED[what](real)
        assert await ASKED[what](PlayedAzure(_again(notes))) == _kept(answers[what])

    asyncio.run(told())


def test_what_was_asked_differs() -> None:
    async def told() -> list[str]:
        return [str(await ask(_real())) for name, ask in ASKED.items() if "elsewhere" not in name]

    answers = asyncio.run(told())
    assert len(set(answers)) == len(answers)


@pytest.mark.parametrize("what", ASKED)
def test_what_was_not_asked_then_is_not_known(what: str) -> None:
    async def told() -> None:
        notes = Notes()
        recorded = RecordedAzure(_real(), notes, NOW)
        await recorded.resource(REGISTRY)
        with pytest.raises(NotShownError, match="not asked"):
            await ASKED[what](PlayedAzure(_again(notes)))

    asyncio.run(told())


def test_a_resource_that_only_a_list_told_is_known_and_one_that_a_whole_list_does_not_have_is_not_there() -> None:
    async def told() -> None:
        notes = Notes()
        recorded = RecordedAzure(_real(), notes, NOW)
        await recorded.children(WORKSPACE, "computes")
        then = PlayedAzure(_again(notes))
        found = await then.resource(WORKSPACE.child("computes", "cpu0"))
        assert found == await _real().resource(WORKSPACE.child("computes", "cpu0"))
        assert await then.resource(WORKSPACE.child("computes", "none")) is None
        with pytest.raises(NotShownError):
            await then.resource(WORKSPACE.child("onlineEndpoints", "none"))

    asyncio.run(told())


def test_the_store_answers_as_it_did_then() -> None:
    async def told() -> None:
        real, notes = FakeStore(Troubles()), Notes()
        real.documents = {"runs/1": Stored(b'{"a": 1}', "e"), "runs/2": Stored(b"[]", "e"), "x": Stored(b"{}", "e")}
        recorded: Store = RecordedStore(real, notes)
        names = await recorded.names("runs/")
        assert names == await real.names("runs/")
        for name in (*names, "none"):
            assert await recorded.read(name) == await real.read(name)
        then = PlayedStore(_again(notes))
        assert await then.names("runs/") == names
        assert await then.read("none") is None
        for name in names:
            stored = await then.read(name)
            assert stored is not None
            assert json.loads(stored.data) == json.loads(real.documents[name].data)
            assert await then.newer(name, stored) == stored
        with pytest.raises(NotShownError):
            await then.read("x")

    asyncio.run(told())


def test_ids_are_compared_without_case() -> None:
    async def told() -> None:
        notes = Notes()
        recorded = RecordedAzure(_real(), notes, NOW)
        held = await recorded.role_assignments(ONE.id, SUBSCRIPTION)
        then = PlayedAzure(_again(notes))
        assert await then.role_assignments(ONE.id.upper(), Scope.parse(str(SUBSCRIPTION).upper())) == held

    asyncio.run(told())
