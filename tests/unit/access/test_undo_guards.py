"""What undo makes again does not level what people keep apart (ADR 28), as no plan would."""

from dataclasses import replace

from unit.build import (
    GROUP,
    REGISTRY,
    STORAGE,
    WORKSPACE,
    assigned,
    cluster,
    estate,
    registry_id,
    sai,
    terms,
    workspace,
)

from shared.access.actions import Grant, Refusal, Setting
from shared.access.asks import Property, RequiredGrant
from shared.access.model import Estate
from shared.access.own_assignments import assignment_name
from shared.access.rules import RULES
from shared.access.rules.rule import RuleKind
from shared.access.scope import Scope
from shared.access.undo_guards import again, asking, back
from shared.access.undo_steps import Done

READER = "Storage Blob Data Reader"
A, B, C = sai("a"), sai("b"), sai("cpu")


def _container(name: str) -> Scope:
    return STORAGE.child("blobServices", "default", "containers", name)


def _estate(*, apart: bool) -> Estate:
    """Two teams on one account: each has a container, or both have all of it."""
    mine, theirs = (_container("a"), _container("b")) if apart else (STORAGE, STORAGE)
    subject = workspace(cluster("a", A), cluster("b", B), cluster("cpu", C), registry=None, storage_by_identity=True)
    return estate(subject, held=(assigned(A, READER, mine), assigned(B, READER, theirs)))


def _taken(role_id: str) -> Done:
    """What a run took from the third."""
    name = assignment_name(STORAGE, C.id, role_id)
    at = STORAGE.child("providers", "Microsoft.Authorization", "roleAssignments", name)
    return Done("run", "r", (), WORKSPACE.child("computes", "cpu"), C.id, role_id, at, STORAGE, removed=True)


def _read(one: Estate) -> Done:
    role_id = next(a.role_id for a in one.access[A.id].assignments)
    return _taken(role_id)


def test_what_all_hold_comes_again() -> None:
    one, policy = _estate(apart=False), terms(allow=(GROUP,))
    done = _read(one)
    asked = asking(done, one, policy)
    assert asked
    made = again(done, asked, one, policy)
    assert isinstance(made, Grant)
    assert (made.principal.id, made.scope, made.need.role_name) == (C.id, STORAGE, READER)


def test_what_people_keep_apart_stays_so() -> None:
    one, policy = _estate(apart=True), terms(allow=(GROUP,))
    done = _read(one)
    said = again(done, asking(done, one, policy), one, policy)
    assert isinstance(said, Refusal)
    assert said.guard == "limited-by-people"
    assert said.reason.startswith("people gave them different ones")


def test_a_rule_that_knows_no_teams_may_still_ask_for_it_and_asks_alone() -> None:
    """A rule that may not grant it gives the grant neither its name nor its requirements."""
    one, policy = _estate(apart=True), terms(allow=(GROUP,))
    done = _read(one)
    kept = asking(done, one, policy)
    assert all(rule.keeps_apart for rule, _ in kept)
    (other, *_) = [rule for rule in RULES if rule.grants and not rule.keeps_apart]
    ask: RequiredGrant = replace(kept[0][1], requirements=("AML-99",))
    made = again(done, [*kept, (other, ask)], one, policy)
    assert isinstance(made, Grant)
    assert (made.rule, made.requirements) == (other.name, ("AML-99",))


def _switched_off(registry: Scope) -> tuple[Done, Setting]:
    done = Done("run", "r", (), registry, "", setting=Property.ADMIN_USER, before="true", after="false")
    return done, Setting(registry, Property.ADMIN_USER, "false", "true", "r", (), "why", "source")


def test_the_admin_user_comes_back_only_where_a_workspace_has_it_for_its_own_registry() -> None:
    """A workspace may use another registry besides, such as for the image of an environment."""
    one, policy = estate(workspace()), terms()
    assert back(*_switched_off(REGISTRY), one, policy) is None
    said = back(*_switched_off(registry_id("beside")), one, policy)
    assert said is not None
    assert said.guard == "not-asked-for"
    assert "does not use it" in said.reason


def test_what_a_rule_only_finds_undo_does_not_make() -> None:
    one, policy = _estate(apart=False), terms(allow=(GROUP,))
    done = _read(one)
    reporting = tuple(replace(rule, mode=RuleKind.AUDIT) for rule in policy.table)
    assert asking(done, one, policy)
    assert asking(done, one, replace(policy, table=reporting)) == []
