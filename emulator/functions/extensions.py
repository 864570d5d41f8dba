"""Which bindings a host.json provides: those built into the host, and those of its extension bundle.

Follows ExtensionBundleConfigurationHelper, ExtensionBundleManager and ScriptStartupTypeLocator of
Azure/azure-functions-host. emulator/data/extension_bundles.json says which bundle has which bindings.
"""

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from emulator.functions.errors import HostSettingsError

_BUNDLES = Path(__file__).parents[1] / "data" / "extension_bundles.json"
_PACKAGE_ID = re.compile(r"\w+([.-]\w+)*", re.ASCII)
_INTERVAL = re.compile(r"(?P<opening>[\[(])(?P<least>[^,]*)(?P<to>,)?(?P<most>[^,]*)(?P<closing>[\])])")
_VERSION = re.compile(r"(\d+)(?:\.(\d+))?(?:\.(\d+))?")
_FLOATING = re.compile(r"\.?\*$")

type Version = tuple[int, int, int]


@dataclass(frozen=True)
class Extensions:
    """`bindings` are the registered types, in lower case. `bundled` says that host.json names a bundle."""

    bindings: frozenset[str]
    bundled: bool

    def refusal(self, types: str) -> str:
        """What the host says about binding types that are not registered."""
        if self.bundled:
            return (
                f"The binding type(s) '{types}' were not found in the configured extension bundle. Please ensure the "
                "type is correct and the correct version of extension bundle is configured"
            )
        return (
            f"The binding type(s) '{types}' are not registered. Please ensure the type is correct and the binding "
            "extension is installed."
        )


@dataclass(frozen=True)
class VersionRange:
    """A range as NuGet reads it. A floating lowest version (`4.*`) means the first version that it covers."""

    least: Version | None
    most: Version | None
    with_least: bool = True
    with_most: bool = False

    @classmethod
    def parse(cls, text: str) -> "VersionRange":
        """Raises ValueError for what is not a range."""
        text = text.strip()
        if not text.startswith(("[", "(")):
            return cls(_version(text), None)
        found = _INTERVAL.fullmatch(text)
        if not found:
            raise ValueError(text)
        with_least, with_most = found["opening"] == "[", found["closing"] == "]"
        least = _version(found["least"]) if found["least"].strip() else None
        if not found["to"]:  # a single version, which only `[…]` can contain
            if found["most"] or not (with_least and with_most) or least is None:
                raise ValueError(text)
            return cls(least, least, with_most=True)
        most = _version(found["most"]) if found["most"].strip() else None
        return cls(least, most, with_least, with_most)

    def reaches(self, version: Version) -> bool:
        """Whether `version` is not above the range."""
        return self.most is None or version < self.most or (self.with_most and version == self.most)

    def begins_by(self, version: Version) -> bool:
        """Whether `version` is not below the range."""
        return self.least is None or version > self.least or (self.with_least and version == self.least)


def read(section: Any) -> Extensions:
    """What the section `extensionBundle` of a host.json provides.

    Raises HostSettingsError if the host would not start.
    """
    table = _table()
    built_in = frozenset(table["builtIn"])
    if section == {}:  # for the host's configuration a section without values does not exist
        return Extensions(built_in, bundled=False)
    section = section if isinstance(section, dict) else {}
    wanted = _range(section.get("version"))
    name = section.get("id")
    if not isinstance(name, str) or not _PACKAGE_ID.fullmatch(name):
        raise HostSettingsError(_wrong("id"))
    if name in table["others"]:
        raise HostSettingsError(
            f"the local Functions host does not know which bindings the extension bundle {name} has"
        )
    if name != table["id"]:  # nothing of that name can be downloaded: the host starts, and finds no bindings
        return Extensions(built_in, bundled=True)
    return Extensions(built_in | _bundled(table, section["version"], wanted), bundled=True)


def none() -> Extensions:
    """What a host.json without a bundle provides."""
    return read({})


def _bundled(table: dict[str, Any], text: str, wanted: VersionRange) -> frozenset[str]:
    """The bindings of the newest bundle in the range.

    Without one the real host says so in its log, and fails because it compares no version with the lowest that it
    accepts.
    """
    newest_first = sorted(table["generations"].values(), key=lambda one: _version(one["newest"]), reverse=True)
    found = next((one for one in newest_first if _meets(one, wanted)), None)
    if found is None:
        raise HostSettingsError(f"Bundle version matching the {text} was not found")
    if not wanted.reaches(_version(table["least"])):
        raise HostSettingsError(
            f"Referenced bundle {table['id']} of version {text} does not meet the required minimum version of "
            f"{table['least']}. Update your extension bundle reference in host.json to reference {table['least']} or "
            "later. For more information see https://aka.ms/func-min-bundle-versions."
        )
    since = found["since"].items()
    return frozenset(name for version, names in since if wanted.reaches(_version(version)) for name in names)


def _meets(generation: dict[str, Any], wanted: VersionRange) -> bool:
    return wanted.begins_by(_version(generation["newest"])) and wanted.reaches(_version(generation["oldest"]))


def _range(text: Any) -> VersionRange:
    try:
        if isinstance(text, str):
            return VersionRange.parse(text)
    except ValueError:
        pass
    raise HostSettingsError(_wrong("version"))


def _wrong(name: str) -> str:
    return (
        f"The value of {name} property in extensionBundle section of host.json file is invalid or missing. "
        "See https://aka.ms/functions-hostjson for more information"
    )


def _version(text: str) -> Version:
    """Raises ValueError for what is not a version."""
    text = text.strip()
    if text == "*":
        return (0, 0, 0)
    found = _VERSION.fullmatch(_FLOATING.sub("", text))
    if not found:
        raise ValueError(text)
    major, minor, patch = (int(number or 0) for number in found.groups())
    return (major, minor, patch)


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(_BUNDLES.read_text("utf-8"))
    return table
