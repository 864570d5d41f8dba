"""Settings of clusters and compute instances: shutdown, local sign-in, age of the image."""

from collections.abc import Iterator

from shared.access.asks import Ask, Found, RequiredGrant, Severity
from shared.access.model import Compute, ComputeType, Estate, Workspace
from shared.access.needs import STOP_INSTANCE
from shared.access.raw import flag, get, text
from shared.access.rules.az import az, code
from shared.access.rules.recreate import recreate
from shared.access.rules.rule import List, Rule, RuleKind

_DOCS = "learn.microsoft.com/azure/machine-learning/"
_INSTANCES = _DOCS + "how-to-create-compute-instance"
_WATCHES = ("Microsoft.MachineLearningServices/workspaces/computes",)


_CLOSED = {"ssh_public_access_enabled": "false"}


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
        wrong = dict(_wrong(compute)) if compute.ready else {}
        if wrong:
            yield Found(
                compute.id,
                f"{compute.type_name} {compute.id.name}: {'; '.join(wrong)}.",
                {"steps": ". ".join(dict.fromkeys(wrong.values()))},
            )


def _wrong(compute: Compute) -> Iterator[tuple[str, str]]:
    """What is wrong, and the remedy. If ARM leaves a setting out, the service's default applies."""
    if compute.type is ComputeType.AML_COMPUTE:
        if flag(compute.raw, "properties", "disableLocalAuth") is not True:
            yield "local (SSH) accounts can sign in to its nodes", recreate(compute, changed=_CLOSED)
    elif compute.type is ComputeType.COMPUTE_INSTANCE:
        inner = get(compute.raw, "properties", "properties")
        if (text(inner, "sshSettings", "sshPublicAccess") or "").casefold() == "enabled":
            yield "SSH is open", recreate(compute, changed=_CLOSED)
        if flag(inner, "osImageMetadata", "isLatestOsImageVersion") is False:
            version = text(inner, "osImageMetadata", "currentImageVersion") or "unknown"
            yield f"its image ({version}) is outdated", recreate(compute, changed=_CLOSED)
        if _idle_time(compute) is None:
            url = f"{compute.id}/updateIdleShutdownSetting?api-version=2025-12-01"
            body = '{"idleTimeBeforeShutdown": "PT60M"}'
            command = code(az("rest", method="post", url=url, body=body))
            yield "it never shuts down when idle", f"Let it shut down after an hour without use: {command}"


SETTINGS = "compute-settings"

RULES = (
    Rule(
        name="instance-shuts-down",
        requirements=("AML-37",),
        mode=RuleKind.OPT_IN,
        title="The identity of a compute instance with idle shutdown can stop it: Contributor on the workspace.",
        source=_INSTANCES,
        examine=_stops_itself,
        acts="an instance with idleTimeBeforeShutdown whose identity holds nothing on the workspace",
        leaves="an instance whose identity holds AzureML Compute Operator on the workspace",
        also=("AML-16",),
        grants=(STOP_INSTANCE,),
        keeps_apart=False,
        reads=(List.COMPUTES,),
        watches=_WATCHES,
    ),
    Rule(
        name=SETTINGS,
        requirements=("AML-78",),
        mode=RuleKind.AUDIT,
        title="Nobody can sign in to clusters and instances locally. Instances shut down when idle and have a current "
        "image.",
        source=_INSTANCES,
        examine=_settings,
        acts="an instance with SSH, without idle shutdown, on an outdated image",
        leaves="a cluster with local authentication disabled",
        severity=Severity.LOW,
        remedy="{steps}",
        reads=(List.COMPUTES,),
        watches=_WATCHES,
    ),
)
