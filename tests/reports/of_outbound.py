"""The workspace's identity must approve private endpoints to what outbound rules lead to (AML-75, AML-92)."""

from typing import Any

from catalogue.build import CONTRIBUTOR, assign, resource, uai, user
from catalogue.case import ALLOWED_GROUP, Place, Raw, Tenant
from reports.report import Build, Report, beside, team

from emulator import tenant_builder as build

_APPROVER = "b556d68e-0be0-4f35-a333-ad7ee1ce17ea"
_AI_ADMINISTRATOR = "b78c5d69-af96-48a3-bf8d-a8b4d589de94"
_ABOUT = frozenset(("outbound-targets", "private-endpoint-approver"))


def _to(
    kind: str,
    *,
    group: str = "",
    name: str = "target",
    there: bool = True,
    held: str = "",
    as_uai: bool = False,
    mode: str = "AllowInternetOutbound",
    destination: Raw | None = None,
    below: str = "",
    **rule: Any,
) -> Build:
    """One rule to a resource of type `kind` in `group`, or the workspace's own; its identity holds `held` there."""

    def made(place: Place) -> Tenant:
        target = _target(f"{group or place.group}/providers/{kind}/{name}{place.unique}", kind)
        where = {"serviceResourceId": target["id"] + below, "subresourceTarget": "any", **(destination or {})}
        rules: Raw = {
            "pypi": {"type": "FQDN", "category": "UserDefined", "destination": "pypi.org"},
            "tag": {"type": "ServiceTag", "destination": {"serviceTag": "DataFactory", "protocol": "TCP"}},
            "to": {"type": "PrivateEndpoint", "category": "UserDefined", "destination": where, **rule},
        }
        one = uai(place)
        who: Raw = {"identity": user(one), "primaryUserAssignedIdentity": one["id"]} if as_uai else {}
        network = {"isolationMode": mode, "outboundRules": rules}
        _, _, tenant = team(place, admin=False, managedNetwork=network, **who)
        grants = [assign(target["id"], place.object_id("uami" if as_uai else "mlw"), held)] if held else []
        return beside(tenant, one, *([target] if there else []), held=grants, aml=False)

    return made


def _target(scope: str, kind: str) -> Raw:
    if kind == build.STORAGE_ACCOUNTS:
        return build.storage(scope)
    cosmos = {"databaseAccountOfferType": "Standard", "locations": []}
    return resource(scope, kind, cosmos if kind == "Microsoft.DocumentDB/databaseAccounts" else {})


def _report(variant: str, build: Build, grants: tuple[str, ...] = (), says: str = "", **more: Any) -> Report:
    """`grants`: on what the workspace's identity becomes approver."""
    made = frozenset(("mlw", _APPROVER, name) for name in ("acrml", "st", "kvml", *grants))
    return Report(
        "outbound", variant, build, grants=made, finds={"outbound-targets": says} if says else {}, about=_ABOUT, **more
    )


_SEARCH, _OPENAI = "Microsoft.Search/searchServices", "Microsoft.CognitiveServices/accounts"

REPORTS = (
    _report("search", _to(_SEARCH), ("target",)),
    _report("search elsewhere", _to(_SEARCH, group=ALLOWED_GROUP), ("target",)),
    _report("sql", _to("Microsoft.Sql/servers"), ("target",)),
    _report("cosmos", _to("Microsoft.DocumentDB/databaseAccounts"), ("target",)),
    _report("aml registry", _to("Microsoft.MachineLearningServices/registries"), ("target",)),
    _report("storage", _to("Microsoft.Storage/storageAccounts", name="other"), ("other",)),
    _report("event hub", _to("Microsoft.EventHub/namespaces"), ("target",)),
    _report("postgres", _to("Microsoft.DBforPostgreSQL/flexibleServers"), ("target",)),
    _report("app service", _to("Microsoft.Web/sites"), (), '--role "Contributor"'),
    _report("openai", _to(_OPENAI), (), "Cognitive Services Contributor"),
    _report("openai that it may approve", _to(_OPENAI, held=_AI_ADMINISTRATOR)),
    _report("something new", _to("Microsoft.Novel/things"), (), "no action for microsoft.novel/things"),
    _report("search held", _to(_SEARCH, held=CONTRIBUTOR)),
    _report("search that is gone", _to(_SEARCH, there=False), (), "does not exist"),
    _report("openai that is gone", _to(_OPENAI, there=False), (), "does not exist"),
    _report("search nobody may read", _to(_SEARCH), (), "could not be read", cannot_read=(r"Microsoft\.Search/",)),
    _report("search of a rule that goes", _to(_SEARCH, status="Deleting")),
    _report("search of a rule that AML made", _to(_SEARCH, category="Recommended"), ("target",)),
    _report("its own storage", _to("Microsoft.Storage/storageAccounts", name="st")),
    _report("approved outbound", _to(_SEARCH, mode="AllowOnlyApprovedOutbound"), ("target",)),
)
