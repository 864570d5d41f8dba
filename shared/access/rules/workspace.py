"""What a workspace's own identity needs on the workspace and its dependencies.

AML grants these to a system-assigned identity inside the workspace's resource group; for a user-assigned identity,
and for dependencies that the customer provided, nobody does (AML-10). An identity that Microsoft's quickstart template
set up needs no more than the template gives it (ADR 11).
"""

from collections.abc import Iterator

from shared.access.asks import Ask, Finding, NotReady, Property, RequiredGrant, RequiredSetting, Severity
from shared.access.model import Estate, Principal, Workspace
from shared.access.needs import (
    ADMINISTER_VAULT,
    CONTROL_INSIGHTS,
    CONTROL_REGISTRY,
    CONTROL_STORAGE,
    CONTROL_VAULT,
    CONTROL_WORKSPACE,
    VAULT_PERMISSIONS,
    WRITE_BLOBS,
    Need,
)
from shared.access.preferences import Builders
from shared.access.rules.az import az, code, itself
from shared.access.rules.rule import Rule, RuleKind
from shared.access.rules.set_up import SECRETS, by_template
from shared.access.scope import Scope
from shared.access.surroundings import Vault
from shared.access.vaults import MOST_POLICIES

_SOURCE = "learn.microsoft.com/azure/machine-learning/how-to-identity-based-service-authentication"
_WORKSPACES = ("Microsoft.MachineLearningServices/workspaces",)


def _grant(workspace: Workspace, scope: Scope | None, need: Need, requirement: str) -> Iterator[Ask]:
    """Asks for `need` where nobody else grants it: for a UAI workspace, or outside its resource group (AML-10)."""
    acting = workspace.acting
    if scope and acting and granted_by_nobody(workspace, scope):
        yield RequiredGrant(acting, need, scope, workspace.id, (requirement, "AML-10"), _reason(acting, need, scope))


def granted_by_nobody(workspace: Workspace, dependency: Scope) -> bool:
    """Whether AML leaves the workspace's own access to `dependency` to others (AML-10)."""
    group = workspace.id.resource_group
    customer_provided = group is None or not group.contains(dependency)
    return workspace.acts_as_uai or customer_provided


def _reason(principal: Principal, need: Need, scope: Scope) -> str:
    return f"{principal.label} must {need.name} ({scope.name}), and AML grants it nothing there"


def _control(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    if workspace.acts_as_uai and not by_template(workspace, estate):
        yield from _grant(workspace, workspace.id, CONTROL_WORKSPACE, "AML-03")
    elif not workspace.ready and workspace.identity.empty:
        yield NotReady(workspace.id, f"workspace {workspace.id.name} is being created and has no identity yet")


def _storage(workspace: Workspace, _: Estate) -> Iterator[Ask]:
    yield from _grant(workspace, workspace.storage, CONTROL_STORAGE, "AML-04")


def _blobs(workspace: Workspace, _: Estate) -> Iterator[Ask]:
    yield from _grant(workspace, workspace.storage, WRITE_BLOBS, "AML-05")


def _vault(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    vault = estate.vaults.get(workspace.vault) if workspace.vault else None
    if vault and vault.rbac:
        if not by_template(workspace, estate):
            yield from _grant(workspace, vault.id, CONTROL_VAULT, "AML-06")
        yield from _grant(workspace, vault.id, ADMINISTER_VAULT, "AML-06")


def _vault_with_policies(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    vault = estate.vaults.get(workspace.vault) if workspace.vault else None
    if vault and not vault.rbac:
        # With control of such a vault the identity could give itself any permission, purge included.
        control = ADMINISTER_VAULT if by_template(workspace, estate) else CONTROL_VAULT
        yield from _grant(workspace, vault.id, control, "AML-07")
        yield from _access_policy(workspace, vault)


def _access_policy(workspace: Workspace, vault: Vault) -> Iterator[Ask]:
    acting = workspace.acting
    if acting is None or not granted_by_nobody(workspace, vault.id):
        return
    held = vault.policies.get(acting.id.casefold())
    # Secrets tell that there is something to do; what is recorded is all that will be added, for undo to take back.
    missing = VAULT_PERMISSIONS - (held or frozenset())
    if not missing & SECRETS:
        return
    if vault.full and held is None:
        yield _full(acting, vault)
    else:
        yield RequiredSetting(
            vault.id,
            Property.ACCESS_POLICY,
            f"missing: {', '.join(sorted(missing))}",
            "every permission except purge",
            ("AML-07", "AML-10"),
            f"{acting.label} must administer keys, secrets and certificates of {vault.id.name}",
            acting,
        )


def _full(acting: Principal, vault: Vault) -> Finding:
    where = itself(vault.id)
    return Finding(
        vault.id,
        VAULT_POLICIES,
        ("AML-07", "AML-10"),
        Severity.HIGH,
        f"{acting.label} needs an access policy of {vault.id.name}, which has {MOST_POLICIES} of them: Azure takes no "
        "more.",
        "Remove the policies that nobody needs any more "
        f"({code(az('keyvault delete-policy', **where, object_id='OBJECT-ID'))}), or "
        "grant roles to all who use the vault, then let RBAC decide: "
        f"{code(az('keyvault update', **where, enable_rbac_authorization='true'))}",
    )


def _registry(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    """What it takes to build images stands for it where the policy prefers least roles (`builders: least`, AML-83)."""
    if estate.preferences.builders is not Builders.LEAST:
        yield from _grant(workspace, workspace.registry, CONTROL_REGISTRY, "AML-08")


def _insights(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    if not by_template(workspace, estate):
        yield from _grant(workspace, workspace.app_insights, CONTROL_INSIGHTS, "AML-09")


VAULT_POLICIES = "workspace-vault-policies"

RULES = (
    Rule(
        "workspace-control",
        ("AML-03",),
        RuleKind.OPT_IN,
        "A workspace's user-assigned identity is Contributor on the workspace.",
        _SOURCE,
        _control,
        "a UAI workspace whose identity holds nothing on it",
        "a workspace that acts as its system-assigned identity: AML sees to that one",
        also=("AML-10",),
        grants=(CONTROL_WORKSPACE,),
        watches=_WORKSPACES,
    ),
    Rule(
        "workspace-storage",
        ("AML-04",),
        RuleKind.OPT_IN,
        "The workspace's identity is Contributor on its storage account (control plane).",
        _SOURCE,
        _storage,
        "a UAI workspace with a customer-provided storage account",
        "an identity that is Contributor on the resource group",
        also=("AML-10",),
        grants=(CONTROL_STORAGE,),
        watches=(*_WORKSPACES, "Microsoft.Storage/storageAccounts"),
    ),
    Rule(
        "workspace-blobs",
        ("AML-05",),
        RuleKind.FIX,
        "The workspace's identity reads and writes blobs in its storage account.",
        _SOURCE,
        _blobs,
        "a UAI workspace: Contributor on the account gives no data plane",
        "an identity that is Storage Blob Data Owner on the account",
        also=("AML-10",),
        grants=(WRITE_BLOBS,),
        watches=(*_WORKSPACES, "Microsoft.Storage/storageAccounts"),
    ),
    Rule(
        "workspace-vault",
        ("AML-06",),
        RuleKind.OPT_IN,
        "The workspace's identity is Contributor and Key Vault Administrator on its vault (RBAC mode).",
        _SOURCE,
        _vault,
        "a UAI workspace whose vault has enableRbacAuthorization true",
        "a vault in access-policy mode: that is AML-07",
        also=("AML-10",),
        grants=(CONTROL_VAULT, ADMINISTER_VAULT),
        watches=(*_WORKSPACES, "Microsoft.KeyVault/vaults"),
    ),
    Rule(
        VAULT_POLICIES,
        ("AML-07",),
        RuleKind.OPT_IN,
        "The workspace's identity is Contributor on its vault with every permission but purge (access-policy mode).",
        _SOURCE,
        _vault_with_policies,
        "a UAI workspace whose vault has enableRbacAuthorization false or absent",
        "a vault in RBAC mode: that is AML-06",
        also=("AML-10",),
        grants=(CONTROL_VAULT, ADMINISTER_VAULT),
        watches=(*_WORKSPACES, "Microsoft.KeyVault/vaults"),
    ),
    Rule(
        "workspace-registry",
        ("AML-08",),
        RuleKind.OPT_IN,
        "The workspace's identity is Contributor on its registry.",
        _SOURCE,
        _registry,
        "a UAI workspace with a customer-provided registry",
        "an identity that is Owner of the registry's resource group",
        also=("AML-10",),
        grants=(CONTROL_REGISTRY,),
        watches=(*_WORKSPACES, "Microsoft.ContainerRegistry/registries"),
    ),
    Rule(
        "workspace-insights",
        ("AML-09",),
        RuleKind.OPT_IN,
        "The workspace's identity is Contributor on its Application Insights component.",
        _SOURCE,
        _insights,
        "a UAI workspace with a customer-provided component",
        "an identity that is Application Insights Component Contributor on it",
        also=("AML-10",),
        grants=(CONTROL_INSIGHTS,),
        watches=_WORKSPACES,
    ),
)
