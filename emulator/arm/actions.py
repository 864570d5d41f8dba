"""POST actions of resources that this local Azure knows. Any other is not found, as in Azure."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from emulator.arm.call import Answer, Call
from emulator.arm.store import SUCCEEDED
from emulator.clock import Clock
from emulator.errors import AzureError
from emulator.ids import ResourcePath
from emulator.seeded_values import SeededValues
from emulator.tenant import Tenant

type Json = dict[str, Any]
type _Action = Callable[[Call, ResourcePath, Json], Answer]

_AML = "microsoft.machinelearningservices/workspaces"
_CONTAINERS = "microsoft.containerinstance/containergroups"


class Actions:
    def __init__(self, tenant: Tenant, clock: Clock, made_up: SeededValues) -> None:
        self._tenant = tenant
        self._clock = clock
        self._made_up = made_up
        self._renewed: Counter[str] = Counter()
        keys, done = self._two_keys, _done
        self._known: dict[tuple[str, str], tuple[str, _Action]] = {
            (_AML, "resynckeys"): ("resyncKeys", self._resync_keys),
            (_AML, "listkeys"): ("listKeys", self._workspace_keys),
            (f"{_AML}/onlineendpoints", "listkeys"): ("listKeys", keys("primaryKey", "secondaryKey")),
            (f"{_AML}/onlineendpoints", "regeneratekeys"): ("regenerateKeys", self._renewing("keyType", done)),
            (f"{_AML}/onlineendpoints", "token"): ("token", self._endpoint_token),
            (f"{_AML}/batchendpoints", "listkeys"): ("listKeys", keys("primaryKey", "secondaryKey")),
            (f"{_AML}/onlineendpoints/deployments", "getlogs"): ("getLogs", lambda *_: Answer(200, {"content": ""})),
            (f"{_AML}/computes", "listnodes"): ("listNodes", lambda *_: Answer(200, {"nodes": []})),
            (_AML, "diagnose"): ("diagnose", self._diagnose),
            (_AML, "provisionmanagednetwork"): ("provisionManagedNetwork", self._provision_network),
            (f"{_AML}/computes", "start"): ("start", _accepted),
            (f"{_AML}/computes", "stop"): ("stop", _accepted),
            (f"{_AML}/computes", "restart"): ("restart", _accepted),
            (f"{_AML}/datastores", "listsecrets"): ("listSecrets", self._datastore_secrets),
            (f"{_AML}/connections", "listsecrets"): ("listSecrets", lambda _, __, found: Answer(200, found)),
            (f"{_AML}/jobs", "cancel"): ("cancel", done),
            (_CONTAINERS, "start"): ("start", self._turned("Running", 202)),
            (_CONTAINERS, "stop"): ("stop", self._turned("Stopped", 204)),
            (_CONTAINERS, "restart"): ("restart", self._turned("Running", 204)),
            ("microsoft.containerregistry/registries", "listcredentials"): ("listCredentials", self._credentials),
            ("microsoft.containerregistry/registries", "regeneratecredential"): (
                "regenerateCredential",
                self._renewing("name", self._credentials),
            ),
            ("microsoft.containerregistry/registries/webhooks", "getcallbackconfig"): ("getCallbackConfig", _callback),
            ("microsoft.storage/storageaccounts", "listkeys"): ("listKeys", self._storage_keys),
            ("microsoft.storage/storageaccounts", "regeneratekey"): (
                "regenerateKey",
                self._renewing("keyName", self._storage_keys),
            ),
        }

    def name(self, path: ResourcePath) -> str | None:
        """The action's name in Azure's casing. None if the type has no such action."""
        known = self._known.get(_split(path))
        return known[0] if known else None

    def run(self, call: Call, owner: ResourcePath, resource: Json) -> Answer:
        return self._known[_split(call.path)][1](call, owner, resource)

    def _resync_keys(self, _: Call, owner: ResourcePath, __: Json) -> Answer:
        def finish(end: str) -> None:
            if end == SUCCEEDED:
                self._tenant.synced_keys[owner.key] = self._clock.now()

        return Answer(202, finish=finish)

    def _diagnose(self, *_: object) -> Answer:
        """Nothing to say: the local Azure looks for nothing."""
        return Answer(200, {"value": {}})

    def _provision_network(self, call: Call, owner: ResourcePath, workspace: Json) -> Answer:
        """As the specification's example says (stable/2024-04-01/examples/ManagedNetwork/provision.json): 202, and the
        status where the Location leads.
        """
        properties = workspace.get("properties") or {}
        asked = call.body if isinstance(call.body, dict) else {}
        status = {"status": "Active", "sparkReady": bool(asked.get("includeSpark"))}

        def finish(end: str) -> None:
            network = {**(properties.get("managedNetwork") or {}), "status": status}
            if end == SUCCEEDED and owner.key in self._tenant.resources:
                self._tenant.resources[owner.key] = {
                    **workspace,
                    "properties": {**properties, "managedNetwork": network},
                }

        return Answer(202, status, finish=finish)

    def _turned(self, state: str, status: int) -> _Action:
        """A container group has another state from now on."""

        def turned(_: Call, owner: ResourcePath, group: Json) -> Answer:
            properties = group.get("properties") or {}
            view = {**(properties.get("instanceView") or {}), "state": state}
            self._tenant.resources[owner.key] = {**group, "properties": {**properties, "instanceView": view}}
            return Answer(status, finish=(lambda _: None) if status == 202 else None)

        return turned

    def _workspace_keys(self, call: Call, owner: ResourcePath, resource: Json) -> Answer:
        """Microsoft's types call the account by another name since 2025-10-01-preview."""
        account = (resource.get("properties") or {}).get("storageAccount")
        name = "userStorageArmId" if call.api_version >= "2025-10" else "userStorageResourceId"
        return Answer(200, {name: account, "userStorageKey": self._secret(owner, "storage")})

    def _datastore_secrets(self, _: Call, owner: ResourcePath, resource: Json) -> Answer:
        credentials = (resource.get("properties") or {}).get("credentials") or {}
        kind = {"accountkey": "AccountKey", "sas": "Sas"}.get(str(credentials.get("credentialsType")).lower())
        if kind is None:
            raise AzureError(400, "UserError", "The datastore has no secrets.")
        return Answer(200, {"secretsType": kind, "key": self._secret(owner, "key")})

    def _two_keys(self, one: str, other: str) -> _Action:
        def keys(_: Call, owner: ResourcePath, __: Json) -> Answer:
            return Answer(200, {name: self._secret(owner, name.removesuffix("Key")) for name in (one, other)})

        return keys

    def _renewing(self, field: str, then: _Action) -> _Action:
        """The key that the body names is another one from now on."""

        def renew(call: Call, owner: ResourcePath, resource: Json) -> Answer:
            self._renewed[_key(owner, str(call.object_body().get(field)))] += 1
            return then(call, owner, resource)

        return renew

    def _endpoint_token(self, *_: object) -> Answer:
        soon = int(self._clock.now().timestamp()) + 3600
        body = {
            "accessToken": self._made_up.another("token"),
            "tokenType": "Bearer",
            "expiryTimeUtc": soon,
            "refreshAfterTimeUtc": soon,
        }
        return Answer(200, body)

    def _credentials(self, _: Call, owner: ResourcePath, registry: Json) -> Answer:
        if not (registry.get("properties") or {}).get("adminUserEnabled"):
            raise AzureError(
                400,
                "UnAuthorizedForCredentialOperations",
                f"Cannot perform credential operations for {owner.text} as admin user is disabled. Kindly enable admin "
                "user as per docs: https://aka.ms/acr/authentication",
            )
        passwords = [{"name": name, "value": self._secret(owner, name)} for name in ("password", "password2")]
        return Answer(200, {"username": owner.name, "passwords": passwords})

    def _storage_keys(self, _: Call, owner: ResourcePath, account: Json) -> Answer:
        properties = account.get("properties") or {}
        if properties.get("provisioningState", SUCCEEDED) != SUCCEEDED:
            # Recorded with Azure Service Operator, CreateStorageAccountWithSkipReconcile
            message = "The storage account provisioning state must be 'Succeeded' before executing the operation."
            raise AzureError(409, "StorageAccountIsNotProvisioned", message)
        created = properties.get("keyCreationTime") or {}
        keys = [
            {
                "creationTime": created.get(name),
                "keyName": name,
                "value": self._secret(owner, name),
                "permissions": "FULL",
            }
            for name in ("key1", "key2")
        ]
        return Answer(200, {"keys": keys})

    def _secret(self, owner: ResourcePath, name: str) -> str:
        """The same until it is renewed."""
        key = _key(owner, name)
        return self._made_up.guid(f"secret {key} {self._renewed[key]}").replace("-", "")


def _key(owner: ResourcePath, name: str) -> str:
    return f"{owner.key} {name.lower()}"


def _split(path: ResourcePath) -> tuple[str, str]:
    owner, _, action = path.type.lower().rpartition("/")
    return owner, action


def _accepted(*_: object) -> Answer:
    return Answer(202, finish=lambda _: None)


def _done(*_: object) -> Answer:
    return Answer(200)


def _callback(_: Call, __: ResourcePath, webhook: Json) -> Answer:
    """Recorded with the Azure CLI, acr_create_webhook."""
    properties = webhook.get("properties") or {}
    return Answer(200, {"serviceUri": properties.get("serviceUri"), "customHeaders": properties.get("customHeaders")})
