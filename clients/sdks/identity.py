"""azure-mgmt-msi."""

from typing import Any

from azure.mgmt.msi.aio import ManagedServiceIdentityClient

from clients.sdks.place import REGION, Operation, Place, some

_NAME = "sdkuai"


def operations(place: Place) -> list[Operation]:
    client: Any = ManagedServiceIdentityClient(place.credential(), place.subscription, **place.arm_options)
    identities, trusts, group = client.user_assigned_identities, client.federated_identity_credentials, place.group
    below = (group, _NAME)
    trust = {
        "properties": {
            "issuer": "https://token.actions.githubusercontent.com",
            "subject": "repo:octo-org/octo-repo:ref:refs/heads/main",
            "audiences": ["api://AzureADTokenExchange"],
        }
    }
    workspace = place.id_of("Microsoft.MachineLearningServices/workspaces", "sdkws")
    return [
        ("identities create", lambda: identities.create_or_update(*below, {"location": REGION})),
        ("identities get", lambda: identities.get(*below)),
        ("identities list", lambda: some(identities.list_by_subscription())),
        ("identities list by group", lambda: some(identities.list_by_resource_group(group))),
        ("identities update", lambda: identities.update(*below, {"tags": {"env": "test"}})),
        ("federated credentials create", lambda: trusts.create_or_update(*below, "github", trust)),
        ("federated credentials get", lambda: trusts.get(*below, "github")),
        ("federated credentials list", lambda: some(trusts.list(*below))),
        ("federated credentials delete", lambda: trusts.delete(*below, "github")),
        ("system-assigned identity of a workspace", lambda: client.system_assigned_identities.get_by_scope(workspace)),
        ("identities delete", lambda: identities.delete(*below)),
    ]
