"""What each need takes, as Microsoft's documents and the service say: a permission less, and something would not run.

The operations are those of https://learn.microsoft.com/azure/role-based-access-control/permissions, what asks for them
stands beside each.
"""

from collections.abc import Collection

import pytest

from shared.access import needs
from shared.access.needs import Need

_STORAGE = "Microsoft.Storage/storageAccounts"
_BLOBS = f"{_STORAGE}/blobServices/containers/blobs"
_TABLES = f"{_STORAGE}/tableServices/tables/entities"
_QUEUES = f"{_STORAGE}/queueServices/queues/messages"
_FILES = f"{_STORAGE}/fileServices"
_ACR = "Microsoft.ContainerRegistry/registries"
_KEYS = "Microsoft.KeyVault/vaults/keys"

# /azure/key-vault/general/rbac-guide and /azure/machine-learning/how-to-setup-customer-managed-keys: get, wrap, unwrap.
DATA = [
    (needs.USE_KEYS, {f"{_KEYS}/read", f"{_KEYS}/wrap/action", f"{_KEYS}/unwrap/action"}),
    (needs.GET_SECRETS, {"Microsoft.KeyVault/vaults/secrets/getSecret/action"}),
    (needs.READ_BLOBS, {f"{_BLOBS}/read"}),
    (needs.WRITE_BLOBS, {f"{_BLOBS}/{what}" for what in ("read", "write", "delete", "add/action", "move/action")}),
    (needs.WRITE_TABLES, {f"{_TABLES}/{what}" for what in ("read", "write", "delete", "add/action", "update/action")}),
    (needs.WRITE_QUEUES, {f"{_QUEUES}/{what}" for what in ("read", "write", "delete", "process/action")}),
    (needs.READ_FILES, {f"{_FILES}/fileshares/files/read", f"{_FILES}/readFileBackupSemantics/action"}),
    (
        needs.WRITE_FILES,
        {f"{_FILES}/fileshares/files/{what}" for what in ("read", "write", "delete", "modifypermissions/action")}
        | {f"{_FILES}/{what}FileBackupSemantics/action" for what in ("read", "write")},
    ),
    (needs.PULL_ABAC, {f"{_ACR}/repositories/{what}/read" for what in ("content", "metadata")}),
    (
        needs.PUSH_ABAC,
        {f"{_ACR}/repositories/{what}/{how}" for what in ("content", "metadata") for how in ("read", "write")},
    ),
]
# /azure/container-registry/container-registry-rbac-built-in-roles-overview
CONTROL = [
    (needs.PULL, {f"{_ACR}/pull/read"}),
    (needs.PUSH, {f"{_ACR}/push/write"}),
    (needs.RUN_TASKS, {f"{_ACR}/scheduleRun/action", f"{_ACR}/listBuildSourceUploadUrl/action"}),
    (needs.BUILD, {f"{_ACR}/push/write", f"{_ACR}/scheduleRun/action", f"{_ACR}/listBuildSourceUploadUrl/action"}),
    (needs.ADMIT_TO_VAULT, {"Microsoft.KeyVault/vaults/accessPolicies/write"}),
]


@pytest.mark.parametrize(("need", "operations"), DATA, ids=lambda one: getattr(one, "name", ""))
def test_of_the_data_plane(need: Need, operations: Collection[str]) -> None:
    assert {one.action for one in need.permissions} == set(operations)
    assert all(one.data for one in need.permissions)


@pytest.mark.parametrize(("need", "operations"), CONTROL, ids=lambda one: getattr(one, "name", ""))
def test_of_the_control_plane(need: Need, operations: Collection[str]) -> None:
    assert {one.action for one in need.permissions} == set(operations)
    assert not any(one.data for one in need.permissions)
