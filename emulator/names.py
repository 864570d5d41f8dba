"""Which names Azure allows, and how names appear in a URL.

https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules: only the characters. Lengths
and first letters are not checked here, so that tenants in tests may have short names.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote

from emulator.errors import AzureError

_WORDS = re.compile(r"[0-9A-Za-z_.-]+")
_GROUP_SIGN = re.compile(r"[\w.()-]")
_NEVER = re.compile(r"[%\\?/\x00-\x1f\x7f]")
_ANY = re.compile(r"[^%&\\?/\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class _Rule:
    allowed: re.Pattern[str]
    code: str = "InvalidResourceName"
    message: str = "The resource name '{}' is invalid."


# Codes and messages as users report them: MicrosoftDocs/azure-docs#48724 (storage),
# adamhockemeyer/ai-agent-experience#1 (vault). Those of other types are not known.
_RULES: Mapping[str, _Rule] = {
    "microsoft.containerregistry/registries": _Rule(re.compile("[0-9A-Za-z]+")),
    "microsoft.insights/components": _Rule(_ANY),
    "microsoft.keyvault/vaults": _Rule(
        re.compile("[0-9A-Za-z-]+"),
        "VaultNameNotValid",
        "The vault name '{}' is invalid. A vault's name must be between 3-24 alphanumeric characters. The name must "
        "begin with a letter, end with a letter or digit, and not contain consecutive hyphens.",
    ),
    "microsoft.machinelearningservices/workspaces": _Rule(_WORDS),
    "microsoft.machinelearningservices/workspaces/computes": _Rule(_WORDS),
    "microsoft.machinelearningservices/workspaces/onlineendpoints": _Rule(_WORDS),
    "microsoft.managedidentity/userassignedidentities": _Rule(_WORDS),
    "microsoft.storage/storageaccounts": _Rule(
        re.compile("[0-9a-z]+"),
        "AccountNameInvalid",
        "{} is not a valid storage account name. Storage account name must be between 3 and 24 characters in length "
        "and use numbers and lower-case letters only.",
    ),
}
_OTHERS = _Rule(_ANY)


def require(kind: str, name: str) -> None:
    """Refuses with 400 if no resource of the type (lower case) can be made with the name."""
    rule = _RULES.get(kind, _OTHERS)
    if not rule.allowed.fullmatch(name) or name.endswith((" ", ".")):
        raise AzureError(400, rule.code, rule.message.format(name))


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
    parts = [unquote(part, errors="strict") for part in re.sub("/{2,}", "/", path).split("/")]
    if any(part in (".", "..") or _NEVER.search(part) for part in parts):
        raise ValueError("what is encoded in it can be in no name")
    return "/".join(parts)


def encoded(path: str) -> str:
    return quote(path)
