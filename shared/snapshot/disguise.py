"""What ARM, a log or the policy says, with pseudonyms. Whatever amlguard does not know as a word is taken for a name.

So nothing of the tenant stays because nobody thought of its place: numbers, times and words stay, and nothing else.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.access.own_assignments import assignment_name, run_of
from shared.access.raw import get, is_guid, object_id, scope_or_none, text
from shared.access.scope import Scope, fold
from shared.snapshot.kept import HIDDEN
from shared.snapshot.pseudonyms import KEPT, Pseudonyms
from shared.snapshot.words import Words

_PLAIN = re.compile(
    r"[0-9]{1,5}(-[0-9]{1,5})?|[0-9]{1,5}(\.[0-9]{1,5}){0,2}|P(T?[0-9]{1,6}[A-Z])+(T([0-9]{1,6}[A-Z])+)?"
)
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]{2,20}(Z|[+-][0-9]{2}:?[0-9]{2})?)?")
_DIGITS = re.compile(r"[0-9a-fA-F]{32}")
_GUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_TOKENS = re.compile(rf"(?<![\w.])/(?:subscriptions|providers)/[^\s'\"`|,;)}}\]]+|{_GUID}|[\w.-]+", re.IGNORECASE)
_LIST = re.compile(r"[\w-]+(, ?[\w-]+)+")
_WORD = re.compile(r"[\w-]+")
_FX = re.compile(r"(compose|kube)\|(.+)", re.IGNORECASE | re.DOTALL)
# Under these stand names, even if they are words.
_NAMES = frozenset(
    {"accountname", "containername", "filesystem", "filesharename", "resourcegroup", "resourcegroupname", "username"}
    | {"rolename", "denyassignmentname", "displayname", "reason", "storename", "clustername"}
)
# The keys of these objects are names, and the values of the first are.
_TAGS = frozenset({"tags", "tag"})
_NAMED = frozenset({"outboundrules", "environmentvariables"})
# Under these stand words, even if something has that name.
_WORDS = ("type", "kind", "tier", "category", "state", "status", "mode", "access", "action", "location")
_ALSO_WORDS = frozenset({"direction", "protocol", "effect", "sku", "family", "size"})
_ACTIONS = frozenset({"actions", "notactions", "dataactions", "notdataactions"})
_SENTENCES = frozenset({"condition"})
_TAG = "amlguard"


@dataclass(slots=True)
class Disguise:
    """`known` are names of resources: where one stands by itself, it is that name, even if it is a word."""

    pseudonyms: Pseudonyms
    words: Words
    known: set[str] = field(default_factory=set)

    def of(self, said: Any, *, prose: bool = False) -> Any:
        """JSON. `prose`: what amlguard or Azure wrote, so that words in sentences are no names."""
        return self._any("", said, None, prose=prose)

    def scope(self, scope: Scope) -> Scope:
        return Scope.parse(self.path(str(scope)))

    def path(self, path: str) -> str:
        """Of an ARM id, also of one that is not well-formed."""
        made, kind = [], ""
        parts = path.split("/")
        for at, part in enumerate(parts):
            if at % 2 and (at == 1 or part):  # /TYPE/name/TYPE/name
                kind = fold(part)
                made.append(self._type(part))
            else:
                made.append(self._type(part) if kind == "providers" else self._segment(part, path, kind))
        return "/".join(made)

    def _type(self, part: str) -> str:
        known = part.casefold() in self.words.pieces or part.casefold() in self.words.whole
        return part if known else self.pseudonyms.of(part)

    def _segment(self, part: str, path: str, kind: str) -> str:
        if is_guid(part):
            return self.guid(part, built_in=_is_built_in(path, kind))
        if fold(part) not in KEPT and part:
            self.known.add(fold(part))
        return self._name(part)

    def _name(self, name: str) -> str:
        return self._host(name) if fold(name).startswith("privatelink.") else self.pseudonyms.of(name)

    def guid(self, guid: str, *, built_in: bool = False) -> str:
        return guid if built_in or guid.casefold() in self.words.guids else self.pseudonyms.guid(guid)

    def object_id(self, said: str) -> str:
        """As it is written: with dashes or without, or whatever else stands for a principal."""
        if is_guid(said):
            return self.guid(said)
        if _DIGITS.fullmatch(said):
            return self.guid(object_id(said)).replace("-", "")
        return self.pseudonyms.of(said)

    def learn(self, raw: object) -> None:
        """The name of an assignment may follow from what it says (`shared.access.own_assignments`)."""
        scope, name = scope_or_none(get(raw, "properties", "scope")), (text(raw, "id") or "").rpartition("/")[2]
        principal, role = text(raw, "properties", "principalId"), text(raw, "properties", "roleDefinitionId")
        if scope is None or principal is None or role is None:
            return
        role = role.rpartition("/")[2]
        if name.casefold() == assignment_name(scope, principal, role):
            made = assignment_name(self.scope(scope), self.object_id(principal), self.object_id(role))
            self.pseudonyms.follow(name, made)

    def _any(self, key: str, said: Any, beside: Mapping[str, Any] | None, *, prose: bool) -> Any:
        low = key.casefold()
        match said:
            case Mapping() if low in _TAGS:
                return {self._tag(name): self._tag_value(name, value) for name, value in said.items()}
            case Mapping():
                return {
                    self._key(name, named=low in _NAMED): self._any(
                        key if low == "sku" else name, value, said, prose=prose
                    )
                    for name, value in said.items()
                }
            case list() | tuple():
                return [self._any(key, one, beside, prose=prose) for one in said]
            case str():
                return self._text(low, said, beside, prose=prose)
        return said

    def _tag(self, name: str) -> str:
        return name if name.casefold() == _TAG else self.pseudonyms.of(name)

    def _tag_value(self, name: str, value: Any) -> Any:
        if not isinstance(value, str) or value == HIDDEN:
            return value
        if name.casefold() == _TAG and value.casefold() in self.words.whole:
            return value
        return self._structured(value) or self.pseudonyms.of(value)

    def _key(self, key: str, *, named: bool) -> str:
        """A word is the name of a property, whatever else has that name."""
        if named:
            return self.pseudonyms.of(key)
        return self._structured(key) or (key if key.casefold() in self.words.whole else self._tokens(key))

    def _structured(self, said: str) -> str | None:
        """None for what is no id."""
        if is_guid(said) or _DIGITS.fullmatch(said):
            return self.object_id(said)
        return self.path(said) if said.startswith("/") else None

    def _text(self, low: str, said: str, beside: Mapping[str, Any] | None, *, prose: bool) -> str:
        if low in _ACTIONS:
            return self._action(said)
        named = (low in _NAMES and not prose) or (low == "name" and self._is_resource(beside))
        if named and said != HIDDEN:
            return self._structured(said) or "/".join(map(self._name, said.split("/")))
        if said == HIDDEN or self._is_number(said) or self._is_said(low, said):
            return said
        return self._structured(said) or self.pseudonyms.network(said) or self._composed(low, said, prose=prose)

    def _is_number(self, said: str) -> bool:
        """Or a time, or only signs. Resources may be called like that, too."""
        return _is_plain(said) and fold(said) not in self.known

    def _is_said(self, low: str, said: str) -> bool:
        """A word, and not the name of something, unless only words can stand there."""
        only_words = low.endswith(_WORDS) or low in _ALSO_WORDS
        return said.casefold() in self.words.whole and (only_words or fold(said) not in self.known)

    def _is_resource(self, beside: Mapping[str, Any] | None) -> bool:
        return beside is not None and ("id" in beside or "properties" in beside)

    def _composed(self, low: str, said: str, *, prose: bool) -> str:
        """A text with names in it, or free text, which becomes one pseudonym."""
        if low in ("linuxfxversion", "windowsfxversion"):
            return self._containers(said)
        if "addressprefix" in low or "servicetag" in low:  # `Storage.westeurope`
            return _WORD.sub(lambda found: self._token(found[0], prose=False), said)
        if said[:1] in "{[" and (told := _json(said)) is not None:
            return json.dumps(self._any(low, told, None, prose=prose))
        if _LIST.fullmatch(said):
            return _WORD.sub(lambda found: self._token(found[0], prose=False), said)
        sentence = prose or low in _SENTENCES or (low == "description" and run_of(said) is not None)
        if not sentence and any(map(str.isspace, said)):
            return self.pseudonyms.of(said)
        return self._tokens(said, prose=sentence)

    def _containers(self, said: str) -> str:
        found = _FX.fullmatch(said)
        if not found:
            return self._tokens(said)
        try:
            images = base64.b64decode(found[2], validate=True).decode(errors="replace")
        except (binascii.Error, ValueError):
            return f"{found[1]}|{HIDDEN}"
        return f"{found[1]}|{base64.b64encode(self._tokens(images).encode()).decode()}"

    def _action(self, said: str) -> str:
        """What a role allows. Where a pattern matches no word of Azure's, it matches nothing that a rule needs."""
        return "/".join(
            part if self._is_of_action(part.casefold()) else self.pseudonyms.of(part) for part in said.split("/")
        )

    def _is_of_action(self, part: str) -> bool:
        known = part in self.words.pieces or part in self.words.whole
        return known or ("*" in part and (not part.strip("*.") or self.words.matches(part)))

    def _tokens(self, said: str, *, prose: bool = False) -> str:
        if said.partition("/")[0].casefold() in self.words.providers:  # a type, or what an action is on
            return self._action(said)
        return _TOKENS.sub(lambda found: self._token(found[0], prose=prose), said)

    def _token(self, token: str, *, prose: bool) -> str:
        sign = token[len(token.rstrip(".:")) :]
        if sign and (prose or token.startswith("/")):
            return f"{self._token(token.removesuffix(sign), prose=prose)}{sign}"
        if self._is_word(token, prose=prose):
            return token
        if fold(token) in self.known:
            return self.pseudonyms.of(token)
        made = self._structured(token) or self._networks(token)
        return made or (self._host(token) if "." in token else self.pseudonyms.of(token))

    def _networks(self, token: str) -> str | None:
        """One, or from one to another."""
        made = [self.pseudonyms.network(one) for one in token.split("-")]
        return "-".join(one for one in made if one) if all(made) else None

    def _is_word(self, token: str, *, prose: bool) -> bool:
        low = token.casefold()
        if self._is_number(token) or fold(token) in self.known:
            return fold(token) not in self.known
        return low in self.words.whole or low in self.words.pieces or (prose and low in self.words.prose)

    def _host(self, host: str) -> str:
        """The first label is somebody's, unless it begins the name of a zone. The domains of Azure are words."""
        first, *rest = host.split(".")
        made = first if first.casefold() == "privatelink" else self.pseudonyms.of(first)
        known = self.words.pieces
        return ".".join((made, *(one if one.casefold() in known else self.pseudonyms.of(one) for one in rest)))


def _is_built_in(path: str, kind: str) -> bool:
    """Azure's own policies lie at the root, where nobody can make one."""
    return kind in ("policydefinitions", "policysetdefinitions") and path.casefold().startswith(
        "/providers/microsoft.authorization/"
    )


def _is_plain(said: str) -> bool:
    if _TIME.fullmatch(said):
        try:
            datetime.fromisoformat(said)
        except ValueError:
            return False
        return True
    return not any(map(str.isalnum, said)) or _PLAIN.fullmatch(said) is not None


def _json(said: str) -> Any:
    try:
        return json.loads(said)
    except (ValueError, RecursionError):
        return None
