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
from typing import Any

from shared.access.own_assignments import run_of
from shared.access.raw import is_guid, is_object_id, parsed, scope_or_none, text

HIDDEN = "***"
TIME = "$time"
"""The key of a time in a row of a log, which is no text there."""

_SECRET = re.compile(
    r"passw|pwd|passphrase|secret|token|credential|signature|connectionstring|instrumentationkey|keydata|certificate"
    r"|(api|access|account|shared|primary|secondary|private|public|storage|master|admin|host|function|ssh|auth)_?keys?$"
    r"|^(sas|pat|keys?\d*)$"
)
# Words, not secrets, under such names.
_WORDS = frozenset({"credentialstype", "secretstype", "authtype", "category", "type", "secretname"})
_VARIABLES = frozenset(
    {"environmentvariables", "env", "environment_variables", "appsettings", "connectionstrings", "app_settings"}
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
)
_PEOPLE = frozenset(
    {"createdby", "lastmodifiedby", "updatedby", "owner", "owners", "username", "useremail", "email", "mail", "upn"}
    | {"userprincipalname", "assigneduser", "creationcontext", "adminusername", "administratorlogin", "displayedname"}
)
_POLICY = re.compile(r"^microsoft\.authorization/policy", re.IGNORECASE)
_CONNECTION_SECRET = re.compile(r"\$\{\{\s*azureml://connections/[^}]*\}\}")
_MAIL = re.compile(r"[A-Za-z0-9._%+#-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}")
_LOOKS_SECRET = re.compile(
    r"(?i)(account_?key|access_?key|shared_?key|api_?key|password|passwd|pwd|secret|signature|token|instrumentationkey)"
    r"\s*(=\s*|:\s+)\S|\beyJ[\w-]{8,}\.|-----BEGIN|[?&](sig|code|sv|key)=|\bBearer\s+\S"
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
        low = name.casefold()
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
        return value

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
    if value == "" or is_guid(value) or scope_or_none(value):
        return True
    if low in ("createdby", "lastmodifiedby", "updatedby"):
        return is_object_id(value) and len(value) == _DIGITS
    return low in ("server", "registryserver", "identity", "loginserver") and _HOST.fullmatch(value) is not None


_DIGITS = 32  # of an object id without dashes


def _clean(value: Any) -> Any:
    """A text without what looks like a secret or an address of a person."""
    if not isinstance(value, str):
        return value
    cleaned = _URL.sub(lambda found: f"{found[1]}{found[3]}", value) if "://" in value else value
    if "?" in cleaned and "=" in cleaned.partition("?")[2] and " " not in cleaned:
        cleaned = cleaned.partition("?")[0]
    if _LOOKS_SECRET.search(cleaned):
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
