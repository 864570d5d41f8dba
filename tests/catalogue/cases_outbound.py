"""What a workspace's identity needs beside AML: outbound rules, attached clusters, and its own resource group."""

from collections.abc import Callable

from catalogue.build import (
    CONTRIBUTOR,
    assign,
    compute,
    resource,
    system,
    uai,
    user,
    workspace,
)
from catalogue.case import Case, Place, Raw, Tenant
from catalogue.documented import acts, leaves

from docs.fidelity import known

type Build = Callable[[Place], Tenant]

_AI_ADMINISTRATOR = "b78c5d69-af96-48a3-bf8d-a8b4d589de94"
_SEARCH = "Microsoft.Search/searchServices"
_OPENAI = "Microsoft.CognitiveServices/accounts"
_AKS = "Microsoft.ContainerService/managedClusters"
_ARC = "Microsoft.Kubernetes/connectedClusters"
_RELAY = "Microsoft.Relay/namespaces"
_ANY = "GET /subscriptions/{}/resourcegroups/{}/providers/"
_APPROVABLE = (
    *("Microsoft.Cache/redis", "Microsoft.Cache/redisEnterprise", "Microsoft.DBforMySQL/flexibleServers"),
    *("Microsoft.DBforPostgreSQL/flexibleServers", "Microsoft.DBforPostgreSQL/serverGroupsv2"),
    *("Microsoft.EventHub/namespaces", "Microsoft.Insights/privateLinkScopes", "Microsoft.Network/privateLinkServices"),
)
_OTHERS = ("Microsoft.ApiManagement/service", "Microsoft.DataFactory/factories", "Microsoft.Web/sites")


def _managed(place: Place, target: str) -> Raw:
    rules: Raw = {"web": {"type": "FQDN", "category": "UserDefined", "destination": "pypi.org"}}
    if target:
        destination = {"serviceResourceId": target, "subresourceTarget": "any", "sparkEnabled": False}
        rules["to"] = {"type": "PrivateEndpoint", "category": "UserDefined", "destination": destination}
    network = {"isolationMode": "AllowInternetOutbound", "outboundRules": rules}
    return workspace(place, managedNetwork=network)


def _leading_to(kind: str = "", *, role: str = "", there: bool = True, shouted: bool = False) -> Build:
    def build(place: Place) -> Tenant:
        target = resource(place.id(kind or _SEARCH, f"to{place.unique}"), kind or _SEARCH, {})
        named = target["id"].upper().replace("/SUBSCRIPTIONS/", "/subscriptions/") if shouted else target["id"]
        ws = _managed(place, named if kind else "")
        held = [assign(place.group, place.object_id("mlw"), role)] if role else []
        # What AML gives on the resource group covers a target that lies in it; here it holds `role` alone.
        return Tenant([ws, *([target] if there else [])], held, aml=False)

    return build


def _leading_to_each(*kinds: str) -> Build:
    """To one of each kind, as Azure answers with it (tests/answers)."""

    def build(place: Place) -> Tenant:
        targets = [_answered(place, kind) for kind in kinds]
        rules = {
            f"to-{number}": {
                "type": "PrivateEndpoint",
                "category": "UserDefined",
                "destination": {"serviceResourceId": one["id"], "subresourceTarget": "any", "sparkEnabled": False},
            }
            for number, one in enumerate(targets)
        }
        network = {"isolationMode": "AllowInternetOutbound", "outboundRules": rules}
        return Tenant([workspace(place, managedNetwork=network), *targets], aml=False)

    return build


def _answered(place: Place, kind: str) -> Raw:
    type_ = f"{_ANY}{kind.lower()}/{{}} "
    one: Raw = next(one.answer for one in known() if one.type.startswith(type_))
    name = f"to{place.unique}"
    return {**one, "id": place.id(kind, name), "name": name}


def _attached(kind: str, *, by_uai: bool = True, relays: int = 0) -> Build:
    def build(place: Place) -> Tenant:
        about = {"agentPublicKeyCertificate": ""} if kind == _ARC else {}
        cluster = resource(place.id(kind, "k8s"), kind, about, identity=system(place.object_id("cluster")))
        one = uai(place)
        own: Raw = {"identity": user(one), "primaryUserAssignedIdentity": one["id"]} if by_uai else {}
        ws = workspace(place, **own)
        attached = compute(
            ws,
            "k8s",
            "Kubernetes",
            identity=system(place.object_id("k8s")),
            resourceId=cluster["id"],
            isAttachedCompute=True,
        )
        beside = [resource(place.id(_RELAY, f"relay{number}"), _RELAY, {}) for number in range(relays)]
        return Tenant([one, cluster, ws, attached, *beside])

    return build


def _of_early_2024(role: str) -> Build:
    def build(place: Place) -> Tenant:
        return Tenant([workspace(place)], [assign(place.group, place.object_id("mlw"), role)], aml=False)

    return build


CASES: tuple[Case, ...] = (
    acts("outbound-target-approver", _leading_to(_SEARCH), "private endpoint to", outcome="Applied"),
    acts(
        "outbound-target-approver",
        _leading_to("Microsoft.Sql/servers", shouted=True),
        "private endpoint to",
        "a SQL server whose id is shouted",
        outcome="Applied",
    ),
    acts(
        "outbound-target-approver",
        _leading_to_each(*_APPROVABLE),
        "private endpoint to",
        "targets of other kinds",
        outcome="Applied",
    ),
    leaves("outbound-target-approver", _leading_to()),
    acts("outbound-targets", _leading_to(_OPENAI), "no action for microsoft.cognitiveservices/accounts"),
    acts(
        "outbound-targets",
        _leading_to_each(*_OTHERS),
        "no action for microsoft.apimanagement/service",
        "targets of kinds that the role does not approve",
    ),
    acts(
        "outbound-targets",
        _leading_to("Microsoft.DocumentDB/databaseAccounts", there=False),
        "does not exist",
        "an outbound rule to what is gone",
    ),
    leaves("outbound-targets", _leading_to(_OPENAI, role=_AI_ADMINISTRATOR)),
    acts("attached-cluster-access", _attached(_AKS), "must administer the attached AKS cluster", outcome="Applied"),
    acts(
        "attached-cluster-access",
        _attached(_ARC, relays=1),
        "must own the relay",
        "an Arc cluster with its relay",
        outcome="Applied",
    ),
    leaves("attached-cluster-access", _attached(_AKS, by_uai=False)),
    acts("attached-cluster-relay", _attached(_ARC, relays=2), "Several relays"),
    leaves("attached-cluster-relay", _attached(_ARC, relays=1)),
    acts("workspace-group-role", _of_early_2024(CONTRIBUTOR), "Azure AI Administrator is enough"),
    leaves("workspace-group-role", _of_early_2024(_AI_ADMINISTRATOR)),
)
