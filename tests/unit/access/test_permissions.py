"""Wildcards as Azure reads them, and whether a permission is already held (azure-facts §3)."""

from dataclasses import replace
from datetime import timedelta

import pytest
from unit.build import (
    FOREIGN,
    GROUP,
    INSIGHTS,
    LONG_AGO,
    LOOKALIKE,
    MANAGEMENT_GROUP,
    NOW,
    OTHER_SUBSCRIPTION,
    REGISTRY,
    ROLES,
    STORAGE,
    SUBSCRIPTION,
    VAULT,
    WORKSPACE,
    access,
    assigned,
    custom,
    denied,
    registry_id,
    role,
    sai,
)

from shared.access.needs import (
    ADMINISTER_VAULT,
    CONTROL_INSIGHTS,
    CONTROL_REGISTRY,
    CONTROL_STORAGE,
    CONTROL_VAULT,
    CONTROL_WORKSPACE,
    PULL,
    PULL_ABAC,
    READ_BLOBS,
    WRITE_BLOBS,
    WRITE_METRICS,
    Need,
)
from shared.access.permissions import (
    Access,
    Coverage,
    DenyAssignment,
    Permission,
    PermissionBlock,
    RoleAssignment,
    RoleDefinition,
    UnknownRoleError,
    applies_at,
    coverage,
    includes,
    overlaps,
    within,
)
from shared.access.scope import Scope

ME = sai("me")
PULL_READ = PULL.permissions[0].action


@pytest.mark.parametrize(
    ("pattern", "action", "included"),
    [
        ("*", PULL_READ, True),
        ("*/read", PULL_READ, True),
        ("*/READ", PULL_READ.lower(), True),
        ("Microsoft.ContainerRegistry/registries/*", PULL_READ, True),
        ("Microsoft.ContainerRegistry/*/read", PULL_READ, True),
        ("Microsoft.ContainerRegistry/registries/*/read", "Microsoft.ContainerRegistry/registries/read", True),
        ("a/userAssignedIdentities/*/assign/action", "a/userAssignedIdentities/assign/action", True),
        ("a/workspaces/*/write", "a/workspaces/write", True),
        ("a/*/*/write", "a/write", True),
        ("a/*", "a/", True),
        ("a/*", "a", False),
        ("*/write", "write", False),
        (f"{PULL_READ}", f"{PULL_READ}er", False),
        ("Microsoft.ContainerRegistry/registries/read", PULL_READ, False),
        ("Microsoft.ContainerRegistry/registries/push/*", PULL_READ, False),
        ("Microsoft.ContainerRegistry/registries/pull/rea.", PULL_READ, False),  # a dot is a dot
        ("Microsoft.Storage/*", "Microsoft.Storage/storageAccounts/*", True),
        ("Microsoft.Storage/storageAccounts/*/read", "Microsoft.Storage/storageAccounts/*", False),
        ("Microsoft.Storage/storageAccounts/read", "Microsoft.Storage/storageAccounts/*", False),
        ("a/*/b", "a/*/b", True),
    ],
)
def test_includes(pattern: str, action: str, included: bool) -> None:
    assert includes(pattern, action) is included


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("a/*", "a/b/read", True),
        ("a/*/delete", "a/b/*", True),
        ("Microsoft.Authorization/*/Delete", "Microsoft.ContainerRegistry/registries/*", False),
        ("a/*/read", "a/*/write", False),
        ("a/*/write", "*/a/write", True),  # a/a/write
        ("a/*/write", "a/w*", True),  # a/write: `/*/` is `/`
        ("*", "*", True),
        ("a/read", "a/read", True),
        ("a/read", "a/write", False),
    ],
)
def test_overlaps_is_symmetric(one: str, other: str, shared: bool) -> None:
    assert overlaps(one, other) is shared
    assert overlaps(other, one) is shared


@pytest.mark.parametrize(
    ("block", "allowed"),
    [
        (PermissionBlock(("*",)), True),
        (PermissionBlock(("*",), (PULL_READ,)), False),
        (PermissionBlock(("*",), ("*/read",)), False),
        (PermissionBlock(("*",), ("*/write",)), True),
        (PermissionBlock(data_actions=("*",)), False),
        (PermissionBlock(("*",), not_data_actions=("*",)), True),
        (PermissionBlock(), False),
    ],
)
def test_a_block_allows_what_its_actions_match_and_its_not_actions_do_not(
    block: PermissionBlock, allowed: bool
) -> None:
    assert block.allows(Permission(PULL_READ)) is allowed


def test_a_wildcard_is_not_held_when_a_not_action_cuts_into_it() -> None:
    all_of_it = Permission("Microsoft.Storage/storageAccounts/*")
    assert PermissionBlock(("*",), ("Microsoft.Authorization/*/Write",)).allows(all_of_it)
    assert not PermissionBlock(("*",), ("Microsoft.Storage/storageAccounts/listKeys/action",)).allows(all_of_it)


# Which of the built-in roles that amlguard ships give what (azure-facts §3, "Who already has what").
_READERS = {
    "Log Analytics Contributor",
    "Log Analytics Reader",
    "Monitoring Contributor",
    "Monitoring Reader",
    "Reader",
}
_WRITERS = {"Azure AI Administrator", "Contributor", "Owner"}
_ACCESS_ADMINISTRATORS = {"Role Based Access Control Administrator", "User Access Administrator"}  # they have */read
_BLOB_WRITERS = {"Storage Blob Data Contributor", "Storage Blob Data Owner"}
_IMPORTER = "Container Registry Data Importer and Data Reader"
_INSIGHTS_ROLES = {"Application Insights Component Contributor", "Monitoring Contributor", "Website Contributor"}
HOLDERS: list[tuple[Need, Scope, set[str]]] = [
    (PULL, REGISTRY, {"AcrPull", "AcrPush", _IMPORTER} | _READERS | _WRITERS | _ACCESS_ADMINISTRATORS),
    (
        PULL_ABAC,
        REGISTRY,
        {_IMPORTER} | {f"Container Registry Repository {x}" for x in ("Reader", "Writer", "Contributor")},
    ),
    (READ_BLOBS, STORAGE, {"Storage Blob Data Reader"} | _BLOB_WRITERS),
    (WRITE_BLOBS, STORAGE, _BLOB_WRITERS),
    (
        WRITE_METRICS,
        WORKSPACE,
        {"AzureML Metrics Writer (preview)", "AzureML Data Scientist", "Azure AI Developer"} | _WRITERS,
    ),
    (CONTROL_WORKSPACE, WORKSPACE, _WRITERS),
    (CONTROL_STORAGE, STORAGE, {"Storage Account Contributor"} | _WRITERS),
    (CONTROL_VAULT, VAULT, {"Key Vault Contributor"} | _WRITERS),
    (CONTROL_REGISTRY, REGISTRY, _WRITERS),
    (CONTROL_INSIGHTS, INSIGHTS, _INSIGHTS_ROLES | _WRITERS),
    (ADMINISTER_VAULT, VAULT, {"Key Vault Administrator"}),
]


@pytest.mark.parametrize(("need", "target", "holders"), HOLDERS, ids=lambda one: getattr(one, "name", ""))
def test_which_built_in_roles_hold_which_need(need: Need, target: Scope, holders: set[str]) -> None:
    assert {
        name for name in ROLES if coverage(need.permissions, target, access(assigned(ME, name, target))).held
    } == holders
    assert need.role_name in holders


WITHOUT_PULL = custom("*", but=[PULL_READ])
CONDITION = "@Resource[Microsoft.ContainerRegistry/registries:name] StringEquals 'x'"

HELD = {
    "directly": access(assigned(ME, "AcrPull", REGISTRY)),
    "at the resource group": access(assigned(ME, "AcrPull", GROUP)),
    "at the subscription": access(assigned(ME, "AcrPull", SUBSCRIPTION)),
    "at a management group above": access(assigned(ME, "AcrPull", MANAGEMENT_GROUP)),
    "at the root": access(assigned(ME, "AcrPull", Scope.parse("/"))),
    "in another spelling of the id": access(assigned(ME, "AcrPull", Scope.parse(f"/{str(GROUP)[1:].upper()}"))),
    "by a broader role": access(assigned(ME, "Reader", REGISTRY)),
    "by a custom role": access(assigned(ME, custom("*/pull/read"), REGISTRY), roles=[custom("*/pull/read")]),
    "through a group, whose assignments ARM lists as well": access(assigned("pullers", "AcrPull", REGISTRY)),
    "by one role although another one's notActions cut it out": access(
        assigned(ME, WITHOUT_PULL, REGISTRY), assigned(ME, "AcrPull", REGISTRY), roles=[WITHOUT_PULL]
    ),
    "although a conditional assignment is there as well": access(
        assigned(ME, "AcrPull", REGISTRY, condition=CONDITION), assigned(ME, "Reader", GROUP)
    ),
    "although a deny assignment elsewhere takes it away": access(
        assigned(ME, "AcrPull", SUBSCRIPTION), denies=[denied("*", at=FOREIGN)]
    ),
    "although a deny assignment takes something else away": access(
        assigned(ME, "AcrPull", SUBSCRIPTION), denies=[denied("*/write"), denied(data=["*"])]
    ),
    "although a deny at the group does not apply to its children": access(
        assigned(ME, "AcrPull", SUBSCRIPTION), denies=[denied("*", at=GROUP, only_at_scope=True)]
    ),
    "although a management group that is not above denies it": access(
        assigned(ME, "AcrPull", REGISTRY), denies=[denied("*", at=MANAGEMENT_GROUP, within=OTHER_SUBSCRIPTION)]
    ),
}

NOT_HELD = {
    "nothing": access(),
    "below the scope": access(assigned(ME, "AcrPull", REGISTRY.child("scopeMaps", "x"))),
    "on another registry": access(assigned(ME, "AcrPull", registry_id("acrml2"))),
    "on rg-prod, which is not rg": access(assigned(ME, "AcrPull", LOOKALIKE)),
    "in another subscription": access(assigned(ME, "AcrPull", OTHER_SUBSCRIPTION)),
    "at a management group above another subscription only": access(
        assigned(ME, "AcrPull", MANAGEMENT_GROUP, within=OTHER_SUBSCRIPTION)
    ),
    "a role without the permission": access(assigned(ME, "Storage Blob Data Reader", REGISTRY)),
    "minus notActions": access(assigned(ME, WITHOUT_PULL, REGISTRY), roles=[WITHOUT_PULL]),
    "with a condition": access(assigned(ME, "AcrPull", GROUP, condition=CONDITION)),
    "with a condition inside the role": access(
        assigned(ME, custom("*", condition=CONDITION), GROUP), roles=[custom("*", condition=CONDITION)]
    ),
    "denied": access(assigned(ME, "AcrPull", REGISTRY), denies=[denied("*/read")]),
    "denied above": access(assigned(ME, "AcrPull", REGISTRY), denies=[denied("*", at=SUBSCRIPTION)]),
    "denied at a management group": access(
        assigned(ME, "AcrPull", REGISTRY), denies=[denied("*", at=MANAGEMENT_GROUP, within=SUBSCRIPTION)]
    ),
    "denied at the very scope only": access(
        assigned(ME, "AcrPull", REGISTRY), denies=[denied("*", only_at_scope=True)]
    ),
}


@pytest.mark.parametrize("case", HELD)
def test_held(case: str) -> None:
    cover = coverage(PULL.permissions, REGISTRY, HELD[case])
    assert cover.held
    assert cover.through


@pytest.mark.parametrize("case", NOT_HELD)
def test_not_held(case: str) -> None:
    assert not coverage(PULL.permissions, REGISTRY, NOT_HELD[case]).held


def test_a_need_of_several_permissions_may_be_held_in_parts() -> None:
    content, metadata = (
        f"{role('Container Registry Repository Reader').permissions[0].data_actions[i]}" for i in (1, 0)
    )
    one, two = custom(data=[content]), custom(data=[metadata])
    half = access(assigned(ME, one, REGISTRY), roles=[one, two])
    whole = access(assigned(ME, one, REGISTRY), assigned(ME, two, GROUP), roles=[one, two])
    assert not coverage(PULL_ABAC.permissions, REGISTRY, half).held
    assert [p.action for p in coverage(PULL_ABAC.permissions, REGISTRY, half).missing] == [metadata]
    assert coverage(PULL_ABAC.permissions, REGISTRY, whole).held


def test_the_evidence_names_what_denies_and_what_would_hold_it_without_its_condition() -> None:
    conditional = assigned(ME, "AcrPull", GROUP, condition=CONDITION)
    deny = denied("*", at=GROUP)
    cover = coverage(PULL.permissions, REGISTRY, access(conditional, denies=[deny]))
    assert cover.conditional == (conditional,)
    assert cover.denied_by == (deny,)
    assert cover.missing == PULL.permissions


def test_since_when_is_the_oldest_assignment_that_holds_it() -> None:
    old, new = assigned(ME, "AcrPull", GROUP), assigned(ME, "Reader", REGISTRY, on=NOW)
    assert coverage(PULL.permissions, REGISTRY, access(new, old)).since == LONG_AGO
    assert coverage(PULL.permissions, REGISTRY, access(new)).since == NOW
    assert coverage(PULL.permissions, REGISTRY, access(new, assigned(ME, "Reader", GROUP, on=None))).since is None


def test_since_when_is_the_newest_of_the_parts() -> None:
    reader = role("Container Registry Repository Reader").permissions[0].data_actions
    one, two = custom(data=[reader[0]]), custom(data=[reader[1]])
    late = NOW - timedelta(minutes=1)
    parts = access(assigned(ME, one, GROUP), assigned(ME, two, GROUP, on=late), roles=[one, two])
    assert coverage(PULL_ABAC.permissions, REGISTRY, parts).since == late


def test_a_part_of_which_nobody_knows_the_age_is_the_older_one() -> None:
    reader = role("Container Registry Repository Reader").permissions[0].data_actions
    one, two = custom(data=[reader[0]]), custom(data=[reader[1]])
    for first, second in ((None, NOW), (NOW, None)):
        parts = access(assigned(ME, one, GROUP, on=first), assigned(ME, two, GROUP, on=second), roles=[one, two])
        assert coverage(PULL_ABAC.permissions, REGISTRY, parts).since == NOW


def test_an_assignment_that_is_nobody_knows_where_gives_nothing() -> None:
    """Its scope stands for an unknown one, so it reaches nothing, not everything."""
    lost = replace(assigned(ME, "AcrPull", GROUP), scope=Scope.parse("/"))
    assert coverage(PULL.permissions, REGISTRY, access(lost)).held
    assert not coverage(PULL.permissions, REGISTRY, access(replace(lost, misplaced=True))).held


def test_an_assignment_of_a_role_that_was_not_read_is_unknown_not_empty() -> None:
    unread = RoleAssignment("a", REGISTRY, ME.id, "no-such-role")
    with pytest.raises(UnknownRoleError, match="role no-such-role of assignment a was not read"):
        coverage(PULL.permissions, REGISTRY, Access((unread,)))
    assert not coverage(PULL.permissions, registry_id("acrml2"), Access((unread,))).held  # it does not reach there


class TestDoubts:
    """An assignment of which nobody can tell whether the principal has it gives nothing, and may give all."""

    PARTS = tuple(role("Container Registry Repository Reader").permissions[0].data_actions[:2])

    def _perhaps(self, *doubts: RoleAssignment, roles: tuple[RoleDefinition, ...] = ()) -> tuple[RoleAssignment, ...]:
        cover = coverage(PULL_ABAC.permissions, REGISTRY, replace(access(roles=roles), doubts=doubts))
        assert not cover.held
        return cover.perhaps

    def test_only_what_reaches_there_and_gives_it_may_be_how_it_is_held(self) -> None:
        name = "Container Registry Repository Reader"
        may = assigned(ME, name, GROUP, condition=CONDITION)
        elsewhere, other = assigned(ME, name, registry_id("acrml2")), assigned(ME, "AcrPull", REGISTRY)
        assert self._perhaps(elsewhere, may, other) == (may,)
        assert self._perhaps(elsewhere, other) == ()

    def test_a_management_group_reaches_only_its_own_subscriptions(self) -> None:
        above = assigned(ME, "Container Registry Repository Reader", MANAGEMENT_GROUP)
        assert self._perhaps(above) == (above,)
        assert self._perhaps(replace(above, within=OTHER_SUBSCRIPTION)) == ()

    def test_all_parts_must_be_among_them(self) -> None:
        one, two = (custom(data=[part]) for part in self.PARTS)
        first, second = assigned(ME, one, REGISTRY), assigned(ME, two, REGISTRY)
        assert self._perhaps(first, roles=(one, two)) == ()
        assert set(self._perhaps(first, second, roles=(one, two))) == {first, second}


def test_of_what_nothing_else_is_said_is_plain_and_complete() -> None:
    """Whoever makes one leaves out what is not so."""
    one = RoleAssignment("a", REGISTRY, ME.id, "r")
    assert (one.condition, one.created_on, one.description, one.within, one.misplaced, one.doubt) == (
        *(None, None, None, None),
        *(False, ""),
    )
    deny = DenyAssignment("d", "", REGISTRY, (), frozenset())
    assert (deny.excluded, deny.only_at_scope, deny.within, deny.groups, deny.doubt) == (
        *(frozenset(), False, None),
        *(frozenset(), ""),
    )
    all_of_it = Access()
    assert (all_of_it.assignments, all_of_it.denies, all_of_it.partial, all_of_it.groups) == ((), (), False, None)
    assert PermissionBlock().condition is None
    assert Coverage(()) == Coverage((), (), None, (), (), ())
    assert Permission("x") == Permission("x", data=False)


def test_what_would_hold_it_without_a_condition_is_named_alone() -> None:
    conditional = assigned(ME, "AcrPull", GROUP, condition=CONDITION)
    other = assigned(ME, "Storage Blob Data Reader", GROUP, condition=CONDITION)
    assert coverage(PULL.permissions, REGISTRY, access(other, conditional)).conditional == (conditional,)


def test_a_deny_on_a_condition_is_a_doubt_and_an_older_doubt_stays() -> None:
    block = PermissionBlock(("*",), condition=CONDITION)
    conditional = replace(denied("*"), blocks=(block,))
    held = assigned(ME, "AcrPull", REGISTRY)
    for doubt in ("", "it excludes a group"):
        (found,) = coverage(
            PULL.permissions, REGISTRY, access(held, denies=[replace(conditional, doubt=doubt)])
        ).denied_by
        assert found.doubt
        assert not doubt or found.doubt == doubt


@pytest.mark.parametrize(
    ("narrow", "wide", "contained"),
    [
        (PermissionBlock(("a/*",)), PermissionBlock(("*",)), True),
        (PermissionBlock(("*",)), PermissionBlock(("a/*",)), False),
        (PermissionBlock(("*",)), PermissionBlock(("*",), ("a/write",)), False),
        (PermissionBlock(("*",), ("a/write",)), PermissionBlock(("*",), ("a/write",)), True),
        (PermissionBlock(("*",), ("a/*",)), PermissionBlock(("*",), ("a/write",)), True),
        (PermissionBlock(("*",), ("a/write",)), PermissionBlock(("*",), ("a/*",)), False),
        (PermissionBlock(("b/*",)), PermissionBlock(("*",), ("a/write",)), True),
        (PermissionBlock(("*",), ("a/write",)), PermissionBlock(("b/*",), ("a/write",)), False),
        (PermissionBlock(data_actions=("*",)), PermissionBlock(("*",)), False),
        (PermissionBlock(data_actions=("*",)), PermissionBlock(data_actions=("*",), not_data_actions=("a",)), False),
        (
            PermissionBlock(data_actions=("*",), not_data_actions=("a",)),
            PermissionBlock(data_actions=("*",), not_data_actions=("a",)),
            True,
        ),
        (
            PermissionBlock(("*",), not_data_actions=("a",)),
            PermissionBlock(("*",), ("a",), not_data_actions=("a",)),
            False,
        ),
        (PermissionBlock(("*",)), PermissionBlock(("*",), condition=CONDITION), False),
        (PermissionBlock(), PermissionBlock(), True),
    ],
)
def test_what_one_role_leaves_of_another(narrow: PermissionBlock, wide: PermissionBlock, contained: bool) -> None:
    assert within([narrow], [wide]) is contained


def test_a_management_group_reaches_only_what_is_known_to_lie_below_it() -> None:
    assert applies_at(MANAGEMENT_GROUP, REGISTRY, SUBSCRIPTION)
    assert not applies_at(MANAGEMENT_GROUP, REGISTRY, OTHER_SUBSCRIPTION)
    assert not applies_at(MANAGEMENT_GROUP, REGISTRY)
    assert not applies_at(STORAGE, REGISTRY, SUBSCRIPTION)
