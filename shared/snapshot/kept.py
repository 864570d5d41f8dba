"""What of an object a snapshot keeps: everything that says who reaches what, and nothing that is a secret or a person.

ARM shows few secrets, but people write them where there is room: into variables, commands, URLs, descriptions and tags.
So these are known by where they stand and by what they look like. What is left out leaves `***`, so that what was there
does not look like nothing. A scan of the whole body decides, not a list of types: a type that nobody thought of has the
same places.
"""

import base64
import binascii
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from shared.access.own_assignments import run_of
from shared.access.raw import is_guid, is_object_id, parsed, scope_or_none, text

HIDDEN = "***"
TIME = "$time"
"""The key of a time in a row of a log, which is no text there."""

# All names without their `-` and `_`.
_SECRET = re.compile(
    r"passw|pwd|passphrase|secret|token|credential|signature|conn(ection)?str|instrumentationkey|keydata|certificate"
    r"|protectedsettings|authorization|webhook|cookie|jwt|sas(ur[il])?$|^(user|db|admin)?(pass|pw)$|^(pat|pin|otp|pfx)$"
    r"|(api|access|account|shared|primary|secondary|private|public|storage|master|admin|host|function|system|ssh|auth)"
    r"keys?\d*$|^keys?\d*$"
)
# Of other keys: what stands there itself. What is below one may be a key of a vault, which has a name.
_KEY = re.compile(r"keys?\d*$")
# No id, no GUID and no number makes one of these harmless.
_PASSWORD = re.compile(r"passw|pwd|passphrase|instrumentationkey|appinsightskey|^pin$")
# Words, not secrets, under such names.
_WORDS = frozenset({"credentialstype", "secretstype", "authtype", "category", "type", "secretname"})
_VARIABLES = frozenset(
    {"environmentvariables", "env", "appsettings", "connectionstrings", "variables", "headers", "httpheaders"}
    | {"customheaders", "sparkconf"}
)
_PROSE = frozenset(
    {"description", "friendlyname", "displayname", "notes", "note", "comment", "comments", "condafile", "summary"}
)
_COMMANDS = frozenset(
    {
        "command",
        "commandline",
        "commands",
        "commandoverride",
        "args",
        "arguments",
        "script",
        "scriptdata",
        "appcommandline",
    }
    | {"startupscript", "creationscript", "customdata", "userdata", "inlinescript", "startuptask", "data", "entrypoint"}
    | {"runcommand", "additionalunattendcontent"}
)
_PEOPLE = frozenset(
    {"createdby", "lastmodifiedby", "updatedby", "owner", "owners", "username", "useremail", "email", "mail", "upn"}
    | {"userprincipalname", "assigneduser", "creationcontext", "adminusername", "administratorlogin", "displayedname"}
)
_POLICY = re.compile(r"^microsoft\.authorization/policy", re.IGNORECASE)
_CONNECTION_SECRET = re.compile(r"\$\{\{\s*azureml://connections/[^}]*\}\}")
_MAIL = re.compile(r"[A-Za-z0-9._%+#-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}")
_NAMED = (
    r"(?:account|access|shared|api|subscription|private|primary|secondary|function|storage|master|admin)[_-]?key"
    r"|instrumentationkey|password|passwd|passphrase|pwd"
)
_LOOKS_SECRET = re.compile(
    rf"(?i)(?:{_NAMED}|secret|signature|token)(?:\s*=\s*|:\s+|\\*[\"']\s*[:=]\s*)\S"
    rf"|(?<![/\w.-])(?:{_NAMED}):\S"  # not the tag of an image
    rf"|--(?:[\w-]*key|password|secret|token)\s+\S|<\w*(?:key|password|secret|token)>[^<]"
    r"|\beyJ[\w-]{8,}\.|-----BEGIN|(?:[?&]|%3F|%26)(?:sig|code|sv|key)(?:=|%3D)"
    r"|\bBearer\s+\S|\bauthorization[\"']?\s*[:=]\s*\S"
    r"|hooks\.slack\.com/services/|webhook\.office\.com/|discord(?:app)?\.com/api/webhooks/"
)
# What those who issue keys let them begin or end with, so that they are found.
_ISSUED = re.compile(
    r"\b(?:gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{20,}|xox[a-z]-[\w-]{10,}|AKIA[0-9A-Z]{16}|hf_[A-Za-z]{30,}"
    r"|sk-(?:[a-z]+-)?[A-Za-z0-9]{32,}|dapi[0-9a-f]{32})|[78]Q~[\w~.-]{31}"
    r"|(?<![A-Za-z0-9+/])(?:[A-Za-z0-9+/]{86}==|[A-Za-z0-9+/]{43}=)(?!=)"
)
_URL = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)([^\s/?#\"']*@)?([^\s?#\"']*)([?#][^\s\"']*)?")
_HOST = re.compile(r"(?i)(https?://)?[a-z0-9-]+(\.[a-z0-9-]+)+(:\d+)?(/[\w./-]*)?")
_FX = re.compile(r"(?i)(compose|kube)\|(.+)", re.DOTALL)
_TAG = "amlguard"


@dataclass(frozen=True, slots=True)
class Keeping:
    """`tags` are those that the policy names, in lower case. `names` are those of registries, as a user name of one."""

    tags: Collection[str] = ()
    names: Collection[str] = ()

    def of(self, raw: Any) -> Any:
        """A copy of an object or a row, as JSON has it."""
        return self._object(raw) if isinstance(raw, Mapping) else self._any("", raw, None)

    def _object(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        kind = text(raw, "type") or ""
        found = {name: self._any(str(name), value, raw, kind) for name, value in raw.items() if name != "tags"}
        if "tags" in raw:
            found["tags"] = self._tags(raw["tags"], kind)
        return found

    def _tags(self, tags: Any, kind: str) -> Any:
        """A plan repeats those of computes, and looks for those that the policy names."""
        if not isinstance(tags, Mapping):
            return HIDDEN
        every = kind.casefold().endswith("/computes")
        wanted = {_TAG, *(one.casefold() for one in self.tags)}
        return {
            name: _clean(value) if every or str(name).casefold() in wanted else HIDDEN for name, value in tags.items()
        }

    def _any(
        self, name: str, value: Any, beside: Mapping[str, Any] | None, kind: str = "", *, hide: bool = False
    ) -> Any:
        low = re.sub("[-_]", "", name.casefold())
        if low == "permissions":  # of a role, or of an access policy: words
            return value
        hide = hide or self._hides(low, value, beside, kind)
        match value:
            case Mapping():
                return {
                    key: self._any(str(key), one, value, kind, hide=hide or low in _VARIABLES | {"metadata"})
                    for key, one in value.items()
                }
            case list() | tuple():
                return [self._any(name, one, beside, kind, hide=hide) for one in value]
            case str():
                return self._text(low, value, beside, hide=hide)
            case datetime():
                return {TIME: value.isoformat()}
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return HIDDEN if is_number and _PASSWORD.search(low) else value

    def _hides(self, low: str, value: Any, beside: Mapping[str, Any] | None, kind: str) -> bool:
        """Whether texts here are left out, unless they only name something."""
        if low in _WORDS:
            return False
        if low == "value":
            named = any(one in (beside or ()) for one in ("name", "keyName", "secretRef"))
            return named or "authType" in (beside or ()) or "category" in (beside or ())
        if low in ("displayname", "description") and _POLICY.match(kind):
            return False
        if low in _PROSE | _COMMANDS:
            return isinstance(value, str | list | tuple)
        if isinstance(value, str | list | tuple) and _KEY.search(low):
            return True
        return low in _PEOPLE or _SECRET.search(low) is not None

    def _text(self, low: str, value: str, beside: Mapping[str, Any] | None, *, hide: bool) -> Any:  # noqa: PLR0911 - one line for each kind of text
        if low in ("linuxfxversion", "windowsfxversion"):
            return _images_of(value)
        if not hide:
            return _clean(value)
        if low == "description" and run_of(value):
            return value
        if low == "username":
            return value if value.casefold() in self.names else HIDDEN
        if low in _WORDS or _only_names(low, value):
            return value
        if low == "value" and beside is not None and ("authType" in beside or "category" in beside):
            return self._inside(value)
        found = _CONNECTION_SECRET.search(value)
        return found[0] if found else HIDDEN

    def _inside(self, value: str) -> str:
        """The old shape of a connection: JSON as text, with the ids of an identity in it."""
        try:
            told = parsed(value)
        except ValueError:
            return HIDDEN
        return json.dumps(self._any("credentials", told, None, hide=True)) if isinstance(told, Mapping) else HIDDEN


def _only_names(low: str, value: str) -> bool:
    """An id, or the host that something signs in to: no secret looks like that."""
    if value == "":
        return True
    if is_guid(value) or scope_or_none(value):
        return not _PASSWORD.search(low)
    if low in ("createdby", "lastmodifiedby", "updatedby"):
        return is_object_id(value) and len(value) == _DIGITS
    return low in ("server", "registryserver", "identity", "loginserver") and _HOST.fullmatch(value) is not None


_DIGITS = 32  # of an object id without dashes


def _clean(value: Any) -> Any:
    """A text without what looks like a secret or an address of a person."""
    return _cleaned(value) if isinstance(value, str) else value


@lru_cache(maxsize=16_384)  # ids stand in many places, and the patterns take long
def _cleaned(value: str) -> str:
    cleaned = _URL.sub(lambda found: f"{found[1]}{found[3]}", value) if "://" in value else value
    if "?" in cleaned and "=" in cleaned.partition("?")[2] and " " not in cleaned:
        cleaned = cleaned.partition("?")[0]
    if _LOOKS_SECRET.search(cleaned) or _ISSUED.search(cleaned):
        return HIDDEN
    return _MAIL.sub(HIDDEN, cleaned) if "@" in cleaned else cleaned


def _images_of(value: str) -> str:
    """Of several containers, only which images they run."""
    found = _FX.fullmatch(value)
    if not found:
        return value if _clean(value) == value else HIDDEN
    try:
        said = base64.b64decode(found[2], validate=True).decode(errors="replace")
    except (binascii.Error, ValueError):
        return f"{found[1]}|{HIDDEN}"
    images = [line.strip() for line in said.splitlines() if "image" in line and _clean(line) == line]
    return f"{found[1]}|{base64.b64encode(chr(10).join(images).encode()).decode()}"
