"""Computes with settings that AML cannot change: they are deleted and made again, with all other settings as before."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from shared.access.model import Compute, ComputeType
from shared.access.raw import flag, get, text
from shared.access.rules.az import at, az, code
from shared.access.rules.identity_change import attached

DISK = "Save what is on its disk first. "
_ANEW = " (it gets a new system-assigned identity, which needs whatever was granted by hand to the old one)"


def recreate(compute: Compute, *, changed: Mapping[str, object]) -> str:
    """The text and the commands. `changed` are options of `az ml compute create` that replace the current settings."""
    where = {"name": compute.id.name, **at(compute.id.parent)}
    options = {**dict(_settings(compute)), **_identity(compute), **changed}
    made = az("ml compute create", type=compute.type_name, **where, **options)
    disk = DISK if compute.type is ComputeType.COMPUTE_INSTANCE else ""
    anew = _ANEW if compute.identity.system and "identity_type" not in changed else ""
    return f"{disk}Recreate it: {code(az('ml compute delete', **where, yes=True), made)}{anew}"


def _settings(compute: Compute) -> Iterator[tuple[str, object]]:
    """The current settings as options, see https://learn.microsoft.com/cli/azure/ml/compute#az-ml-compute-create."""
    inner = get(compute.raw, "properties", "properties")
    yield "size", text(inner, "vmSize") or "VM-SIZE"
    location = text(compute.raw, "properties", "computeLocation")
    if location:
        yield "location", location
    subnet = text(inner, "subnet", "id")
    if subnet:
        yield "subnet", subnet
    public = flag(inner, "enableNodePublicIp")
    if public is not None:
        yield "enable_node_public_ip", str(public).lower()
    if compute.type is ComputeType.AML_COMPUTE:
        yield from _scale(inner)
    if flag(compute.raw, "properties", "disableLocalAuth") is True:
        yield "ssh_public_access_enabled", "false"
    tags = get(compute.raw, "tags")
    if isinstance(tags, Mapping) and tags:
        yield "tags", tuple(f"{name}={value}" for name, value in tags.items())


def _scale(inner: object) -> Iterator[tuple[str, object]]:
    if (text(inner, "vmPriority") or "").casefold() == "lowpriority":
        yield "tier", "low_priority"
    scale = get(inner, "scaleSettings")
    for option, key in (("min_instances", "minNodeCount"), ("max_instances", "maxNodeCount")):
        number = get(scale, key)
        if isinstance(number, int):
            yield option, number
    idle = _seconds(text(scale, "nodeIdleTimeBeforeScaleDown"))
    if idle is not None:
        yield "idle_time_before_scale_down", idle


def _seconds(duration: str | None) -> int | None:
    """The seconds of an ISO 8601 duration in hours, minutes and seconds, which is the form that AML writes."""
    units = {"H": "hours", "M": "minutes", "S": "seconds"}
    rest, parts = (duration or "").removeprefix("PT"), {}
    for unit, name in units.items():
        number, found, after = rest.partition(unit)
        if found and number.isdecimal():
            parts[name], rest = int(number), after
    return int(timedelta(**parts).total_seconds()) if parts and not rest else None


def _identity(compute: Compute) -> Mapping[str, object]:
    ids = attached(compute.identity)
    if ids:
        return {"identity_type": "UserAssigned", "user_assigned_identities": ",".join(ids)}
    return {"identity_type": "SystemAssigned"} if compute.identity.system else {}
