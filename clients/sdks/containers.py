"""azure-mgmt-containerinstance."""

from typing import Any

from azure.mgmt.containerinstance.aio import ContainerInstanceManagementClient

from clients.sdks.place import REGION, Operation, Place, done, every, some

_NAME = "sdkgroup"


def operations(place: Place) -> list[Operation]:
    client: Any = ContainerInstanceManagementClient(place.credential(), place.subscription, **place.arm_options)
    groups, group = client.container_groups, place.group
    below = (group, _NAME)
    size = {"requests": {"cpu": 1, "memoryInGB": 1}}
    image = "mcr.microsoft.com/azuredocs/aci-helloworld"
    made = {
        "location": REGION,
        "properties": {
            "osType": "Linux",
            "containers": [{"name": "one", "properties": {"image": image, "resources": size}}],
        },
    }
    return [
        ("container groups create", lambda: done(groups.begin_create_or_update(*below, made))),
        ("container groups get", lambda: groups.get(*below)),
        ("container groups list", lambda: some(groups.list())),
        ("container groups list by group", lambda: some(groups.list_by_resource_group(group))),
        ("container groups update", lambda: groups.update(*below, {"tags": {"env": "test"}})),
        ("container groups stop", lambda: groups.stop(*below)),
        ("container groups start", lambda: done(groups.begin_start(*below))),
        ("container groups restart", lambda: done(groups.begin_restart(*below))),
        ("container logs", lambda: client.containers.list_logs(*below, "one")),
        ("usage", lambda: some(client.location.list_usage(REGION))),
        ("capabilities", lambda: every(client.location.list_capabilities(REGION))),
        ("container groups delete", lambda: done(groups.begin_delete(*below))),
    ]
