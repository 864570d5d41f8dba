"""What a subscription offers: its providers, its locations, the tenants of the caller, names that are free.

Shapes: learn.microsoft.com/rest/api/resources (providers, subscriptions, tenants) and checkNameAvailability of
storagerp, containerregistry and keyvault. Every provider is registered here.
"""

from typing import Any

from emulator import names
from emulator.arm.call import Answer, Call, page
from emulator.arm.providers import Providers
from emulator.errors import AzureError
from emulator.tenant import Tenant

type Json = dict[str, Any]

# learn.microsoft.com/azure/reliability/regions-list
_LOCATIONS = {
    "westeurope": "West Europe",
    "northeurope": "North Europe",
    "eastus": "East US",
    "eastus2": "East US 2",
    "westus2": "West US 2",
    "westus3": "West US 3",
    "germanywestcentral": "Germany West Central",
    "swedencentral": "Sweden Central",
    "uksouth": "UK South",
    "southeastasia": "Southeast Asia",
}
# learn.microsoft.com/rest/api/azureml/virtual-machine-sizes/list; the sizes' own figures
_SIZES = {
    "STANDARD_DS3_V2": ("standardDSv2Family", 4, 0, 14),
    "STANDARD_NC4AS_T4_V3": ("standardNCASv3_T4Family", 4, 1, 28),
}
_CHECKED = {
    "microsoft.storage": ("microsoft.storage/storageaccounts", "The storage account named {} is already taken."),
    "microsoft.containerregistry": (
        "microsoft.containerregistry/registries",
        "The registry {} is already in use.",
    ),
    "microsoft.keyvault": ("microsoft.keyvault/vaults", "The vault name '{}' is already in use."),
}


class Offers:
    def __init__(self, tenant: Tenant, providers: Providers) -> None:
        self._tenant = tenant
        self._providers = providers

    def providers(self, call: Call) -> Answer:
        """All, or one by its namespace."""
        if call.path.is_collection:
            return page(call, [self._provider(call, name) for name in self._providers.namespaces()])
        return self._one(call, call.path.name)

    def register(self, call: Call) -> Answer:
        return self._one(call, call.path.namespace)

    def _one(self, call: Call, wanted: str) -> Answer:
        found = next((name for name in self._providers.namespaces() if name.lower() == wanted.lower()), None)
        if found is None:
            message = f"The resource namespace '{wanted}' is invalid."
            raise AzureError(404, "InvalidResourceNamespace", message)
        return Answer(200, self._provider(call, found))

    def _provider(self, call: Call, namespace: str) -> Json:
        scope = f"/subscriptions/{call.path.subscription}" if call.path.subscription else ""
        places = list(_LOCATIONS.values())
        offered = [
            {"resourceType": name, "locations": places, "apiVersions": list(versions), "capabilities": "None"}
            for name, versions in self._providers.types_of(namespace)
        ]
        body = {"namespace": namespace, "resourceTypes": offered}
        if not scope:
            return body
        registered = {"registrationPolicy": "RegistrationRequired", "registrationState": "Registered"}
        return {"id": f"{scope}/providers/{namespace}", **body, **registered}

    def locations(self, call: Call) -> Answer:
        shown = [
            {
                "id": f"/subscriptions/{call.path.subscription}/locations/{name}",
                "name": name,
                "type": "Region",
                "displayName": display,
                "regionalDisplayName": display,
                "metadata": {"regionType": "Physical"},
            }
            for name, display in _LOCATIONS.items()
        ]
        return Answer(200, {"value": shown})

    def sizes(self, call: Call) -> Answer:
        """Some of the sizes that Azure Machine Learning has for computes."""
        del call
        shown = [
            {
                "name": name,
                "family": family,
                "vCPUs": cores,
                "gpus": gpus,
                "memoryGB": memory,
                "lowPriorityCapable": True,
            }
            for name, (family, cores, gpus, memory) in _SIZES.items()
        ]
        return Answer(200, {"value": shown})

    def tenants(self, call: Call) -> Answer:
        del call
        tenant = self._tenant.tenant_id
        return Answer(200, {"value": [{"id": f"/tenants/{tenant}", "tenantId": tenant, "tenantCategory": "Home"}]})

    def name_availability(self, call: Call) -> Answer:
        """Names of these types are unique in all of Azure."""
        kind, taken = _CHECKED[call.path.namespace.lower()]
        name = str(call.object_body().get("name", ""))
        try:
            names.require(kind, name, {})
        except AzureError as error:
            return Answer(200, {"nameAvailable": False, "reason": "AccountNameInvalid", "message": error.message})
        held = self._tenant.resources.where("type", kind)
        if any(one["name"].lower() == name.lower() for one in held):
            body = {"nameAvailable": False, "reason": "AlreadyExists", "message": taken.format(name)}
            return Answer(200, body)
        return Answer(200, {"nameAvailable": True})
