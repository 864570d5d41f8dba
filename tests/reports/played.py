"""What came of it: the world after a run, or what a plan says that would come of it, place by place."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from catalogue.case import Place, Raw, Tenant
from held import admin_users, all_held
from local_azure import FINDINGS, REMEDIATIONS, LocalAzure
from reports.report import Answer, Grant, Report
from wire import Json

_ADMIN = "adminuserenabled"


@dataclass(frozen=True)
class Parts:
    """What was, or would be, done and said, of all places, in the plan's shape.

    `on` are the admin users by registry; of a plan None, for it says which would be turned off.
    """

    grants: list[Json]
    settings: list[Json]
    withheld: list[Json]
    findings: list[Json]
    errors: list[str] | None
    on: Mapping[str, bool] | None = None


def planned(azure: LocalAzure) -> Parts:
    ran = azure.run("plan", "--format", "json", "--policy", str(azure.folder / "policy.yaml"))
    found = ran.document
    # What waits for other changes of the plan follows them in the app.
    waiting = [one["action"] for one in found["deferred"]]
    withheld = [{**one["action"], "guard": one["guard"]} for one in found["withheld"]]
    return Parts(found["grants"], [*found["settings"], *waiting], withheld, found["findings"], found["errors"])


def held(azure: LocalAzure) -> list[Json]:
    return [one["properties"] for one in all_held(azure)]


def done(azure: LocalAzure, before: Iterable[Json]) -> Parts:
    """`before` is what was held."""
    known = {_key(one) for one in before}
    grants = [one for one in held(azure) if _key(one) not in known]
    rows = azure.rows(REMEDIATIONS)
    settings = [_row(one) for one in rows if one["Outcome"] == "Applied" and one["Property"]]
    withheld = [_row(one) for one in rows if one["Outcome"] == "Withheld"]
    return Parts(grants, settings, withheld, [_row(one) for one in azure.rows(FINDINGS)], None, admin_users(azure))


def _key(one: Json) -> tuple[str, str, str]:
    role = one["roleDefinitionId"].rpartition("/")[2]
    return one["principalId"].lower(), role.lower(), one["scope"].lower()


def _row(row: Json) -> Json:
    """An audit row in the plan's words."""
    return {
        "resourceId": row["ResourceId"],
        "scope": row.get("Scope"),
        "property": row.get("Property"),
        "rule": row["RuleId"],
        "guard": row.get("Guard"),
        "message": row.get("Message"),
        "remedy": row.get("Remedy"),
    }


def answer(report: Report, parts: Parts) -> Answer:
    place, tenant = report.place, report.build(report.place)
    registry = _registry(tenant)
    kept = {guard for one in parts.withheld if (guard := _keeps(one, registry))}
    findings: dict[str, list[str]] = {}
    for one in parts.findings:
        if _lies_in(one["resourceId"], place):
            findings.setdefault(one["rule"], []).append(f"{one['message']} {one['remedy']}")
    return Answer(
        None if registry is None else _is_on(registry, parts),
        "/".join(sorted(kept)),
        frozenset(grant for one in parts.grants if (grant := _grant(one, place, tenant))),
        {rule: " ".join(dict.fromkeys(said)) for rule, said in findings.items()},
        frozenset(one["guard"] for one in parts.withheld if not _is_admin(one) and _about(one, place)),
        None if parts.errors is None else any(f"{place.subscription}/" in said.lower() for said in parts.errors),
    )


def was_on(report: Report) -> bool | None:
    """The admin user, before."""
    registry = _registry(report.build(report.place))
    return None if registry is None else bool(registry["properties"]["adminUserEnabled"])


def _registry(tenant: Tenant) -> Raw | None:
    return next((one for one in tenant.resources if one["type"].endswith("ContainerRegistry/registries")), None)


def _is_on(registry: Raw, parts: Parts) -> bool:
    if parts.on is not None:
        return parts.on[registry["id"].lower()]
    off = any(_is_admin(one) and _same(one["resourceId"], registry) for one in parts.settings)
    return bool(registry["properties"]["adminUserEnabled"]) and not off


def _keeps(one: Json, registry: Raw | None) -> str:
    return one["guard"] if registry and _is_admin(one) and _same(one["resourceId"], registry) else ""


def _is_admin(one: Json) -> bool:
    return (one.get("property") or "").lower() == _ADMIN


def _same(identifier: str, resource: Raw) -> bool:
    return bool(identifier.lower() == resource["id"].lower())


def _about(one: Json, place: Place) -> bool:
    return _lies_in(one.get("resourceId"), place) or _lies_in(one.get("scope"), place)


def _lies_in(identifier: str | None, place: Place) -> bool:
    return f"{identifier or ''}/".lower().startswith(f"{place.subscription}/".lower())


def _grant(one: Json, place: Place, tenant: Tenant) -> Grant | None:
    """Of the place's own identities, wherever it reaches."""
    names = {place.object_id(resource["name"]): resource["name"] for resource in tenant.resources}
    who = names.get(one["principalId"].lower())
    if who is None:
        return (one["principalId"], "", one["scope"]) if _lies_in(one["scope"], place) else None
    target = one["scope"].rpartition("/")[2].lower().replace(place.unique, "")
    return who, one["roleDefinitionId"].rpartition("/")[2].lower(), target
