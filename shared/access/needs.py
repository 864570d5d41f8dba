"""What AML's identities need: permissions, and the least built-in role that gives them.

The permission decides whether something is missing. The role is only what amlguard grants then. The role GUIDs and
permissions are as the service returns them (azure-facts §3).
"""

from dataclasses import dataclass

from shared.access.permissions import Permission, includes


@dataclass(frozen=True, slots=True)
class Need:
    """`role_id` is the built-in role's GUID. Only F? rules grant `broad` roles.

    `target` is the type on which the role is granted, if the permissions are about something else that lies there.
    """

    name: str
    permissions: tuple[Permission, ...]
    role_id: str
    role_name: str
    broad: bool = False
    target: str = ""

    @property
    def resource_type(self) -> str:
        """The type that the permissions are about, in lower case. Empty if only the role is known."""
        if self.target:
            return self.target.casefold()
        return "/".join(self.permissions[0].action.split("/")[:2]).casefold() if self.permissions else ""


def contains(one: Need, other: Need) -> bool:
    """Whether an identity that gets `one` for its permissions has all that `other` asks for."""
    return one == other or (
        bool(other.permissions)
        and all(
            any(mine.data == asked.data and includes(mine.action, asked.action) for mine in one.permissions)
            for asked in other.permissions
        )
    )


_REPOSITORIES = "Microsoft.ContainerRegistry/registries/repositories"
_STORAGE = "Microsoft.Storage/storageAccounts"
_BLOBS = f"{_STORAGE}/blobServices/containers/blobs"
_FILES = f"{_STORAGE}/fileServices"
_AML = "Microsoft.MachineLearningServices/workspaces"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"


def _contributor(name: str, *actions: str) -> Need:
    return Need(name, tuple(Permission(action) for action in actions), CONTRIBUTOR, "Contributor", broad=True)


PULL = Need(
    "pull images",
    (Permission("Microsoft.ContainerRegistry/registries/pull/read"),),
    "7f951dda-4ed3-4680-a7ca-43fe172d538d",
    "AcrPull",
)
PULL_ABAC = Need(
    "pull images (ABAC)",
    (
        Permission(f"{_REPOSITORIES}/content/read", data=True),
        Permission(f"{_REPOSITORIES}/metadata/read", data=True),
    ),
    "b93aa761-3e63-49ed-ac28-beffa264f7ac",
    "Container Registry Repository Reader",
)
_PUSH_ACTION = Permission("Microsoft.ContainerRegistry/registries/push/write")
_TASKS = (
    Permission("Microsoft.ContainerRegistry/registries/scheduleRun/action"),
    Permission("Microsoft.ContainerRegistry/registries/listBuildSourceUploadUrl/action"),
)
# What building images takes (azure-facts §3). Microsoft's documents say Contributor. AcrPush lacks ACR Tasks.
BUILD = Need("build and push images", (_PUSH_ACTION, *_TASKS), CONTRIBUTOR, "Contributor", broad=True)
PUSH = Need("push images", (_PUSH_ACTION,), "8311e382-0749-4cb8-b61a-304f252e45ec", "AcrPush")
RUN_TASKS = Need(
    "run ACR Tasks", _TASKS, "fb382eab-e894-4461-af04-94435c366c3f", "Container Registry Tasks Contributor"
)
# In ABAC mode the data plane asks for repository permissions. Contributor gives only ACR Tasks then.
RUN_TASKS_AS_CONTRIBUTOR = Need(RUN_TASKS.name, _TASKS, CONTRIBUTOR, "Contributor", broad=True)
PUSH_ABAC = Need(
    "push images (ABAC)",
    tuple(
        Permission(f"{_REPOSITORIES}/{what}", data=True)
        for what in ("content/read", "content/write", "metadata/read", "metadata/write")
    ),
    "2a1e307c-b015-4ebd-883e-5b7698a07328",
    "Container Registry Repository Writer",
)
READ_BLOBS = Need(
    "read blobs",
    (Permission(f"{_BLOBS}/read", data=True),),
    "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
    "Storage Blob Data Reader",
)
WRITE_BLOBS = Need(
    "read and write blobs",
    (
        Permission(f"{_BLOBS}/read", data=True),
        Permission(f"{_BLOBS}/write", data=True),
        Permission(f"{_BLOBS}/delete", data=True),
        Permission(f"{_BLOBS}/add/action", data=True),
        Permission(f"{_BLOBS}/move/action", data=True),
    ),
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "Storage Blob Data Contributor",
)
WRITE_TABLES = Need(
    "read and write tables",
    tuple(
        Permission(f"{_STORAGE}/tableServices/tables/entities/{what}", data=True)
        for what in ("read", "write", "delete", "add/action", "update/action")
    ),
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
    "Storage Table Data Contributor",
)
WRITE_QUEUES = Need(
    "read and write queues",
    tuple(
        Permission(f"{_STORAGE}/queueServices/queues/messages/{what}", data=True)
        for what in ("read", "write", "delete", "process/action")
    ),
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
    "Storage Queue Data Contributor",
)
# With backup semantics: the roles for SMB shares lack that, and mounting by identity needs it.
READ_FILES = Need(
    "read files",
    (
        Permission(f"{_FILES}/fileshares/files/read", data=True),
        Permission(f"{_FILES}/readFileBackupSemantics/action", data=True),
    ),
    "b8eda974-7b85-4f76-af95-65846b26df6d",
    "Storage File Data Privileged Reader",
)
WRITE_FILES = Need(
    "read and write files",
    (
        *READ_FILES.permissions,
        Permission(f"{_FILES}/fileshares/files/write", data=True),
        Permission(f"{_FILES}/fileshares/files/delete", data=True),
        Permission(f"{_FILES}/fileshares/files/modifypermissions/action", data=True),
        Permission(f"{_FILES}/writeFileBackupSemantics/action", data=True),
    ),
    "69566ab7-960f-475b-8e7c-b3118f30c6bd",
    "Storage File Data Privileged Contributor",
)
WRITE_METRICS = Need(
    "write metrics",
    (Permission("Microsoft.MachineLearningServices/workspaces/metrics/*/write"),),
    "635dd51f-9968-44d3-b7fb-6d9a6bd613ae",
    "AzureML Metrics Writer (preview)",
)
CONTROL_WORKSPACE = _contributor("control the workspace", "Microsoft.MachineLearningServices/workspaces/*")
CONTROL_STORAGE = _contributor("control the storage account", "Microsoft.Storage/storageAccounts/*")
CONTROL_VAULT = _contributor("control the key vault", "Microsoft.KeyVault/vaults/*")
# Whoever can write access policies can give itself access. The quickstart uses this for the encryption key's vault.
ADMIT_TO_VAULT = _contributor("let itself use the vault's keys", "Microsoft.KeyVault/vaults/accessPolicies/write")
CONTROL_REGISTRY = _contributor("control the registry", "Microsoft.ContainerRegistry/registries/*")
CONTROL_INSIGHTS = _contributor("control Application Insights", "Microsoft.Insights/components/*")
ADMINISTER_VAULT = Need(
    "administer the vault's keys, secrets and certificates",
    (Permission("Microsoft.KeyVault/vaults/*", data=True),),
    "00482a5a-887f-4fb3-b363-3b7fe8e74483",
    "Key Vault Administrator",
    broad=True,
)
ASSIGN_IDENTITY = Need(
    "assign the identity to resources",
    (Permission("Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"),),
    "f1a07417-d97a-45cb-824c-7a7467783830",
    "Managed Identity Operator",
)
USE_KEYS = Need(
    "wrap and unwrap with the vault's keys",
    (
        Permission("Microsoft.KeyVault/vaults/keys/read", data=True),
        Permission("Microsoft.KeyVault/vaults/keys/wrap/action", data=True),
        Permission("Microsoft.KeyVault/vaults/keys/unwrap/action", data=True),
    ),
    "e147488a-f6f5-4113-8e2d-b22465e65bf6",
    "Key Vault Crypto Service Encryption User",
)
GET_SECRETS = Need(
    "get the vault's secrets",
    (Permission("Microsoft.KeyVault/vaults/secrets/getSecret/action", data=True),),
    "4633458b-17de-408a-b874-0445c86b69e6",
    "Key Vault Secrets User",
)
READ_PRIVATE_ENDPOINT = Need(
    "read the private endpoint",
    (Permission("Microsoft.Network/privateEndpoints/read"),),
    "acdd72a7-3385-48ef-bd42-f606fba81ae7",
    "Reader",
)
MATERIALIZE = Need(
    "materialize feature sets",
    tuple(
        Permission(f"Microsoft.MachineLearningServices/workspaces/{what}")
        for what in (
            "featuresets/*/read",
            "featuresets/versions/materialize/action",
            "featurestoreentities/*/read",
            "jobs/read",
            "jobs/write",
        )
    ),
    "f6c7c914-8db3-469d-8ca1-694a8f32e121",
    "AzureML Data Scientist",
    broad=True,
)

STOP_INSTANCE = _contributor(
    "stop the compute instance",
    f"{_AML}/computes/read",
    f"{_AML}/computes/stop/action",
)
SCORE_AND_MANAGE = Need(
    "manage online endpoints and score with them",
    tuple(
        Permission(f"{_AML}/onlineEndpoints/{what}")
        for what in (
            "read",
            "write",
            "delete",
            "token/action",
            "listKeys/action",
            "regenerateKeys/action",
            "score/action",
        )
    ),
    "f6c7c914-8db3-469d-8ca1-694a8f32e121",
    "AzureML Data Scientist",
    broad=True,
)
READ_CONNECTION_SECRETS = Need(
    "read the workspace connections' secrets",
    (
        Permission(f"{_AML}/connections/listsecrets/action"),
        Permission(f"{_AML}/metadata/secrets/read"),
    ),
    "ea01e6af-a1c1-4350-9563-ad00f8c72ec5",
    "Azure Machine Learning Workspace Connection Secrets Reader",
)
WRITE_ROLES = Need(
    "write role definitions",
    (Permission("Microsoft.Authorization/roleDefinitions/write"),),
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
    "User Access Administrator",
    broad=True,
)
USE_AML_REGISTRY = Need(
    "use the assets of the AML registry",
    (
        Permission("Microsoft.MachineLearningServices/registries/read"),
        Permission("Microsoft.MachineLearningServices/registries/assets/read"),
    ),
    "1823dd4f-9b8c-4ab6-ab4e-7397a3684615",
    "AzureML Registry User",
    broad=True,
)

# Access policies have no roles: each permission is named (Microsoft.KeyVault 2026-02-01, AccessPolicyEntry). All but
# `purge` (AML-07). The storage permissions belong to a retired feature that AML does not use.
_POLICY_PERMISSIONS = {
    "keys": (
        "get list update create import delete recover backup restore decrypt encrypt unwrapKey wrapKey verify sign "
        "release rotate getrotationpolicy setrotationpolicy"
    ),
    "secrets": "get list set delete recover backup restore",
    "certificates": (
        "get list delete create import update managecontacts getissuers listissuers setissuers deleteissuers "
        "manageissuers recover backup restore"
    ),
}
ACCESS_POLICY = {kind: tuple(names.split()) for kind, names in _POLICY_PERMISSIONS.items()}
# In lower case for comparison, because a vault may have recorded any case.
VAULT_PERMISSIONS = frozenset(f"{kind}/{name}".casefold() for kind, names in ACCESS_POLICY.items() for name in names)
