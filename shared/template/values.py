"""What an expression comes to, as far as anybody can tell before the deployment.

Only what the compiler leaves in snapshots is worked out: ids, texts, conditions, and whose object id is meant. Anything
else is `Unsolved`, with its text. It is never guessed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from shared.access.scope import InvalidScopeError, Scope
from shared.template.expressions import Call, ExpressionError, Literal, Member, Node, is_expression, parse, plain
from shared.template.functions import PLAIN, Person, Value, of_holders
from shared.template.symbols import Holder, Kind, Symbols

USER_ASSIGNED = "microsoft.managedidentity/userassignedidentities"
# `reference(concat(ID, '/providers/Microsoft.ManagedIdentity/Identities/default')).principalId` is the older way to ask
# for a system-assigned identity.
_OLD_SYSTEM = "microsoft.managedidentity/identities"
_PUBLIC = {
    "storage": "core.windows.net",
    "keyvaultdns": ".vault.azure.net",
    "acrloginserver": ".azurecr.io",
    "sqlserverhostname": ".database.windows.net",
}
_GOVERNMENT = {
    "storage": "core.usgovcloudapi.net",
    "keyvaultdns": ".vault.usgovcloudapi.net",
    "acrloginserver": ".azurecr.us",
    "sqlserverhostname": ".database.usgovcloudapi.net",
}
_CHINA = {
    "storage": "core.chinacloudapi.cn",
    "keyvaultdns": ".vault.azure.cn",
    "acrloginserver": ".azurecr.cn",
    "sqlserverhostname": ".database.chinacloudapi.cn",
}


@dataclass(frozen=True, slots=True)
class Unsolved:
    """`text` is the expression, for people."""

    text: str


@dataclass(frozen=True, slots=True)
class _Reference:
    resource: Scope
    full: bool


@dataclass(frozen=True, slots=True)
class _Inside:
    """A place in what a reference gives. Keys are in lower case, but for what stands in brackets."""

    reference: _Reference
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Environment:
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Deployer:
    pass


_UNFINISHED = (_Reference, _Inside, _Environment, _Deployer)


def suffixes(location: str) -> Mapping[str, str]:
    """The DNS suffixes of the cloud in which the region lies."""
    where = location.casefold()
    if where.startswith(("usgov", "usdod")):
        return _GOVERNMENT
    return _CHINA if where.startswith("china") else _PUBLIC


@dataclass(frozen=True, slots=True)
class Solver:
    """`has_system`: whether the template gives a resource a system-assigned identity. None: nobody can tell."""

    symbols: Symbols
    suffixes: Mapping[str, str]
    has_system: Callable[[Scope], bool | None] = lambda _: None

    def value(self, written: object) -> Value:
        """Of a JSON value. Whatever is no expression is itself."""
        if not isinstance(written, str):
            return written
        if not is_expression(written):
            return plain(written)
        try:
            node = parse(written)
        except ExpressionError:
            return Unsolved(written)
        found = self._node(node)
        return Unsolved(written) if isinstance(found, _UNFINISHED) else found

    def name(self, written: object) -> str | None:
        """A text; one that cannot be worked out becomes a symbol."""
        found = self.value(written)
        if isinstance(found, Unsolved):
            return self.symbols.name(found.text)
        return found if isinstance(found, str) else None

    def _node(self, node: Node) -> Value:
        match node:
            case Literal():
                return node.value
            case Call():
                found = self._call(node)
            case Member():
                found = self._member(node)
        return Unsolved(f"[{node}]") if found is None else found

    def _call(self, node: Call) -> Value:  # noqa: PLR0911 - one line for each kind of function
        if node.name in _LAZY:
            return _LAZY[node.name](self, node.arguments)
        if node.name in ("resourceid", "extensionresourceid", "subscriptionresourceid", "tenantresourceid") or (
            node.name == "managementgroupresourceid"
        ):
            return self._id(node)
        if node.name == "deployer" and not node.arguments:
            return _Deployer()
        if node.name == "environment" and not node.arguments:
            return _Environment()
        arguments = [self._node(one) for one in node.arguments]
        if node.name == "reference":
            return _reference(arguments)
        if any(isinstance(one, (Unsolved, *_UNFINISHED)) for one in arguments):
            return of_holders(node.name, arguments)
        return PLAIN[node.name](arguments) if node.name in PLAIN else None

    def _member(self, node: Member) -> Value:  # noqa: PLR0911 - one line for what it may be a member of
        of, key = self._node(node.of), self._node(node.key)
        if not isinstance(key, str):
            return None
        if isinstance(of, _Deployer):
            return Person() if key.casefold() == "objectid" else None
        if isinstance(of, _Environment):
            path = (*of.path, key.casefold())
            if path == ("suffixes",):
                return _Environment(path)
            return self.suffixes.get(path[1]) if len(path) == 2 and path[0] == "suffixes" else None
        if isinstance(of, _Reference):
            return self._within(_Inside(of, (key,)))
        if isinstance(of, _Inside):
            return self._within(_Inside(of.reference, (*of.path, key)))
        return None

    def _within(self, inside: _Inside) -> Value:  # noqa: PLR0911 - one line for each shape
        at, full = inside.reference.resource, inside.reference.full
        match [one.casefold() for one in inside.path]:
            case ["principalid"] if not full and at.resource_type == USER_ASSIGNED:
                return Holder(at, Kind.USER)
            case ["properties", "principalid"] if full and at.resource_type == USER_ASSIGNED:
                return Holder(at, Kind.USER)
            case ["principalid"] if not full and at.resource_type == _OLD_SYSTEM:
                return self._system(at.parent)
            case ["identity", "principalid"] if full and at.resource_type != USER_ASSIGNED:
                return self._system(at)
            case ["identity", "userassignedidentities", _, "principalid"] if full:
                return _user_assigned(inside.path[2])
            case ["identityprofile", "kubeletidentity", "objectid"] if not full:
                return Holder(at, Kind.KUBELET)
        return inside

    def _system(self, at: Scope) -> Value:
        """None of a resource that the template makes without such an identity: the deployment would fail."""
        return None if self.has_system(at) is False else Holder(at, Kind.SYSTEM)

    def _text(self, node: Node, *, subscription: bool = False) -> str | None:
        """A part of an id: what is not known becomes a symbol."""
        found = self._node(node)
        if isinstance(found, Unsolved):
            return self.symbols.subscription(found.text) if subscription else self.symbols.name(found.text)
        return found if isinstance(found, str) else None

    def _id(self, node: Call) -> Value:
        nodes = list(node.arguments)
        values = [self._node(one) for one in nodes]
        first = 1 if node.name == "extensionresourceid" else 0
        kind = next(
            (at for at, one in enumerate(values) if at >= first and isinstance(one, str) and _is_type(one)), None
        )
        if kind is None:
            return None
        base = self._base(node.name, nodes[:kind])
        names = [self._text(one) for one in nodes[kind + 1 :]]
        provider, *types = str(values[kind]).split("/")
        if base is None or None in names or len(types) != len(names):
            return None
        return "/".join((f"{base}/providers/{provider}", *(f"{a}/{b}" for a, b in zip(types, names, strict=True))))

    def _base(self, function: str, nodes: Sequence[Node]) -> str | None:  # noqa: PLR0911 - one line a function
        match function, len(nodes):
            case "tenantresourceid", 0:
                return ""
            case "managementgroupresourceid", 1:
                return _joined("/providers/Microsoft.Management/managementGroups/", self._text(nodes[0]))
            case "extensionresourceid", 1:
                scope = self._node(nodes[0])
                return scope.rstrip("/") if isinstance(scope, str) and scope.startswith("/") else None
            case (("resourceid" | "subscriptionresourceid"), 1):
                # `resourceId(group, type, …)` is of the deployment's own subscription, which a snapshot does not say.
                subscription = self._node(nodes[0])
                if function == "resourceid" or not isinstance(subscription, str):
                    return None
                return f"/subscriptions/{subscription}"
            case "resourceid", 2:
                subscription_id, group = self._text(nodes[0], subscription=True), self._text(nodes[1])
                return f"/subscriptions/{subscription_id}/resourceGroups/{group}" if subscription_id and group else None
        return None


def _joined(before: str, name: str | None) -> str | None:
    return f"{before}{name}" if name else None


def _is_type(text: str) -> bool:
    return "/" in text and not text.startswith("/") and "." in text.split("/", 1)[0]


def _reference(arguments: Sequence[Value]) -> Value:
    if not arguments or not isinstance(arguments[0], str):
        return None
    try:
        scope = Scope.parse(arguments[0])
    except InvalidScopeError:
        return None
    full = len(arguments) > 2 and isinstance(arguments[2], str) and arguments[2].casefold() == "full"
    return _Reference(scope, full)


def _user_assigned(text: str) -> Value:
    try:
        scope = Scope.parse(text)
    except InvalidScopeError:
        return None
    return Holder(scope, Kind.USER) if scope.resource_type == USER_ASSIGNED else None


def _if(solver: Solver, nodes: Sequence[Node]) -> Value:
    if len(nodes) != 3:
        return None
    condition = solver._node(nodes[0])  # noqa: SLF001 - a part of the solver, kept in a table
    if isinstance(condition, bool):
        return solver._node(nodes[1] if condition else nodes[2])  # noqa: SLF001 - as above
    one, other = (solver._node(each) for each in nodes[1:])  # noqa: SLF001 - as above
    return one if one == other and not isinstance(one, Unsolved) else None


def _and(solver: Solver, nodes: Sequence[Node]) -> Value:
    found = [solver._node(one) for one in nodes]  # noqa: SLF001 - as above
    if any(one is False for one in found):
        return False
    return True if found and all(one is True for one in found) else None


def _or(solver: Solver, nodes: Sequence[Node]) -> Value:
    found = [solver._node(one) for one in nodes]  # noqa: SLF001 - as above
    if any(one is True for one in found):
        return True
    return False if found and all(one is False for one in found) else None


def _coalesce(solver: Solver, nodes: Sequence[Node]) -> Value:
    return solver._node(nodes[0]) if len(nodes) == 1 else None  # noqa: SLF001 - as above


def _empty(solver: Solver, nodes: Sequence[Node]) -> Value:
    """An identity that is there has an object id. Whether a resource has one of its own, only the template can tell."""
    match [solver._node(one) for one in nodes]:  # noqa: SLF001 - as above
        case [str() as text]:
            return not text
        case [Holder(at, Kind.SYSTEM)]:
            return False if solver.has_system(at) else None
        case [Holder(_, Kind.USER)]:
            return False
    return None


_LAZY: Mapping[str, Callable[[Solver, Sequence[Node]], Value]] = {
    "if": _if,
    "and": _and,
    "or": _or,
    "coalesce": _coalesce,
    "empty": _empty,
}
