"""What stands for something that does not exist yet: a principal, a name, a subscription.

A symbol has the form of the real thing, so that the rules read it like any other. The same text always gives the same
symbol: that is how two mentions of one resource are found to be the same. Before people see it, a symbol becomes the
template's own text again (`told`).
"""

import hashlib
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from shared.access.rules.az import az
from shared.access.scope import InvalidScopeError, Scope

_SPACE = uuid.UUID("6f1f6a3e-6a52-4f0c-9d55-6e1c6c0a7b1d")
_PRINCIPAL = "template-"
_SYMBOL = re.compile(
    r"template-[0-9a-f]{32}|tplx[0-9a-f]{12}|7e3a91c0-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"
)
_NAME = re.compile(r"tplx[0-9a-f]{12}|7e3a91c0-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
_LISTS = re.compile(r"\blist[A-Za-z]*\s*\(", re.IGNORECASE)
HIDDEN = "an expression that gives a secret"


class Kind(StrEnum):
    """Which identity of a resource."""

    SYSTEM = "system-assigned"
    USER = "user-assigned"
    KUBELET = "kubelet"


@dataclass(frozen=True, slots=True)
class Holder:
    """An identity, named by the resource that has it or is it."""

    resource: Scope
    kind: Kind

    @property
    def symbol(self) -> str:
        return f"{_PRINCIPAL}{uuid.uuid5(_SPACE, f'{self.kind}{self.resource.key}').hex}"


def is_principal(value: object) -> bool:
    """Whether it stands for an object id that nobody knows yet."""
    return isinstance(value, str) and value.startswith(_PRINCIPAL)


def has_symbol(text: str) -> bool:
    """Whether a part of it stands for a name that only a deployment knows."""
    return _NAME.search(text) is not None


def parts(text: str) -> list[str]:
    """The text around the symbols in it."""
    return _NAME.split(text)


@dataclass(slots=True)
class Symbols:
    """`ids` are ids that the template writes as expressions, by the scope that stands for them."""

    _texts: dict[str, str] = field(default_factory=dict)
    ids: dict[Scope, str] = field(default_factory=dict)

    def name(self, text: str) -> str:
        """It may be the name of anything: letters and digits, not too long."""
        symbol = f"tplx{hashlib.sha256(text.encode('utf-8', 'backslashreplace')).hexdigest()[:12]}"
        self._texts[symbol] = text
        return symbol

    def subscription(self, text: str) -> str:
        made = uuid.uuid5(_SPACE, text.encode("utf-8", "backslashreplace").decode())
        symbol = f"7e3a91c0{str(made)[8:]}"
        self._texts[symbol] = text
        return symbol

    def holder(self, one: Holder) -> str:
        where = {Kind.SYSTEM: "identity.principalId", Kind.USER: "properties.principalId"}.get(one.kind)
        if where:  # stands in a command: once the resource is there, this gives its object id
            shows = az("resource show", ids=self.shown(one.resource), query=where, output="tsv")
            self._texts[one.symbol] = f"$({shows})"
        else:
            self._texts[one.symbol] = "OBJECT-ID"
        return one.symbol

    def somewhere(self, kind: str, text: str) -> Scope:
        """A resource of that type, of which nobody can tell which one it is."""
        group = f"/subscriptions/{self.subscription(text)}/resourceGroups/{self.name(text)}"
        provider, *types = kind.split("/")
        pairs = "".join(f"/{one}/{self.name(text)}" for one in types)
        scope = Scope.parse(f"{group}/providers/{provider}{pairs}")
        self.ids[scope] = bracketed(without_secrets(text))
        return scope

    def shown(self, scope: Scope) -> str:
        """The id as the template has it."""
        return self.ids.get(scope) or self.told(str(scope))

    def told(self, value: Any) -> Any:
        """A document without symbols: the template's texts in their place; null for object ids that nobody has yet."""
        match value:
            case str():
                return self._text(value)
            case Mapping():
                return {
                    name: None if name == "principalId" and is_principal(one) else self.told(one)
                    for name, one in value.items()
                }
            case list() | tuple():
                return [self.told(one) for one in value]
        return value

    def _text(self, value: str) -> str:
        if not _SYMBOL.search(value):
            return value
        try:
            if (scope := Scope.parse(value)) in self.ids:
                return self.ids[scope]
        except InvalidScopeError:
            pass
        for scope, text in self.ids.items():
            if str(scope) in value:
                value = value.replace(str(scope), text)
        return _SYMBOL.sub(lambda found: self._of(found[0]), value)

    def _of(self, symbol: str) -> str:
        text = self._texts.get(symbol, symbol)
        return text if is_principal(symbol) else bracketed(without_secrets(text))


def bracketed(text: str) -> str:
    return text if text.startswith("[") else f"[{text}]"


def without_secrets(text: str) -> str:
    """An expression for people. One that asks for keys is not repeated."""
    return HIDDEN if _LISTS.search(text) else text
