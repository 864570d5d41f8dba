"""Which names Azure allows, by type of resource, and which characters of them an id may hold here.

Names of most types are plain. Names of some types may hold blanks, quotes, colons and the like. So may names that
somebody makes up in order to look like others or to end a quotation. Therefore an id may hold any visible character
that does not look like a separator. Whoever puts an id into a query, a filter, a URL or a command quotes it there
(`shared.access.quoting`).
"""

import re
import unicodedata

LONGEST = 260

# All from learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules, unless said otherwise. Only
# the characters are checked, those of all rows of a kind together. Lengths and first letters have changed over the
# years, and resources with older names still exist.
_PLAIN = re.compile(r"[0-9A-Za-z_.()-]+")
_PLAIN_TYPES = frozenset(
    {
        "microsoft.authorization/roleassignments",
        "microsoft.authorization/roledefinitions",
        "microsoft.compute/virtualmachines",
        "microsoft.containerregistry/registries",
        "microsoft.containerservice/managedclusters",
        "microsoft.databricks/workspaces",
        "microsoft.hdinsight/clusters",
        "microsoft.keyvault/managedhsms",
        "microsoft.keyvault/vaults",
        "microsoft.kubernetes/connectedclusters",
        # The patterns of the path parameters in the REST specification (MachineLearningServices, 2025-12-01).
        "microsoft.machinelearningservices/registries",
        "microsoft.machinelearningservices/workspaces",
        "microsoft.machinelearningservices/workspaces/batchendpoints",
        "microsoft.machinelearningservices/workspaces/batchendpoints/deployments",
        "microsoft.machinelearningservices/workspaces/computes",
        "microsoft.machinelearningservices/workspaces/connections",
        "microsoft.machinelearningservices/workspaces/datastores",
        "microsoft.machinelearningservices/workspaces/environments",
        "microsoft.machinelearningservices/workspaces/onlineendpoints",
        "microsoft.machinelearningservices/workspaces/onlineendpoints/deployments",
        "microsoft.managedidentity/userassignedidentities",
        "microsoft.management/managementgroups",
        "microsoft.network/networksecuritygroups",
        "microsoft.network/privateendpoints",
        "microsoft.network/routetables",
        "microsoft.network/virtualnetworks",
        "microsoft.network/virtualnetworks/subnets",
        "microsoft.storage/storageaccounts",
    }
)
# "Alphanumerics, underscores, parentheses, hyphens, periods, and unicode characters that match the regex". Of those,
# .NET's \w matches letters, marks and digits.
GROUP = "microsoft.resources/subscriptions/resourcegroups"
_GROUP = re.compile(r"(?:[0-9A-Za-z_().-]|[^\x00-\x7f]){1,90}")
_GROUP_TYPES = ("microsoft.resources/subscriptions", GROUP)

# "Can't use %&\?/ or control characters. Can't end with space or period", said of Application Insights components. No
# other type that workspaces may use allows more.
_NEVER = re.compile(r"[\x00-\x1f\x7f%&\\?/]")
_LETTERS = frozenset(("Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Nd"))
_SIGNS = frozenset(("Nl", "No", "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "Sc", "Sk", "Sm", "So"))
# Letters, marks and signs that nobody sees: Default_Ignorable_Code_Point (Unicode, DerivedCoreProperties.txt) except
# control and format characters, and the empty Braille pattern.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
# Characters that Unicode (UTS 39, confusables.txt) confuses with a slash or a backslash, and that are not letters.
_SLASHES = frozenset(
    "\u1735\u2041\u2044\u2215\u2216\u2571\u2572\u27cb\u27cd\u29f5\u29f8\u29f9\u31d3\U0001d20f\U0001d23a"
)


def is_letter(character: str) -> bool:
    """A visible letter, digit or mark of any script."""
    return unicodedata.category(character) in _LETTERS and not _INVISIBLE.match(character)


def is_safe(character: str) -> bool:
    """Whether an id may hold the character at all: it is visible, and it does not stand for another."""
    if character.isascii():
        return _NEVER.match(character) is None
    if is_letter(character):
        return True
    signs = unicodedata.category(character) in _SIGNS and not _INVISIBLE.match(character)
    return signs and character not in _SLASHES and unicodedata.normalize("NFKC", character) == character


def is_plain(text: str) -> bool:
    return _PLAIN.fullmatch(text) is not None


def complaint(kind: str, name: str) -> str | None:
    """Why a resource of the type (lower case) cannot have the name. None if it can."""
    if name.endswith((" ", ".")):
        return "a name in it ends in a blank or a full stop"
    if not all(map(is_safe, name)):
        return "a name in it holds one of % & \\ ? or a control, invisible or look-alike character"
    if kind in _PLAIN_TYPES and not is_plain(name):
        return "a name in it holds characters that Azure does not allow for resources of this type"
    if kind in _GROUP_TYPES and not _is_group(name):
        return "no resource group can have the name of its group"
    return None


def _is_group(name: str) -> bool:
    return _GROUP.fullmatch(name) is not None and all(one.isascii() or is_letter(one) for one in name)
