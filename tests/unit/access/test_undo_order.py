"""In which order undo goes: what comes again, admin users, access policies, and what goes (law 5)."""

from itertools import permutations

from unit.build import REGISTRY, VAULT, WORKSPACE, sai

from shared.access.actions import Grant, Removal, Setting
from shared.access.asks import Property
from shared.access.needs import PULL
from shared.access.undo_steps import Done, Step, order

C1 = sai("cpu1")
DONE = Done("run", "rule", (), WORKSPACE, C1.id)
COMES = Step(DONE, Grant(C1, PULL, REGISTRY, WORKSPACE, "r", (), "why", "s"), "why")
ADMIN = Step(DONE, Setting(REGISTRY, Property.ADMIN_USER, "false", "true", "r", (), "why", "s"), "why")
POLICY = Step(DONE, Setting(VAULT, Property.ACCESS_POLICY, "x", "y", "r", (), "why", "s", C1), "why")
GOES = Step(
    DONE,
    Removal(
        REGISTRY.child("providers", "Microsoft.Authorization", "roleAssignments", "x"),
        REGISTRY,
        C1.id,
        PULL.role_id,
        WORKSPACE,
        "r",
        (),
        "w",
        "s",
    ),
    "why",
)
NOTHING = Step(DONE, None, "it is as it was")


def test_however_the_rows_came() -> None:
    for some in permutations((COMES, ADMIN, POLICY, GOES, NOTHING)):
        assert order(some) == [COMES, ADMIN, POLICY, GOES]
