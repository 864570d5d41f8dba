"""Settings of a workspace's registry other than its admin user: as the policy asks (`registries`)."""

from collections.abc import Iterator

from shared.access.asks import Ask, Found, Severity
from shared.access.model import Estate, Raw, Want, Workspace
from shared.access.preferences import Preferences
from shared.access.raw import flag, get, text
from shared.access.rules.az import az, code, itself, subscription, within
from shared.access.rules.network import seats
from shared.access.rules.network.commands import private_endpoint
from shared.access.rules.rule import FindingKind, Rule, RuleKind
from shared.access.rules.unreadable import unreadable
from shared.access.scope import Scope


def _wants(workspace: Workspace, _: Estate) -> Iterator[Want]:
    if workspace.registry:
        yield Want(workspace.registry)


def _settings(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from unreadable(_wants(workspace, estate), estate)
    raw, registry = estate.resource(workspace.registry), workspace.registry
    wrong = list(_wrong(raw, registry, workspace, estate.preferences)) if raw and registry else []
    if wrong and registry:
        open_to_all = flag(raw, "properties", "anonymousPullEnabled") is True and not estate.preferences.anonymous_pull
        yield Found(
            registry,
            f"Registry {registry.name}: {'; '.join(what for what, _ in wrong)}.",
            {"steps": ". ".join(remedy for _, remedy in wrong)},
            kind="anybody can pull" if open_to_all else "not as asked",
        )


def _wrong(raw: Raw, registry: Scope, workspace: Workspace, preferences: Preferences) -> Iterator[tuple[str, str]]:
    """What is wrong, and the remedy."""
    properties = get(raw, "properties")
    if flag(properties, "anonymousPullEnabled") is True and not preferences.anonymous_pull:
        command = code(az("acr update", **itself(registry), anonymous_pull_enabled="false"))
        yield "anybody can pull without signing in", f"Require everyone who pulls to sign in: {command}"
    if _open(properties) and not _may_be_open(workspace, preferences):
        yield "public network access is on", closing(raw, registry, workspace)
    if preferences.zone_redundant and not _is(properties, "enabled", "zoneRedundancy"):
        yield "it is not zone redundant", _zones(registry)
    if preferences.retention_days is not None and not _retains(properties, preferences.retention_days):
        days = preferences.retention_days
        kept = {"registry": registry.name, **subscription(registry), "status": "enabled", "days": days}
        command = code(az("acr config retention update", **kept, type="UntaggedManifests"))
        premium = "" if _is_premium(raw) else f"Only Premium has retention: {_premium(registry)}. Then: "
        yield f"untagged manifests are not removed after {days} days", f"{premium}{command}"


def _zones(registry: Scope) -> str:
    where = {**within(registry), "sku": "Premium", "zone_redundancy": "Enabled"}
    made = code(az("acr create", name="NEW-NAME", **where))
    images = {"name": "NEW-NAME", **subscription(registry), "source": "REPOSITORY:TAG", "registry": registry}
    copied = code(az("acr import", **images))
    return (
        f"Only a new Premium registry can be given zone redundancy: {made}. Then import the images, one by one: "
        f"{copied}"
    )


def closing(raw: Raw, registry: Scope, workspace: Workspace) -> str:
    """What must exist before public access goes off. Otherwise those who use it lose access."""
    steps = [] if _is_premium(raw) else [f"Only Premium has private endpoints: {_premium(registry)}"]
    subnets = [id_.name for id_ in seats.let_in(raw)]
    if subnets:
        names = ", ".join(sorted(subnets))
        steps.append(f"Service endpoints stop working without public access: give {names} a way to a private endpoint")
    if subnets or not seats.approved_endpoints(raw):
        steps.append(
            f"Give it a private endpoint in every network from which somebody pulls or pushes: {_endpoint(registry)}"
        )
    if not text(workspace.raw, "properties", "imageBuildCompute"):
        built = code(az("ml workspace update", **itself(workspace.id), image_build_compute="CLUSTER"))
        steps.append(f"ACR Tasks cannot reach it then, so let a cluster there build images: {built}")
    closed = code(az("acr update", **itself(registry), public_network_enabled="false"))
    return ". ".join([*steps, f"{'Only then: ' if steps else 'Close it: '}{closed}"])


def _endpoint(registry: Scope) -> str:
    name = f"{registry.name}-endpoint"
    return code(private_endpoint(registry, "registry", name=name, beside=registry, subnet="SUBNET-ID"))


def _premium(registry: Scope) -> str:
    return code(az("acr update", **itself(registry), sku="Premium"))


def _is_premium(raw: object) -> bool:
    return _is(raw, "premium", "sku", "name")


def _open(properties: object) -> bool:
    return not _is(properties, "disabled", "publicNetworkAccess")


def _may_be_open(workspace: Workspace, preferences: Preferences) -> bool:
    if preferences.public_access is None:
        return not _is(workspace.raw, "disabled", "properties", "publicNetworkAccess")
    return preferences.public_access


def _retains(properties: object, days: int) -> bool:
    kept = get(properties, "policies", "retentionPolicy", "days")
    enabled = _is(properties, "enabled", "policies", "retentionPolicy", "status")
    return enabled and isinstance(kept, int) and kept <= days


def _is(raw: object, value: str, *path: str) -> bool:
    return (text(raw, *path) or "").casefold() == value


SETTINGS = "registry-settings"

RULES = (
    Rule(
        name=SETTINGS,
        requirements=("AML-79",),
        mode=RuleKind.AUDIT,
        title="A workspace's registry is as the policy asks: anonymous pull off, public network access no wider than "
        "the workspace's, zone redundancy and retention where they are asked for.",
        source="learn.microsoft.com/azure/container-registry/container-registry-best-practices",
        examine=_settings,
        acts="a registry with anonymous pull, and public access although the workspace has none",
        leaves="a registry without anonymous pull beside a workspace that is public itself",
        findings={
            "anybody can pull": FindingKind(Severity.HIGH, "{steps}"),
            "not as asked": FindingKind(Severity.MEDIUM, "{steps}"),
        },
        wants=_wants,
        watches=("Microsoft.ContainerRegistry/registries",),
    ),
)
