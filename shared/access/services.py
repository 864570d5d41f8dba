"""Services outside AML that sign in to a registry, as far as ARM shows it without reading secrets (AML-85, AML-23).

The registry's admin user has the name of the registry. A service that signs in under that name needs the admin user. A
service that pulls with a managed identity, a token or a service principal does not. Shapes:
learn.microsoft.com/azure/templates of Microsoft.App/containerApps, jobs and sessionPools (2025-01-01),
Microsoft.Batch/batchAccounts/pools (2024-07-01), Microsoft.ContainerInstance/containerGroups (2023-05-01) and
Microsoft.Web/sites and sites/config (2024-04-01).
"""

import base64
import binascii
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from shared.access.model import Raw, Registry
from shared.access.raw import flag, get, rows, text


class SignIn(Enum):
    """How a service signs in to the registry.

    For App Service the name is an app setting, which amlguard does not read.
    """

    ADMIN = "signs in under the registry's own name"
    HIDDEN = "signs in with a user name and password that ARM does not show"
    UNCLEAR = "names the registry, and ARM does not show how it signs in"
    OTHER = "signs in as a token or a service principal"
    IDENTITY = "pulls with a managed identity"

    @property
    def needs_admin_user(self) -> bool:
        return self in (SignIn.ADMIN, SignIn.HIDDEN)


type Reading = Callable[[Raw, Registry], Iterator[SignIn]]


@dataclass(frozen=True, slots=True)
class Service:
    """`collection` is what a subscription lists. `kind` is the type of the listed resources, in lower case.

    `below`, if given, is what says how each one that `may` sign in does so: a list, or (`single`) one resource.
    """

    collection: str
    kind: str
    words: str
    reading: Reading
    below: str = ""
    single: bool = False
    may: Callable[[Raw], bool] = lambda _: True


def server(registry: Registry) -> str:
    # If ARM does not show the login server, the name alone decides: *.azurecr.io starts with it in every cloud.
    return (registry.login_server or f"{registry.id.name}.azurecr.io").casefold()


def is_at(host: str | None, registry: Registry) -> bool:
    """Whether `host`, perhaps as a URL or as the start of an image, is the registry's login server."""
    found = (host or "").strip().casefold().removeprefix("https://").removeprefix("http://").split("/", 1)[0]
    if registry.login_server:
        return found == server(registry)
    return found.split(".", 1)[0] == registry.id.name.casefold()


def _credential(entry: object, registry: Registry, *, host: str, user: tuple[str, ...], identity: Any) -> SignIn | None:
    if not is_at(text(entry, host), registry):
        return None
    name = next((found for key in user if (found := text(entry, key))), "")
    if name.casefold() == registry.id.name.casefold():
        return SignIn.ADMIN
    if identity:
        return SignIn.IDENTITY
    return SignIn.OTHER if name else SignIn.UNCLEAR


def _container_app(raw: Raw, registry: Registry) -> Iterator[SignIn]:
    """Container Apps and their jobs."""
    yield from _of_apps(rows(raw, "properties", "configuration", "registries"), registry)


def _session_pool(raw: Raw, registry: Registry) -> Iterator[SignIn]:
    yield from _of_apps([get(raw, "properties", "customContainerTemplate", "registryCredentials")], registry)


def _of_apps(entries: Any, registry: Registry) -> Iterator[SignIn]:
    for one in entries:
        found = _credential(one, registry, host="server", user=("username",), identity=text(one, "identity"))
        if found:
            yield found


def _container_group(raw: Raw, registry: Registry) -> Iterator[SignIn]:
    found = [
        _credential(
            one,
            registry,
            host="server",
            user=("username",),
            identity=text(one, "identity") or text(one, "identityUrl"),
        )
        for one in rows(raw, "properties", "imageRegistryCredentials")
    ]
    known = [one for one in found if one]
    yield from known
    containers = [one for key in ("containers", "initContainers") for one in rows(raw, "properties", key)]
    images = (text(one, "properties", "image") for one in containers)
    if not known and any("/" in (image or "") and is_at(image, registry) for image in images):
        yield SignIn.UNCLEAR


def _pool(raw: Raw, registry: Registry) -> Iterator[SignIn]:
    machines = get(raw, "properties", "deploymentConfiguration", "virtualMachineConfiguration")
    for one in rows(machines, "containerConfiguration", "containerRegistries"):
        identity = text(one, "identityReference", "resourceId")
        user = ("username", "userName")  # the spelling of the templates, and that of the SDKs
        found = _credential(one, registry, host="registryServer", user=user, identity=identity)
        if found:
            yield found


def _site(raw: Raw, registry: Registry) -> Iterator[SignIn]:
    """From `sites/config/web`."""
    body = get(raw, "properties")
    with_identity = flag(body, "acrUseManagedIdentityCreds") is True
    for key in ("linuxFxVersion", "windowsFxVersion"):
        kind, _, image = (text(body, key) or "").partition("|")
        named = _names(kind.casefold(), image, registry)
        if named is None or named:
            how = SignIn.HIDDEN if named else SignIn.UNCLEAR
            yield SignIn.IDENTITY if with_identity else how


def _names(kind: str, image: str, registry: Registry) -> bool | None:
    """Whether it runs an image of the registry. None if nobody can tell."""
    if kind in ("compose", "kube"):  # several containers: a file in base64
        try:
            return server(registry) in base64.b64decode(image, validate=True).decode(errors="replace").casefold()
        except (binascii.Error, ValueError):
            return None
    return kind == "docker" and "/" in image.removeprefix("https://") and is_at(image, registry)


def has_sidecars(site: Raw) -> bool:
    """From `sites/config/web`: whether the containers are listed as `sitecontainers`."""
    return (text(site, "properties", "linuxFxVersion") or "").casefold() == "sitecontainers"


def sidecar(raw: Raw, registry: Registry) -> Iterator[SignIn]:
    """From `sites/sitecontainers`."""
    body = get(raw, "properties")
    image = text(body, "image") or ""
    if "/" not in image or not is_at(image, registry):
        return
    kind = (text(body, "authType") or "").casefold()
    if kind in ("systemidentity", "systemassigned", "userassigned"):
        yield SignIn.IDENTITY
    elif (text(body, "userName") or "").casefold() == registry.id.name.casefold():
        yield SignIn.ADMIN
    elif kind == "usercredentials":
        yield SignIn.OTHER if text(body, "userName") else SignIn.HIDDEN
    else:
        yield SignIn.UNCLEAR


def _may_run_containers(site: Raw) -> bool:
    """A Windows site runs a container only if it says so. A Linux site may run one, whatever its kind says."""
    kind = (text(site, "kind") or "").casefold()
    body = get(site, "properties")
    said = any(flag(body, key) for key in ("reserved", "hyperV", "isXenon"))
    return said or not kind or "container" in kind or "linux" in kind


SLOTS = "resources?$filter=resourceType%20eq%20'Microsoft.Web/sites/slots'"
CONTAINER_GROUPS = "Microsoft.ContainerInstance/containerGroups"


def _service(collection: str, words: str, reading: Reading, below: str = "", **more: Any) -> Service:
    return Service(collection, collection.casefold(), words, reading, below, **more)


_WEB: dict[str, Any] = {"single": True, "may": _may_run_containers}

SERVICES = (
    _service("Microsoft.App/containerApps", "Container App", _container_app),
    _service("Microsoft.App/jobs", "Container Apps job", _container_app),
    _service("Microsoft.App/sessionPools", "Container Apps session pool", _session_pool),
    _service(CONTAINER_GROUPS, "Container Instances group", _container_group),
    _service("Microsoft.Batch/batchAccounts", "Batch account", _pool, "pools"),
    _service("Microsoft.Web/sites", "App Service or Functions app", _site, "config/web", **_WEB),
    Service(SLOTS, "microsoft.web/sites/slots", "App Service or Functions slot", _site, "config/web", **_WEB),
)
