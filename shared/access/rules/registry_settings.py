"""What a workspace's registry should be like besides its admin user: as the policy asks (`registries`)."""

from collections.abc import Iterator

from shared.access.asks import Ask, Finding, Severity
from shared.access.model import Estate, Raw, Want, Workspace
from shared.access.raw import flag, get, text
from shared.access.rules.rule import Mode, Rule
from shared.access.rules.unreadable import unreadable
from shared.access.wishes import Wishes

_ZONES = (
    "Zone redundancy is chosen when a Premium registry is made: az acr create --name NEW-NAME --sku Premium "
    "--zone-redundancy Enabled, then az acr import from {}"
)


def _wants(workspace: Workspace, _: Estate) -> Iterator[Want]:
    if workspace.registry:
        yield Want(workspace.registry)


def _settings(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from unreadable(SETTINGS, ("AML-79",), _wants(workspace, estate), estate)
    raw, registry = estate.resource(workspace.registry), workspace.registry
    wrong = list(_wrong(raw, registry.name, workspace, estate.wishes)) if raw and registry else []
    if wrong and registry:
        open_to_all = flag(raw, "properties", "anonymousPullEnabled") is True and not estate.wishes.anonymous_pull
        yield Finding(
            registry,
            SETTINGS,
            ("AML-79",),
            Severity.HIGH if open_to_all else Severity.MEDIUM,
            f"Registry {registry.name}: {'; '.join(what for what, _ in wrong)}.",
            " ".join(f"{remedy}." for _, remedy in wrong),
        )


def _wrong(raw: Raw, name: str, workspace: Workspace, wishes: Wishes) -> Iterator[tuple[str, str]]:
    """What is wrong, and the remedy."""
    properties = get(raw, "properties")
    if flag(properties, "anonymousPullEnabled") is True and not wishes.anonymous_pull:
        yield "anybody can pull without signing in", f"az acr update --name {name} --anonymous-pull-enabled false"
    if _open(properties) and not _may_be_open(workspace, wishes):
        yield "public network access is on", f"az acr update --name {name} --public-network-enabled false"
    if wishes.zone_redundant and not _is(properties, "enabled", "zoneRedundancy"):
        yield "it is not zone redundant", _ZONES.format(name)
    if wishes.retention_days is not None and not _retains(properties, wishes.retention_days):
        days = wishes.retention_days
        remedy = f"az acr config retention update --registry {name} --status enabled --days {days}"
        yield f"untagged manifests are not removed after {days} days", f"{remedy} --type UntaggedManifests"


def _open(properties: object) -> bool:
    return not _is(properties, "disabled", "publicNetworkAccess")


def _may_be_open(workspace: Workspace, wishes: Wishes) -> bool:
    if wishes.public_access is None:
        return not _is(workspace.raw, "disabled", "properties", "publicNetworkAccess")
    return wishes.public_access


def _retains(properties: object, days: int) -> bool:
    kept = get(properties, "policies", "retentionPolicy", "days")
    enabled = _is(properties, "enabled", "policies", "retentionPolicy", "status")
    return enabled and isinstance(kept, int) and kept <= days


def _is(raw: object, value: str, *path: str) -> bool:
    return (text(raw, *path) or "").casefold() == value


SETTINGS = "registry-settings"

RULES = (
    Rule(
        SETTINGS,
        ("AML-79",),
        Mode.AUDIT,
        "A workspace's registry is as the policy asks: anonymous pull off, public network access no wider than the "
        "workspace's, zone redundancy and retention where they are asked for.",
        "learn.microsoft.com/azure/container-registry/container-registry-best-practices",
        _settings,
        "a registry with anonymous pull, and public access although the workspace has none",
        "a registry without anonymous pull beside a workspace that is public itself",
        wants=_wants,
        watches=("Microsoft.ContainerRegistry/registries",),
    ),
)
