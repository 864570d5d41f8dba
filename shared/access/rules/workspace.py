"""What a workspace's own identity needs on the workspace and its dependencies.

AML grants this to a system-assigned identity inside the workspace's resource group. For a user-assigned identity, and
for dependencies that the customer provided, nobody grants it (AML-10). An identity that Microsoft's quickstart template
set up needs no more than the template gives it (ADR 11).
"""

from collections.abc import Iterator

from shared.access.asks import Ask, Found, NotReady, Property, RequiredGrant, RequiredSetting, Severity
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
    """Asks for `need` if nobody else grants it: for a UAI workspace, or outside its resource group (AML-10)."""
    acting = workspace.acting
    if scope and acting and granted_by_nobody(workspace, scope):
        yield RequiredGrant(acting, need, scope, workspace.id, (requirement, "AML-10"), _reason(acting, need, scope))


def granted_by_nobody(workspace: Workspace, dependency: Scope) -> bool:
    """Whether AML leaves it to others to grant the workspace's own access to `dependency` (AML-10)."""
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
        # With control of such a vault the identity could give itself any permission, including purge.
        control = ADMINISTER_VAULT if by_template(workspace, estate) else CONTROL_VAULT
        yield from _grant(workspace, vault.id, control, "AML-07")
        yield from _access_policy(workspace, vault)


def _access_policy(workspace: Workspace, vault: Vault) -> Iterator[Ask]:
    acting = workspace.acting
    if acting is None or not granted_by_nobody(workspace, vault.id):
        return
    held = vault.policies.get(acting.id.casefold())
    # The secrets say whether there is something to do. The recorded setting is all that will be added, so that undo can
    # take it back.
    missing = tuple(sorted(VAULT_PERMISSIONS - (held or frozenset())))
    if SECRETS.isdisjoint(missing):
        return
    if vault.full and held is None:
        yield _full(acting, vault)
    else:
        yield RequiredSetting(
            vault.id,
            Property.ACCESS_POLICY,
            f"missing: {', '.join(missing)}",
            "every permission except purge",
            ("AML-07", "AML-10"),
            f"{acting.label} must administer keys, secrets and certificates of {vault.id.name}",
            acting,
            missing,
        )


def _full(acting: Principal, vault: Vault) -> Found:
    where = itself(vault.id)
    return Found(
        vault.id,
        f"{acting.label} needs an access policy of {vault.id.name}, which has {MOST_POLICIES} of them: Azure accepts "
        "no more.",
        {
            "delete": code(az("keyvault delete-policy", **where, object_id="OBJECT-ID")),
            "change": code(az("keyvault update", **where, enable_rbac_authorization="true")),
        },
        requirements=("AML-07", "AML-10"),
    )


def _registry(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    """With least roles (`builders: least`, AML-83), what building images takes is asked for instead."""
    if estate.preferences.builders is not Builders.LEAST:
        yield from _grant(workspace, workspace.registry, CONTROL_REGISTRY, "AML-08")


def _insights(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    if not by_template(workspace, estate):
        yield from _grant(workspace, workspace.app_insights, CONTROL_INSIGHTS, "AML-09")


VAULT_POLICIES = "workspace-vault-policies"

RULES = (
    Rule(
        name="workspace-control",
        requirements=("AML-03",),
        mode=RuleKind.OPT_IN,
        title="A workspace's user-assigned identity holds Contributor on the workspace.",
        source=_SOURCE,
        examine=_control,
        acts="a UAI workspace whose identity holds nothing on it",
        leaves="a workspace that acts as its system-assigned identity, to which AML grants the role",
        also=("AML-10",),
        grants=(CONTROL_WORKSPACE,),
        keeps_apart=False,
        watches=_WORKSPACES,
    ),
    Rule(
        name="workspace-storage",
        requirements=("AML-04",),
        mode=RuleKind.OPT_IN,
        title="The workspace's identity holds Contributor on its storage account (control plane).",
        source=_SOURCE,
        examine=_storage,
        acts="a UAI workspace with a customer-provided storage account",
        leaves="an identity that holds Contributor on the resource group",
        also=("AML-10",),
        grants=(CONTROL_STORAGE,),
        keeps_apart=False,
        watches=(*_WORKSPACES, "Microsoft.Storage/storageAccounts"),
    ),
    Rule(
        name="workspace-blobs",
        requirements=("AML-05",),
        mode=RuleKind.FIX,
        title="The workspace's identity can read and write blobs in its storage account.",
        source=_SOURCE,
        examine=_blobs,
        acts="a UAI workspace: Contributor on the account gives no data plane",
        leaves="an identity that holds Storage Blob Data Owner on the account",
        also=("AML-10",),
        grants=(WRITE_BLOBS,),
        keeps_apart=False,
        watches=(*_WORKSPACES, "Microsoft.Storage/storageAccounts"),
    ),
    Rule(
        name="workspace-vault",
        requirements=("AML-06",),
        mode=RuleKind.OPT_IN,
        title="The workspace's identity holds Contributor and Key Vault Administrator on its vault (RBAC mode).",
        source=_SOURCE,
        examine=_vault,
        acts="a UAI workspace whose vault has enableRbacAuthorization true",
        leaves="a vault in access-policy mode: that is AML-07",
        also=("AML-10",),
        grants=(CONTROL_VAULT, ADMINISTER_VAULT),
        keeps_apart=False,
        watches=(*_WORKSPACES, "Microsoft.KeyVault/vaults"),
    ),
    Rule(
        name=VAULT_POLICIES,
        requirements=("AML-07",),
        mode=RuleKind.OPT_IN,
        title="The workspace's identity holds Contributor on its vault and every permission except purge "
        "(access-policy mode).",
        source=_SOURCE,
        examine=_vault_with_policies,
        acts="a UAI workspace whose vault has enableRbacAuthorization false or absent",
        leaves="a vault in RBAC mode: that is AML-06",
        severity=Severity.HIGH,
        remedy="Remove the policies that are no longer needed ({delete}). Or grant roles to all who use the vault, "
        "then let RBAC decide: {change}",
        also=("AML-10",),
        grants=(CONTROL_VAULT, ADMINISTER_VAULT),
        keeps_apart=False,
        watches=(*_WORKSPACES, "Microsoft.KeyVault/vaults"),
    ),
    Rule(
        name="workspace-registry",
        requirements=("AML-08",),
        mode=RuleKind.OPT_IN,
        title="The workspace's identity holds Contributor on its registry.",
        source=_SOURCE,
        examine=_registry,
        acts="a UAI workspace with a customer-provided registry",
        leaves="an identity that holds Owner on the registry's resource group",
        also=("AML-10",),
        grants=(CONTROL_REGISTRY,),
        keeps_apart=False,
        watches=(*_WORKSPACES, "Microsoft.ContainerRegistry/registries"),
    ),
    Rule(
        name="workspace-insights",
        requirements=("AML-09",),
        mode=RuleKind.OPT_IN,
        title="The workspace's identity holds Contributor on its Application Insights component.",
        source=_SOURCE,
        examine=_insights,
        acts="a UAI workspace with a customer-provided component",
        leaves="an identity that holds Application Insights Component Contributor on it",
        also=("AML-10",),
        grants=(CONTROL_INSIGHTS,),
        keeps_apart=False,
        watches=_WORKSPACES,
    ),
)
