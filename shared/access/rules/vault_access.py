"""Keys and secrets: who must reach a vault, in either of its modes.

Only audits. For the workspace see AML-06 and AML-07.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from shared.access.asks import Ask, Found, RequiredGrant, Severity
from shared.access.ids import user_assigned
from shared.access.model import ComputeType, Datastore, Estate, Principal, Raw, Want, Workspace
from shared.access.needs import ADMIT_TO_VAULT, GET_SECRETS, USE_KEYS, Need
from shared.access.raw import get, principal_id, scope_or_none, text
from shared.access.rules.az import az, code, itself, subscription
from shared.access.rules.datastores import credential
from shared.access.rules.rule import List, Rule, RuleKind
from shared.access.rules.unreadable import unreadable
from shared.access.scope import Scope
from shared.access.surroundings import Vault
from shared.access.vaults import vault as vault_of

_DOCS = "learn.microsoft.com/azure/machine-learning/"
_VAULT = "microsoft.keyvault/vaults"
_OPENING = (ComputeType.AML_COMPUTE, ComputeType.COMPUTE_INSTANCE)


@dataclass(frozen=True, slots=True)
class _Use:
    """What is needed of a vault: as a role, and as access-policy permissions in Azure's spelling.

    With `admitting`, AML itself adds the access policy if it may.
    """

    rule: str
    requirement: str
    need: Need
    policy: Mapping[str, Sequence[str]]
    admitting: Need | None = None

    def asks(self, principal: Principal, vault: Vault, on: Scope, reason: str) -> Iterator[Ask]:
        held = vault.policies.get(principal.id.casefold(), frozenset())
        missing = [f"{kind}/{name}" for kind, names in self.policy.items() for name in names]
        missing = [one for one in missing if one.casefold() not in held]
        where = {**itself(vault.id), "object_id": principal.id}
        command = code(az("keyvault set-policy", **where, **self._options(held)))
        lacking = f"No access policy of {vault.id.name} gives it {', '.join(missing)}"
        if vault.rbac:
            yield RequiredGrant(principal, self.need, vault.id, on, (self.requirement,), reason)
        elif missing and self.admitting:
            reason = f"{reason}. {lacking} ({command}), nor may it write access policies"
            yield RequiredGrant(principal, self.admitting, vault.id, on, (self.requirement,), reason)
        elif missing:
            yield Found(on, f"{reason}. {lacking}.", {"steps": command})

    def _options(self, held: frozenset[str]) -> Mapping[str, tuple[str, ...]]:
        """With the permissions that are there already: the command replaces the kinds of permission that it names."""
        return {
            f"{kind.removesuffix('s')}_permissions": tuple(dict.fromkeys((*names, *_of_kind(kind, held, names))))
            for kind, names in self.policy.items()
        }


def _of_kind(kind: str, held: frozenset[str], known: Sequence[str]) -> list[str]:
    named = {name.casefold() for name in known}
    names = (one.rpartition("/")[2] for one in sorted(held) if one.startswith(f"{kind}/"))
    return [name for name in names if name not in named]


_KEYS = _Use("encryption-key-access", "AML-13", USE_KEYS, {"keys": ("get", "wrapKey", "unwrapKey")}, ADMIT_TO_VAULT)
_SECRETS = _Use("compute-reads-secrets", "AML-17", GET_SECRETS, {"secrets": ("get",)})


def _encryption(workspace: Workspace) -> Raw | None:
    block = get(workspace.raw, "properties", "encryption")
    enabled = (text(block, "status") or "").casefold() == "enabled"
    return block if enabled and isinstance(block, Mapping) else None


def _key_vault(block: Raw) -> Scope | None:
    return scope_or_none(get(block, "keyVaultProperties", "keyVaultArmId"))


def _key_identity(block: Raw) -> Scope | None:
    return user_assigned(get(block, "identity", "userAssignedIdentity"))


def _key_wants(workspace: Workspace, _: Estate) -> Iterator[Want]:
    block = _encryption(workspace)
    if block is None:
        return
    vault, identity = _key_vault(block), _key_identity(block)
    if vault and vault.resource_type == _VAULT:
        yield Want(vault)
    if identity and identity not in {one.resource for one in workspace.identity.user}:
        yield Want(identity)


def _reads_key(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    block = _encryption(workspace)
    if block is None:
        return
    scope = _key_vault(block)
    if scope is None or scope.resource_type != _VAULT:
        what = scope.name if scope else "not named"
        yield Found(
            workspace.id,
            f"The key that workspace {workspace.id.name} is encrypted with lies outside any key vault ({what}): "
            "nobody can tell whether the workspace reaches it.",
            {"steps": "Check by hand that the workspace's encryption identity may get, wrap and unwrap the key."},
        )
        return
    wants = tuple(_key_wants(workspace, estate))
    yield from unreadable(wants, estate)
    raw = estate.resource(scope)
    if Want(scope) in estate.facts and estate.facts[Want(scope)] is None:
        yield Found(
            workspace.id,
            f"Workspace {workspace.id.name} is encrypted with a key of vault {scope.name}, which does not exist.",
            {"steps": f"Recover it: {code(az('keyvault recover', name=scope.name, **subscription(scope)))}"},
        )
    elif raw:
        yield from _key_asks(workspace, vault_of(raw, scope), _key_identity(block), estate)


def _key_asks(workspace: Workspace, vault: Vault, named: Scope | None, estate: Estate) -> Iterator[Ask]:
    principal = _attached(named, workspace, estate) if named else workspace.identity.system or workspace.acting
    if principal:
        reason = f"{principal.label} unwraps the key in {vault.id.name} that {workspace.id.name} is encrypted with"
        yield from _KEYS.asks(principal, vault, workspace.id, reason)
    elif named and Want(named) in estate.facts and not estate.unreadable(Want(named)):
        yield Found(
            workspace.id,
            f"Workspace {workspace.id.name} reads its encryption key as {named.name}, which does not exist.",
            {"steps": f"Recreate it and let it use the vault's keys: {code(az('identity create', **itself(named)))}"},
        )


def _attached(named: Scope, workspace: Workspace, estate: Estate) -> Principal | None:
    known = next((one for one in workspace.identity.user if one.resource == named), None)
    holder = principal_id(estate.resource(named), "properties", "principalId")
    return known or (Principal(holder, named.name, named) if holder else None)


def _with_credentials(workspace: Workspace) -> list[Datastore]:
    return [store for store in workspace.datastores if credential(store)]


def _opening(workspace: Workspace) -> list[tuple[Scope, Principal]]:
    return [(c.id, c.identity.default) for c in workspace.computes if c.type in _OPENING and c.identity.default]


def _secret_wants(workspace: Workspace, _: Estate) -> Iterator[Want]:
    if workspace.vault and _with_credentials(workspace) and _opening(workspace):
        yield Want(workspace.vault)


def _reads_secrets(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from unreadable(_secret_wants(workspace, estate), estate)
    raw = estate.resource(workspace.vault)
    stores = ", ".join(store.id.name for store in _with_credentials(workspace))
    if raw and stores:
        vault = vault_of(raw, workspace.vault)
        for compute, principal in _opening(workspace):
            reason = f"{principal.label} opens datastores whose credentials lie in {vault.id.name}: {stores}"
            yield from _SECRETS.asks(principal, vault, compute, reason)


RULES = (
    Rule(
        name=_KEYS.rule,
        requirements=(_KEYS.requirement,),
        mode=RuleKind.AUDIT,
        title="The identity that reads a workspace's encryption key can use the keys of its vault.",
        source=_DOCS + "how-to-setup-customer-managed-keys",
        examine=_reads_key,
        acts="a workspace whose key identity has no role on the key's vault",
        leaves="a key identity whose access policy holds get, wrapKey and unwrapKey",
        advises=True,
        severity=Severity.MEDIUM,
        remedy="{steps}",
        wants=_key_wants,
        watches=("Microsoft.MachineLearningServices/workspaces", "Microsoft.KeyVault/vaults"),
    ),
    Rule(
        name=_SECRETS.rule,
        requirements=(_SECRETS.requirement,),
        mode=RuleKind.AUDIT,
        title="A compute's identity can read the credentials that datastores keep in the workspace's vault.",
        source=_DOCS + "how-to-identity-based-service-authentication",
        examine=_reads_secrets,
        acts="a cluster without a role on the vault of a workspace whose datastore keeps an account key",
        leaves="a workspace whose datastores keep no credential",
        advises=True,
        severity=Severity.MEDIUM,
        remedy="{steps}",
        wants=_secret_wants,
        also=("AML-16",),
        reads=(List.COMPUTES, List.DATASTORES),
        watches=(
            "Microsoft.MachineLearningServices/workspaces/computes",
            "Microsoft.MachineLearningServices/workspaces/datastores",
            "Microsoft.KeyVault/vaults",
        ),
        keeps_apart=True,
    ),
)
