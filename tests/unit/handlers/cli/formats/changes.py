"""A plan with each kind of change: in two groups of one subscription, in another subscription, and some of it twice."""

from datetime import timedelta

from unit.build import (
    FOREIGN,
    GROUP,
    NOW,
    OTHER_SUBSCRIPTION,
    REGISTRY,
    STORAGE,
    VAULT,
    WORKSPACE,
    guid,
    registry_id,
    resource,
    sai,
    uai,
    workspace_id,
)

from handlers.cli.present import result_document
from shared.access.actions import Deferred, Grant, Plan, Removal, Setting
from shared.access.asks import Property
from shared.access.model import Principal
from shared.access.needs import PULL, READ_BLOBS, VAULT_PERMISSIONS
from shared.access.own_assignments import assignment_name
from shared.access.plan_json import Document
from shared.access.report import Report
from shared.access.scope import Scope

ELSEWHERE = OTHER_SUBSCRIPTION.child("resourceGroups", "rg-far")
LATE = registry_id("late", FOREIGN)
SEARCH = resource("Microsoft.Search/searchServices", "find", ELSEWHERE)
ODD = GROUP.child("providers", "Contoso.Odd", "things", "x", "parts", "y")
CONTAINER = STORAGE.child("blobServices", "default", "containers", "models")
OTHER = workspace_id("other", FOREIGN)
SECOND = workspace_id("second")
SHARED = uai("shared")
TRAIN = sai("mlw/computes/train")
OLD = Scope.parse(
    f"{STORAGE}/providers/Microsoft.Authorization/roleAssignments/{assignment_name(STORAGE, guid('x'), PULL.role_id)}"
)


def grant(to: Principal, scope: Scope, why: str, on: Scope = WORKSPACE) -> Grant:
    need = PULL if "registries" in str(scope) else READ_BLOBS
    return Grant(to, need, scope, on, "compute-pull", ("AML-18",), why, "source")


def policy(to: Principal, *, has: int = 0, why: str = "it administers the vault") -> Setting:
    """`has` so many permissions already."""
    adds = tuple(sorted(VAULT_PERMISSIONS))[has:]
    said = f"missing: {', '.join(adds)}"
    known = ("workspace-vault-policies", ("AML-07",), why, "source")
    return Setting(VAULT, Property.ACCESS_POLICY, said, "every permission except purge", *known, to, WORKSPACE, adds)


def off(registry: Scope = REGISTRY) -> Setting:
    said = ("registry-admin-user", ("AML-21",), "anyone with its password can pull", "source")
    return Setting(registry, Property.ADMIN_USER, "true", "false", *said)


def resync(workspace: Scope) -> Setting:
    said = ("workspace-cached-keys", ("AML-71",), "it caches the password", "source")
    return Setting(workspace, Property.CACHED_KEYS, "cached", "resynced", *said)


def report() -> Report:
    first = Plan(
        grants=(
            grant(TRAIN, REGISTRY, "train pulls"),
            grant(SHARED, REGISTRY, "infer pulls"),
            grant(SHARED, CONTAINER, "infer reads models"),
            grant(Principal(guid("people"), "people", type="Group"), GROUP, "people read"),
        ),
        settings=(policy(SHARED), policy(sai("mlw"), has=3), off(), resync(WORKSPACE), resync(SECOND)),
        removals=(
            Removal(OLD, STORAGE, guid("x"), PULL.role_id, WORKSPACE, "own-grants", ("AML-80",), "unused", "source"),
        ),
    )
    # The identity is shared: the same grant for another reason, in another spelling.
    again = Scope.parse(str(REGISTRY).replace("Microsoft.", "microsoft."))
    second = Plan(
        grants=(
            grant(SHARED, again, "other pulls as well", OTHER),
            grant(sai("other"), SEARCH, "other searches", OTHER),
            grant(sai("odd"), ODD, "the compiler does not know this type", OTHER),
            grant(sai("far"), OTHER_SUBSCRIPTION, "far reads", OTHER),
        ),
        deferred=(Deferred(off(LATE), NOW + timedelta(minutes=15), "grants must be 15 min old"),),
    )
    return Report([first, second], [], [WORKSPACE, OTHER], "policy.yaml", guid("me"), NOW, "0.1.0")


def document() -> Document:
    return result_document(report())
