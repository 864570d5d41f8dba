"""The app settings that `infra/` deploys, with what they stand for in the local Azure."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

_BICEP = Path(__file__).parents[1] / "infra" / "modules" / "function-app.bicep"
_SETTING = re.compile(r"^ +name: '(?P<name>\w+)'\n +value: (?P<value>.+)$", re.MULTILINE)
# learn.microsoft.com/azure/azure-functions/functions-app-settings#flex-consumption-plan-deprecations: the platform sets
# these itself, or functionAppConfig replaces them. A deployment with the worker's runtime is known to fail.
_NOT_ON_FLEX = {
    *("ENABLE_ORYX_BUILD", "FUNCTIONS_EXTENSION_VERSION", "FUNCTIONS_WORKER_RUNTIME"),
    *("FUNCTIONS_WORKER_RUNTIME_VERSION", "SCM_DO_BUILD_DURING_DEPLOYMENT", "WEBSITE_CONTENTSHARE"),
    *("WEBSITE_CONTENTAZUREFILECONNECTIONSTRING", "WEBSITE_MAX_DYNAMIC_APPLICATION_SCALE_OUT"),
    "WEBSITE_RUN_FROM_PACKAGE",
}


class AppSettingsError(Exception):
    """A setting that Azure refuses, or a value in the Bicep that the local Azure does not know."""


def check(names: Iterable[str]) -> None:
    """AppSettingsError, in Azure's words, for one that a Flex Consumption app must not have.

    A colon is refused as well: https://github.com/Azure/azure-functions-host/issues/11908.
    """
    for name in names:
        if name.upper() in _NOT_ON_FLEX or ":" in name:
            raise AppSettingsError(
                f"The following app setting (Site.SiteConfig.AppSettings.{name}) for Flex Consumption sites is "
                "invalid. Please remove or rename it before retrying."
            )


def written(bicep: Path = _BICEP) -> dict[str, str]:
    """Names and Bicep expressions, as they stand in the file."""
    return {found["name"]: found["value"] for found in _SETTING.finditer(bicep.read_text("utf-8"))}


def deployed(expressions: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    """Values of `expressions`: literals as they are, others as `known` has them."""
    return {name: _value(name, expression, known) for name, expression in expressions.items()}


def _value(name: str, expression: str, known: Mapping[str, str]) -> str:
    literal = re.fullmatch(r"'([^'$]*)'", expression)
    if literal:
        return literal[1]
    if expression not in known:
        raise AppSettingsError(f"app setting {name}: the local Azure has nothing for {expression}")
    return known[expression]
