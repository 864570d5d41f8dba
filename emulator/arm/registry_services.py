"""Services that run images of a registry: what ARM shows about them, and where. It never shows passwords again.

Shapes: learn.microsoft.com/azure/templates of Microsoft.App, Microsoft.Web, Microsoft.Batch and
Microsoft.ContainerInstance. A list of sites leaves their configuration out. `config/web` exists for every site.
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any
from zlib import crc32

from emulator.arm.behaviour import Behaviour, Plain
from emulator.identity.tokens import Caller
from emulator.ids import ResourcePath, key_of
from emulator.tenant import Tenant

type Json = dict[str, Any]

_CONFIG: Json = {
    "linuxFxVersion": "",
    "windowsFxVersion": None,
    "acrUseManagedIdentityCreds": False,
    "acrUserManagedIdentityID": None,
    "alwaysOn": False,
    "ftpsState": "FtpsOnly",
    "http20Enabled": False,
    "numberOfWorkers": 1,
}


_PASSWORDS = frozenset(("password", "passwordsecret", "securevalue"))


class _KeepingSecrets(Behaviour):
    def view(self, resource: Json, api_version: str) -> Json:
        del api_version
        shown: Json = _without_secrets(resource)
        return shown


class _Plain(_KeepingSecrets, Plain):
    pass


class _ContainerGroup(_KeepingSecrets):
    def shaped(self, resource: Json, before: Json | None, caller: Caller) -> Json:
        """A public address is one of those that RFC 5737 keeps for documents."""
        del before, caller
        properties = resource.get("properties") or {}
        address = properties.get("ipAddress")
        if not isinstance(address, dict) or address.get("type") != "Public":
            return resource
        label, region = address.get("dnsNameLabel"), str(resource.get("location", "")).replace(" ", "").lower()
        own = {"ip": f"203.0.113.{crc32(key_of(resource['id']).encode()) % 254 + 1}"}
        named = {"fqdn": f"{label}.{region}.azurecontainer.io"} if label else {}
        return {**resource, "properties": {**properties, "ipAddress": {**own, **named, **address}}}


class _Site(Plain):
    def listed(self, resource: Json, api_version: str) -> Json:
        shown = self.view(resource, api_version)
        return {**shown, "properties": {**(shown.get("properties") or {}), "siteConfig": None}}


class _SiteConfig(Plain):
    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant

    def always_there(self, path: ResourcePath) -> Json | None:
        """`config/web`, from the site's own `siteConfig` until somebody writes it."""
        site = self._tenant.resources.get(key_of(path.parent.rpartition("/")[0]))
        if site is None or path.name.lower() != "web":
            return None
        own = (site.get("properties") or {}).get("siteConfig") or {}
        kind = f"{site['type']}/config"
        return {"id": path.text, "name": "web", "type": kind, "properties": {**_CONFIG, **deepcopy(own)}}

    def shaped(self, resource: Json, before: Json | None, caller: Caller) -> Json:
        del before, caller
        known = (self._tenant.resources.get(key_of(resource["id"])) or {}).get("properties") or {}
        return {**resource, "properties": {**_CONFIG, **known, **(resource.get("properties") or {})}}


def _without_secrets(value: Any) -> Any:
    """Removes passwords wherever they are. Of an app's `secrets` only the names remain."""
    if isinstance(value, dict):
        shown = {key: _without_secrets(inner) for key, inner in value.items() if key.lower() not in _PASSWORDS}
        names = [{"name": one.get("name")} for one in value.get("secrets") or () if isinstance(one, dict)]
        return shown | ({"secrets": names} if names else {})
    return [_without_secrets(one) for one in value] if isinstance(value, list) else value


def behaviours(tenant: Tenant) -> Mapping[str, Behaviour]:
    return {
        "microsoft.app/containerapps": _KeepingSecrets(),
        "microsoft.app/jobs": _KeepingSecrets(),
        "microsoft.app/sessionpools": _KeepingSecrets(),
        "microsoft.batch/batchaccounts/pools": _Plain(),
        "microsoft.containerinstance/containergroups": _ContainerGroup(),
        "microsoft.web/sites": _Site(),
        "microsoft.web/sites/config": _SiteConfig(tenant),
        "microsoft.web/sites/slots": _Site(),
        "microsoft.web/sites/slots/config": _SiteConfig(tenant),
        "microsoft.web/sites/sitecontainers": _Plain(),
        "microsoft.web/sites/slots/sitecontainers": _Plain(),
    }
