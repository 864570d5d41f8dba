"""Which names Azure allows, and how names appear in a URL.

data/names.json has the rules by type, those of computes also by kind: from
https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules and the patterns of Microsoft's
published types, of endpoints from what azure-ai-ml refuses (entities/_endpoint/_endpoint_helpers.py). Where two of them
differ, what one of them allows is allowed: azure-ai-ml makes connections of 35 characters.

Codes and messages as users report them: MicrosoftDocs/azure-docs#48724 (storage), adamhockemeyer/ai-agent-experience#1
(vault), microsoft/AzureTRE#3661 and MicrosoftLearning/DP100#50 (computes), Azure/AzureMonitorStarterPacks#173 (Log
Analytics), satomic/copilot-usage-advanced-dashboard#25 (registry). Those of other types are not known.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from emulator.errors import AzureError
from emulator.ids import ResourcePath

_GROUP_SIGN = re.compile(r"[\w.()-]")
_NEVER = re.compile(r"[%\\?/\x00-\x1f\x7f]")
# azure-ai-ml asks for the operations of a deployment in this older way.
_SHORT_DEPLOYMENT = re.compile(r"^(/subscriptions/[^/]+(?:/resourcegroups/[^/]+)?)/deployments(?=/|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Rule:
    allowed: re.Pattern[str]
    code: str
    message: str

    @classmethod
    def of(cls, pattern: str, says: str = "", code: str = "InvalidResourceName", message: str = "") -> "_Rule":
        return cls(re.compile(pattern), code, message or f"The resource name '{{}}' is invalid. {says}".rstrip())


_DATA = Path(__file__).with_name("data") / "names.json"
_RULES: Mapping[str, _Rule] = {
    kind.lower(): _Rule.of(**rule) for kind, rule in json.loads(_DATA.read_text("utf-8")).items()
}
_OTHERS = _Rule.of(r"[^%&\\?/\x00-\x1f\x7f]+")


def require(kind: str, name: str, resource: Mapping[str, Any]) -> None:
    """Refuses with 400 if no resource of the type (lower case) can be made with the name."""
    properties = resource.get("properties")
    compute = properties.get("computeType") if isinstance(properties, dict) else None
    rule = _RULES.get(f"{kind} {compute}".lower()) or _RULES.get(kind, _OTHERS)
    if not rule.allowed.fullmatch(name) or name.endswith((" ", ".")):
        raise AzureError(400, rule.code, rule.message.format(name))


def require_all(path: ResourcePath, resource: Mapping[str, Any]) -> None:
    """The same for every name in the id of a resource."""
    for depth in range(1, len(path.names) + 1):
        kind = "/".join((path.namespace, *path.types[:depth])).lower()
        require(kind, path.names[depth - 1], resource if depth == len(path.names) else {})


def require_group(name: str) -> None:
    """Refuses with 400, in the words of https://github.com/microsoft/microsoft-foundry-for-vscode/issues/53"""
    wrong = _GROUP_SIGN.sub("", name.removesuffix(".")) + ("." if name.endswith(".") else "")
    if wrong or len(name) > 90:
        raise AzureError(
            400,
            "InvalidResourceGroup",
            f"The provided resource group name '{name}' has these invalid characters: '{wrong}'. The name can only be "
            "a letter, digit, '-', '.', '(', ')' or '_'.",
        )


def decoded(path: str) -> str:
    """The id that a URL's path names. Raises ValueError if what is encoded there can be in no name."""
    if path.lower().startswith("/%2fsubscriptions%2f"):  # recorded: clients encode the scope as a whole
        scope, found, rest = path.lstrip("/").partition("/")
        path = "/" + re.sub("%2f", "/", scope, flags=re.IGNORECASE) + found + rest
    path = _SHORT_DEPLOYMENT.sub(r"\1/providers/Microsoft.Resources/deployments", path)
    parts = [unquote(part, errors="strict") for part in re.sub("/{2,}", "/", path).split("/")]
    if any(part in (".", "..") or _NEVER.search(part) for part in parts):
        raise ValueError("what is encoded in it can be in no name")
    return "/".join(parts)


def encoded(path: str) -> str:
    return quote(path)
