"""Settings of clusters and compute instances: shutdown, local sign-in, age of the image."""

from collections.abc import Iterator

from shared.access.asks import Ask, Finding, RequiredGrant, Severity
from shared.access.model import Compute, ComputeType, Estate, Workspace
from shared.access.needs import STOP_INSTANCE
from shared.access.raw import flag, get, text
from shared.access.rules.az import at
from shared.access.rules.rule import List, Mode, Rule

_DOCS = "learn.microsoft.com/azure/machine-learning/"
_INSTANCES = _DOCS + "how-to-create-compute-instance"
_WATCHES = ("Microsoft.MachineLearningServices/workspaces/computes",)


def _idle_time(compute: Compute) -> str | None:
    return text(compute.raw, "properties", "properties", "idleTimeBeforeShutdown")


def _stops_itself(workspace: Workspace, _: Estate) -> Iterator[Ask]:
    for compute in workspace.computes:
        principal, idle = compute.identity.default, _idle_time(compute)
        if compute.type is ComputeType.COMPUTE_INSTANCE and principal and idle:
            reason = f"{principal.label} shuts the instance down after {idle} idle, as itself"
            yield RequiredGrant(principal, STOP_INSTANCE, workspace.id, compute.id, ("AML-37",), reason)


def _settings(workspace: Workspace, _: Estate) -> Iterator[Ask]:
    for compute in workspace.computes:
        wrong = dict(_wrong(compute, workspace)) if compute.ready else {}
        if wrong:
            yield Finding(
                compute.id,
                SETTINGS,
                ("AML-78",),
                Severity.LOW,
                f"{compute.type_name} {compute.id.name}: {'; '.join(wrong)}.",
                " ".join(dict.fromkeys(wrong.values())),
            )


def _wrong(compute: Compute, workspace: Workspace) -> Iterator[tuple[str, str]]:
    """What is wrong, and the remedy. What ARM leaves out is as the service has it by default."""
    if compute.type is ComputeType.AML_COMPUTE:
        if flag(compute.raw, "properties", "disableLocalAuth") is not True:
            yield "local (SSH) accounts can sign in to its nodes", _recreate(compute, workspace, "AmlCompute")
    elif compute.type is ComputeType.COMPUTE_INSTANCE:
        inner = get(compute.raw, "properties", "properties")
        if (text(inner, "sshSettings", "sshPublicAccess") or "").casefold() == "enabled":
            yield "SSH is open", _recreate(compute, workspace, "ComputeInstance")
        if flag(inner, "osImageMetadata", "isLatestOsImageVersion") is False:
            version = text(inner, "osImageMetadata", "currentImageVersion") or "unknown"
            yield f"its image ({version}) is outdated", _recreate(compute, workspace, "ComputeInstance")
        if _idle_time(compute) is None:
            url = f"{compute.id}/updateIdleShutdownSetting?api-version=2025-12-01"
            body = """--body '{"idleTimeBeforeShutdown": "PT60M"}'"""
            yield "it never shuts down when idle", f'Set it: az rest --method post --url "{url}" {body}.'


def _recreate(compute: Compute, workspace: Workspace, kind: str) -> str:
    name = f"--name {compute.id.name} {at(workspace.id)}"
    off = "--ssh-public-access-enabled false" if kind == "ComputeInstance" else "--set ssh_public_access_enabled=false"
    return (
        f"Recreate it (save what is on its disk first): az ml compute delete {name} --yes && az ml compute create "
        f"{name} --type {kind} {off}."
    )


SETTINGS = "compute-settings"

RULES = (
    Rule(
        "instance-shuts-down",
        ("AML-37",),
        Mode.OPT_IN,
        "The identity of a compute instance with idle shutdown can stop it: Contributor on the workspace.",
        _INSTANCES,
        _stops_itself,
        "an instance with idleTimeBeforeShutdown whose identity holds nothing on the workspace",
        "an instance whose identity is AzureML Compute Operator on the workspace",
        also=("AML-16",),
        grants=(STOP_INSTANCE,),
        reads=(List.COMPUTES,),
        watches=_WATCHES,
    ),
    Rule(
        SETTINGS,
        ("AML-78",),
        Mode.AUDIT,
        "Clusters and instances let nobody sign in locally; instances shut down when idle and have a current image.",
        _INSTANCES,
        _settings,
        "an instance with SSH, without idle shutdown, on an outdated image",
        "a cluster with local authentication disabled",
        reads=(List.COMPUTES,),
        watches=_WATCHES,
    ),
)
