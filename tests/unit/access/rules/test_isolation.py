"""AML-73 and AML-93: whose storage is isolated, by what the workspace, its hub and nobody says."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from unit.build import (
    FOREIGN,
    REGISTRY,
    STORAGE,
    datastore,
    endpoint,
    estate,
    resource,
    sai,
    terms,
    workspace,
    workspace_id,
)

from shared.access.ask_rules import asks_of
from shared.access.asks import Objection
from shared.access.model import Estate, Fact, Unreadable, Want
from shared.access.plan import plan
from shared.access.rules import RULES
from shared.access.scope import Scope

RULE = {rule.name: rule for rule in RULES}
HUB = workspace_id("hub", FOREIGN)
SHARED = resource("Microsoft.Storage/storageAccounts", "shared", FOREIGN)
CHAT = endpoint("chat", sai("chat"))


def says(isolated: bool | None, **more: Any) -> Mapping[str, Any]:
    return {"properties": {**({} if isolated is None else {"enableDataIsolation": isolated}), **more}}


def seen(kind: str, own: bool | None, hub: Fact | str, *, named: Scope | None = HUB) -> Estate:
    project = kind == "project"
    subject = workspace(
        CHAT,
        kind=kind,
        raw=says(own),
        data_isolation=own is True,
        hub=named if project else None,
    )
    facts = {} if isinstance(hub, str) else {Want(HUB): hub}
    return replace(estate(subject), facts=facts)


def guarded(one: Estate) -> set[str]:
    names = ("data-isolation", "data-isolation-by-default")
    asked = [(name, ask) for name in names for ask in asks_of(RULE[name], one.subject, one)]
    assert all(isinstance(ask, Objection) and ask.setting is None for _, ask in asked)
    return {name for name, _ in asked}


@pytest.mark.parametrize(
    ("kind", "own", "hub", "guard"),
    [
        ("default", None, "none", ""),
        ("default", True, "none", "data-isolation"),
        ("featurestore", None, "none", ""),
        ("hub", None, "none", "data-isolation-by-default"),
        ("hub", False, "none", ""),
        ("hub", True, "none", "data-isolation"),
        ("project", True, says(False), "data-isolation"),
        ("project", None, says(True), "data-isolation-by-default"),
        ("project", None, says(None), "data-isolation-by-default"),
        ("project", None, says(False), ""),
        ("project", False, says(True), "data-isolation-by-default"),
        ("project", False, says(False), ""),
        ("project", None, None, "data-isolation-by-default"),
        ("project", None, Unreadable.FORBIDDEN, "data-isolation-by-default"),
        ("project", False, Unreadable.FORBIDDEN, "data-isolation-by-default"),
    ],
)
def test_whose_data_is_isolated(kind: str, own: bool | None, hub: Fact | str, guard: str) -> None:
    one = seen(kind, own, hub)
    assert guarded(one) == ({guard} if guard else set())
    reads = {grant.scope for grant in plan(one, terms()).grants} - {REGISTRY}
    assert reads == (set() if guard else {STORAGE})


@pytest.mark.parametrize("named", [None, REGISTRY], ids=["no hub named", "a hub that is none"])
def test_a_project_whose_hub_nobody_can_read_is_taken_for_isolated(named: Scope | None) -> None:
    one = seen("project", None, "unread", named=named)
    assert guarded(one) == {"data-isolation-by-default"}
    assert list(RULE["data-isolation-by-default"].wants(one.subject, one)) == []


def test_the_hubs_own_account_is_guarded_where_the_project_names_another() -> None:
    one = seen("project", None, says(True, storageAccount=str(SHARED)))
    asked = asks_of(RULE["data-isolation-by-default"], one.subject, one)
    assert {ask.target for ask in asked if isinstance(ask, Objection)} == {STORAGE, SHARED}


def _through_a_store(own: bool | None, hub: Fact | str) -> Estate:
    """A project that names no storage account, with a datastore on its hub's."""
    one = seen("project", own, hub)
    _, subscription, _, group, *_ = SHARED.segments
    named = {"subscriptionId": subscription, "resourceGroup": group}
    store = replace(datastore("data", account=SHARED.name), raw={"properties": named})
    return replace(one, subject=replace(one.subject, storage=None, datastores=(store,)))


@pytest.mark.parametrize("own", [None, True, False])
@pytest.mark.parametrize("hub", [says(True, storageAccount=str(SHARED)), says(None, storageAccount=str(SHARED)), None])
def test_the_hubs_account_is_guarded_where_the_project_names_none(own: bool | None, hub: Fact) -> None:
    """Of a hub that is gone nobody can tell which account it was: any that a datastore names."""
    one = _through_a_store(own, hub)
    name = "data-isolation" if own else "data-isolation-by-default"
    assert list(RULE[name].wants(one.subject, one)) == [Want(HUB)]
    assert {ask.target for ask in asks_of(RULE[name], one.subject, one) if isinstance(ask, Objection)} == {SHARED}


def test_the_hubs_account_is_open_where_the_hub_shares_it() -> None:
    assert guarded(_through_a_store(None, says(False, storageAccount=str(SHARED)))) == set()


@pytest.mark.parametrize(("own", "wanted"), [(None, True), (False, True), (True, False)])
def test_the_hub_is_read_only_where_it_decides(own: bool | None, wanted: bool) -> None:
    one = seen("project", own, "unread")
    assert list(RULE["data-isolation-by-default"].wants(one.subject, one)) == ([Want(HUB)] if wanted else [])


def test_nobody_is_told_to_grant_what_the_guard_forbids() -> None:
    """A rule that is off says what it would do, and warns."""
    one = seen("project", None, says(True))
    found = [f for f in plan(one, terms(on=["workspace-control"])).findings if str(STORAGE) in f.remedy]
    one = replace(one, subject=replace(one.subject, storage=SHARED))
    found += [f for f in plan(one, terms()).findings if f.rule == "workspace-storage"]
    assert found
    assert all(f.remedy.startswith("Look twice: workspace mlw is a project of hub hub") for f in found)
