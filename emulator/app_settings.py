"""The app settings that `infra/` deploys, with the values that they have in the local Azure."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

SNAPSHOT = Path(__file__).parents[1] / "infra" / "parameters" / "one-subscription.snapshot.json"
# What only Azure knows stays an expression in a snapshot: a property of a resource, or of the cloud.
_PROPERTY = re.compile(r"\[reference\('[^']*/providers/(?P<path>[^']+)', '[^']+'\)\.(?P<property>[\w.]+)\]")
_CLOUD = re.compile(r"\[(?P<expression>environment\(\)\.\w+)\]")
# learn.microsoft.com/azure/azure-functions/functions-app-settings#flex-consumption-plan-deprecations: the platform sets
# these itself, or functionAppConfig replaces them. A deployment with the worker's runtime is known to fail.
_NOT_ON_FLEX = {
    *("ENABLE_ORYX_BUILD", "FUNCTIONS_EXTENSION_VERSION", "FUNCTIONS_WORKER_RUNTIME"),
    *("FUNCTIONS_WORKER_RUNTIME_VERSION", "SCM_DO_BUILD_DURING_DEPLOYMENT", "WEBSITE_CONTENTSHARE"),
    *("WEBSITE_CONTENTAZUREFILECONNECTIONSTRING", "WEBSITE_MAX_DYNAMIC_APPLICATION_SCALE_OUT"),
    "WEBSITE_RUN_FROM_PACKAGE",
}


class AppSettingsError(Exception):
    """A setting that Azure refuses, or a value in the snapshot that the local Azure does not know."""


def check(names: Iterable[str]) -> None:
    """Raises AppSettingsError, in Azure's words, for a setting that a Flex Consumption app must not have.

    A colon in a name is refused, too: https://github.com/Azure/azure-functions-host/issues/11908.
    """
    for name in names:
        if name.upper() in _NOT_ON_FLEX or ":" in name:
            raise AppSettingsError(
                f"The following app setting (Site.SiteConfig.AppSettings.{name}) for Flex Consumption sites is "
                "invalid. Please remove or rename it before retrying."
            )


def written(snapshot: Path = SNAPSHOT) -> dict[str, str]:
    """Names and values, as the snapshot of a deployment has them."""
    made = json.loads(snapshot.read_text("utf-8"))["predictedResources"]
    (app,) = (one for one in made if one["type"] == "Microsoft.Web/sites")
    return {one["name"]: one["value"] for one in app["properties"]["siteConfig"]["appSettings"]}


def deployed(values: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    """The values: literals unchanged, and for expressions what `known` has, by resource type and property."""
    return {name: _value(name, value, known) for name, value in values.items()}


def _value(name: str, value: str, known: Mapping[str, str]) -> str:
    if not value.startswith("["):
        return value
    asked = _asked(value)
    if asked not in known:
        raise AppSettingsError(f"app setting {name}: the local Azure has nothing for {asked}")
    return known[asked]


def _asked(expression: str) -> str:
    """`Microsoft.Storage/storageAccounts primaryEndpoints.blob` for a reference, or else the expression itself."""
    property_of = _PROPERTY.fullmatch(expression)
    if property_of:
        provider, *rest = property_of["path"].split("/")
        return f"{'/'.join([provider, *rest[::2]])} {property_of['property']}"
    cloud = _CLOUD.fullmatch(expression)
    return cloud["expression"] if cloud else expression
