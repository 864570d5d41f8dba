"""Something outside AML signs in to the workspace's registry with the registry's own name (AML-85, AML-23).

More types of services, and more ways to sign in, are in `tests/emulator/test_registry_users.py`.
"""

from collections.abc import Callable
from typing import Any

from catalogue.build import CONTRIBUTOR, assign, registry_at, resource
from catalogue.case import ALLOWED_GROUP, SUBSCRIPTION, Place, Raw, Tenant
from reports.report import Build, Report, beside, team

type Part = Callable[[Place, Raw], list[Raw]]

_GUARD = "registry-services"
_APP = "Microsoft.App/containerApps"
_POOL = "Microsoft.App/sessionPools"
_SITE, _BATCH = "Microsoft.Web/sites", "Microsoft.Batch/batchAccounts"
_GROUP = "Microsoft.ContainerInstance/containerGroups"
_MACHINES: Raw = {"imageReference": {"id": "image"}, "nodeAgentSkuId": "batch.node.ubuntu 22.04"}


def _with(*parts: Part, at: str = "", **more: Any) -> Build:
    """Beside a workspace whose registry lies in group `at`, or its own."""

    def build(place: Place) -> Tenant:
        acr = registry_at(
            f"{at or place.group}/providers/Microsoft.ContainerRegistry/registries/acrml{place.unique}",
            admin=True,
            **more,
        )
        made, _, tenant = team(place, acr=acr)
        held = [assign(acr["id"], place.object_id("mlw"), CONTRIBUTOR)] if at else []
        return beside(tenant, *(one for part in parts for one in part(place, made)), held=held)

    return build


def _app(kind: str = _APP, group: str = "", **sign_in: str) -> Part:
    def part(place: Place, acr: Raw) -> list[Raw]:
        own = {key: value.format(acr=acr["name"]) for key, value in sign_in.items()}
        named = {"server": f"{acr['name']}.azurecr.io", **(own or {"username": acr["name"]})}
        inside: Raw = {"configuration": {"registries": [named]}}
        if kind == _POOL:
            inside = {"customContainerTemplate": {"registryCredentials": named}}
        where = f"{group}/providers/{kind}/app{place.unique}" if group else place.id(kind, "app")
        return [resource(where, kind, inside)]

    return part


def _site(
    kind: str = "app,linux,container", image: str = "DOCKER|{server}/app:1", *, slot: bool = False, **config: Any
) -> Part:
    """Its image is in its own configuration; `image` is also (windows) of the other system."""

    def part(place: Place, acr: Raw) -> list[Raw]:
        server = f"{acr['name']}.azurecr.io"
        key = "windowsFxVersion" if "windows" in kind else "linuxFxVersion"
        body = {key: image.format(server=server, SERVER=server.upper()), "acrUseManagedIdentityCreds": False, **config}
        made = resource(place.id(_SITE, "site"), _SITE, {}) | {"kind": kind}
        of, parent = made["id"], _SITE
        more = []
        if slot:
            of, parent = f"{of}/slots/staging", f"{_SITE}/slots"
            more = [resource(of, parent, {}) | {"kind": kind}]
        return [made, *more, resource(f"{of}/config/web", f"{parent}/config", body)]

    return part


def _batch(**sign_in: Any) -> Part:
    def part(place: Place, acr: Raw) -> list[Raw]:
        account = resource(place.id(_BATCH, f"batch{place.unique}"), _BATCH, {})
        named = {"registryServer": f"{acr['name']}.azurecr.io", **(sign_in or {"username": acr["name"].upper()})}
        containers = {"type": "DockerCompatible", "containerRegistries": [named]}
        machines = {"virtualMachineConfiguration": {**_MACHINES, "containerConfiguration": containers}}
        pool = resource(f"{account['id']}/pools/one", f"{_BATCH}/pools", {"deploymentConfiguration": machines})
        return [account, pool]

    return part


def _instances(**sign_in: str) -> Part:
    def part(place: Place, acr: Raw) -> list[Raw]:
        server = f"{acr['name']}.azurecr.io"
        named = {"server": server, **(sign_in or {"username": acr["name"]})}
        size = {"requests": {"cpu": 1, "memoryInGB": 2}}
        body = {
            "osType": "Linux",
            "containers": [{"name": "one", "properties": {"image": f"{server}/app:1", "resources": size}}],
            "imageRegistryCredentials": [named],
        }
        return [resource(place.id(_GROUP, "group"), _GROUP, body)]

    return part


def _report(variant: str, build: Build, stays_on: str = _GUARD, **more: Any) -> Report:
    return Report("service", variant, build, stays_on, **more)


REPORTS = (
    _report("container app", _with(_app())),
    _report("container app by identity", _with(_app(identity="system")), ""),
    _report("container app in another spelling", _with(_app(server="{acr}.AZURECR.IO", username="{acr}"))),
    _report("container app of a registry without a server", _with(_app(), loginServer=None)),
    _report("container app beside a registry elsewhere", _with(_app(), at=ALLOWED_GROUP)),
    _report(
        "container app in the registry subscription",
        _with(_app(group=f"{SUBSCRIPTION}/resourceGroups/apps"), at=ALLOWED_GROUP),
    ),
    _report("app service by identity", _with(_site(acrUseManagedIdentityCreds=True)), ""),
    _report("app service in another spelling", _with(_site(image="docker|{SERVER}/app"))),
    _report("function app on container apps", _with(_site("functionapp,linux,container,azurecontainerapps"))),
    _report("logic app", _with(_site("functionapp,workflowapp,linux,container"))),
    _report("batch pool", _with(_batch())),
    _report("container instances", _with(_instances()), "container-instances"),
    _report("apps nobody may list", _with(_app(identity="system")), cannot_read=(r"Microsoft\.App/containerApps\?",)),
    _report("sites nobody may list", _with(), cannot_read=(r"Microsoft\.Web/sites\?",)),
    _report(
        "a site nobody may look into",
        _with(_site(acrUseManagedIdentityCreds=True)),
        cannot_read=("config/web",),
        alone=True,
    ),
    _report("batch nobody may list", _with(), cannot_read=("batchAccounts",)),
    _report("batch nobody may look into", _with(_batch(username="token")), cannot_read=("/pools",), alone=True),
    _report("groups nobody may list", _with(), "container-instances", cannot_read=("containerGroups",)),
    _report("nothing any more", _with(), ""),
    _report("batch account without pools", _with(lambda place, acr: _batch()(place, acr)[:1]), ""),
)
