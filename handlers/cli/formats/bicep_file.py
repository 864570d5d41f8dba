"""The missing role assignments and access policies of a plan as Bicep, to be deployed by a pipeline or from a template.

Resources are referred to as `existing`. So the module comes after those that make them: `dependsOn`, where it is a part
of the same deployment. Azure takes a role assignment only in the deployment of the group where it is made. So there
is one file for each group, and one that deploys all of them as modules.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from itertools import chain, count

from handlers.cli.bicep_text import literal, quoted
from handlers.cli.console import one_line
from handlers.cli.formats.as_code import SCRIPT, AccessPolicy, Assignment, Code, Holder, as_code, shortened
from handlers.cli.formats.view import View
from shared.access.needs import ACCESS_POLICY
from shared.access.scope import Scope

# Versions that the compiler knows. It needs one for each resource, and nothing here depends on which it is.
_VERSIONS = {
    "Microsoft.ContainerRegistry/registries": "2025-04-01",
    "Microsoft.Insights/components": "2020-02-02",
    "Microsoft.KeyVault/vaults": "2024-11-01",
    "Microsoft.MachineLearningServices/registries": "2025-06-01",
    "Microsoft.MachineLearningServices/workspaces": "2025-06-01",
    "Microsoft.MachineLearningServices/workspaces/batchEndpoints": "2025-06-01",
    "Microsoft.MachineLearningServices/workspaces/computes": "2025-06-01",
    "Microsoft.MachineLearningServices/workspaces/onlineEndpoints": "2025-06-01",
    "Microsoft.ManagedIdentity/userAssignedIdentities": "2023-01-31",
    "Microsoft.Network/privateEndpoints": "2024-05-01",
    "Microsoft.Storage/storageAccounts": "2024-01-01",
    "Microsoft.Storage/storageAccounts/blobServices": "2024-01-01",
    "Microsoft.Storage/storageAccounts/blobServices/containers": "2024-01-01",
}
_KNOWN = {kind.casefold(): (kind, version) for kind, version in _VERSIONS.items()}
_OF_OTHERS = "2025-01-01"
_NO_TYPES = "#disable-next-line BCP081 // the compiler has no types of it, and only the id is used"
_USER_ASSIGNED = "microsoft.managedidentity/userassignedidentities"
_MOST = 800
"""https://learn.microsoft.com/azure/azure-resource-manager/management/azure-subscription-service-limits (templates)"""


def text(seen: View) -> str:
    """For the screen. Of several files it says where each begins."""
    found = files(seen, "missing.bicep")
    if len(found) == 1:
        return next(iter(found.values()))
    told = "// These are several files. With --out FILE, amlguard writes them."
    return "\n\n".join((told, *(f"// The file {name}\n{one}" for name, one in found.items())))


def files(seen: View, name: str) -> dict[str, str]:
    """`name` is the file that makes all of it. The others, if there is more than one target, are its modules."""
    code = as_code(seen)
    parts: dict[Scope, _Part] = {}
    left: list[str] = []
    for one in code.grants:
        target = _target(one)
        if target is None:
            then = f"{SCRIPT} can" if one.holder.id else "plan again when the identity exists"
            left.append(f"// Not written, because Bicep cannot name whose or where: {shortened(one.why)} ({then})")
        else:
            parts.setdefault(target, _Part(target)).wanted.append(one)
    said = [*_told(code), *left]
    written = {target: "\n".join(parts[target].lines()) for target in sorted(parts, key=lambda one: one.key)}
    if not written:
        return {name: "\n".join(("// There is no role assignment and no access policy to make here.", *said))}
    if len(written) == 1:
        return {name: "\n\n".join((*written.values(), *(["\n".join(said)] if said else [])))}
    named = _module_names(name, written)
    return {name: _all_of(named, said), **{named[at]: one for at, one in written.items()}}


def _told(code: Code) -> Iterator[str]:
    """What a deployment cannot do: it does not look again first."""
    if code.changes:
        yield f"// Not here, because it needs another look first. The script of {SCRIPT} looks and does it:"
        yield from (f"//   {one}" for one in code.changes)
    yield from (f"// {one}" for one in code.notes)


def _module_names(name: str, targets: Iterable[Scope]) -> dict[Scope, str]:
    """By what they are for, so that another group moves none of them."""
    stem, found = name.removesuffix(".bicep"), dict[Scope, str]()
    for target in targets:
        subscription = target.subscription.name.casefold() if target.subscription else ""
        plain = f"{stem}-{subscription[:8]}-{re.sub(r'[^0-9A-Za-z-]', '_', target.name)}"
        found[target] = f"{_free(plain, (one.removesuffix('.bicep') for one in found.values()))}.bicep"
    return found


def _all_of(modules: Mapping[Scope, str], said: Sequence[str]) -> str:
    """Deployed at a subscription. Whatever is elsewhere says so."""
    lines = [
        "// What amlguard found missing, in several resource groups. Deploy it after the rest:",
        "// `az deployment sub create --location LOCATION --template-file THIS-FILE`",
        *said,
        *_too_many(modules),
        "targetScope = 'subscription'",
    ]
    for number, (target, file) in enumerate(modules.items(), 1):
        subscription = quoted(target.subscription.name if target.subscription else "")
        scope = f"subscription({subscription})"
        if target == target.resource_group:
            scope = f"resourceGroup({subscription}, {quoted(target.name)})"
        lines += ["", f"module grants{number} {quoted(f'./{file}')} = {{", f"  scope: {scope}", "}"]
    return "\n".join(lines)


def _too_many(made: Sized) -> list[str]:
    told = f"// Azure takes at most {_MOST} resources or modules in one file. Plan less at once, with --scope."
    return [told] if len(made) > _MOST else []


def _target(one: Assignment | AccessPolicy) -> Scope | None:
    """The group or subscription whose deployment makes it. None if that, or whose it is, cannot be written."""
    scope = one.vault if isinstance(one, AccessPolicy) else one.scope
    target = scope.resource_group or scope.subscription
    if target is None or (scope != target and not _has_own_type(scope, target)):
        return None
    holder = one.holder.resource
    return target if one.holder.id or (holder and holder.resource_type in _KNOWN) else None


def _has_own_type(scope: Scope, above: Scope) -> bool:
    """Not what extends something else."""
    return scope.segments[len(above.segments) :].count("providers") == 1


@dataclass(slots=True)
class _Part:
    """What one deployment makes. `symbols` are the resources that it refers to."""

    target: Scope
    wanted: list[Assignment | AccessPolicy] = field(default_factory=list)
    symbols: dict[Scope, str] = field(default_factory=dict)
    existing: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        made: list[str] = []
        policies: dict[Scope, list[AccessPolicy]] = {}
        for at, one in enumerate(self.wanted, 1):
            if isinstance(one, Assignment):
                made += self._grant(one, at)
            else:
                policies.setdefault(one.vault, []).append(one)
        for at, (vault, some) in enumerate(policies.items(), 1):
            made += self._policies(vault, some, at)
        where = "subscription" if self.target == self.target.subscription else "resource group"
        yield f"// What amlguard found missing in {where} {one_line(self.target.name)}."
        yield "// Deploy it there, after the rest: as a module with `dependsOn` of what makes these resources."
        yield from _too_many(self.wanted)
        yield f"targetScope = '{'subscription' if where == 'subscription' else 'resourceGroup'}'"
        yield from self.existing
        yield from made

    def _grant(self, one: Assignment, at: int) -> Iterator[str]:
        place = "" if one.scope == self.target else self._existing(one.scope)
        principal, name = self._principal(one.holder), quoted(one.name or "")
        if one.name is None and one.holder.resource:
            made_of = (f"{place or self._own}.id", f"{self._existing(one.holder.resource)}.id", quoted(one.role_id))
            name = f"guid({', '.join(made_of)})"
        role = f"subscriptionResourceId('Microsoft.Authorization/roleDefinitions', {quoted(one.role_id)})"
        yield ""
        yield f"// {one_line(one.why)}"
        yield f"resource grant{at} 'Microsoft.Authorization/roleAssignments@2022-04-01' = {{"
        if place:
            yield f"  scope: {place}"
        yield f"  name: {name}"
        yield "  properties: {"
        yield f"    principalId: {principal}"
        if one.kind:
            yield f"    principalType: {quoted(one.kind)}"
        yield f"    roleDefinitionId: {role}"
        yield f"    description: {quoted(one.description)}"
        yield "  }"
        yield "}"

    def _policies(self, vault: Scope, some: Sequence[AccessPolicy], at: int) -> Iterator[str]:
        """`add` leaves what others hold, and what these hold besides."""
        place = self._existing(vault)
        kind, version = _KNOWN[vault.resource_type]
        yield ""
        yield from (f"// {one_line(one.why)}" for one in some)
        yield f"resource policies{at} '{kind}/accessPolicies@{version}' = {{"
        yield f"  parent: {place}"
        yield "  name: 'add'"
        yield "  properties: {"
        yield "    accessPolicies: ["
        for one in some:
            yield "      {"
            yield "        tenantId: tenant().tenantId"
            yield f"        objectId: {self._principal(one.holder)}"
            yield f"        permissions: {literal({kind: list(names) for kind, names in ACCESS_POLICY.items()}, 4)}"
            yield "      }"
        yield "    ]"
        yield "  }"
        yield "}"

    @property
    def _own(self) -> str:
        return "subscription()" if self.target == self.target.subscription else "resourceGroup()"

    def _principal(self, holder: Holder) -> str:
        if holder.id or holder.resource is None:
            return quoted(holder.id or "")
        block = "properties" if holder.resource.resource_type == _USER_ASSIGNED else "identity"
        return f"{self._existing(holder.resource)}.{block}.principalId"

    def _existing(self, scope: Scope) -> str:
        if scope in self.symbols:
            return self.symbols[scope]
        written, version = _KNOWN.get(scope.resource_type, (_type_of(scope), _OF_OTHERS))
        nested = written.count("/") > 1
        parent = self._existing(scope.parent) if nested else ""
        short = written.rpartition("/")[2]
        name = re.sub(r"[^0-9A-Za-z]", "_", f"{short}_{scope.name}")
        name = self.symbols[scope] = _free(name, self.symbols.values())
        where = f"  parent: {parent}" if nested else self._elsewhere(scope)
        self.existing += [
            "",
            *([] if scope.resource_type in _KNOWN else [_NO_TYPES]),
            f"resource {name} '{written}@{version}' existing = {{",
            *([where] if where else []),
            # Azure has it by that name. What the compiler thinks of names is not asked.
            f"  name: any({quoted(scope.name)})",
            "}",
        ]
        return name

    def _elsewhere(self, scope: Scope) -> str:
        group, subscription = scope.resource_group, scope.subscription
        if group is None or subscription is None or group == self.target:
            return ""
        if subscription == self.target.subscription:
            return f"  scope: resourceGroup({quoted(group.name)})"
        return f"  scope: resourceGroup({quoted(subscription.name)}, {quoted(group.name)})"


def _type_of(scope: Scope) -> str:
    """As the id spells it."""
    parts = str(scope).rpartition("/providers/")[2].split("/")
    return "/".join((parts[0], *parts[1::2]))


def _free(name: str, taken: Iterable[str]) -> str:
    used = {one.casefold() for one in taken}
    others = (f"{name}_{at}" for at in count(2))
    return next(one for one in chain((name,), others) if one.casefold() not in used)
