"""Where images come from: the login server in an image's name, and what deployments say of their environment and model.

A deployment names an asset by ARM id, by `azureml:` and an ARM id, or as `azureml://registries/NAME/…`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from shared.access.model import Raw
from shared.access.raw import get, scope_or_none, text
from shared.access.scope import Scope

_ACR = re.compile(r"([a-z0-9-]+\.)+azurecr\.[a-z]+")
_OF_REGISTRY = re.compile(r"azureml://registries/([^/]+)/([^/]+)/", re.IGNORECASE)
AML_REGISTRY = "microsoft.machinelearningservices/registries"
# There is no limit to the number of environments, and each costs a request. So only those that were changed last are
# read.
MOST_ENVIRONMENTS = 20


@dataclass(frozen=True, slots=True)
class Asset:
    """`registry` is the AML registry that it lies in, by name; `id` where ARM's id is known."""

    kind: str
    registry: str = ""
    id: Scope | None = None


def container_registry(image: str | None) -> str | None:
    """The login server of an Azure container registry, in lower case. None for any other source."""
    host, slash, _ = (image or "").removeprefix("https://").casefold().partition("/")
    return host if slash and _ACR.fullmatch(host) else None


def as_it_is(version: Raw | None) -> str | None:
    """The login server from which an environment's image is pulled. None if AML builds the image."""
    body = get(version, "properties")
    built = text(body, "condaFile") or isinstance(get(body, "build"), dict)
    return None if built else container_registry(text(body, "image"))


def latest(environments: Iterable[Raw]) -> list[Scope]:
    """The latest versions of the environments that were changed last."""
    listed = [raw for raw in environments if not get(raw, "properties", "isArchived")]
    newest = sorted(listed, key=lambda raw: text(raw, "systemData", "lastModifiedAt") or "", reverse=True)
    named = ((raw.get("id"), text(raw, "properties", "latestVersion")) for raw in newest[:MOST_ENVIRONMENTS])
    found = (scope_or_none(f"{name}/versions/{version}") for name, version in named if version)
    return [scope for scope in found if scope]


def assets(deployment: Raw) -> Iterator[Asset]:
    """Its environment and its model."""
    model = get(deployment, "properties", "model")
    named = {
        "environments": text(deployment, "properties", "environmentId"),
        "models": model if isinstance(model, str) else text(model, "assetId") or text(model, "resourceId"),
    }
    for kind, name in named.items():
        found = _asset(kind, name) if name else None
        if found:
            yield found


def of_job(body: object) -> Iterator[Asset]:
    """The environment, the component and the inputs of a job or of a pipeline's step that name an asset."""
    inputs = get(body, "inputs")
    uris = [text(one, "uri") for one in inputs.values()] if isinstance(inputs, Mapping) else []
    named = {"environments": [text(body, "environmentId")], "components": [text(body, "componentId")], "inputs": uris}
    found = (_asset(kind, name) for kind, names in named.items() for name in names if name)
    yield from (one for one in found if one)


def _asset(kind: str, name: str) -> Asset | None:
    of_registry = _OF_REGISTRY.match(name)
    if of_registry:
        return Asset(kind, of_registry[1])
    scope = scope_or_none(name.removeprefix("azureml:"))
    if scope is None:
        return None
    registry = scope.ancestor(AML_REGISTRY)
    return Asset(kind, registry.name if registry else "", scope)


def of_microsoft(registry: str) -> bool:
    """Microsoft's own AML registries are open to everybody (`azureml`, and those named after it)."""
    return registry.casefold().split("-", 1)[0] == "azureml"


def registries_of(registry: Raw) -> Iterator[Scope]:
    """The container registries in which an AML registry keeps its images, one for each region."""
    for region in get(registry, "properties", "regionDetails") or ():
        for details in get(region, "acrDetails") or ():
            for made in ("systemCreatedAcrAccount", "userCreatedAcrAccount"):
                scope = scope_or_none(get(details, made, "armResourceId", "resourceId"))
                if scope:
                    yield scope
