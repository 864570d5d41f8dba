"""What amlguard's own readers make of a resource, as plain values, by the type of the request that shows it."""

from collections.abc import Callable, Mapping
from typing import Any

from unit.build import registry, registry_id

from shared.access import images, jobs, parse
from shared.access.model import Workspace
from shared.access.raw import get, principal_id, scope_or_none, text
from shared.access.rules.network.nsg import security_rules
from shared.access.rules.rule import List
from shared.access.services import SERVICES, SignIn, sidecar
from shared.ports import Raw

_IMAGES = registry(registry_id("images"))
_AML = "microsoft.machinelearningservices/"


def understood(kind: str, raw: Raw) -> Any:
    """Of a type without a reader amlguard only has to know that it is there."""
    path = kind.partition(" ")[2].partition("?")[0].partition(" ")[0]
    template = path.rpartition("/providers/")[2] if "/providers/" in path else path
    return _READERS.get(template.removesuffix("/{}"), _there)(raw)


def _there(raw: Raw) -> Any:
    scope = scope_or_none(raw.get("id"))
    return {"is": scope.resource_type if scope else None}


def _workspace(raw: Raw) -> Any:
    one = parse.workspace(raw, {}, {})
    named = {"registry": one.registry, "storage": one.storage, "vault": one.vault, "insights": one.app_insights}
    return {**{key: scope and scope.name for key, scope in named.items()}, **_holder(one.identity), "ready": one.ready}


def _holder(identity: Any) -> dict[str, Any]:
    return {"system": identity.system.id if identity.system else None, "user": [one.id for one in identity.user]}


def _within(raw: Raw, name: List) -> Workspace:
    """The workspace that has it, and nothing else."""
    return parse.workspace({"id": str(raw["id"]).rsplit("/", 2)[0]}, {name: [raw]}, {})


def _compute(raw: Raw) -> Any:
    (one,) = _within(raw, List.COMPUTES).computes
    return {"type": one.type, **_holder(one.identity), "ready": one.ready, "attached": one.attached}


def _datastore(raw: Raw) -> Any:
    (one,) = _within(raw, List.DATASTORES).datastores
    return {"type": one.type, "account": one.account, "by_identity": one.identity_based}


def _connection(raw: Raw) -> Any:
    (one,) = _within(raw, List.CONNECTIONS).connections
    return {"id": str(one.id), "category": one.category, "target": one.target}


def _job(raw: Raw) -> Any:
    return {"serverless": jobs.is_serverless(raw), "when": str(jobs.submitted(raw))}


def _deployment(raw: Raw) -> Any:
    return [{"kind": one.kind, "registry": one.registry, "id": one.id and str(one.id)} for one in images.assets(raw)]


def _registry(raw: Raw) -> Any:
    one = parse.registry(raw)
    return {"admin_user": one.admin_user, "abac": one.abac, "login_server": one.login_server}


def _vault(raw: Raw) -> Any:
    one = parse.vault(raw)
    return {"rbac": one.rbac, "tenant": one.tenant, "policies": {who: len(all_) for who, all_ in one.policies.items()}}


def _assignment(raw: Raw) -> Any:
    one = parse.role_assignment(raw)
    assert one
    return {"scope": str(one.scope), "principal": one.principal_id, "role": one.role_id, "condition": one.condition}


def _role(raw: Raw) -> Any:
    one = parse.role_definition(raw)
    return {"role": one.role_id, "name": one.name, "actions": [list(block.actions) for block in one.permissions]}


def _lock(raw: Raw) -> Any:
    one = parse.lock(raw)
    assert one
    return {"scope": str(one.scope), "read_only": one.read_only}


def _services(raw: Raw) -> Any:
    """How it signs in to a registry named `images`."""
    kind = str(raw["type"]).casefold()
    reading = next(one.reading for one in SERVICES if kind in (one.kind, f"{one.kind}/{one.below.partition('/')[0]}"))
    return _ways(reading(raw, _IMAGES))


def _ways(found: Any) -> list[str]:
    return [one.name for one in found if isinstance(one, SignIn)]


_READERS: Mapping[str, Callable[[Raw], Any]] = {
    f"{_AML}workspaces": _workspace,
    f"{_AML}workspaces/{{}}/computes": _compute,
    f"{_AML}workspaces/{{}}/datastores": _datastore,
    f"{_AML}workspaces/{{}}/connections": _connection,
    f"{_AML}workspaces/{{}}/jobs": _job,
    f"{_AML}workspaces/{{}}/onlineendpoints/{{}}/deployments": _deployment,
    f"{_AML}workspaces/{{}}/batchendpoints/{{}}/deployments": _deployment,
    f"{_AML}workspaces/{{}}/environments": lambda raw: [one.name for one in images.latest([raw])],
    f"{_AML}workspaces/{{}}/environments/{{}}/versions": images.as_it_is,
    f"{_AML}registries": lambda raw: [one.name for one in images.registries_of(raw)],
    "microsoft.authorization/roleassignments": _assignment,
    "microsoft.authorization/roledefinitions": _role,
    "microsoft.authorization/locks": _lock,
    "microsoft.authorization/policyassignments": lambda raw: text(raw, "properties", "policyDefinitionId"),
    "microsoft.containerregistry/registries": _registry,
    "microsoft.keyvault/vaults": _vault,
    "microsoft.managedidentity/userassignedidentities": lambda raw: principal_id(raw, "properties", "principalId"),
    "microsoft.containerservice/managedclusters": lambda raw: (one := parse.cluster(raw)) and one.id,
    "microsoft.network/networksecuritygroups": lambda raw: [one.name for one in security_rules(raw)],
    "microsoft.storage/storageaccounts": lambda raw: get(raw, "properties", "allowSharedKeyAccess"),
    "microsoft.insights/diagnosticsettings": lambda raw: len(get(raw, "properties", "logs") or ()),
    **dict.fromkeys(("microsoft.app/containerapps", "microsoft.app/jobs", "microsoft.app/sessionpools"), _services),
    "microsoft.containerinstance/containergroups": _services,
    "microsoft.batch/batchaccounts/{}/pools": _services,
    "microsoft.web/sites/{}/config/web": _services,
    "microsoft.web/sites/{}/slots/{}/config/web": _services,
    "microsoft.web/sites/{}/sitecontainers": lambda raw: _ways(sidecar(raw, _IMAGES)),
    "microsoft.web/sites/{}/slots/{}/sitecontainers": lambda raw: _ways(sidecar(raw, _IMAGES)),
}
